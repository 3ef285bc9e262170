//! Uploads in parts. Each step is authorised again: an upload outlives the session that began it.

use access::{Bucket, Object, s3};
use governance::Error;
use governance::objects::{Begin, Complete, CompletedPart, ETag, Kind, ListUploads, PAGE_MAX, PutPart};
use s3s::dto;
use s3s::{S3ErrorCode, S3Request, S3Response, S3Result};

use super::convert::{self, Sums, given_checksum, set_sums};
use super::edge::{Edge, Target};
use super::error::{failed, refuse};
use super::list::{Wish, owner};

fn resource(target: &Target) -> Object {
    Object::new(target.bucket.as_str(), target.key.as_str())
}

/// # Errors
/// `InvalidRequest` for a type that there is not.
fn kind(given: Option<&dto::ChecksumType>) -> S3Result<Option<Kind>> {
    match given.map(dto::ChecksumType::as_str) {
        None => Ok(None),
        Some("FULL_OBJECT") => Ok(Some(Kind::FullObject)),
        Some("COMPOSITE") => Ok(Some(Kind::Composite)),
        Some(_) => Err(refuse(S3ErrorCode::InvalidRequest, "a checksum is of the type FULL_OBJECT or COMPOSITE")),
    }
}

pub(super) async fn begin(
    edge: &Edge,
    mut req: S3Request<dto::CreateMultipartUploadInput>,
) -> S3Result<S3Response<dto::CreateMultipartUploadOutput>> {
    let mut target = edge.target(&req, &req.input.bucket, &req.input.key, None)?;
    let pairs = convert::tagging_header(req.input.tagging.as_deref())?;
    let kind = kind(req.input.checksum_type.as_ref())?;
    let algorithm = convert::named_algorithm(&req.headers)?;
    if kind.is_some() && algorithm.is_none() {
        return Err(refuse(S3ErrorCode::InvalidRequest, "a checksum type needs a checksum algorithm"));
    }
    let begin = Begin {
        metadata: convert::metadata(&req.headers, req.input.metadata.take())?,
        tags: convert::tags(pairs.clone())?,
        algorithm,
        kind,
    };
    let tagged = !pairs.is_empty();
    target.op.keys.request_tags = pairs;
    let permit = edge.permit(&target.op, s3::PutObject, resource(&target)).await?;
    let permit =
        if tagged { edge.also(permit, &target.op, s3::PutObjectTagging, resource(&target)).await? } else { permit };
    let begun = edge.objects.begin(permit, begin).await.map_err(|error| failed(&error))?;
    Ok(S3Response::new(dto::CreateMultipartUploadOutput {
        bucket: Some(req.input.bucket),
        key: Some(req.input.key),
        upload_id: Some(begun.upload.to_string()),
        checksum_algorithm: begun.algorithm.map(convert::algorithm),
        checksum_type: begun.kind.map(convert::checksum_kind),
        server_side_encryption: Some(convert::encryption()),
        ..dto::CreateMultipartUploadOutput::default()
    }))
}

pub(super) async fn part(
    edge: &Edge,
    mut req: S3Request<dto::UploadPartInput>,
) -> S3Result<S3Response<dto::UploadPartOutput>> {
    let target = edge.target(&req, &req.input.bucket, &req.input.key, None)?;
    let checksum = convert::expected(&req.headers, req.trailing_headers.take())?;
    let (body, signed) = convert::body(&req.extensions, req.input.body.take(), edge.metrics.bytes_in.clone());
    let put = PutPart {
        upload: convert::upload(&req.input.upload_id)?,
        part: convert::part(req.input.part_number)?,
        length: convert::length(req.input.content_length)?,
        checksum,
        content_md5: convert::content_md5(&req.headers)?,
        signed,
        body,
    };
    let permit = edge.permit(&target.op, s3::PutObject, resource(&target)).await?;
    let done = match edge.objects.put_part(permit, put).await {
        Ok(done) => done,
        Err(error) => return Err(failed(&error)),
    };
    let mut out = dto::UploadPartOutput {
        e_tag: done.etag.as_ref().map(convert::etag),
        server_side_encryption: Some(convert::encryption()),
        ..dto::UploadPartOutput::default()
    };
    set_sums!(out, Sums::plain(done.checksum.as_ref()));
    Ok(S3Response::new(out))
}

