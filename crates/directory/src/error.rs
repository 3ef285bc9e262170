//! What the directory refuses, and why.

use base::{ApprovalId, BadName, ErrorKind, PersonId, Timestamp};

/// A refused or failed operation of the directory.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A name is malformed.
    #[error("{source}")]
    BadName {
        /// What was expected.
        source: BadName,
    },
    /// There is no such thing.
    #[error("there is no {what} `{name}`")]
    NotFound {
        /// What kind of thing.
        what: &'static str,
        /// Its id or name, as it was asked for.
        name: String,
    },
    /// The user name belongs to somebody.
    #[error("the user name is taken: choose another")]
    UsernameTaken,
    /// The mail address belongs to somebody.
    #[error("the mail address is another person's: give each their own, or change the other one's first")]
    EmailTaken,
    /// The source identity is or was somebody's.
    #[error("the source identity is or was somebody's, and is never given twice: choose another")]
    HandleTaken,
    /// A live group has this name.
    #[error("a group named `{name}` exists")]
    GroupNameTaken {
        /// The name.
        name: String,
    },
    /// A live client has this id.
    #[error("a client `{client_id}` exists")]
    ClientTaken {
        /// The client id.
        client_id: String,
    },
    /// The client's registration is unsound.
    #[error("the client cannot be registered: {reason}")]
    BadClient {
        /// What is wrong.
        reason: &'static str,
    },
    /// A redirect URI cannot be registered.
    #[error("{source}")]
    BadRedirect {
        /// What is wrong.
        source: protocols::oidc::BadRedirect,
    },
    /// The person cannot be used for this in their present state.
    #[error("person `{person}` is {status}")]
    NotActive {
        /// Who.
        person: PersonId,
        /// `deactivated`, `erased` or `active`.
        status: &'static str,
    },
    /// The group has ended.
    #[error("group `{name}` has ended")]
    GroupEnded {
        /// Its name.
        name: String,
    },
    /// A password breaks the length rule.
    #[error("the password has {}: expected {min} to {max}", base::count(*chars, "character"))]
    BadPassword {
        /// Characters given.
        chars: usize,
        /// Fewest.
        min: usize,
        /// Most.
        max: usize,
    },
    /// The user name or the password is wrong, or the person may not sign in.
    #[error("the user name or password is wrong")]
    WrongCredentials,
    /// The password is right, and known to who enrolled the person.
    #[error("the password was chosen by somebody else: choose an own one first")]
    FirstPassword,
    /// The new password is the old one.
    #[error("the new password is the old one: choose another")]
    SamePassword,
    /// Too many failures in a short time.
    #[error("too many failed attempts: sign-in with this user name is locked until {until}")]
    Locked {
        /// When it opens again.
        until: Timestamp,
    },
    /// More sign-ins at once than can be checked.
    #[error("too many sign-ins at once: try again in a few seconds")]
    Busy,
    /// A change with two approvals needs a person with a session on both sides.
    #[error("a change that needs two approvals is asked for and approved by people who are signed in, not by machines")]
    ApproverNotAPerson,
    /// The second approval comes from the first approver.
    #[error("the second approval must come from another person, in another session, than the first")]
    SameApprover,
    /// The change concerns who asks for it or approves it.
    #[error("nobody asks for or approves a change that concerns themself: two other people do")]
    OwnCase,
    /// Nothing with this id waits.
    #[error("no change `{approval}` is waiting: it was decided, or its time is over; ask for it again")]
    NoApproval {
        /// The approval that was named.
        approval: ApprovalId,
    },
    /// Nobody decides what is asked for.
    #[error("{max} changes wait for approval, the most there may be: approve or refuse some first")]
    TooManyWaiting {
        /// The bound.
        max: usize,
    },
    /// Whom or what it concerns is called otherwise than when it was asked for, or a service has another owner.
    #[error("who or what it concerns was renamed since it was asked for: refuse it, and ask again")]
    RenamedMeanwhile,
    /// Who asked for it has lost since then what they asked with.
    #[error("what `{person}` asked with was cut or taken away since: refuse it, and ask again")]
    RequesterCut {
        /// Who asked.
        person: PersonId,
    },
    /// One of Galen's own clients is what it is.
    #[error("client `{client_id}` is part of Galen and cannot be changed or ended")]
    OwnClient {
        /// The client id.
        client_id: String,
    },
    /// A group that ends would leave data without anybody who may grant or end it.
    #[error("group `{name}` owns or looks after datasets: give them to another group first")]
    OwnsData {
        /// Its name.
        name: String,
    },
    /// What is known here is older than the bound, and newer cannot be had.
    #[error("the state here is older than the bound: retry later")]
    Stale,
    /// Two changes of one person met.
    #[error("person `{person}` was changed at the same time: read it again and retry")]
    ChangedMeanwhile {
        /// Who.
        person: PersonId,
    },
    /// A stored row is not what this crate writes.
    #[error("a stored {what} is damaged: run `galen state verify`")]
    Damaged {
        /// What kind of row.
        what: &'static str,
    },
    /// The password hash could not be computed.
    #[error("the password could not be hashed")]
    Hashing,
    /// `access` refused a membership or a trust anchor, or could not record.
    #[error("{source}")]
    Access {
        /// Why.
        source: access::Error,
    },
    /// Custody failed.
    #[error("keys could not be used")]
    Custody {
        /// Why.
        #[source]
        source: custody::Error,
    },
    /// The store failed.
    #[error("the store failed")]
    Store {
        /// Why.
        #[source]
        source: store::Error,
    },
}

impl Error {
    /// What the failure means to a caller.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::BadName { .. }
            | Self::BadClient { .. }
            | Self::BadRedirect { .. }
            | Self::BadPassword { .. }
            | Self::SamePassword => ErrorKind::Invalid,
            Self::NotFound { .. } | Self::NoApproval { .. } => ErrorKind::NotFound,
            Self::UsernameTaken
            | Self::EmailTaken
            | Self::HandleTaken
            | Self::GroupNameTaken { .. }
            | Self::ClientTaken { .. }
            | Self::NotActive { .. }
            | Self::GroupEnded { .. }
            | Self::OwnsData { .. }
            | Self::RenamedMeanwhile
            | Self::RequesterCut { .. }
            | Self::ChangedMeanwhile { .. } => ErrorKind::Conflict,
            Self::WrongCredentials | Self::FirstPassword => ErrorKind::Unauthenticated,
            Self::Locked { .. } | Self::Busy | Self::TooManyWaiting { .. } => ErrorKind::RateLimited,
            Self::Stale => ErrorKind::Unavailable,
            Self::ApproverNotAPerson | Self::SameApprover | Self::OwnCase | Self::OwnClient { .. } => {
                ErrorKind::Forbidden
            }
            Self::Damaged { .. } => ErrorKind::Corrupt,
            Self::Hashing => ErrorKind::Internal,
            Self::Access { source } => source.kind(),
            Self::Custody { source } => source.kind(),
            Self::Store { source } => source.kind(),
        }
    }
}

impl From<store::Error> for Error {
    fn from(source: store::Error) -> Self {
        Self::Store { source }
    }
}

impl From<access::Error> for Error {
    fn from(source: access::Error) -> Self {
        Self::Access { source }
    }
}

impl From<custody::Error> for Error {
    fn from(source: custody::Error) -> Self {
        Self::Custody { source }
    }
}

impl From<BadName> for Error {
    fn from(source: BadName) -> Self {
        Self::BadName { source }
    }
}

impl From<&Error> for ErrorKind {
    fn from(error: &Error) -> Self {
        error.kind()
    }
}
