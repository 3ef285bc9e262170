//! Decisions by id, person and resource: an index over the log, built beside it and rebuilt from it at will.

use base::{Actor, DecisionId, Timestamp};
use ledger::Entry;
use std::ops::Bound;
use store::{Direction, Error as StoreError, ReadTxn};

use super::Decided;
use crate::resource::Member;
use crate::{Access, Error};

/// Place in the log by decision.
const BY_DECISION: &str = "why_decision";
/// Place in the log by who (16 bytes), when (8) and decision (16).
const BY_MEMBER: &str = "why_member";
/// Place in the log by resource (16 bytes of a digest), when (8) and decision (16).
const BY_RESOURCE: &str = "why_resource";
/// How far the log is indexed, by node.
const CURSOR: &str = "why_cursor";

/// Entries that one round indexes: one transaction of some thousand small rows.
const ROUND_MAX: usize = 4096;
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

fn resource_key(arn: &str) -> [u8; 16] {
    let digest = crypto::sha256(arn.as_bytes());
    let mut key = [0; 16];
    key.copy_from_slice(digest.bytes().first_chunk::<16>().unwrap_or(&[0; 16]));
    key
}

fn timed(prefix: &[u8; 16], at: Timestamp) -> Vec<u8> {
    let micros = u64::try_from(at.as_microsecond()).unwrap_or(0);
    [prefix.as_slice(), &micros.to_be_bytes()].concat()
}

fn place(value: &[u8]) -> Option<u64> {
    <[u8; 8]>::try_from(value).ok().map(u64::from_be_bytes)
}

/// The rows of one decision.
struct Row {
    decision: DecisionId,
    member: Option<Vec<u8>>,
    resource: Vec<u8>,
    index: u64,
}

impl Row {
    fn of(decided: &Decided) -> Self {
        let with_id = |key: Vec<u8>| [key.as_slice(), decided.decision.bytes()].concat();
        let member = match decided.actor {
            Some(Actor::Person(person)) => Some(*person.bytes()),
            Some(Actor::Service(service)) => Some(*service.bytes()),
            Some(Actor::System) | None => None,
        };
        Self {
            decision: decided.decision,
            member: member.map(|member| with_id(timed(&member, decided.at))),
            resource: with_id(timed(&resource_key(&decided.resource), decided.at)),
            index: decided.index,
        }
    }
}

impl Access {
    /// A recorded decision of this node.
    ///
    /// # Errors
    /// [`Error::NoDecision`]; those of the store and of the ledger.
    pub async fn decision(&self, decision: DecisionId) -> Result<Decided, Error> {
        let node = self.node();
        let found = self.store().read(move |txn| {
            let record = txn.record_get(BY_DECISION, decision.bytes())?;
            Ok::<_, StoreError>((record.and_then(|record| place(&record.value)), cursor(txn, node)?))
        });
        let (index, cursor) = found.await?;
        if let Some(index) = index {
            return self.at(index)?.ok_or(Error::BadRecord { decision });
        }
        // Not indexed yet: it can only be in the tail.
        let wanted = decision.to_string();
        let mut found = None;
        self.log().each(cursor, |index, bytes| {
            if holds(bytes, wanted.as_bytes()) {
                found = Entry::decode(bytes).ok().and_then(|entry| Decided::of(index, entry));
                found = found.take().filter(|decided| decided.decision == decision);
            }
            found.is_none()
        })?;
        found.ok_or(Error::NoDecision { decision })
    }

    /// The newest decisions of a person or service at or before `until`, newest first, at most `limit`.
    ///
    /// # Errors
    /// Those of the store and of the ledger.
    pub async fn decisions_of(&self, member: Member, until: Timestamp, limit: usize) -> Result<Vec<Decided>, Error> {
        self.newest(BY_MEMBER, *member.uuid().as_bytes(), until, limit).await
    }

    /// The newest decisions about a resource (an ARN) at or before `until`, newest first, at most `limit`.
    ///
    /// # Errors
    /// Those of the store and of the ledger.
    pub async fn decisions_about(&self, arn: &str, until: Timestamp, limit: usize) -> Result<Vec<Decided>, Error> {
        let found = self.newest(BY_RESOURCE, resource_key(arn), until, limit).await?;
        Ok(found.into_iter().filter(|decided| decided.resource == arn).collect())
    }

    /// The newest decision of `member` about `arn` at or before `until`; of `action` alone when one is given.
    ///
    /// # Errors
    /// Those of the store and of the ledger.
    pub async fn latest(
        &self,
        member: Member,
        arn: &str,
        action: Option<&str>,
        until: Timestamp,
    ) -> Result<Option<Decided>, Error> {
        let found = self.decisions_about(arn, until, PAGE_MAX).await?;
        let same = |decided: &Decided| {
            let actor = match decided.actor {
                Some(Actor::Person(person)) => Some(Member::Person(person)),
                Some(Actor::Service(service)) => Some(Member::Service(service)),
                _ => None,
            };
            actor == Some(member) && action.is_none_or(|action| action.eq_ignore_ascii_case(&decided.action))
        };
        Ok(found.into_iter().find(same))
    }

    async fn newest(
        &self,
        class: &'static str,
        prefix: [u8; 16],
        until: Timestamp,
        limit: usize,
    ) -> Result<Vec<Decided>, Error> {
        self.index_decisions().await?;
        let limit = limit.min(PAGE_MAX);
        let (from, mut to) = (prefix.to_vec(), timed(&prefix, until));
        // Every decision of that very moment: their ids follow the time.
        to.extend([0xff; 17]);
        let rows = self.store().read(move |txn| {
            let (from, to) = (Bound::Included(&from[..]), Bound::Included(&to[..]));
            txn.record_scan(class, from, to, limit, Direction::Backward)
        });
        let places: Vec<u64> =
            rows.await.map_err(Error::Store)?.into_iter().filter_map(|(_, record)| place(&record.value)).collect();
        places.into_iter().filter_map(|index| self.at(index).transpose()).collect()
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
        let (mut rows, mut next) = (Vec::new(), from);
        self.log().each(from, |index, bytes| {
            next = index.saturating_add(1);
            let decided = Entry::decode(bytes).ok().and_then(|entry| Decided::of(index, entry));
            rows.extend(decided.as_ref().map(Row::of));
            usize::try_from(next.saturating_sub(from)).unwrap_or(usize::MAX) < ROUND_MAX
        })?;
        let key = node.bytes().to_vec();
        let write = self.store().write(Actor::System, move |txn| {
            for row in &rows {
                let value = row.index.to_be_bytes();
                txn.record_insert(BY_DECISION, row.decision.bytes(), &value, None)?;
                if let Some(member) = &row.member {
                    txn.record_put(BY_MEMBER, member, &value, None)?;
                }
                txn.record_put(BY_RESOURCE, &row.resource, &value, None)?;
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
