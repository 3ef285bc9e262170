//! Hash functions, at once and in pieces, and the digest type of the rest of Galen.

use aws_lc_rs::digest::{self, Context};
use base::BadName;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::{fmt, str::FromStr};

/// A SHA-256 digest; shown and serialised as 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sha256Digest(pub [u8; 32]);

impl Sha256Digest {
    /// The 32 bytes.
    pub const fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The 64 digits, in `room`: an entry of the ledger holds a dozen digests, and an allocation for each would be felt.
    fn text<'t>(&self, room: &'t mut [u8; 64]) -> &'t str {
        // Neither step can fail: 32 bytes fill the room, and digits are UTF-8.
        hex::encode_to_slice(self.0, room).unwrap_or_default();
        std::str::from_utf8(room).unwrap_or_default()
    }
}

impl fmt::Display for Sha256Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text(&mut [0; 64]))
    }
}

impl fmt::Debug for Sha256Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sha256Digest({self})")
    }
}

impl FromStr for Sha256Digest {
    type Err = BadName;
    /// Accepts exactly the spelling that `Display` writes, so that one digest has one text.
    fn from_str(text: &str) -> Result<Self, BadName> {
        let bad = || BadName::new("a SHA-256 digest", text, "64 lower-case hexadecimal digits");
        if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return Err(bad());
        }
        let mut out = [0; 32];
        hex::decode_to_slice(text, &mut out).map_err(|_| bad())?;
        Ok(Self(out))
    }
}

impl AsRef<[u8]> for Sha256Digest {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl From<[u8; 32]> for Sha256Digest {
    fn from(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl Serialize for Sha256Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.text(&mut [0; 64]))
    }
}

impl<'de> Deserialize<'de> for Sha256Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'_, str>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

fn fixed<const N: usize>(digest: &digest::Digest) -> [u8; N] {
    let mut out = [0; N];
    out.copy_from_slice(digest.as_ref());
    out
}

/// SHA-256 (FIPS 180-4) of `data`.
pub fn sha256(data: &[u8]) -> Sha256Digest {
    Sha256Digest(fixed(&digest::digest(&digest::SHA256, data)))
}

/// SHA-384 (FIPS 180-4) of `data`.
pub fn sha384(data: &[u8]) -> [u8; 48] {
    fixed(&digest::digest(&digest::SHA384, data))
}

/// SHA-512 (FIPS 180-4) of `data`.
pub fn sha512(data: &[u8]) -> [u8; 64] {
    fixed(&digest::digest(&digest::SHA512, data))
}

/// SHA-1 of `data`, only for checksums that a wire protocol prescribes (S3 `x-amz-checksum-sha1`); it proves nothing.
pub fn sha1(data: &[u8]) -> [u8; 20] {
    fixed(&digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, data))
}

/// SHA-256 of data that comes in pieces.
#[derive(Clone)]
pub struct Sha256(Context);

impl Default for Sha256 {
    fn default() -> Self {
        Self::new()
    }
}

impl Sha256 {
    /// The state before any data.
    pub fn new() -> Self {
        Self(Context::new(&digest::SHA256))
    }
    /// Takes the next piece.
    pub fn update(&mut self, piece: &[u8]) {
        self.0.update(piece);
    }
    /// The digest of all pieces in order.
    pub fn finish(self) -> Sha256Digest {
        Sha256Digest(fixed(&self.0.finish()))
    }
}

/// SHA-1 of data that comes in pieces; the restriction of [`sha1`] holds.
#[derive(Clone)]
pub struct Sha1(Context);

impl Default for Sha1 {
    fn default() -> Self {
        Self::new()
    }
}

impl Sha1 {
    /// The state before any data.
    pub fn new() -> Self {
        Self(Context::new(&digest::SHA1_FOR_LEGACY_USE_ONLY))
    }
    /// Takes the next piece.
    pub fn update(&mut self, piece: &[u8]) {
        self.0.update(piece);
    }
    /// The digest of all pieces in order.
    pub fn finish(self) -> [u8; 20] {
        fixed(&self.0.finish())
    }
}
