//! Lockout: too many failures in a short time close a user name for a while, whether the user exists or not.
//!
//! Failures are counted for the name as seen from one network, and with a higher cap for the name from everywhere: who knows
//! only a name cannot lock its owner out from one place, and many places together do not get more guesses than the cap.
//! An attempt is counted before its password is checked and forgiven after a success, so that attempts in parallel do
//! not get more guesses than attempts in a row.

use base::Timestamp;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;
use std::time::Duration;
use store::WriteTxn;

use crate::{Error, facts};

/// Failures from one network that close a user name for that network.
pub const FAILURES_MAX: u32 = 5;
/// Failures from everywhere that close a user name: what 20 networks may try. At four times this an hour, the weakest password
/// that is taken (12 characters, NIST SP 800-63B section 3.2.2 asks for at most 100 in a row) is out of reach.
pub const FAILURES_EVERYWHERE_MAX: u32 = 100;
/// Failures older than this are forgotten.
pub const FAILURES_WINDOW: Duration = Duration::from_secs(15 * 60);
/// How long it stays closed.
pub const LOCKED_FOR: Duration = Duration::from_secs(15 * 60);

const CLASS: &str = "sign_in_failures";

#[derive(Default, Serialize, Deserialize)]
struct Failures {
    count: u32,
    locked_until: Option<Timestamp>,
}

/// Whether an attempt may go on.
#[derive(Clone, Copy)]
pub(crate) enum Attempt {
    Allowed,
    Refused {
        until: Timestamp,
        /// This attempt is the one that closed it.
        just_now: bool,
    },
}

/// The network that failures from an address are counted for: what one household or office has (a /24, or a /48 of IPv6).
fn network(source: Option<IpAddr>) -> Vec<u8> {
    match source.map(|address| address.to_canonical()) {
        None => Vec::new(),
        Some(IpAddr::V4(address)) => address.octets().into_iter().take(3).collect(),
        Some(IpAddr::V6(address)) => address.octets().into_iter().take(6).collect(),
    }
}

/// The counters of a name begin with its hash; the one of a network goes on with the network.
fn key(name: &[u8; 32], source: Option<IpAddr>) -> Vec<u8> {
    [name.as_slice(), b"/", &network(source)].concat()
}

/// Counts an attempt for the user name with this hash, from this address.
pub(crate) fn attempt(txn: &mut WriteTxn<'_>, name: &[u8; 32], source: Option<IpAddr>) -> Result<Attempt, Error> {
    match count(txn, &key(name, source), FAILURES_MAX)? {
        // What its own network refuses does not count for everywhere: one place cannot use the cap up.
        refused @ Attempt::Refused { .. } => Ok(refused),
        Attempt::Allowed => count(txn, name, FAILURES_EVERYWHERE_MAX),
    }
}

fn count(txn: &mut WriteTxn<'_>, key: &[u8], max: u32) -> Result<Attempt, Error> {
    let mut failures: Failures = match txn.record_get(CLASS, key)? {
        Some(record) => facts::record(&record.value, "failure counter")?,
        None => Failures::default(),
    };
    let now = txn.now();
    if let Some(until) = failures.locked_until {
        if now < until {
            return Ok(Attempt::Refused { until, just_now: false });
        }
        failures = Failures::default();
    }
    failures.count += 1;
    if failures.count > max {
        let until = now.checked_add(LOCKED_FOR).unwrap_or(Timestamp::MAX);
        failures.locked_until = Some(until);
        txn.record_put(CLASS, key, &facts::bytes(&failures)?, Some(until))?;
        return Ok(Attempt::Refused { until, just_now: true });
    }
    let expires = now.checked_add(FAILURES_WINDOW).unwrap_or(Timestamp::MAX);
    txn.record_put(CLASS, key, &facts::bytes(&failures)?, Some(expires))?;
    Ok(Attempt::Allowed)
}

/// Forgets the failures from one network after a success there, and what they counted for everywhere.
pub(crate) fn succeeded(txn: &mut WriteTxn<'_>, name: &[u8; 32], source: Option<IpAddr>) -> Result<(), Error> {
    let key = key(name, source);
    let mine = match txn.record_get(CLASS, &key)? {
        Some(record) => facts::record::<Failures>(&record.value, "failure counter")?.count,
        None => 0,
    };
    txn.record_delete(CLASS, &key)?;
    if let Some(record) = txn.record_get(CLASS, name)? {
        let mut everywhere: Failures = facts::record(&record.value, "failure counter")?;
        everywhere.count = everywhere.count.saturating_sub(mine);
        txn.record_put(CLASS, name, &facts::bytes(&everywhere)?, record.expires)?;
    }
    Ok(())
}

/// Forgets every failure of a name: its person has another password, or is gone.
pub(crate) fn forgive(txn: &mut WriteTxn<'_>, name: &[u8; 32]) -> Result<(), Error> {
    for (key, _) in txn.record_prefix(CLASS, name, None, NETWORKS_MAX)? {
        txn.record_delete(CLASS, &key)?;
    }
    Ok(())
}

/// Networks whose counters one change forgets; each has at most [`FAILURES_EVERYWHERE_MAX`] failures behind it together, and
/// what is left over expires by itself.
const NETWORKS_MAX: usize = 1000;
