//! From a stream of plain bytes to a sealed body in the backend.
//!
//! Bytes are gathered into batches of frame slots; while the backend's threads seal and write one batch, the next ones are
//! filled from the network, and between the two a batch is hashed on a thread of its own where hashing takes long. Hashing
//! and AES never run on an asynchronous thread, except for a body of one small frame, where the hand-over would cost more.
//! Plain bytes live in a few buffers and nowhere else.

use base::{BlobId, DatasetId, ObjectVersionId};
use bytes::Bytes;
use crypto::Sha256Digest;
use custody::KeyRef;
use futures::{
    StreamExt,
    future::{self, Either, select},
};
use std::{
    pin::pin,
    sync::{Arc, Mutex, PoisonError},
};

use super::{
    Inner,
    checksum::{Algorithm, Checksum, Expected, Hashed, Hashers},
    read::BATCH,
    record::Segment,
    seal::{Layout, SealedFor, Sealer, TAG, frame_size},
    types::Body,
};
use tokio::sync::mpsc;

use crate::{
    Error,
    ports::{Blob, WorkFailed},
};
use access::Lease;

/// What a body is to become.
pub(crate) struct Plan {
    pub(crate) dataset: DatasetId,
    pub(crate) wrap: KeyRef,
    pub(crate) version: ObjectVersionId,
    pub(crate) part: u32,
    pub(crate) blob: BlobId,
    pub(crate) announced: Option<u64>,
    pub(crate) most: u64,
    pub(crate) expected: Expected,
    /// A further checksum that is stored whatever the caller expects.
    pub(crate) also: Option<Algorithm>,
    pub(crate) content_md5: Option<[u8; 16]>,
    pub(crate) signed: Option<Sha256Digest>,
}

/// A durable body that nothing refers to yet.
pub(crate) struct Stored {
    pub(crate) segment: Segment,
    pub(crate) hashed: Hashed,
    /// Keeps the sweep away until the record is committed.
    pub(crate) _guard: Guard,
}

/// Says that a body is being written; dropped when its record is committed or given up.
pub(crate) struct Guard {
    inner: Arc<Inner>,
    blob: BlobId,
}

impl Guard {
    fn new(inner: &Arc<Inner>, blob: BlobId) -> Self {
        inner.in_flight().insert(blob);
        Self { inner: Arc::clone(inner), blob }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.inner.in_flight().remove(&self.blob);
    }
}

/// What is done to each batch.
struct Sealing {
    sealer: Sealer,
    hashers: Mutex<Option<Hashers>>,
}

impl Sealing {
    fn hashers(&self) -> std::sync::MutexGuard<'_, Option<Hashers>> {
        self.hashers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether to hash a batch before it is handed on to be sealed, instead of where it is sealed.
    fn apart(&self) -> bool {
        self.hashers().as_ref().is_some_and(Hashers::are_slow)
    }

    fn hash(&self, slots: &[u8]) -> Result<(), WorkFailed> {
        let mut hashers = self.hashers();
        let hashers = hashers.as_mut().ok_or(WorkFailed)?;
        self.sealer.plain(slots).for_each(|plain| hashers.update(plain));
        Ok(())
    }

    fn hash_and_seal(&self, first: u64, slots: &mut [u8], ends: bool) -> Result<(), WorkFailed> {
        let mut hashers = self.hashers();
        let hashers = hashers.as_mut().ok_or(WorkFailed)?;
        self.sealer.seal(first, slots, ends, |plain| hashers.update(plain))
    }
}

/// What the caller says of the whole body.
struct Claims {
    expected: Expected,
    content_md5: Option<[u8; 16]>,
    signed: Option<Sha256Digest>,
}

impl Claims {
    fn hashers(&self, also: Option<Algorithm>) -> Hashers {
        let signed = self.signed.map(|_| Algorithm::Sha256);
        let algorithms: Vec<Algorithm> = also.into_iter().chain([self.expected.algorithm()]).chain(signed).collect();
        Hashers::new(&algorithms, self.content_md5.is_some())
    }

    fn check(self, sealing: &Sealing) -> Result<Hashed, Error> {
        let hashers = sealing.hashers().take().ok_or(Error::Damaged { what: "checksum in progress" })?;
        let hashed = hashers.finish();
        let signed = self.signed.map(|digest| Checksum::of(Algorithm::Sha256, digest.bytes()));
        if signed.is_some() && signed.as_ref() != hashed.of(Algorithm::Sha256) {
            return Err(Error::NotTheSignedBody);
        }
        self.expected.check(&hashed)?;
        if self.content_md5.is_some() && self.content_md5 != hashed.md5 {
            return Err(Error::ChecksumMismatch { algorithm: "MD5" });
        }
        Ok(hashed)
    }
}

