//! Amazon resource names: `arn:partition:service:region:account:resource`, where only the sixth part may hold colons.

use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

use crate::BadName;

/// A well-formed ARN, kept as the text it came as. It may hold wildcards when it names a pattern; this type does not judge that.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Arn(String);

impl Arn {
    /// Longest ARN that is accepted, in bytes (AWS: 2,048 for `RoleArn` and `PrincipalArn`).
    pub const LEN_MAX: usize = 2048;

    /// The ARN as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
    /// The part after the `n`th colon up to the next; the sixth part (`n` = 5) is everything that is left.
    fn part(&self, n: usize) -> &str {
        self.0.splitn(6, ':').nth(n).unwrap_or_default()
    }
    /// `aws`, and whatever else stands second.
    pub fn partition(&self) -> &str {
        self.part(1)
    }
    /// The service, such as `s3`.
    pub fn service(&self) -> &str {
        self.part(2)
    }
    /// The region; empty where the service has none.
    pub fn region(&self) -> &str {
        self.part(3)
    }
    /// The account as text; empty for S3.
    pub fn account(&self) -> &str {
        self.part(4)
    }
    /// Everything after the fifth colon.
    pub fn resource(&self) -> &str {
        self.part(5)
    }
}

impl fmt::Display for Arn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Arn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Arn {
    type Err = BadName;
    fn from_str(text: &str) -> Result<Self, BadName> {
        let bad = || BadName::new("an ARN", text, "arn:PARTITION:SERVICE:REGION:ACCOUNT:RESOURCE");
        if text.len() > Self::LEN_MAX || text.contains(|c: char| c.is_control()) {
            return Err(bad());
        }
        let mut parts = text.splitn(6, ':');
        let sound = parts.next() == Some("arn")
            && parts.next().is_some_and(|p| !p.is_empty())
            && parts.next().is_some_and(|p| !p.is_empty())
            && parts.next().is_some()
            && parts.next().is_some()
            && parts.next().is_some_and(|p| !p.is_empty());
        if sound { Ok(Self(text.to_owned())) } else { Err(bad()) }
    }
}

impl TryFrom<String> for Arn {
    type Error = BadName;
    fn try_from(text: String) -> Result<Self, BadName> {
        text.parse()
    }
}

impl From<Arn> for String {
    fn from(arn: Arn) -> Self {
        arn.0
    }
}
