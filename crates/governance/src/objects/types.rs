//! What goes into and comes out of the operations on objects: typed values, no HTTP.

use base::{DatasetId, Timestamp, UploadId};
use bytes::Bytes;
use crypto::Sha256Digest;
use futures::stream::BoxStream;
use serde::{Deserialize, Serialize};

use super::checksum::{Algorithm, Checksum, Expected, Kind, StoredChecksum};
use super::condition::{ByteRange, Conditions, IfRange};
use super::get::Seen;
use super::metadata::{ETag, Metadata, Tags};
use super::name::{ObjectKey, VersionId};

/// What an edge says when a body ends early; it gets its own error back as the source of [`crate::Error::Body`].
pub type BodyError = Box<dyn std::error::Error + Send + Sync>;

/// The bytes of a request, in whatever pieces the network gives.
pub type Body = BoxStream<'static, Result<Bytes, BodyError>>;

/// Largest body of one PUT or part (S3: 5 GiB).
pub const PUT_BYTES_MAX: u64 = 5 << 30;
/// Largest object (S3's bound since December 2025 is 50 TB; ours stays at the older 5 TiB).
pub const OBJECT_BYTES_MAX: u64 = 5 << 40;
/// Smallest part but the last (S3: 5 MiB).
pub const PART_BYTES_MIN: u64 = 5 << 20;
/// Highest part number (S3: 10,000).
pub const PARTS_MAX: u32 = 10_000;
/// Most keys on one page of a list (S3: 1,000).
pub const PAGE_MAX: usize = 1000;

/// How to write an object.
pub struct Put {
    /// Headers and user metadata.
    pub metadata: Metadata,
    /// Tags.
    pub tags: Tags,
    /// What must hold, checked before the body is read and again in the transaction that makes it visible.
    pub conditions: Conditions,
    /// The announced length of the decoded body.
    pub length: Option<u64>,
    /// The checksum to compute and compare.
    pub checksum: Expected,
    /// `Content-MD5`.
    pub content_md5: Option<[u8; 16]>,
    /// The digest that the request's signature covers.
    pub signed: Option<Sha256Digest>,
    /// The bytes.
    pub body: Body,
}

/// A version that was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Written {
    /// Its name.
    pub version: VersionId,
    /// Its tag.
    pub etag: ETag,
    /// Its checksum.
    pub checksum: Option<StoredChecksum>,
    /// Its plain bytes.
    pub size: u64,
    /// When it became visible.
    pub modified: Timestamp,
}

/// How to read an object.
#[derive(Clone, Debug, Default)]
pub struct Get {
    /// Only these bytes.
    pub range: Option<ByteRange>,
    /// `range` counts only while the object is this one; else all of it is meant.
    pub if_range: Option<IfRange>,
    /// Only this part of a multipart object; excludes `range`.
    pub part: Option<u32>,
    /// What must hold.
    pub conditions: Conditions,
    /// The version as it was looked up for the decision: it is what is read then.
    pub seen: Option<Seen>,
}

/// What is known of one version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectInfo {
    /// Its dataset.
    pub dataset: DatasetId,
    /// Its name.
    pub version: VersionId,
    /// Whether it is the newest of its key.
    pub latest: bool,
    /// Its tag.
    pub etag: ETag,
    /// Plain bytes of the whole object.
    pub size: u64,
    /// When it became visible.
    pub modified: Timestamp,
    /// Headers and user metadata.
    pub metadata: Metadata,
    /// Its tags.
    pub tags: Tags,
    /// Its checksum.
    pub checksum: Option<StoredChecksum>,
    /// Parts of a multipart object; none when it was put at once.
    pub parts: Option<u32>,
}

/// One part of a stored multipart object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartInfo {
    /// Its number.
    pub part: u32,
    /// Its plain bytes.
    pub size: u64,
    /// Its tag; empty once the upload is complete.
    pub etag: Option<ETag>,
    /// Its checksum.
    pub checksum: Option<Checksum>,
    /// When it was uploaded; none once the upload is complete.
    pub modified: Option<Timestamp>,
}

/// What came of deleting without a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Marked {
    /// The delete marker.
    pub marker: VersionId,
}

/// What came of deleting one version for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Removed {
    /// The version that is gone.
    pub version: VersionId,
    /// Whether it was a delete marker.
    pub was_marker: bool,
}

/// What to do with metadata or tags of a copied object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Directive<T> {
    /// As the source has it.
    #[default]
    Copy,
    /// This instead.
    Replace(T),
}

/// How to copy an object.
#[derive(Clone, Debug, Default)]
pub struct Copy {
    /// Metadata of the new object.
    pub metadata: Directive<Metadata>,
    /// Tags of the new object.
    pub tags: Directive<Tags>,
    /// What must hold for the source.
    pub source: Conditions,
    /// What must hold for the destination.
    pub destination: Conditions,
    /// The checksum of the new object; none keeps the source's algorithm.
    pub checksum: Option<Algorithm>,
    /// The caller says how the new object is stored, so that even a copy onto itself asks for something.
    pub stored_anew: bool,
}

/// A finished copy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copied {
    /// The version that was read.
    pub source: VersionId,
    /// The version that was written.
    pub written: Written,
}

/// How to begin a multipart upload.
#[derive(Clone, Debug, Default)]
pub struct Begin {
    /// Headers and user metadata of the object to be.
    pub metadata: Metadata,
    /// Its tags.
    pub tags: Tags,
    /// The algorithm of its checksums; parts must use it.
    pub algorithm: Option<Algorithm>,
    /// What its checksum shall cover.
    pub kind: Option<Kind>,
}

