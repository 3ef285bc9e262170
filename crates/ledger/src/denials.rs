//! Requests that were refused without a decision are counted, so that a flood of them cannot flood the log: per reason, minute, and
//! the source of a stranger or the session of somebody known. INVARIANT: what is held is bounded, whatever comes.

use base::{DecisionId, SessionId, Timestamp};
use crypto::Sha256Digest;
use std::collections::BTreeMap;

use crate::{DenialCount, Entry, Phase, UserIdentity};

/// Most (reason, source) pairs that get an entry of their own in one minute; the rest is summed per reason. It bounds
/// what strangers can add to the log to about 17 entries a second.
pub const FLOOD_SOURCES_MAX: usize = 1000;

/// As [`FLOOD_SOURCES_MAX`] for (reason, session) pairs. Its own, so that strangers cannot use up the room of who is known.
pub const FLOOD_SESSIONS_MAX: usize = 1000;

/// Most different reasons; reasons are our own codes, so this only guards against a defect.
const REASONS_MAX: usize = 128;

/// Who sent what is counted.
#[derive(Clone, Copy, Debug)]
pub enum Sender<'a> {
    /// Nobody that Galen knows: a salted commitment to the source address, never the address.
    Stranger(Sha256Digest),
    /// Somebody in a session, live or over. Without a session it is counted as one beyond the cap.
    Known(&'a UserIdentity),
}

/// Counts the failures of the running minute.
#[derive(Default)]
pub struct DenialCounter {
    minute: i64,
    sources: BTreeMap<(&'static str, Sha256Digest), u64>,
    sessions: BTreeMap<(&'static str, SessionId), (UserIdentity, u64)>,
    /// What is beyond the caps, per reason.
    rest: BTreeMap<&'static str, u64>,
}

impl DenialCounter {
    /// Nothing counted.
    pub fn new() -> Self {
        Self::default()
    }

    /// Counts one failure. Returns the entries of the minute before, when this failure is the first of a new one.
    pub fn count(
        &mut self,
        reason: &'static str,
        sender: Sender<'_>,
        now: Timestamp,
        id: impl FnMut() -> DecisionId,
    ) -> Vec<Entry> {
        let finished = self.flush(now, id);
        self.minute = minute_of(now);
        if let Some(count) = self.of(reason, sender) {
            *count += 1;
        }
        finished
    }

    /// Where a failure is counted; nowhere when there are more reasons than there can be.
    fn of(&mut self, reason: &'static str, sender: Sender<'_>) -> Option<&mut u64> {
        match sender {
            Sender::Stranger(source) => {
                let key = (reason, source);
                if self.sources.len() < FLOOD_SOURCES_MAX || self.sources.contains_key(&key) {
                    return Some(self.sources.entry(key).or_default());
                }
            }
            Sender::Known(who) => {
                if let Some(key) = who.session.map(|session| (reason, session))
                    && (self.sessions.len() < FLOOD_SESSIONS_MAX || self.sessions.contains_key(&key))
                {
                    return Some(&mut self.sessions.entry(key).or_insert_with(|| (who.clone(), 0)).1);
                }
            }
        }
        let room = self.rest.len() < REASONS_MAX || self.rest.contains_key(reason);
        room.then(|| self.rest.entry(reason).or_default())
    }

    /// The entries of a minute that has ended; nothing while it runs. Call it at least once a minute.
    pub fn flush(&mut self, now: Timestamp, id: impl FnMut() -> DecisionId) -> Vec<Entry> {
        if minute_of(now) == self.minute { Vec::new() } else { self.finish(now, id) }
    }

    /// The entries of whatever was counted so far; at shutdown.
    pub fn finish(&mut self, now: Timestamp, mut id: impl FnMut() -> DecisionId) -> Vec<Entry> {
        let minute = Timestamp::from_second(self.minute.saturating_mul(60)).unwrap_or(now);
        let Self { sources, sessions, rest, .. } = std::mem::take(self);
        let mut entry = |name, who, reason: &str, source, count| {
            let mut entry = Entry::new(Phase::Denials, id(), now, "galen.access", name, who);
            entry.denials = Some(DenialCount { reason: reason.to_owned(), source, minute, count });
            entry
        };
        let mut stranger =
            |reason, source, count| entry("Unauthenticated", UserIdentity::anonymous(), reason, source, count);
        let mut entries: Vec<Entry> =
            sources.into_iter().map(|((reason, source), count)| stranger(reason, Some(source), count)).collect();
        entries.extend(rest.into_iter().map(|(reason, count)| stranger(reason, None, count)));
        let known = sessions.into_iter().map(|((reason, _), (who, count))| entry("Refused", who, reason, None, count));
        entries.extend(known);
        entries
    }
}

fn minute_of(time: Timestamp) -> i64 {
    time.as_second().div_euclid(60)
}
