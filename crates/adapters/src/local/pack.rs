//! Packs: files in which small bodies lie one behind the other, so that one flush makes many of them durable.
//!
//! A pack is a header, then entries on 64-byte borders (a header of 32 bytes, the body), and, once it was closed in
//! order, a seal. An entry's header never crosses a disk sector, so it is replaced whole or not at all. Deleting turns
//! the header into that of a gap, joins it with gaps beside it and gives the space back to the file system. Nothing
//! ever moves, so a deletion cannot harm a neighbour; there is no compaction. A pack of gaps alone is removed.
//! INVARIANT: an entry is acknowledged only after a flush that followed its write; a pack on which a write or flush
//! failed is never written to again, because nothing is known of what the failure left behind.

use base::BlobId;
use bytes::Bytes;
use governance::ports::{BackendError, Blob, Place};
use std::{
    collections::{BTreeMap, HashMap},
    io,
    path::PathBuf,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread::JoinHandle,
};
use tokio::sync::{mpsc, oneshot};

use super::{
    failed,
    files::{Files, Handle},
    header::{self, ALIGN, HEADER, Header},
};

/// Bytes after which a new pack is begun: large enough that folders stay short, small enough to be freed in time.
const PACK_BYTES_MAX: u64 = 256 << 20;
/// Requests that one flush serves at most.
const BATCH_MAX: usize = 512;
/// Bytes that one flush serves at most: bounds the latency of the first request in a batch.
const BATCH_BYTES_MAX: usize = 4 << 20;
/// Requests that wait for the writer at most; beyond it callers wait to enqueue.
const QUEUE_MAX: usize = 1024;
/// Packs that are kept open for reading.
const HANDLES_MAX: usize = 256;

struct Request {
    id: BlobId,
    bytes: Bytes,
    done: oneshot::Sender<Result<Blob, BackendError>>,
}

/// All packs of a folder, and the one thread that writes to them.
pub(super) struct Packs {
    shared: Arc<Shared>,
    queue: Option<mpsc::Sender<Request>>,
    writer: Option<JoinHandle<()>>,
}

struct Shared {
    dir: PathBuf,
    files: Arc<dyn Files>,
    handles: Mutex<HashMap<u64, Arc<dyn Handle>>>,
    /// Gaps by pack, start to end; rebuilt by listing.
    gaps: Mutex<HashMap<u64, BTreeMap<u64, u64>>>,
    /// The pack that is written to; 0 when none is.
    active: AtomicU64,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The same failure for every waiter of a batch.
fn again(error: &io::Error) -> io::Error {
    error.raw_os_error().map_or_else(|| error.kind().into(), io::Error::from_raw_os_error)
}

impl Packs {
    /// Takes over the packs of `dir` and starts the writer.
    pub(super) fn open(dir: PathBuf, files: Arc<dyn Files>) -> Result<Self, BackendError> {
        let shared = Arc::new(Shared {
            dir,
            files,
            handles: Mutex::default(),
            gaps: Mutex::default(),
            active: AtomicU64::new(0),
        });
        let newest = shared.numbers().map_err(|e| failed("list the packs", e))?.last().copied().unwrap_or(0);
        let (queue, requests) = mpsc::channel(QUEUE_MAX);
        let writer = Writer { shared: Arc::clone(&shared), active: None, newest, buffer: Vec::new() };
        let writer = std::thread::Builder::new()
            .name("galen-packs".to_owned())
            .spawn(move || writer.run(requests))
            .map_err(|e| failed("start the writer of packs", e))?;
        Ok(Self { shared, queue: Some(queue), writer: Some(writer) })
    }

    pub(super) async fn put(&self, id: BlobId, bytes: Bytes) -> Result<Blob, BackendError> {
        let stopped = || BackendError::Stopped { operation: "store a small body" };
        let (done, answer) = oneshot::channel();
        let queue = self.queue.as_ref().ok_or_else(stopped)?;
        queue.send(Request { id, bytes, done }).await.map_err(|_| stopped())?;
        answer.await.map_err(|_| stopped())?
    }

    /// Reads a body; `None` when it would have to wait for the device and `wait` is false.
    pub(super) fn read(&self, blob: &Blob, wait: bool) -> Result<Option<Vec<u8>>, BackendError> {
        let missing = || BackendError::Missing { id: blob.id };
        let Place::Packed { pack, offset } = blob.place else { return Err(missing()) };
        let handle = match self.shared.handle(pack) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Err(missing()),
            other => other.map_err(|e| failed("open a pack", e))?,
        };
        let len = usize::try_from(blob.len).map_err(|_| missing())?;
        let mut buffer = vec![0; len];
        if handle.read_cached(&mut buffer, offset) {
            return Ok(Some(buffer));
        }
        if !wait {
            return Ok(None);
        }
        match handle.read_at(&mut buffer, offset) {
            Ok(()) => Ok(Some(buffer)),
            Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => Err(missing()),
            Err(e) => Err(failed("read a pack", e)),
        }
    }

