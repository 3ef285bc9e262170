//! The one writer of the embedded engine: one batch at a time, on a thread of its own or, where nobody waits, on the caller's.
//!
//! It must not know what a change holds. INVARIANT: COMMIT, then the hooks, then the acknowledgements.

use rusqlite::Connection;
use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::sync::mpsc;

use super::{BUSY_WAIT_MAX, SqliteSession, run};
use crate::{
    Error, WriteTxn,
    calm::Calm,
    error::Cause,
    job::{Attempt, Outcome, WriteJob},
    shared::{Change, Shared},
    txn::Spoilt,
};

/// Most closures of one COMMIT: measured, 32 callers give 9,063 facts/s and 256 give 4,938 with a p99 of 754 ms.
const BATCH_MAX: usize = 32;
/// Longest time for which closures are gathered before the COMMIT.
const BATCH_TIME_MAX: Duration = Duration::from_millis(5);
/// How long an erasure waits for readers of the write-ahead log, while every change waits for it.
const CUT_WAIT_MAX: Duration = Duration::from_millis(250);

/// Closures on their way to the thread.
pub(super) type Queue = mpsc::Sender<Box<dyn WriteJob>>;

/// The connection that writes, and whether the log still holds bytes that were erased.
struct Turn {
    conn: Connection,
    cut_owed: bool,
}

pub(super) struct Writer {
    shared: Arc<Shared>,
    turn: Mutex<Turn>,
    /// Whether changes rarely meet.
    calm: Calm,
}

impl Writer {
    pub(super) fn new(conn: Connection, shared: Arc<Shared>) -> Self {
        let turn = Mutex::new(Turn { conn, cut_owed: false });
        Self { shared, turn, calm: Calm::default() }
    }

    fn turn(&self) -> MutexGuard<'_, Turn> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Commits a change on the caller's thread if nobody else is about to: the way to the thread and back costs a lone caller as
    /// much as the change itself. The runtime goes on with its other tasks elsewhere. Else it gives the change back.
    pub(super) fn at_once(&self, queue: &Queue, job: Box<dyn WriteJob>) -> Option<Box<dyn WriteJob>> {
        let met = queue.capacity() < queue.max_capacity();
        if met || !self.calm.holds() {
            return Some(job);
        }
        let Ok(turn) = self.turn.try_lock() else {
            self.calm.note(false);
            return Some(job);
        };
        tokio::task::block_in_place(|| self.write(turn, job, || None));
        None
    }

    /// Runs what waits, batch by batch, until the queue is closed and empty.
    pub(super) fn run(&self, mut jobs: mpsc::Receiver<Box<dyn WriteJob>>) {
        while let Some(first) = jobs.blocking_recv() {
            self.write(self.turn(), first, || jobs.try_recv().ok());
        }
        // The last one out leaves no log to replay.
        drop(self.turn().conn.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)"));
    }

    /// Runs and commits one batch. Whoever hears its answer finds the turn free.
    fn write(
        &self,
        mut turn: MutexGuard<'_, Turn>,
        first: Box<dyn WriteJob>,
        more: impl FnMut() -> Option<Box<dyn WriteJob>>,
    ) {
        let Turn { conn, cut_owed } = &mut *turn;
        let settled = batch(conn, &self.shared, first, more, cut_owed);
        if *cut_owed {
            *cut_owed = !cut_log(conn, Duration::ZERO);
        }
        drop(turn);
        self.calm.note(settled.answers.len() == 1);
        settled.answer(&self.shared);
    }
}

/// Folds the write-ahead log in and cuts it, so that erased bytes are in no file; `false` if a reader stands in the way.
fn cut_log(conn: &Connection, wait: Duration) -> bool {
    let cut = || -> rusqlite::Result<bool> {
        conn.busy_timeout(wait)?;
        let busy: i64 = conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
        conn.execute_batch("PRAGMA secure_delete = FAST")?;
        Ok(busy == 0)
    };
    let done = cut().unwrap_or(false);
    if let Err(error) = conn.busy_timeout(BUSY_WAIT_MAX) {
        tracing::warn!(error = %error, "the writer waits shorter than it should");
    }
    if !done {
        tracing::warn!(
            "a long read keeps erased bytes in the write-ahead log; it is cut after a later change or at the stop"
        );
    }
    done
}

/// A job that ran in the open batch, and what is to be done with it if the batch commits.
struct Staged {
    job: Box<dyn WriteJob>,
    result: Result<Change, Option<Error>>,
}

