//! What a crash left: intents without an outcome are closed as unknown, sessions are put into the store, committed changes are
//! relayed.

use base::{Actor, DecisionId, FactId, Ids};
use ledger::{Entry, OpenIntents};
use std::collections::HashSet;
use store::WriteTxn;
use uuid::Uuid;

use super::{Recorder, lock};
use crate::Error;
use crate::sessions::{SessionRow, put_all};

/// The place in the log before which nothing is open and every committed change is in.
const CLASS: &str = "access_low_water";
/// The place in the log before which every change was committed here; it moves in the commit that forgets what was relayed.
const RELAYED: &str = "access_relayed";
/// Committed changes that are relayed at once.
const RELAY_PAGE: usize = 256;
/// What an import leaves (`galen state import`): the store was put together anew, and somebody meant it.
const IMPORTED: &str = "ImportState";

/// A change that the ledger tells.
struct Told {
    index: u64,
    id: Uuid,
    /// The first of its facts.
    fact: Option<FactId>,
}

/// A place in the log, as it is stored.
fn place(value: &[u8]) -> u64 {
    <[u8; 8]>::try_from(value).map_or(0, u64::from_be_bytes)
}

impl Recorder {
    /// Closes orphans, puts sessions into the store and relays what was committed, from the stored low-water mark on.
    pub(super) async fn sweep(&self) -> Result<(), Error> {
        let node = self.0.store.node();
        let key = node.bytes().to_vec();
        let mark = self.0.store.read(move |txn| txn.record_get(CLASS, &key)).await?;
        let from = mark.map_or(0, |record| place(&record.value));
        let mut open = OpenIntents::new();
        let mut seen = HashSet::new();
        let (mut crowded, mut sessions, mut told) = (false, Vec::new(), Vec::new());
        self.0.log.each(from, |index, bytes| {
            if let Ok(entry) = Entry::decode(bytes) {
                seen.insert(entry.event_id.uuid());
                crowded |= open.observe(&entry).is_err();
                sessions.extend(SessionRow::of_entry(&entry));
                if entry.event_name == IMPORTED {
                    told.clear();
                }
                let id = entry.event_id.uuid();
                told.extend(entry.change.map(|change| Told { index, id, fact: change.facts.first().copied() }));
            }
            true
        })?;
        self.holds(told).await?;
        if crowded {
            tracing::error!("more intents are open than are swept at once: the rest stay open in the ledger");
        }
        let now = self.0.effects.now();
        let orphans = open.sweep(now, now, || DecisionId::from_uuid(self.0.effects.uuid()));
        if !orphans.is_empty() {
            tracing::warn!(orphans = orphans.len(), "accesses that a stop cut off are closed as unknown");
        }
        for entry in &orphans {
            let bytes = entry.encode().map_err(|source| Error::Ledger { source: Box::new(source) })?;
            self.0.log.append(bytes).await?;
        }
        put_all(&self.0.store, &sessions).await?;
        self.relay_without(&seen).await?;
        self.relayed(Vec::new()).await?;
        self.mark().await
    }

    /// Refuses a store that lacks a change which the ledger tells, of facts or of records alone: a change is relayed after its commit
    /// is durable, and waits here until the commit that notes how far the log was relayed. So the store is an older copy when it
    /// neither noted the change's place nor lets it wait. An import that is not told yet was meant.
    /// A ledger that ends before the noted place was rolled back: what is noted was durable in it.
    async fn holds(&self, told: Vec<Told>) -> Result<(), Error> {
        let (key, entries) = (self.0.store.node().bytes().to_vec(), self.0.log.size());
        let missing = self.0.store.read(move |txn| {
            let noted = txn.record_get(RELAYED, &key)?.map(|record| place(&record.value));
            if let Some(noted) = noted.filter(|noted| *noted > entries) {
                return Err(Error::LedgerBehind { noted, entries });
            }
            for Told { index, id, fact } in told {
                let lacks = match (noted, fact) {
                    (Some(noted), _) => index >= noted && !txn.is_pending(id)?,
                    // A store of an earlier release noted no place.
                    (None, Some(fact)) => txn.fact(fact)?.is_none(),
                    (None, None) => false,
                };
                if lacks {
                    return Ok::<_, Error>(Some(index));
                }
            }
            Ok(None)
        });
        let Some(entry) = missing.await? else { return Ok(()) };
        let waiting = self.0.store.pending_page(RELAY_PAGE).await?;
        let imported = waiting.iter().any(|row| Entry::decode(&row.bytes).is_ok_and(|it| it.event_name == IMPORTED));
        if imported { Ok(()) } else { Err(Error::StoreBehind { entry, entries }) }
    }

