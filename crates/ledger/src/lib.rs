//! The audit ledger as bytes: a C2SP tlog-tiles log of CloudTrail-shaped entries, its checkpoints and proofs, and
//! the replay that finds any altered byte.
//!
//! Pure: bytes in, bytes out. It opens no file, reads no clock and holds no key; the journal of `store` writes what
//! is computed here, and custody signs. The formats are those of c2sp.org (tlog-tiles, tlog-checkpoint, signed-note,
//! tlog-proof), so that tools which are not Galen's can verify a log.
//! INVARIANT: an entry holds ids and salted commitments, never a personal attribute in clear.

mod bundle;
mod checkpoint;
mod denials;
mod entry;
mod error;
mod files;
#[cfg(any(test, feature = "fuzz"))]
pub mod fuzz;
mod intents;
pub mod layout;
mod proof;
mod publish;
mod tree;
pub mod verify;
pub mod wal;
mod windows;

pub use bundle::{BUNDLE_ENTRIES, Bundle, RAW_ENTRY_BYTES_MAX, push_entry};
pub use checkpoint::{CheckpointSigner, LogKey, Origin, SignWith, TreeHead, VerifiedCheckpoint};
pub use denials::{DenialCounter, FLOOD_SESSIONS_MAX, FLOOD_SOURCES_MAX, Sender};
pub use entry::{
    AuditClass, Change, Data, Decision, DenialCount, Document, ENTRY_BYTES_MAX, EVENT_VERSION, Effect, Entry,
    EventType, IdentityKind, Outcome, Phase, Resource, Sealed, Shown, Status, UserIdentity, Why, Window,
};
pub use error::{Error, SignerError};
pub use files::{LogFiles, MemoryFiles};
pub use intents::{OPEN_INTENTS_MAX, OpenIntent, OpenIntents};
pub use proof::{TlogProof, check_consistency, check_inclusion, prove_consistency, prove_inclusion};
pub use publish::{KEEP_CHECKPOINT_EVERY, LogBuilder, Publication};
pub use tree::{HashTile, Tree, leaf_hash, node_hash};
pub use windows::{Admission, READ_WINDOW_SECS, READ_WINDOWS_MAX, ReadWindows};

#[cfg(test)]
mod tests;
