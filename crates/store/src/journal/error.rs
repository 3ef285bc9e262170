//! Why an entry could not be made durable, or a log not opened.

use base::ErrorKind;
use ledger::Origin;
use std::{io, sync::Arc};

/// A failure of the journal; cheap to clone, since one failed batch fails many callers.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// Another process writes this log.
    #[error("the log in `{folder}` is written by another process: stop it first")]
    InUse {
        /// The folder.
        folder: String,
    },
    /// The operating system refused.
    #[error("cannot {operation} `{name}` in the log folder")]
    Io {
        /// What was attempted.
        operation: &'static str,
        /// The file, relative to the folder.
        name: String,
        /// What it said.
        #[source]
        source: Arc<io::Error>,
    },
    /// The published log is damaged, or could not be signed.
    #[error("the ledger cannot go on: run `galen ledger verify`")]
    Log {
        /// What is wrong.
        #[source]
        source: Arc<ledger::Error>,
    },
    /// A write-ahead file is not as it was written.
    #[error("`{name}` is damaged at offset {offset}, entry {index}: run `galen ledger verify`")]
    WalDamaged {
        /// The file.
        name: String,
        /// Where in it.
        offset: usize,
        /// The first entry that cannot be read.
        index: u64,
    },
    /// Entries between the published log and a write-ahead file are missing.
    #[error("entries {from} to {until} are missing before `{name}`: run `galen ledger verify`")]
    WalGap {
        /// The file.
        name: String,
        /// The first missing entry.
        from: u64,
        /// The first entry that is there again.
        until: u64,
    },
    /// The folder holds a log that was signed by another key.
    #[error(
        "the folder holds a log that is not `{origin}` under a trusted key: give the earlier keys, or another folder"
    )]
    ForeignLog {
        /// The log that was expected.
        origin: Origin,
    },
    /// The log is shorter than it once was.
    #[error(
        "the ledger holds {} and held {seen}: an older copy lies in its folder; put the newest one back",
        base::count(*size, "entry")
    )]
    RolledBack {
        /// Entries under its newest checkpoint.
        size: u64,
        /// Entries under a checkpoint that it signed.
        seen: u64,
    },
    /// The log does not begin with the entries that it once held.
    #[error("the ledger does not begin with the {} that it held: another log lies in its folder", base::count(*seen, "entry"))]
    Replaced {
        /// Entries under a checkpoint that it signed.
        seen: u64,
    },
    /// The bytes cannot be an entry.
    #[error("an entry has 1 to {most} bytes of text without NUL; this one has {bytes} bytes")]
    BadEntry {
        /// Bytes that came.
        bytes: usize,
        /// The limit.
        most: usize,
    },
    /// More bytes than one batch can make durable together.
    #[error("{bytes} bytes are more than one batch takes ({most}): append them in parts")]
    BatchTooLarge {
        /// Bytes that came.
        bytes: usize,
        /// The limit.
        most: usize,
    },
    /// The disk is nearly full; only entries of administrators are taken.
    #[error("the ledger is read-only because its disk is full: free space, then it goes on by itself")]
    ReadOnly,
    /// Writing failed; what is durable is known again only after opening anew.
    #[error("the ledger failed and takes nothing more: restart the node")]
    Failed,
    /// Publishing fails, and the room for entries that wait for it is used up.
    #[error("the ledger cannot publish its entries, and {bytes} bytes wait: see the state of its disk and of its key")]
    Behind {
        /// Bytes that are durable and not published.
        bytes: usize,
    },
    /// The journal was closed.
    #[error("the ledger is closed")]
    Closed,
    /// The entry exists and is under no checkpoint yet.
    #[error("entry {index} is under no checkpoint yet: publish first")]
    NotPublished {
        /// The entry.
        index: u64,
    },
}

impl Error {
    pub(super) fn io(operation: &'static str, name: &str, source: Arc<io::Error>) -> Self {
        Self::Io { operation, name: name.to_owned(), source }
    }

    /// True when the disk said that it is full.
    pub(super) fn is_full(&self) -> bool {
        let full = [io::ErrorKind::StorageFull, io::ErrorKind::QuotaExceeded];
        matches!(self, Self::Io { source, .. } if full.contains(&source.kind()))
    }

    /// What the failure means to a caller.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::InUse { .. } => ErrorKind::Conflict,
            Self::Log { source } => source.kind(),
            Self::WalDamaged { .. }
            | Self::WalGap { .. }
            | Self::ForeignLog { .. }
            | Self::RolledBack { .. }
            | Self::Replaced { .. } => ErrorKind::Corrupt,
            Self::BadEntry { .. } => ErrorKind::Invalid,
            Self::BatchTooLarge { .. } => ErrorKind::TooLarge,
            Self::NotPublished { .. } => ErrorKind::NotFound,
            Self::Io { .. } | Self::ReadOnly | Self::Failed | Self::Behind { .. } | Self::Closed => {
                ErrorKind::Unavailable
            }
        }
    }
}

impl From<ledger::Error> for Error {
    fn from(source: ledger::Error) -> Self {
        Self::Log { source: Arc::new(source) }
    }
}