    /// Turns the body's place into a gap. Blocks.
    pub(super) fn delete(&self, blob: &Blob) -> Result<(), BackendError> {
        let Place::Packed { pack, offset } = blob.place else { return Ok(()) };
        let handle = match self.shared.handle(pack) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
            other => other.map_err(|e| failed("open a pack", e))?,
        };
        let Some(start) = offset.checked_sub(HEADER) else { return Ok(()) };
        let mut gaps = lock(&self.shared.gaps);
        // Only the very entry that is meant: a gap or a stranger at this place means that it was deleted before.
        match header::read(&*handle, start) {
            Ok(Some(Header::Entry { id, len, .. })) if id == blob.id && u64::from(len) == blob.len => {}
            Ok(_) => return Ok(()),
            Err(e) => return Err(failed("read a pack", e)),
        }
        let gaps = gaps.entry(pack).or_default();
        let (from, to) = joined(gaps, start, start + header::stride(blob.len));
        header::write_gap(&*handle, from, to - from).map_err(|e| failed("delete from a pack", e))?;
        gaps.retain(|gap, _| !(from..to).contains(gap));
        gaps.insert(from, to);
        // The body is gone with its header; where the file system has no holes, only the space stays taken.
        if let Err(error) = handle.punch(from + HEADER, to - from - HEADER) {
            tracing::debug!(pack, %error, "space of a deleted body was not given back");
        }
        Ok(())
    }

    /// Bodies of one pack from `position` on. Blocks. The next position, or `None` at the pack's end.
    pub(super) fn scan(
        &self,
        pack: u64,
        position: u64,
        limit: usize,
    ) -> Result<(Vec<Blob>, Option<u64>), BackendError> {
        self.shared.scan(pack, position, limit).map_err(|e| failed("list a pack", e))
    }

    /// The pack after `number`, in ascending order.
    pub(super) fn after(&self, number: u64) -> Result<Option<u64>, BackendError> {
        let numbers = self.shared.numbers().map_err(|e| failed("list the packs", e))?;
        Ok(numbers.into_iter().find(|n| *n > number))
    }
}

impl Drop for Packs {
    /// Lets the writer finish what was enqueued and seal its pack.
    fn drop(&mut self) {
        self.queue = None;
        if let Some(writer) = self.writer.take()
            && writer.join().is_err()
        {
            tracing::error!("the writer of packs ended in a panic");
        }
    }
}

/// The gap `[start, end)` together with gaps that touch it, while the whole still fits a header.
fn joined(gaps: &BTreeMap<u64, u64>, start: u64, end: u64) -> (u64, u64) {
    let before = gaps.range(..start).next_back().filter(|(_, to)| **to == start).map(|(from, _)| *from);
    let from = before.unwrap_or(start);
    let to = gaps.get(&end).copied().unwrap_or(end);
    if to - from <= u64::from(u32::MAX) { (from, to) } else { (start, end) }
}

impl Shared {
    fn path(&self, pack: u64) -> PathBuf {
        self.dir.join(format!("{pack:016x}.pack"))
    }

    /// Numbers of the packs that exist, ascending.
    fn numbers(&self) -> io::Result<Vec<u64>> {
        let number = |name: &str| u64::from_str_radix(name.strip_suffix(".pack")?, 16).ok();
        let mut out: Vec<u64> = self.files.list(&self.dir)?.iter().filter_map(|f| number(&f.name)).collect();
        out.sort_unstable();
        Ok(out)
    }

    fn handle(&self, pack: u64) -> io::Result<Arc<dyn Handle>> {
        if let Some(handle) = lock(&self.handles).get(&pack) {
            return Ok(Arc::clone(handle));
        }
        let handle = self.files.open(&self.path(pack))?;
        self.keep(pack, &handle);
        Ok(handle)
    }

    fn keep(&self, pack: u64, handle: &Arc<dyn Handle>) {
        let mut handles = lock(&self.handles);
        if handles.len() >= HANDLES_MAX
            && let Some(any) = handles.keys().next().copied()
        {
            handles.remove(&any);
        }
        handles.insert(pack, Arc::clone(handle));
    }

