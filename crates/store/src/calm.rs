//! Whether callers who want something made durable rarely meet: then each does it on its own thread.
//!
//! It must not know what they write. INVARIANT: a wrong guess costs time alone.

use std::sync::atomic::{AtomicU32, Ordering};
use tokio::runtime::{Handle, RuntimeFlavor};

/// How calm it must be for a caller to be taken to be alone: callers who come together share a sync on the writer's thread,
/// which a single one on a caller's thread would only delay.
const CALM_MIN: u32 = 8;
/// The calmest: so that a burst is noticed after some changes.
const CALM_MAX: u32 = 16;
/// What a meeting takes from the calm, to which each caller who met no other adds one: the relay to the ledger, which comes
/// after some ten changes, does not make a crowd of a lone caller.
const MEETING: u32 = 4;

/// How rarely callers met of late, from 0 to [`CALM_MAX`].
#[derive(Default)]
pub(crate) struct Calm(AtomicU32);

impl Calm {
    /// Whether the caller may be taken to be alone, and blocks no other task of its runtime by what it does itself.
    pub(crate) fn holds(&self) -> bool {
        let elsewhere = || Handle::try_current().is_ok_and(|at| at.runtime_flavor() == RuntimeFlavor::MultiThread);
        self.0.load(Ordering::Relaxed) >= CALM_MIN && elsewhere()
    }

    /// Notes whether a caller was alone.
    pub(crate) fn note(&self, alone: bool) {
        let calm = self.0.load(Ordering::Relaxed);
        let next = if alone { calm.saturating_add(1).min(CALM_MAX) } else { calm.saturating_sub(MEETING) };
        // Of two that note at once one may be lost: it is a guess.
        self.0.store(next, Ordering::Relaxed);
    }
}
