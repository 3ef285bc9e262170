//! What can go wrong in a cryptographic operation; deliberately says little, since details help an attacker.

use base::ErrorKind;

/// A failed cryptographic operation.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Sealed bytes do not open: another key, nonce or associated data, or altered bytes.
    #[error("the sealed bytes do not open under this key and associated data")]
    DoesNotOpen,
    /// A signature or a MAC does not match.
    #[error("the signature or code does not match")]
    DoesNotVerify,
    /// Key material is not a key of the stated algorithm, or breaks its size rules.
    #[error("the bytes are not an acceptable {algorithm} key")]
    BadKey {
        /// The algorithm that was asked for.
        algorithm: &'static str,
    },
    /// The key cannot be used with the requested signature scheme.
    #[error("a {key} key cannot be used for {scheme}")]
    WrongScheme {
        /// Algorithm of the key.
        key: &'static str,
        /// The scheme that was asked for.
        scheme: &'static str,
    },
    /// More derived bytes were asked for than the function can give.
    #[error("{asked} derived bytes asked for, at most {most} are possible")]
    TooMuchOutput {
        /// Bytes asked for.
        asked: usize,
        /// The limit of RFC 5869.
        most: usize,
    },
    /// The library refused an operation that cannot fail in normal running (no memory, failed self test).
    #[error("the cryptographic library refused to {operation}")]
    Library {
        /// What was attempted.
        operation: &'static str,
    },
}

impl Error {
    /// What the failure means to a caller; an edge may say less.
    pub const fn kind(&self) -> ErrorKind {
        match self {
            Self::DoesNotOpen => ErrorKind::Corrupt,
            Self::DoesNotVerify => ErrorKind::Unauthenticated,
            Self::BadKey { .. } | Self::WrongScheme { .. } | Self::TooMuchOutput { .. } => ErrorKind::Invalid,
            Self::Library { .. } => ErrorKind::Internal,
        }
    }
}
