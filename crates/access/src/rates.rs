//! Counters of requests a second, one a caller, for both edges. They know no request and no answer.
//!
//! A table is bounded: past its bound, callers that have been quiet are forgotten, and if many are left, all are. Who calls from so
//! many places is not slowed by counting them, and must cost neither memory nor a walk through the table at every request.

use arc_swap::ArcSwap;
use base::Effects;
use governor::{
    Quota, RateLimiter, clock::Clock, middleware::NoOpMiddleware, nanos::Nanos, state::keyed::DashMapStateStore,
};
use std::{hash::Hash, num::NonZeroU32, sync::Arc, time::Duration};

/// Most callers that one table remembers: at about 100 bytes each, some megabytes.
const CALLERS_MAX: usize = 65_536;

#[derive(Clone)]
struct MonotonicClock(Effects);

impl Clock for MonotonicClock {
    type Instant = Nanos;
    fn now(&self) -> Nanos {
        Nanos::from(self.0.monotonic())
    }
}

type Counters<K> = RateLimiter<K, DashMapStateStore<K>, MonotonicClock, NoOpMiddleware<Nanos>>;

/// Counters of callers of one kind.
pub struct Table<K: Hash + Eq + Clone> {
    quota: Quota,
    clock: MonotonicClock,
    counters: ArcSwap<Counters<K>>,
}

impl<K: Hash + Eq + Clone> Table<K> {
    /// Counters at zero. A caller that was quiet may make `burst` requests at once, and `per_second` requests a second after.
    pub fn new(effects: Effects, per_second: NonZeroU32, burst: NonZeroU32) -> Self {
        let (quota, clock) = (Quota::per_second(per_second).allow_burst(burst), MonotonicClock(effects));
        Self { quota, counters: ArcSwap::new(counters(quota, &clock)), clock }
    }

    /// Counts a request of this caller.
    ///
    /// # Errors
    /// When it has used up its share: how long until it may ask again.
    pub fn take(&self, caller: &K) -> Result<(), Duration> {
        let counted = self.counters.load();
        if counted.len() >= CALLERS_MAX {
            counted.retain_recent();
            if counted.len() > CALLERS_MAX / 2 {
                self.counters.store(counters(self.quota, &self.clock));
            }
        }
        counted.check_key(caller).map_err(|until| until.wait_time_from(self.clock.now()))
    }
}

fn counters<K: Hash + Eq + Clone>(quota: Quota, clock: &MonotonicClock) -> Arc<Counters<K>> {
    Arc::new(RateLimiter::dashmap_with_clock(quota, clock.clone()))
}

#[cfg(test)]
mod tests;
