//! Lockout: too many failures for one user name in a short time close it for a while, whether the user exists or not.
//!
//! An attempt is counted before its password is checked and forgiven after a success, so that attempts in parallel do
//! not get more guesses than attempts in a row.

use base::Timestamp;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use store::WriteTxn;

use crate::{Error, facts};

/// Failures that close a user name.
pub const FAILURES_MAX: u32 = 5;
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
pub(crate) enum Attempt {
    Allowed,
    Refused {
        until: Timestamp,
        /// This attempt is the one that closed it.
        just_now: bool,
    },
}

/// Counts an attempt for the user name with this hash.
pub(crate) fn attempt(txn: &mut WriteTxn<'_>, name: &[u8; 32]) -> Result<Attempt, Error> {
    let mut failures: Failures = match txn.record_get(CLASS, name)? {
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
    if failures.count > FAILURES_MAX {
        let until = now.checked_add(LOCKED_FOR).unwrap_or(Timestamp::MAX);
        failures.locked_until = Some(until);
        txn.record_put(CLASS, name, &facts::bytes(&failures)?, Some(until))?;
        return Ok(Attempt::Refused { until, just_now: true });
    }
    let expires = now.checked_add(FAILURES_WINDOW).unwrap_or(Timestamp::MAX);
    txn.record_put(CLASS, name, &facts::bytes(&failures)?, Some(expires))?;
    Ok(Attempt::Allowed)
}

/// Forgets the failures, after a success or by an administrator.
pub(crate) fn forgive(txn: &mut WriteTxn<'_>, name: &[u8; 32]) -> Result<(), Error> {
    txn.record_delete(CLASS, name)?;
    Ok(())
}
