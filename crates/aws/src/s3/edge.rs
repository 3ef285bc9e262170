//! The value behind the codec: what the operations stand on, and the steps that each of them begins with.

use access::{Access, Bucket, Denied, DenyReason, Object, OpContext, Outcome, Permit, ResourceRef, s3};
use base::{AccountId, Region};
use evidence::KnownTo;
use governance::objects::{BucketName, ObjectKey, Objects, Seen, VersionId};
use governance::{Buckets, Error, Tags};
use s3s::{S3Error, S3ErrorCode, S3Request, S3Result};
use std::sync::Arc;

use super::auth::{action, caller, no};
use super::convert;
use super::error::{denied, failed, is_absence, refuse};
use crate::metrics::Metrics;

/// The S3 edge.
pub(super) struct Edge {
    pub(super) access: Access,
    pub(super) objects: Objects,
    pub(super) buckets: Buckets,
    pub(super) names: Arc<dyn evidence::Names>,
    pub(super) region: Region,
    pub(super) account: AccountId,
    pub(super) metrics: Metrics,
}

/// Where a request on an object points.
pub(super) struct Target {
    pub(super) op: OpContext,
    pub(super) bucket: BucketName,
    pub(super) key: ObjectKey,
    pub(super) version: Option<VersionId>,
}

impl Edge {
    /// Reads the names of a request on an object.
    ///
    /// # Errors
    /// Malformed names; another account expected as the owner.
    pub(super) fn target<T>(
        &self,
        req: &S3Request<T>,
        bucket: &str,
        key: &str,
        version: Option<&str>,
    ) -> S3Result<Target> {
        let mut op = caller(&req.extensions)?;
        op.keys.version_id = version.map(str::to_owned);
        self.expect_owner(req, "x-amz-expected-bucket-owner", &Object::new(bucket, key).into())?;
        Ok(Target {
            op,
            bucket: convert::bucket(bucket)?,
            key: convert::key(key)?,
            version: convert::version(version)?,
        })
    }

    /// # Errors
    /// `AccessDenied` when the caller expects another account to own the bucket; it is recorded as a refusal of the gate is.
    pub(super) fn expect_owner<T>(&self, req: &S3Request<T>, header: &str, resource: &ResourceRef) -> S3Result<()> {
        let Some(value) = req.headers.get(header) else { return Ok(()) };
        if value.to_str().is_ok_and(|account| account == self.account.to_string()) {
            return Ok(());
        }
        if let Some(action) = action(&req.extensions) {
            self.access.record_refusal(&caller(&req.extensions)?, action, resource, DenyReason::OtherAccount);
        }
        let message = format!(
            "the bucket is not owned by the account in `{header}`; this installation's account is {}",
            self.account
        );
        Err(refuse(S3ErrorCode::AccessDenied, message))
    }

    /// The resource of a decision on an object, with its tags as they are, for conditions on them; and what was looked up,
    /// for the operation itself.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(super) async fn object(&self, target: &Target) -> S3Result<(Object, Seen)> {
        let seen =
            self.objects.look(&target.bucket, &target.key, target.version).await.map_err(|error| failed(&error))?;
        let tags = seen.tags().into_iter().flat_map(Tags::iter);
        let pairs = tags.map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
        let object = Object::new(target.bucket.as_str(), target.key.as_str())
            .at_version(target.version.map(|version| version.to_string()))
            .with_tags(pairs);
        Ok((object, seen))
    }

    /// The answer to a refused request on a bucket. A bucket that is nowhere is `NoSuchBucket` to a caller whose role may
    /// do this to it; every other refusal is the gate's own.
    pub(super) fn refused_bucket(&self, bucket: &str, refusal: &Denied) -> S3Error {
        if is_absence(refusal) && self.access.locations_in(bucket).is_empty() {
            return failed(&Error::NoSuchBucket);
        }
        denied(refusal)
    }

    /// Spends the permit of a question that needs the object but does not read it.
    ///
    /// # Errors
    /// That the object is not there, as [`Edge::answer`] tells it.
    pub(super) async fn there<A: access::Action>(
        &self,
        target: &Target,
        seen: &Seen,
        permit: Permit<A>,
    ) -> S3Result<()> {
        let Some(absent) = seen.absence() else {
            ok(permit);
            return Ok(());
        };
        permit.finish(Outcome { status: 404, bytes: 0 });
        Err(self.answer(&target.op, target.bucket.as_str(), target.key.as_str(), absent).await)
    }

    /// Turns a failure into an answer: that something is absent is told only to a caller who may list it.
    pub(super) async fn answer(&self, op: &OpContext, bucket: &str, key: &str, error: Error) -> S3Error {
        let absent = matches!(
            error,
            Error::NoSuchKey | Error::Deleted { .. } | Error::NoSuchVersion | Error::NoSuchUpload { .. }
        );
        if !absent {
            return failed(&error);
        }
        let mut list = op.clone();
        list.keys.prefix = Some(key.to_owned());
        list.keys.version_id = None;
        match self.may(&list, s3::ListBucket, Bucket::new(bucket)).await {
            Ok(permit) => {
                let readable = permit.visible().contains(key);
                permit.finish(Outcome { status: if readable { 404 } else { 403 }, bytes: 0 });
                if readable { failed(&error) } else { hidden(op) }
            }
            Err(refusal) => denied(&refusal),
        }
    }
}

