//! Reading and adding facts.
//!
//! INVARIANT: a fact and the view rows that follow from it are written by the same change.

use base::{FactId, Timestamp};
use uuid::{Builder, Uuid};

use super::{ReadTxn, WriteTxn, digest_of, uuid_of, whole};
use crate::{
    Error, Fact, Hlc, NewFact, Position,
    fact::{parse_actor, timestamp},
    session::{Arg, Row},
};

/// Most facts of one change: bounds a transaction; bulk loads are many changes.
pub const FACTS_PER_CHANGE_MAX: usize = 4096;

/// The columns that [`fact_of`] reads, in its order.
macro_rules! fact_columns {
    () => {
        "f.id, f.origin, f.seq, f.kind, f.subject, f.body, f.digest, f.actor, f.reason, f.valid_from, f.valid_to, f.hlc, f.change"
    };
}
pub(crate) use fact_columns as FACT_COLUMNS;

/// The fact in a row that begins with [`FACT_COLUMNS`].
pub(crate) fn fact_of(row: &dyn Row) -> Result<Fact, Error> {
    Ok(Fact {
        id: FactId::from_uuid(uuid_of(row.blob(0)?)?),
        origin: row.text(1)?.parse().map_err(|_| Error::Corrupt { what: "region" })?,
        seq: whole(row.int(2)?)?,
        kind: row.text(3)?.to_owned(),
        subject: uuid_of(row.blob(4)?)?,
        body: serde_json::from_str(row.text(5)?).map_err(|_| Error::Corrupt { what: "fact body" })?,
        digest: digest_of(row.blob(6)?)?,
        actor: parse_actor(row.text(7)?)?,
        reason: row.text_opt(8)?.map(str::to_owned),
        valid_from: timestamp(row.int(9)?),
        valid_to: row.int_opt(10)?.map(timestamp),
        recorded: Hlc::from_micros(row.int(11)?),
        change: base::ChangeId::from_uuid(uuid_of(row.blob(12)?)?),
    })
}

impl ReadTxn<'_> {
    /// All facts about `subject`, in (recorded, origin, id) order.
    pub fn facts_of(&self, subject: Uuid) -> Result<Vec<Fact>, Error> {
        let sql =
            concat!("SELECT ", FACT_COLUMNS!(), " FROM facts f WHERE f.subject = $1 ORDER BY f.hlc, f.origin, f.id");
        self.all(sql, &[Arg::Blob(subject.as_bytes())], fact_of)
    }

    /// The newest fact about `subject`, in the order of [`ReadTxn::facts_of`].
    pub fn newest_fact_of(&self, subject: Uuid) -> Result<Option<FactId>, Error> {
        let sql = "SELECT f.id FROM facts f WHERE f.subject = $1 ORDER BY f.hlc DESC, f.origin DESC, f.id DESC LIMIT 1";
        self.one(sql, &[Arg::Blob(subject.as_bytes())], |row| Ok(FactId::from_uuid(uuid_of(row.blob(0)?)?)))
    }

    /// The fact with this id.
    pub fn fact(&self, id: FactId) -> Result<Option<Fact>, Error> {
        let sql = concat!("SELECT ", FACT_COLUMNS!(), " FROM facts f WHERE f.id = $1");
        self.one(sql, &[Arg::Blob(id.bytes())], fact_of)
    }

    /// Facts of all origins after (origin, seq), in that order.
    pub(crate) fn facts_page(&self, after: (&str, i64), limit: i64) -> Result<Vec<Fact>, Error> {
        let sql = concat!(
            "SELECT ",
            FACT_COLUMNS!(),
            " FROM facts f WHERE (f.origin, f.seq) > ($1, $2) ORDER BY f.origin, f.seq LIMIT $3"
        );
        self.all(sql, &[Arg::Text(after.0), Arg::Int(after.1), Arg::Int(limit)], fact_of)
    }

    /// The place in the feed up to which this snapshot sees facts: what a hook reports at or before it is already here.
    pub fn position(&self) -> Result<Position, Error> {
        let sql = "SELECT xid, pos FROM outbox WHERE fact IS NOT NULL ORDER BY xid DESC, pos DESC LIMIT 1";
        let newest = self.one(sql, &[], |row| Ok(Position { xid: row.int(0)?, pos: row.int(1)? }))?;
        Ok(newest.unwrap_or(Position::START))
    }
}

