//! Making versions visible: the one place that inserts object rows.
//!
//! INVARIANT: within a key, `order` grows strictly with each commit, so "newest" is what was committed last and a
//! condition is decided against exactly the version that the write replaces.

use access::facts;
use base::{DatasetId, ObjectVersionId, Timestamp};
use serde_json::Value;
use store::{ReadTxn, WriteTxn};

use super::{
    condition::Conditions,
    name::VersionId,
    recent::Recent,
    record::{self, Content, OBJECT, ObjectRow, SEGMENT, Segment},
};
use crate::Error;

/// A version that is to become visible.
#[derive(Clone)]
pub(crate) struct NewVersion {
    pub(crate) bucket: String,
    pub(crate) key: String,
    pub(crate) dataset: DatasetId,
    /// As [`access::Permit::newest_fact`].
    pub(crate) newest_fact: Option<u64>,
    pub(crate) id: ObjectVersionId,
    pub(crate) content: Option<Content>,
    /// Segments of a multipart object.
    pub(crate) segments: Vec<Segment>,
    pub(crate) conditions: Conditions,
}

impl NewVersion {
    /// Inserts it, if the conditions hold and its dataset still lives.
    pub(crate) fn insert(&self, txn: &mut WriteTxn<'_>, recent: &Recent) -> Result<(VersionId, Timestamp), Error> {
        at_home(txn, &self.bucket, &self.key, self.dataset, self.newest_fact)?;
        let newest = record::newest(txn, &self.bucket, &self.key)?;
        let current = newest.as_ref().and_then(|(_, row)| Some((&row.content.as_ref()?.etag, row.modified)));
        self.conditions.check_write(current)?;
        let now = txn.now();
        let wall = u64::try_from(now.as_microsecond()).unwrap_or(0);
        let order = newest.map_or(wall, |(version, _)| wall.max(version.order.saturating_add(1)));
        let version = VersionId { order, id: self.id };
        let row = ObjectRow { dataset: self.dataset, modified: now, content: self.content.clone() };
        let key = record::put_object(txn, recent, (&self.bucket, &self.key, version), &row)?;
        if let Some(record::Body::One(segment)) = self.content.as_ref().map(|content| &content.body)
            && let Some(blob) = &segment.blob
        {
            record::blob_used(txn, blob, &key, None)?;
        }
        for segment in &self.segments {
            let at = record::segment_key(self.id, segment.start);
            txn.record_put(SEGMENT, &at, &record::encode(segment, "segment record")?, None)?;
            if let Some(blob) = &segment.blob {
                record::blob_used(txn, blob, &key, None)?;
            }
        }
        Ok((version, now))
    }
}

/// Refuses writes of a dataset that the key is not at home in any more: it ended, or a nested dataset took the prefix
/// after the permit was given. The longest prefix decides, as at the gate; while no fact came after those that the gate
/// knew, its own answer stands.
pub(crate) fn at_home(
    txn: &ReadTxn<'_>,
    bucket: &str,
    key: &str,
    dataset: DatasetId,
    newest_fact: Option<u64>,
) -> Result<(), Error> {
    if newest_fact == Some(txn.newest_seq()?) {
        return Ok(());
    }
    let rows = txn.view_lookup(facts::view::LOCATION, facts::view::BY_BUCKET, bucket)?;
    let places = rows.iter().flat_map(|row| {
        let places = row.body.get("places").and_then(Value::as_array);
        places.into_iter().flatten().map(|place| (row.aggregate.as_str(), place))
    });
    let covering = places.filter_map(|(dataset, place)| {
        let prefix = place.get("prefix").and_then(Value::as_str)?;
        let here = place.get("bucket").and_then(Value::as_str) == Some(bucket);
        (here && key.starts_with(prefix)).then_some((prefix.len(), dataset))
    });
    match covering.max() {
        Some((_, owner)) if owner == dataset.to_string() => Ok(()),
        Some(_) => Err(Error::NoDataset),
        None => Err(Error::NoSuchBucket),
    }
}

/// Whether anything lies under a place: versions, delete markers, uploads. For `access::facts::put_location`, so that no
/// registration takes objects over, and for deleting a bucket.
///
/// # Errors
/// [`store::Error`].
pub fn occupied(txn: &ReadTxn<'_>, place: &facts::Place) -> Result<facts::Occupied, store::Error> {
    let prefix = [place.bucket.as_bytes(), &[0], place.prefix.as_bytes()].concat();
    for class in [OBJECT, record::UPLOAD] {
        if !txn.record_prefix(class, &prefix, None, 1)?.is_empty() {
            return Ok(facts::Occupied::Yes);
        }
    }
    Ok(facts::Occupied::No)
}
