//! Objects: bytes under keys, always versioned, always encrypted, visible whole or not at all.
//!
//! It owns the metadata records, the sealing of bodies and the order of steps that makes a write durable: body into
//! the backend, then the record, then the answer. It must not know HTTP, and it decides nothing about who may: each
//! operation consumes the permit that names its resource.
//! INVARIANT: what is visible is durable and opens; a crash leaves at most an orphaned body, which the sweep removes.

mod checksum;
mod condition;
mod metadata;
mod name;
mod seal;
mod types;

pub use checksum::{Algorithm, Checksum, Expected, Kind, StoredChecksum, Trailer};
pub use condition::{ByteRange, Conditions, Match};
pub use metadata::{
    ETag, HEADER_BYTES_MAX, Metadata, SystemMetadata, TAG_KEY_CHARS_MAX, TAG_VALUE_CHARS_MAX, TAGS_MAX, Tags,
    USER_METADATA_BYTES_MAX,
};
pub use name::{BucketName, ObjectKey, VersionId};
pub use types::*;
