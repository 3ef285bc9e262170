//! Who acts, and the enterprise identity that follows a person through every session.

use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

use crate::{BadName, PersonId, ServiceId};

/// Who does something. Facts and ledger entries carry this and never a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Actor {
    /// A person of the directory.
    Person(PersonId),
    /// A registered machine.
    Service(ServiceId),
    /// Galen itself: start-up, sweeping, expiry, `galen init`.
    System,
}

impl Actor {
    /// The person behind the act, if one is.
    pub const fn person(&self) -> Option<PersonId> {
        match self {
            Self::Person(id) => Some(*id),
            _ => None,
        }
    }
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Person(id) => write!(f, "person/{id}"),
            Self::Service(id) => write!(f, "service/{id}"),
            Self::System => f.write_str("system"),
        }
    }
}

/// The stable handle of a person: 2 to 64 of `[\w+=,.@-]` (ASCII), not starting with `aws:` (AWS STS API reference,
/// `SourceIdentity`). Given once, unchanged by renames, never reused. It is personal data: never in a fact or an entry.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SourceIdentity(String);

impl SourceIdentity {
    /// The handle as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SourceIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for SourceIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SourceIdentity(..)")
    }
}

impl FromStr for SourceIdentity {
    type Err = BadName;
    fn from_str(text: &str) -> Result<Self, BadName> {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b"_+=,.@-".contains(&b);
        if (2..=64).contains(&text.len()) && text.bytes().all(allowed) && !text.starts_with("aws:") {
            Ok(Self(text.to_owned()))
        } else {
            Err(BadName::new("a source identity", text, "2 to 64 letters, digits and _+=,.@-"))
        }
    }
}

impl TryFrom<String> for SourceIdentity {
    type Error = BadName;
    fn try_from(text: String) -> Result<Self, BadName> {
        text.parse()
    }
}

impl From<SourceIdentity> for String {
    fn from(identity: SourceIdentity) -> Self {
        identity.0
    }
}
