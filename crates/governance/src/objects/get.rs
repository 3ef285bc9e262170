//! Reading: head, open, attributes.

use access::{Action, Lease, Outcome, Permit};
use bytes::Bytes;
use futures::{
    StreamExt,
    future::{Either, select},
    stream::{self, BoxStream},
};
use std::{ops::Range, pin::pin, sync::Arc};

use super::{
    Inner, Objects,
    checksum::StoredChecksum,
    name::{BucketName, ObjectKey, VersionId},
    read,
    record::{self, Content, ObjectRow, Segment},
    seal::FRAME_SMALL,
    target::{ReadsAttributes, ReadsObject, Target, finished, status},
    types::{Get, ObjectInfo, PAGE_MAX, PartInfo, PartPage},
};
use crate::{Error, Tags, ports::BackendError};

/// What a read would give, without its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// The version.
    pub info: ObjectInfo,
    /// The bytes that the request is about; all of them without a range or part.
    pub range: Range<u64>,
    /// Whether the request named a range or part, which an edge answers as partial content.
    pub partial: bool,
    /// The checksum of the bytes of `range`, where one is stored: of the whole, or of the part that was asked for.
    pub checksum: Option<StoredChecksum>,
}

/// An open object: what it is, and its bytes as they are decrypted. Dropping it records what was sent.
pub struct ObjectStream {
    /// What is being read.
    pub head: Head,
    /// The plain bytes of `head.range`. An error ends it; a session that is cut ends it with [`Error::Ended`].
    pub bytes: BoxStream<'static, Result<Bytes, Error>>,
}

/// A key or version as it was looked up before a decision about it: its tags are for the decision's conditions, the rest
/// is for the operation that the decision permits. It leaves no edge.
#[derive(Clone, Debug)]
pub struct Seen {
    bucket: BucketName,
    key: ObjectKey,
    version: Option<VersionId>,
    row: Option<(VersionId, ObjectRow, bool)>,
}

impl Seen {
    /// The tags; an absent object has none.
    pub fn tags(&self) -> Option<&Tags> {
        self.row.as_ref().and_then(|(_, row, _)| row.content.as_ref()).map(|content| &content.tags)
    }

    /// What a read would say, where there is nothing to read.
    pub fn absence(&self) -> Option<Error> {
        let named = self.version.is_some();
        match &self.row {
            None if named => Some(Error::NoSuchVersion),
            None => Some(Error::NoSuchKey),
            Some((_, row, _)) if row.content.is_some() => None,
            Some((_, row, _)) if named => Some(Error::IsDeleteMarker { modified: row.modified }),
            Some((version, ..)) => Some(Error::Deleted { version: *version }),
        }
    }

    /// The row, if it is one of the target and says by itself where the bytes are.
    fn whole(self, target: &Target) -> Option<Option<(VersionId, ObjectRow, bool)>> {
        let same = self.bucket.as_str() == target.bucket && self.key == target.key && self.version == target.version;
        let content = self.row.as_ref().and_then(|(_, row, _)| row.content.as_ref());
        (same && content.is_none_or(|content| matches!(content.body, record::Body::One(_)))).then_some(self.row)
    }
}

/// Plain bytes as they come.
type Plain = BoxStream<'static, Result<Bytes, Error>>;

struct Found {
    head: Head,
    segments: Vec<Segment>,
    target: Target,
}

impl Objects {
    /// Looks an object up for a decision: the one read before a permit.
    ///
    /// # Errors
    /// [`Error::Store`], [`Error::Damaged`].
    pub async fn look(&self, bucket: &BucketName, key: &ObjectKey, version: Option<VersionId>) -> Result<Seen, Error> {
        let (bucket, key) = (bucket.clone(), key.clone());
        if version.is_none() {
            let newest = record::newest_alone(&self.0.store, &self.0.recent, bucket.as_str(), key.as_str()).await?;
            let row = newest.map(|(version, row)| (version, Arc::unwrap_or_clone(row), true));
            return Ok(Seen { bucket, key, version, row });
        }
        let read = self.0.store.read(move |txn| {
            let row = record::version(txn, bucket.as_str(), key.as_str(), version)?;
            Ok(Seen { bucket, key, version, row })
        });
        read.await
    }

    /// What a version is.
    ///
    /// # Errors
    /// As [`Objects::open`].
    pub async fn head<A: ReadsObject>(&self, permit: Permit<A>, get: Get) -> Result<Head, Error> {
        let result = self.0.find(&permit, get, false).await.map(|found| found.head);
        finished(permit, result, |_| 0)
    }

