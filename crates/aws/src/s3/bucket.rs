//! Buckets: listed, looked at, made as workspaces and ended.

use access::{AnyBucket, s3};
use s3s::dto;
use s3s::{S3ErrorCode, S3Request, S3Response, S3Result};

use super::auth::{caller, no};
use super::convert;
use super::edge::{Edge, ok};
use super::error::{failed, refuse};

/// Most buckets on a page (S3: 10,000).
const BUCKETS_MAX: usize = 10_000;

pub(super) async fn list(
    edge: &Edge,
    req: S3Request<dto::ListBucketsInput>,
) -> S3Result<S3Response<dto::ListBucketsOutput>> {
    let op = caller(&req.extensions)?;
    let limit = convert::page("max-buckets", req.input.max_buckets, BUCKETS_MAX)?;
    let after = req.input.continuation_token.as_deref().map(convert::open_marker).transpose()?;
    let permit = edge.may(&op, s3::ListAllMyBuckets, AnyBucket).await.map_err(no)?;
    let prefix = req.input.prefix.clone().unwrap_or_default();
    let elsewhere = req.input.bucket_region.as_ref().is_some_and(|region| region.as_str() != edge.region.as_str());
    let mut names: Vec<String> = if elsewhere { Vec::new() } else { edge.access.visible_buckets(&op) };
    names.retain(|name| name.starts_with(&prefix) && after.as_ref().is_none_or(|after| name > after));
    let more = names.len() > limit;
    names.truncate(limit);
    let next = if more { names.last().map(|name| convert::seal_marker(name)) } else { None };
    let mut buckets = Vec::with_capacity(names.len());
    for name in names {
        let created = edge.buckets.created(&name);
        buckets.push(dto::Bucket {
            bucket_region: Some(edge.region.to_string()),
            creation_date: created.map(convert::time),
            name: Some(name),
            ..dto::Bucket::default()
        });
    }
    ok(permit);
    Ok(S3Response::new(dto::ListBucketsOutput {
        buckets: Some(buckets),
        owner: Some(super::list::owner(edge)),
        continuation_token: next,
        prefix: req.input.prefix,
    }))
}

pub(super) async fn head(
    edge: &Edge,
    req: S3Request<dto::HeadBucketInput>,
) -> S3Result<S3Response<dto::HeadBucketOutput>> {
    ok(edge.view(&req, s3::ListBucket, &req.input.bucket).await?);
    Ok(S3Response::new(dto::HeadBucketOutput {
        bucket_region: Some(edge.region.to_string()),
        ..dto::HeadBucketOutput::default()
    }))
}

/// # Errors
/// `InvalidLocationConstraint` for what is no region; `IllegalLocationConstraintException` for another one than this.
fn located(edge: &Edge, place: &str) -> S3Result<()> {
    // S3 calls its first region of Europe by an older name too.
    let place = if place == "EU" { "eu-west-1" } else { place };
    if place == edge.region.as_str() {
        return Ok(());
    }
    let shown: String = place.chars().take(64).collect();
    let region = place.parse::<base::Region>().is_ok_and(|_| place.split('-').count() >= 3);
    let code =
        if region { S3ErrorCode::IllegalLocationConstraintException } else { S3ErrorCode::InvalidLocationConstraint };
    let message = format!(
        "a bucket cannot be made in `{shown}`: this installation's region is `{}`; use it or leave the constraint out",
        edge.region
    );
    Err(refuse(code, message))
}

/// What S3's rules of naming keep for S3 itself: beginnings of names, and ends.
const RESERVED_BEGINNINGS: &[&str] = &["xn--", "sthree-", "amzn-s3-demo-"];
const RESERVED_ENDS: &[&str] = &["-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3"];

/// # Errors
/// `InvalidBucketName` for a name that no tool could mean as a bucket's.
fn unreserved(name: &str) -> S3Result<()> {
    let begins = RESERVED_BEGINNINGS.iter().find(|word| name.starts_with(**word)).map(|word| ("begin", word));
    let ends = RESERVED_ENDS.iter().find(|word| name.ends_with(**word)).map(|word| ("end", word));
    let Some((how, word)) = begins.or(ends) else { return Ok(()) };
    Err(refuse(
        S3ErrorCode::InvalidBucketName,
        format!("a new bucket's name must not {how} with `{word}`: S3 keeps it"),
    ))
}

pub(super) async fn create(
    edge: &Edge,
    req: S3Request<dto::CreateBucketInput>,
) -> S3Result<S3Response<dto::CreateBucketOutput>> {
    unreserved(&req.input.bucket)?;
    if let Some(wish) = &req.input.create_bucket_configuration {
        if let Some(place) = &wish.location_constraint {
            located(edge, place.as_str())?;
        }
        if wish.bucket.is_some() || wish.location.is_some() || wish.tags.as_ref().is_some_and(|tags| !tags.is_empty()) {
            return Err(refuse(
                S3ErrorCode::NotImplemented,
                "only a location constraint is read when a bucket is made",
            ));
        }
    }
    let permit = edge.view(&req, s3::CreateBucket, &req.input.bucket).await?;
    let op = caller(&req.extensions)?;
    edge.buckets.create(&op, permit).await.map_err(|error| failed(&error))?;
    Ok(S3Response::new(dto::CreateBucketOutput {
        location: Some(format!("/{}", req.input.bucket)),
        ..dto::CreateBucketOutput::default()
    }))
}

pub(super) async fn delete(
    edge: &Edge,
    req: S3Request<dto::DeleteBucketInput>,
) -> S3Result<S3Response<dto::DeleteBucketOutput>> {
    let permit = edge.view(&req, s3::DeleteBucket, &req.input.bucket).await?;
    edge.buckets.delete(permit).await.map_err(|error| failed(&error))?;
    Ok(S3Response::new(dto::DeleteBucketOutput::default()))
}
