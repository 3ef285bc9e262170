//! Making versions visible: the one place that inserts object rows.
//!
//! INVARIANT: within a key, `order` grows strictly with each commit, so "newest" is what was committed last and a
//! condition is decided against exactly the version that the write replaces.

use base::{DatasetId, ObjectVersionId, Timestamp};
use store::WriteTxn;

use super::{
    condition::Conditions,
    name::VersionId,
    record::{self, Content, OBJECT, ObjectRow, SEGMENT, Segment},
};
use crate::Error;

/// A version that is to become visible.
#[derive(Clone)]
pub(crate) struct NewVersion {
    pub(crate) bucket: String,
    pub(crate) key: String,
    pub(crate) dataset: DatasetId,
    pub(crate) id: ObjectVersionId,
    pub(crate) content: Option<Content>,
    /// Segments of a multipart object.
    pub(crate) segments: Vec<Segment>,
    pub(crate) conditions: Conditions,
}

impl NewVersion {
    /// Inserts it, if the conditions hold and its dataset still lives.
    pub(crate) fn insert(&self, txn: &mut WriteTxn<'_>) -> Result<(VersionId, Timestamp), Error> {
        alive(txn, self.dataset)?;
        let newest = record::newest(txn, &self.bucket, &self.key)?;
        let current = newest.as_ref().and_then(|(_, row)| Some((&row.content.as_ref()?.etag, row.modified)));
        self.conditions.check_write(current)?;
        let now = txn.now();
        let wall = u64::try_from(now.as_microsecond()).unwrap_or(0);
        let order = newest.map_or(wall, |(version, _)| wall.max(version.order.saturating_add(1)));
        let version = VersionId { order, id: self.id };
        let row = ObjectRow { dataset: self.dataset, modified: now, content: self.content.clone() };
        let key = record::object_key(&self.bucket, &self.key, version);
        txn.record_put(OBJECT, &key, &record::encode(&row, "object record")?, None)?;
        if let Some(record::Body::One(segment)) = self.content.as_ref().map(|content| &content.body)
            && let Some(blob) = &segment.blob
        {
            record::blob_used(txn, blob, &key)?;
        }
        for segment in &self.segments {
            let at = record::segment_key(self.id, segment.start);
            txn.record_put(SEGMENT, &at, &record::encode(segment, "segment record")?, None)?;
            if let Some(blob) = &segment.blob {
                record::blob_used(txn, blob, &key)?;
            }
        }
        Ok((version, now))
    }
}

/// Refuses writes into a dataset that ended after the permit was given.
pub(crate) fn alive(txn: &WriteTxn<'_>, dataset: DatasetId) -> Result<(), Error> {
    let rows = txn.view_current(access::facts::view::LOCATION, &dataset.to_string())?;
    if rows.is_empty() { Err(Error::NoSuchBucket) } else { Ok(()) }
}
