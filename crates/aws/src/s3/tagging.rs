//! Tags and attributes of objects. Tags of a version are another action than tags of the object.

use access::s3;
use governance::Error;
use governance::objects::{PAGE_MAX, Tags, VersionId};
use s3s::dto;
use s3s::{S3Request, S3Response, S3Result};

use super::convert::{self, Sums, set_sums};
use super::edge::{Edge, Target};
use super::error::argument;

/// # Errors
/// The failure as an answer; absence only to who may list.
async fn told<T>(edge: &Edge, target: &Target, done: Result<T, Error>) -> S3Result<T> {
    match done {
        Ok(value) => Ok(value),
        Err(error) => Err(edge.answer(&target.op, target.bucket.as_str(), target.key.as_str(), error).await),
    }
}

pub(super) async fn get(
    edge: &Edge,
    req: S3Request<dto::GetObjectTaggingInput>,
) -> S3Result<S3Response<dto::GetObjectTaggingOutput>> {
    let target = edge.target(&req, &req.input.bucket, &req.input.key, req.input.version_id.as_deref())?;
    let (object, _) = edge.object(&target).await?;
    let done: Result<(VersionId, Tags), Error> = if target.version.is_some() {
        edge.objects.tags(edge.permit(&target.op, s3::GetObjectVersionTagging, object).await?).await
    } else {
        edge.objects.tags(edge.permit(&target.op, s3::GetObjectTagging, object).await?).await
    };
    let (version, tags) = told(edge, &target, done).await?;
    Ok(S3Response::new(dto::GetObjectTaggingOutput {
        tag_set: convert::tag_set(&tags),
        version_id: Some(version.to_string()),
    }))
}

pub(super) async fn put(
    edge: &Edge,
    mut req: S3Request<dto::PutObjectTaggingInput>,
) -> S3Result<S3Response<dto::PutObjectTaggingOutput>> {
    let mut target = edge.target(&req, &req.input.bucket, &req.input.key, req.input.version_id.as_deref())?;
    let pairs = convert::tag_pairs(std::mem::take(&mut req.input.tagging.tag_set));
    let tags = convert::tags(pairs.clone())?;
    target.op.keys.request_tags = pairs;
    let (object, _) = edge.object(&target).await?;
    let done = if target.version.is_some() {
        edge.objects.put_tags(edge.permit(&target.op, s3::PutObjectVersionTagging, object).await?, tags).await
    } else {
        edge.objects.put_tags(edge.permit(&target.op, s3::PutObjectTagging, object).await?, tags).await
    };
    let version = told(edge, &target, done).await?;
    Ok(S3Response::new(dto::PutObjectTaggingOutput { version_id: Some(version.to_string()) }))
}

pub(super) async fn delete(
    edge: &Edge,
    req: S3Request<dto::DeleteObjectTaggingInput>,
) -> S3Result<S3Response<dto::DeleteObjectTaggingOutput>> {
    let target = edge.target(&req, &req.input.bucket, &req.input.key, req.input.version_id.as_deref())?;
    let (object, _) = edge.object(&target).await?;
    let done = if target.version.is_some() {
        edge.objects.remove_tags(edge.permit(&target.op, s3::DeleteObjectVersionTagging, object).await?).await
    } else {
        edge.objects.remove_tags(edge.permit(&target.op, s3::DeleteObjectTagging, object).await?).await
    };
    let version = told(edge, &target, done).await?;
    Ok(S3Response::new(dto::DeleteObjectTaggingOutput { version_id: Some(version.to_string()) }))
}

pub(super) async fn attributes(
    edge: &Edge,
    req: S3Request<dto::GetObjectAttributesInput>,
) -> S3Result<S3Response<dto::GetObjectAttributesOutput>> {
    let target = edge.target(&req, &req.input.bucket, &req.input.key, req.input.version_id.as_deref())?;
    let input = &req.input;
    let known = ["ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize"];
    // Clients send one header with commas, or several headers.
    let asked: Vec<&str> =
        input.object_attributes.iter().flat_map(|names| names.as_str().split(',')).map(str::trim).collect();
    if asked.is_empty() || !asked.iter().all(|name| known.contains(name)) {
        let message = format!("`x-amz-object-attributes` must name some of {}", known.join(", "));
        return Err(argument("x-amz-object-attributes", &asked.join(","), message));
    }
    let wants = |name: &str| asked.contains(&name);
    let limit = convert::page("x-amz-max-parts", input.max_parts, PAGE_MAX)?;
    let after = input.part_number_marker.and_then(|marker| u32::try_from(marker).ok()).unwrap_or(0);
    let (object, _) = edge.object(&target).await?;
    let done = if target.version.is_some() {
        let permit = edge.permit(&target.op, s3::GetObjectVersionAttributes, object).await?;
        edge.objects.attributes(permit, after, limit).await
    } else {
        let permit = edge.permit(&target.op, s3::GetObjectAttributes, object).await?;
        edge.objects.attributes(permit, after, limit).await
    };
    let (info, page) = told(edge, &target, done).await?;
    let checksum = info.checksum.as_ref().filter(|_| wants("Checksum")).map(|stored| {
        let sums = Sums::of(Some(stored));
        let mut out = dto::Checksum { checksum_type: sums.kind.clone(), ..dto::Checksum::default() };
        set_sums!(out, sums);
        out
    });
    let parts = info.parts.filter(|_| wants("ObjectParts")).map(|total| {
        let list = page.parts.iter().map(|part| {
            let mut out = dto::ObjectPart {
                part_number: i32::try_from(part.part).ok(),
                size: Some(convert::long(part.size)),
                ..dto::ObjectPart::default()
            };
            set_sums!(out, Sums::plain(part.checksum.as_ref()));
            out
        });
        dto::GetObjectAttributesParts {
            is_truncated: Some(page.next.is_some()),
            max_parts: Some(convert::int(limit)),
            next_part_number_marker: page.next.and_then(|next| i32::try_from(next).ok()),
            part_number_marker: input.part_number_marker,
            parts: Some(list.collect()),
            total_parts_count: i32::try_from(total).ok(),
        }
    });
    Ok(S3Response::new(dto::GetObjectAttributesOutput {
        checksum,
        e_tag: wants("ETag").then(|| convert::etag(&info.etag)),
        last_modified: Some(convert::time(info.modified)),
        object_parts: parts,
        object_size: wants("ObjectSize").then(|| convert::long(info.size)),
        storage_class: wants("StorageClass").then(|| dto::StorageClass::from_static(dto::StorageClass::STANDARD)),
        version_id: Some(info.version.to_string()),
        ..dto::GetObjectAttributesOutput::default()
    }))
}
