//! What can go wrong in governance; the edges alone turn a kind into a wire code.

use base::{DatasetId, DomainId, ErrorKind, GrantId, Timestamp, UploadId};

use crate::{ETag, ports::BackendError};

/// A refused or failed operation.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The bucket is another domain's.
    #[error("every dataset in bucket `{bucket}` belongs to another domain: choose another bucket")]
    ForeignBucket {
        /// The bucket.
        bucket: String,
    },
    /// No version of the key is there, or the newest is a delete marker.
    #[error("the object does not exist")]
    NoSuchKey,
    /// The newest version is a delete marker.
    #[error("the object was deleted: its newest version is a delete marker")]
    Deleted {
        /// The marker, for `x-amz-version-id`.
        version: crate::VersionId,
    },
    /// No such version of the key.
    #[error("the version does not exist")]
    NoSuchVersion,
    /// A delete marker has no content.
    #[error("the version is a delete marker: it can be deleted, not read")]
    IsDeleteMarker {
        /// When it was made.
        modified: Timestamp,
    },
    /// No dataset is at home in the bucket.
    #[error("the bucket does not exist")]
    NoSuchBucket,
    /// The bucket exists, and no dataset of it covers the key.
    #[error("no dataset covers this key: every key belongs to exactly one dataset")]
    NoDataset,
    /// The multipart upload does not exist, was completed or was aborted.
    #[error("the multipart upload does not exist; it may have been completed or aborted")]
    NoSuchUpload {
        /// The upload.
        upload: UploadId,
    },
    /// A condition of the request does not hold.
    #[error("the condition `{condition}` of the request does not hold")]
    PreconditionFailed {
        /// The header.
        condition: &'static str,
    },
    /// The caller's copy is current.
    #[error("the object was not modified")]
    NotModified {
        /// Its tag, for the answer.
        etag: ETag,
        /// Its time, for the answer.
        modified: Timestamp,
    },
    /// More than one range in a request.
    #[error("several ranges in one request are not supported: ask for one at a time")]
    ManyRanges,
    /// The range names no byte of the object.
    #[error("the range names no byte of the object, which has {}", base::count(*size, "byte"))]
    RangeNotSatisfiable {
        /// Bytes of the object.
        size: u64,
    },
    /// The body is shorter or longer than announced.
    #[error("the body has {}, and {announced} were announced", base::count(*got, "byte"))]
    WrongLength {
        /// Bytes announced.
        announced: u64,
        /// Bytes that came, as far as they were read.
        got: u64,
    },
    /// The body is larger than one request may carry.
    #[error("the body is larger than {most} bytes: use a multipart upload")]
    BodyTooLarge {
        /// The bound.
        most: u64,
    },
    /// The body did not arrive whole (the peer went away, or a chunk's signature is wrong); the edge knows the source.
    #[error("the body did not arrive whole")]
    Body {
        /// What the edge said.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The bytes are not those the checksum was made from.
    #[error("the {algorithm} checksum of the body is not the one that was sent")]
    ChecksumMismatch {
        /// The algorithm.
        algorithm: &'static str,
    },
    /// The bytes are not those that the request's signature covers.
    #[error("the body is not the one that `x-amz-content-sha256` was made from")]
    NotTheSignedBody,
    /// A trailing checksum was announced and did not come.
    #[error("the {algorithm} checksum was announced as a trailer and did not come")]
    ChecksumMissing {
        /// The algorithm.
        algorithm: &'static str,
    },
    /// The text of a checksum is malformed.
    #[error("the {algorithm} checksum is not Base64 of the right length")]
    BadChecksumValue {
        /// The algorithm.
        algorithm: &'static str,
    },
    /// The kind of checksum does not go with the algorithm or with the parts.
    #[error("a {algorithm} checksum of the requested kind cannot be made from these parts")]
    ChecksumKind {
        /// The algorithm.
        algorithm: &'static str,
    },
    /// An upload is completed with another kind of checksum than it was begun with.
    #[error("the upload was begun with another type of checksum: complete it with the same, or name none")]
    OtherChecksumKind,
    /// Metadata over its bound.
    #[error("the metadata has {got} bytes; at most {most} are allowed")]
    MetadataTooLarge {
        /// Bytes given.
        got: usize,
        /// The bound.
        most: usize,
    },
    /// A tag breaks a rule.
    #[error("the tag `{key}` is not allowed: {rule}")]
    InvalidTag {
        /// Its key, cut.
        key: String,
        /// The rule.
        rule: &'static str,
    },
    /// Too many tags.
    #[error("{got} tags; an object has at most {most}")]
    TooManyTags {
        /// Tags given.
        got: usize,
        /// The bound.
        most: usize,
    },
    /// A name that does not parse.
    #[error(transparent)]
    BadName(#[from] base::BadName),
    /// A part number outside 1 to 10,000.
    #[error("part number {got} is not between 1 and 10,000")]
    BadPartNumber {
        /// The number.
        got: u32,
    },
    /// The list of parts is not in ascending order.
    #[error("the list of parts is not in ascending order of part numbers")]
    PartOrder,
    /// A part of the list was not uploaded, or its ETag or checksum is another.
    #[error("part {part} was not uploaded with this ETag and checksum")]
    InvalidPart {
        /// The part.
        part: u32,
    },
    /// A part other than the last is too small.
    #[error("part {part} has {}; every part but the last needs at least {least}", base::count(*got, "byte"))]
    PartTooSmall {
        /// The part.
        part: u32,
        /// Its bytes.
        got: u64,
        /// The bound.
        least: u64,
    },
    /// The object has fewer parts.
    #[error("the object has {parts} parts")]
    NoSuchPart {
        /// Its parts.
        parts: u32,
    },
    /// A permit of another action than the request needs (a version is read with `s3:GetObjectVersion` alone).
    #[error("a version is named and only the current version was permitted, or the other way round")]
    WrongPermit,
    /// An upload is completed without parts.
    #[error("a multipart upload is completed with at least one part")]
    NoParts,
    /// Versions of governed data are removed by retention alone.
    #[error(
        "versions of governed data are deleted by retention alone; without a version id a delete marker is written"
    )]
    PermanentDeletion,
    /// A copy onto itself that changes nothing.
    #[error("the copy is onto itself and changes neither metadata nor storage: set the metadata directive to REPLACE")]
    CopyOntoItself,
    /// The source of a copy is larger than one request may copy.
    #[error("the source has {got} bytes; at most {most} can be copied at once: copy it part by part")]
    CopySourceTooLarge {
        /// Its bytes.
        got: u64,
        /// The bound.
        most: u64,
    },
    /// The session was cut, expired or withdrawn while its stream was open.
    #[error("the stream was ended: {why}")]
    Ended {
        /// Why, in the gate's word.
        why: &'static str,
    },
    /// A bucket of this name exists.
    #[error("the bucket exists already")]
    BucketExists {
        /// True when the caller's own account owns it.
        own: bool,
    },
    /// A bucket is deleted only when it holds no version, marker or upload.
    #[error("the bucket is not empty: objects, older versions and uploads must be gone first")]
    BucketNotEmpty,
    /// Only a bucket made through S3 can be deleted through S3.
    #[error("the bucket holds governed datasets: only a workspace bucket can be deleted this way")]
    NotAWorkspace,
    /// The domain does not exist.
    #[error("the domain `{domain}` does not exist")]
    NoSuchDomain {
        /// The domain.
        domain: DomainId,
    },
    /// The domain still has datasets.
    #[error("the domain `{domain}` still has datasets: end them first")]
    DomainNotEmpty {
        /// The domain.
        domain: DomainId,
    },
    /// The dataset does not exist.
    #[error("the dataset `{dataset}` does not exist")]
    NoSuchDataset {
        /// The dataset.
        dataset: DatasetId,
    },
    /// The grant does not exist.
    #[error("the grant `{grant}` does not exist")]
    NoSuchGrant {
        /// The grant.
        grant: GrantId,
    },
    /// The name is taken.
    #[error("the name `{name}` is taken")]
    NameTaken {
        /// The name.
        name: String,
    },
    /// A text field is empty or over its bound.
    #[error("the field `{field}` must have 1 to {most} characters")]
    BadText {
        /// The field.
        field: &'static str,
        /// The bound.
        most: usize,
    },
    /// A name that would mislead where names are matched or shown.
    #[error("`{}` is not a name: expected no `*`, `?`, `..`, `//` or control character", name.escape_debug())]
    MisleadingName {
        /// The name.
        name: String,
    },
    /// A location that holds or would take objects of another dataset.
    #[error("the location cannot be registered: {rule}")]
    LocationTaken {
        /// Which rule it breaks.
        rule: &'static str,
    },
    /// A prefix that does not end in a slash.
    #[error("the prefix `{prefix}` must be empty or end in `/` and follow the rules of object keys")]
    BadPrefix {
        /// The prefix.
        prefix: String,
    },
    /// A grant breaks a rule.
    #[error("the grant is not allowed: {rule}")]
    BadGrant {
        /// The rule.
        rule: &'static str,
    },
    /// A dataset policy that would widen access, or does not parse.
    #[error("the dataset policy is not allowed: {rule}")]
    BadPolicy {
        /// The rule.
        rule: String,
    },
    /// GxP data without its full record.
    #[error("the accesses to GxP data are recorded before data flows: its audit class is `strict`")]
    BatchedGxp,
    /// A change without the reason that it needs.
    #[error(
        "a reason is needed to change a dataset that is under GxP: give `galen dataset` one with --reason, or the management API `reason`; S3 has no field for one"
    )]
    ReasonMissing,
    /// A page cursor that was not given out by Galen.
    #[error("the page marker is not one that Galen gave out")]
    BadCursor,
    /// A stored record does not decode, or a body does not open: an operator must look.
    #[error("the stored {what} is damaged")]
    Damaged {
        /// What it is.
        what: &'static str,
    },
    /// The session carries no group that a workspace could belong to.
    #[error("a bucket belongs to a group, and this session carries none")]
    NoGroups,
    /// The state cannot be read or written.
    #[error("the state could not be read or written")]
    Store(#[source] store::Error),
    /// A fact breaks a rule of access.
    #[error(transparent)]
    Access(#[from] access::Error),
    /// Custody refused.
    #[error("custody could not give the key")]
    Custody(#[source] custody::Error),
    /// The object backend refused.
    #[error("the object backend failed")]
    Backend(#[source] BackendError),
    /// Cryptography failed.
    #[error("sealing or opening failed")]
    Crypto(#[source] crypto::Error),
}

impl From<store::Error> for Error {
    fn from(error: store::Error) -> Self {
        Self::Store(error)
    }
}

impl From<custody::Error> for Error {
    fn from(error: custody::Error) -> Self {
        Self::Custody(error)
    }
}

impl From<BackendError> for Error {
    fn from(error: BackendError) -> Self {
        Self::Backend(error)
    }
}

impl From<crypto::Error> for Error {
    fn from(error: crypto::Error) -> Self {
        Self::Crypto(error)
    }
}

impl Error {
    /// What the failure means to the caller.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::NoSuchKey
            | Self::Deleted { .. }
            | Self::NoSuchVersion
            | Self::NoSuchBucket
            | Self::NoDataset
            | Self::NoSuchUpload { .. }
            | Self::NoSuchDomain { .. }
            | Self::NoSuchDataset { .. }
            | Self::NoSuchGrant { .. } => ErrorKind::NotFound,
            Self::PreconditionFailed { .. } | Self::NotModified { .. } => ErrorKind::PreconditionFailed,
            Self::BodyTooLarge { .. } | Self::MetadataTooLarge { .. } | Self::CopySourceTooLarge { .. } => {
                ErrorKind::TooLarge
            }
            Self::DomainNotEmpty { .. }
            | Self::BucketExists { .. }
            | Self::BucketNotEmpty
            | Self::ForeignBucket { .. }
            | Self::NameTaken { .. }
            | Self::LocationTaken { .. } => ErrorKind::Conflict,
            Self::PermanentDeletion | Self::NotAWorkspace | Self::WrongPermit | Self::NoGroups => ErrorKind::Forbidden,
            Self::Ended { .. } => ErrorKind::Unauthenticated,
            Self::ManyRanges => ErrorKind::NotImplemented,
            Self::Damaged { .. } => ErrorKind::Corrupt,
            Self::Store(error) => error.kind(),
            Self::Access(error) => error.kind(),
            Self::Custody(error) => error.kind(),
            Self::Backend(error) => error.kind(),
            Self::Crypto(error) => error.kind(),
            Self::IsDeleteMarker { .. }
            | Self::RangeNotSatisfiable { .. }
            | Self::WrongLength { .. }
            | Self::Body { .. }
            | Self::ChecksumMismatch { .. }
            | Self::NotTheSignedBody
            | Self::ChecksumMissing { .. }
            | Self::BadChecksumValue { .. }
            | Self::ChecksumKind { .. }
            | Self::OtherChecksumKind
            | Self::InvalidTag { .. }
            | Self::TooManyTags { .. }
            | Self::BadName(_)
            | Self::BadPartNumber { .. }
            | Self::PartOrder
            | Self::InvalidPart { .. }
            | Self::PartTooSmall { .. }
            | Self::NoParts
            | Self::NoSuchPart { .. }
            | Self::CopyOntoItself
            | Self::BadText { .. }
            | Self::MisleadingName { .. }
            | Self::BadPrefix { .. }
            | Self::BadGrant { .. }
            | Self::BadPolicy { .. }
            | Self::BatchedGxp
            | Self::ReasonMissing
            | Self::BadCursor => ErrorKind::Invalid,
        }
    }
}

impl From<&Error> for ErrorKind {
    fn from(error: &Error) -> Self {
        error.kind()
    }
}
