//! Bytes of bodies that an edge holds in memory before it knows who sends them, or whether they are what was signed: one budget for
//! all of a kind. It knows no request and no answer.
//!
//! A body has a bound of its own, but a stranger may open thousands of connections, and on each many streams. INVARIANT: what
//! is read whole before the caller is known is counted here, from its arrival until its request is answered.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

/// Bytes of all bodies together: thousands of ordinary requests at once, and no more memory than one busy core's streams take.
const ALL_BYTES_MAX: usize = 64 << 20;
/// Bytes that large bodies leave free, so that they cannot shut out the forms of sign-ins and sessions.
const FOR_SMALL_BYTES: usize = ALL_BYTES_MAX / 2;
/// Bytes up to which a body is small: a form with a token of the largest size fits.
const SMALL_BYTES_MAX: usize = 32 << 10;

/// The budget is used up by other requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many bodies of other requests are being read: try again in a moment")]
pub struct Spent;

/// The budget of one edge.
#[derive(Default)]
pub struct Bodies(Arc<AtomicUsize>);

impl Bodies {
    /// The share of a new request, which is empty.
    pub fn share(&self) -> Share {
        Share { all: Arc::clone(&self.0), own: AtomicUsize::new(0), refused: AtomicBool::new(false) }
    }
}

/// What one request holds; given back when it is dropped.
pub struct Share {
    all: Arc<AtomicUsize>,
    own: AtomicUsize,
    refused: AtomicBool,
}

impl Share {
    /// Counts bytes that have arrived.
    ///
    /// # Errors
    /// [`Spent`]: the bytes are not to be kept.
    pub fn take(&self, bytes: usize) -> Result<(), Spent> {
        let own = self.own.load(Ordering::Relaxed).saturating_add(bytes);
        let most = if own <= SMALL_BYTES_MAX { ALL_BYTES_MAX } else { ALL_BYTES_MAX - FOR_SMALL_BYTES };
        let more = |all: usize| all.checked_add(bytes).filter(|all| *all <= most);
        if self.all.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_err() {
            self.refused.store(true, Ordering::Relaxed);
            return Err(Spent);
        }
        self.own.fetch_add(bytes, Ordering::Relaxed);
        Ok(())
    }

    /// What has arrived is not held any more.
    pub fn give_back(&self) {
        self.all.fetch_sub(self.own.swap(0, Ordering::Relaxed), Ordering::Relaxed);
    }

    /// Whether bytes of this request were not to be kept.
    pub fn refused(&self) -> bool {
        self.refused.load(Ordering::Relaxed)
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.give_back();
    }
}

#[cfg(test)]
mod tests;