/// Seals and stores a body, and compares its length and checksums before it becomes durable.
pub(crate) async fn store(inner: &Arc<Inner>, plan: Plan, body: Body, lease: Option<&Lease>) -> Result<Stored, Error> {
    let Plan { dataset, wrap, version, part, blob, announced, most, expected, also, content_md5, signed } = plan;
    if announced.is_some_and(|len| len > most) {
        return Err(Error::BodyTooLarge { most });
    }
    let guard = Guard::new(inner, blob);
    let place = SealedFor { dataset, key_version: wrap.version, version, part };
    let (plain_key, wrapped) = inner.ask_custody(move |it| it.data_key_new(&wrap, &place.wrap_aad())).await?;
    let frame = frame_size(announced);
    let sealer = Sealer { key: crypto::AeadKey::new(&plain_key)?, place, frame };
    let claims = Claims { expected, content_md5, signed };
    let hashers = claims.hashers(also);
    let sealing = Arc::new(Sealing { sealer, hashers: Mutex::new(Some(hashers)) });
    let mut feed = Feed { body, inner, lease, frame: frame as usize, left: Bytes::new(), total: 0, announced, most };

    let plain = announced.map_or(BATCH, |len| usize::try_from(len).unwrap_or(BATCH).min(BATCH));
    let mut first = inner.pool.empty(plain + TAG * plain.div_ceil(frame as usize));
    let more = feed.fill(&mut first).await?;
    let (blob, hashed) = if first.is_empty() {
        (None, claims.check(&sealing)?)
    } else if !more && first.len() <= inner.backend.info().small_bytes_max {
        let first = seal_small(&sealing, first).await?;
        let hashed = claims.check(&sealing)?;
        (Some(inner.backend.put(blob, Bytes::from(first)).await?), hashed)
    } else {
        let (blob, hashed) = store_large(inner, blob, sealing, first, more, &mut feed, claims).await?;
        (Some(blob), hashed)
    };
    let layout = Layout { len: feed.total, frame };
    let segment = Segment { part, start: 0, layout, version, key: wrap, wrapped, blob, checksum: None };
    Ok(Stored { segment, hashed, _guard: guard })
}

/// Bytes up to which a body is hashed and sealed where it arrived: at most 0.1 ms even of SHA-256.
const INLINE_MAX: usize = 16 << 10;

async fn seal_small(sealing: &Arc<Sealing>, mut slots: Vec<u8>) -> Result<Vec<u8>, Error> {
    let sealing = Arc::clone(sealing);
    let inline = slots.len() <= INLINE_MAX;
    let mut work = move || sealing.hash_and_seal(0, &mut slots, true).map(|()| std::mem::take(&mut slots));
    let done = if inline { Ok(work()) } else { tokio::task::spawn_blocking(work).await };
    match done {
        Ok(Ok(sealed)) => Ok(sealed),
        _ => Err(Error::Damaged { what: "frame in progress" }),
    }
}

async fn store_large(
    inner: &Arc<Inner>,
    blob: BlobId,
    sealing: Arc<Sealing>,
    first: Vec<u8>,
    more: bool,
    feed: &mut Feed<'_>,
    claims: Claims,
) -> Result<(Blob, Hashed), Error> {
    let mut writer = inner.backend.create(blob).await?;
    let per_batch = feed.frames_per_batch() as u64;
    // A body of one batch has nothing to be hashed beside.
    let apart = more && sealing.apart();
    let (queue, filled) = mpsc::channel(AHEAD);
    let (hashing, mut ready) = if apart {
        let (hashed, ready) = mpsc::channel(AHEAD);
        (Either::Left(hash_apart(&sealing, filled, hashed)), ready)
    } else {
        (Either::Right(future::ready(Ok(()))), filled)
    };
    let feeding = async {
        let (mut current, mut more) = (first, more);
        loop {
            let room = current.len();
            // The writer ends before the queue only with an error of its own.
            if queue.send((current, !more)).await.is_err() || !more {
                drop(queue);
                return Ok(());
            }
            current = inner.pool.empty(room);
            more = feed.fill(&mut current).await?;
        }
    };
    let writing = async {
        let mut index = 0;
        while let Some((run, ends)) = next_run(&mut ready).await {
            let (sealing, mut left) = (Arc::clone(&sealing), run.len());
            let mut at = index;
            index += per_batch * left as u64;
            let work = move |slots: &mut [u8]| {
                left -= 1;
                let first = at;
                at += per_batch;
                let ends = ends && left == 0;
                if apart {
                    sealing.sealer.seal(first, slots, ends, |_| ())
                } else {
                    sealing.hash_and_seal(first, slots, ends)
                }
            };
            for buffer in writer.append(run, Box::new(work)).await? {
                inner.pool.give(buffer);
            }
        }
        Ok::<_, Error>(())
    };
    futures::try_join!(feeding, hashing, writing)?;
    let hashed = claims.check(&sealing)?;
    Ok((writer.finish().await?, hashed))
}