    /// Opens a version for reading.
    ///
    /// # Errors
    /// [`Error::NoSuchKey`], [`Error::Deleted`], [`Error::NoSuchVersion`], [`Error::IsDeleteMarker`]; a condition that
    /// does not hold; [`Error::RangeNotSatisfiable`]; what the parts underneath say. Errors while reading come through
    /// the stream.
    pub async fn open<A: ReadsObject>(&self, permit: Permit<A>, mut get: Get) -> Result<ObjectStream, Error> {
        let seen = get.seen.take();
        let fresh = seen.is_some().then(|| get.clone());
        get.seen = seen;
        let mut opened = self.0.start(&permit, get).await;
        let missing = matches!(opened, Err(Error::Backend(BackendError::Missing { .. })));
        if let Some(get) = fresh.filter(|_| missing) {
            // Deleted for good after it was looked up: the record says what there is now.
            opened = self.0.start(&permit, get).await;
        }
        match opened {
            Err(error) => finished(permit, Err(error), |_: &ObjectStream| 0),
            Ok((head, bytes)) => {
                let status = if head.partial { 206 } else { 200 };
                let meter = Meter { permit: Some(permit), status, bytes: 0 };
                let bytes = metered(Arc::clone(&self.0), bytes, meter);
                Ok(ObjectStream { head, bytes })
            }
        }
    }

    /// Checksum, size and parts of a version; parts after number `after`.
    ///
    /// # Errors
    /// As [`Objects::open`].
    pub async fn attributes<A: ReadsAttributes>(
        &self,
        permit: Permit<A>,
        after: u32,
        limit: usize,
    ) -> Result<(ObjectInfo, PartPage), Error> {
        let result = self.0.attributes(&permit, after, limit.min(PAGE_MAX)).await;
        finished(permit, result, |_| 0)
    }
}

/// The row that a read is about.
pub(crate) fn readable(
    target: &Target,
    row: Option<(VersionId, ObjectRow, bool)>,
) -> Result<(ObjectInfo, Content), Error> {
    let named = target.version.is_some();
    let (version, row, latest) = row.ok_or(if named { Error::NoSuchVersion } else { Error::NoSuchKey })?;
    if row.dataset != target.dataset {
        // The record's dataset is the one that it is sealed for; the decision was about another.
        return Err(Error::NoDataset);
    }
    let Some(content) = row.content else {
        return Err(if named { Error::IsDeleteMarker { modified: row.modified } } else { Error::Deleted { version } });
    };
    let info = ObjectInfo {
        dataset: row.dataset,
        version,
        latest,
        etag: content.etag.clone(),
        size: content.size,
        modified: row.modified,
        metadata: content.metadata.clone(),
        tags: content.tags.clone(),
        checksum: content.checksum.clone(),
        parts: content.parts,
    };
    Ok((info, content))
}

impl Inner {
    /// What a read gives, and its bytes: a few are read at once, more as they are asked for.
    async fn start<A: ReadsObject>(self: &Arc<Self>, permit: &Permit<A>, get: Get) -> Result<(Head, Plain), Error> {
        let Found { head, segments, target } = self.find(permit, get, true).await?;
        let range = head.range.clone();
        let bytes = match segments.as_slice() {
            [segment] if range.end - range.start <= u64::from(FRAME_SMALL) => {
                let pieces = read::short(self, target.dataset, segment, range).await?;
                stream::iter(pieces.into_iter().map(Ok)).boxed()
            }
            _ => read::stream(Arc::clone(self), target.dataset, segments, range).boxed(),
        };
        Ok((head, bytes))
    }

    async fn find<A: ReadsObject>(&self, permit: &Permit<A>, mut get: Get, bodies: bool) -> Result<Found, Error> {
        let target = Target::on_version(permit)?;
        if let Some(row) = get.seen.take().and_then(|seen| seen.whole(&target)) {
            return found(None, target, row, &get, bodies);
        }
        self.store
            .read(move |txn| {
                let row = record::version(txn, &target.bucket, target.key.as_str(), target.version)?;
                found(Some(txn), target, row, &get, bodies)
            })
            .await
    }

