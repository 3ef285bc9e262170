//! What can go wrong beside a plain no.

use base::{DatasetId, ErrorKind, GrantId, RoleId};

/// A failure of `access`. A refusal is not one: see [`crate::Denied`].
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The store failed.
    #[error("the store failed while access was changed or read")]
    Store(#[from] store::Error),
    /// The ledger failed.
    #[error("the ledger cannot record: nothing is given until it can")]
    Ledger {
        /// The journal's own error.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A key of a person failed.
    #[error("what is personal in a record cannot be sealed")]
    Custody(#[from] custody::Error),
    /// The store is new, and the ledger beside it is not.
    #[error(
        "the store is empty, and the ledger beside it has {}: the store was lost, or `[store]` names another; put \
         it back, or read it in with `galen state import`",
        base::count(*entries, "entry")
    )]
    StoreLost {
        /// How many.
        entries: u64,
    },
    /// The store lacks a change that the ledger tells.
    #[error(
        "the store is older than the ledger beside it: it lacks the change that entry {entry} of {entries} tells; put the newest \
         store back, or, to go on without what it lacks, export this one with `galen state export` and read it into an empty \
         store with `galen state import`"
    )]
    StoreBehind {
        /// The first entry whose change is missing.
        entry: u64,
        /// How many there are.
        entries: u64,
    },
    /// The ledger lacks entries that the store knows.
    #[error(
        "the ledger was rolled back: it ends at entry {entries}, and the store beside it saw {noted}; put the newest ledger back, or \
         restore both from one backup"
    )]
    LedgerBehind {
        /// How many entries the store saw.
        noted: u64,
        /// How many there are.
        entries: u64,
    },
    /// A policy document cannot be read.
    #[error("the policy document is not usable")]
    Policy {
        /// Where and why.
        #[source]
        source: Box<policy::Error>,
    },
    /// A document is longer than its kind may be.
    #[error("the policy document has {characters} characters without white space, more than {max}")]
    DocumentTooLong {
        /// Its size.
        characters: usize,
        /// The bound.
        max: usize,
    },
    /// A dataset policy would allow everybody.
    #[error("the policy allows everybody, and public access is always blocked: name a role or a session")]
    PublicPolicy,
    /// There is no managed policy of this name.
    #[error("there is no managed policy `{name}`")]
    NoManagedPolicy {
        /// The name.
        name: String,
    },
    /// A grant without an end.
    #[error("a grant ends after it starts, within {} days: give an expiry", crate::facts::GRANT_DAYS_MAX)]
    GrantSpan,
    /// A grant without a purpose.
    #[error("a grant says its purpose in 1 to {} characters", crate::facts::PURPOSE_CHARS_MAX)]
    GrantPurpose,
    /// The scope of a grant is malformed.
    #[error(
        "a scope prefix is relative to the dataset, ends in `/` and has no `//`, `.` or `..` part: `{prefix}` does not"
    )]
    ScopePrefix {
        /// The prefix, shortened.
        prefix: String,
    },
    /// The approver may not approve.
    #[error("only a member of the owner group or of a steward group of dataset {dataset} approves its grants")]
    NotOwner {
        /// The dataset.
        dataset: DatasetId,
    },
    /// The account's policy approves only what a tool made for itself.
    #[error("dataset {dataset} is governed: a person who owns it or looks after it approves its grants")]
    NotWorkspace {
        /// The dataset.
        dataset: DatasetId,
    },
    /// The dataset has no location.
    #[error("there is no dataset {dataset}")]
    NoDataset {
        /// The dataset.
        dataset: DatasetId,
    },
    /// There is no such live grant.
    #[error("there is no live grant {grant}")]
    NoGrant {
        /// The grant.
        grant: GrantId,
    },
    /// There is no such live role.
    #[error("there is no role {role}")]
    NoRole {
        /// The role.
        role: RoleId,
    },
    /// Something else that is named does not live.
    #[error("there is no live {what} of this id")]
    Missing {
        /// What.
        what: &'static str,
    },
    /// The thing is no longer the one that was read.
    #[error("it has changed since it was read: read it again, and repeat the change with its new ETag")]
    Changed,
    /// The member is in the group already.
    #[error("the member is in the group already")]
    AlreadyMember,
    /// The member is not in the group.
    #[error("the member is not in the group")]
    NotMember,
    /// The name is taken.
    #[error("{what} `{name}` exists already")]
    Taken {
        /// What.
        what: &'static str,
        /// The name.
        name: String,
    },
    /// A value breaks a rule.
    #[error("{what} is not usable: expected {expected}")]
    Value {
        /// What.
        what: &'static str,
        /// What was expected.
        expected: &'static str,
    },
    /// A place is malformed.
    #[error(
        "a place is a bucket and a prefix that is empty or ends in `/`, without `//`, `.` or `..` parts: `{bucket}/{prefix}` is not"
    )]
    Place {
        /// The bucket.
        bucket: String,
        /// The prefix.
        prefix: String,
    },
    /// The policies and groups of a management role are part of Galen.
    #[error(
        "role `{role}` is a management role: it, its policies, its groups and its client are part of Galen; change who is in its groups"
    )]
    ManagementRole {
        /// The role.
        role: base::RoleId,
    },
    /// Nobody could make another administrator.
    #[error("they are the last administrator: make somebody else one first")]
    LastAdministrator,
    /// A place belongs to another dataset.
    #[error("`{bucket}/{prefix}` belongs to dataset {dataset}")]
    PlaceTaken {
        /// The bucket.
        bucket: String,
        /// The prefix.
        prefix: String,
        /// Whose it is.
        dataset: DatasetId,
    },
    /// A place would take objects from another dataset.
    #[error("`{bucket}/{prefix}` holds objects already: a dataset is registered on an empty prefix")]
    PlaceOccupied {
        /// The bucket.
        bucket: String,
        /// The prefix.
        prefix: String,
    },
    /// The bucket belongs to another account.
    #[error("bucket `{bucket}` belongs to another account")]
    ForeignBucket {
        /// The bucket.
        bucket: String,
    },
    /// No such decision is recorded here.
    #[error("no decision {decision} is recorded here")]
    NoDecision {
        /// The decision.
        decision: base::DecisionId,
    },
    /// A recorded decision cannot be read.
    #[error("the record of decision {decision} cannot be read: verify the ledger")]
    BadRecord {
        /// The decision.
        decision: base::DecisionId,
    },
}

