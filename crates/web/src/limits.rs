//! Rates: how many requests a second one source and one principal may make on this edge.

use base::{ErrorKind, SessionId};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use std::{net::IpAddr, num::NonZeroU32};

use crate::api::Problem;

/// Requests a second.
#[derive(Clone, Copy, Debug)]
pub struct Rates {
    /// Of one source address.
    pub per_source: NonZeroU32,
    /// Of one session.
    pub per_principal: NonZeroU32,
}

/// The counters behind [`Rates`].
pub(crate) struct Limiter {
    sources: DefaultKeyedRateLimiter<IpAddr>,
    principals: DefaultKeyedRateLimiter<SessionId>,
}

impl Limiter {
    /// Counters at zero. A burst may be as large as one second's allowance.
    pub(crate) fn new(rates: Rates) -> Self {
        Self {
            sources: RateLimiter::keyed(Quota::per_second(rates.per_source)),
            principals: RateLimiter::keyed(Quota::per_second(rates.per_principal)),
        }
    }

    /// Counts a request of a source address.
    pub(crate) fn source(&self, source: IpAddr) -> Result<(), Problem> {
        self.sources.check_key(&source).map_err(|_| too_many("address"))
    }

    /// Counts a request of a session.
    pub(crate) fn principal(&self, session: SessionId) -> Result<(), Problem> {
        self.principals.check_key(&session).map_err(|_| too_many("session"))
    }

    /// Forgets sources and sessions that have been quiet, so that the tables stay small; called every minute.
    pub(crate) fn forget_quiet(&self) {
        self.sources.retain_recent();
        self.principals.retain_recent();
    }
}

fn too_many(whose: &str) -> Problem {
    Problem::new(ErrorKind::RateLimited, format!("this {whose} makes more requests a second than it may; slow down"))
}
