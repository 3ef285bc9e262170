//! Deleting: a marker on top, never the versions below it; versions of a workspace may go for good.

use access::{Permit, facts::DatasetKind, s3};
use base::Actor;

use super::{
    Objects,
    commit::NewVersion,
    condition::Conditions,
    name::VersionId,
    recent::Recent,
    record::{self, SEGMENT},
    target::{Target, finished},
    types::{Marked, Removed},
};
use crate::{Error, ports::Blob};

impl Objects {
    /// Puts a delete marker on a key, whether or not anything is there, as S3 does.
    ///
    /// # Errors
    /// A condition that does not hold; [`Error::Store`].
    pub async fn delete(&self, permit: Permit<s3::DeleteObject>, conditions: Conditions) -> Result<Marked, Error> {
        let result = self.mark(&permit, conditions).await;
        finished(permit, result, |_| 0)
    }

    async fn mark(&self, permit: &Permit<s3::DeleteObject>, conditions: Conditions) -> Result<Marked, Error> {
        let target = Target::current(permit)?;
        let new = NewVersion {
            bucket: target.bucket,
            key: target.key.into(),
            dataset: target.dataset,
            newest_fact: target.newest_fact,
            id: self.0.new_version(),
            content: None,
            segments: Vec::new(),
            conditions,
        };
        let recent = self.0.recent.clone();
        let done = self.0.store.write(permit.actor(), move |txn| new.insert(txn, &recent)).await?;
        Ok(Marked { marker: done.value.0 })
    }

    /// Destroys one version or marker. Only in a workspace, which holds a tool's own scratch data: versions of governed
    /// data are retention's alone. An absent version is success, as in S3.
    ///
    /// # Errors
    /// [`Error::PermanentDeletion`]; [`Error::Store`].
    pub async fn delete_version(&self, permit: Permit<s3::DeleteObjectVersion>) -> Result<Removed, Error> {
        let result = self.remove(&permit).await;
        finished(permit, result, |_| 0)
    }

    async fn remove(&self, permit: &Permit<s3::DeleteObjectVersion>) -> Result<Removed, Error> {
        let target = Target::of(permit)?;
        let version = target.version.ok_or(Error::WrongPermit)?;
        if target.kind != DatasetKind::Workspace {
            return Err(Error::PermanentDeletion);
        }
        let recent = self.0.recent.clone();
        let change = move |txn: &mut store::WriteTxn<'_>| remove(txn, &recent, &target, version);
        let (was_marker, blobs) = self.0.store.write::<_, Error, _>(Actor::System, change).await?.value;
        self.0.discard(blobs).await;
        Ok(Removed { version, was_marker })
    }
}

/// Takes the records of a version away; what is left to delete are its bodies.
fn remove(
    txn: &mut store::WriteTxn<'_>,
    recent: &Recent,
    target: &Target,
    version: VersionId,
) -> Result<(bool, Vec<Blob>), Error> {
    let Some((_, row, _)) = record::version(txn, &target.bucket, target.key.as_str(), Some(version))? else {
        return Ok((false, Vec::new()));
    };
    record::remove_object(txn, recent, (&target.bucket, target.key.as_str(), version))?;
    let Some(content) = row.content else { return Ok((true, Vec::new())) };
    let segments = record::segments(Some(txn), version.id, &content, &(0..content.size.max(1)))?;
    let mut blobs = Vec::with_capacity(segments.len());
    for segment in segments {
        txn.record_delete(SEGMENT, &record::segment_key(version.id, segment.start))?;
        if let Some(blob) = segment.blob {
            record::blob_unused(txn, &blob)?;
            blobs.push(blob);
        }
    }
    Ok((false, blobs))
}
