//! Names of buckets, object keys and versions, parsed once at the edge. A name that parsed is safe to store and compare;
//! no name is ever used as a path of the file system.

use base::{BadName, ObjectVersionId};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};
use uuid::Uuid;

/// A bucket's name by the rules of S3 ("Bucket naming rules"): 3 to 63 of lower-case letters, digits, dots and hyphens.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct BucketName(String);

impl BucketName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for BucketName {
    type Err = BadName;
    fn from_str(text: &str) -> Result<Self, BadName> {
        let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'.';
        let edge = |b: Option<&u8>| b.is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
        let bytes = text.as_bytes();
        let numeric_address = text.split('.').count() == 4 && text.bytes().all(|b| b.is_ascii_digit() || b == b'.');
        let sound = (3..=63).contains(&text.len())
            && bytes.iter().copied().all(inner)
            && edge(bytes.first())
            && edge(bytes.last())
            && !text.contains("..")
            && !text.contains(".-")
            && !text.contains("-.")
            && !numeric_address
            && !text.starts_with("xn--");
        if sound {
            Ok(Self(text.to_owned()))
        } else {
            Err(BadName::new("a bucket name", text, "3 to 63 lower-case letters, digits, inner dots and hyphens"))
        }
    }
}

/// An object's key: 1 to 1,024 bytes of UTF-8 without control characters, without an empty, `.` or `..` segment (one trailing `/` is
/// allowed). S3 itself takes such segments; tools that write keys to disk are led out of their folder by them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ObjectKey(String);

impl ObjectKey {
    /// Longest key in bytes (S3: 1,024).
    pub const LEN_MAX: usize = 1024;

    /// The key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ObjectKey {
    type Err = BadName;
    fn from_str(text: &str) -> Result<Self, BadName> {
        let bad = |expected| Err(BadName::new("an object key", text, expected));
        if text.is_empty() || text.len() > Self::LEN_MAX {
            return bad("1 to 1,024 bytes of UTF-8");
        }
        // XML cannot hold them, so a list could not be answered; nor do they belong on a terminal.
        if text.contains(|c: char| c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}')) {
            return bad("no control character");
        }
        let body = text.strip_suffix('/').unwrap_or(text);
        if body.split('/').any(|segment| matches!(segment, "" | "." | "..")) {
            return bad("no empty, `.` or `..` segment between slashes");
        }
        Ok(Self(text.to_owned()))
    }
}

macro_rules! text_like {
    ($($name:ident),*) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
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
    )*};
}
text_like!(BucketName, ObjectKey);

/// The name of one version of an object: its place in the order of commits of its key, and its id (UUIDv7). Shown as 32
/// opaque characters. S3's `null`, the version that was written while none were kept, is a name too; no object has it, since versioning
/// is always on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct VersionId {
    /// Microseconds of the commit, raised where needed so that it grows strictly within one key.
    pub(crate) order: u64,
    /// The id that the body is sealed for.
    pub(crate) id: ObjectVersionId,
}

impl VersionId {
    /// The version that no object has, and its name in S3.
    const NULL: (Self, &str) = (Self { order: 0, id: ObjectVersionId::from_uuid(Uuid::nil()) }, "null");

    /// The id inside, for records that join on it.
    pub const fn id(&self) -> ObjectVersionId {
        self.id
    }
}

impl fmt::Display for VersionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (null, name) = Self::NULL;
        if *self == null {
            return f.write_str(name);
        }
        let mut raw = [0; 24];
        let (order, id) = raw.split_at_mut(8);
        order.copy_from_slice(&self.order.to_be_bytes());
        id.copy_from_slice(self.id.bytes());
        f.write_str(&BASE64_URL_SAFE_NO_PAD.encode(raw))
    }
}

impl TryFrom<String> for VersionId {
    type Error = BadName;
    fn try_from(text: String) -> Result<Self, BadName> {
        text.parse()
    }
}

impl From<VersionId> for String {
    fn from(version: VersionId) -> Self {
        version.to_string()
    }
}

impl FromStr for VersionId {
    type Err = BadName;
    fn from_str(text: &str) -> Result<Self, BadName> {
        let (null, name) = Self::NULL;
        if text == name {
            return Ok(null);
        }
        let bad = || BadName::new("a version id", text, "the 32 characters that Galen gave the version");
        let mut raw = [0; 24];
        match BASE64_URL_SAFE_NO_PAD.decode_slice(text, &mut raw) {
            Ok(24) if text.len() == 32 => {}
            _ => return Err(bad()),
        }
        let (order, id) = raw.split_at(8);
        let order = u64::from_be_bytes(order.try_into().map_err(|_| bad())?);
        let id = Uuid::from_slice(id).map_err(|_| bad())?;
        Ok(Self { order, id: ObjectVersionId::from_uuid(id) })
    }
}
