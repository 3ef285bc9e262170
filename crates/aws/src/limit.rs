//! Rate limits, by source before a caller is known and by principal after.
//!
//! Each table is bounded: past its bound, callers that have been quiet are forgotten first, and if that does not help a
//! new caller is refused rather than remembered.

use base::{Actor, Effects};
use governor::{
    Quota, RateLimiter, clock::Clock, middleware::NoOpMiddleware, nanos::Nanos, state::keyed::DashMapStateStore,
};
use protocols::peer::network;
use std::{hash::Hash, net::IpAddr, num::NonZeroU32, time::Duration};

use crate::options::Rates;

/// Most callers that one table remembers: at about 100 bytes each, some megabytes.
const CALLERS_MAX: usize = 65_536;
/// Seconds' worth of requests that a quiet caller may make at once.
const BURST_SECONDS: u32 = 10;

#[derive(Clone)]
struct MonotonicClock(Effects);

impl Clock for MonotonicClock {
    type Instant = Nanos;
    fn now(&self) -> Nanos {
        Nanos::from(self.0.monotonic())
    }
}

type Keyed<K> = RateLimiter<K, DashMapStateStore<K>, MonotonicClock, NoOpMiddleware<Nanos>>;

/// The caller has made too many requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooMany {
    /// When to try again.
    pub(crate) retry_after: Duration,
}

pub(crate) struct Limits {
    clock: MonotonicClock,
    sources: Keyed<IpAddr>,
    principals: Keyed<Actor>,
}

impl Limits {
    pub(crate) fn new(effects: Effects, rates: Rates) -> Self {
        let clock = MonotonicClock(effects);
        let table = |per_second: NonZeroU32| {
            let burst = per_second.saturating_mul(NonZeroU32::new(BURST_SECONDS).unwrap_or(NonZeroU32::MIN));
            Quota::per_second(per_second).allow_burst(burst)
        };
        Self {
            sources: RateLimiter::dashmap_with_clock(table(rates.source_per_second), clock.clone()),
            principals: RateLimiter::dashmap_with_clock(table(rates.principal_per_second), clock.clone()),
            clock,
        }
    }

    /// # Errors
    /// [`TooMany`] when this source has used up its share.
    pub(crate) fn source(&self, source: Option<IpAddr>) -> Result<(), TooMany> {
        source.map_or(Ok(()), |address| self.take(&self.sources, network(address)))
    }

    /// # Errors
    /// [`TooMany`] when this principal has used up its share.
    pub(crate) fn principal(&self, actor: Actor) -> Result<(), TooMany> {
        self.take(&self.principals, actor)
    }

    fn take<K: Hash + Eq + Clone>(&self, table: &Keyed<K>, key: K) -> Result<(), TooMany> {
        if table.len() >= CALLERS_MAX {
            table.retain_recent();
            table.shrink_to_fit();
            if table.len() >= CALLERS_MAX {
                return Err(TooMany { retry_after: Duration::from_secs(1) });
            }
        }
        table.check_key(&key).map_err(|until| TooMany { retry_after: until.wait_time_from(self.clock.now()) })
    }
}

#[cfg(test)]
mod tests;
