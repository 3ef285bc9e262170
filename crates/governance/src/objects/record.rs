//! The records behind objects, and the keys under which they are found.
//!
//! Every list is a range scan: an object's row is under `BUCKET 0 KEY 0 INVERTED-ORDER VERSION`, so keys come in byte
//! order and versions newest first (neither name holds a zero byte). An upload's row is under `BUCKET 0 KEY 0 UPLOAD`,
//! a part's under `UPLOAD NUMBER`, a segment of a multipart object under `VERSION START`. A row under `blob` says that
//! a body is in use; the sweep believes it and nothing else.

use base::{DatasetId, ObjectVersionId, Timestamp, UploadId};
use custody::KeyRef;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::{ops::Range, sync::Arc};
use store::{ReadTxn, Store, WriteTxn};
use uuid::Uuid;

use super::{
    checksum::{Algorithm, Checksum, Kind, StoredChecksum},
    metadata::{ETag, Metadata, Tags},
    name::VersionId,
    recent::{Newest, ROW_BYTES_MAX, Recent},
    seal::{Layout, SealedFor},
};
use crate::{Error, ports::Blob};

/// Versions and delete markers.
pub(crate) const OBJECT: &str = "object";
/// Bodies of multipart objects.
pub(crate) const SEGMENT: &str = "segment";
/// Multipart uploads in progress.
pub(crate) const UPLOAD: &str = "upload";
/// Their parts.
pub(crate) const PART: &str = "part";
/// Completed uploads, for a day: a client that lost the answer asks again.
pub(crate) const COMPLETED: &str = "completed_upload";
/// Bodies in use.
pub(crate) const BLOB: &str = "blob";

/// One sealed body: an object that was put at once, or one part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Segment {
    /// 0 for an object that was put at once.
    pub(crate) part: u32,
    /// First plain byte within the object; 0 in a part that is not completed.
    #[serde(default)]
    pub(crate) start: u64,
    pub(crate) layout: Layout,
    /// The version that it is sealed for.
    pub(crate) version: ObjectVersionId,
    pub(crate) key: KeyRef,
    /// The data key, wrapped, in Base64.
    #[serde(with = "base64_bytes")]
    pub(crate) wrapped: Vec<u8>,
    /// None for an empty body.
    pub(crate) blob: Option<Blob>,
    pub(crate) checksum: Option<Checksum>,
}

impl Segment {
    pub(crate) fn sealed_for(&self, dataset: DatasetId) -> SealedFor {
        SealedFor { dataset, key_version: self.key.version, version: self.version, part: self.part }
    }
    pub(crate) fn span(&self) -> Range<u64> {
        self.start..self.start + self.layout.len
    }
}

mod base64_bytes {
    //! Bytes as Base64 text.
    use base64::{Engine, prelude::BASE64_STANDARD};
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(crate) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&BASE64_STANDARD.encode(bytes))
    }
    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        let text = std::borrow::Cow::<'_, str>::deserialize(deserializer)?;
        BASE64_STANDARD.decode(text.as_bytes()).map_err(D::Error::custom)
    }
}

/// Where an object's bytes are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Body {
    One(Box<Segment>),
    /// In `SEGMENT` rows.
    Many,
}

/// What a version holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Content {
    pub(crate) size: u64,
    pub(crate) etag: ETag,
    #[serde(default)]
    pub(crate) metadata: Metadata,
    #[serde(default)]
    pub(crate) tags: Tags,
    pub(crate) checksum: Option<StoredChecksum>,
    /// Parts of a multipart object.
    #[serde(default)]
    pub(crate) parts: Option<u32>,
    pub(crate) body: Body,
}

/// A version, or a delete marker when it has no content.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ObjectRow {
    pub(crate) dataset: DatasetId,
    pub(crate) modified: Timestamp,
    pub(crate) content: Option<Content>,
}

/// An upload in progress.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct UploadRow {
    pub(crate) dataset: DatasetId,
    pub(crate) initiated: Timestamp,
    /// The version that its parts are sealed for.
    pub(crate) version: ObjectVersionId,
    pub(crate) metadata: Metadata,
    pub(crate) tags: Tags,
    /// What the caller asked for; none: CRC64NVME over the full object is kept all the same.
    pub(crate) algorithm: Option<Algorithm>,
    pub(crate) kind: Option<Kind>,
}