fn hidden(op: &OpContext) -> S3Error {
    let message = format!("the object does not exist or you may not list its bucket (request {})", op.request);
    refuse(S3ErrorCode::AccessDenied, message)
}

/// A permit for a question about a bucket's settings: authorised, answered and recorded at once.
impl Edge {
    /// # Errors
    /// The gate's refusal.
    pub(super) async fn view<A, T>(&self, req: &S3Request<T>, action: A, bucket: &str) -> S3Result<Permit<A>>
    where
        A: access::Action<Resource = Bucket>,
    {
        let op = caller(&req.extensions)?;
        convert::bucket(bucket)?;
        self.expect_owner(req, "x-amz-expected-bucket-owner", &Bucket::new(bucket).into())?;
        let asked = self.may(&op, action, Bucket::new(bucket)).await;
        asked.map_err(|refusal| self.refused_bucket(bucket, &refusal))
    }

    /// Refuses a setting that no bucket may have, whoever asks and whatever the gate allows: a refusal with an entry of its own.
    pub(super) fn never<A, T>(
        &self,
        req: &S3Request<T>,
        permit: Permit<A>,
        reason: DenyReason,
        message: &str,
    ) -> S3Error
    where
        A: access::Action<Resource = Bucket>,
    {
        match caller(&req.extensions) {
            Ok(op) => {
                let resource = permit.resource().clone().into();
                self.access.record_refusal(&op, permit.action().name(), &resource, reason);
                permit.finish(Outcome { status: 403, bytes: 0 });
                refuse(S3ErrorCode::AccessDenied, message)
            }
            Err(error) => error,
        }
    }

    /// As [`Access::authorize`], with a refusal that knows names.
    ///
    /// # Errors
    /// The gate's refusal.
    pub(super) async fn may<A: access::Action>(
        &self,
        op: &OpContext,
        action: A,
        resource: A::Resource,
    ) -> Result<Permit<A>, Denied> {
        match self.access.authorize(op, action, resource).await {
            Ok(permit) => Ok(permit),
            Err(refusal) => Err(evidence::refusal::named(&self.names_for(op), refusal).await),
        }
    }

    /// As [`Access::authorize_many`], with refusals that know names.
    pub(super) async fn may_all<A: access::Action + Clone>(
        &self,
        op: &OpContext,
        action: A,
        resources: Vec<A::Resource>,
    ) -> Vec<Result<Permit<A>, Denied>> {
        let answers = self.access.authorize_many(op, action, resources).await;
        evidence::refusal::all_named(&self.names_for(op), answers).await
    }

    /// The names that a refusal may tell the caller.
    fn names_for<'a>(&'a self, op: &'a OpContext) -> KnownTo<'a> {
        KnownTo { names: self.names.as_ref(), access: &self.access, op }
    }

    /// As [`Access::authorize`] on an object, with the gate's refusal as an answer.
    ///
    /// # Errors
    /// The gate's refusal.
    pub(super) async fn permit<A>(&self, op: &OpContext, action: A, object: Object) -> S3Result<Permit<A>>
    where
        A: access::Action<Resource = Object>,
    {
        let bucket = object.bucket.clone();
        self.may(op, action, object)
            .await
            .map_err(|refusal| if is_absence(&refusal) { self.refused_bucket(&bucket, &refusal) } else { no(refusal) })
    }
    /// A second action that the same request needs, such as `PutObjectTagging` for a PUT with tags. Gives the first permit
    /// back, or spends it as refused.
    ///
    /// # Errors
    /// The gate's refusal of the second.
    pub(super) async fn also<A, B>(
        &self,
        first: Permit<A>,
        op: &OpContext,
        second: B,
        object: Object,
    ) -> S3Result<Permit<A>>
    where
        A: access::Action,
        B: access::Action<Resource = Object>,
    {
        match self.permit(op, second, object).await {
            Ok(permit) => {
                ok(permit);
                Ok(first)
            }
            Err(error) => {
                first.finish(Outcome { status: 403, bytes: 0 });
                Err(error)
            }
        }
    }
}

pub(super) fn ok<A: access::Action>(permit: Permit<A>) {
    permit.finish(Outcome { status: 200, bytes: 0 });
}
