//! Rates: how many requests a second one source and one principal may make on this edge.

use access::rates::Table;
use base::{Effects, ErrorKind, SessionId};
use protocols::peer::network;
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
    sources: Table<IpAddr>,
    principals: Table<SessionId>,
}

impl Limiter {
    /// Counters at zero. A burst may be as large as one second's allowance.
    pub(crate) fn new(effects: &Effects, rates: Rates) -> Self {
        let (source, principal) = (rates.per_source, rates.per_principal);
        Self {
            sources: Table::new(effects.clone(), source, source),
            principals: Table::new(effects.clone(), principal, principal),
        }
    }

    /// Counts a request of a source address.
    pub(crate) fn source(&self, source: IpAddr) -> Result<(), Problem> {
        self.sources.take(&network(source)).map_err(|_| too_many("address"))
    }

    /// Counts a request of a session.
    pub(crate) fn principal(&self, session: SessionId) -> Result<(), Problem> {
        self.principals.take(&session).map_err(|_| too_many("session"))
    }
}

fn too_many(whose: &str) -> Problem {
    Problem::new(ErrorKind::RateLimited, format!("this {whose} makes more requests a second than it may; slow down"))
}