/// An upload that was begun.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Begun {
    /// Its id.
    pub upload: UploadId,
    /// The algorithm of its checksums.
    pub algorithm: Option<Algorithm>,
    /// What its checksum covers.
    pub kind: Option<Kind>,
}

/// One part to upload.
pub struct PutPart {
    /// The upload.
    pub upload: UploadId,
    /// The part's number, 1 to 10,000.
    pub part: u32,
    /// The announced length of the decoded body.
    pub length: Option<u64>,
    /// The checksum to compute and compare.
    pub checksum: Expected,
    /// `Content-MD5`.
    pub content_md5: Option<[u8; 16]>,
    /// The digest that the request's signature covers.
    pub signed: Option<Sha256Digest>,
    /// The bytes.
    pub body: Body,
}

/// A part as the caller lists it when it completes an upload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompletedPart {
    /// Its number.
    pub part: u32,
    /// Its tag.
    pub etag: ETag,
    /// Its checksum, where the caller repeats it.
    pub checksum: Option<Checksum>,
}

/// One part to copy from an object.
#[derive(Clone, Debug)]
pub struct CopyPart {
    /// The upload.
    pub upload: UploadId,
    /// The part's number, 1 to 10,000.
    pub part: u32,
    /// Only these bytes of the source (`x-amz-copy-source-range`, both ends included); they must exist.
    pub range: Option<(u64, u64)>,
    /// What must hold for the source.
    pub source: Conditions,
}

/// How to complete an upload.
#[derive(Clone, Debug)]
pub struct Complete {
    /// The upload.
    pub upload: UploadId,
    /// Its parts, ascending.
    pub parts: Vec<CompletedPart>,
    /// What must hold for the key.
    pub conditions: Conditions,
    /// The checksum that the whole object must have.
    pub checksum: Option<Checksum>,
    /// The kind of checksum that the upload must have been begun with.
    pub kind: Option<Kind>,
    /// The size that the whole object must have (`x-amz-mp-object-size`).
    pub size: Option<u64>,
}

/// A page of the parts of an upload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartPage {
    /// The parts, ascending.
    pub parts: Vec<PartInfo>,
    /// The last number of this page when more follow.
    pub next: Option<u32>,
    /// The algorithm of the upload's checksums.
    pub algorithm: Option<Algorithm>,
    /// What the object's checksum will cover.
    pub kind: Option<Kind>,
}

/// Where a list begins and how it folds keys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct List {
    /// Only keys that begin so.
    pub prefix: String,
    /// Folds keys that agree up to its first occurrence after the prefix.
    pub delimiter: Option<String>,
    /// Only keys or common prefixes after this one: a caller's `start-after` or `marker`, or the `next` of a page.
    pub after: Option<String>,
    /// Entries of the page, keys and common prefixes together; at most [`PAGE_MAX`].
    pub limit: usize,
}

/// A key of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedObject {
    /// The key.
    pub key: ObjectKey,
    /// Its newest version.
    pub version: VersionId,
    /// Its tag.
    pub etag: ETag,
    /// Its bytes.
    pub size: u64,
    /// When it became visible.
    pub modified: Timestamp,
    /// Its checksum.
    pub checksum: Option<StoredChecksum>,
}

/// A page of keys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ObjectPage {
    /// Keys, ascending by bytes.
    pub objects: Vec<ListedObject>,
    /// Common prefixes, ascending by bytes.
    pub prefixes: Vec<String>,
    /// Give this as `after` for the next page; none at the end.
    pub next: Option<String>,
}

/// Where a list of versions begins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListVersions {
    /// Only keys that begin so.
    pub prefix: String,
    /// As in [`List`].
    pub delimiter: Option<String>,
    /// Only versions after this key, or after this version of it.
    pub after: Option<(String, Option<VersionId>)>,
    /// As in [`List`].
    pub limit: usize,
}

/// A version or delete marker of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedVersion {
    /// The key.
    pub key: ObjectKey,
    /// The version.
    pub version: VersionId,
    /// Whether it is the newest.
    pub latest: bool,
    /// Its tag, size and checksum; none for a delete marker.
    pub content: Option<(ETag, u64, Option<StoredChecksum>)>,
    /// When it became visible.
    pub modified: Timestamp,
}

/// A page of versions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VersionPage {
    /// Versions and markers: keys ascending, newest first.
    pub versions: Vec<ListedVersion>,
    /// Common prefixes, ascending.
    pub prefixes: Vec<String>,
    /// Give this as `after` for the next page; none at the end.
    pub next: Option<(String, Option<VersionId>)>,
}

/// Where a list of uploads begins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListUploads {
    /// Only keys that begin so.
    pub prefix: String,
    /// As in [`List`].
    pub delimiter: Option<String>,
    /// Only uploads after this key, or after this upload of it.
    pub after: Option<(String, Option<UploadId>)>,
    /// As in [`List`].
    pub limit: usize,
}

/// An upload of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedUpload {
    /// The key.
    pub key: ObjectKey,
    /// The upload.
    pub upload: UploadId,
    /// When it was begun.
    pub initiated: Timestamp,
    /// The algorithm of its checksums.
    pub algorithm: Option<Algorithm>,
    /// What the object's checksum will cover.
    pub kind: Option<Kind>,
}

/// A page of uploads.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UploadPage {
    /// Keys ascending, uploads of one key in the order they were begun.
    pub uploads: Vec<ListedUpload>,
    /// Common prefixes, ascending.
    pub prefixes: Vec<String>,
    /// Give this as `after` for the next page; none at the end.
    pub next: Option<(String, Option<UploadId>)>,
}
