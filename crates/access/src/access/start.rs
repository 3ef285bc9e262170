//! Building `Access`: views into the index, the hook that keeps it true, and the task that keeps it small.

use base::{AccountId, Effects, Region};
use crypto::Crypto;
use custody::Custody;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::time::Duration;
use store::journal::Journal;
use store::{CommitHook, Fact, Position, Store};
use tokio::sync::watch;

use super::{Access, Inner, continuity};
use crate::documents::{FromTxn, Library, Loading};
use crate::epoch::Epochs;
use crate::index::{Index, MemoryReport, World};
use crate::recorder::{Log, Recorder};
use crate::sessions::CustodyKeys;
use crate::{Error, Leases, SessionDeps, Sessions};

/// What `Access` stands on. The store was opened with [`folds`] among its folds.
pub struct Deps {
    /// Facts, views and documents.
    pub store: Store,
    /// Keys of people, for the sealed part of entries.
    pub custody: Custody,
    /// The ledger of this node.
    pub journal: Arc<Journal>,
    /// Hashes and randomness.
    pub crypto: Crypto,
    /// Clock and entropy.
    pub effects: Effects,
    /// The region of this node.
    pub region: Region,
    /// The account of management resources.
    pub account: AccountId,
}

/// Every fold of this crate, for `store::Options`.
pub fn folds() -> Vec<Arc<dyn store::Fold>> {
    crate::facts::folds().into_iter().chain(crate::epoch::folds()).collect()
}

/// How often background work is looked for when nothing wakes it: outcomes, read windows and merges.
const MAINTENANCE_EVERY: Duration = Duration::from_millis(100);

/// Shortest time between two relays while changes come one after the other: forgetting what was relayed is a commit of its
/// own, which the next change would wait for. The first after a pause is relayed at once.
const RELAY_EVERY: Duration = Duration::from_millis(20);

/// How often decisions are indexed for "why": a newer one is found in the tail of the log.
const INDEX_EVERY: Duration = Duration::from_secs(1);
/// How often the store remembers the ledger's newest checkpoint: about as often as there is a new one.
const REMEMBER_EVERY: Duration = Duration::from_secs(1);
/// Rounds of the index of decisions at once; then the other work has its turn.
const INDEX_ROUNDS: usize = 8;

impl Access {
    /// Loads the index, joins the store's commits, closes what a crash left open, and answers from then on.
    ///
    /// # Errors
    /// Those of the store and of the ledger.
    pub async fn start(deps: Deps) -> Result<(Self, Maintenance), Error> {
        let Deps { store, custody, journal, crypto, effects, region, account } = deps;
        let library = Arc::new(Library::default());
        // The hook first, the views after: what is committed in between waits, and is taken by its position.
        let index = Arc::new(Index::new(World::default()));
        let keys = Arc::new(CustodyKeys::new(custody.clone()));
        let session_deps = SessionDeps { store: store.clone(), keys, crypto: crypto.clone(), effects: effects.clone() };
        let sessions = Sessions::new(session_deps, Epochs::default(), Leases::default());
        let hook = Arc::new(Hook::new(Arc::clone(&index), Arc::clone(&library), sessions.epochs().clone()));
        store.on_commit(Arc::clone(&hook) as Arc<dyn CommitHook>);
        let keep = Arc::clone(&library);
        let load = move |txn: &store::ReadTxn<'_>| {
            let world = World::load(txn, &Loading(FromTxn(txn), &keep))?;
            Ok::<_, Error>((world, txn.position()?))
        };
        let loaded = store.read(load).await?;
        hook.begin(loaded.0, loaded.1);
        sessions.epochs().load(&store).await?;
        continuity::check(&store, &journal).await?;
        let log = Log::new(journal);
        let recorder = Recorder::start(log, store.clone(), custody.clone(), effects.clone(), region.clone()).await?;
        let inner = Inner { store, custody, crypto, effects, region, account, index, library, recorder, sessions };
        let access = Self(Arc::new(inner));
        hook.follow(&access.0);
        let maintenance = Maintenance { access: access.clone() };
        Ok((access, maintenance))
    }

    /// The store.
    pub fn store(&self) -> &Store {
        &self.0.store
    }
    /// Custody.
    pub fn custody(&self) -> &Custody {
        &self.0.custody
    }
    /// Hashes and randomness.
    pub fn crypto(&self) -> &Crypto {
        &self.0.crypto
    }
    /// Clock and entropy.
    pub fn effects(&self) -> &Effects {
        &self.0.effects
    }
    /// The region of this node.
    pub fn region(&self) -> &Region {
        &self.0.region
    }
    /// The account of management resources.
    pub fn account(&self) -> AccountId {
        self.0.account
    }
    /// This node.
    pub fn node(&self) -> base::NodeId {
        self.0.store.node()
    }
    /// The role sessions of this node.
    pub fn sessions(&self) -> &Sessions {
        &self.0.sessions
    }
    /// The epochs that hold on this node.
    pub fn epochs(&self) -> &Epochs {
        self.0.sessions.epochs()
    }
    /// The open streams of this node.
    pub fn leases(&self) -> &Leases {
        self.0.sessions.leases()
    }
    /// The ledger of this node.
    pub fn journal(&self) -> &Arc<Journal> {
        self.0.recorder.log().journal()
    }
    /// The wall clock.
    pub fn now(&self) -> base::Timestamp {
        self.0.effects.now()
    }
    /// How much memory the index holds.
    pub fn memory(&self) -> MemoryReport {
        self.0.index.world().memory()
    }

    /// Checks a policy document, stores it in `txn` and keeps it compiled, so that the commit which cites it takes
    /// effect at once.
    ///
    /// # Errors
    /// As [`crate::documents::put`].
    pub fn put_document(
        &self,
        txn: &mut store::WriteTxn<'_>,
        text: &str,
        kind: policy::DocumentKind,
    ) -> Result<crypto::Sha256Digest, Error> {
        let document = crate::documents::check(text, kind)?;
        self.0.library.prepare(&document);
        crate::documents::put(txn, text, kind)
    }
}

