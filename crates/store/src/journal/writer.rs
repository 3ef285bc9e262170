//! The writer: takes what waits, makes it durable in one write and one sync, and tells everyone; on a thread of its own or,
//! where nobody else waits, on the caller's.

use crypto::Sha256Digest;
use ledger::wal::{FrameBuilder, seed};
use ledger::{Origin, layout};
use std::sync::{Arc, PoisonError};

use super::{
    Appended, Error,
    open::{failed, set_aside},
    queue::Request,
    state::{Shared, State, WalFile},
};

/// Runs until the queue is closed and empty.
pub(super) fn run(shared: &Shared) {
    while let Some(batch) = shared.queue.next() {
        note(shared, &batch);
        Turn { shared, writer: &mut shared.turn() }.write(batch);
    }
    // A caller who is writing took its entry out of the queue; after it, the queue takes none.
    drop(shared.turn());
    shared.log().writer_done = true;
    shared.to_publish.notify_all();
}

/// Notes whether a caller who waits was alone.
fn note(shared: &Shared, batch: &[Request]) {
    match batch.iter().filter(|request| request.ack.is_some()).count() {
        0 => {}
        callers => shared.calm.note(callers == 1),
    }
}

/// Leaves a request to the thread.
pub(super) fn leave(shared: &Shared, request: Request) -> Result<(), Error> {
    shared.queue.push(request)
}

/// Gives a request to the thread or, if nobody else is about to write, makes it durable here: the way to the thread and back
/// costs a lone caller about as much as the disk. The runtime goes on with its other tasks elsewhere.
pub(super) fn give(shared: &Shared, request: Request) -> Result<(), Error> {
    if !shared.calm.holds() {
        return leave(shared, request);
    }
    let Some(mut writer) = shared.try_turn() else {
        shared.calm.note(false);
        return leave(shared, request);
    };
    shared.queue.push_unheard(request)?;
    tokio::task::block_in_place(|| {
        // The thread may have taken it already; then it writes it after this turn.
        let batch = shared.queue.now();
        note(shared, &batch);
        if !batch.is_empty() {
            Turn { shared, writer: &mut writer }.write(batch);
        }
    });
    Ok(())
}

/// Where the log goes on.
pub(super) struct Writer {
    wal: WalFile,
    /// Digest of the last frame.
    digest: Sha256Digest,
    /// Index of the next entry.
    next: u64,
}

impl Writer {
    pub(super) fn new(origin: &Origin, wal: WalFile) -> Self {
        Self { next: wal.first, digest: seed(origin, wal.first), wal }
    }
}

/// One writer at a time.
struct Turn<'a> {
    shared: &'a Shared,
    writer: &'a mut Writer,
}

