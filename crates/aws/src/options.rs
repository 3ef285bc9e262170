//! What an operator may choose at the AWS edge. Values only; `app` reads the configuration and builds them.

use base::{AccountId, Region};
use protocols::peer::TrustedProxies;
use std::num::NonZeroU32;

/// The options of the AWS edge.
#[derive(Clone, Debug)]
pub struct Options {
    /// The region of this installation: what clients sign for.
    pub region: Region,
    /// The account of this installation.
    pub account: AccountId,
    /// Domains under which a label in front is a bucket (`bucket.s3.example.com`); empty means path style only.
    pub domains: Vec<String>,
    /// Peers whose `X-Forwarded-For` and `X-Forwarded-Proto` are believed; nobody by default.
    pub trusted_proxies: TrustedProxies,
    /// The rate limits.
    pub rates: Rates,
}

impl Options {
    /// The options of an installation that keeps every default.
    pub fn new(region: Region, account: AccountId) -> Self {
        Self {
            region,
            account,
            domains: Vec::new(),
            trusted_proxies: TrustedProxies::default(),
            rates: Rates::default(),
        }
    }
}

/// Requests per second that one caller may make, with a burst of as many again times ten.
#[derive(Clone, Copy, Debug)]
pub struct Rates {
    /// Per source address, before anything is known of the caller.
    pub source_per_second: NonZeroU32,
    /// Per signed-in person or service, over all its sessions.
    pub principal_per_second: NonZeroU32,
}

/// Far above what one analyst's tools need (DuckDB opens a hundred ranges at once), far below what hurts a node.
const SOURCE_PER_SECOND: NonZeroU32 = NonZeroU32::new(5000).unwrap();
/// As above; one person has several tools.
const PRINCIPAL_PER_SECOND: NonZeroU32 = NonZeroU32::new(5000).unwrap();

impl Default for Rates {
    fn default() -> Self {
        Self { source_per_second: SOURCE_PER_SECOND, principal_per_second: PRINCIPAL_PER_SECOND }
    }
}
