//! Writing whole objects: put and copy.

use access::{Permit, s3};
use base::ObjectVersionId;
use futures::{StreamExt, TryStreamExt};

use super::{
    Objects,
    checksum::{Expected, Kind, StoredChecksum},
    commit::NewVersion,
    condition::Conditions,
    metadata::{ETag, Metadata, Tags},
    name::VersionId,
    record::{Body as BodyRow, Content},
    target::{ReadsObject, Target, finished},
    types::{Body, BodyError, Copied, Copy, Directive, Get, PUT_BYTES_MAX, Put, Written},
    write::{self, Plan, Stored},
};
use crate::Error;
use access::Lease;

impl Objects {
    /// Writes a new version of an object. It is visible, whole and durable when this returns, and not before.
    ///
    /// # Errors
    /// A condition that does not hold; a body that is cut short, too long, or does not match its checksums; what the
    /// parts underneath say. Nothing is visible then.
    pub async fn put(&self, permit: Permit<s3::PutObject>, put: Put) -> Result<Written, Error> {
        let result = self.put_permitted(&permit, put).await;
        finished(permit, result, |written| written.size)
    }

    async fn put_permitted(&self, permit: &Permit<s3::PutObject>, put: Put) -> Result<Written, Error> {
        let target = Target::current(permit)?;
        put.metadata.check()?;
        let Put { metadata, tags, conditions, length, checksum, content_md5, signed, body } = put;
        self.refuse_early(&target, &conditions).await?;
        let plan = Plan {
            dataset: target.dataset,
            wrap: target.wrap,
            version: self.0.new_version(),
            part: 0,
            blob: self.0.new_blob(),
            announced: length,
            most: PUT_BYTES_MAX,
            expected: checksum,
            also: None,
            content_md5,
            signed,
        };
        self.store_and_commit(target, plan, body, permit.lease(), metadata, tags, conditions).await
    }

