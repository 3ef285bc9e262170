//! What governance needs from outside: a place that keeps sealed bodies.
//!
//! A backend stores bytes under an id that it is given and knows nothing of buckets, keys, datasets or encryption;
//! every byte that it sees is ciphertext.
//! INVARIANT: a body that `put` or `finish` answered for survives a crash; a body that they did not answer for may
//! exist as an orphan, never as something that reads back different from what was written.

use async_trait::async_trait;
use base::{BlobId, ErrorKind};
use bytes::{Buf as _, Bytes, BytesMut};
use serde::{Deserialize, Serialize};
use std::{io, sync::Arc};

/// Where the backend put a body; kept in the metadata record and handed back unread.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// On its own, found by its id.
    Own,
    /// Among others in a pack.
    Packed {
        /// Number of the pack.
        pack: u64,
        /// First byte of the body in the pack.
        offset: u64,
    },
}

/// A stored body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Blob {
    /// The id that it was stored under.
    pub id: BlobId,
    /// Stored (sealed) bytes.
    pub len: u64,
    /// Where it lies.
    pub place: Place,
}

/// A position in the list of all bodies; opaque to the caller, valid for the life of the backend value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListCursor(pub String);

/// One page of [`ObjectBackend::list`].
#[derive(Clone, Debug, Default)]
pub struct BlobPage {
    /// The bodies of this page, in the backend's own order.
    pub blobs: Vec<Blob>,
    /// Where the next page begins; none at the end.
    pub next: Option<ListCursor>,
}

/// The work of a caller said no (a frame did not open); the caller knows why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WorkFailed;

/// What shall be done to a buffer on the thread that reads it, so that opening neither holds an asynchronous thread nor
/// touches memory that has gone cold.
pub type Work = Box<dyn FnOnce(&mut [u8]) -> Result<(), WorkFailed> + Send>;

/// Bytes of a page: what a whole number of pages long is, and lies in memory and in its file where a page begins, can go to
/// a device without being copied.
pub const PAGE: usize = 4096;

/// An empty buffer that begins where a page of memory does, with room for `room` bytes.
pub fn paged(room: usize) -> BytesMut {
    let mut buffer = BytesMut::with_capacity(room + PAGE);
    let before = buffer.as_ptr().align_offset(PAGE).min(PAGE);
    buffer.resize(before, 0);
    buffer.advance(before);
    buffer
}

/// Why a backend did not do what it was asked for.
#[derive(Debug, thiserror::Error)]
pub enum BackendError {
    /// The body is not there, or is shorter than asked for.
    #[error("the stored body `{id}` is missing or shorter than its record says")]
    Missing {
        /// The body.
        id: BlobId,
    },
    /// The file system or the remote service refused an operation.
    #[error("the object backend could not {operation}")]
    Io {
        /// What was attempted.
        operation: &'static str,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// There is no room left.
    #[error("the object backend has no room left to {operation}: free space or extend the volume")]
    Full {
        /// What was attempted.
        operation: &'static str,
    },
    /// The backend is stopping, or an earlier failure closed the part of it that was needed.
    #[error("the object backend cannot {operation} now: it is stopping")]
    Stopped {
        /// What was attempted.
        operation: &'static str,
    },
    /// The caller's own [`Work`] failed.
    #[error("the bytes were refused by the reader itself")]
    Work,
}

impl BackendError {
    /// What the failure means to the caller.
    pub const fn kind(&self) -> ErrorKind {
        match self {
            Self::Missing { .. } | Self::Work => ErrorKind::Corrupt,
            Self::Io { .. } | Self::Full { .. } | Self::Stopped { .. } => ErrorKind::Unavailable,
        }
    }
}

/// What a backend says of itself, for `galen doctor` and beside every measured number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackendInfo {
    /// Its name, such as `local`.
    pub name: &'static str,
    /// Bodies up to this many stored bytes belong into [`ObjectBackend::put`]; larger ones into [`ObjectBackend::create`].
    pub small_bytes_max: usize,
    /// How durable an answered write is, in words.
    pub durability: &'static str,
}

/// A place for sealed bodies. The suite in `governance::conformance` states the contract as tests.
#[async_trait]
pub trait ObjectBackend: Send + Sync + 'static {
    /// What this backend is.
    fn info(&self) -> BackendInfo;

    /// Stores a whole small body. Durable when it answers; many at once share the cost of being so.
    ///
    /// # Errors
    /// Any [`BackendError`]; the body may then exist as an orphan that [`ObjectBackend::list`] shows.
    async fn put(&self, id: BlobId, bytes: Bytes) -> Result<Blob, BackendError>;

    /// Starts a large body. Nothing is listed or readable before [`BlobWriter::finish`].
    ///
    /// # Errors
    /// Any [`BackendError`].
    async fn create(&self, id: BlobId) -> Result<Box<dyn BlobWriter>, BackendError>;

    /// Opens a body for reading; deleting it afterwards does not disturb the reader.
    ///
    /// # Errors
    /// [`BackendError::Missing`] when it is not there.
    async fn open(&self, blob: &Blob) -> Result<Arc<dyn BlobReader>, BackendError>;

    /// Deletes a body and no other; an absent one is success, so that it can be repeated.
    ///
    /// # Errors
    /// Any [`BackendError`].
    async fn delete(&self, blob: &Blob) -> Result<(), BackendError>;

    /// Every stored body that was not deleted, page by page; bodies stored meanwhile may or may not appear. Deleted
    /// small bodies may appear again after a restart until they are deleted again: the sweep does that.
    ///
    /// # Errors
    /// Any [`BackendError`].
    async fn list(&self, after: Option<&ListCursor>, limit: usize) -> Result<BlobPage, BackendError>;
}

/// A large body being written. Dropped without `finish`, it leaves nothing that is listed.
#[async_trait]
pub trait BlobWriter: Send {
    /// Appends the buffers, in order, and gives them back for reuse. Those that are whole pages from a page on cost least.
    ///
    /// # Errors
    /// Any [`BackendError`]; the writer is then of no further use.
    async fn append(&mut self, buffers: Vec<BytesMut>) -> Result<Vec<BytesMut>, BackendError>;

    /// Makes the body durable and visible under its id.
    ///
    /// # Errors
    /// Any [`BackendError`]; the body may then exist as an orphan.
    async fn finish(self: Box<Self>) -> Result<Blob, BackendError>;
}

/// An open body.
#[async_trait]
pub trait BlobReader: Send + Sync {
    /// Fills the whole buffer from `offset`, runs `work` over it and gives it back. Dropping the future may leave the
    /// read to finish in the background; it changes nothing.
    ///
    /// # Errors
    /// [`BackendError::Missing`] when the body ends before the buffer is full.
    async fn read(&self, offset: u64, buffer: BytesMut, work: Work) -> Result<BytesMut, BackendError>;
}
