//! Rates: how many requests a second one source and one principal may make on this edge.
//!
//! Each table is bounded: past its bound, callers that have been quiet are forgotten, and if many are left, all are. Who calls from so
//! many places is not slowed by counting them, and must cost neither memory nor a walk through the table at every request.

use arc_swap::ArcSwap;
use base::{ErrorKind, SessionId};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use protocols::peer::network;
use std::{hash::Hash, net::IpAddr, num::NonZeroU32, sync::Arc};

use crate::api::Problem;

/// Most callers that one table remembers: at about 100 bytes each, some megabytes.
const CALLERS_MAX: usize = 65_536;

/// Requests a second.
#[derive(Clone, Copy, Debug)]
pub struct Rates {
    /// Of one source address.
    pub per_source: NonZeroU32,
    /// Of one session.
    pub per_principal: NonZeroU32,
}

/// Counters of callers of one kind.
pub(crate) struct Table<K: Hash + Eq + Clone> {
    per_second: NonZeroU32,
    counters: ArcSwap<DefaultKeyedRateLimiter<K>>,
}

impl<K: Hash + Eq + Clone> Table<K> {
    /// Counters at zero. A burst may be as large as one second's allowance.
    pub(crate) fn new(per_second: NonZeroU32) -> Self {
        Self { per_second, counters: ArcSwap::new(Self::counters(per_second)) }
    }

    fn counters(per_second: NonZeroU32) -> Arc<DefaultKeyedRateLimiter<K>> {
        Arc::new(RateLimiter::keyed(Quota::per_second(per_second)))
    }

    /// Whether this caller may make another request now.
    pub(crate) fn admits(&self, caller: &K) -> bool {
        let counters = self.counters.load();
        if counters.len() >= CALLERS_MAX {
            counters.retain_recent();
            if counters.len() > CALLERS_MAX / 2 {
                self.counters.store(Self::counters(self.per_second));
            }
        }
        counters.check_key(caller).is_ok()
    }
}

/// The counters behind [`Rates`].
pub(crate) struct Limiter {
    sources: Table<IpAddr>,
    principals: Table<SessionId>,
}

impl Limiter {
    /// Counters at zero.
    pub(crate) fn new(rates: Rates) -> Self {
        Self { sources: Table::new(rates.per_source), principals: Table::new(rates.per_principal) }
    }

    /// Counts a request of a source address.
    pub(crate) fn source(&self, source: IpAddr) -> Result<(), Problem> {
        if self.sources.admits(&network(source)) { Ok(()) } else { Err(too_many("address")) }
    }

    /// Counts a request of a session.
    pub(crate) fn principal(&self, session: SessionId) -> Result<(), Problem> {
        if self.principals.admits(&session) { Ok(()) } else { Err(too_many("session")) }
    }
}

fn too_many(whose: &str) -> Problem {
    Problem::new(ErrorKind::RateLimited, format!("this {whose} makes more requests a second than it may; slow down"))
}

#[cfg(test)]
mod tests {
    //! Many sources fill no memory, and one IPv6 customer is one source.

    use super::*;
    use std::net::Ipv4Addr;

    #[test]
    fn many_sources_fill_no_memory() {
        let table = Table::new(NonZeroU32::MIN);
        for n in 0..100_000 {
            assert!(
                table.admits(&IpAddr::from(Ipv4Addr::from_bits(n))),
                "a new caller is not refused for the many: {n}"
            );
            assert!(table.counters.load().len() <= CALLERS_MAX);
        }
        assert!((0..3).any(|_| !table.admits(&IpAddr::from(Ipv4Addr::from_bits(99_999)))), "and is counted");
    }

    #[test]
    fn addresses_of_one_ipv6_network_share_their_rate() {
        let (per_source, per_principal) = (NonZeroU32::MIN, NonZeroU32::MIN);
        let limiter = Limiter::new(Rates { per_source, per_principal });
        assert!(limiter.source("2001:db8::1".parse().unwrap()).is_ok());
        assert!(limiter.source("2001:db8::2".parse().unwrap()).is_err());
        assert!(limiter.source("2001:db8:0:1::1".parse().unwrap()).is_ok());
    }
}
