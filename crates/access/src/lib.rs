//! Access: who may, decided once, recorded always, and taken away at once.

pub mod epoch;
pub mod lease;
pub mod session;
pub mod token;

pub use epoch::{Epoch, EpochKey, Epochs};
pub use lease::{Ended, Lease, LeaseKey, LeaseScope, Leases};
pub use session::{
    AccessKeyId, Ancestor, AuthPosition, Carry, Federated, Session, SessionKind, SessionName, SessionPolicy, Tag,
};
