//! Verifies AWS Signature Version 4 for every service but S3, whose codec has its own (AWS General Reference,
//! "Signature Version 4 signing process").
//!
//! Pure: it is given the request, the body, the secret and the time. It knows nothing of sessions or servers. A request
//! goes through two values: [`Presented`] is what the caller claims, and only [`Presented::verify`] makes it believed.
//! INVARIANT: what is not covered by the signature (a header `x-amz-*`, a second signature) makes the request refused.

mod canonical;
mod error;
mod presented;

pub use canonical::{canonical_request, signature, signing_key};
pub use error::Error;
pub use presented::{EXPIRES_SECONDS_MAX, Parts, Presented, SKEW_SECONDS_MAX, amz_date, credential_scope};

#[cfg(test)]
mod tests;
