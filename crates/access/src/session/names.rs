//! Names of a session: its name and its access key. It knows their grammar and nothing else.

use base::BadName;
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// The alphabet of RFC 4648 base32, which AWS uses for access keys.
const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// The first `len` base32 characters of `bytes`, high bits first; padded with `A` when the bytes run out.
pub(super) fn base32(bytes: &[u8], len: usize) -> String {
    let bit = |n: usize| bytes.get(n / 8).map_or(0, |b| b >> (7 - n % 8) & 1);
    let digit = |n: usize| (0..5).fold(0_usize, |acc, i| acc << 1 | usize::from(bit(n * 5 + i)));
    (0..len).filter_map(|n| ALPHABET.get(digit(n)).map(|b| char::from(*b))).collect()
}

fn version_digit(version: u32) -> char {
    let digit = usize::try_from(version % 32).unwrap_or(0);
    ALPHABET.get(digit).map_or('A', |b| char::from(*b))
}

/// A role session's name: 2 to 64 of `[\w+=,.@-]` (AWS STS API reference, `RoleSessionName`). Often a mail address: not
/// printed by `Debug`.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SessionName(String);

impl SessionName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for SessionName {
    type Err = BadName;
    fn from_str(text: &str) -> Result<Self, BadName> {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b"_+=,.@-".contains(&b);
        if (2..=64).contains(&text.len()) && text.bytes().all(allowed) {
            Ok(Self(text.to_owned()))
        } else {
            Err(BadName::new("a role session name", text, "2 to 64 letters, digits and _+=,.@-"))
        }
    }
}

impl TryFrom<String> for SessionName {
    type Error = BadName;
    fn try_from(text: String) -> Result<Self, BadName> {
        text.parse()
    }
}

impl From<SessionName> for String {
    fn from(name: SessionName) -> Self {
        name.0
    }
}

impl fmt::Display for SessionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for SessionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionName(..)")
    }
}

/// The public half of temporary credentials: `ASIA` and 16 base32 characters. The first of them says which version of
/// the edge key (modulo 32) the secret is derived from, so that no lookup is needed.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AccessKeyId(String);

impl AccessKeyId {
    /// Bytes of randomness in one id: 15 characters of 5 bits need 75 bits.
    pub const ENTROPY_BYTES: usize = 10;
    const PREFIX: &str = "ASIA";
    const LEN: usize = 20;

    /// The id made of these unpredictable bytes, under this version of the edge key.
    pub fn from_entropy(edge_version: u32, bytes: [u8; Self::ENTROPY_BYTES]) -> Self {
        Self(format!("{}{}{}", Self::PREFIX, version_digit(edge_version), base32(&bytes, 15)))
    }

    /// Whether this version of the edge key may have made it.
    pub fn is_under(&self, edge_version: u32) -> bool {
        self.0.chars().nth(Self::PREFIX.len()) == Some(version_digit(edge_version))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for AccessKeyId {
    type Err = BadName;
    fn from_str(text: &str) -> Result<Self, BadName> {
        let digits = text.strip_prefix(Self::PREFIX).map(str::as_bytes);
        if text.len() == Self::LEN && digits.is_some_and(|d| d.iter().all(|b| ALPHABET.contains(b))) {
            Ok(Self(text.to_owned()))
        } else {
            Err(BadName::new("a temporary access key id", text, "ASIA and 16 base32 characters"))
        }
    }
}

impl TryFrom<String> for AccessKeyId {
    type Error = BadName;
    fn try_from(text: String) -> Result<Self, BadName> {
        text.parse()
    }
}

impl From<AccessKeyId> for String {
    fn from(id: AccessKeyId) -> Self {
        id.0
    }
}

impl fmt::Display for AccessKeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for AccessKeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