impl Turn<'_> {
    /// Makes one batch durable, or tells everyone in it why not.
    fn write(&mut self, batch: Vec<Request>) {
        let batch = match self.admit(batch) {
            Some(batch) => batch,
            None => return,
        };
        match self.make_durable(&batch) {
            Ok(()) => self.acknowledge(batch),
            Err(error) if error.is_full() => {
                // Only a change of file needs space, and nothing of the batch was written yet.
                self.shared.set_space_state(State::ReadOnly);
                refuse(batch, &Error::ReadOnly);
            }
            Err(error) => {
                // What is on the disk is not known: only opening anew can tell.
                self.shared.fail(&error);
                refuse(batch, &error);
            }
        }
    }

    /// Waits for the publisher when too much waits for it; sorts out what the state does not allow.
    fn admit(&self, batch: Vec<Request>) -> Option<Vec<Request>> {
        let limit = self.shared.options.backlog_bytes_max;
        let log = self.shared.log();
        let log = self
            .shared
            .published
            .wait_while(log, |log| {
                log.recent_bytes >= limit && log.publishing_fails.is_none() && log.state != State::Failed
            })
            .unwrap_or_else(PoisonError::into_inner);
        let (state, backlog) = (log.state, log.recent_bytes);
        drop(log);
        let refusal = match state {
            State::Failed => Some(Error::Failed),
            _ if backlog >= limit => Some(Error::Behind { bytes: backlog }),
            State::ReadOnly => {
                let (reserved, others) = batch.into_iter().partition(|request| request.reserved);
                refuse(others, &Error::ReadOnly);
                return Some(reserved).filter(|batch: &Vec<Request>| !batch.is_empty());
            }
            State::Ready | State::HighWater => None,
        };
        match refusal {
            Some(error) => {
                refuse(batch, &error);
                None
            }
            None => Some(batch),
        }
    }

    fn make_durable(&mut self, batch: &[Request]) -> Result<(), Error> {
        let mut frame = FrameBuilder::with_room(batch.iter().map(|request| request.bytes).sum());
        for entry in batch.iter().flat_map(|request| &request.entries) {
            frame.push(&entry.bytes, entry.leaf)?;
        }
        if self.writer.wal.offset + frame.bytes() > self.shared.options.wal_bytes {
            self.change_file()?;
        }
        let (options, first) = (&self.shared.options, self.writer.wal.first);
        let wrote = |source| wrote(&options.wal_name(first), source);
        let (bytes, digest) = frame.finish(&self.writer.digest, self.writer.next);
        self.writer.wal.file.write_at(self.writer.wal.offset as u64, &bytes).map_err(wrote)?;
        self.writer.wal.file.sync().map_err(wrote)?;
        self.writer.wal.offset += bytes.len();
        self.writer.digest = digest;
        Ok(())
    }

    /// Goes on in a new file: the spare one, or one that is made now. Every frame fits into a new file, so no file is
    /// left without an entry, and no two have one name.
    fn change_file(&mut self) -> Result<(), Error> {
        let options = &self.shared.options;
        let disk = &self.shared.disk;
        let mut log = self.shared.log();
        let file = match log.spare.take() {
            Some(file) => {
                // Under the lock: until the name is free, the publisher must not begin the next spare file, which would
                // be this one by another handle.
                let name = options.wal_name(self.writer.next);
                disk.rename(&options.spare_name(), &name).map_err(failed("rename", &name))?;
                drop(log);
                file
            }
            None => {
                drop(log);
                let stem = layout::wal_stem(self.writer.next);
                // A file without entries would stand in the way of the next attempt: none is left when this fails.
                set_aside(&**disk, &stem, options.wal_bytes).map_err(failed("create", &stem))?
            }
        };
        let mut log = self.shared.log();
        log.wals.push_back(self.writer.next);
        log.wal_offset = 0;
        log.spare_wanted = true;
        drop(log);
        self.shared.to_publish.notify_all();
        self.writer.wal = WalFile { first: self.writer.next, file, offset: 0 };
        self.writer.digest = seed(&self.shared.options.origin, self.writer.next);
        Ok(())
    }

    fn acknowledge(&mut self, batch: Vec<Request>) {
        let mut log = self.shared.log();
        let first = log.recent.is_empty();
        for request in &batch {
            log.recent_bytes += request.bytes;
            log.recent.extend(request.entries.iter().cloned());
        }
        log.wal_offset = self.writer.wal.offset;
        let from = self.writer.next;
        self.writer.next = log.head.size + log.recent.len() as u64;
        let wakes = first || self.shared.options.presses(log.recent_bytes);
        drop(log);
        self.shared.size.send_replace(self.writer.next);
        if wakes {
            self.shared.to_publish.notify_all();
        }
        let mut index = from;
        for request in batch {
            let appended: Vec<Appended> = (index..)
                .zip(&request.entries)
                .map(|(index, entry)| Appended { index, leaf_hash: entry.leaf })
                .collect();
            index += appended.len() as u64;
            if let Some(ack) = request.ack {
                // A caller that no longer waits has its entry all the same.
                let _ = ack.send(Ok(appended));
            }
        }
    }
}

/// A failed write or sync: never taken for a full disk, since the frame's place was filled beforehand and its state is
/// unknown now.
fn wrote(name: &str, source: std::io::Error) -> Error {
    let source = std::io::Error::other(source);
    Error::Io { operation: "write", name: name.to_owned(), source: Arc::new(source) }
}

fn refuse(batch: Vec<Request>, error: &Error) {
    for request in batch {
        match request.ack {
            Some(ack) => {
                let _ = ack.send(Err(error.clone()));
            }
            None => tracing::error!(error = %error, entries = request.entries.len(), "batched entries were lost"),
        }
    }
}
