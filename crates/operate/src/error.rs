//! What can go wrong while an operator's command runs; what it finds is a result, not an error.

use base::ErrorKind;
use std::path::PathBuf;

/// A failed operator's command.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file or folder cannot be used.
    #[error("cannot {doing} `{}`", path.display())]
    Io {
        /// What was attempted.
        doing: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        source: std::io::Error,
    },
    /// The ledger's files cannot be read as a log.
    #[error("the ledger in `{}` cannot be checked", dir.display())]
    Ledger {
        /// Its folder.
        dir: PathBuf,
        /// Why.
        #[source]
        source: Box<::ledger::Error>,
    },
    /// There is no key to check the ledger with.
    #[error("`{}` holds no usable `log.key`: is it the folder of a ledger, or a whole copy of one?", dir.display())]
    NoLogKey {
        /// The folder.
        dir: PathBuf,
    },
}

impl Error {
    /// What it means.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Io { .. } => ErrorKind::Unavailable,
            Self::Ledger { source, .. } => source.kind(),
            Self::NoLogKey { .. } => ErrorKind::Invalid,
        }
    }
}