/// An uploaded part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PartRow {
    pub(crate) segment: Segment,
    pub(crate) etag: ETag,
    pub(crate) modified: Timestamp,
}

/// `BUCKET 0 KEY 0`.
pub(crate) fn key_prefix(bucket: &str, key: &str) -> Vec<u8> {
    [bucket.as_bytes(), &[0], key.as_bytes(), &[0]].concat()
}

pub(crate) fn object_key(bucket: &str, key: &str, version: VersionId) -> Vec<u8> {
    let mut out = key_prefix(bucket, key);
    out.extend_from_slice(&(!version.order).to_be_bytes());
    out.extend_from_slice(version.id.bytes());
    out
}

pub(crate) fn upload_key(bucket: &str, key: &str, upload: UploadId) -> Vec<u8> {
    let mut out = key_prefix(bucket, key);
    out.extend_from_slice(upload.bytes());
    out
}

pub(crate) fn part_key(upload: UploadId, part: u32) -> Vec<u8> {
    [upload.bytes().as_slice(), &part.to_be_bytes()].concat()
}

pub(crate) fn segment_key(version: ObjectVersionId, start: u64) -> Vec<u8> {
    [version.bytes().as_slice(), &start.to_be_bytes()].concat()
}

/// The key of an object's or upload's row, taken apart: the object's key and what follows its zero byte.
pub(crate) fn split(row: &[u8], bucket_len: usize) -> Option<(&str, &[u8])> {
    let rest = row.get(bucket_len + 1..)?;
    let at = rest.iter().position(|byte| *byte == 0)?;
    let (key, tail) = rest.split_at(at);
    Some((std::str::from_utf8(key).ok()?, tail.get(1..)?))
}

pub(crate) fn version_of(tail: &[u8]) -> Option<VersionId> {
    let (order, id) = tail.split_first_chunk::<8>()?;
    let id = ObjectVersionId::from_uuid(Uuid::from_slice(id).ok()?);
    Some(VersionId { order: !u64::from_be_bytes(*order), id })
}

pub(crate) fn upload_of(tail: &[u8]) -> Option<UploadId> {
    Uuid::from_slice(tail).ok().map(UploadId::from_uuid)
}

/// Whether a bucket holds any version, delete marker or upload.
pub(crate) fn rows_in(txn: &ReadTxn<'_>, bucket: &str) -> Result<bool, Error> {
    let prefix = [bucket.as_bytes(), &[0]].concat();
    for class in [OBJECT, UPLOAD] {
        if !txn.record_prefix(class, &prefix, None, 1)?.is_empty() {
            return Ok(true);
        }
    }
    Ok(false)
}

pub(crate) fn decode<T: DeserializeOwned>(value: &[u8], what: &'static str) -> Result<T, Error> {
    serde_json::from_slice(value).map_err(|_| Error::Damaged { what })
}

pub(crate) fn encode(value: &impl Serialize, what: &'static str) -> Result<Vec<u8>, Error> {
    serde_json::to_vec(value).map_err(|_| Error::Damaged { what })
}

/// The newest version of a key, marker or not.
pub(crate) fn newest(txn: &ReadTxn<'_>, bucket: &str, key: &str) -> Result<Option<(VersionId, ObjectRow)>, Error> {
    first(bucket, txn.record_prefix(OBJECT, &key_prefix(bucket, key), None, 1)?)
}

/// As [`newest`], without a transaction of the caller's, and without asking the store where it was asked a moment ago.
pub(crate) async fn newest_alone(store: &Store, recent: &Recent, bucket: &str, key: &str) -> Result<Newest, Error> {
    store.running()?;
    let prefix = key_prefix(bucket, key);
    let asked = match recent.get(&prefix) {
        Ok(newest) => return Ok(newest),
        Err(asked) => asked,
    };
    let rows = store.record_prefix(OBJECT, prefix.clone(), 1).await?;
    let bytes = rows.first().map_or(0, |(_, record)| record.value.len());
    let newest = first(bucket, rows)?.map(|(version, row)| (version, Arc::new(row)));
    if bytes <= ROW_BYTES_MAX {
        recent.keep(&asked, prefix, newest.clone());
    }
    Ok(newest)
}

