//! Unauthenticated failures are counted per reason, source and minute, so that a flood of them cannot flood the log.

use base::{DecisionId, Timestamp};
use crypto::Sha256Digest;
use std::collections::BTreeMap;

use crate::{DenialCount, Entry, Phase, UserIdentity};

/// Most (reason, source) pairs that get an entry of their own in one minute; the rest is summed per reason. It bounds
/// what strangers can add to the log to about 17 entries a second.
pub const FLOOD_SOURCES_MAX: usize = 1000;

/// Most different reasons; reasons are our own codes, so this only guards against a defect.
const REASONS_MAX: usize = 64;

/// Counts the failures of the running minute.
#[derive(Default)]
pub struct DenialCounter {
    minute: i64,
    counts: BTreeMap<(&'static str, Option<Sha256Digest>), u64>,
    named: usize,
}

impl DenialCounter {
    /// Nothing counted.
    pub fn new() -> Self {
        Self::default()
    }

    /// Counts one failure. `source` is a salted commitment to the source address, never the address. Returns the
    /// entries of the minute before, when this failure is the first of a new one.
    pub fn count(
        &mut self,
        reason: &'static str,
        source: Sha256Digest,
        now: Timestamp,
        id: impl FnMut() -> DecisionId,
    ) -> Vec<Entry> {
        let finished = self.flush(now, id);
        self.minute = minute_of(now);
        let known = self.counts.contains_key(&(reason, Some(source)));
        let key = match known || self.named < FLOOD_SOURCES_MAX {
            true => (reason, Some(source)),
            false => (reason, None),
        };
        if !known && key.1.is_some() {
            self.named += 1;
        }
        if self.counts.contains_key(&key) || self.counts.len() < FLOOD_SOURCES_MAX + REASONS_MAX {
            *self.counts.entry(key).or_insert(0) += 1;
        }
        finished
    }

    /// The entries of a minute that has ended; nothing while it runs. Call it at least once a minute.
    pub fn flush(&mut self, now: Timestamp, id: impl FnMut() -> DecisionId) -> Vec<Entry> {
        if minute_of(now) == self.minute { Vec::new() } else { self.finish(now, id) }
    }

    /// The entries of whatever was counted so far; at shutdown.
    pub fn finish(&mut self, now: Timestamp, mut id: impl FnMut() -> DecisionId) -> Vec<Entry> {
        self.named = 0;
        let minute = Timestamp::from_second(self.minute.saturating_mul(60)).unwrap_or(now);
        std::mem::take(&mut self.counts)
            .into_iter()
            .map(|((reason, source), count)| {
                let who = UserIdentity::anonymous();
                let mut entry = Entry::new(Phase::Denials, id(), now, "galen.access", "Unauthenticated", who);
                entry.denials = Some(DenialCount { reason: reason.to_owned(), source, minute, count });
                entry
            })
            .collect()
    }
}

fn minute_of(time: Timestamp) -> i64 {
    time.as_second().div_euclid(60)
}
