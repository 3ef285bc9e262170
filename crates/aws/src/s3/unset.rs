//! Settings that no bucket here has. Tools read them routinely, and are told "none" in S3's own words, each under its own
//! action. Setting one of them is not offered; removing one leaves what is there, which is nothing, as S3 has it.

use access::{Action, Bucket, Outcome, s3};
use s3s::dto;
use s3s::{S3Error, S3ErrorCode, S3Request, S3Response, S3Result};

use super::edge::{Edge, ok};
use super::error::refuse;

/// Says that there is none, to a caller who may ask.
///
/// # Errors
/// The gate's refusal.
async fn none<A, T>(
    edge: &Edge,
    (req, bucket): (&S3Request<T>, &str),
    action: A,
    (code, message): (S3ErrorCode, &'static str),
) -> S3Result<S3Error>
where
    A: Action<Resource = Bucket>,
{
    edge.view(req, action, bucket).await?.finish(Outcome { status: 404, bytes: 0 });
    Ok(refuse(code, message))
}

pub(super) async fn tagging(
    edge: &Edge,
    req: S3Request<dto::GetBucketTaggingInput>,
) -> S3Result<S3Response<dto::GetBucketTaggingOutput>> {
    let told = (S3ErrorCode::NoSuchTagSet, "the bucket has no tags");
    Err(none(edge, (&req, &req.input.bucket), s3::GetBucketTagging, told).await?)
}

pub(super) async fn lifecycle(
    edge: &Edge,
    req: S3Request<dto::GetBucketLifecycleConfigurationInput>,
) -> S3Result<S3Response<dto::GetBucketLifecycleConfigurationOutput>> {
    let told =
        (S3ErrorCode::NoSuchLifecycleConfiguration, "the bucket has no lifecycle rules: retention is the dataset's");
    Err(none(edge, (&req, &req.input.bucket), s3::GetLifecycleConfiguration, told).await?)
}

pub(super) async fn replication(
    edge: &Edge,
    req: S3Request<dto::GetBucketReplicationInput>,
) -> S3Result<S3Response<dto::GetBucketReplicationOutput>> {
    let told = (S3ErrorCode::ReplicationConfigurationNotFoundError, "the bucket is not replicated");
    Err(none(edge, (&req, &req.input.bucket), s3::GetReplicationConfiguration, told).await?)
}

pub(super) async fn website(
    edge: &Edge,
    req: S3Request<dto::GetBucketWebsiteInput>,
) -> S3Result<S3Response<dto::GetBucketWebsiteOutput>> {
    let told = (S3ErrorCode::NoSuchWebsiteConfiguration, "the bucket is not a website");
    Err(none(edge, (&req, &req.input.bucket), s3::GetBucketWebsite, told).await?)
}

pub(super) async fn object_lock(
    edge: &Edge,
    req: S3Request<dto::GetObjectLockConfigurationInput>,
) -> S3Result<S3Response<dto::GetObjectLockConfigurationOutput>> {
    let message = "the bucket has no object lock: versions are kept by the dataset's retention";
    let told = (S3ErrorCode::ObjectLockConfigurationNotFoundError, message);
    Err(none(edge, (&req, &req.input.bucket), s3::GetBucketObjectLockConfiguration, told).await?)
}

/// Object lock is of a bucket, and none has it.
fn unlocked() -> S3Error {
    refuse(S3ErrorCode::InvalidRequest, "the bucket has no object lock: versions are kept by the dataset's retention")
}

pub(super) async fn retention(
    edge: &Edge,
    req: S3Request<dto::GetObjectRetentionInput>,
) -> S3Result<S3Response<dto::GetObjectRetentionOutput>> {
    let target = edge.target(&req, &req.input.bucket, &req.input.key, req.input.version_id.as_deref())?;
    let (object, seen) = edge.object(&target).await?;
    let permit = edge.permit(&target.op, s3::GetObjectRetention, object).await?;
    edge.there(&target, &seen, permit).await?;
    Err(unlocked())
}

pub(super) async fn legal_hold(
    edge: &Edge,
    req: S3Request<dto::GetObjectLegalHoldInput>,
) -> S3Result<S3Response<dto::GetObjectLegalHoldOutput>> {
    let target = edge.target(&req, &req.input.bucket, &req.input.key, req.input.version_id.as_deref())?;
    let (object, seen) = edge.object(&target).await?;
    let permit = edge.permit(&target.op, s3::GetObjectLegalHold, object).await?;
    edge.there(&target, &seen, permit).await?;
    Err(unlocked())
}

pub(super) async fn logging(
    edge: &Edge,
    req: S3Request<dto::GetBucketLoggingInput>,
) -> S3Result<S3Response<dto::GetBucketLoggingOutput>> {
    ok(edge.view(&req, s3::GetBucketLogging, &req.input.bucket).await?);
    Ok(S3Response::new(dto::GetBucketLoggingOutput::default()))
}

pub(super) async fn notification(
    edge: &Edge,
    req: S3Request<dto::GetBucketNotificationConfigurationInput>,
) -> S3Result<S3Response<dto::GetBucketNotificationConfigurationOutput>> {
    ok(edge.view(&req, s3::GetBucketNotification, &req.input.bucket).await?);
    Ok(S3Response::new(dto::GetBucketNotificationConfigurationOutput::default()))
}

pub(super) async fn acceleration(
    edge: &Edge,
    req: S3Request<dto::GetBucketAccelerateConfigurationInput>,
) -> S3Result<S3Response<dto::GetBucketAccelerateConfigurationOutput>> {
    ok(edge.view(&req, s3::GetAccelerateConfiguration, &req.input.bucket).await?);
    Ok(S3Response::new(dto::GetBucketAccelerateConfigurationOutput::default()))
}

pub(super) async fn request_payment(
    edge: &Edge,
    req: S3Request<dto::GetBucketRequestPaymentInput>,
) -> S3Result<S3Response<dto::GetBucketRequestPaymentOutput>> {
    ok(edge.view(&req, s3::GetBucketRequestPayment, &req.input.bucket).await?);
    let payer = Some(dto::Payer::from_static(dto::Payer::BUCKET_OWNER));
    Ok(S3Response::new(dto::GetBucketRequestPaymentOutput { payer }))
}

pub(super) async fn delete_tagging(
    edge: &Edge,
    req: S3Request<dto::DeleteBucketTaggingInput>,
) -> S3Result<S3Response<dto::DeleteBucketTaggingOutput>> {
    ok(edge.view(&req, s3::PutBucketTagging, &req.input.bucket).await?);
    Ok(S3Response::new(dto::DeleteBucketTaggingOutput::default()))
}

pub(super) async fn delete_lifecycle(
    edge: &Edge,
    req: S3Request<dto::DeleteBucketLifecycleInput>,
) -> S3Result<S3Response<dto::DeleteBucketLifecycleOutput>> {
    ok(edge.view(&req, s3::PutLifecycleConfiguration, &req.input.bucket).await?);
    Ok(S3Response::new(dto::DeleteBucketLifecycleOutput::default()))
}

pub(super) async fn delete_replication(
    edge: &Edge,
    req: S3Request<dto::DeleteBucketReplicationInput>,
) -> S3Result<S3Response<dto::DeleteBucketReplicationOutput>> {
    ok(edge.view(&req, s3::PutReplicationConfiguration, &req.input.bucket).await?);
    Ok(S3Response::new(dto::DeleteBucketReplicationOutput::default()))
}

pub(super) async fn delete_website(
    edge: &Edge,
    req: S3Request<dto::DeleteBucketWebsiteInput>,
) -> S3Result<S3Response<dto::DeleteBucketWebsiteOutput>> {
    ok(edge.view(&req, s3::DeleteBucketWebsite, &req.input.bucket).await?);
    Ok(S3Response::new(dto::DeleteBucketWebsiteOutput::default()))
}

/// Goes back to the default encryption, which is the one that there always is.
pub(super) async fn delete_encryption(
    edge: &Edge,
    req: S3Request<dto::DeleteBucketEncryptionInput>,
) -> S3Result<S3Response<dto::DeleteBucketEncryptionOutput>> {
    ok(edge.view(&req, s3::PutEncryptionConfiguration, &req.input.bucket).await?);
    Ok(S3Response::new(dto::DeleteBucketEncryptionOutput::default()))
}