    /// Appends committed changes to the log, then forgets them; an entry that is in the log already is not added again.
    /// How many there were.
    pub(crate) async fn relay(&self) -> Result<usize, Error> {
        self.relay_without(&HashSet::new()).await
    }

    async fn relay_without(&self, seen: &HashSet<Uuid>) -> Result<usize, Error> {
        let mut relayed = 0_usize;
        loop {
            let before = self.0.log.size();
            let page = self.0.store.pending_page(RELAY_PAGE).await?;
            let whole = page.len() < RELAY_PAGE;
            relayed = relayed.saturating_add(page.len());
            if !page.is_empty() {
                let ids: Vec<Uuid> = page.iter().map(|row| row.id).collect();
                let fresh = page.into_iter().filter(|row| !seen.contains(&row.id));
                let appends = fresh.map(|row| self.0.log.append(row.bytes));
                for appended in futures::future::join_all(appends).await {
                    appended?;
                }
                self.relayed(ids).await?;
            }
            if whole {
                // What was committed meanwhile waits for the next round: it would come one by one.
                lock(&self.0.open).relayed = before;
                return Ok(relayed);
            }
        }
    }

    /// Forgets committed changes that are in the log, and notes how far it was relayed.
    async fn relayed(&self, ids: Vec<Uuid>) -> Result<(), Error> {
        // What is in the log by now was committed before.
        let (key, until) = (self.0.store.node().bytes().to_vec(), self.0.log.size());
        let write = move |txn: &mut WriteTxn<'_>| {
            txn.pending_done(&ids)?;
            let noted = txn.record_get(RELAYED, &key)?.map(|record| place(&record.value));
            if noted.is_none_or(|noted| noted < until) {
                txn.record_put(RELAYED, &key, &until.to_be_bytes(), None)?;
            }
            Ok(())
        };
        self.0.store.write::<_, store::Error, _>(Actor::System, write).await?;
        Ok(())
    }

    /// Periodic work: counts of the last minute, closed windows, the low-water mark.
    pub(crate) async fn tick(&self) {
        let now = self.0.effects.now();
        let id = || DecisionId::from_uuid(self.0.effects.uuid());
        let finished = lock(&self.0.failures).flush(now, id);
        for entry in finished {
            self.unwaited(&entry);
        }
        self.0.log.drain().await;
        lock(&self.0.windows).expire(now);
        if let Err(error) = self.mark_if_far().await {
            tracing::warn!(%error, "the low-water mark of the ledger cannot be stored");
        }
    }

    /// The last counts and the mark, at a clean stop.
    pub(crate) async fn close(&self) {
        let now = self.0.effects.now();
        let id = || DecisionId::from_uuid(self.0.effects.uuid());
        let finished = lock(&self.0.failures).finish(now, id);
        for entry in finished {
            self.unwaited(&entry);
        }
        self.0.log.drain().await;
        if let Err(error) = self.mark().await {
            tracing::warn!(%error, "the low-water mark of the ledger cannot be stored");
        }
    }

    fn low_water(&self) -> (u64, Option<u64>) {
        let open = lock(&self.0.open);
        let least = open.intents.values().copied().min().unwrap_or(u64::MAX);
        (least.min(open.relayed), open.stored)
    }

    /// Stores the mark when a restart would scan far.
    async fn mark_if_far(&self) -> Result<(), Error> {
        const FAR: u64 = 4096;
        let (low, stored) = self.low_water();
        if stored.is_none_or(|stored| low.saturating_sub(stored) >= FAR) { self.mark().await } else { Ok(()) }
    }

    async fn mark(&self) -> Result<(), Error> {
        let (low, stored) = self.low_water();
        if stored == Some(low) {
            return Ok(());
        }
        let key = self.0.store.node().bytes().to_vec();
        self.0
            .store
            .write(Actor::System, move |txn| txn.record_put(CLASS, &key, &low.to_be_bytes(), None))
            .await
            .map_err(|error: store::Error| Error::Store(error))?;
        lock(&self.0.open).stored = Some(low);
        Ok(())
    }
}