/// Writes the row of a version; the key that it is under.
pub(crate) fn put_object(
    txn: &mut WriteTxn<'_>,
    recent: &Recent,
    (bucket, key, version): (&str, &str, VersionId),
    row: &ObjectRow,
) -> Result<Vec<u8>, Error> {
    recent.changes(txn, key_prefix(bucket, key));
    let at = object_key(bucket, key, version);
    txn.record_put(OBJECT, &at, &encode(row, "object record")?, None)?;
    Ok(at)
}

/// Takes the row of a version away.
pub(crate) fn remove_object(
    txn: &mut WriteTxn<'_>,
    recent: &Recent,
    (bucket, key, version): (&str, &str, VersionId),
) -> Result<(), Error> {
    recent.changes(txn, key_prefix(bucket, key));
    txn.record_delete(OBJECT, &object_key(bucket, key, version))?;
    Ok(())
}

/// The first of a key's rows, which are ordered from the newest version on.
fn first(bucket: &str, rows: Vec<(Vec<u8>, store::Record)>) -> Result<Option<(VersionId, ObjectRow)>, Error> {
    let Some((row_key, record)) = rows.into_iter().next() else { return Ok(None) };
    let damaged = Error::Damaged { what: "object record" };
    let version = split(&row_key, bucket.len()).and_then(|(_, tail)| version_of(tail)).ok_or(damaged)?;
    Ok(Some((version, decode(&record.value, "object record")?)))
}

/// One version of a key, and whether it is the newest; without `version` the newest.
pub(crate) fn version(
    txn: &ReadTxn<'_>,
    bucket: &str,
    key: &str,
    version: Option<VersionId>,
) -> Result<Option<(VersionId, ObjectRow, bool)>, Error> {
    let newest = newest(txn, bucket, key)?;
    let Some(wanted) = version else { return Ok(newest.map(|(id, row)| (id, row, true))) };
    match newest {
        Some((id, row)) if id == wanted => Ok(Some((id, row, true))),
        _ => {
            let record = txn.record_get(OBJECT, &object_key(bucket, key, wanted))?;
            record.map(|r| Ok((wanted, decode(&r.value, "object record")?, false))).transpose()
        }
    }
}

/// The segments that hold these plain bytes, in order. Only a multipart object needs the transaction.
pub(crate) fn segments(
    txn: Option<&ReadTxn<'_>>,
    version: ObjectVersionId,
    content: &Content,
    range: &Range<u64>,
) -> Result<Vec<Segment>, Error> {
    if let Body::One(segment) = &content.body {
        return Ok(vec![segment.as_ref().clone()]);
    }
    let txn = txn.ok_or(Error::Damaged { what: "object record" })?;
    use std::ops::Bound::{Excluded, Included};
    let (low, first) = (segment_key(version, 0), segment_key(version, range.start));
    let before = txn.record_scan(SEGMENT, Included(&low), Included(&first), 1, store::Direction::Backward)?;
    let from = before.into_iter().next().map_or(low, |(key, _)| key);
    let end = segment_key(version, range.end.max(range.start + 1));
    let rows = txn.record_scan(
        SEGMENT,
        Included(&from),
        Excluded(&end),
        super::types::PARTS_MAX as usize,
        store::Direction::Forward,
    )?;
    rows.into_iter().map(|(_, record)| decode(&record.value, "segment record")).collect()
}

pub(crate) fn parts(txn: &ReadTxn<'_>, upload: UploadId, after: u32, limit: usize) -> Result<Vec<PartRow>, Error> {
    let rows = txn.record_prefix(PART, upload.bytes(), Some(&part_key(upload, after)), limit)?;
    rows.into_iter().map(|(_, record)| decode(&record.value, "part record")).collect()
}

pub(crate) fn upload(txn: &ReadTxn<'_>, bucket: &str, key: &str, upload: UploadId) -> Result<UploadRow, Error> {
    let record = txn.record_get(UPLOAD, &upload_key(bucket, key, upload))?;
    decode(&record.ok_or(Error::NoSuchUpload { upload })?.value, "upload record")
}

/// Says that a body is in use, for a while or for good.
pub(crate) fn blob_used(txn: &mut WriteTxn<'_>, blob: &Blob, by: &[u8], until: Option<Timestamp>) -> Result<(), Error> {
    txn.record_put(BLOB, blob.id.bytes(), by, until)?;
    Ok(())
}

pub(crate) fn blob_unused(txn: &mut WriteTxn<'_>, blob: &Blob) -> Result<(), Error> {
    txn.record_delete(BLOB, blob.id.bytes())?;
    Ok(())
}
