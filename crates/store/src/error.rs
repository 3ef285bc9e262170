//! What can go wrong in the store, and what each failure means to a caller.
//!
//! It must not know what the facts mean. A message says what, where and what to do.

use base::{ErrorKind, Timestamp};
use std::{path::PathBuf, sync::Arc};

/// The failure underneath, as the engine or the operating system gave it; shared because one failed COMMIT
/// is reported to every closure of its batch.
pub type Cause = Arc<dyn std::error::Error + Send + Sync>;

/// A fold met facts that it cannot fold.
#[derive(Clone, Debug, thiserror::Error)]
#[error("fact {fact} cannot be folded: expected {expected}")]
pub struct FoldError {
    /// The offending fact.
    pub fact: base::FactId,
    /// What the fold expected.
    pub expected: &'static str,
}

/// A failure of the store.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// A statement failed in the engine.
    #[error("the store's engine failed while {doing}")]
    Engine {
        /// What was being done.
        doing: &'static str,
        /// The engine's own error.
        #[source]
        source: Cause,
    },
    /// A file operation failed.
    #[error("cannot {doing} `{}`", path.display())]
    Io {
        /// What was being done.
        doing: &'static str,
        /// Where.
        path: PathBuf,
        /// The operating system's error.
        #[source]
        source: Cause,
    },
    /// The stored bytes are torn or are not a store.
    #[error(
        "the store `{place}` is torn or is not a Galen store ({what}): keep a copy of it, then restore the last backup or import an export of the facts into a new store"
    )]
    Torn {
        /// The directory or database.
        place: String,
        /// What was found.
        what: String,
    },
    /// The store was migrated by a newer Galen.
    #[error("the store has schema {store} but this Galen knows only {binary}: start the newer Galen that wrote it")]
    NewerSchema {
        /// The store's newest migration.
        store: i64,
        /// This program's newest migration.
        binary: i64,
    },
    /// A migration in the store is not the one in this program.
    #[error(
        "migration {number} of the store differs from the one in this Galen: start the Galen that wrote the store, and report this"
    )]
    ForeignSchema {
        /// The migration's number.
        number: i64,
    },
    /// The store was last used by an older Galen, and was opened only to be read.
    #[error(
        "the store was last used by an older Galen ({what}): start this one's server once, which brings it up to date"
    )]
    Outdated {
        /// What is old.
        what: String,
    },
    /// The store was opened only to be read.
    #[error("the store was opened only to be read")]
    ReadOnly,
    /// The wall clock is behind the newest fact by more than the bound.
    #[error(
        "the clock says {now}, which is more than {bound_secs} s behind the newest fact ({newest}): correct the clock and start again"
    )]
    ClockBehind {
        /// The wall clock.
        now: Timestamp,
        /// The time of the newest fact.
        newest: Timestamp,
        /// The bound that is exceeded, in seconds.
        bound_secs: u64,
    },
    /// Another process has the directory open.
    #[error("the store `{}` is in use by another process: stop that process first", dir.display())]
    InUse {
        /// The directory.
        dir: PathBuf,
    },
    /// The closure panicked; nothing of it was kept.
    #[error("a change panicked and was rolled back; this is a defect, please report it")]
    ClosurePanicked,
    /// COMMIT failed; nothing of the batch was kept.
    #[error("the commit failed and nothing was changed")]
    CommitFailed {
        /// The engine's own error.
        #[source]
        source: Cause,
    },
    /// The connection broke during COMMIT: the change may be stored or not.
    #[error("the connection broke during the commit: read again to learn whether the change is stored")]
    CommitUnknown {
        /// The engine's own error.
        #[source]
        source: Cause,
    },
    /// Every attempt met another writer.
    #[error("the change met other writers {attempts} times: retry later")]
    Contention {
        /// How often it was tried.
        attempts: u32,
    },
    /// The attempt met another writer and runs again; never leaves the store unless a closure keeps it.
    #[error("the change met another writer and runs again")]
    Retry,
    /// The closure went on after a statement had failed.
    #[error("a statement of the change failed and the change was rolled back")]
    StatementFailed,
    /// Facts do not fold.
    #[error("view `{view}` cannot fold aggregate `{aggregate}`")]
    Fold {
        /// The view.
        view: &'static str,
        /// The aggregate.
        aggregate: String,
        /// Why.
        #[source]
        source: FoldError,
    },
    /// The body has no canonical form.
    #[error("the body of fact kind `{kind}` has no canonical JSON form")]
    NotCanonical {
        /// The fact's kind.
        kind: String,
    },
    /// Something is larger than its limit.
    #[error("{what} has {bytes} bytes, more than {max}")]
    TooLarge {
        /// What.
        what: &'static str,
        /// Its size.
        bytes: usize,
        /// The limit.
        max: usize,
    },
    /// A change holds too many of something.
    #[error("one change holds more than {max} {what}: split it")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// The limit.
        max: usize,
    },
    /// No view of this name was given to `Store::open`.
    #[error("there is no view `{view}` in this process")]
    UnknownView {
        /// The name.
        view: String,
    },
    /// Another process has swapped or added a view that this one does not fold.
    #[error("view `{view}` is kept by another version of Galen: stop this process and start that version")]
    ViewMoved {
        /// The view.
        view: String,
    },
    /// A document is not what its digest says.
    #[error("the document does not have the digest {digest}")]
    DocumentDigest {
        /// The digest asked for.
        digest: crypto::Sha256Digest,
    },
    /// A stored value does not parse.
    #[error("a stored {what} does not parse: run `galen state verify`")]
    Corrupt {
        /// What.
        what: &'static str,
    },
    /// A hook failed, so memory may be behind the store: the process must restart.
    #[error("a part of this process could not follow a change: restart the process")]
    Halted,
    /// The store is closed.
    #[error("the store is closed")]
    Closed,
    /// A streaming read called the transaction again.
    #[error("a streaming read cannot start another statement")]
    Nested,
    /// An import needs an empty store.
    #[error("the store already holds facts: import into an empty store")]
    NotEmpty,
    /// An import was broken off.
    #[error("an import into this store was broken off: remove the store and import into a new one")]
    ImportUnfinished,
    /// Reading or writing the export failed.
    #[error("cannot {doing} the export")]
    Transfer {
        /// What was being done.
        doing: &'static str,
        /// The operating system's error.
        #[source]
        source: Cause,
    },
    /// The export cannot be read.
    #[error("line {line} of the export is not what was written: expected {expected}")]
    BadExport {
        /// The line, from 1.
        line: u64,
        /// What was expected there.
        expected: &'static str,
    },
    /// The export holds keys that only another installation can open.
    #[error(
        "the export is of a whole store whose personal keys are wrapped by key `{key}`, which this installation's key token does not have: copy the keys of the old installation first"
    )]
    ForeignSeal {
        /// The key that wraps the keys of people.
        key: String,
    },
    /// A value in the options cannot be used.
    #[error("the store's option `{option}` is not usable: expected {expected}")]
    BadOption {
        /// The option.
        option: &'static str,
        /// What was expected.
        expected: &'static str,
    },
}

