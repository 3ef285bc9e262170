//! The one place where Galen does cryptography, on one library (aws-lc-rs): hashes, MAC, key derivation,
//! authenticated encryption, signatures, randomness, and whether all of it runs in FIPS mode.
//!
//! Functions that need neither a secret state nor randomness are plain functions; what draws randomness hangs on
//! the provider value [`Crypto`]. This crate knows nothing of tokens, certificates, key ids or storage.
//! INVARIANT: no type that holds a secret has a `Debug`, a `Display` or a serialised form.

mod aead;
mod digest;
mod error;
mod mac;
mod provider;
mod sign;

pub use aead::{AEAD_KEY_BYTES, AEAD_NONCE_BYTES, AEAD_TAG_BYTES, AeadKey};
pub use digest::{Sha1, Sha256, Sha256Digest, sha1, sha256, sha384, sha512};
pub use error::Error;
pub use mac::{HKDF_OUTPUT_BYTES_MAX, HmacKey, constant_time_eq, hkdf_sha256, hmac_sha256, verify_hmac_sha256};
pub use provider::{Crypto, SystemEntropy};
pub use sign::{ED25519_SIGNATURE_BYTES, KeyAlgorithm, PrivateKey, PublicKey, SignatureScheme, VerifyingKey};

#[cfg(test)]
mod tests;