    async fn attributes<A: ReadsAttributes>(
        &self,
        permit: &Permit<A>,
        after: u32,
        limit: usize,
    ) -> Result<(ObjectInfo, PartPage), Error> {
        let target = Target::on_version(permit)?;
        self.store
            .read(move |txn| {
                let row = record::version(txn, &target.bucket, target.key.as_str(), target.version)?;
                let (info, content) = readable(&target, row)?;
                let all = match info.parts {
                    Some(_) => record::segments(Some(txn), info.version.id, &content, &(0..info.size))?,
                    None => Vec::new(),
                };
                let mut parts: Vec<PartInfo> = (1..)
                    .zip(all)
                    .filter(|(number, _)| *number > after)
                    .take(limit + 1)
                    .map(|(part, segment)| PartInfo {
                        part,
                        size: segment.layout.len,
                        etag: None,
                        checksum: segment.checksum,
                        modified: None,
                    })
                    .collect();
                let more = parts.len() > limit;
                parts.truncate(limit);
                let next = parts.last().filter(|_| more).map(|part| part.part);
                let stored = info.checksum.as_ref();
                let (algorithm, kind) = (stored.map(|s| s.checksum.algorithm), stored.map(|s| s.kind));
                Ok((info, PartPage { parts, next, algorithm, kind }))
            })
            .await
    }
}

/// What a read would give of this row. Only an object of several segments needs the transaction.
fn found(
    txn: Option<&store::ReadTxn<'_>>,
    target: Target,
    row: Option<(VersionId, ObjectRow, bool)>,
    get: &Get,
    bodies: bool,
) -> Result<Found, Error> {
    let (info, content) = readable(&target, row)?;
    get.conditions.check_read(&info.etag, info.modified)?;
    let same = get.if_range.as_ref().is_none_or(|known| known.holds(&info.etag, info.modified));
    let wanted = get.range.filter(|_| same);
    let (range, checksum) = match (get.part, wanted) {
        (Some(part), _) => one_part(txn, &info, &content, part)?,
        (None, Some(range)) => (range.resolve(info.size)?, None),
        (None, None) => (0..info.size, info.checksum.clone()),
    };
    let segments = if bodies { record::segments(txn, info.version.id, &content, &range)? } else { Vec::new() };
    let partial = get.part.is_some() || wanted.is_some();
    Ok(Found { head: Head { info, range, partial, checksum }, segments, target })
}

/// The bytes of the `part`th part and their checksum; an object that was put at once is its own only part.
fn one_part(
    txn: Option<&store::ReadTxn<'_>>,
    info: &ObjectInfo,
    content: &Content,
    part: u32,
) -> Result<(Range<u64>, Option<StoredChecksum>), Error> {
    let parts = info.parts.unwrap_or(1);
    let none = Error::NoSuchPart { parts };
    let Some(index) = part.checked_sub(1).filter(|_| part <= parts) else { return Err(none) };
    if info.parts.is_none() {
        return Ok((0..info.size, info.checksum.clone()));
    }
    let segments = record::segments(txn, info.version.id, content, &(0..info.size))?;
    let segment = segments.get(index as usize).ok_or(none)?;
    let kind = info.checksum.as_ref().map(|stored| stored.kind);
    let checksum = segment.checksum.clone().zip(kind).map(|(checksum, kind)| StoredChecksum { checksum, kind });
    Ok((segment.span(), checksum))
}

/// Counts what is handed out and records it when the stream is over, however it ends.
struct Meter<A: Action> {
    permit: Option<Permit<A>>,
    status: u16,
    bytes: u64,
}

impl<A: Action> Meter<A> {
    fn lease(&self) -> Option<&Lease> {
        self.permit.as_ref().and_then(Permit::lease)
    }
}

impl<A: Action> Drop for Meter<A> {
    fn drop(&mut self) {
        if let Some(permit) = self.permit.take() {
            permit.finish(Outcome { status: self.status, bytes: self.bytes });
        }
    }
}

fn metered<A: ReadsObject>(inner: Arc<Inner>, bytes: Plain, meter: Meter<A>) -> Plain {
    let state = Some((inner, bytes, meter));
    stream::unfold(state, |state| async move {
        let (inner, mut bytes, mut meter) = state?;
        let next = match meter.lease() {
            None => bytes.next().await,
            // The part is held until it is handed out, so that a cut waits for it, and not for a peer that does not read.
            Some(lease) => match lease.part(inner.effects.now()) {
                Err(why) => Some(Err(Error::Ended { why: why.word() })),
                // The bytes first: what is ready needs no watch over the end, which was looked at just now.
                Ok(_part) => match select(bytes.next(), pin!(lease.ended())).await {
                    Either::Left((next, _)) => next,
                    Either::Right((why, _)) => Some(Err(Error::Ended { why: why.word() })),
                },
            },
        };
        match next? {
            Ok(piece) => {
                meter.bytes += piece.len() as u64;
                Some((Ok(piece), Some((inner, bytes, meter))))
            }
            Err(error) => {
                if meter.bytes == 0 {
                    meter.status = status(&error);
                }
                Some((Err(error), None))
            }
        }
    })
    .boxed()
}
