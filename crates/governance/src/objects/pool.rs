//! Buffers that are used again: a megabyte from the allocator costs more page faults than decrypting it takes time.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicUsize, Ordering},
};

/// Idle buffers that are kept: enough for the streams of two busy cores, 64 MiB at most.
const IDLE_MAX: usize = 64;

/// Bytes lent to streams beyond which each gets short batches: thousands of slow readers then hold a frame each, not
/// a megabyte.
const LENT_BYTES_MAX: usize = 256 << 20;

/// A stock of equally large buffers.
#[derive(Clone)]
pub(crate) struct Pool {
    idle: Arc<Mutex<Vec<Vec<u8>>>>,
    lent: Arc<AtomicUsize>,
    size: usize,
}

impl Pool {
    pub(crate) fn new(size: usize) -> Self {
        Self { idle: Arc::default(), lent: Arc::default(), size }
    }

    /// A buffer of `len` bytes with old content; short ones come from the allocator.
    pub(crate) fn take(&self, len: usize) -> Vec<u8> {
        if len < self.size / 4 || len > self.size {
            return vec![0; len];
        }
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut buffer = idle.unwrap_or_else(|| Vec::with_capacity(self.size));
        buffer.resize(len, 0);
        buffer
    }

    /// An empty buffer with room for `room` bytes.
    pub(crate) fn empty(&self, room: usize) -> Vec<u8> {
        if room < self.size / 4 {
            return Vec::with_capacity(room);
        }
        let mut buffer = self.take(self.size);
        buffer.clear();
        buffer.reserve(room);
        buffer
    }

    pub(crate) fn give(&self, buffer: Vec<u8>) {
        if buffer.capacity() < self.size {
            return;
        }
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < IDLE_MAX {
            idle.push(buffer);
        }
    }

    /// The buffer as the owner of `Bytes`: it comes back when the last slice is gone.
    pub(crate) fn lend(&self, buffer: Vec<u8>) -> bytes::Bytes {
        self.lent.fetch_add(buffer.len(), Ordering::Relaxed);
        bytes::Bytes::from_owner(Lent { buffer, pool: self.clone() })
    }

    /// Whether so much is lent that new batches should be short.
    pub(crate) fn scarce(&self) -> bool {
        self.lent.load(Ordering::Relaxed) > LENT_BYTES_MAX
    }
}

struct Lent {
    buffer: Vec<u8>,
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
