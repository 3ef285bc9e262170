//! The store as its callers see it: one concrete, cheaply cloned value over whichever engine was chosen.
//!
//! It must not know statements. INVARIANT: no answer before COMMIT and the hooks.

use base::{Actor, Effects, NodeId, Region, Secret};
use std::{path::PathBuf, sync::Arc, time::Duration};
use tokio::sync::{Notify, oneshot, watch};

use crate::{
    CommitHook, Committed, Error, FeedPage, Fold, PendingEntry, Position, ReadTxn, Record, Report, WriteTxn,
    job::{Read, ReadJob, Write, WriteJob},
    pg::{Delivery, Postgres},
    shared::Shared,
    sqlite::Sqlite,
};

/// Where the state is kept.
#[derive(Clone)]
pub enum Backend {
    /// A SQLite file in this folder, for one process.
    Sqlite {
        /// The folder; it is made if it is not there.
        dir: PathBuf,
    },
    /// A PostgreSQL 18 database that only Galen uses.
    Postgres {
        /// `postgresql://user:password@host/database?sslrootcert=FILE`: TLS, verified against the certificates in FILE.
        /// Without `sslrootcert` only loopback, a Unix socket (`?host=/folder`), or with `sslmode=disable`.
        url: Secret<String>,
        /// Connections of this process, at least 2: half of them write.
        connections: u16,
    },
}

/// Everything that a store needs to open.
#[derive(Clone)]
pub struct Options {
    /// Where the state is kept.
    pub backend: Backend,
    /// The region whose facts this process records.
    pub region: Region,
    /// This process.
    pub node: NodeId,
    /// Time and randomness.
    pub effects: Effects,
    /// All views of the program; a process with fewer can read but not add facts.
    pub folds: Vec<Arc<dyn Fold>>,
    /// How far the wall clock may be behind the newest fact at the start.
    pub clock_back_max: Duration,
}

impl Options {
    /// The usual bound for `clock_back_max`: more than a leap second or a step of a time service, less than a wrong time zone.
    pub const CLOCK_BACK_MAX: Duration = Duration::from_secs(60);

    /// A SQLite store in `dir` with the usual bound and no views.
    pub fn sqlite(dir: impl Into<PathBuf>, region: Region, node: NodeId, effects: Effects) -> Self {
        Self {
            backend: Backend::Sqlite { dir: dir.into() },
            region,
            node,
            effects,
            folds: Vec::new(),
            clock_back_max: Self::CLOCK_BACK_MAX,
        }
    }
}

enum Engine {
    Sqlite(Sqlite),
    Postgres(Postgres),
}

struct Inner {
    engine: Engine,
    shared: Arc<Shared>,
}

/// The state of one Galen installation; clones share it.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

impl Store {
    /// Opens the store, runs missing migrations and rebuilds views whose fold version changed. It blocks.
    ///
    /// # Errors
    /// A store of a newer Galen, a torn one, one that another process uses, or a clock that went back.
    pub fn open(options: Options) -> Result<Self, Error> {
        let Options { backend, region, node, effects, folds, clock_back_max } = options;
        let shared = Arc::new(Shared::new(region, node, effects, folds));
        let engine = match backend {
            Backend::Sqlite { dir } => {
                Engine::Sqlite(Sqlite::open(&dir, &shared, |run| crate::open::prepare(clock_back_max, run))?)
            }
            Backend::Postgres { url, connections } => {
                let engine =
                    Postgres::open(url.expose(), connections, &shared, |run| crate::open::prepare(clock_back_max, run));
                Engine::Postgres(engine?)
            }
        };
        Ok(Self { inner: Arc::new(Inner { engine, shared }) })
    }