/// Runs and commits one batch. `cut_owed` says whether the log still holds erased bytes.
fn batch(
    conn: &Connection,
    shared: &Shared,
    first: Box<dyn WriteJob>,
    mut more: impl FnMut() -> Option<Box<dyn WriteJob>>,
    cut_owed: &mut bool,
) -> Settled {
    if let Err(error) = shared.running().and_then(|()| run(conn, "beginning", "BEGIN IMMEDIATE")) {
        return Settled { answers: vec![(first, Outcome::Failed(error))], pending: false };
    }
    let began = shared.effects.monotonic();
    let mut staged = Vec::new();
    let mut next = Some(first);
    while let Some(job) = next.take() {
        let alone = !staged.iter().any(|staged: &Staged| staged.result.is_ok());
        staged.push(stage(conn, shared, job, alone));
        if conn.is_autocommit() {
            // The whole batch was given up: by the engine (disk full, I/O error), or because a change could not be ended.
            return fail_all(staged, &Error::StatementFailed);
        }
        let waited = shared.effects.monotonic().saturating_sub(began);
        if staged.len() < BATCH_MAX && waited < BATCH_TIME_MAX {
            next = more();
        }
    }
    match run(conn, "committing", "COMMIT") {
        Ok(()) => {
            if staged.iter().any(|staged| matches!(&staged.result, Ok(change) if change.erased)) {
                *cut_owed = !cut_log(conn, CUT_WAIT_MAX);
            }
            deliver(shared, staged)
        }
        Err(error) => {
            drop(run(conn, "rolling back", "ROLLBACK"));
            let source: Cause = Arc::new(error);
            fail_all(staged, &Error::CommitFailed { source })
        }
    }
}

/// Runs one change of the open batch. `alone`: the batch holds no other change yet.
fn stage(conn: &Connection, shared: &Shared, mut job: Box<dyn WriteJob>, alone: bool) -> Staged {
    // A clock that another process had moved ahead is the only reason to run again here; once is enough.
    let mut result = attempt(conn, shared, job.as_mut(), alone);
    if matches!(result, Err(Some(Error::Retry))) {
        result = attempt(conn, shared, job.as_mut(), alone);
    }
    Staged { job, result }
}

fn attempt(conn: &Connection, shared: &Shared, job: &mut dyn WriteJob, alone: bool) -> Result<Change, Option<Error>> {
    // A change that is alone needs no savepoint, which keeps a copy of every page that it touches: to undo it is to begin
    // the batch again.
    let (begin, keep, undo): (_, &[&'static str], _) = if alone {
        (None, &[], ["ROLLBACK", "BEGIN IMMEDIATE"])
    } else {
        (Some("SAVEPOINT change"), &["RELEASE change"], ["ROLLBACK TO change", "RELEASE change"])
    };
    if let Some(begin) = begin {
        run(conn, "beginning a change", begin).map_err(Some)?;
    }
    let mut session = SqliteSession::new(conn);
    let mut txn = WriteTxn::new(&mut session, shared, job.by());
    let attempt = job.attempt(&mut txn);
    let settled = match (attempt, txn.spoilt()) {
        (_, Some(Spoilt::Retry)) => Err(Some(Error::Retry)),
        (Attempt::Panicked, _) => Err(Some(Error::ClosurePanicked)),
        (Attempt::Refused, _) => Err(None),
        (Attempt::Ready, Some(Spoilt::Failed)) => Err(Some(Error::StatementFailed)),
        (Attempt::Ready, None) => txn.finish().map_err(Some),
    };
    let result = settled.map(|()| txn.into_change());
    if conn.is_autocommit() {
        return result;
    }
    let (doing, statements) = match &result {
        Ok(_) => ("ending a change", keep),
        Err(_) => ("rolling back a change", undo.as_slice()),
    };
    for sql in statements {
        if let Err(error) = run(conn, doing, sql) {
            // What the batch holds now is not known: none of it is committed.
            drop(run(conn, "rolling back", "ROLLBACK"));
            return Err(Some(error));
        }
    }
    result
}

fn fail_all(staged: Vec<Staged>, error: &Error) -> Settled {
    let failed = |Staged { job, .. }| (job, Outcome::Failed(error.clone()));
    Settled { answers: staged.into_iter().map(failed).collect(), pending: false }
}

/// What became of the jobs of a batch, and whether the relay has work.
struct Settled {
    answers: Vec<(Box<dyn WriteJob>, Outcome)>,
    pending: bool,
}

impl Settled {
    /// Tells the callers, and the relay last, whose work nobody waits for.
    fn answer(self, shared: &Shared) {
        for (job, outcome) in self.answers {
            job.finish(outcome);
        }
        if self.pending {
            shared.pending.notify_one();
        }
    }
}

/// Calls the hooks for a batch that is committed.
fn deliver(shared: &Shared, staged: Vec<Staged>) -> Settled {
    let mut pending = false;
    for change in staged.iter().filter_map(|staged| staged.result.as_ref().ok()) {
        if !change.facts.is_empty() {
            shared.deliver(&change.facts, change.position.unwrap_or_default());
        }
        shared.moved(change);
        pending |= change.pending;
    }
    let followed = shared.running();
    let outcome = |result: Result<Change, Option<Error>>| match result {
        // Stored, but memory did not follow: nobody may build on it in this process.
        Ok(_) if followed.is_err() => Outcome::Failed(Error::Halted),
        Ok(change) => {
            let position = change.position.unwrap_or_else(|| *shared.position.borrow());
            Outcome::Committed { change, position }
        }
        Err(None) => Outcome::Refused,
        Err(Some(error)) => Outcome::Failed(error),
    };
    Settled { answers: staged.into_iter().map(|Staged { job, result }| (job, outcome(result))).collect(), pending }
}