    /// Spares the caller a long upload whose condition cannot hold; the commit decides.
    async fn refuse_early(&self, target: &Target, conditions: &Conditions) -> Result<(), Error> {
        if *conditions == Conditions::default() {
            return Ok(());
        }
        let (target, conditions) = (target.clone(), conditions.clone());
        self.0
            .store
            .read(move |txn| {
                let newest = super::record::newest(txn, &target.bucket, target.key.as_str())?;
                let current = newest.as_ref().and_then(|(_, row)| Some((&row.content.as_ref()?.etag, row.modified)));
                conditions.check_write(current)
            })
            .await
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of one new version, used by put and copy alone")]
    async fn store_and_commit(
        &self,
        target: Target,
        plan: Plan,
        body: Body,
        lease: Option<&Lease>,
        metadata: Metadata,
        tags: Tags,
        conditions: Conditions,
    ) -> Result<Written, Error> {
        let (id, algorithm) = (plan.version, plan.expected.algorithm());
        let stored = write::store(&self.0, plan, body, lease).await?;
        let checksum = stored.hashed.of(algorithm).cloned();
        let checksum = checksum.map(|checksum| StoredChecksum { checksum, kind: Kind::FullObject });
        let size = stored.segment.layout.len;
        let etag = self.new_etag(1);
        let content = Content {
            size,
            etag: etag.clone(),
            metadata,
            tags,
            checksum: checksum.clone(),
            parts: None,
            body: BodyRow::One(Box::new(stored.segment.clone())),
        };
        let (version, modified) = self.commit(target, id, content, conditions, stored).await?;
        Ok(Written { version, etag, checksum, size, modified })
    }

    pub(crate) fn new_etag(&self, parts: usize) -> ETag {
        ETag::of(self.0.effects.bytes(), parts)
    }

    async fn commit(
        &self,
        target: Target,
        id: ObjectVersionId,
        content: Content,
        conditions: Conditions,
        stored: Stored,
    ) -> Result<(VersionId, base::Timestamp), Error> {
        let new = NewVersion {
            bucket: target.bucket,
            key: target.key.into(),
            dataset: target.dataset,
            newest_fact: target.newest_fact,
            id,
            content: Some(content),
            segments: Vec::new(),
            conditions,
        };
        let recent = self.0.recent.clone();
        let result = self.0.store.write(base::Actor::System, move |txn| new.insert(txn, &recent)).await;
        match result {
            Ok(done) => Ok(done.value),
            // Whether a failed commit left the record is not known: its body stays until the sweep knows.
            Err(Error::Store(error)) => Err(Error::Store(error)),
            Err(error) => {
                self.0.discard(stored.segment.blob).await;
                Err(error)
            }
        }
    }

    /// Copies an object: opened with the source's permit, sealed anew for the destination.
    ///
    /// # Errors
    /// As [`Objects::open`] and [`Objects::put`]; [`Error::CopyOntoItself`]; [`Error::CopySourceTooLarge`].
    pub async fn copy<A: ReadsObject>(
        &self,
        source: Permit<A>,
        destination: Permit<s3::PutObject>,
        copy: Copy,
    ) -> Result<Copied, Error> {
        let result = self.copy_permitted(source, &destination, copy).await;
        finished(destination, result, |copied| copied.written.size)
    }

    /// Where a copy goes, if it can.
    async fn copy_target<A: ReadsObject>(
        &self,
        source: &Permit<A>,
        destination: &Permit<s3::PutObject>,
        copy: &Copy,
    ) -> Result<Target, Error> {
        let from = Target::on_version(source)?;
        let target = Target::current(destination)?;
        let itself = from.bucket == target.bucket && from.key == target.key && from.version.is_none();
        if itself && copy.metadata == Directive::Copy && !copy.stored_anew {
            return Err(Error::CopyOntoItself);
        }
        self.refuse_early(&target, &copy.destination).await?;
        Ok(target)
    }

    async fn copy_permitted<A: ReadsObject>(
        &self,
        source: Permit<A>,
        destination: &Permit<s3::PutObject>,
        copy: Copy,
    ) -> Result<Copied, Error> {
        let target = match self.copy_target(&source, destination, &copy).await {
            Ok(target) => target,
            // The source was not read, and its record says so.
            Err(error) => return finished(source, Err(error), |_: &Copied| 0),
        };
        let open = self.open(source, Get::default()).await?;
        let info = open.head.info;
        copy.source.check_source(&info.etag, info.modified)?;
        if info.size > PUT_BYTES_MAX {
            return Err(Error::CopySourceTooLarge { got: info.size, most: PUT_BYTES_MAX });
        }
        let metadata = match copy.metadata {
            Directive::Copy => info.metadata,
            Directive::Replace(metadata) => metadata,
        };
        metadata.check()?;
        let tags = match copy.tags {
            Directive::Copy => info.tags,
            Directive::Replace(tags) => tags,
        };
        let kept = info.checksum.as_ref().map(|stored| stored.checksum.algorithm);
        let plan = Plan {
            dataset: target.dataset,
            wrap: target.wrap,
            version: self.0.new_version(),
            part: 0,
            blob: self.0.new_blob(),
            announced: Some(info.size),
            most: PUT_BYTES_MAX,
            expected: copy.checksum.or(kept).map_or(Expected::None, Expected::Compute),
            also: None,
            content_md5: None,
            signed: None,
        };
        let body = own_body(open.bytes);
        let lease = destination.lease();
        let written = self.store_and_commit(target, plan, body, lease, metadata, tags, copy.destination).await?;
        Ok(Copied { source: info.version, written })
    }
}

/// Our own stream as a body to be written.
pub(crate) fn own_body(bytes: futures::stream::BoxStream<'static, Result<bytes::Bytes, Error>>) -> Body {
    bytes.map_err(|error| Box::new(error) as BodyError).boxed()
}
