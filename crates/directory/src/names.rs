//! Names of people, groups and services: parsed once, bounded, without control characters. People's names have no `Debug`.

use base::{BadName, misleads};
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// Visible text without leading or trailing space.
fn is_plain(text: &str, min: usize, max: usize) -> bool {
    (min..=max).contains(&text.chars().count()) && text.trim() == text && !text.chars().any(char::is_control)
}

macro_rules! text {
    ($(#[$doc:meta])* $name:ident, $what:literal, $expected:literal, $shown:literal, $sound:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
        impl FromStr for $name {
            type Err = BadName;
            fn from_str(text: &str) -> Result<Self, BadName> {
                let sound: fn(&str) -> bool = $sound;
                if sound(text) {
                    return Ok(Self(text.to_owned()));
                }
                Err(if $shown { BadName::new($what, text, $expected) } else { BadName::hidden($what, $expected) })
            }
        }
        impl TryFrom<String> for $name {
            type Error = BadName;
            fn try_from(text: String) -> Result<Self, BadName> {
                text.parse()
            }
        }
        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(if $shown { &self.0 } else { concat!(stringify!($name), "(..)") })
            }
        }
    };
}

text! {
    /// What a person types to sign in: 2 to 128 characters without spaces, compared without regard to case.
    Username, "a user name", "2 to 128 characters without spaces, `*`, `?`, `..` or `//`", false,
    |text| is_plain(text, 2, 128) && !misleads(text) && !text.chars().any(char::is_whitespace)
}
text! {
    /// The name that is shown: 1 to 200 characters.
    DisplayName, "a name", "1 to 200 characters", false, |text| is_plain(text, 1, 200)
}
text! {
    /// A mail address: something on both sides of one `@`, at most 254 characters. Whether mail arrives is not checked.
    Email, "a mail address", "NAME@DOMAIN, at most 254 characters, without `*`, `?`, `..` or `//`", false,
    |text| is_plain(text, 3, 254)
        && !misleads(text)
        && !text.chars().any(char::is_whitespace)
        && text.rsplit_once('@').is_some_and(|(name, domain)| !name.is_empty() && !domain.is_empty() && !name.contains('@'))
}
text! {
    /// A group's name: 1 to 128 characters; unique among live groups without regard to case.
    GroupName, "a group name", "1 to 128 characters without `*`, `?`, `..` or `//`", true,
    |text| is_plain(text, 1, 128) && !misleads(text)
}

text! {
    /// A service's name: 2 to 64 lower-case letters, digits and `._-`, a letter first; no id looks like one. It can stand in an ARN and be
    /// the name of a role session.
    ServiceName, "a service's name", "2 to 64 lower-case letters, digits and `._-`, a letter first, and no id", true,
    |text| (2..=64).contains(&text.len())
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-".contains(&b))
        && text.parse::<base::ServiceId>().is_err()
}

impl Username {
    /// The form in which user names are compared.
    pub(crate) fn folded(&self) -> String {
        self.0.to_lowercase()
    }
}

impl GroupName {
    /// The form in which group names are compared.
    pub(crate) fn folded(&self) -> String {
        self.0.to_lowercase()
    }
}

impl fmt::Display for ServiceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for GroupName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