    /// Opens a store that is there, only to read it: to verify or to export it, beside the server that writes it. It
    /// migrates and rebuilds nothing. It blocks.
    ///
    /// # Errors
    /// As [`Self::open`], and [`Error::Outdated`] for a store that this program's server has not brought up to date.
    pub fn open_to_read(options: Options) -> Result<Self, Error> {
        let Options { backend, region, node, effects, folds, clock_back_max: _ } = options;
        let shared = Arc::new(Shared::new(region, node, effects, folds));
        let engine = match backend {
            Backend::Sqlite { dir } => Engine::Sqlite(Sqlite::open_to_read(&dir, &shared)?),
            Backend::Postgres { url, connections } => {
                Engine::Postgres(Postgres::open_to_read(url.expose(), connections, &shared)?)
            }
        };
        Ok(Self { inner: Arc::new(Inner { engine, shared }) })
    }

    /// Runs one change. The closure is synchronous and may run again (PostgreSQL serialisation failures), so it has no
    /// effects but those on its transaction. After `Ok` the change is durable and the hooks have seen it. A caller that
    /// goes away does not stop a change that already waits for its turn.
    ///
    /// # Errors
    /// What the closure returns, or why the change could not be committed; nothing of it is kept then.
    pub async fn write<T, E, F>(&self, by: Actor, closure: F) -> Result<Committed<T>, E>
    where
        T: Send + 'static,
        E: From<Error> + Send + 'static,
        F: FnMut(&mut WriteTxn<'_>) -> Result<T, E> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let job: Box<dyn WriteJob> = Box::new(Write { by, closure, value: None, reply });
        match &self.inner.engine {
            Engine::Sqlite(engine) => engine.write(job).await,
            Engine::Postgres(engine) => engine.write(job).await,
        }
        answer.await.unwrap_or_else(|_| Err(E::from(Error::Closed)))
    }

