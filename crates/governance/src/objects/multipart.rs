//! Multipart uploads: parts are sealed for the version that they will become, so that completing moves no byte.

use access::{Lease, Permit, s3};
use base::{Actor, Ids, UploadId};
use crypto::Sha256Digest;
use serde::{Deserialize, Serialize};
use std::{collections::HashSet, time::Duration};
use store::WriteTxn;

use super::{
    Objects,
    checksum::{self, Algorithm, Checksum, Expected, Kind, StoredChecksum},
    commit::{NewVersion, at_home},
    condition::ByteRange,
    put::own_body,
    recent::Recent,
    record::{self, Body as BodyRow, COMPLETED, Content, PART, PartRow, Segment, UPLOAD, UploadRow},
    target::{ReadsObject, Target, finished},
    types::{
        Begin, Begun, Body, Complete, CompletedPart, CopyPart, Get, OBJECT_BYTES_MAX, PAGE_MAX, PART_BYTES_MIN,
        PARTS_MAX, PUT_BYTES_MAX, PartInfo, PartPage, PutPart, Written,
    },
    write::{self, Plan},
};
use crate::{ETag, Error, VersionId, ports::Blob};

/// How long the answer to a completed upload is kept: longer than any client goes on trying.
const ANSWER_KEPT: Duration = Duration::from_secs(24 * 3600);
/// How long an upload may take; one that nobody finished is gone then.
const UPLOAD_KEPT: Duration = Duration::from_secs(7 * 24 * 3600);
/// How much longer the rows of its parts are kept: a transaction that completes the upload in its last moment still finds
/// its bodies in use.
const PARTS_KEPT: Duration = Duration::from_secs(8 * 24 * 3600);
/// What is kept when an upload names no algorithm, as in S3.
const ALGORITHM: Algorithm = Algorithm::Crc64nvme;

impl UploadRow {
    fn kept(&self) -> (Algorithm, Kind) {
        let algorithm = self.algorithm.unwrap_or(ALGORITHM);
        (algorithm, self.kind.unwrap_or(algorithm.multipart_kind()))
    }
}

impl Objects {
    /// Begins a multipart upload.
    ///
    /// # Errors
    /// Metadata over a bound; [`Error::ChecksumKind`] for a kind that the algorithm has not; [`Error::Store`].
    pub async fn begin(&self, permit: Permit<s3::PutObject>, begin: Begin) -> Result<Begun, Error> {
        let result = self.begin_permitted(&permit, begin).await;
        finished(permit, result, |_| 0)
    }

