//! `galen doctor`: looks at an installation and says what needs a hand.
//!
//! Each check is a value with a verdict, a sentence, and what to do. It must not change anything. INVARIANT: a software
//! key token is always a warning, however well everything else stands.

use ::ledger::layout;
use base::{Effects, Timestamp};
use custody::TokenInfo;
use serde::Serialize;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::{fmt, fs};
use store::{
    Store,
    journal::{FULL_SPACE_BYTES, LOW_SPACE_BYTES},
};

mod tls;
pub use tls::EdgeTls;

#[cfg(test)]
mod tests;

/// Below this share of free space the disk is a failure; twice as much is a warning.
const DISK_FREE_PERCENT_MIN: u64 = 5;
/// Below this much free space the disk is a failure, however large it is: a ledger segment and a database checkpoint.
const DISK_FREE_BYTES_MIN: u64 = 256 * 1024 * 1024;
/// An administrator's change that reaches data needs another one.
const ADMINISTRATORS_MIN: usize = 2;
/// A wall clock that differs from the newest recorded fact by more than this, backwards, is wrong.
const CLOCK_BACK_SECS_MAX: i64 = 5;

/// How a check came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Nothing to do.
    Ok,
    /// It works, and somebody should know.
    Warning,
    /// It does not work, or soon will not.
    Failure,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ok => "ok",
            Self::Warning => "WARNING",
            Self::Failure => "FAILURE",
        })
    }
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// A stable name.
    pub name: &'static str,
    /// How it came out.
    pub verdict: Verdict,
    /// What was seen.
    pub seen: String,
    /// What to do; empty when there is nothing.
    pub advice: String,
}

impl Check {
    fn new(name: &'static str, verdict: Verdict, seen: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { name, verdict, seen: seen.into(), advice: advice.into() }
    }

    fn ok(name: &'static str, seen: impl Into<String>) -> Self {
        Self::new(name, Verdict::Ok, seen, "")
    }
}

/// Everything that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Examination {
    /// When.
    pub at: Timestamp,
    /// The worst verdict.
    pub verdict: Verdict,
    /// Each check, in a fixed order.
    pub checks: Vec<Check>,
}

/// The state, and what was asked of it.
pub struct State {
    /// The state.
    pub store: Store,
    /// The names of services whose owner may not sign in any more.
    pub ownerless: Vec<String>,
    /// How many administrators may sign in.
    pub administrators: usize,
}

/// What the doctor looks at. What could not be opened says why, and everything else is looked at all the same.
pub struct Patient<'a> {
    /// Whether the configuration names what the installation was made as.
    pub name: Result<(), String>,
    /// The state.
    pub state: Result<State, String>,
    /// What the key token says of itself.
    pub token: Result<TokenInfo, String>,
    /// The folder with everything in it.
    pub data_dir: &'a Path,
    /// The folder of the ledger, which may be on a disk of its own.
    pub ledger: &'a Path,
    /// The edges that speak TLS.
    pub tls: &'a [EdgeTls<'a>],
    /// Whether a change that gives somebody access which no owner chose for them waits for a second person.
    pub second_approval: bool,
    /// The clock.
    pub effects: &'a Effects,
}

/// Looks at everything.
pub async fn examine(patient: Patient<'_>) -> Examination {
    let now = patient.effects.now();
    let mut checks = vec![name(patient.name)];
    checks.extend(patient.token.map_or_else(|seen| vec![no_token(seen)], |token| keys(&token)));
    match &patient.state {
        Ok(state) => {
            checks.extend([store(&state.store).await, clock(&state.store, now).await]);
            checks.extend([administrators(state.administrators), services(&state.ownerless)]);
        }
        Err(seen) => checks.extend([no_store(seen), clock_alone(now)]),
    }
    checks.push(folder(patient.data_dir));
    checks.push(disk(patient.data_dir));
    checks.push(approvals(patient.second_approval));
    checks.push(ledger(patient.ledger));
    checks.extend(patient.tls.iter().map(|edge| tls::check(edge, now)));
    let verdict = checks.iter().map(|check| check.verdict).max().unwrap_or(Verdict::Ok);
    Examination { at: now, verdict, checks }
}

