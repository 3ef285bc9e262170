//! What all threads of one open store share: its folds, its clock, its hooks and its wake-ups.
//!
//! It must not know engines. INVARIANT: hooks see the changes of this process in commit order, each once, before
//! the change is acknowledged.

use arc_swap::ArcSwap;
use base::{ChangeId, Effects, NodeId, Region};
use std::{
    any::Any,
    collections::HashMap,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicBool, Ordering},
    },
};
use tokio::sync::{Notify, watch};

use crate::{Error, Fact, Fold, Position, clock::HybridClock};

/// Is told of every change with facts, after COMMIT and before the acknowledgement, in commit order.
pub trait CommitHook: Send + Sync {
    /// Takes the facts of one change. It must be quick and must not call the store.
    fn committed(&self, facts: &[Fact], position: Position);
}

/// What one committed change left behind.
pub(crate) struct Change {
    pub(crate) id: ChangeId,
    pub(crate) facts: Vec<Fact>,
    pub(crate) position: Option<Position>,
    pub(crate) pending: bool,
    pub(crate) erased: bool,
    /// As [`crate::WriteTxn::hold`].
    pub(crate) _held: Vec<Box<dyn Any + Send>>,
}

pub(crate) struct Shared {
    pub(crate) region: Region,
    pub(crate) node: NodeId,
    pub(crate) effects: Effects,
    pub(crate) clock: HybridClock,
    pub(crate) folds: Vec<Arc<dyn Fold>>,
    /// The id under which this process folds and reads each view.
    pub(crate) views: ArcSwap<HashMap<&'static str, i64>>,
    pub(crate) position: watch::Sender<Position>,
    pub(crate) pending: Arc<Notify>,
    hooks: RwLock<Vec<Arc<dyn CommitHook>>>,
    halted: AtomicBool,
}

impl Shared {
    pub(crate) fn new(region: Region, node: NodeId, effects: Effects, folds: Vec<Arc<dyn Fold>>) -> Self {
        Self {
            region,
            node,
            clock: HybridClock::new(effects.clone()),
            effects,
            folds,
            views: ArcSwap::default(),
            position: watch::Sender::new(Position::START),
            pending: Arc::new(Notify::new()),
            hooks: RwLock::default(),
            halted: AtomicBool::new(false),
        }
    }

    pub(crate) fn hook(&self, hook: Arc<dyn CommitHook>) {
        self.hooks.write().unwrap_or_else(PoisonError::into_inner).push(hook);
    }

    pub(crate) fn running(&self) -> Result<(), Error> {
        if self.halted.load(Ordering::Acquire) { Err(Error::Halted) } else { Ok(()) }
    }

    /// Refuses all further work: memory may be behind the store.
    pub(crate) fn halt(&self) {
        self.halted.store(true, Ordering::Release);
    }

    /// Calls the hooks for one change. A hook that panics leaves memory behind the store, so the store halts.
    pub(crate) fn deliver(&self, facts: &[Fact], position: Position) {
        let hooks = self.hooks.read().unwrap_or_else(PoisonError::into_inner);
        for hook in hooks.iter() {
            if catch_unwind(AssertUnwindSafe(|| hook.committed(facts, position))).is_err() {
                tracing::error!(%position, "a commit hook panicked; the store is halted until the process restarts");
                self.halt();
            }
        }
    }

    /// Wakes the readers of the feed.
    pub(crate) fn moved(&self, change: &Change) {
        if let Some(position) = change.position {
            self.position.send_if_modified(|newest| {
                let later = position > *newest;
                *newest = (*newest).max(position);
                later
            });
        }
    }
}