pub(super) async fn complete(
    edge: &Edge,
    req: S3Request<dto::CompleteMultipartUploadInput>,
) -> S3Result<S3Response<dto::CompleteMultipartUploadOutput>> {
    let target = edge.target(&req, &req.input.bucket, &req.input.key, None)?;
    let input = &req.input;
    let mut parts = Vec::new();
    for part in input.multipart_upload.iter().flat_map(|upload| upload.parts.iter().flatten()) {
        let (Some(number), Some(tag)) = (part.part_number, part.e_tag.as_ref()) else {
            return Err(refuse(S3ErrorCode::MalformedXML, "each part needs its number and its ETag"));
        };
        parts.push(CompletedPart {
            part: convert::part(number)?,
            etag: ETag::from_header(tag.value()),
            checksum: given_checksum!(part)?,
        });
    }
    let complete = Complete {
        upload: convert::upload(&input.upload_id)?,
        parts,
        conditions: convert::conditions(input.if_match.as_ref(), input.if_none_match.as_ref(), None, None),
        checksum: convert::checksum_header(&req.headers)?,
        kind: kind(input.checksum_type.as_ref())?,
        size: convert::length(input.mpu_object_size)?,
    };
    let permit = edge.permit(&target.op, s3::PutObject, resource(&target)).await?;
    let written = edge.objects.complete(permit, complete).await.map_err(|error| match error {
        // Not the length of a body: the parts, which all arrived, are another object than the caller means.
        Error::WrongLength { .. } => refuse(S3ErrorCode::InvalidRequest, error.to_string()),
        other => failed(&other),
    })?;
    let sums = Sums::of(written.checksum.as_ref());
    let mut out = dto::CompleteMultipartUploadOutput {
        location: Some(format!("/{}/{}", input.bucket, input.key)),
        bucket: Some(input.bucket.clone()),
        key: Some(input.key.clone()),
        e_tag: Some(convert::etag(&written.etag)),
        version_id: Some(written.version.to_string()),
        server_side_encryption: Some(convert::encryption()),
        checksum_type: sums.kind.clone(),
        ..dto::CompleteMultipartUploadOutput::default()
    };
    set_sums!(out, sums);
    Ok(S3Response::new(out))
}

pub(super) async fn abort(
    edge: &Edge,
    req: S3Request<dto::AbortMultipartUploadInput>,
) -> S3Result<S3Response<dto::AbortMultipartUploadOutput>> {
    let target = edge.target(&req, &req.input.bucket, &req.input.key, None)?;
    if req.input.if_match_initiated_time.is_some() {
        return Err(refuse(S3ErrorCode::NotImplemented, "an upload cannot be aborted under a condition"));
    }
    let upload = convert::upload(&req.input.upload_id)?;
    let permit = edge.permit(&target.op, s3::AbortMultipartUpload, resource(&target)).await?;
    edge.objects.abort(permit, upload).await.map_err(|error| failed(&error))?;
    Ok(S3Response::new(dto::AbortMultipartUploadOutput::default()))
}

pub(super) async fn parts(
    edge: &Edge,
    req: S3Request<dto::ListPartsInput>,
) -> S3Result<S3Response<dto::ListPartsOutput>> {
    let target = edge.target(&req, &req.input.bucket, &req.input.key, None)?;
    let input = &req.input;
    let upload = convert::upload(&input.upload_id)?;
    let limit = convert::page("max-parts", input.max_parts, PAGE_MAX)?;
    let after = input.part_number_marker.and_then(|marker| u32::try_from(marker).ok()).unwrap_or(0);
    let permit = edge.permit(&target.op, s3::ListMultipartUploadParts, resource(&target)).await?;
    let page = edge.objects.parts(permit, upload, after, limit).await.map_err(|error| failed(&error))?;
    let parts = page
        .parts
        .iter()
        .map(|part| {
            let mut out = dto::Part {
                e_tag: part.etag.as_ref().map(convert::etag),
                last_modified: part.modified.map(convert::time),
                part_number: i32::try_from(part.part).ok(),
                size: Some(convert::long(part.size)),
                ..dto::Part::default()
            };
            set_sums!(out, Sums::plain(part.checksum.as_ref()));
            out
        })
        .collect();
    Ok(S3Response::new(dto::ListPartsOutput {
        bucket: Some(input.bucket.clone()),
        key: Some(input.key.clone()),
        upload_id: Some(input.upload_id.clone()),
        part_number_marker: input.part_number_marker,
        next_part_number_marker: page.next.and_then(|next| i32::try_from(next).ok()),
        max_parts: Some(convert::int(limit)),
        is_truncated: Some(page.next.is_some()),
        parts: Some(parts),
        owner: Some(owner(edge)),
        initiator: Some(initiator(edge)),
        storage_class: Some(dto::StorageClass::from_static(dto::StorageClass::STANDARD)),
        checksum_algorithm: page.algorithm.map(convert::algorithm),
        checksum_type: page.kind.map(convert::checksum_kind),
        ..dto::ListPartsOutput::default()
    }))
}

