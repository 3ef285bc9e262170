//! Decisions by id, person and question, their outcomes, and the entries on which their chains stand: an index over the log, built
//! beside it and rebuilt from it at will.

use base::{Actor, DecisionId, Timestamp};
use ledger::{Entry, Phase};
use std::collections::HashMap;
use std::ops::Bound;
use store::{Direction, Error as StoreError, ReadTxn};
use uuid::Uuid;

use super::lead::{Lead, Question, question};
use super::made::made;
use super::{Decided, Ended};
use crate::resource::Member;
use crate::{Access, Error};

/// Place in the log by decision, and the place of its outcome when both were indexed together.
const BY_DECISION: &str = "why_decision";
/// Place in the log by who (16 bytes), when (8) and decision (16).
const BY_MEMBER: &str = "why_member";
/// Place in the log by question (16 bytes of a digest of who, action and resource), when (8) and decision (16).
const BY_QUESTION: &str = "why_question";
/// Place in the log of an outcome by its decision, when the decision was indexed before it.
const BY_OUTCOME: &str = "why_outcome";
/// Place in the log of the entry that made something, by the id of what it made: a fact, a session, a sign-in.
const BY_MADE: &str = "why_made";
/// How far the log is indexed, by node. The number is that of the index's shape: under a new one it is built from the beginning
/// of the log, and rows that are there already stay.
const CURSOR: &str = "why_cursor_2";

/// Entries that one round indexes: one transaction of some thousand small rows, which holds other changes up for some
/// milliseconds.
const ROUND_MAX: usize = 512;
/// Entries behind the index that a question looks through: some milliseconds, most of them in memory.
const TAIL_MAX: u64 = 8192;
/// Largest page of decisions.
pub(super) const PAGE_MAX: usize = 1000;

/// How far the index of decisions has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Indexed {
    /// Entries that are indexed.
    pub entries: u64,
    /// Entries that the log holds.
    pub of: u64,
}

fn timed(prefix: &[u8; 16], at: Timestamp) -> Vec<u8> {
    let micros = u64::try_from(at.as_microsecond()).unwrap_or(0);
    [prefix.as_slice(), &micros.to_be_bytes()].concat()
}

fn place(value: &[u8]) -> Option<u64> {
    value.first_chunk().copied().map(u64::from_be_bytes)
}

/// The place of the outcome of a decision, as far as it is indexed.
fn outcome_place(txn: &ReadTxn<'_>, of: DecisionId) -> Result<Option<u64>, StoreError> {
    let together = txn.record_get(BY_DECISION, of.bytes())?;
    if let Some(at) = together.and_then(|record| place(record.value.get(8..)?)) {
        return Ok(Some(at));
    }
    Ok(txn.record_get(BY_OUTCOME, of.bytes())?.and_then(|record| place(&record.value)))
}