impl Error {
    /// What it means to a caller.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Store(source) => source.kind(),
            Self::Custody(source) => source.kind(),
            Self::Ledger { .. } | Self::StoreLost { .. } | Self::StoreBehind { .. } | Self::LedgerBehind { .. } => {
                ErrorKind::Unavailable
            }
            Self::DocumentTooLong { .. } => ErrorKind::TooLarge,
            Self::NotOwner { .. } | Self::NotWorkspace { .. } | Self::PublicPolicy => ErrorKind::Forbidden,
            Self::NoDataset { .. }
            | Self::NoGrant { .. }
            | Self::NoRole { .. }
            | Self::Missing { .. }
            | Self::NotMember
            | Self::NoDecision { .. }
            | Self::NoManagedPolicy { .. } => ErrorKind::NotFound,
            Self::ManagementRole { .. } => ErrorKind::Forbidden,
            Self::AlreadyMember
            | Self::LastAdministrator
            | Self::Taken { .. }
            | Self::PlaceTaken { .. }
            | Self::PlaceOccupied { .. }
            | Self::ForeignBucket { .. } => ErrorKind::Conflict,
            Self::Changed => ErrorKind::PreconditionFailed,
            Self::BadRecord { .. } => ErrorKind::Corrupt,
            Self::Policy { .. }
            | Self::GrantSpan
            | Self::GrantPurpose
            | Self::ScopePrefix { .. }
            | Self::Value { .. }
            | Self::Place { .. } => ErrorKind::Invalid,
        }
    }
}

impl From<&Error> for ErrorKind {
    fn from(error: &Error) -> Self {
        error.kind()
    }
}

impl From<store::journal::Error> for Error {
    fn from(source: store::journal::Error) -> Self {
        Self::Ledger { source: Box::new(source) }
    }
}