impl Error {
    /// What the failure means to a caller.
    pub const fn kind(&self) -> ErrorKind {
        match self {
            Self::Engine { .. }
            | Self::Io { .. }
            | Self::Transfer { .. }
            | Self::CommitFailed { .. }
            | Self::CommitUnknown { .. } => ErrorKind::Unavailable,
            Self::InUse { .. } | Self::Outdated { .. } | Self::ClockBehind { .. } | Self::Halted | Self::Closed => {
                ErrorKind::Unavailable
            }
            Self::NewerSchema { .. } | Self::ForeignSchema { .. } | Self::ViewMoved { .. } => ErrorKind::Unavailable,
            Self::Torn { .. } | Self::ImportUnfinished | Self::Corrupt { .. } | Self::Fold { .. } => ErrorKind::Corrupt,
            Self::Contention { .. } | Self::Retry | Self::NotEmpty => ErrorKind::Conflict,
            Self::NotCanonical { .. } | Self::BadExport { .. } | Self::ForeignSeal { .. } | Self::BadOption { .. } => {
                ErrorKind::Invalid
            }
            Self::TooLarge { .. } | Self::TooMany { .. } => ErrorKind::TooLarge,
            Self::DocumentDigest { .. } => ErrorKind::Corrupt,
            Self::ClosurePanicked
            | Self::StatementFailed
            | Self::UnknownView { .. }
            | Self::Nested
            | Self::ReadOnly => ErrorKind::Internal,
        }
    }

    pub(crate) fn io(doing: &'static str, path: &std::path::Path, source: std::io::Error) -> Self {
        Self::Io { doing, path: path.to_owned(), source: Arc::new(source) }
    }
}