/// A row of the index: its class, key and value.
type Row = (&'static str, Vec<u8>, Vec<u8>);

/// The rows of one round.
#[derive(Default)]
struct Rows {
    rows: Vec<Row>,
    /// Where in `rows` a decision is.
    decisions: HashMap<DecisionId, usize>,
}

impl Rows {
    /// Adds the rows that lead to the entry at `index`.
    fn add(&mut self, index: u64, lead: Lead) {
        let value = || index.to_be_bytes().to_vec();
        match lead {
            Lead::Decision { id, at, asked } => {
                self.decisions.insert(id, self.rows.len());
                self.rows.extend(keys_of(id, at, asked).into_iter().map(|(class, key)| (class, key, value())));
            }
            Lead::Outcome { of } => match self.decisions.remove(&of).and_then(|at| self.rows.get_mut(at)) {
                Some((_, _, places)) => places.extend(index.to_be_bytes()),
                None => self.rows.push((BY_OUTCOME, of.bytes().to_vec(), value())),
            },
            Lead::None => {}
        }
    }

    /// Adds the rows that lead to the entry at `index` from what it made.
    fn add_made(&mut self, index: u64, made: Vec<Uuid>) {
        let row = |id: Uuid| (BY_MADE, id.into_bytes().to_vec(), index.to_be_bytes().to_vec());
        self.rows.extend(made.into_iter().map(row));
    }
}

/// The classes and keys under which a decision about a question is found; the first is its own.
fn keys_of(decision: DecisionId, at: Timestamp, asked: Option<(Member, Question)>) -> Vec<(&'static str, Vec<u8>)> {
    let by = |prefix: [u8; 16]| [timed(&prefix, at).as_slice(), decision.bytes()].concat();
    let mut keys = vec![(BY_DECISION, decision.bytes().to_vec())];
    if let Some((member, question)) = asked {
        keys.push((BY_MEMBER, by(*member.uuid().as_bytes())));
        keys.push((BY_QUESTION, by(question)));
    }
    keys
}

/// The decision of which an entry tells the outcome. One that decides too (a later range under an intent) tells its own.
fn outcome_of(entry: &Entry) -> Option<DecisionId> {
    entry.of.filter(|_| entry.outcome.is_some() && entry.decision.is_none())
}

impl Access {
    /// A recorded decision of this node.
    ///
    /// # Errors
    /// [`Error::NoDecision`]; those of the store and of the ledger.
    pub async fn decision(&self, decision: DecisionId) -> Result<Decided, Error> {
        self.near().await?;
        let node = self.node();
        let found = self.store().read(move |txn| {
            let record = txn.record_get(BY_DECISION, decision.bytes())?;
            Ok::<_, StoreError>((record.and_then(|record| place(&record.value)), cursor(txn, node)?))
        });
        let (index, cursor) = found.await?;
        let found = match index {
            Some(index) => self.at(index)?.ok_or(Error::BadRecord { decision })?,
            // Not indexed yet: it can only be in the tail.
            None => {
                let tail = self.tail(cursor, &decision.to_string())?.into_iter();
                let mut tail = tail.filter_map(|(index, entry)| Decided::of(index, entry));
                tail.find(|decided| decided.decision == decision).ok_or(Error::NoDecision { decision })?
            }
        };
        self.with_outcome(found).await
    }

    /// The newest decisions of a person or service at or before `until`, newest first, at most `limit`; their outcomes are not
    /// looked for.
    ///
    /// # Errors
    /// Those of the store and of the ledger.
    pub async fn decisions_of(&self, member: Member, until: Timestamp, limit: usize) -> Result<Vec<Decided>, Error> {
        self.newest(BY_MEMBER, *member.uuid().as_bytes(), member, until, limit).await
    }

    /// The newest decision of `member` about `action` on `arn` at or before `until`.
    ///
    /// # Errors
    /// Those of the store and of the ledger.
    pub async fn latest(
        &self,
        member: Member,
        action: &str,
        arn: &str,
        until: Timestamp,
    ) -> Result<Option<Decided>, Error> {
        let found = self.newest(BY_QUESTION, question(member, action, arn), member, until, 1).await?;
        match found.into_iter().next() {
            Some(decided) => self.with_outcome(decided).await.map(Some),
            None => Ok(None),
        }
    }

    /// The places in the log of this node of the entries that made these facts, sessions and sign-ins. What another node made, or
    /// a log before this one holds, has none.
    ///
    /// # Errors
    /// Those of the store and of the ledger.
    pub async fn entries_of(&self, ids: Vec<Uuid>) -> Result<HashMap<Uuid, u64>, Error> {
        if ids.is_empty() {
            return Ok(HashMap::new());
        }
        self.near().await?;
        let (node, wanted) = (self.node(), ids.clone());
        let read = self.store().read(move |txn| {
            let mut found = HashMap::new();
            for id in wanted {
                let record = txn.record_get(BY_MADE, id.as_bytes())?;
                found.extend(record.and_then(|record| place(&record.value)).map(|index| (id, index)));
            }
            Ok::<_, StoreError>((found, cursor(txn, node)?))
        });
        let (mut found, cursor) = read.await.map_err(Error::Store)?;
        if ids.iter().all(|id| found.contains_key(id)) {
            return Ok(found);
        }
        self.log().each(cursor, |index, bytes| {
            for id in made(bytes).into_iter().filter(|id| ids.contains(id)) {
                found.entry(id).or_insert(index);
            }
            true
        })?;
        Ok(found)
    }

    /// What the index knows and what the log has gained since.
    async fn newest(
        &self,
        class: &'static str,
        prefix: [u8; 16],
        member: Member,
        until: Timestamp,
        limit: usize,
    ) -> Result<Vec<Decided>, Error> {
        self.near().await?;
        let (node, limit) = (self.node(), limit.min(PAGE_MAX));
        let (from, mut to) = (prefix.to_vec(), timed(&prefix, until));
        // Every decision of that very moment: their ids follow the time.
        to.extend([0xff; 17]);
        let end = to.clone();
        let read = self.store().read(move |txn| {
            let (from, to) = (Bound::Included(&from[..]), Bound::Included(&end[..]));
            let rows = txn.record_scan(class, from, to, limit, Direction::Backward)?;
            Ok::<_, StoreError>((rows, cursor(txn, node)?))
        });
        let (indexed, cursor) = read.await.map_err(Error::Store)?;
        let mine = |decided: &Decided| {
            let asked = decided.member().map(|it| (it, question(it, &decided.action, &decided.resource)));
            let keys = keys_of(decided.decision, decided.at, asked);
            let key = keys.into_iter().find_map(|(of, key)| (of == class).then_some(key));
            key.is_some_and(|key| key.starts_with(&prefix) && key <= to)
        };
        let who = match member {
            Member::Person(person) => person.to_string(),
            Member::Service(service) => service.to_string(),
        };
        let tail = self.tail(cursor, &who)?.into_iter().filter_map(|(index, entry)| Decided::of(index, entry));
        let mut found: Vec<Decided> = tail.filter(mine).collect();
        found.sort_unstable_by_key(|decided| std::cmp::Reverse((decided.at, decided.decision)));
        found.truncate(limit);
        let left = limit - found.len();
        for index in indexed.into_iter().filter_map(|(_, record)| place(&record.value)).take(left) {
            found.extend(self.at(index)?);
        }
        Ok(found)
    }

    /// Makes the decisions of this moment readable; indexes when what is behind the index has grown beyond what is looked through
    /// entry by entry.
    async fn near(&self) -> Result<(), Error> {
        self.log().hurry().await;
        let node = self.node();
        let cursor = self.store().read(move |txn| cursor(txn, node)).await.map_err(Error::Store)?;
        if self.log().size().saturating_sub(cursor) > TAIL_MAX {
            self.index_decisions().await?;
        }
        Ok(())
    }

    /// The entries behind the index that name `id`, oldest first.
    fn tail(&self, cursor: u64, id: &str) -> Result<Vec<(u64, Entry)>, Error> {
        let mut found = Vec::new();
        self.log().each(cursor, |index, bytes| {
            if holds(bytes, id.as_bytes()) {
                found.extend(Entry::decode(bytes).ok().map(|entry| (index, entry)));
            }
            true
        })?;
        Ok(found)
    }

    async fn with_outcome(&self, mut decided: Decided) -> Result<Decided, Error> {
        decided.ended = Ended::of(&decided.entry);
        if decided.ended.is_some() || decided.entry.phase != Phase::Intent {
            return Ok(decided);
        }
        let (node, of) = (self.node(), decided.decision);
        let read = self.store().read(move |txn| Ok::<_, StoreError>((outcome_place(txn, of)?, cursor(txn, node)?)));
        let (index, cursor) = read.await.map_err(Error::Store)?;
        let entry = match index {
            Some(index) => self.log().read(index)?.and_then(|bytes| Entry::decode(&bytes).ok()),
            None => {
                let mut tail = self.tail(cursor, &of.to_string())?.into_iter().map(|(_, entry)| entry);
                tail.find(|entry| outcome_of(entry) == Some(of))
            }
        };
        decided.ended = entry.and_then(|entry| Ended::of(&entry));
        Ok(decided)
    }

    fn at(&self, index: u64) -> Result<Option<Decided>, Error> {
        let bytes = self.log().read(index)?;
        Ok(bytes.and_then(|bytes| Entry::decode(&bytes).ok()).and_then(|entry| Decided::of(index, entry)))
    }

    /// Indexes what the log has gained; how far it has come.
    ///
    /// # Errors
    /// Those of the store and of the ledger.
    pub async fn index_decisions(&self) -> Result<Indexed, Error> {
        loop {
            let done = self.index_round().await?;
            if done.entries >= done.of {
                return Ok(done);
            }
        }
    }

    /// Forgets the index, so that the next round builds it from the beginning of the log.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn reindex_decisions(&self) -> Result<Indexed, Error> {
        let key = self.node().bytes().to_vec();
        let forget = self.store().write(Actor::System, move |txn| {
            txn.record_delete(CURSOR, &key)?;
            Ok::<_, StoreError>(())
        });
        forget.await?;
        self.index_decisions().await
    }

    /// One round of at most [`ROUND_MAX`] entries.
    pub(crate) async fn index_round(&self) -> Result<Indexed, Error> {
        let node = self.node();
        let from = self.store().read(move |txn| cursor(txn, node)).await.map_err(Error::Store)?;
        let of = self.log().size();
        if from >= of {
            return Ok(Indexed { entries: from, of });
        }
        let (mut found, mut next) = (Rows::default(), from);
        self.log().each(from, |index, bytes| {
            next = index.saturating_add(1);
            found.add(index, self.leads().take(bytes));
            found.add_made(index, made(bytes));
            usize::try_from(next.saturating_sub(from)).unwrap_or(usize::MAX) < ROUND_MAX
        })?;
        // In the order of the store's own tree: rows that are neighbours there are written together.
        found.rows.sort_unstable();
        let key = node.bytes().to_vec();
        let write = self.store().write(Actor::System, move |txn| {
            for (class, key, places) in &found.rows {
                txn.record_insert(class, key, places, None)?;
            }
            txn.record_put(CURSOR, &key, &next.to_be_bytes(), None)?;
            Ok::<_, StoreError>(())
        });
        write.await?;
        Ok(Indexed { entries: next, of: of.max(next) })
    }
}

fn cursor(txn: &ReadTxn<'_>, node: base::NodeId) -> Result<u64, StoreError> {
    Ok(txn.record_get(CURSOR, node.bytes())?.and_then(|record| place(&record.value)).unwrap_or(0))
}

/// Whether `needle` is anywhere in `bytes`.
fn holds(bytes: &[u8], needle: &[u8]) -> bool {
    bytes.windows(needle.len()).any(|window| window == needle)
}