    /// Runs a closure over one snapshot. On SQLite it runs on the caller's thread and takes microseconds.
    ///
    /// # Errors
    /// What the closure returns, or that no snapshot could be had.
    pub async fn read<T, E, F>(&self, closure: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<Error> + Send + 'static,
        F: FnOnce(&ReadTxn<'_>) -> Result<T, E> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let job: Box<dyn ReadJob> = Box::new(Read { closure, reply });
        match &self.inner.engine {
            Engine::Sqlite(engine) => engine.read(&self.inner.shared, job).await,
            Engine::Postgres(engine) => engine.read(job).await,
        }
        answer.await.unwrap_or_else(|_| Err(E::from(Error::Closed)))
    }

    /// As [`ReadTxn::record_prefix`] alone, from the beginning of the prefix. One statement is its own snapshot: on SQLite it
    /// needs no transaction around it.
    ///
    /// # Errors
    /// The engine's.
    pub async fn record_prefix(
        &self,
        class: &'static str,
        prefix: Vec<u8>,
        limit: usize,
    ) -> Result<Vec<(Vec<u8>, Record)>, Error> {
        match &self.inner.engine {
            Engine::Sqlite(engine) => engine.record_prefix(&self.inner.shared, class, &prefix, limit).await,
            Engine::Postgres(_) => self.read(move |txn| txn.record_prefix(class, &prefix, None, limit)).await,
        }
    }

    /// Runs a closure that may take minutes over one snapshot, on a thread of the store.
    pub(crate) async fn long_read<T, F>(&self, closure: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: FnOnce(&ReadTxn<'_>) -> Result<T, Error> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let job: Box<dyn ReadJob> = Box::new(Read { closure, reply });
        match &self.inner.engine {
            Engine::Sqlite(engine) => engine.long_read(&self.inner.shared, job),
            Engine::Postgres(engine) => engine.read(job).await,
        }
        answer.await.unwrap_or(Err(Error::Closed))
    }

    /// Refolds everything and compares; checks every digest and number. Minutes for millions of facts; nothing waits for it.
    ///
    /// # Errors
    /// Only that it could not be done; what is wrong with the store is in the report.
    pub async fn verify(&self) -> Result<Report, Error> {
        self.long_read(crate::verify::verify).await
    }

    /// Adds a hook that sees every change from now on, in commit order. Load memory first with the position of the
    /// snapshot ([`ReadTxn::position`]) and skip what a hook reports at or before it, or hook before anybody writes.
    pub fn on_commit(&self, hook: Arc<dyn CommitHook>) {
        self.inner.shared.hook(hook);
    }

    /// Delivers to the hooks what other nodes have committed; how many facts. The owner calls it at least every 250 ms.
    /// On SQLite there are no other nodes.
    ///
    /// # Errors
    /// The engine's; memory gets no fresher then.
    pub async fn follow(&self) -> Result<usize, Error> {
        match &self.inner.engine {
            Engine::Sqlite(_) => self.inner.shared.running().map(|()| 0),
            Engine::Postgres(engine) => {
                let _turn = engine.delivery.turn().await;
                self.look(&engine.delivery).await
            }
        }
    }

    /// Everything that was committed when it began is delivered when it ends.
    async fn look(&self, delivery: &Arc<Delivery>) -> Result<usize, Error> {
        let (began, mut facts) = (self.inner.shared.effects.monotonic(), 0_usize);
        loop {
            let delivering = Arc::clone(delivery);
            let page = self.read(move |txn| delivering.follow(txn)).await?;
            facts = facts.saturating_add(page);
            if page == 0 {
                delivery.seen(began);
                return Ok(facts);
            }
        }
    }

    /// How old memory may be: the time since everything that was committed was known to be delivered to the hooks. On
    /// SQLite there are no other nodes and it is never old.
    pub fn age(&self) -> Duration {
        match &self.inner.engine {
            Engine::Sqlite(_) => Duration::ZERO,
            Engine::Postgres(engine) => engine.delivery.age(self.inner.shared.effects.monotonic()),
        }
    }

    /// Whether memory is no older than `bound`; if it is, looks at once, for at most `bound`.
    pub async fn fresh_within(&self, bound: Duration) -> bool {
        let Engine::Postgres(engine) = &self.inner.engine else { return true };
        let look = async {
            let _turn = engine.delivery.turn().await;
            // Whoever had the turn before may have looked for us.
            self.age() <= bound || self.look(&engine.delivery).await.is_ok()
        };
        self.age() <= bound || tokio::time::timeout(bound, look).await.unwrap_or(false)
    }

    /// Facts and events after a position, in feed order.
    ///
    /// # Errors
    /// The engine's.
    pub async fn feed(&self, after: Position, limit: usize) -> Result<FeedPage, Error> {
        self.read(move |txn| txn.feed(after, limit)).await
    }

    /// The newest position that this process knows of; wakes a reader of the feed.
    pub fn feed_wake(&self) -> watch::Receiver<Position> {
        self.inner.shared.position.subscribe()
    }

    /// This node's oldest pending ledger entries.
    ///
    /// # Errors
    /// The engine's.
    pub async fn pending_page(&self, limit: usize) -> Result<Vec<PendingEntry>, Error> {
        self.read(move |txn| txn.pending_page(limit)).await
    }

    /// Is notified after every commit with pending entries; wakes the relay.
    pub fn pending_wake(&self) -> Arc<Notify> {
        Arc::clone(&self.inner.shared.pending)
    }

    /// Deletes expired records, in changes of at most `page` each; how many.
    ///
    /// # Errors
    /// The engine's.
    pub async fn expire(&self, page: usize) -> Result<u64, Error> {
        let mut swept = 0_u64;
        loop {
            let gone = self.write(Actor::System, move |txn| txn.records_expire(page)).await?.value;
            swept = swept.saturating_add(gone);
            if gone == 0 || usize::try_from(gone).unwrap_or(usize::MAX) < page {
                return Ok(swept);
            }
        }
    }

    /// Whether the store still answers: one whose memory may be behind it does not. For who answers from memory alone.
    ///
    /// # Errors
    /// [`Error::Halted`].
    pub fn running(&self) -> Result<(), Error> {
        self.inner.shared.running()
    }

    /// Whether no other process can change what is stored while it is open here, so that what was read may be remembered.
    /// A store that is only read has its writer elsewhere.
    pub fn sole_writer(&self) -> bool {
        matches!(&self.inner.engine, Engine::Sqlite(engine) if engine.writes())
    }

    /// The region whose facts this process records.
    pub fn region(&self) -> &Region {
        &self.inner.shared.region
    }

    /// This process.
    pub fn node(&self) -> NodeId {
        self.inner.shared.node
    }
}
