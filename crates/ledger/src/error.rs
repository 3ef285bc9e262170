//! What can be wrong with the bytes of a log.

use base::ErrorKind;

/// A malformed, altered or over-long piece of a log.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// An entry is longer than its limit.
    #[error("the entry has {bytes} bytes, at most {most} are allowed")]
    EntryTooLarge {
        /// Bytes of the entry.
        bytes: usize,
        /// The limit.
        most: usize,
    },
    /// An entry cannot be written as JSON.
    #[error("the entry cannot be written as JSON")]
    EntryUnwritable {
        /// What the writer said.
        #[source]
        source: serde_json::Error,
    },
    /// Bytes are not an entry.
    #[error("the bytes are not a ledger entry")]
    EntryUnreadable {
        /// What the parser said.
        #[source]
        source: serde_json::Error,
    },
    /// An entry bundle breaks the format of c2sp.org/tlog-tiles.
    #[error("the entry bundle is malformed at offset {offset}")]
    BadBundle {
        /// Where in the bundle.
        offset: usize,
    },
    /// A name cannot identify a log.
    #[error("`{origin}` cannot name a log: expected 1 to 200 bytes without spaces, control characters and `+`")]
    BadOrigin {
        /// What came.
        origin: String,
    },
    /// A verifier key breaks the format of c2sp.org/signed-note.
    #[error("the log key is not of the form NAME+ID+KEY with an Ed25519 key")]
    BadLogKey,
    /// A checkpoint breaks the formats of c2sp.org/tlog-checkpoint and c2sp.org/signed-note.
    #[error("the checkpoint is malformed")]
    BadCheckpoint,
    /// No trusted key has signed the checkpoint, or a signature is wrong.
    #[error("the checkpoint carries no valid signature of a trusted log key")]
    Unsigned,
    /// Custody did not sign.
    #[error("the checkpoint could not be signed")]
    Signing {
        /// What the signer said.
        #[source]
        source: SignerError,
    },
    /// A proof breaks the format of c2sp.org/tlog-proof.
    #[error("the proof is malformed at line {line}")]
    BadProof {
        /// The line, from 1.
        line: usize,
    },
    /// A proof is well formed and does not prove what is claimed.
    #[error("the proof does not lead to the root of the checkpoint")]
    NotProven,
    /// An index or size lies outside the tree.
    #[error("{index} lies outside a log of {}", base::count(*size, "entry"))]
    OutsideTree {
        /// The index or size that was asked for.
        index: u64,
        /// Entries of the log.
        size: u64,
    },
    /// A file that the log must have is not there.
    #[error("`{name}` is missing")]
    FileMissing {
        /// Name inside the log directory.
        name: String,
    },
    /// A file cannot be read.
    #[error("`{name}` cannot be read")]
    FileUnreadable {
        /// Name inside the log directory.
        name: String,
        /// What the operating system said.
        #[source]
        source: std::io::Error,
    },
    /// A tile has another size or other hashes than the tree needs.
    #[error("the tile `{name}` does not belong to this tree")]
    BadTile {
        /// Name inside the log directory.
        name: String,
    },
    /// More intents are open than can be tracked.
    #[error("{most} intents are open: refuse new accesses until some are closed")]
    TooManyOpen {
        /// The limit.
        most: usize,
    },
}

/// What a signer says when it cannot sign.
pub type SignerError = Box<dyn std::error::Error + Send + Sync>;

impl Error {
    /// What the failure means to a caller.
    pub const fn kind(&self) -> ErrorKind {
        match self {
            Self::EntryTooLarge { .. } => ErrorKind::TooLarge,
            Self::EntryUnwritable { .. } => ErrorKind::Internal,
            Self::BadOrigin { .. } | Self::BadLogKey | Self::BadProof { .. } | Self::NotProven => ErrorKind::Invalid,
            Self::OutsideTree { .. } => ErrorKind::NotFound,
            Self::Signing { .. } | Self::FileUnreadable { .. } | Self::TooManyOpen { .. } => ErrorKind::Unavailable,
            Self::EntryUnreadable { .. }
            | Self::BadBundle { .. }
            | Self::BadCheckpoint
            | Self::Unsigned
            | Self::FileMissing { .. }
            | Self::BadTile { .. } => ErrorKind::Corrupt,
        }
    }
}
