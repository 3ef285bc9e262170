//! Keys that never leave: a port to a token that signs, authenticates, wraps and unwraps by reference, the software
//! token that ships with Galen, and the keyring that keeps data keys in memory for minutes.
//!
//! It knows nothing of people, datasets, sessions or wire formats: a purpose and a label name a key.
//! INVARIANT: one key serves one purpose; no key-encryption key leaves the token, and no secret has a `Debug`.

mod aead;
#[cfg(any(test, feature = "conformance"))]
pub mod conformance;
mod error;
mod keyring;
mod software;
pub mod subject;
mod token;

pub use error::Error;
pub use keyring::{Custody, DATA_KEY_TTL, DataKey, DerivedKey, DerivedKeys, people_key};
pub use software::{Seal, SoftwareToken, SoftwareTokenOptions};
pub use subject::{Subject, SubjectKey};
pub use token::{KeyRef, Purpose, Token, TokenInfo, Use};

#[cfg(test)]
mod tests;
