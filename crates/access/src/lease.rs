//! Leases: every open stream holds one, and whoever cuts a session, grant or membership ends it.
//!
//! The registry knows which streams are open for which session, person, group, dataset and grant. It must not know
//! how a decision is made: each lease brings its own re-check. Invariant: a cut returns only after every lease it
//! names is marked, so that the next `check` of that stream fails; waiting for the streams to be gone is a second step.

use base::{DatasetId, GrantId, GroupId, PersonId, RoleId, SessionId, Timestamp};
use hashbrown::HashMap;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;
use tokio::sync::watch;

#[cfg(test)]
mod tests;

/// Most streams open at once on one node: bounds memory; each costs a few hundred bytes.
pub const LEASES_MAX: usize = 65_536;

/// How often every open lease is re-checked at least (issue part 10 and authorisation.md section 5: every second).
pub const RECHECK_EVERY: Duration = Duration::from_millis(500);

/// Why a stream must stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ended {
    /// The session's time is over.
    Expired,
    /// An epoch was raised: the session is cut.
    Cut,
    /// The decision no longer holds: a grant, a membership, an entitlement or a document changed.
    Withdrawn,
    /// State is older than the declared bound; Galen fails closed.
    Stale,
}

impl Ended {
    /// The word in metrics and messages.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Expired => "expired",
            Self::Cut => "cut",
            Self::Withdrawn => "withdrawn",
            Self::Stale => "stale",
        }
    }
}

/// The registry is full: no stream is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{LEASES_MAX} streams are open on this node; close some or retry later")]
pub struct TooManyLeases;

/// What an open stream stands on.
#[derive(Clone, Debug)]
pub struct LeaseScope {
    /// The session, and the sessions that it was made from.
    pub sessions: Vec<SessionId>,
    /// The roles of those sessions.
    pub roles: Vec<RoleId>,
    /// The person behind it.
    pub person: Option<PersonId>,
    /// The groups that the decision used.
    pub groups: Vec<GroupId>,
    /// The dataset that is read or written.
    pub dataset: Option<DatasetId>,
    /// The grants that the decision used.
    pub grants: Vec<GrantId>,
    /// When it ends by itself.
    pub expires: Timestamp,
}

impl LeaseScope {
    /// The scope of a session alone; the gate adds dataset, grants and groups.
    pub fn of(session: &crate::Session) -> Self {
        let chain = session.lineage.iter();
        Self {
            sessions: chain.clone().map(|a| a.session).chain([session.id]).collect(),
            roles: chain.map(|a| a.role).chain([session.role]).collect(),
            person: session.person,
            groups: session.via.clone(),
            dataset: None,
            grants: Vec::new(),
            expires: session.expires,
        }
    }

    /// Everything that the stream stands on, each once.
    fn keys(&self) -> Vec<LeaseKey> {
        let mut keys = Vec::with_capacity(self.sessions.len() + self.roles.len() + self.groups.len() + 3);
        keys.extend(self.sessions.iter().map(|id| LeaseKey::Session(*id)));
        keys.extend(self.roles.iter().map(|id| LeaseKey::Role(*id)));
        keys.extend(self.person.map(LeaseKey::Person));
        keys.extend(self.groups.iter().map(|id| LeaseKey::Group(*id)));
        keys.extend(self.dataset.map(LeaseKey::Dataset));
        keys.extend(self.grants.iter().map(|id| LeaseKey::Grant(*id)));
        keys.sort_unstable();
        keys.dedup();
        keys
    }
}

/// One thing whose leases can be found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LeaseKey {
    /// Streams of a session or of one chained from it.
    Session(SessionId),
    /// Streams of sessions in a role or chained from it.
    Role(RoleId),
    /// Streams of a person.
    Person(PersonId),
    /// Streams that stand on a group.
    Group(GroupId),
    /// Streams of a dataset.
    Dataset(DatasetId),
    /// Streams that stand on a grant.
    Grant(GrantId),
}

/// The re-check a lease brings: the same decision again, from memory; it must be quick and must not block.
pub type Recheck = Arc<dyn Fn(Timestamp) -> Result<(), Ended> + Send + Sync>;

struct Stream {
    expires: Timestamp,
    keys: Vec<LeaseKey>,
    recheck: Recheck,
    ended: watch::Sender<Option<Ended>>,
    /// What is to be done at the end besides.
    at_end: OnceLock<Box<dyn Fn() + Send + Sync>>,
    life: watch::Sender<Life>,
}

/// Where a stream is. It gives nothing more once it has ended and is closed, or hands out by parts and is in none.
#[derive(Clone, Copy, Debug, Default)]
struct Life {
    /// Its last lease is gone.
    closed: bool,
    /// It takes a [`Part`] for each piece that it hands out.
    by_parts: bool,
    /// Parts that are being made now.
    busy: u32,
}

impl Life {
    const fn is_silent(&self) -> bool {
        self.closed || (self.by_parts && self.busy == 0)
    }
}

