//! The sweep: removes bodies that no record refers to, which a crash or a failed step left behind.
//!
//! It runs at start and then daily, by the same code. A body in flight is told apart by the set of this process and,
//! for others, by the age of its id.

use base::{BlobId, Timestamp};
use std::time::Duration;

use super::{Objects, record::BLOB};
use crate::{Error, ports::Blob};

/// Bodies that are looked up in one read transaction.
const PAGE: usize = 500;
/// Bodies younger than this may be in flight elsewhere; no upload of one body takes a day.
pub const GRACE: Duration = Duration::from_secs(24 * 3600);

/// What a sweep did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Bodies that were looked at.
    pub seen: u64,
    /// Orphans that were removed.
    pub removed: u64,
    /// Their stored bytes.
    pub bytes: u64,
}

impl Objects {
    /// Removes orphaned bodies whose ids were made before `before`: the start of this process when nobody else writes
    /// to the backend, else now less [`GRACE`].
    ///
    /// # Errors
    /// [`Error::Backend`], [`Error::Store`]; what was removed until then stays removed.
    pub async fn sweep(&self, before: Timestamp) -> Result<Swept, Error> {
        let (mut swept, mut after) = (Swept::default(), None);
        loop {
            let page = self.0.backend.list(after.as_ref(), PAGE).await?;
            swept.seen += page.blobs.len() as u64;
            for blob in self.orphans(page.blobs, before).await? {
                self.0.backend.delete(&blob).await?;
                swept.removed += 1;
                swept.bytes += blob.len;
            }
            match page.next {
                Some(next) => after = Some(next),
                None => return Ok(swept),
            }
        }
    }

    async fn orphans(&self, blobs: Vec<Blob>, before: Timestamp) -> Result<Vec<Blob>, Error> {
        let bound = before.as_millisecond();
        let old: Vec<Blob> = {
            // Asked before the records: a body leaves this set only after its record is there.
            let in_flight = self.0.in_flight();
            blobs.into_iter().filter(|blob| made_at(blob.id) < bound && !in_flight.contains(&blob.id)).collect()
        };
        if old.is_empty() {
            return Ok(old);
        }
        self.0
            .store
            .read(move |txn| {
                let mut orphans = Vec::new();
                for blob in old {
                    if txn.record_get(BLOB, blob.id.bytes())?.is_none() {
                        orphans.push(blob);
                    }
                }
                Ok(orphans)
            })
            .await
    }
}

/// Milliseconds since 1970 in a UUIDv7.
fn made_at(id: BlobId) -> i64 {
    i64::try_from(id.uuid().as_u128() >> 80).unwrap_or(i64::MAX)
}