/// A change that came before the views were loaded.
type Waiting = (Position, Vec<Fact>);

/// Feeds the index from commits. Until the views are loaded, facts wait.
struct Hook {
    index: Arc<Index>,
    library: Arc<Library>,
    epochs: Epochs,
    /// Weak, since the store owns the hook and `Inner` the store.
    follower: OnceLock<Weak<Inner>>,
    waiting: Mutex<Option<Vec<Waiting>>>,
}

impl Hook {
    fn new(index: Arc<Index>, library: Arc<Library>, epochs: Epochs) -> Self {
        Self { index, library, epochs, follower: OnceLock::new(), waiting: Mutex::new(Some(Vec::new())) }
    }

    /// Names whose open streams a change ends. Before that there are none.
    fn follow(&self, inner: &Arc<Inner>) {
        self.follower.get_or_init(|| Arc::downgrade(inner));
    }

    /// Takes the world that was loaded at `position`, then the changes that came after it.
    fn begin(&self, world: World, position: Position) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        self.index.begin(world);
        for (_, facts) in waiting.take().unwrap_or_default().into_iter().filter(|(at, _)| *at > position) {
            self.index.apply(&facts, &*self.library);
        }
    }
}

impl CommitHook for Hook {
    fn committed(&self, facts: &[Fact], position: Position) {
        {
            let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            match waiting.as_mut() {
                Some(waiting) => waiting.push((position, facts.to_vec())),
                None => self.index.apply(facts, &*self.library),
            }
        }
        // The index first, the epochs next, the open streams last: each re-check reads the ones before it.
        self.epochs.apply(facts);
        if let Some(inner) = self.follower.get().and_then(Weak::upgrade) {
            inner.sessions.after_commit(facts);
        }
    }
}

/// The background work of `Access`; `app` runs it on one task until shutdown.
#[must_use = "without its maintenance, entries are not relayed to the ledger"]
pub struct Maintenance {
    access: Access,
}

impl Maintenance {
    /// Puts the rows of new sessions into the store, relays pending entries to the ledger, flushes counters, merges the
    /// index, brings documents, re-checks open streams, until `stop` changes or is dropped; then once more, so that nothing
    /// committed is left behind.
    pub async fn run(self, stop: watch::Receiver<bool>) {
        let sweeping = self.access.leases().clone().run(self.access.effects().clone(), stop.clone());
        tokio::join!(sweeping, self.rounds(stop));
    }

    async fn rounds(&self, mut stop: watch::Receiver<bool>) {
        let (mut indexed, mut behind) = (Duration::ZERO, false);
        let (mut looked, mut remembered) = (Duration::ZERO, 0);
        let wake = self.access.0.store.pending_wake();
        loop {
            let pause = if self.round().await { RELAY_EVERY } else { Duration::ZERO };
            let now = self.access.0.effects.monotonic();
            // Behind a burst the next page does not wait: what is not indexed is looked for entry by entry.
            if behind || now.saturating_sub(indexed) >= INDEX_EVERY {
                indexed = now;
                behind = self.index().await;
            }
            if now.saturating_sub(looked) >= REMEMBER_EVERY {
                looked = now;
                remembered = self.remember(remembered).await;
            }
            let committed = async { tokio::join!(wake.notified(), tokio::time::sleep(pause)) };
            tokio::select! {
                _ = committed => {}
                () = tokio::time::sleep(MAINTENANCE_EVERY) => {}
                _ = stop.changed() => break,
            }
        }
        self.once().await;
        self.access.0.recorder.close().await;
        if self.access.journal().publish().await.is_ok() {
            self.remember(remembered).await;
        }
    }

    /// Everything once, for tests and for a clean stop.
    pub async fn once(&self) {
        self.round().await;
        self.index().await;
    }

    /// Indexes some rounds of decisions; whether more wait.
    async fn index(&self) -> bool {
        for _ in 0..INDEX_ROUNDS {
            match self.access.index_round().await {
                Ok(done) if done.entries < done.of => {}
                Ok(_) => return false,
                Err(error) => {
                    tracing::warn!(error = %base_chain(&error), "decisions cannot be indexed now");
                    return false;
                }
            }
        }
        true
    }

    async fn remember(&self, remembered: u64) -> u64 {
        let (store, journal) = (&self.access.0.store, self.access.journal());
        continuity::remember(store, journal, remembered).await.unwrap_or_else(|error| {
            tracing::warn!(error = %base_chain(&error), "the ledger's checkpoint cannot be remembered now");
            remembered
        })
    }

    /// Whether committed changes were relayed.
    async fn round(&self) -> bool {
        self.access.heal().await;
        self.access.0.recorder.settle().await;
        if let Err(error) = self.access.sessions().keep().await {
            tracing::error!(error = %base_chain(&error), "sessions wait for the store");
        }
        let relayed = self.access.0.recorder.relay().await.unwrap_or_else(|error| {
            tracing::error!(error = %base_chain(&error), "committed changes wait for the ledger");
            0
        });
        self.access.0.recorder.tick().await;
        self.access.0.index.merge();
        relayed > 0
    }
}

fn base_chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
