//! The hybrid clock of one process: follows the wall clock, never goes back, never gives one time twice.
//!
//! It must not know where the last time is stored; the store shows it every time that it reads one.

use base::{Effects, Timestamp};
use std::sync::atomic::{AtomicI64, Ordering};

use crate::Hlc;

pub(crate) struct HybridClock {
    effects: Effects,
    last: AtomicI64,
}

impl HybridClock {
    pub(crate) const fn new(effects: Effects) -> Self {
        Self { effects, last: AtomicI64::new(0) }
    }

    /// A time after every time seen or given so far.
    pub(crate) fn tick(&self) -> Hlc {
        let wall = self.effects.now().as_microsecond();
        let next = |last: i64| Some(wall.max(last.saturating_add(1)));
        let before = self.last.fetch_update(Ordering::AcqRel, Ordering::Acquire, next).unwrap_or_else(|last| last);
        Hlc::from_micros(wall.max(before.saturating_add(1)))
    }

    /// Takes note of a time made elsewhere.
    pub(crate) fn observe(&self, seen: Hlc) {
        self.last.fetch_max(seen.micros(), Ordering::AcqRel);
    }

    /// The time for a reader: at or after every time given so far, so that a reader sees what is stored as past.
    pub(crate) fn read(&self) -> Hlc {
        Hlc::from_micros(self.wall().as_microsecond().max(self.last.load(Ordering::Acquire)))
    }

    pub(crate) fn wall(&self) -> Timestamp {
        self.effects.now()
    }
}