fn name(name: Result<(), String>) -> Check {
    match name {
        Ok(()) => Check::ok("installation", "`issuer` and `region` are those that it was made with"),
        Err(seen) => {
            let advice = "put the old value back into the configuration: the ledger and every ARN carry it";
            Check::new("installation", Verdict::Failure, seen, advice)
        }
    }
}

fn administrators(active: usize) -> Check {
    if active >= ADMINISTRATORS_MIN {
        return Check::ok("administrators", format!("{active} may sign in"));
    }
    let seen = format!("{active} may sign in: what needs a second administrator finds nobody to approve it");
    let advice = "make another one: set `second = false` in `[approvals]` and restart, put somebody into `administrators`, take the line \
                  out again and restart";
    Check::new("administrators", Verdict::Warning, seen, advice)
}

fn approvals(second: bool) -> Check {
    if second {
        return Check::ok(
            "approvals",
            "a member of a group that reaches data, and another's password, need two people",
        );
    }
    let seen = "one administrator alone can reach data, by a membership or another person's password";
    let advice = "enrol a second administrator, then set `second = true` in `[approvals]` and restart";
    Check::new("approvals", Verdict::Warning, seen, advice)
}

fn services(ownerless: &[String]) -> Check {
    if ownerless.is_empty() {
        return Check::ok("services", "somebody who may sign in answers for each service");
    }
    let seen = format!("nobody who may sign in answers for: {}", ownerless.join(", "));
    let advice = "give each another owner: `galen service change NAME --owner USER`, or end it";
    Check::new("services", Verdict::Warning, seen, advice)
}

fn keys(token: &TokenInfo) -> Vec<Check> {
    let boundary = if token.software {
        let seen = format!(
            "KEYS ARE IN SOFTWARE: `{}` keeps them in this process's memory; they are not in a hardware boundary",
            token.name
        );
        let advice = "a token of hardware (PKCS#11) is not offered yet: guard the machine, the keys and the seal";
        Check::new("key token", Verdict::Warning, seen, advice)
    } else {
        Check::ok("key token", format!("`{}` holds the keys", token.name))
    };
    let seal =
        Check::new("key seal", Verdict::Ok, format!("keys: {}; seal: {}", token.keys, token.seal), &token.backup);
    let mode = if token.fips { "runs in FIPS mode" } else { "does not run in FIPS mode" };
    vec![boundary, seal, Check::ok("cryptographic module", format!("the module {mode}"))]
}

fn no_token(seen: String) -> Check {
    let advice = "give what seals the keys (`[custody]`: the machine secret, or the passphrase's file), or restore both from the backup: \
                  without it nothing can be opened";
    Check::new("key token", Verdict::Failure, seen, advice)
}

fn no_store(seen: &str) -> Check {
    let advice = "see that `[store]` names the store that `galen init` made, and that it runs and can be reached; restore it from the \
                  backup if it is torn";
    Check::new("store", Verdict::Failure, seen, advice)
}

/// Whether the state can be read; `galen state verify` looks at every fact.
async fn store(store: &Store) -> Check {
    match store.read(|txn| txn.newest_seq()).await {
        Ok(facts) => {
            Check::ok("store", format!("{} can be read; `galen state verify` checks each", base::count(facts, "fact")))
        }
        Err(error) => {
            let advice = "stop the server and look at the disk; restore from a backup if the database is torn";
            Check::new("store", Verdict::Failure, error.to_string(), advice)
        }
    }
}

/// Whether the wall clock agrees with the newest thing that was recorded.
async fn clock(store: &Store, now: Timestamp) -> Check {
    // The transaction's time never goes behind what is recorded.
    match store.read(|txn| Ok::<_, store::Error>(txn.now())).await {
        Ok(recorded) => clock_verdict(recorded, now),
        Err(_) => clock_alone(now),
    }
}

/// The clock where there is nothing to compare it with.
fn clock_alone(now: Timestamp) -> Check {
    let seen = format!("{now}; what is recorded cannot be read, to compare with it");
    Check::new("clock", Verdict::Warning, seen, "see that this is the time, and see the check of the store")
}