    async fn begin_permitted(&self, permit: &Permit<s3::PutObject>, begin: Begin) -> Result<Begun, Error> {
        let target = Target::current(permit)?;
        begin.metadata.check()?;
        let Begin { metadata, tags, algorithm, kind } = begin;
        if let (Some(algorithm), Some(kind)) = (algorithm, kind) {
            checksum::possible(algorithm, kind)?;
        }
        let kind = kind.or_else(|| algorithm.map(Algorithm::multipart_kind));
        let upload = UploadId::from_uuid(self.0.effects.uuid());
        let row = UploadRow {
            dataset: target.dataset,
            initiated: self.0.effects.now(),
            version: self.0.new_version(),
            metadata,
            tags,
            algorithm,
            kind,
        };
        let change = move |txn: &mut WriteTxn<'_>| {
            at_home(txn, &target.bucket, target.key.as_str(), target.dataset, target.newest_fact)?;
            let key = record::upload_key(&target.bucket, target.key.as_str(), upload);
            let until = row.initiated + UPLOAD_KEPT;
            txn.record_put(UPLOAD, &key, &record::encode(&row, "upload record")?, Some(until))?;
            Ok::<_, Error>(())
        };
        self.0.store.write(Actor::System, change).await?;
        Ok(Begun { upload, algorithm, kind })
    }

    /// Stores one part; an earlier part of the same number is replaced.
    ///
    /// # Errors
    /// [`Error::NoSuchUpload`], [`Error::BadPartNumber`]; as [`Objects::put`].
    pub async fn put_part(&self, permit: Permit<s3::PutObject>, put: PutPart) -> Result<PartInfo, Error> {
        let result = async {
            let target = Target::current(&permit)?;
            let PutPart { upload, part, length, checksum, content_md5, signed, body } = put;
            let request = PartRequest { upload, part, length, checksum, content_md5, signed };
            self.store_part(&target, request, body, permit.lease()).await
        };
        let result = result.await;
        finished(permit, result, |part| part.size)
    }

    /// Stores one part from the bytes of an object.
    ///
    /// # Errors
    /// As [`Objects::open`] and [`Objects::put_part`].
    pub async fn copy_part<A: ReadsObject>(
        &self,
        source: Permit<A>,
        destination: Permit<s3::PutObject>,
        copy: CopyPart,
    ) -> Result<(VersionId, PartInfo), Error> {
        let result = self.copy_part_permitted(source, &destination, copy).await;
        finished(destination, result, |(_, part)| part.size)
    }

    async fn copy_part_permitted<A: ReadsObject>(
        &self,
        source: Permit<A>,
        destination: &Permit<s3::PutObject>,
        copy: CopyPart,
    ) -> Result<(VersionId, PartInfo), Error> {
        let target = match Target::current(destination) {
            Ok(target) => target,
            Err(error) => return finished(source, Err(error), |_: &(VersionId, PartInfo)| 0),
        };
        let CopyPart { upload, part, range, source: conditions } = copy;
        let get = Get { range: range.map(|(a, b)| ByteRange::Inclusive(a, b)), ..Get::default() };
        let open = self.open(source, get).await?;
        let info = &open.head.info;
        conditions.check_source(&info.etag, info.modified)?;
        if let Some((first, last)) = range
            && (first > last || last >= info.size)
        {
            return Err(Error::RangeNotSatisfiable { size: info.size });
        }
        let got = open.head.range.end - open.head.range.start;
        if got > PUT_BYTES_MAX {
            return Err(Error::CopySourceTooLarge { got, most: PUT_BYTES_MAX });
        }
        let version = info.version;
        let length = Some(got);
        let request = PartRequest { upload, part, length, checksum: Expected::None, content_md5: None, signed: None };
        let stored = self.store_part(&target, request, own_body(open.bytes), destination.lease()).await?;
        Ok((version, stored))
    }

    async fn store_part(
        &self,
        target: &Target,
        request: PartRequest,
        body: Body,
        lease: Option<&Lease>,
    ) -> Result<PartInfo, Error> {
        let PartRequest { upload, part, length, checksum, content_md5, signed } = request;
        if !(1..=PARTS_MAX).contains(&part) {
            return Err(Error::BadPartNumber { got: part });
        }
        let row = self.upload_row(target, upload).await?;
        let (algorithm, _) = row.kept();
        let sent = (!matches!(checksum, Expected::None)).then(|| checksum.algorithm());
        if let (Some(announced), Some(sent)) = (row.algorithm, sent)
            && announced != sent
        {
            return Err(Error::ChecksumKind { algorithm: sent.name() });
        }
        let plan = Plan {
            dataset: target.dataset,
            wrap: target.wrap,
            version: row.version,
            part,
            blob: self.0.new_blob(),
            announced: length,
            most: PUT_BYTES_MAX,
            expected: checksum,
            also: Some(algorithm),
            content_md5,
            signed,
        };
        let stored = write::store(&self.0, plan, body, lease).await?;
        let shown = stored.hashed.of(sent.unwrap_or(algorithm)).cloned();
        let mut segment = stored.segment.clone();
        segment.checksum = stored.hashed.of(algorithm).cloned();
        let (size, etag) = (segment.layout.len, self.new_etag(1));
        let (given, blob, place) = (etag.clone(), segment.blob, target.clone());
        let change = move |txn: &mut WriteTxn<'_>| {
            let modified = txn.now();
            let row = PartRow { segment: segment.clone(), etag: given.clone(), modified };
            let replaced = put_part(txn, &place, upload, &row)?;
            Ok((replaced, modified))
        };
        match self.0.store.write::<_, Error, _>(Actor::System, change).await {
            Ok(done) => {
                let (replaced, modified) = done.value;
                self.0.discard(replaced).await;
                Ok(PartInfo { part, size, etag: Some(etag), checksum: shown, modified: Some(modified) })
            }
            Err(Error::Store(error)) => Err(Error::Store(error)),
            Err(error) => {
                self.0.discard(blob).await;
                Err(error)
            }
        }
    }

    async fn upload_row(&self, target: &Target, upload: UploadId) -> Result<UploadRow, Error> {
        let target = target.clone();
        let row = self.0.store.read(move |txn| record::upload(txn, &target.bucket, target.key.as_str(), upload));
        row.await
    }

    /// A page of the parts of an upload, after part number `after`.
    ///
    /// # Errors
    /// [`Error::NoSuchUpload`]; [`Error::Store`].
    pub async fn parts(
        &self,
        permit: Permit<s3::ListMultipartUploadParts>,
        upload: UploadId,
        after: u32,
        limit: usize,
    ) -> Result<PartPage, Error> {
        let result = async {
            let target = Target::current(&permit)?;
            let limit = limit.min(PAGE_MAX);
            let read = move |txn: &store::ReadTxn<'_>| {
                let row = record::upload(txn, &target.bucket, target.key.as_str(), upload)?;
                let mut rows = record::parts(txn, upload, after, limit + 1)?;
                let more = rows.len() > limit;
                rows.truncate(limit);
                let next = rows.last().filter(|_| more).map(|row| row.segment.part);
                let parts = rows.into_iter().map(listed).collect();
                Ok(PartPage { parts, next, algorithm: row.algorithm, kind: row.kind })
            };
            self.0.store.read(read).await
        };
        let result = result.await;
        finished(permit, result, |_| 0)
    }

    /// Makes the object of an upload visible, whole and at once.
    ///
    /// # Errors
    /// [`Error::NoSuchUpload`], [`Error::NoParts`], [`Error::PartOrder`], [`Error::InvalidPart`],
    /// [`Error::PartTooSmall`]; a condition, size or checksum that does not hold; [`Error::Store`].
    pub async fn complete(&self, permit: Permit<s3::PutObject>, complete: Complete) -> Result<Written, Error> {
        let result = self.complete_permitted(&permit, complete).await;
        finished(permit, result, |_| 0)
    }

    async fn complete_permitted(&self, permit: &Permit<s3::PutObject>, complete: Complete) -> Result<Written, Error> {
        let target = Target::current(permit)?;
        let etag = self.new_etag(complete.parts.len());
        let until = self.0.effects.now() + ANSWER_KEPT;
        let recent = self.0.recent.clone();
        let change = move |txn: &mut WriteTxn<'_>| {
            let request = request_digest(&target, &complete.parts);
            if let Some(answer) = answered(txn, complete.upload, request)? {
                return Ok((answer, Vec::new()));
            }
            let done = finish_upload(txn, &recent, &target, &complete, &etag)?;
            let answer = record::encode(&Answer { request, written: done.0.clone() }, "completed upload")?;
            txn.record_put(COMPLETED, complete.upload.bytes(), &answer, Some(until))?;
            Ok(done)
        };
        let (written, unused) = self.0.store.write::<_, Error, _>(Actor::System, change).await?.value;
        self.0.discard(unused).await;
        Ok(written)
    }

    /// Gives an upload up and deletes its parts.
    ///
    /// # Errors
    /// [`Error::NoSuchUpload`]; [`Error::Store`].
    pub async fn abort(&self, permit: Permit<s3::AbortMultipartUpload>, upload: UploadId) -> Result<(), Error> {
        let result = async {
            let target = Target::current(&permit)?;
            let change = move |txn: &mut WriteTxn<'_>| {
                record::upload(txn, &target.bucket, target.key.as_str(), upload)?;
                let parts = record::parts(txn, upload, 0, PARTS_MAX as usize)?;
                forget(txn, &target, upload, &parts)?;
                unused(txn, parts.into_iter().map(|part| part.segment))
            };
            let blobs = self.0.store.write::<_, Error, _>(Actor::System, change).await?.value;
            self.0.discard(blobs).await;
            Ok(())
        };
        let result = result.await;
        finished(permit, result, |()| 0)
    }
}