impl Stream {
    /// Changes where the stream is. Whoever waits for its silence looks at the value before each sleep, so it is woken only
    /// while somebody waits: a stream that nobody cuts wakes nobody.
    fn change(&self, change: impl FnOnce(&mut Life)) {
        self.life.send_if_modified(|life| {
            change(life);
            self.life.receiver_count() > 0
        });
    }

    fn end(&self, why: Ended) -> bool {
        let first = self.ended.send_if_modified(|now| {
            let first = now.is_none();
            if first {
                *now = Some(why);
            }
            first
        });
        if first && let Some(act) = self.at_end.get() {
            act();
        }
        first
    }

    fn state(&self, now: Timestamp) -> Result<(), Ended> {
        if let Some(why) = *self.ended.borrow() {
            return Err(why);
        }
        if now >= self.expires {
            return Err(Ended::Expired);
        }
        (self.recheck)(now)
    }
}

#[derive(Default)]
struct Table {
    streams: HashMap<u64, Arc<Stream>>,
    /// Streams by what they stand on: one ordered set, so that opening a stream makes no set of its own for each key.
    by: BTreeSet<(LeaseKey, u64)>,
}

/// Counts since start, for `/metrics`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LeaseCounts {
    /// Streams open now.
    pub open: u64,
    /// Streams opened since start.
    pub opened: u64,
    /// Streams ended by a cut, a withdrawal or their expiry since start.
    pub ended: u64,
    /// Streams refused because the registry was full.
    pub refused: u64,
}

#[derive(Default)]
struct Inner {
    table: Mutex<Table>,
    next: AtomicU64,
    opened: AtomicU64,
    ended: AtomicU64,
    refused: AtomicU64,
}

/// The registry of open streams of this node; cheap to clone.
#[derive(Clone, Default)]
pub struct Leases(Arc<Inner>);

impl Leases {
    fn table(&self) -> MutexGuard<'_, Table> {
        self.0.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Registers a stream. Register first and decide after, so that no cut can fall between: the first [`Lease::check`]
    /// then sees it.
    ///
    /// # Errors
    /// [`TooManyLeases`] past [`LEASES_MAX`].
    pub fn open(&self, scope: &LeaseScope, recheck: Recheck) -> Result<Lease, TooManyLeases> {
        let id = self.0.next.fetch_add(1, Ordering::Relaxed);
        let keys = scope.keys();
        let stream = Arc::new(Stream {
            expires: scope.expires,
            keys,
            recheck,
            ended: watch::Sender::new(None),
            at_end: OnceLock::new(),
            life: watch::Sender::new(Life::default()),
        });
        let mut table = self.table();
        if table.streams.len() >= LEASES_MAX {
            self.0.refused.fetch_add(1, Ordering::Relaxed);
            return Err(TooManyLeases);
        }
        table.by.extend(stream.keys.iter().map(|key| (*key, id)));
        table.streams.insert(id, Arc::clone(&stream));
        drop(table);
        self.0.opened.fetch_add(1, Ordering::Relaxed);
        Ok(Lease(Arc::new(Held { id, stream, registry: self.clone() })))
    }

    fn named(&self, key: LeaseKey) -> Vec<Arc<Stream>> {
        let table = self.table();
        let ids = table.by.range((key, 0)..=(key, u64::MAX));
        ids.filter_map(|(_, id)| table.streams.get(id).cloned()).collect()
    }

    fn all(&self) -> Vec<Arc<Stream>> {
        self.table().streams.values().cloned().collect()
    }

    fn end_all(&self, streams: Vec<Arc<Stream>>, verdict: impl Fn(&Stream) -> Option<Ended>) -> Closing {
        let mut waits = Vec::new();
        for stream in streams {
            let Some(why) = verdict(&stream) else { continue };
            if stream.end(why) {
                self.0.ended.fetch_add(1, Ordering::Relaxed);
            }
            waits.push(stream.life.subscribe());
        }
        Closing { waits }
    }

    /// Ends every stream under `key`, at once.
    pub fn cut(&self, key: LeaseKey, why: Ended) -> Closing {
        self.end_all(self.named(key), |_| Some(why))
    }

    /// Re-checks every stream under `key` and ends those whose decision no longer holds.
    pub fn recheck(&self, key: LeaseKey, now: Timestamp) -> Closing {
        self.end_all(self.named(key), |stream| stream.state(now).err())
    }

    /// Re-checks every open stream: the backstop, to be called at least every second.
    pub fn sweep(&self, now: Timestamp) -> Closing {
        self.end_all(self.all(), |stream| stream.state(now).err())
    }

    /// Sweeps every [`RECHECK_EVERY`] until `stop` changes or is dropped; `Access`'s maintenance runs it.
    pub async fn run(self, effects: base::Effects, mut stop: watch::Receiver<bool>) {
        let mut ticks = tokio::time::interval(RECHECK_EVERY);
        loop {
            tokio::select! {
                _ = ticks.tick() => drop(self.sweep(effects.now())),
                _ = stop.changed() => return,
            }
        }
    }