fn clock_verdict(recorded: Timestamp, now: Timestamp) -> Check {
    let behind = recorded.as_second() - now.as_second();
    if behind > CLOCK_BACK_SECS_MAX {
        let seen = format!("the clock is {behind} s behind what was already recorded");
        Check::new(
            "clock",
            Verdict::Failure,
            seen,
            "correct the clock and keep it with NTP or PTP; records keep their order",
        )
    } else {
        Check::ok("clock", format!("{now}, not behind what is recorded"))
    }
}

/// Whether others can look into the data folder.
fn folder(dir: &Path) -> Check {
    match fs::metadata(dir) {
        Ok(meta) if meta.permissions().mode() & 0o077 == 0 => {
            Check::ok("data folder", format!("`{}` is this user's alone", dir.display()))
        }
        Ok(meta) => {
            let seen = format!(
                "`{}` has mode {:o}: others can look into it",
                dir.display(),
                meta.permissions().mode() & 0o777
            );
            Check::new("data folder", Verdict::Warning, seen, format!("chmod 700 {}", dir.display()))
        }
        Err(error) => {
            let seen = format!("`{}`: {error}", dir.display());
            Check::new("data folder", Verdict::Failure, seen, "name the folder that the configuration names")
        }
    }
}

fn disk(dir: &Path) -> Check {
    match rustix::fs::statvfs(dir) {
        Ok(stat) => disk_verdict(
            dir.to_owned(),
            stat.f_bavail.saturating_mul(stat.f_frsize),
            stat.f_blocks.saturating_mul(stat.f_frsize),
        ),
        Err(error) => {
            Check::new("disk", Verdict::Failure, format!("`{}`: {error}", dir.display()), "is the folder there?")
        }
    }
}

fn disk_verdict(dir: PathBuf, free: u64, total: u64) -> Check {
    let percent = free.saturating_mul(100).checked_div(total).unwrap_or(0);
    let seen = format!("{} MiB free under `{}` ({percent} %)", free >> 20, dir.display());
    let advice = "make room or move the data folder: a full disk makes Galen refuse every access that it cannot record";
    if free < DISK_FREE_BYTES_MIN || percent < DISK_FREE_PERCENT_MIN {
        Check::new("disk", Verdict::Failure, seen, advice)
    } else if free < 2 * DISK_FREE_BYTES_MIN || percent < 2 * DISK_FREE_PERCENT_MIN {
        Check::new("disk", Verdict::Warning, seen, advice)
    } else {
        Check::ok("disk", seen)
    }
}

/// How much room the ledger has, by the bounds at which it warns and stops by itself.
fn ledger(dir: &Path) -> Check {
    match rustix::fs::statvfs(dir) {
        Ok(stat) => {
            let names =
                std::fs::read_dir(dir).into_iter().flatten().filter_map(Result::ok).map(|file| file.file_name());
            let reserve = names.into_iter().any(|name| layout::filling(&name.to_string_lossy()).0 == layout::RESERVE);
            ledger_verdict(dir, stat.f_bavail.saturating_mul(stat.f_frsize), reserve)
        }
        Err(error) => {
            let advice = "`galen serve` makes it; if it was there, restore it: without it nothing is recorded";
            Check::new("ledger", Verdict::Failure, format!("`{}`: {error}", dir.display()), advice)
        }
    }
}

fn ledger_verdict(dir: &Path, free: u64, reserve: bool) -> Check {
    let full = FULL_SPACE_BYTES >> 20;
    let seen = format!("the ledger has {} MiB of room under `{}` and stops at {full} MiB", free >> 20, dir.display());
    let advice =
        "make room before it is full: then only administrators are recorded, and every other access is refused";
    if free < FULL_SPACE_BYTES {
        Check::new("ledger", Verdict::Failure, seen, advice)
    } else if free < LOW_SPACE_BYTES {
        Check::new("ledger", Verdict::Warning, seen, advice)
    } else if !reserve {
        let seen = format!("{seen}; the space set aside for administrators is not there");
        Check::new("ledger", Verdict::Warning, seen, "start the server once: it sets the space aside when it opens")
    } else {
        Check::ok("ledger", seen)
    }
}