impl WriteTxn<'_> {
    /// Adds a fact and folds the aggregates that it touches.
    ///
    /// # Errors
    /// A body, kind or reason over its limit, a body without canonical form, facts that do not fold, or the engine.
    pub fn fact_add(&mut self, new: NewFact) -> Result<Fact, Error> {
        let fact = self.fact_made(new)?;
        self.fact_insert(&fact)?;
        self.fold_fact(&fact).map_err(|error| self.spoil(error))?;
        self.facts.push(fact.clone());
        Ok(fact)
    }

    /// Stores a fact and puts it into the feed.
    pub(crate) fn fact_insert(&mut self, fact: &Fact) -> Result<(), Error> {
        let canonical =
            base::canonical::to_string(&fact.body).map_err(|_| Error::NotCanonical { kind: fact.kind.clone() })?;
        let (valid_from, valid_to) = (fact.valid_from.as_microsecond(), fact.valid_to.map(Timestamp::as_microsecond));
        self.execute(
            "INSERT INTO facts (id, origin, seq, kind, subject, body, digest, actor, reason, valid_from, valid_to, hlc, change) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
            &[
                Arg::Blob(fact.id.bytes()),
                Arg::Text(fact.origin.as_str()),
                Arg::Int(i64::try_from(fact.seq).unwrap_or(i64::MAX)),
                Arg::Text(&fact.kind),
                Arg::Blob(fact.subject.as_bytes()),
                Arg::Text(&canonical),
                Arg::Blob(fact.digest.bytes()),
                Arg::Text(&fact.actor.to_string()),
                Arg::OptText(fact.reason.as_deref()),
                Arg::Int(valid_from),
                Arg::OptInt(valid_to),
                Arg::Int(fact.recorded.micros()),
                Arg::Blob(fact.change.bytes()),
            ],
        )?;
        self.outbox_fact(fact)
    }

    fn fact_made(&mut self, new: NewFact) -> Result<Fact, Error> {
        bounded("fact kind", new.kind.len(), NewFact::KIND_BYTES_MAX)?;
        bounded("reason", new.reason.as_ref().map_or(0, String::len), NewFact::REASON_BYTES_MAX)?;
        let canonical =
            base::canonical::to_string(&new.body).map_err(|_| Error::NotCanonical { kind: new.kind.to_owned() })?;
        bounded("fact body", canonical.len(), NewFact::BODY_BYTES_MAX)?;
        if self.facts.len() >= FACTS_PER_CHANGE_MAX {
            return Err(Error::TooMany { what: "facts", max: FACTS_PER_CHANGE_MAX });
        }
        let seq = self.seq_take()?;
        Ok(Fact {
            id: self.fact_id(),
            origin: self.shared.region.clone(),
            seq: whole(seq)?,
            kind: new.kind.to_owned(),
            subject: new.subject,
            digest: crypto::sha256(canonical.as_bytes()),
            body: new.body,
            actor: self.actor,
            reason: new.reason,
            valid_from: timestamp(new.valid_from.as_microsecond()),
            valid_to: new.valid_to.map(|to| timestamp(to.as_microsecond())),
            recorded: self.hlc,
            change: self.change,
        })
    }

    /// A UUIDv7 whose twelve bits after the time count the facts of this change (RFC 9562, section 6.2, method 1),
    /// so that facts of one change, which share their recorded time, stay in the order in which they were added.
    fn fact_id(&self) -> FactId {
        let millis = u64::try_from(self.hlc.micros() / 1000).unwrap_or(0);
        let mut random = self.shared.effects.bytes::<10>();
        let [first, second, ..] = &mut random;
        [*first, *second] = u16::try_from(self.facts.len()).unwrap_or(u16::MAX).to_be_bytes();
        FactId::from_uuid(Builder::from_unix_timestamp_millis(millis, &random).into_uuid())
    }

    /// The next number of this region. The first call of a change takes the turn: facts of one region are numbered,
    /// timed and committed in one order.
    fn seq_take(&mut self) -> Result<i64, Error> {
        let seq = match self.seq_next {
            Some(seq) => seq,
            None => self.turn_take()?,
        };
        self.seq_next = Some(seq.saturating_add(1));
        Ok(seq)
    }

    fn turn_take(&mut self) -> Result<i64, Error> {
        let region = self.shared.region.as_str();
        let took = self.one(
            "UPDATE origins SET hlc = $1 WHERE region = $2 AND hlc < $1 RETURNING seq",
            &[Arg::Int(self.hlc.micros()), Arg::Text(region)],
            |row| row.int(0),
        )?;
        match took {
            Some(last) => Ok(last.saturating_add(1)),
            // Another node's clock is ahead of ours: run again, later than it.
            None => {
                let sql = "SELECT hlc FROM origins WHERE region = $1";
                let ahead = self.one(sql, &[Arg::Text(region)], |row| row.int(0))?;
                self.shared.clock.observe(Hlc::from_micros(ahead.unwrap_or(0)));
                Err(self.spoil(Error::Retry))
            }
        }
    }

    /// Stores how far the numbers went, once for the change.
    pub(super) fn settle_turn(&mut self) -> Result<(), Error> {
        let Some(next) = self.seq_next else { return Ok(()) };
        let args = [Arg::Int(next.saturating_sub(1)), Arg::Text(self.shared.region.as_str())];
        self.execute("UPDATE origins SET seq = $1 WHERE region = $2", &args).map(drop)
    }
}

pub(super) const fn bounded(what: &'static str, bytes: usize, max: usize) -> Result<(), Error> {
    if bytes > max { Err(Error::TooLarge { what, bytes, max }) } else { Ok(()) }
}