/// A filled batch, and whether the body ends with it.
type Batch = (Vec<u8>, bool);

/// The batches that wait, and whether the body ends with the last of them.
async fn next_run(waiting: &mut mpsc::Receiver<Batch>) -> Option<(Vec<Vec<u8>>, bool)> {
    let (buffer, mut ends) = waiting.recv().await?;
    let mut run = vec![buffer];
    while let Ok((buffer, last)) = waiting.try_recv() {
        run.push(buffer);
        ends = last;
    }
    Some((run, ends))
}

/// Hashes what was filled and hands it on, so that a batch is hashed while the one before it is sealed and written.
async fn hash_apart(
    sealing: &Arc<Sealing>,
    mut filled: mpsc::Receiver<Batch>,
    hashed: mpsc::Sender<Batch>,
) -> Result<(), Error> {
    while let Some((run, ends)) = next_run(&mut filled).await {
        let sealing = Arc::clone(sealing);
        let work = move || run.iter().try_for_each(|slots| sealing.hash(slots)).map(|()| run);
        let Ok(Ok(run)) = tokio::task::spawn_blocking(work).await else {
            return Err(Error::Damaged { what: "checksum in progress" });
        };
        let last = run.len();
        for (n, buffer) in run.into_iter().enumerate() {
            // The writer ends before the queue only with an error of its own.
            if hashed.send((buffer, ends && n + 1 == last)).await.is_err() {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// Batches that wait for the writer at most. What has arrived while it wrote is sealed and written in one go, so that a
/// hand-over between threads is paid once for several batches when it takes long.
const AHEAD: usize = 4;

/// Cuts what arrives into frame slots.
struct Feed<'a> {
    body: Body,
    inner: &'a Arc<Inner>,
    lease: Option<&'a Lease>,
    /// Plain bytes of a frame.
    frame: usize,
    /// What arrived and is in no slot yet.
    left: Bytes,
    total: u64,
    announced: Option<u64>,
    most: u64,
}

impl Feed<'_> {
    fn frames_per_batch(&self) -> usize {
        (BATCH / self.frame.max(1)).max(1)
    }

    /// Fills a batch; false when the body ended with it.
    async fn fill(&mut self, slots: &mut Vec<u8>) -> Result<bool, Error> {
        if let Some(lease) = self.lease {
            lease.check(self.inner.effects.now()).map_err(|why| Error::Ended { why: why.word() })?;
        }
        slots.clear();
        for _ in 0..self.frames_per_batch() {
            let mut room = self.frame;
            while room > 0 && self.arrived().await? {
                let piece = self.left.split_to(room.min(self.left.len()));
                slots.extend_from_slice(&piece);
                room -= piece.len();
            }
            if room < self.frame {
                slots.extend_from_slice(&[0; TAG]);
            }
            if room > 0 {
                return Ok(false);
            }
        }
        self.arrived().await
    }

    /// Waits until there is something to cut; false at the end of the body.
    async fn arrived(&mut self) -> Result<bool, Error> {
        while self.left.is_empty() {
            let next = match self.lease {
                None => self.body.next().await,
                Some(lease) => match select(self.body.next(), pin!(lease.ended())).await {
                    Either::Left((next, _)) => next,
                    Either::Right((why, _)) => return Err(Error::Ended { why: why.word() }),
                },
            };
            let Some(piece) = next else { return self.ended() };
            self.left = piece.map_err(|source| match source.downcast::<Error>() {
                // A copy reads with our own stream: its failure is ours.
                Ok(own) => *own,
                Err(source) => Error::Body { source },
            })?;
            self.total += self.left.len() as u64;
            if self.total > self.most {
                return Err(Error::BodyTooLarge { most: self.most });
            }
            if let Some(announced) = self.announced.filter(|announced| self.total > *announced) {
                return Err(Error::WrongLength { announced, got: self.total });
            }
        }
        Ok(true)
    }

    fn ended(&self) -> Result<bool, Error> {
        match self.announced {
            Some(announced) if announced != self.total => Err(Error::WrongLength { announced, got: self.total }),
            _ => Ok(false),
        }
    }
}