    /// Counts for metrics.
    pub fn counts(&self) -> LeaseCounts {
        LeaseCounts {
            open: u64::try_from(self.table().streams.len()).unwrap_or(u64::MAX),
            opened: self.0.opened.load(Ordering::Relaxed),
            ended: self.0.ended.load(Ordering::Relaxed),
            refused: self.0.refused.load(Ordering::Relaxed),
        }
    }

    fn remove(&self, id: u64) {
        let mut table = self.table();
        let Some(stream) = table.streams.remove(&id) else { return };
        for key in &stream.keys {
            table.by.remove(&(*key, id));
        }
    }
}

/// Streams that were told to stop. One is closed when its lease is dropped, or when it hands out by parts and is between
/// two: a peer that does not read cannot hold up a cut, and gets no further part.
#[must_use = "a cut holds only after the streams are closed: wait, or drop on purpose"]
pub struct Closing {
    waits: Vec<watch::Receiver<Life>>,
}

impl Closing {
    /// No stream at all.
    pub const fn none() -> Self {
        Self { waits: Vec::new() }
    }

    /// How many streams were told to stop.
    pub fn streams(&self) -> usize {
        self.waits.len()
    }

    /// Both sets together.
    pub fn and(mut self, other: Self) -> Self {
        self.waits.extend(other.waits);
        self
    }

    /// Waits until every stream is closed, at most `limit`; the number that were still open then.
    pub async fn wait(mut self, limit: Duration) -> usize {
        let all = async {
            while let Some(wait) = self.waits.last_mut() {
                // An error means that the sender, and with it the stream, is gone.
                drop(wait.wait_for(Life::is_silent).await);
                self.waits.pop();
            }
        };
        if tokio::time::timeout(limit, all).await.is_ok() {
            return 0;
        }
        self.waits.iter().filter(|wait| !wait.borrow().is_silent()).count()
    }
}

/// The right of one open stream to go on. Clones share it; when the last is dropped, the stream counts as closed.
#[derive(Clone)]
#[must_use = "a stream without its lease cannot be cut"]
pub struct Lease(Arc<Held>);

struct Held {
    id: u64,
    stream: Arc<Stream>,
    registry: Leases,
}

impl Lease {
    /// Whether the stream may send or take its next part; call it at each part.
    ///
    /// # Errors
    /// Why it must stop. Once ended it stays ended.
    pub fn check(&self, now: Timestamp) -> Result<(), Ended> {
        let verdict = self.0.stream.state(now);
        if let Err(why) = verdict
            && self.0.stream.end(why)
        {
            self.0.registry.0.ended.fetch_add(1, Ordering::Relaxed);
        }
        verdict
    }

    /// Takes the right to make and hand out one part, as [`Lease::check`]; hold it until the part is handed out. A stream
    /// that does so for every part does not hold up a cut while it waits for a slow peer between two of them.
    ///
    /// # Errors
    /// Why it must stop.
    pub fn part(&self, now: Timestamp) -> Result<Part, Ended> {
        // Busy first, the check after: whoever cuts marks the end first and looks for busy streams after, so one of the
        // two sees the other.
        self.0.stream.change(|life| {
            life.by_parts = true;
            life.busy = life.busy.saturating_add(1);
        });
        let part = Part(Arc::clone(&self.0));
        self.check(now).map(|()| part)
    }

    /// Does `act` once when the stream must stop: for a peer that reads too slowly to notice. Quick, and once a lease.
    pub fn at_end(&self, act: impl Fn() + Send + Sync + 'static) {
        let stream = &self.0.stream;
        if stream.at_end.set(Box::new(act)).is_ok()
            && self.is_ended()
            && let Some(act) = stream.at_end.get()
        {
            act();
        }
    }

    /// Whether it was told to stop, without a re-check.
    pub fn is_ended(&self) -> bool {
        self.0.stream.ended.borrow().is_some()
    }

    /// Completes when the stream must stop: select on it beside a slow peer. Cancel-safe.
    pub async fn ended(&self) -> Ended {
        let mut watch = self.0.stream.ended.subscribe();
        match watch.wait_for(Option::is_some).await {
            Ok(why) => (*why).unwrap_or(Ended::Cut),
            Err(_) => Ended::Cut,
        }
    }
}

/// One part that is being made and handed out under a lease.
#[must_use = "hold it until the part is handed out"]
pub struct Part(Arc<Held>);

impl Drop for Part {
    fn drop(&mut self) {
        self.0.stream.change(|life| life.busy = life.busy.saturating_sub(1));
    }
}

impl std::fmt::Debug for Lease {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Lease({})", self.0.id)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.registry.remove(self.id);
        self.stream.change(|life| life.closed = true);
    }
}
