//! What can go wrong with keys, in words that tell an operator what to do.

use base::{ErrorKind, KeyId};
use std::path::PathBuf;

/// A failed key operation.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The folder holds no token yet.
    #[error("`{}` holds no key token: run `galen init`, or restore the folder from its backup", dir.display())]
    NotInitialised {
        /// The token's folder.
        dir: PathBuf,
    },
    /// The folder holds a token already, which is never overwritten.
    #[error("`{}` holds a key token already: it is never overwritten", dir.display())]
    AlreadyInitialised {
        /// The token's folder.
        dir: PathBuf,
    },
    /// The root key does not open under the machine secret or passphrase that was given.
    #[error("the key token in `{}` does not open with this {seal}: give the {seal} that it was made with", dir.display())]
    WrongSeal {
        /// The token's folder.
        dir: PathBuf,
        /// `machine secret` or `passphrase`.
        seal: &'static str,
    },
    /// The token is sealed in another way than the configuration says.
    #[error("the key token in `{}` is sealed by a {is}, but the configuration gives a {given}", dir.display())]
    OtherSeal {
        /// The token's folder.
        dir: PathBuf,
        /// How it is sealed.
        is: &'static str,
        /// What was given.
        given: &'static str,
    },
    /// The file of the machine secret can be read by other users.
    #[error("`{}` has mode {mode:o}: other users may read it; set it to 600", file.display())]
    SealExposed {
        /// The file.
        file: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The passphrase is too short to protect keys.
    #[error("the passphrase has {}: at least {min} are needed", base::count(*chars, "character"))]
    WeakPassphrase {
        /// Characters given.
        chars: usize,
        /// Characters needed.
        min: usize,
    },
    /// A key file was altered, or belongs to another token.
    #[error("key `{key}` in `{}` does not open under the root key: the file was altered or belongs to another token; restore it from the backup", file.display())]
    Tampered {
        /// The key.
        key: KeyId,
        /// Its file.
        file: PathBuf,
    },
    /// A file of the token is not what a token writes.
    #[error("`{}` is not a file of a key token: restore it from the backup", file.display())]
    Malformed {
        /// The file.
        file: PathBuf,
        /// What the reader met.
        #[source]
        source: serde_json::Error,
    },
    /// A newer release of Galen wrote the file.
    #[error("`{}` has format {found}, this release reads up to {known}: use the newer release", file.display())]
    NewerFormat {
        /// The file.
        file: PathBuf,
        /// Its format.
        found: u32,
        /// The newest format known here.
        known: u32,
    },
    /// No such key in this token.
    #[error("the token holds no key `{key}` version {version}: restore the token's folder from its backup")]
    UnknownKey {
        /// The key.
        key: KeyId,
        /// The version asked for.
        version: u32,
    },
    /// The key was destroyed on purpose; what it protected is gone.
    #[error("key `{key}` version {version} was destroyed")]
    Destroyed {
        /// The key.
        key: KeyId,
        /// The version.
        version: u32,
    },
    /// The key serves another purpose.
    #[error("key `{key}` is for {purpose} and cannot {operation}")]
    WrongPurpose {
        /// The key.
        key: KeyId,
        /// Its purpose.
        purpose: &'static str,
        /// What was asked.
        operation: &'static str,
    },
    /// A label breaks its rule.
    #[error("`{label}` is not a key label: expected 1 to 128 letters, digits and `._:/@-`")]
    BadLabel {
        /// The label.
        label: String,
    },
    /// Wrapped bytes do not unwrap under this key and associated data.
    #[error("wrapped bytes do not open under key `{key}` version {version}: they were altered or belong elsewhere")]
    DoesNotUnwrap {
        /// The key.
        key: KeyId,
        /// The version.
        version: u32,
    },
    /// A file operation failed.
    #[error("cannot {operation} `{}`", path.display())]
    Io {
        /// What was attempted.
        operation: &'static str,
        /// On which path.
        path: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// The cryptographic library refused.
    #[error("cryptography failed in the token")]
    Crypto {
        /// Why.
        #[source]
        source: crypto::Error,
    },
    /// The store failed while a subject's key was read or written.
    #[error("the store failed while keys were read or written")]
    Store {
        /// Why.
        #[source]
        source: store::Error,
    },
    /// A stored subject key is not what this crate writes.
    #[error("the stored key of subject {subject} is damaged: restore the store from its backup")]
    DamagedSubjectKey {
        /// The subject.
        subject: uuid::Uuid,
    },
}

impl Error {
    /// What the failure means to a caller.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::NotInitialised { .. }
            | Self::WrongSeal { .. }
            | Self::OtherSeal { .. }
            | Self::SealExposed { .. } => ErrorKind::Unavailable,
            Self::AlreadyInitialised { .. } => ErrorKind::Conflict,
            Self::WeakPassphrase { .. } | Self::BadLabel { .. } => ErrorKind::Invalid,
            Self::Tampered { .. }
            | Self::Malformed { .. }
            | Self::DoesNotUnwrap { .. }
            | Self::DamagedSubjectKey { .. } => ErrorKind::Corrupt,
            Self::NewerFormat { .. } | Self::Io { .. } => ErrorKind::Unavailable,
            Self::UnknownKey { .. } | Self::Destroyed { .. } => ErrorKind::NotFound,
            Self::Store { source } => source.kind(),
            Self::WrongPurpose { .. } | Self::Crypto { .. } => ErrorKind::Internal,
        }
    }
}

impl From<store::Error> for Error {
    fn from(source: store::Error) -> Self {
        Self::Store { source }
    }
}

/// Wraps a failure of the cryptographic library.
pub(crate) fn crypto(source: crypto::Error) -> Error {
    Error::Crypto { source }
}