/// What was answered to a completed upload, and to what exactly.
#[derive(Serialize, Deserialize)]
struct Answer {
    request: Sha256Digest,
    written: Written,
}

fn request_digest(target: &Target, parts: &[CompletedPart]) -> Sha256Digest {
    let mut hash = crypto::Sha256::new();
    for text in [target.bucket.as_str(), target.key.as_str()] {
        hash.update(&(text.len() as u64).to_be_bytes());
        hash.update(text.as_bytes());
    }
    for part in parts {
        hash.update(&part.part.to_be_bytes());
        hash.update(&(part.etag.as_str().len() as u64).to_be_bytes());
        hash.update(part.etag.as_str().as_bytes());
    }
    hash.finish()
}

/// The answer that the same request got before.
fn answered(txn: &WriteTxn<'_>, upload: UploadId, request: Sha256Digest) -> Result<Option<Written>, Error> {
    let Some(record) = txn.record_get(COMPLETED, upload.bytes())? else { return Ok(None) };
    let answer: Answer = record::decode(&record.value, "completed upload")?;
    Ok((answer.request == request).then_some(answer.written))
}

struct PartRequest {
    upload: UploadId,
    part: u32,
    length: Option<u64>,
    checksum: Expected,
    content_md5: Option<[u8; 16]>,
    signed: Option<Sha256Digest>,
}

