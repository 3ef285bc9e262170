//! Buffers that are used again: a megabyte from the allocator costs more page faults than decrypting it takes time. They
//! begin where a page does, so that a backend can hand them to a device as they are.

use bytes::{Bytes, BytesMut};
use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicUsize, Ordering},
};

use crate::ports::paged;

/// Idle buffers that are kept: enough for the streams of two busy cores, 64 MiB at most.
const IDLE_MAX: usize = 64;

/// Bytes lent to streams beyond which each gets short batches: thousands of slow readers then hold a frame each, not
/// a megabyte.
const LENT_BYTES_MAX: usize = 256 << 20;

/// A stock of equally large buffers.
#[derive(Clone)]
pub(crate) struct Pool {
    idle: Arc<Mutex<Vec<BytesMut>>>,
    lent: Arc<AtomicUsize>,
    size: usize,
}

impl Pool {
    pub(crate) fn new(size: usize) -> Self {
        Self { idle: Arc::default(), lent: Arc::default(), size }
    }

    /// A buffer of `len` bytes with old content; short ones come from the allocator.
    pub(crate) fn take(&self, len: usize) -> BytesMut {
        if len < self.size / 4 || len > self.size {
            return BytesMut::zeroed(len);
        }
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut buffer = idle.unwrap_or_else(|| paged(self.size));
        buffer.resize(len, 0);
        buffer
    }

    /// An empty buffer with room for `room` bytes.
    pub(crate) fn empty(&self, room: usize) -> BytesMut {
        if room < self.size / 4 {
            return BytesMut::with_capacity(room);
        }
        let mut buffer = self.take(self.size);
        buffer.clear();
        buffer.reserve(room);
        buffer
    }

    pub(crate) fn give(&self, buffer: BytesMut) {
        if buffer.capacity() < self.size {
            return;
        }
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < IDLE_MAX {
            idle.push(buffer);
        }
    }

    /// The buffer as the owner of `Bytes`: it comes back when the last slice is gone.
    pub(crate) fn lend(&self, buffer: BytesMut) -> Bytes {
        self.lent.fetch_add(buffer.len(), Ordering::Relaxed);
        Bytes::from_owner(Lent { buffer, pool: self.clone() })
    }

    /// Whether so much is lent that new batches should be short.
    pub(crate) fn scarce(&self) -> bool {
        self.lent.load(Ordering::Relaxed) > LENT_BYTES_MAX
    }
}

struct Lent {
    buffer: BytesMut,
    pool: Pool,
}

impl AsRef<[u8]> for Lent {
    fn as_ref(&self) -> &[u8] {
        &self.buffer
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        self.pool.lent.fetch_sub(self.buffer.len(), Ordering::Relaxed);
        self.pool.give(std::mem::take(&mut self.buffer));
    }
}

#[cfg(test)]
mod tests;
