//! Proof Key for Code Exchange (RFC 7636), method S256 only: `plain` protects nothing that this does not.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};

/// Characters of an S256 challenge: base64url of 32 bytes.
const CHALLENGE_CHARS: usize = 43;

/// The `code_challenge` of an authorization request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge(String);

impl Challenge {
    /// Accepts exactly the base64url of 32 bytes.
    pub fn parse(text: &str) -> Option<Self> {
        let sound = text.len() == CHALLENGE_CHARS && BASE64_URL_SAFE_NO_PAD.decode(text).is_ok_and(|b| b.len() == 32);
        sound.then(|| Self(text.to_owned()))
    }

    /// The challenge as text, to be stored beside the code.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether `verifier` is well-formed (43 to 128 unreserved characters) and is the one behind this challenge.
    pub fn is_met_by(&self, verifier: &str) -> bool {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b"-._~".contains(&b);
        if !(43..=128).contains(&verifier.len()) || !verifier.bytes().all(allowed) {
            return false;
        }
        let digest = BASE64_URL_SAFE_NO_PAD.encode(crypto::sha256(verifier.as_bytes()).0);
        crypto::constant_time_eq(digest.as_bytes(), self.0.as_bytes())
    }
}
