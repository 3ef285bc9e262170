//! Objects: bytes under keys, always versioned, always encrypted, visible whole or not at all.
//!
//! It owns the metadata records, the sealing of bodies and the order of steps that makes a write durable: body into
//! the backend, then the record, then the answer. It must not know HTTP, and it decides nothing about who may: each
//! operation consumes the permit that names its resource.
//! INVARIANT: what is visible is durable and opens; a crash leaves at most an orphaned body, which the sweep removes.

mod checksum;
mod commit;
mod condition;
mod delete;
mod get;
mod list;
mod metadata;
mod multipart;
mod name;
mod pool;
mod put;
mod read;
mod recent;
mod record;
mod seal;
mod sweep;
mod tagging;
mod target;
mod types;
mod write;

pub use checksum::{Algorithm, Checksum, Expected, Kind, StoredChecksum, Trailer};
pub use commit::occupied;
pub use condition::{ByteRange, Conditions, IfRange, Match};
pub use get::{Head, ObjectStream, Seen};
pub use metadata::{
    ETag, HEADER_BYTES_MAX, Metadata, SystemMetadata, TAG_KEY_CHARS_MAX, TAG_VALUE_CHARS_MAX, TAGS_MAX, Tags,
    USER_METADATA_BYTES_MAX,
};
pub use name::{BucketName, ObjectKey, VersionId};
pub(crate) use record::rows_in;
pub use sweep::Swept;
pub use target::{OnVersion, ReadsAttributes, ReadsObject, ReadsTags, RemovesTags, WritesTags};
pub use types::*;

use base::{BlobId, Effects, Ids, ObjectVersionId};
use custody::Custody;
use std::{
    collections::HashSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use store::Store;

use crate::ports::ObjectBackend;
use pool::Pool;
use recent::Recent;

/// What the operations on objects stand on.
#[derive(Clone)]
pub struct Deps {
    /// Keeps the metadata records.
    pub store: Store,
    /// Gives and opens data keys.
    pub custody: Custody,
    /// Time and randomness.
    pub effects: Effects,
    /// Keeps sealed bodies.
    pub backend: Arc<dyn ObjectBackend>,
}

pub(crate) struct Inner {
    pub(crate) store: Store,
    pub(crate) custody: Custody,
    pub(crate) effects: Effects,
    pub(crate) backend: Arc<dyn ObjectBackend>,
    pub(crate) pool: Pool,
    pub(crate) recent: Recent,
    /// Whether the token behind custody is in memory; a device takes milliseconds a call and must not hold a thread that
    /// serves others.
    soft_token: bool,
    in_flight: Mutex<HashSet<BlobId>>,
}

impl Inner {
    /// Bodies that are being written and have no record yet.
    pub(crate) fn in_flight(&self) -> MutexGuard<'_, HashSet<BlobId>> {
        self.in_flight.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks custody where that does not hold up others.
    pub(crate) async fn ask_custody<T: Send + 'static>(
        &self,
        ask: impl FnOnce(&Custody) -> Result<T, custody::Error> + Send + 'static,
    ) -> Result<T, crate::Error> {
        if self.soft_token {
            return Ok(ask(&self.custody)?);
        }
        let custody = self.custody.clone();
        match tokio::task::spawn_blocking(move || ask(&custody)).await {
            Ok(answer) => Ok(answer?),
            Err(_) => Err(crate::ports::BackendError::Stopped { operation: "ask custody" }.into()),
        }
    }

    pub(crate) fn new_version(&self) -> ObjectVersionId {
        ObjectVersionId::from_uuid(self.effects.uuid())
    }

    pub(crate) fn new_blob(&self) -> BlobId {
        BlobId::from_uuid(self.effects.uuid())
    }

    /// Removes bodies that no record refers to any more. What fails here is an orphan for the sweep.
    pub(crate) async fn discard(&self, blobs: impl IntoIterator<Item = crate::ports::Blob>) {
        for blob in blobs {
            if let Err(error) = self.backend.delete(&blob).await {
                tracing::warn!(blob = %blob.id, %error, "a body without a record stays until the next sweep");
            }
        }
    }
}

/// The operations on objects; cheap to clone.
#[derive(Clone)]
pub struct Objects(Arc<Inner>);

impl Objects {
    /// Joins the parts.
    pub fn new(deps: Deps) -> Self {
        let Deps { store, custody, effects, backend } = deps;
        let soft_token = custody.describe().software;
        let pool = Pool::new(read::BATCH + read::BATCH / seal::FRAME_SMALL as usize * seal::TAG);
        let recent = Recent::of(&store);
        Self(Arc::new(Inner {
            store,
            custody,
            effects,
            backend,
            pool,
            recent,
            soft_token,
            in_flight: Mutex::default(),
        }))
    }
}
