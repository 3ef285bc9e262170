//! Transactions: `ReadTxn` is one snapshot, `WriteTxn` one change over it. Both are concrete; the engine is below.
//!
//! It must not know which engine runs. INVARIANT: after a failed statement nothing of the change is kept, whatever
//! the closure does with the error.

mod facts;
mod outbox;
mod records;
mod sealed;
mod views;

use base::{Actor, ChangeId, Ids, Timestamp};
use std::{
    any::Any,
    cell::{Cell, RefCell},
    ops::Deref,
};
use uuid::Uuid;

pub use facts::FACTS_PER_CHANGE_MAX;
pub use outbox::{Checkpoint, EVENTS_PER_CHANGE_MAX, FeedItem, FeedPage, FeedWhat, PENDING_BYTES_MAX, PendingEntry};
pub use records::{Direction, KEY_BYTES_MAX, Record, VALUE_BYTES_MAX, prefix_end};
pub use sealed::{DOCUMENT_BYTES_MAX, SEALED_BYTES_MAX, SubjectKey};
pub use views::ROWS_PER_AGGREGATE_MAX;

pub(crate) use facts::{FACT_COLUMNS, fact_of};
pub(crate) use views::body_text;

use crate::{
    Error, Fact, Hlc, Position,
    session::{Arg, Row, Session},
    shared::{Change, Shared},
};

/// How a transaction was spoilt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Spoilt {
    /// Another writer was met: the closure runs again.
    Retry,
    /// A statement failed: the change fails.
    Failed,
}

/// One snapshot of the store.
pub struct ReadTxn<'a> {
    session: RefCell<&'a mut dyn Session>,
    pub(crate) shared: &'a Shared,
    pub(crate) hlc: Hlc,
    spoilt: Cell<Option<Spoilt>>,
}

impl<'a> ReadTxn<'a> {
    pub(crate) fn new(session: &'a mut dyn Session, shared: &'a Shared, hlc: Hlc) -> Self {
        Self { session: RefCell::new(session), shared, hlc, spoilt: Cell::new(None) }
    }

    /// The time of this transaction, fixed for its closure; in a change it is the recorded time of its facts.
    pub fn now(&self) -> Timestamp {
        self.hlc.timestamp()
    }

    pub(crate) fn spoilt(&self) -> Option<Spoilt> {
        self.spoilt.get()
    }

    pub(crate) fn spoil(&self, error: Error) -> Error {
        if self.spoilt.get().is_none() {
            self.spoilt.set(Some(if matches!(error, Error::Retry) { Spoilt::Retry } else { Spoilt::Failed }));
        }
        error
    }

    fn with<T>(&self, run: impl FnOnce(&mut dyn Session) -> Result<T, Error>) -> Result<T, Error> {
        let mut session = self.session.try_borrow_mut().map_err(|_| Error::Nested)?;
        run(&mut **session).map_err(|error| self.spoil(error))
    }

    pub(crate) fn execute(&self, sql: &'static str, args: &[Arg<'_>]) -> Result<u64, Error> {
        self.with(|session| session.execute(sql, args))
    }

    pub(crate) fn each(
        &self,
        sql: &'static str,
        args: &[Arg<'_>],
        mut each: impl FnMut(&dyn Row) -> Result<(), Error>,
    ) -> Result<(), Error> {
        self.with(|session| session.query(sql, args, &mut each))
    }

    pub(crate) fn all<T>(
        &self,
        sql: &'static str,
        args: &[Arg<'_>],
        map: impl Fn(&dyn Row) -> Result<T, Error>,
    ) -> Result<Vec<T>, Error> {
        let mut out = Vec::new();
        self.each(sql, args, |row| {
            out.push(map(row)?);
            Ok(())
        })?;
        Ok(out)
    }

    pub(crate) fn one<T>(
        &self,
        sql: &'static str,
        args: &[Arg<'_>],
        map: impl Fn(&dyn Row) -> Result<T, Error>,
    ) -> Result<Option<T>, Error> {
        let mut out = None;
        self.each(sql, args, |row| {
            out = Some(map(row)?);
            Ok(())
        })?;
        Ok(out)
    }

    pub(crate) fn integrity(&self) -> Result<Vec<String>, Error> {
        self.with(|session| session.integrity())
    }

    pub(crate) fn gate(&self) -> Result<i64, Error> {
        self.with(|session| session.gate())
    }
}

/// One change: everything that its closure writes is committed together or not at all.
pub struct WriteTxn<'a> {
    read: ReadTxn<'a>,
    change: ChangeId,
    actor: Actor,
    facts: Vec<Fact>,
    /// The next number of this region, once the turn to write facts is taken.
    seq_next: Option<i64>,
    position: Option<Position>,
    events: usize,
    pending: bool,
    erased: bool,
    held: Vec<Box<dyn Any + Send>>,
}

impl<'a> Deref for WriteTxn<'a> {
    type Target = ReadTxn<'a>;
    fn deref(&self) -> &ReadTxn<'a> {
        &self.read
    }
}

impl<'a> WriteTxn<'a> {
    pub(crate) fn new(session: &'a mut dyn Session, shared: &'a Shared, actor: Actor) -> Self {
        Self {
            read: ReadTxn::new(session, shared, shared.clock.tick()),
            change: ChangeId::from_uuid(shared.effects.uuid()),
            actor,
            facts: Vec::new(),
            seq_next: None,
            position: None,
            events: 0,
            pending: false,
            erased: false,
            held: Vec::new(),
        }
    }

    /// The id that all facts of this change share. A closure that runs again gets a new one.
    pub const fn change(&self) -> ChangeId {
        self.change
    }

    /// Who makes this change.
    pub const fn actor(&self) -> Actor {
        self.actor
    }

    /// The facts that this change has added so far.
    pub fn added(&self) -> &[Fact] {
        &self.facts
    }

    /// Keeps a value until this change is committed and the hooks have seen it, or until nothing of it can be committed any
    /// more. Its drop tells who remembers what the change writes that the store may be asked again. Where the end of a commit can
    /// stay unknown (a server that is cut off), nothing may be remembered: see [`crate::Store::sole_writer`].
    pub fn hold(&mut self, held: impl Any + Send) {
        self.held.push(Box::new(held));
    }

    /// Writes what belongs to the change as a whole; the engine calls it after the closure.
    pub(crate) fn finish(&mut self) -> Result<(), Error> {
        self.settle_turn()
    }

    pub(crate) fn into_change(self) -> Change {
        Change {
            id: self.change,
            facts: self.facts,
            position: self.position,
            pending: self.pending,
            erased: self.erased,
            _held: self.held,
        }
    }
}

pub(crate) fn uuid_of(bytes: &[u8]) -> Result<Uuid, Error> {
    Uuid::from_slice(bytes).map_err(|_| Error::Corrupt { what: "id" })
}

pub(crate) fn digest_of(bytes: &[u8]) -> Result<crypto::Sha256Digest, Error> {
    <[u8; 32]>::try_from(bytes).map(Into::into).map_err(|_| Error::Corrupt { what: "digest" })
}

pub(crate) fn whole(number: i64) -> Result<u64, Error> {
    u64::try_from(number).map_err(|_| Error::Corrupt { what: "number" })
}

/// A page size as an argument; no page is larger than [`PAGE_ROWS_MAX`].
pub(crate) fn page(limit: usize) -> Arg<'static> {
    Arg::Int(i64::try_from(limit.min(PAGE_ROWS_MAX)).unwrap_or(0))
}

/// Most rows of one page: bounds the memory of one read; larger reads go page by page or stream.
pub const PAGE_ROWS_MAX: usize = 10_000;
