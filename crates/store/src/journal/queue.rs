//! What waits for the writer: bounded in bytes, closed once, and quick to say that only batched entries wait.

use crypto::Sha256Digest;
use std::{
    collections::VecDeque,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use super::{Appended, Error};

/// Bytes that one permit of the queue's room stands for.
const ROOM_UNIT_BYTES: usize = 256;

/// An entry and its leaf hash.
#[derive(Clone)]
pub(super) struct Prepared {
    pub(super) bytes: Arc<[u8]>,
    pub(super) leaf: Sha256Digest,
}

/// Who waits for a batch, and what is told them.
pub(super) type Ack = oneshot::Sender<Result<Vec<Appended>, Error>>;
/// Their end of it.
pub(super) type Told = oneshot::Receiver<Result<Vec<Appended>, Error>>;

/// Entries of one caller.
pub(super) struct Request {
    pub(super) entries: Vec<Prepared>,
    pub(super) bytes: usize,
    /// May use the reserved space.
    pub(super) reserved: bool,
    /// `None` for batched entries, whose caller does not wait.
    pub(super) ack: Option<Ack>,
    /// Given back when the request is done.
    pub(super) _room: OwnedSemaphorePermit,
}

#[derive(Default)]
struct Waiting {
    requests: VecDeque<Request>,
    bytes: usize,
    /// Requests whose caller waits.
    urgent: usize,
    closed: bool,
}

pub(super) struct Queue {
    waiting: Mutex<Waiting>,
    changed: Condvar,
    room: Arc<Semaphore>,
    room_units: usize,
    batch_bytes_max: usize,
    batched_delay: Duration,
}

impl Queue {
    pub(super) fn new(bytes_max: usize, batch_bytes_max: usize, batched_delay: Duration) -> Self {
        // At least one batch fits, or the largest request could never be sent.
        let room_units = bytes_max.max(batch_bytes_max) / ROOM_UNIT_BYTES + 1;
        Self {
            waiting: Mutex::default(),
            changed: Condvar::new(),
            room: Arc::new(Semaphore::new(room_units)),
            room_units,
            batch_bytes_max,
            batched_delay,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until there is room for so many bytes.
    pub(super) async fn room(&self, bytes: usize) -> Result<OwnedSemaphorePermit, Error> {
        let units = (bytes / ROOM_UNIT_BYTES + 1).min(self.room_units);
        let units = u32::try_from(units).unwrap_or(u32::MAX);
        Arc::clone(&self.room).acquire_many_owned(units).await.map_err(|_| Error::Closed)
    }

    pub(super) fn push(&self, request: Request) -> Result<(), Error> {
        if self.put(request)? {
            self.changed.notify_one();
        }
        Ok(())
    }

    /// As [`Queue::push`], without waking the thread: the caller takes what waits at once ([`Queue::now`]).
    pub(super) fn push_unheard(&self, request: Request) -> Result<(), Error> {
        self.put(request).map(drop)
    }

    /// Whether the thread must be woken.
    fn put(&self, request: Request) -> Result<bool, Error> {
        self.lock().put(request, self.batch_bytes_max)
    }

    /// Asks that what waits is written now; tells when it is. `None` when nothing waits. The request has no entry of its own: it
    /// shares the batch of the one before it.
    pub(super) fn hurry(&self) -> Option<Told> {
        let room = Arc::clone(&self.room).try_acquire_many_owned(0).ok()?;
        let (sender, receiver) = oneshot::channel();
        let request = Request { entries: Vec::new(), bytes: 0, reserved: false, ack: Some(sender), _room: room };
        let mut waiting = self.lock();
        if waiting.requests.is_empty() {
            return None;
        }
        if waiting.put(request, self.batch_bytes_max).ok()? {
            self.changed.notify_one();
        }
        Some(receiver)
    }

    /// Nothing more comes in; what is in will still be written.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.room.close();
        self.changed.notify_all();
    }

    /// The next batch, in order: everything that waits, up to the limit. While only batched entries wait, it gives
    /// others up to the delay to join. `None` when closed and empty.
    pub(super) fn next(&self) -> Option<Vec<Request>> {
        loop {
            let waiting = self.lock();
            let waiting = self
                .changed
                .wait_while(waiting, |waiting| waiting.requests.is_empty() && !waiting.closed)
                .unwrap_or_else(PoisonError::into_inner);
            let (mut waiting, _) = self
                .changed
                .wait_timeout_while(waiting, self.batched_delay, |waiting| {
                    waiting.urgent == 0 && !waiting.closed && waiting.bytes < self.batch_bytes_max
                })
                .unwrap_or_else(PoisonError::into_inner);
            let batch = waiting.take(self.batch_bytes_max);
            // Somebody may have taken them meanwhile.
            if !batch.is_empty() || waiting.closed {
                return (!batch.is_empty()).then_some(batch);
            }
        }
    }

    /// The next batch if anything waits, without waiting; what is left is the thread's.
    pub(super) fn now(&self) -> Vec<Request> {
        let mut waiting = self.lock();
        let batch = waiting.take(self.batch_bytes_max);
        let left = !waiting.requests.is_empty();
        drop(waiting);
        if left {
            self.changed.notify_one();
        }
        batch
    }
}

impl Waiting {
    /// Adds a request; whether the thread must be woken.
    fn put(&mut self, request: Request, batch_bytes_max: usize) -> Result<bool, Error> {
        if self.closed {
            return Err(Error::Closed);
        }
        let urgent = request.ack.is_some();
        // The thread is asleep only before the first entry, or before the first that somebody waits for: a wake costs as
        // much as the rest of an append.
        let wakes = self.requests.is_empty() || (urgent && self.urgent == 0);
        self.bytes += request.bytes;
        self.urgent += usize::from(urgent);
        self.requests.push_back(request);
        Ok(wakes || self.bytes >= batch_bytes_max)
    }

    fn take(&mut self, bytes_max: usize) -> Vec<Request> {
        let (mut batch, mut bytes) = (Vec::new(), 0);
        while let Some(request) = self.requests.pop_front_if(|request| bytes == 0 || bytes + request.bytes <= bytes_max)
        {
            bytes += request.bytes;
            self.bytes -= request.bytes;
            self.urgent -= usize::from(request.ack.is_some());
            batch.push(request);
        }
        batch
    }
}
