//! Access: who may, decided once, recorded always, and taken away at once.
//!
//! It owns the gate (`authorize` to a `Permit`), role sessions, epochs, receipts and the neutral facts that decisions
//! need. It must not know HTTP, names of people, or how objects are stored. INVARIANT: there is no access without a
//! permit and no permit without a recorded decision; what cannot be recorded is refused.

mod access;
pub mod action;
pub mod bodies;
pub mod documents;
mod error;
pub mod facts;
#[cfg(any(test, feature = "fuzz"))]
pub mod fuzz;
mod gate;
mod index;
mod op;
pub mod permit;
pub mod rates;
mod recorder;
pub mod resource;
pub mod roles;
mod trace;
mod version;
mod visible;
pub mod why;

#[cfg(any(test, feature = "bench"))]
pub mod bench;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

pub use access::{Access, AtTheDoor, Catalogue, Deps, FRESH_WITHIN, Located, Maintenance, STREAM_FRESH_WITHIN, folds};
pub use action::{Action, Class, Need, api, s3, sts};
pub use error::Error;
pub use gate::EVALUATOR;
pub use index::MemoryReport;
pub use op::{Edge, OpContext, RequestKeys, SignatureKeys};
pub use permit::{AuditClass, Denied, DenyReason, Obligations, Outcome, Permit, Reason, Shown};
pub use recorder::{ChangeRecorder, Changed};
pub use resource::{
    AnyBucket, Bucket, DecisionTarget, DomainTarget, GrantTarget, Installation, Member, MembershipEdge, Object,
    Proposal, ResourceRef, SessionTarget,
};
pub use trace::{Door, Refusal, Trace};
pub use version::Version;
pub use visible::{Jump, Visible};

// Sessions, epochs, leases, tokens, revocation.
pub mod assume;
pub mod epoch;
pub mod lease;
pub mod receipt;
pub mod revoke;
pub mod session;
pub mod sessions;
pub mod token;

pub use epoch::{Epoch, EpochKey, Epochs};
pub use lease::{Ended, Lease, LeaseKey, LeaseScope, Leases, Part};
pub use session::{
    AccessKeyId, Ancestor, AuthPosition, Carry, Federated, Session, SessionKind, SessionName, SessionPolicy, Tag,
};
pub use sessions::{Issued, Reject, SessionDeps, Sessions};
