//! The sweep: removes bodies that no record refers to, which a crash or a failed step left behind.
//!
//! It runs at start and then daily, by the same code. What one run finds, the next one removes: a server that was started on
//! another store, or on an old copy of its own, does not destroy what the right one refers to.

use base::BlobId;
use std::collections::HashSet;

use super::{Objects, record::BLOB};
use crate::{Error, ports::Blob};

/// Bodies that are looked up in one read transaction.
const PAGE: usize = 500;
/// Most orphans that are kept in mind between two sweeps; more wait for a later one.
const ORPHANS_MAX: usize = 100_000;

/// What a sweep did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Bodies that were looked at.
    pub seen: u64,
    /// Orphans that were removed.
    pub removed: u64,
    /// Their stored bytes.
    pub bytes: u64,
    /// Orphans that were found for the first time, for the next sweep.
    pub found: HashSet<BlobId>,
}

impl Objects {
    /// Removes the bodies among `known`, which the sweep before found, that still no record refers to.
    ///
    /// # Errors
    /// [`Error::Backend`], [`Error::Store`]; what was removed until then stays removed.
    pub async fn sweep(&self, known: &HashSet<BlobId>) -> Result<Swept, Error> {
        let (mut swept, mut after) = (Swept::default(), None);
        loop {
            let page = self.0.backend.list(after.as_ref(), PAGE).await?;
            swept.seen += page.blobs.len() as u64;
            for blob in self.orphans(page.blobs).await? {
                if known.contains(&blob.id) {
                    self.0.backend.delete(&blob).await?;
                    swept.removed += 1;
                    swept.bytes += blob.len;
                } else if swept.found.len() < ORPHANS_MAX {
                    swept.found.insert(blob.id);
                }
            }
            match page.next {
                Some(next) => after = Some(next),
                None => return Ok(swept),
            }
        }
    }

    async fn orphans(&self, mut blobs: Vec<Blob>) -> Result<Vec<Blob>, Error> {
        {
            // Asked before the records: a body leaves this set only after its record is there.
            let in_flight = self.0.in_flight();
            blobs.retain(|blob| !in_flight.contains(&blob.id));
        }
        let read = self.0.store.read(move |txn| {
            let mut orphans = Vec::new();
            for blob in blobs {
                if txn.record_get(BLOB, blob.id.bytes())?.is_none() {
                    orphans.push(blob);
                }
            }
            Ok(orphans)
        });
        read.await
    }
}
