//! The journal: one ledger on disk, written by this process alone.
//!
//! An entry is acknowledged when it is durable in a write-ahead file; shortly after, it is published as bundles, tiles
//! and a signed checkpoint (the formats are those of the crate `ledger`), and the write-ahead file goes. Opening is
//! always the same path: verify the checkpoint, take up its tree, replay the write-ahead files, publish. This module
//! knows nothing of what an entry says, and holds no key: a signer is handed in.
//! INVARIANT: an acknowledged entry survives a crash, at the index that was acknowledged; when that cannot be had,
//! appending fails and the journal takes nothing more.

mod disk;
mod error;
mod open;
mod publisher;
mod queue;
mod read;
mod state;
mod writer;

pub use disk::{Disk, DiskFiles, RealDisk, WriteAhead};
pub use error::Error;
pub use read::StoredEntry;
pub use state::{State, Stats};

use crypto::Sha256Digest;
use ledger::{CheckpointSigner, ENTRY_BYTES_MAX, LogKey, Origin, TreeHead, layout, leaf_hash, wal};
use std::{
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll, Wake, Waker},
    thread::{self, JoinHandle, Thread},
    time::Duration,
};
use tokio::sync::{oneshot, watch};

use queue::{Prepared, Request};
use state::Shared;

/// Free bytes under which the journal warns: some millions of entries still fit.
pub const LOW_SPACE_BYTES: u64 = 1 << 30;
/// Free bytes under which only administrators are recorded: enough to finish what is under way and to make room.
pub const FULL_SPACE_BYTES: u64 = 128 << 20;

/// How a journal is run. The defaults fit one node; tests make them small.
#[derive(Clone, Debug)]
pub struct Options {
    /// Name of the log, in every checkpoint.
    pub origin: Origin,
    /// Keys that signed earlier checkpoints of this log, after a rotation. The signer's own key is always trusted.
    pub earlier_keys: Vec<LogKey>,
    /// Bytes of a write-ahead file: small enough to be filled with zeros beforehand without being noticed, large
    /// enough that a change of file is rare.
    pub wal_bytes: usize,
    /// Most bytes that one batch makes durable together; bounds how long the last of them waits.
    pub batch_bytes_max: usize,
    /// Most bytes that wait for the writer; beyond it, appending waits.
    pub queue_bytes_max: usize,
    /// Most bytes that are durable and not yet published; beyond it, the writer waits for the publisher.
    pub backlog_bytes_max: usize,
    /// How long a batched entry may wait when nothing else makes the batch durable.
    pub batched_delay: Duration,
    /// Shortest time between two checkpoints.
    pub checkpoint_interval: Duration,
    /// Free bytes under which [`State::HighWater`] is raised.
    pub low_space_bytes: u64,
    /// Free bytes under which the journal is [`State::ReadOnly`].
    pub full_space_bytes: u64,
    /// Bytes set aside for the entries of administrators while the disk is full.
    pub reserve_bytes: usize,
}

impl Options {
    /// Whether so many bytes without a checkpoint are too many to wait for its interval.
    pub(crate) const fn presses(&self, bytes: usize) -> bool {
        bytes >= self.backlog_bytes_max / 4
    }

    /// The name of the write-ahead file that begins with this entry.
    pub(crate) fn wal_name(&self, first: u64) -> String {
        layout::wal(first, self.wal_bytes)
    }

    /// The name of the write-ahead file that is kept ready.
    pub(crate) fn spare_name(&self) -> String {
        layout::filled(layout::SPARE, self.wal_bytes)
    }

    /// The name of the space for administrators.
    pub(crate) fn reserve_name(&self) -> String {
        layout::filled(layout::RESERVE, self.reserve_bytes)
    }

    /// The defaults for a log of this name.
    pub const fn new(origin: Origin) -> Self {
        Self {
            origin,
            earlier_keys: Vec::new(),
            wal_bytes: 8 << 20,
            batch_bytes_max: 1 << 20,
            queue_bytes_max: 8 << 20,
            backlog_bytes_max: 64 << 20,
            batched_delay: Duration::from_millis(100),
            checkpoint_interval: Duration::from_secs(1),
            low_space_bytes: LOW_SPACE_BYTES,
            full_space_bytes: FULL_SPACE_BYTES,
            reserve_bytes: 4 << 20,
        }
    }

    /// Small files and no reserve, for tests and demonstrations: opening costs little. Everything else is as in
    /// production.
    pub const fn small(origin: Origin) -> Self {
        let mut options = Self::new(origin);
        options.wal_bytes = 256 << 10;
        options.batch_bytes_max = 128 << 10;
        options.low_space_bytes = 0;
        options.full_space_bytes = 0;
        options.reserve_bytes = 0;
        options
    }
}