fn listed(row: PartRow) -> PartInfo {
    PartInfo {
        part: row.segment.part,
        size: row.segment.layout.len,
        etag: Some(row.etag),
        checksum: row.segment.checksum,
        modified: Some(row.modified),
    }
}

/// Inserts a part; the body of the part that it replaces is left to delete.
fn put_part(txn: &mut WriteTxn<'_>, target: &Target, upload: UploadId, row: &PartRow) -> Result<Option<Blob>, Error> {
    // Completed, aborted or expired meanwhile: the part is refused.
    let until = record::upload(txn, &target.bucket, target.key.as_str(), upload)?.initiated + PARTS_KEPT;
    let key = record::part_key(upload, row.segment.part);
    let old: Option<PartRow> = match txn.record_get(PART, &key)? {
        Some(record) => Some(record::decode(&record.value, "part record")?),
        None => None,
    };
    let replaced = old.and_then(|old| old.segment.blob);
    if let Some(blob) = &replaced {
        record::blob_unused(txn, blob)?;
    }
    txn.record_put(PART, &key, &record::encode(row, "part record")?, Some(until))?;
    if let Some(blob) = &row.segment.blob {
        record::blob_used(txn, blob, &key, Some(until))?;
    }
    Ok(replaced)
}

/// Deletes the rows of an upload and its parts; the bodies stay.
fn forget(txn: &mut WriteTxn<'_>, target: &Target, upload: UploadId, parts: &[PartRow]) -> Result<(), Error> {
    txn.record_delete(UPLOAD, &record::upload_key(&target.bucket, target.key.as_str(), upload))?;
    for part in parts {
        txn.record_delete(PART, &record::part_key(upload, part.segment.part))?;
    }
    Ok(())
}

/// Says that the bodies of these segments are in use no more.
fn unused(txn: &mut WriteTxn<'_>, segments: impl IntoIterator<Item = Segment>) -> Result<Vec<Blob>, Error> {
    let blobs: Vec<Blob> = segments.into_iter().filter_map(|segment| segment.blob).collect();
    for blob in &blobs {
        record::blob_unused(txn, blob)?;
    }
    Ok(blobs)
}

/// The parts that the caller lists, checked against those that were uploaded.
fn chosen(stored: &[PartRow], listed: &[CompletedPart]) -> Result<Vec<PartRow>, Error> {
    if listed.is_empty() {
        return Err(Error::NoParts);
    }
    if listed.windows(2).any(|pair| matches!(pair, [a, b] if a.part >= b.part)) {
        return Err(Error::PartOrder);
    }
    let pick = |wanted: &CompletedPart| {
        let found = stored.binary_search_by_key(&wanted.part, |row| row.segment.part).ok();
        let row = found.and_then(|at| stored.get(at)).filter(|row| row.etag == wanted.etag);
        let row = row.filter(|row| same_checksum(wanted.checksum.as_ref(), row.segment.checksum.as_ref()));
        row.cloned().ok_or(Error::InvalidPart { part: wanted.part })
    };
    let chosen: Vec<PartRow> = listed.iter().map(pick).collect::<Result<_, _>>()?;
    let (_, but_last) = chosen.split_last().ok_or(Error::NoParts)?;
    match but_last.iter().find(|row| row.segment.layout.len < PART_BYTES_MIN) {
        Some(row) => {
            Err(Error::PartTooSmall { part: row.segment.part, got: row.segment.layout.len, least: PART_BYTES_MIN })
        }
        None => Ok(chosen),
    }
}

