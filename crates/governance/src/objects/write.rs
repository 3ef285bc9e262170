//! From a stream of plain bytes to a sealed body in the backend.
//!
//! Bytes are gathered into batches of frame slots. While the backend writes one batch, the next one is hashed and sealed on a
//! thread of its own, and those after it are filled from the network. Hashing and AES never run on an asynchronous thread,
//! except for a body of one small frame, where the hand-over would cost more.
//! Plain bytes live in a few buffers and nowhere else.

use base::{BlobId, DatasetId, ObjectVersionId};
use bytes::{Bytes, BytesMut};
use crypto::Sha256Digest;
use custody::KeyRef;
use futures::{
    StreamExt,
    future::{Either, select},
};
use std::{
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::{
    Inner,
    checksum::{Algorithm, Checksum, Expected, Hashed, Hashers},
    read::BATCH,
    record::Segment,
    seal::{Layout, SealedFor, Sealer, TAG, frame_size},
    types::Body,
};
use tokio::sync::mpsc::{self, error::TrySendError};

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
    hashers: Mutex<Hashers>,
}

impl Sealing {
    fn hashers(&self) -> MutexGuard<'_, Hashers> {
        self.hashers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hashes each frame and seals it, `first` being the index of the first.
    fn seal(&self, first: u64, slots: &mut [u8], ends: bool) -> Result<(), WorkFailed> {
        let mut hashers = self.hashers();
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
        let hashed = std::mem::take(&mut *sealing.hashers()).finish();
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
    let sealing = Arc::new(Sealing { sealer, hashers: Mutex::new(claims.hashers(also)) });
    let mut feed = Feed { body, inner, lease, frame: frame as usize, left: Bytes::new(), total: 0, announced, most };

    let plain = announced.map_or(BATCH, |len| usize::try_from(len).unwrap_or(BATCH).min(BATCH));
    let mut first = inner.pool.empty(plain + TAG * plain.div_ceil(frame as usize));
    let more = feed.fill(&mut first).await?;
    let (blob, hashed) = if first.is_empty() {
        (None, claims.check(&sealing)?)
    } else if !more && first.len() <= inner.backend.info().small_bytes_max {
        let first = seal_small(&sealing, first).await?;
        let hashed = claims.check(&sealing)?;
        (Some(inner.backend.put(blob, first.freeze()).await?), hashed)
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

async fn seal_small(sealing: &Arc<Sealing>, mut slots: BytesMut) -> Result<BytesMut, Error> {
    let sealing = Arc::clone(sealing);
    let inline = slots.len() <= INLINE_MAX;
    let mut work = move || sealing.seal(0, &mut slots, true).map(|()| std::mem::take(&mut slots));
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
    first: BytesMut,
    more: bool,
    feed: &mut Feed<'_>,
    claims: Claims,
) -> Result<(Blob, Hashed), Error> {
    let (queue, filled) = mpsc::channel(AHEAD);
    let (sealed, mut to_write) = mpsc::channel(AHEAD);
    let sealing_all = seal_all(Arc::clone(&sealing), feed.frames_per_batch() as u64, filled, sealed);
    let feeding = async {
        let (mut current, mut more) = (first, more);
        loop {
            let room = current.len();
            // The writer ends before the queue only with an error of its own.
            if queue.send((current, !more)).await.is_err() || !more {
                drop(queue);
                return Ok(());
            }
            // The next batch may be there already: the others' turn comes first.
            tokio::task::yield_now().await;
            current = inner.pool.empty(room);
            more = feed.fill(&mut current).await?;
        }
    };
    let writing = async {
        let mut writer = inner.backend.create(blob).await?;
        while let Some((buffer, _)) = to_write.recv().await {
            let mut run = vec![buffer];
            run.extend(std::iter::from_fn(|| to_write.try_recv().ok()).map(|(buffer, _)| buffer));
            for buffer in writer.append(run).await? {
                inner.pool.give(buffer);
            }
        }
        Ok::<_, Error>(writer)
    };
    let ((), (), writer) = futures::try_join!(feeding, sealing_all, writing)?;
    let hashed = claims.check(&sealing)?;
    Ok((writer.finish().await?, hashed))
}

/// A filled batch, and whether the body ends with it.
type Batch = (BytesMut, bool);

/// Seals each batch and hands it on. A thread that began goes on for as long as there is something to do and room for what
/// is done, and never waits.
async fn seal_all(
    sealing: Arc<Sealing>,
    per_batch: u64,
    mut from: mpsc::Receiver<Batch>,
    mut to: mpsc::Sender<Batch>,
) -> Result<(), Error> {
    let mut first = 0;
    while let Some(mut batch) = from.recv().await {
        // Who comes after ends before the queue only with an error of its own.
        let Ok(mut place) = to.reserve_owned().await else { return Ok(()) };
        let sealing = Arc::clone(&sealing);
        let run = move || {
            loop {
                let (slots, ends) = &mut batch;
                sealing.seal(first, slots, *ends)?;
                first += per_batch;
                place = match place.send(batch).try_reserve_owned() {
                    Ok(place) => place,
                    Err(TrySendError::Full(to) | TrySendError::Closed(to)) => {
                        return Ok::<_, WorkFailed>((from, to, first));
                    }
                };
                batch = match from.try_recv() {
                    Ok(batch) => batch,
                    Err(_) => return Ok((from, place.release(), first)),
                };
            }
        };
        let Ok(Ok(done)) = tokio::task::spawn_blocking(run).await else {
            return Err(Error::Damaged { what: "frame in progress" });
        };
        (from, to, first) = done;
    }
    Ok(())
}

/// Batches that wait for each step at most: enough that a step goes on while the one before it or after it waits for a processor or
/// for the device. An upload that comes faster than it can be stored holds 27 MiB.
const AHEAD: usize = 8;

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
    async fn fill(&mut self, slots: &mut BytesMut) -> Result<bool, Error> {
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
