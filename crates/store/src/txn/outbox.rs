//! The outbox, which is the feed, and what the ledger needs of each change: pending entries and the last checkpoint.
//!
//! INVARIANT: an event or a pending entry is there exactly if its change is.

use base::{ChangeId, Ids, NodeId, Timestamp};
use uuid::Uuid;

use super::{FACT_COLUMNS, ReadTxn, WriteTxn, fact_of, facts::bounded, page, uuid_of, whole};
use crate::{
    Error, Fact, NewFact, Position,
    fact::timestamp,
    session::{Arg, Row},
};

/// Most events of one change: as for facts.
pub const EVENTS_PER_CHANGE_MAX: usize = 4096;
/// Largest pending entry: a ledger entry has at most 65,535 bytes (C2SP tlog-tiles).
pub const PENDING_BYTES_MAX: usize = 65_535;

/// One item of the feed.
#[derive(Clone, Debug, PartialEq)]
pub struct FeedItem {
    /// Where it stands; the cursor to go on after it.
    pub position: Position,
    /// The change that wrote it.
    pub change: ChangeId,
    /// When.
    pub at: Timestamp,
    /// What.
    pub what: FeedWhat,
}

/// A fact, or an event that a change put into the outbox.
#[derive(Clone, Debug, PartialEq)]
pub enum FeedWhat {
    /// A fact.
    Fact(Box<Fact>),
    /// An event.
    Event {
        /// Its id, for receivers that deduplicate.
        id: Uuid,
        /// Its kind.
        kind: String,
        /// Its content.
        body: serde_json::Value,
    },
}

/// One page of the feed.
#[derive(Clone, Debug, PartialEq)]
pub struct FeedPage {
    /// The items in feed order.
    pub items: Vec<FeedItem>,
    /// The cursor for the next page.
    pub next: Position,
    /// The store's time when the page was read: everything before it that is not on a page was not committed yet.
    pub as_of: Timestamp,
    /// Whether committed items wait behind a change that began before them. If it stays so for seconds, something holds
    /// the gate (a stuck transaction on the PostgreSQL server), and its owner raises an alarm.
    pub held: bool,
}

/// A ledger entry that must be appended because of this change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PendingEntry {
    /// The fact's or the decision's id, by which it is deduplicated.
    pub id: Uuid,
    /// The entry.
    pub bytes: Vec<u8>,
}

/// The ledger's state as a node last saw it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Entries in the log.
    pub size: u64,
    /// The signed checkpoint.
    pub note: Vec<u8>,
}

fn item_of(row: &dyn Row) -> Result<FeedItem, Error> {
    let event = row.blob_opt(17)?;
    let what = match event {
        None => FeedWhat::Fact(Box::new(fact_of(row)?)),
        Some(id) => FeedWhat::Event {
            id: uuid_of(id)?,
            kind: row.text(18)?.to_owned(),
            body: serde_json::from_str(row.text(19)?).map_err(|_| Error::Corrupt { what: "event" })?,
        },
    };
    Ok(FeedItem {
        position: Position { xid: row.int(13)?, pos: row.int(14)? },
        change: ChangeId::from_uuid(uuid_of(row.blob(15)?)?),
        at: timestamp(row.int(16)?),
        what,
    })
}

impl ReadTxn<'_> {
    /// Facts and events after a position, at most `limit`, in feed order. A reader that goes on from `next` misses
    /// nothing and sees nothing twice.
    pub fn feed(&self, after: Position, limit: usize) -> Result<FeedPage, Error> {
        let sql = concat!(
            "SELECT ",
            FACT_COLUMNS!(),
            ", o.xid, o.pos, o.change, o.at, o.event, o.kind, o.body FROM outbox o LEFT JOIN facts f ON f.id = o.fact \
             WHERE (o.xid, o.pos) > ($1, $2) AND o.xid < $3 ORDER BY o.xid, o.pos LIMIT $4"
        );
        let gate = self.gate()?;
        let items = self.all(sql, &[Arg::Int(after.xid), Arg::Int(after.pos), Arg::Int(gate), page(limit)], item_of)?;
        let next = items.last().map_or(after, |item| item.position);
        let behind = "SELECT pos FROM outbox WHERE xid >= $1 LIMIT 1";
        let held = self.one(behind, &[Arg::Int(gate)], |row| row.int(0))?.is_some();
        Ok(FeedPage { items, next, as_of: self.now(), held })
    }

    /// The facts of this region after number `seq`, each with its place in the feed.
    pub(crate) fn facts_after(&self, seq: u64, limit: usize) -> Result<Vec<(Fact, Position)>, Error> {
        let sql = concat!(
            "SELECT ",
            FACT_COLUMNS!(),
            ", o.xid, o.pos FROM facts f JOIN outbox o ON o.fact = f.id \
             WHERE f.origin = $1 AND f.seq > $2 ORDER BY f.seq LIMIT $3"
        );
        let seq = i64::try_from(seq).unwrap_or(i64::MAX);
        let args = [Arg::Text(self.shared.region.as_str()), Arg::Int(seq), page(limit)];
        self.all(sql, &args, |row| Ok((fact_of(row)?, Position { xid: row.int(13)?, pos: row.int(14)? })))
    }

    /// The number of the newest fact of this region; 0 before the first.
    pub fn newest_seq(&self) -> Result<u64, Error> {
        let sql = "SELECT seq FROM origins WHERE region = $1";
        let seq = self.one(sql, &[Arg::Text(self.shared.region.as_str())], |row| whole(row.int(0)?))?;
        Ok(seq.unwrap_or(0))
    }

    /// This node's oldest pending ledger entries, in the order in which they were made.
    pub fn pending_page(&self, limit: usize) -> Result<Vec<PendingEntry>, Error> {
        let sql = "SELECT id, bytes FROM pending WHERE node = $1 ORDER BY n LIMIT $2";
        let args = [Arg::Blob(self.shared.node.bytes()), page(limit)];
        self.all(sql, &args, |row| Ok(PendingEntry { id: uuid_of(row.blob(0)?)?, bytes: row.blob(1)?.to_vec() }))
    }

    /// Whether this entry waits.
    pub fn is_pending(&self, id: Uuid) -> Result<bool, Error> {
        let found = self.one("SELECT 1 FROM pending WHERE id = $1", &[Arg::Blob(id.as_bytes())], |_| Ok(()))?;
        Ok(found.is_some())
    }

    /// The newest checkpoint that a node has stored.
    pub fn checkpoint(&self, node: NodeId) -> Result<Option<Checkpoint>, Error> {
        let sql = "SELECT size, note FROM checkpoints WHERE node = $1";
        self.one(sql, &[Arg::Blob(node.bytes())], |row| {
            Ok(Checkpoint { size: whole(row.int(0)?)?, note: row.blob(1)?.to_vec() })
        })
    }
}