/// A repeated checksum must be the stored one; one of another algorithm than the upload's cannot be compared.
fn same_checksum(wanted: Option<&Checksum>, stored: Option<&Checksum>) -> bool {
    match (wanted, stored) {
        (Some(wanted), Some(stored)) if wanted.algorithm == stored.algorithm => wanted == stored,
        _ => true,
    }
}

fn finish_upload(
    txn: &mut WriteTxn<'_>,
    recent: &Recent,
    target: &Target,
    complete: &Complete,
    etag: &ETag,
) -> Result<(Written, Vec<Blob>), Error> {
    let row = record::upload(txn, &target.bucket, target.key.as_str(), complete.upload)?;
    if row.dataset != target.dataset {
        return Err(Error::NoSuchUpload { upload: complete.upload });
    }
    let stored = record::parts(txn, complete.upload, 0, PARTS_MAX as usize)?;
    let mut parts = chosen(&stored, &complete.parts)?;
    let mut size = 0;
    for part in &mut parts {
        part.segment.start = size;
        size += part.segment.layout.len;
    }
    if let Some(announced) = complete.size.filter(|announced| *announced != size) {
        return Err(Error::WrongLength { announced, got: size });
    }
    if size > OBJECT_BYTES_MAX {
        return Err(Error::BodyTooLarge { most: OBJECT_BYTES_MAX });
    }
    if complete.kind.is_some_and(|kind| kind != row.kept().1) {
        return Err(Error::OtherChecksumKind);
    }
    let checksum = whole_checksum(&row, &parts, complete.checksum.as_ref())?;
    let new = new_version(target, complete, &row, &parts, size, etag, &checksum);
    let (version, modified) = new.insert(txn, recent)?;
    forget(txn, target, complete.upload, &stored)?;
    let used: HashSet<u32> = parts.iter().map(|part| part.segment.part).collect();
    let left = stored.into_iter().map(|part| part.segment).filter(|segment| !used.contains(&segment.part));
    let blobs = unused(txn, left)?;
    Ok((Written { version, etag: etag.clone(), checksum: Some(checksum), size, modified }, blobs))
}

fn whole_checksum(row: &UploadRow, parts: &[PartRow], expected: Option<&Checksum>) -> Result<StoredChecksum, Error> {
    let (algorithm, kind) = row.kept();
    let sums: Vec<_> = parts.iter().map(|part| (part.segment.checksum.as_ref(), part.segment.layout.len)).collect();
    let whole = checksum::combine(kind, algorithm, &sums)?;
    match expected {
        Some(expected) if *expected != whole.checksum => {
            Err(Error::ChecksumMismatch { algorithm: expected.algorithm.name() })
        }
        _ => Ok(whole),
    }
}

/// The version that an upload becomes.
fn new_version(
    target: &Target,
    complete: &Complete,
    row: &UploadRow,
    parts: &[PartRow],
    size: u64,
    etag: &ETag,
    checksum: &StoredChecksum,
) -> NewVersion {
    let segments: Vec<Segment> = parts.iter().map(|part| part.segment.clone()).collect();
    let content = Content {
        size,
        etag: etag.clone(),
        metadata: row.metadata.clone(),
        tags: row.tags.clone(),
        checksum: Some(checksum.clone()),
        parts: u32::try_from(segments.len()).ok(),
        body: BodyRow::Many,
    };
    NewVersion {
        bucket: target.bucket.clone(),
        key: target.key.as_str().to_owned(),
        dataset: target.dataset,
        newest_fact: target.newest_fact,
        id: row.version,
        content: Some(content),
        segments,
        conditions: complete.conditions.clone(),
    }
}
