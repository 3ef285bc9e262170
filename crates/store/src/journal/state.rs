//! What the writer, the publisher and the callers share.

use ledger::{CheckpointSigner, TreeHead};
use std::{
    collections::VecDeque,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::{oneshot, watch};

use super::{
    Disk, Error, Options,
    disk::WriteAhead,
    queue::{Prepared, Queue},
    writer::Writer,
};
use crate::calm::Calm;

/// What the journal can do now. The names are stable: alarms and the manual use them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// All is well.
    Ready,
    /// All is well, and the disk is filling: act now.
    HighWater,
    /// The disk is nearly full: only entries of administrators are taken.
    ReadOnly,
    /// Writing failed: nothing is taken until the journal is opened anew.
    Failed,
}

impl State {
    /// The state that so many free bytes allow.
    pub(super) const fn of_space(free: u64, options: &Options) -> Self {
        if free < options.full_space_bytes {
            Self::ReadOnly
        } else if free < options.low_space_bytes {
            Self::HighWater
        } else {
            Self::Ready
        }
    }
}

/// How the journal is doing.
#[derive(Clone, Debug)]
pub struct Stats {
    /// What it can do now.
    pub state: State,
    /// Durable entries.
    pub size: u64,
    /// Entries under the newest checkpoint.
    pub published: u64,
    /// Bytes of entries that are durable and not yet published.
    pub backlog_bytes: usize,
    /// Why publishing last failed, while it does.
    pub publishing_fails: Option<Error>,
    /// What made the state [`State::Failed`].
    pub failure: Option<Error>,
}

/// A write-ahead file and the index of its first entry.
pub(super) struct WalFile {
    pub(super) first: u64,
    pub(super) file: Box<dyn WriteAhead>,
    /// Where the next frame goes.
    pub(super) offset: usize,
}

/// Who waits for a publication.
pub(super) type PublishAck = oneshot::Sender<Result<TreeHead, Error>>;

pub(super) struct Log {
    pub(super) state: State,
    pub(super) failure: Option<Error>,
    /// The newest durable checkpoint.
    pub(super) head: TreeHead,
    pub(super) checkpoint: Vec<u8>,
    /// Durable entries from `head.size` on, not yet published.
    pub(super) recent: VecDeque<Prepared>,
    pub(super) recent_bytes: usize,
    /// Write-ahead files in use, by first index; the last is being written.
    pub(super) wals: VecDeque<u64>,
    /// Durable bytes of the last one.
    pub(super) wal_offset: usize,
    /// A file of zeros for the next change of file.
    pub(super) spare: Option<Box<dyn WriteAhead>>,
    pub(super) spare_wanted: bool,
    /// Callers that want a checkpoint now.
    pub(super) askers: Vec<PublishAck>,
    /// Readers of the whole log, for whom no file may go.
    pub(super) pins: usize,
    pub(super) publishing_fails: Option<Error>,
    pub(super) writer_done: bool,
    pub(super) publisher_done: bool,
}

pub(super) struct Shared {
    pub(super) disk: Arc<dyn Disk>,
    pub(super) signer: Arc<dyn CheckpointSigner>,
    pub(super) options: Options,
    pub(super) queue: Queue,
    log: Mutex<Log>,
    /// Held by whoever writes; taken before `log`.
    turn: Mutex<Writer>,
    /// Whether callers rarely meet.
    pub(super) calm: Calm,
    /// Wakes the publisher: entries, askers, a spare to make, the end.
    pub(super) to_publish: Condvar,
    /// Wakes the writer when it waits for the publisher.
    pub(super) published: Condvar,
    pub(super) size: watch::Sender<u64>,
}

impl Shared {
    pub(super) fn new(
        disk: Arc<dyn Disk>,
        signer: Arc<dyn CheckpointSigner>,
        options: Options,
        head: TreeHead,
        checkpoint: Vec<u8>,
        wal: WalFile,
    ) -> Self {
        let turn = Mutex::new(Writer::new(&options.origin, wal));
        let queue = Queue::new(options.queue_bytes_max, options.batch_bytes_max, options.batched_delay);
        let size = watch::Sender::new(head.size);
        let log = Log {
            state: State::Ready,
            failure: None,
            wals: VecDeque::from([head.size]),
            wal_offset: 0,
            head,
            checkpoint,
            recent: VecDeque::new(),
            recent_bytes: 0,
            spare: None,
            spare_wanted: true,
            askers: Vec::new(),
            pins: 0,
            publishing_fails: None,
            writer_done: false,
            publisher_done: false,
        };
        Self {
            disk,
            signer,
            options,
            queue,
            log: Mutex::new(log),
            turn,
            calm: Calm::default(),
            to_publish: Condvar::new(),
            published: Condvar::new(),
            size,
        }
    }

    pub(super) fn log(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the turn to write.
    pub(super) fn turn(&self) -> MutexGuard<'_, Writer> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The turn to write, if nobody has it.
    pub(super) fn try_turn(&self) -> Option<MutexGuard<'_, Writer>> {
        self.turn.try_lock().ok()
    }

    /// Whether an entry would be taken now.
    pub(super) fn admits(&self, reserved: bool) -> Result<(), Error> {
        match self.log().state {
            State::Ready | State::HighWater => Ok(()),
            State::ReadOnly if reserved => Ok(()),
            State::ReadOnly => Err(Error::ReadOnly),
            State::Failed => Err(Error::Failed),
        }
    }

    /// Writing failed: nothing more is taken.
    pub(super) fn fail(&self, error: &Error) {
        let mut log = self.log();
        log.state = State::Failed;
        log.failure.get_or_insert_with(|| error.clone());
        drop(log);
        tracing::error!(error = %error, "the ledger failed and takes nothing more");
        self.to_publish.notify_all();
        self.published.notify_all();
    }

    /// Changes between the states that free space decides; a failure stays.
    pub(super) fn set_space_state(&self, state: State) {
        let mut log = self.log();
        if log.state == State::Failed || log.state == state {
            return;
        }
        log.state = state;
        drop(log);
        match state {
            State::Ready => tracing::info!("the ledger's disk has room again"),
            State::HighWater => tracing::warn!("the ledger's disk is filling"),
            _ => tracing::error!("the ledger is read-only because its disk is full"),
        }
    }

    pub(super) fn ask_to_publish(&self, asker: PublishAck) -> Result<(), Error> {
        let mut log = self.log();
        if log.publisher_done {
            return Err(Error::Closed);
        }
        log.askers.push(asker);
        drop(log);
        self.to_publish.notify_all();
        Ok(())
    }

    pub(super) fn stats(&self) -> Stats {
        let log = self.log();
        Stats {
            state: log.state,
            size: log.head.size + log.recent.len() as u64,
            published: log.head.size,
            backlog_bytes: log.recent_bytes,
            publishing_fails: log.publishing_fails.clone(),
            failure: log.failure.clone(),
        }
    }

    /// Whether everything that was taken is published.
    pub(super) fn closing_result(&self) -> Result<(), Error> {
        let log = self.log();
        match (&log.failure, &log.publishing_fails) {
            (Some(error), _) | (None, Some(error)) => Err(error.clone()),
            (None, None) => Ok(()),
        }
    }
}
