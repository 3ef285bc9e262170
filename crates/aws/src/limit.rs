//! Rate limits, by source before a caller is known and by principal after.

use access::rates::Table;
use base::{Actor, Effects};
use protocols::peer::network;
use std::{net::IpAddr, num::NonZeroU32, time::Duration};

use crate::options::Rates;

/// Seconds' worth of requests that a quiet caller may make at once.
const BURST_SECONDS: NonZeroU32 = NonZeroU32::new(10).unwrap();

/// The caller has made too many requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooMany {
    /// When to try again.
    pub(crate) retry_after: Duration,
}

pub(crate) struct Limits {
    sources: Table<IpAddr>,
    principals: Table<Actor>,
}

impl Limits {
    pub(crate) fn new(effects: &Effects, rates: Rates) -> Self {
        let burst = |per_second: NonZeroU32| per_second.saturating_mul(BURST_SECONDS);
        let (source, principal) = (rates.source_per_second, rates.principal_per_second);
        Self {
            sources: Table::new(effects.clone(), source, burst(source)),
            principals: Table::new(effects.clone(), principal, burst(principal)),
        }
    }

    /// # Errors
    /// [`TooMany`] when this source has used up its share.
    pub(crate) fn source(&self, source: Option<IpAddr>) -> Result<(), TooMany> {
        source.map_or(Ok(()), |address| taken(self.sources.take(&network(address))))
    }

    /// # Errors
    /// [`TooMany`] when this principal has used up its share.
    pub(crate) fn principal(&self, actor: Actor) -> Result<(), TooMany> {
        taken(self.principals.take(&actor))
    }
}

fn taken(answer: Result<(), Duration>) -> Result<(), TooMany> {
    answer.map_err(|retry_after| TooMany { retry_after })
}