/// A durable entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Appended {
    /// Its index in the log.
    pub index: u64,
    /// Its leaf hash (RFC 6962).
    pub leaf_hash: Sha256Digest,
}

/// How entries that somebody waits for go to the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// With those of other callers, on the writer's thread.
    Shared,
    /// For a caller who has nothing else to append meanwhile: where callers rarely meet, on the caller's thread.
    Alone,
    /// Those of an administrator, also while the journal is [`State::ReadOnly`]: the reserved space is used.
    Reserved,
}

/// Entries in the queue: the future ends when they are durable, or cannot be made so. Dropping it takes nothing back.
#[must_use = "whether the entries are durable is told here alone"]
pub struct Taken(oneshot::Receiver<Result<Vec<Appended>, Error>>);

impl Future for Taken {
    type Output = Result<Vec<Appended>, Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(cx).map(|told| told.unwrap_or(Err(Error::Failed)))
    }
}

/// The journal of this node. Dropping it publishes what is durable and stops its two threads; [`Journal::close`] does
/// the same and says how it went.
pub struct Journal {
    shared: Arc<Shared>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl Journal {
    /// Opens the log on `disk`, or makes a new one; recovers from a crash by the same steps.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::Log`] when the published log is damaged, [`Error::WalDamaged`] when a write-ahead file
    /// is, [`Error::ForeignLog`] when the folder holds the log of another key. Nothing is changed then.
    pub fn open(disk: Arc<dyn Disk>, signer: Arc<dyn CheckpointSigner>, mut options: Options) -> Result<Self, Error> {
        // The largest batch fits into a new file.
        let least = options.batch_bytes_max + wal::FRAME_HEADER_BYTES;
        options.wal_bytes = options.wal_bytes.max(least);
        let opened = open::open(&*disk, &*signer, &options)?;
        let shared = Shared::new(disk, signer, options, opened.builder.head(), opened.checkpoint, opened.wal);
        shared.set_space_state(opened.state);
        let shared = Arc::new(shared);
        let writer = {
            let shared = Arc::clone(&shared);
            thread::Builder::new().name("ledger-writer".to_owned()).spawn(move || writer::run(&shared))
        };
        let publisher = {
            let shared = Arc::clone(&shared);
            let builder = opened.builder;
            thread::Builder::new().name("ledger-publisher".to_owned()).spawn(move || publisher::run(&shared, builder))
        };
        let journal = Self { shared, threads: Mutex::new(Vec::new()) };
        if writer.is_err() {
            // The publisher ends when the writer has.
            journal.shared.log().writer_done = true;
        }
        for spawned in [writer, publisher] {
            match spawned {
                Ok(handle) => journal.hold(handle),
                Err(source) => {
                    journal.shared.fail(&Error::io("start a thread for", "ledger", source.into()));
                    return Err(Error::Failed);
                }
            }
        }
        Ok(journal)
    }

    fn hold(&self, handle: JoinHandle<()>) {
        self.threads.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(handle);
    }

    /// Appends one entry and waits until it is durable. The entry may have been appended even when this future is
    /// dropped before it ends.
    ///
    /// # Errors
    /// [`Error::BadEntry`]; [`Error::ReadOnly`], [`Error::Failed`], [`Error::Behind`] or [`Error::Closed`] when the
    /// entry could not be made durable: what it records must then not happen.
    pub async fn append(&self, entry: Vec<u8>) -> Result<Appended, Error> {
        let appended = self.append_all(vec![entry]).await?;
        appended.first().copied().ok_or(Error::Failed)
    }

    /// Appends several entries in order, durable together.
    ///
    /// # Errors
    /// As [`Journal::append`]; none or all are appended.
    pub async fn append_all(&self, entries: Vec<Vec<u8>>) -> Result<Vec<Appended>, Error> {
        if entries.is_empty() {
            return Ok(Vec::new());
        }
        self.take(entries, Way::Shared).await?.await
    }

    /// Takes several entries, to be made durable together; returns when they are in the queue, and what it returns ends when they
    /// are durable.
    ///
    /// # Errors
    /// As [`Journal::append`]; then none is appended.
    pub async fn take(&self, entries: Vec<Vec<u8>>, way: Way) -> Result<Taken, Error> {
        let mut request = self.prepare(entries, way == Way::Reserved).await?;
        let (sender, receiver) = oneshot::channel();
        request.ack = Some(sender);
        match way {
            Way::Alone => writer::give(&self.shared, request)?,
            Way::Shared | Way::Reserved => writer::leave(&self.shared, request)?,
        }
        Ok(Taken(receiver))
    }

    /// As [`Journal::append_all`] for callers that are not async; must not be called inside a runtime's worker.
    ///
    /// # Errors
    /// As [`Journal::append`].
    pub fn append_blocking(&self, entries: Vec<Vec<u8>>) -> Result<Vec<Appended>, Error> {
        block_on(self.append_all(entries))
    }

    /// Appends one entry that may be lost when the process stops within [`Options::batched_delay`]. Returns when the
    /// entry waits for the writer, which is at once unless the queue is full.
    ///
    /// # Errors
    /// [`Error::BadEntry`], or why the journal takes nothing more.
    pub async fn append_batched(&self, entry: Vec<u8>) -> Result<(), Error> {
        let request = self.prepare(vec![entry], false).await?;
        self.shared.queue.push(request)
    }

    /// Makes durable what waits now, batched entries too, and returns when it is, or when the journal takes nothing more. A batch
    /// that is being written at this moment waits no longer and is not waited for.
    pub async fn hurry(&self) {
        if let Some(told) = self.shared.queue.hurry() {
            // Who waits for an entry is told why it could not be written.
            let _ = told.await;
        }
    }

    /// Checks and hashes the entries here, on the caller's thread, and waits for room in the queue.
    async fn prepare(&self, entries: Vec<Vec<u8>>, reserved: bool) -> Result<Request, Error> {
        self.shared.admits(reserved)?;
        let mut prepared = Vec::with_capacity(entries.len());
        let mut bytes = 0;
        for entry in entries {
            check(&entry)?;
            bytes += entry.len() + 2;
            prepared.push(Prepared { leaf: leaf_hash(&entry), bytes: entry.into() });
        }
        if bytes > self.shared.options.batch_bytes_max {
            return Err(Error::BatchTooLarge { bytes, most: self.shared.options.batch_bytes_max });
        }
        let room = self.shared.queue.room(bytes).await?;
        Ok(Request { entries: prepared, bytes, reserved, ack: None, _room: room })
    }

    /// Entries that are durable.
    pub fn size(&self) -> u64 {
        *self.shared.size.borrow()
    }

    /// Tells whenever entries became durable; the value is the number of durable entries. A reader that fell behind
    /// reads on from its own position with [`Journal::read_from`].
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.shared.size.subscribe()
    }

