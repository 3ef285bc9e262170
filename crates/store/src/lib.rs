//! State: facts, the views folded from them, records, sealed rows, the outbox and pending ledger entries, on SQLite or
//! PostgreSQL 18 behind one port.
//!
//! It must not know what a fact, a view or a record means, and it holds no key. INVARIANT: what a closure of
//! [`Store::write`] wrote is committed together or not at all, and after the answer it survives a crash.

mod calm;
mod clock;
#[cfg(any(test, feature = "conformance"))]
pub mod conformance;
mod error;
mod fact;
mod fold;
mod job;
pub mod journal;
mod open;
mod pg;
mod schema;
mod session;
mod shared;
mod sqlite;
mod store;
mod transfer;
mod txn;
mod verify;

pub use error::{Cause, Error, FoldError};
pub use fact::{Fact, Hlc, Interval, NewFact, Position, winner};
pub use fold::{Fold, Lookup, ViewRow, ViewRowRef, ViewedRow};
pub use job::Committed;
pub use shared::CommitHook;
pub use store::{Backend, Options, Store};
pub use transfer::{ExportHeader, Scope};
pub use txn::{
    Checkpoint, DOCUMENT_BYTES_MAX, Direction, EVENTS_PER_CHANGE_MAX, FACTS_PER_CHANGE_MAX, FeedItem, FeedPage,
    FeedWhat, KEY_BYTES_MAX, PAGE_ROWS_MAX, PENDING_BYTES_MAX, PendingEntry, ROWS_PER_AGGREGATE_MAX, ReadTxn, Record,
    SEALED_BYTES_MAX, SubjectKey, VALUE_BYTES_MAX, WriteTxn, prefix_end,
};
pub use verify::{Problem, Report, ViewReport};

#[cfg(test)]
mod tests;
