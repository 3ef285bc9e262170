//! Canonical JSON (RFC 8785): one value, one spelling, so that a digest of it means something.

use serde::Serialize;

/// The value cannot be written as canonical JSON (a non-finite number, or a map key that is not a string).
#[derive(Debug, thiserror::Error)]
#[error("the value has no canonical JSON form (RFC 8785)")]
pub struct NotCanonical(#[source] serde_json::Error);

/// The RFC 8785 bytes of `value`.
///
/// # Errors
/// [`NotCanonical`] for a non-finite number or a map key that is not a string.
pub fn to_vec(value: &impl Serialize) -> Result<Vec<u8>, NotCanonical> {
    serde_json_canonicalizer::to_vec(value).map_err(NotCanonical)
}

/// The RFC 8785 text of `value`.
///
/// # Errors
/// As [`to_vec`].
pub fn to_string(value: &impl Serialize) -> Result<String, NotCanonical> {
    serde_json_canonicalizer::to_string(value).map_err(NotCanonical)
}