/// Who began an upload: the account, as with owners. The ledger knows the person.
fn initiator(edge: &Edge) -> dto::Initiator {
    let dto::Owner { display_name, id } = owner(edge);
    dto::Initiator { display_name, id }
}

pub(super) async fn uploads(
    edge: &Edge,
    req: S3Request<dto::ListMultipartUploadsInput>,
) -> S3Result<S3Response<dto::ListMultipartUploadsOutput>> {
    let input = &req.input;
    let names = (input.prefix.as_ref(), input.delimiter.as_ref());
    let limit = ("max-uploads", input.max_uploads);
    let wish = Wish::new(edge, &req, &input.bucket, names, limit, input.encoding_type.as_ref())?;
    wish.names.can_write(&[input.key_marker.as_ref()])?;
    let at = input.upload_id_marker.as_deref().filter(|marker| !marker.is_empty()).map(convert::upload).transpose()?;
    let after = input.key_marker.clone().filter(|key| !key.is_empty()).map(|key| (key, at));
    let asked = edge.may(&wish.op, s3::ListBucketMultipartUploads, Bucket::new(wish.bucket.as_str())).await;
    let permit = asked.map_err(|refusal| edge.refused_bucket(&wish.bucket, &refusal))?;
    let list = ListUploads { prefix: wish.prefix.clone(), delimiter: wish.delimiter.clone(), after, limit: wish.limit };
    let seen = permit.visible().clone();
    let page = edge.objects.list_uploads(permit, &seen, list).await.map_err(|error| failed(&error))?;
    let uploads: Vec<_> = page
        .uploads
        .into_iter()
        .map(|upload| dto::MultipartUpload {
            checksum_algorithm: upload.algorithm.map(convert::algorithm),
            checksum_type: upload.kind.map(convert::checksum_kind),
            initiated: Some(convert::time(upload.initiated)),
            key: Some(wish.names.write(upload.key.as_str())),
            owner: Some(owner(edge)),
            initiator: Some(initiator(edge)),
            storage_class: Some(dto::StorageClass::from_static(dto::StorageClass::STANDARD)),
            upload_id: Some(upload.upload.to_string()),
        })
        .collect();
    let (next_key, next_upload) = page.next.map_or((None, None), |(key, upload)| (Some(key), upload));
    Ok(S3Response::new(dto::ListMultipartUploadsOutput {
        bucket: Some(wish.bucket.clone()),
        prefix: Some(wish.names.write(&wish.prefix)),
        delimiter: wish.delimiter.as_deref().map(|delimiter| wish.names.write(delimiter)),
        max_uploads: Some(convert::int(wish.limit)),
        is_truncated: Some(next_key.is_some()),
        key_marker: Some(wish.names.write(input.key_marker.as_deref().unwrap_or_default())),
        upload_id_marker: input.upload_id_marker.clone(),
        next_key_marker: next_key.as_deref().map(|key| wish.names.write(key)),
        next_upload_id_marker: next_upload.map(|upload| upload.to_string()),
        common_prefixes: wish.names.prefixes(page.prefixes),
        encoding_type: wish.names.encoding(),
        uploads: (!uploads.is_empty()).then_some(uploads),
        request_charged: None,
    }))
}
