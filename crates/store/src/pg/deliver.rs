//! Delivery of committed changes to this process's hooks, whoever committed them, in the order of their numbers.
//!
//! INVARIANT: each fact of this region is delivered once. Numbers have no gaps and are taken under a row lock that is
//! held until COMMIT, so whoever sees a number sees all before it.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use super::Conn;
use crate::{
    Error, Fact, Position,
    shared::{Change, Shared},
    txn::ReadTxn,
};

/// Facts read at once while catching up: more than one change can hold, so that a page always has a whole change.
const PAGE: usize = crate::FACTS_PER_CHANGE_MAX + 1;

/// The number of the newest fact that the hooks have seen, and how fresh that is.
#[derive(Default)]
pub(crate) struct Delivery {
    delivered: Mutex<u64>,
    /// Microseconds of the monotonic clock at which everything that was committed then is known to be delivered.
    looked: AtomicU64,
    /// One look at a time: who waits for it finds it done.
    turn: tokio::sync::Mutex<()>,
}

impl Delivery {
    pub(super) fn start(&self, newest: u64, looked: Duration) {
        self.seen(looked);
        *self.delivered.lock().unwrap_or_else(PoisonError::into_inner) = newest;
    }

    /// Delivers a change that this process has just committed, after everything before it. `false` if what other nodes
    /// committed before it could not be read; the store is halted then, because memory would be behind.
    pub(super) fn local(&self, conn: &mut Conn, shared: &Shared, change: &Change) -> bool {
        let mut delivered = self.delivered.lock().unwrap_or_else(PoisonError::into_inner);
        let (Some(first), Some(last)) = (change.facts.first(), change.facts.last()) else { return true };
        if first.seq == delivered.saturating_add(1) {
            shared.deliver(&change.facts, change.position.unwrap_or_default());
            *delivered = last.seq;
            return true;
        }
        while *delivered < last.seq {
            let caught = conn
                .snapshot(shared)
                .and_then(|(mut session, hlc)| catch_up(&ReadTxn::new(&mut session, shared, hlc), &mut delivered));
            conn.undo();
            if let Err(error) = caught {
                tracing::error!(error = %error, "committed facts could not be read back; the store is halted");
                shared.halt();
                return false;
            }
        }
        true
    }

    /// The turn to look.
    pub(crate) async fn turn(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.turn.lock().await
    }

    /// A look that began then has delivered everything.
    pub(crate) fn seen(&self, looked: Duration) {
        self.looked.fetch_max(micros(looked), Ordering::AcqRel);
    }

    /// How long ago everything was known to be delivered.
    pub(crate) fn age(&self, now: Duration) -> Duration {
        Duration::from_micros(micros(now).saturating_sub(self.looked.load(Ordering::Acquire)))
    }

    /// Delivers a page of what other nodes have committed; how many facts, 0 when there are no more. A snapshot older than
    /// the last delivery only has less to deliver.
    pub(crate) fn follow(&self, txn: &ReadTxn<'_>) -> Result<usize, Error> {
        let mut delivered = self.delivered.lock().unwrap_or_else(PoisonError::into_inner);
        catch_up(txn, &mut delivered)
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

/// Delivers one page of facts after `delivered`, change by change; how many facts.
fn catch_up(txn: &ReadTxn<'_>, delivered: &mut u64) -> Result<usize, Error> {
    let mut page = txn.facts_after(*delivered, PAGE)?;
    // A change that goes on after the page is read again whole with the next one.
    if page.len() == PAGE
        && let Some(last) = page.last().map(|(fact, _)| fact.change)
        && page.first().is_some_and(|(fact, _)| fact.change != last)
    {
        page.retain(|(fact, _)| fact.change != last);
    }
    for change in page.chunk_by(|(a, _), (b, _)| a.change == b.change) {
        let facts: Vec<Fact> = change.iter().map(|(fact, _)| fact.clone()).collect();
        let position = change.last().map_or(Position::START, |(_, position)| *position);
        txn.shared.deliver(&facts, position);
        if let Some(last) = facts.last() {
            txn.shared.clock.observe(last.recorded);
            *delivered = last.seq;
        }
        txn.shared.position.send_if_modified(|newest| {
            let later = position > *newest;
            *newest = (*newest).max(position);
            later
        });
    }
    Ok(page.len())
}