impl WriteTxn<'_> {
    pub(super) fn outbox_fact(&mut self, fact: &Fact) -> Result<(), Error> {
        let sql = "INSERT INTO outbox (fact, change, at) VALUES ($1, $2, $3) RETURNING xid, pos";
        let args = [Arg::Blob(fact.id.bytes()), Arg::Blob(fact.change.bytes()), Arg::Int(fact.recorded.micros())];
        self.outboxed(sql, &args)
    }

    fn outboxed(&mut self, sql: &'static str, args: &[Arg<'_>]) -> Result<(), Error> {
        let position = self.one(sql, args, |row| Ok(Position { xid: row.int(0)?, pos: row.int(1)? }))?;
        self.position = position.or(self.position);
        Ok(())
    }

    /// Puts an event into the outbox.
    pub fn outbox(&mut self, kind: &'static str, body: &serde_json::Value) -> Result<(), Error> {
        if self.events >= EVENTS_PER_CHANGE_MAX {
            return Err(Error::TooMany { what: "events", max: EVENTS_PER_CHANGE_MAX });
        }
        let text = base::canonical::to_string(body).map_err(|_| Error::NotCanonical { kind: kind.to_owned() })?;
        bounded("event", text.len(), NewFact::BODY_BYTES_MAX)?;
        let event = self.shared.effects.uuid();
        let change = self.change;
        let sql = "INSERT INTO outbox (event, kind, body, change, at) VALUES ($1, $2, $3, $4, $5) RETURNING xid, pos";
        let args = [
            Arg::Blob(event.as_bytes()),
            Arg::Text(kind),
            Arg::Text(&text),
            Arg::Blob(change.bytes()),
            Arg::Int(self.hlc.micros()),
        ];
        self.events += 1;
        self.outboxed(sql, &args)
    }

    /// Leaves a ledger entry to be appended after the commit by this node's relay; the same id again changes nothing.
    pub fn pending(&mut self, entry: &PendingEntry) -> Result<(), Error> {
        bounded("pending entry", entry.bytes.len(), PENDING_BYTES_MAX)?;
        let sql = "INSERT INTO pending (id, node, bytes) VALUES ($1, $2, $3) ON CONFLICT (id) DO NOTHING";
        let args = [Arg::Blob(entry.id.as_bytes()), Arg::Blob(self.shared.node.bytes()), Arg::Blob(&entry.bytes)];
        self.execute(sql, &args)?;
        self.pending = true;
        Ok(())
    }

    /// Forgets pending entries that are in the ledger now.
    pub fn pending_done(&mut self, ids: &[Uuid]) -> Result<(), Error> {
        for id in ids {
            self.execute("DELETE FROM pending WHERE id = $1", &[Arg::Blob(id.as_bytes())])?;
        }
        Ok(())
    }

    /// Remembers a checkpoint of this node's ledger, unless a newer one is remembered.
    pub fn checkpoint_put(&mut self, seen: &Checkpoint) -> Result<(), Error> {
        let size = i64::try_from(seen.size).unwrap_or(i64::MAX);
        let sql = "INSERT INTO checkpoints (node, size, note, at) VALUES ($1, $2, $3, $4) ON CONFLICT (node) \
                   DO UPDATE SET size = excluded.size, note = excluded.note, at = excluded.at WHERE checkpoints.size < excluded.size";
        let node = Arg::Blob(self.shared.node.bytes());
        self.execute(sql, &[node, Arg::Int(size), Arg::Blob(&seen.note), Arg::Int(self.hlc.micros())]).map(drop)
    }
}
