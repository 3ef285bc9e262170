//! Wire codecs and nothing else: bytes in, typed values out, and back.
//!
//! No codec here performs an effect, holds state or decides who may; what is read from an unverified message is a type
//! of its own. Every parser is bounded and replayed against a corpus with mutations in its tests.

#[cfg(any(test, feature = "fuzz"))]
pub mod fuzz;
pub mod jwt;
pub mod oidc;
pub mod peer;
pub mod sigv4;
pub mod sts;
pub mod xml;