    fn scan(&self, pack: u64, position: u64, limit: usize) -> io::Result<(Vec<Blob>, Option<u64>)> {
        let handle = match self.handle(pack) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok((Vec::new(), None)),
            other => other?,
        };
        let end = handle.size()?;
        // Without a seal the tail may be torn: bodies are read and compared. With one, every entry was flushed.
        let sealed = end >= 2 * ALIGN && matches!(header::read(&*handle, end - ALIGN), Ok(Some(Header::Seal)));
        let mut at = position.max(ALIGN);
        let mut found = Vec::new();
        while at + HEADER <= end && found.len() < limit {
            match header::read(&*handle, at)? {
                Some(Header::Entry { id, len, crc }) if at + HEADER + u64::from(len) <= end => {
                    let offset = at + HEADER;
                    if sealed || header::body_matches(&*handle, offset, len, crc)? {
                        found.push(Blob { id, len: len.into(), place: Place::Packed { pack, offset } });
                    }
                    at += header::stride(len.into());
                }
                Some(Header::Gap { len }) => {
                    lock(&self.gaps).entry(pack).or_default().insert(at, at + u64::from(len));
                    at += u64::from(len).max(ALIGN);
                }
                // A torn tail, or what a power cut left of a gap: look on, headers cannot be mistaken.
                _ => at += ALIGN,
            }
        }
        let more = at + HEADER <= end;
        if !more && position == 0 && found.is_empty() && self.active.load(Ordering::Acquire) != pack {
            self.remove(pack)?;
        }
        Ok((found, more.then_some(at)))
    }

    /// Removes a pack that was scanned from end to end and holds nothing.
    fn remove(&self, pack: u64) -> io::Result<()> {
        lock(&self.handles).remove(&pack);
        lock(&self.gaps).remove(&pack);
        self.files.remove(&self.path(pack))
    }
}

struct Active {
    number: u64,
    handle: Arc<dyn Handle>,
    end: u64,
}

/// The one writer: takes what has arrived while the last flush ran, writes it in one piece, flushes, answers.
struct Writer {
    shared: Arc<Shared>,
    active: Option<Active>,
    newest: u64,
    buffer: Vec<u8>,
}

impl Writer {
    fn run(mut self, mut requests: mpsc::Receiver<Request>) {
        while let Some(first) = requests.blocking_recv() {
            let mut bytes = first.bytes.len();
            let mut batch = vec![first];
            while batch.len() < BATCH_MAX && bytes < BATCH_BYTES_MAX {
                let Ok(next) = requests.try_recv() else { break };
                bytes += next.bytes.len();
                batch.push(next);
            }
            self.serve(batch);
        }
        self.seal();
    }

    fn serve(&mut self, batch: Vec<Request>) {
        match self.write(&batch) {
            Ok(blobs) => {
                for (request, blob) in batch.into_iter().zip(blobs) {
                    // A caller that went away leaves an orphan, which the sweep removes.
                    drop(request.done.send(Ok(blob)));
                }
            }
            Err(error) => {
                self.abandon();
                for request in batch {
                    drop(request.done.send(Err(failed("store a small body", again(&error)))));
                }
            }
        }
    }

    fn write(&mut self, batch: &[Request]) -> io::Result<Vec<Blob>> {
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.clear();
        let active = self.active()?;
        let (pack, start) = (active.number, active.end);
        let mut blobs = Vec::with_capacity(batch.len());
        for request in batch {
            let offset = start + buffer.len() as u64 + HEADER;
            header::append_entry(&mut buffer, request.id, &request.bytes)?;
            blobs.push(Blob { id: request.id, len: request.bytes.len() as u64, place: Place::Packed { pack, offset } });
        }
        active.handle.write_at(&buffer, start)?;
        active.handle.sync()?;
        active.end = start + buffer.len() as u64;
        self.buffer = buffer;
        Ok(blobs)
    }

    fn active(&mut self) -> io::Result<&mut Active> {
        if self.active.as_ref().is_some_and(|active| active.end >= PACK_BYTES_MAX) {
            self.seal();
        }
        let active = match self.active.take() {
            Some(active) => active,
            None => self.begin()?,
        };
        Ok(self.active.insert(active))
    }

    /// A new pack; its name is durable before the first entry is acknowledged.
    fn begin(&mut self) -> io::Result<Active> {
        // The number is spent even if making the file fails: it may exist all the same.
        self.newest += 1;
        let number = self.newest;
        self.shared.active.store(number, Ordering::Release);
        let handle = self.shared.files.create(&self.shared.path(number))?;
        handle.write_at(&header::pack(number), 0)?;
        self.shared.files.sync_dir(&self.shared.dir)?;
        self.shared.keep(number, &handle);
        Ok(Active { number, handle, end: ALIGN })
    }

    /// Never writes to the present pack again.
    fn abandon(&mut self) {
        self.active = None;
        self.shared.active.store(0, Ordering::Release);
    }

    /// Closes the present pack in order. A seal that fails only makes the next listing read the bodies.
    fn seal(&mut self) {
        if let Some(active) = self.active.take() {
            let sealed = active.handle.write_at(&header::seal(), active.end).and_then(|()| active.handle.sync());
            if let Err(error) = sealed {
                tracing::warn!(pack = active.number, %error, "a pack could not be sealed");
            }
        }
        self.abandon();
    }
}
