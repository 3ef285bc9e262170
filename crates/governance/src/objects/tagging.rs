//! Tags of a version: read, set, removed. The version itself stays what it is.

use access::{Action, Permit};
use base::Actor;

use super::{
    Objects,
    name::VersionId,
    record,
    target::{OnVersion, ReadsTags, RemovesTags, Target, WritesTags, finished},
};
use crate::{Error, Tags};

impl Objects {
    /// The tags of a version.
    ///
    /// # Errors
    /// As [`Objects::head`].
    pub async fn tags<A: ReadsTags>(&self, permit: Permit<A>) -> Result<(VersionId, Tags), Error> {
        let result = self.read_tags(&permit).await;
        finished(permit, result, |_| 0)
    }

    /// Replaces the tags of a version.
    ///
    /// # Errors
    /// As [`Objects::head`].
    pub async fn put_tags<A: WritesTags>(&self, permit: Permit<A>, tags: Tags) -> Result<VersionId, Error> {
        let result = self.write_tags(&permit, tags).await;
        finished(permit, result, |_| 0)
    }

    /// Takes the tags of a version away.
    ///
    /// # Errors
    /// As [`Objects::head`].
    pub async fn remove_tags<A: RemovesTags>(&self, permit: Permit<A>) -> Result<VersionId, Error> {
        let result = self.write_tags(&permit, Tags::default()).await;
        finished(permit, result, |_| 0)
    }

    async fn read_tags<A: ReadsTags>(&self, permit: &Permit<A>) -> Result<(VersionId, Tags), Error> {
        let target = Target::on_version(permit)?;
        self.0
            .store
            .read(move |txn| {
                let row = record::version(txn, &target.bucket, target.key.as_str(), target.version)?;
                let (info, _) = super::get::readable(&target, row)?;
                Ok((info.version, info.tags))
            })
            .await
    }

    async fn write_tags<A: OnVersion + Action>(&self, permit: &Permit<A>, tags: Tags) -> Result<VersionId, Error> {
        let target = Target::on_version(permit)?;
        let recent = self.0.recent.clone();
        let change = move |txn: &mut store::WriteTxn<'_>| {
            let found = record::version(txn, &target.bucket, target.key.as_str(), target.version)?;
            let (info, mut content) = super::get::readable(&target, found.clone())?;
            content.tags = tags.clone();
            let Some((version, mut row, _)) = found else { return Err(Error::NoSuchKey) };
            row.content = Some(content);
            record::put_object(txn, &recent, (&target.bucket, target.key.as_str(), version), &row)?;
            Ok(info.version)
        };
        Ok(self.0.store.write(Actor::System, change).await?.value)
    }
}