    /// The newest durable checkpoint: what it says, and the signed note.
    pub fn checkpoint(&self) -> (TreeHead, Vec<u8>) {
        let log = self.shared.log();
        (log.head.clone(), log.checkpoint.clone())
    }

    /// Publishes everything that is durable now under a checkpoint, without waiting for the interval.
    ///
    /// # Errors
    /// [`Error::Behind`] when publishing fails, [`Error::Closed`] after the journal was closed.
    pub async fn publish(&self) -> Result<TreeHead, Error> {
        let (sender, receiver) = oneshot::channel();
        self.shared.ask_to_publish(sender)?;
        receiver.await.unwrap_or(Err(Error::Closed))
    }

    /// How the journal is doing.
    pub fn stats(&self) -> Stats {
        self.shared.stats()
    }

    /// The key that verifies this log's checkpoints.
    pub fn key(&self) -> LogKey {
        LogKey::new(self.shared.options.origin.clone(), self.shared.signer.public_key())
    }

    /// Takes nothing more, makes durable and publishes what was taken, and stops. Blocks; further calls do nothing.
    ///
    /// # Errors
    /// Why the last entries could not be published; they are durable all the same unless the state is
    /// [`State::Failed`].
    pub fn close(&self) -> Result<(), Error> {
        self.shared.queue.close();
        let handles: Vec<_> =
            self.threads.lock().unwrap_or_else(std::sync::PoisonError::into_inner).drain(..).collect();
        for handle in handles {
            if handle.join().is_err() {
                self.shared.fail(&Error::Failed);
            }
        }
        self.shared.closing_result()
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        // What went wrong is in the state and in the log of the process.
        let _ = self.close();
    }
}

fn check(entry: &[u8]) -> Result<(), Error> {
    if entry.is_empty() || entry.len() > ENTRY_BYTES_MAX || entry.contains(&0) {
        return Err(Error::BadEntry { bytes: entry.len(), most: ENTRY_BYTES_MAX });
    }
    Ok(())
}

/// Wakes a thread that waits for a future.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Runs a future that needs no runtime of its own.
fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = std::pin::pin!(future);
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = Context::from_waker(&waker);
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}

#[cfg(test)]
mod tests;
