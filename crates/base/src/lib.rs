//! The words every other crate speaks: typed ids, names, ARNs, actors, error kinds, and the ports
//! through which time and randomness enter.
//!
//! It knows nothing of storage, wire formats, cryptography or policy, and it performs no effect:
//! nothing here reads a clock, an environment variable or a file.

mod account;
mod actor;
mod arn;
pub mod canonical;
mod count;
mod effect;
mod error;
mod id;
mod secret;

pub use account::{AccountId, Region};
pub use actor::{Actor, SourceIdentity};
pub use arn::Arn;
pub use count::count;
pub use effect::{Clock, Effects, Entropy, Ids};
pub use error::{BadName, ErrorKind, misleads};
pub use id::*;
pub use jiff::Timestamp;
pub use secret::Secret;

#[cfg(test)]
mod tests;
