//! Reading, writing and deleting objects.

use access::{Object, Permit, s3};
use bytes::Bytes;
use futures::TryStreamExt as _;
use governance::objects::{ByteRange, Conditions, Get, Head, ObjectStream, Put, ReadsObject};
use http::HeaderMap;
use http_body::Frame;
use http_body_util::StreamBody;
use protocols::peer::Hangup;
use s3s::dto;
use s3s::{Body, S3ErrorCode, S3Request, S3Response, S3Result};

use super::convert::{self, Sums, set_sums};
use super::edge::{Edge, Target};
use super::error::{failed, refuse};

/// # Errors
/// `InvalidArgument` when a range and a part are asked for at once; malformed parts.
fn wish(headers: &HeaderMap, range: Option<dto::Range>, part: Option<i32>, conditions: Conditions) -> S3Result<Get> {
    if range.is_some() && part.is_some() {
        return Err(refuse(S3ErrorCode::InvalidRequest, "ask for a range or for a part, not for both"));
    }
    let range = range.map(|range| match range {
        dto::Range::Int { first, last: Some(last) } => ByteRange::Inclusive(first, last),
        dto::Range::Int { first, last: None } => ByteRange::From(first),
        dto::Range::Suffix { length } => ByteRange::Last(length),
    });
    let if_range = convert::if_range(headers);
    Ok(Get { range, if_range, part: part.map(convert::part).transpose()?, conditions, seen: None })
}

/// Whether the answer is to tell the checksums. A library writes another word than `ENABLED` where it wants none.
fn wants_sums(mode: Option<&dto::ChecksumMode>) -> bool {
    mode.is_some_and(|mode| mode.as_str() == dto::ChecksumMode::ENABLED)
}

pub(super) async fn get(
    edge: &Edge,
    req: S3Request<dto::GetObjectInput>,
) -> S3Result<S3Response<dto::GetObjectOutput>> {
    let input = &req.input;
    let mut target = edge.target(&req, &input.bucket, &input.key, input.version_id.as_deref())?;
    // The first range of a version is recorded before it flows; the later ones of the same minute do not wait.
    target.op.keys.ranged = input.range.is_some() || input.part_number.is_some();
    let conditions = convert::conditions(
        input.if_match.as_ref(),
        input.if_none_match.as_ref(),
        input.if_modified_since.as_ref(),
        input.if_unmodified_since.as_ref(),
    );
    let mut wish = wish(&req.headers, input.range, input.part_number, conditions)?;
    let want_sums = wants_sums(input.checksum_mode.as_ref());
    let (object, seen) = edge.object(&target).await?;
    wish.seen = Some(seen);
    let hangup = req.extensions.get::<Hangup>();
    // Reading a version is another action than reading the object.
    let stream = if target.version.is_some() {
        let permit = edge.permit(&target.op, s3::GetObjectVersion, object).await?;
        open(edge, &target, permit, wish, hangup).await?
    } else {
        let permit = edge.permit(&target.op, s3::GetObject, object).await?;
        open(edge, &target, permit, wish, hangup).await?
    };
    let ObjectStream { head, bytes } = stream;
    let head = head_output(&head, input.part_number, want_sums);
    let counter = edge.metrics.bytes_out.clone();
    let frames = bytes.map_ok(move |bytes: Bytes| {
        counter.inc_by(u64::try_from(bytes.len()).unwrap_or(0));
        Frame::data(bytes)
    });
    let body = Body::http_body_unsync(StreamBody::new(frames));
    Ok(S3Response::new(dto::GetObjectOutput {
        body: Some(dto::StreamingBlob::from(body)),
        accept_ranges: head.accept_ranges,
        cache_control: head.cache_control,
        checksum_crc32: head.checksum_crc32,
        checksum_crc32c: head.checksum_crc32c,
        checksum_crc64nvme: head.checksum_crc64nvme,
        checksum_sha1: head.checksum_sha1,
        checksum_sha256: head.checksum_sha256,
        checksum_type: head.checksum_type,
        content_disposition: head.content_disposition,
        content_encoding: head.content_encoding,
        content_language: head.content_language,
        content_length: head.content_length,
        content_range: head.content_range,
        content_type: head.content_type,
        e_tag: head.e_tag,
        expires: head.expires,
        last_modified: head.last_modified,
        metadata: head.metadata,
        parts_count: head.parts_count,
        server_side_encryption: head.server_side_encryption,
        tag_count: head.tag_count,
        version_id: head.version_id,
        ..dto::GetObjectOutput::default()
    }))
}

async fn open<A: ReadsObject>(
    edge: &Edge,
    target: &Target,
    permit: Permit<A>,
    wish: Get,
    hangup: Option<&Hangup>,
) -> S3Result<ObjectStream> {
    // A peer that does not read would keep what it was sent before the cut, and the connection.
    if let (Some(lease), Some(hangup)) = (permit.lease(), hangup.cloned()) {
        lease.at_end(move || hangup.now());
    }
    match edge.objects.open(permit, wish).await {
        Ok(stream) => Ok(stream),
        Err(error) => Err(edge.answer(&target.op, target.bucket.as_str(), target.key.as_str(), error).await),
    }
}

pub(super) async fn head(
    edge: &Edge,
    req: S3Request<dto::HeadObjectInput>,
) -> S3Result<S3Response<dto::HeadObjectOutput>> {
    let input = &req.input;
    let target = edge.target(&req, &input.bucket, &input.key, input.version_id.as_deref())?;
    let conditions = convert::conditions(
        input.if_match.as_ref(),
        input.if_none_match.as_ref(),
        input.if_modified_since.as_ref(),
        input.if_unmodified_since.as_ref(),
    );
    let mut wish = wish(&req.headers, input.range, input.part_number, conditions)?;
    let (object, seen) = edge.object(&target).await?;
    wish.seen = Some(seen);
    let head = if target.version.is_some() {
        let permit = edge.permit(&target.op, s3::GetObjectVersion, object).await?;
        edge.objects.head(permit, wish).await
    } else {
        let permit = edge.permit(&target.op, s3::GetObject, object).await?;
        edge.objects.head(permit, wish).await
    };
    let head = match head {
        Ok(head) => head,
        Err(error) => return Err(edge.answer(&target.op, target.bucket.as_str(), target.key.as_str(), error).await),
    };
    let mut out = head_output(&head, input.part_number, wants_sums(input.checksum_mode.as_ref()));
    let given = |own: &mut Option<String>, asked: &Option<String>| {
        if asked.is_some() {
            own.clone_from(asked);
        }
    };
    given(&mut out.cache_control, &input.response_cache_control);
    given(&mut out.content_disposition, &input.response_content_disposition);
    given(&mut out.content_encoding, &input.response_content_encoding);
    given(&mut out.content_language, &input.response_content_language);
    given(&mut out.content_type, &input.response_content_type);
    Ok(S3Response::new(out))
}

fn head_output(head: &Head, part: Option<i32>, sums: bool) -> dto::HeadObjectOutput {
    let Head { info, range, partial, checksum } = head;
    let system = &info.metadata.system;
    let mut out = dto::HeadObjectOutput {
        accept_ranges: Some("bytes".to_owned()),
        cache_control: system.cache_control.clone(),
        content_disposition: system.content_disposition.clone(),
        content_encoding: system.content_encoding.clone(),
        content_language: system.content_language.clone(),
        content_length: Some(convert::long(range.end.saturating_sub(range.start))),
        content_range: (*partial && range.end > range.start)
            .then(|| format!("bytes {}-{}/{}", range.start, range.end.saturating_sub(1), info.size)),
        content_type: Some(system.content_type.clone().unwrap_or_else(|| "binary/octet-stream".to_owned())),
        e_tag: Some(convert::etag(&info.etag)),
        expires: system.expires.clone(),
        last_modified: Some(convert::time(info.modified)),
        metadata: (!info.metadata.user.is_empty()).then(|| info.metadata.user.clone().into_iter().collect()),
        parts_count: part.and(info.parts).and_then(|parts| i32::try_from(parts).ok()),
        server_side_encryption: Some(convert::encryption()),
        tag_count: (!info.tags.is_empty()).then(|| convert::int(info.tags.len())),
        version_id: Some(info.version.to_string()),
        ..dto::HeadObjectOutput::default()
    };
    if sums {
        let stored = Sums::of(checksum.as_ref());
        out.checksum_type.clone_from(&stored.kind);
        set_sums!(out, stored);
    }
    out
}

pub(super) async fn put(
    edge: &Edge,
    mut req: S3Request<dto::PutObjectInput>,
) -> S3Result<S3Response<dto::PutObjectOutput>> {
    let mut target = edge.target(&req, &req.input.bucket, &req.input.key, None)?;
    let pairs = convert::tagging_header(req.input.tagging.as_deref())?;
    let checksum = convert::expected(&req.headers, req.trailing_headers.take())?;
    let (body, signed) = convert::body(&req.extensions, req.input.body.take(), edge.metrics.bytes_in.clone());
    let put = Put {
        metadata: convert::metadata(&req.headers, req.input.metadata.take())?,
        tags: convert::tags(pairs.clone())?,
        conditions: convert::conditions(req.input.if_match.as_ref(), req.input.if_none_match.as_ref(), None, None),
        length: convert::length(req.input.content_length)?,
        checksum,
        content_md5: convert::content_md5(&req.headers)?,
        signed,
        body,
    };
    let tagged = !pairs.is_empty();
    target.op.keys.request_tags = pairs;
    let object = Object::new(target.bucket.as_str(), target.key.as_str());
    let permit = edge.permit(&target.op, s3::PutObject, object.clone()).await?;
    let permit = if tagged { edge.also(permit, &target.op, s3::PutObjectTagging, object).await? } else { permit };
    let written = edge.objects.put(permit, put).await.map_err(|error| failed(&error))?;
    let stored = Sums::of(written.checksum.as_ref());
    let mut out = dto::PutObjectOutput {
        e_tag: Some(convert::etag(&written.etag)),
        server_side_encryption: Some(convert::encryption()),
        version_id: Some(written.version.to_string()),
        checksum_type: stored.kind.clone(),
        ..dto::PutObjectOutput::default()
    };
    set_sums!(out, stored);
    Ok(S3Response::new(out))
}

pub(super) async fn delete(
    edge: &Edge,
    req: S3Request<dto::DeleteObjectInput>,
) -> S3Result<S3Response<dto::DeleteObjectOutput>> {
    let input = &req.input;
    let target = edge.target(&req, &input.bucket, &input.key, input.version_id.as_deref())?;
    let conditions = convert::conditions(input.if_match.as_ref(), None, None, None);
    let (object, _) = edge.object(&target).await?;
    if target.version.is_some() {
        if conditions != Conditions::default() {
            return Err(refuse(S3ErrorCode::NotImplemented, "a version cannot be deleted under a condition"));
        }
        let permit = edge.permit(&target.op, s3::DeleteObjectVersion, object).await?;
        let removed = edge.objects.delete_version(permit).await;
        let removed = match removed {
            Ok(removed) => removed,
            Err(error) => {
                return Err(edge.answer(&target.op, target.bucket.as_str(), target.key.as_str(), error).await);
            }
        };
        return Ok(S3Response::new(dto::DeleteObjectOutput {
            delete_marker: removed.was_marker.then_some(true),
            version_id: Some(removed.version.to_string()),
            ..dto::DeleteObjectOutput::default()
        }));
    }
    let permit = edge.permit(&target.op, s3::DeleteObject, object).await?;
    let marked = edge.objects.delete(permit, conditions).await.map_err(|error| failed(&error))?;
    Ok(S3Response::new(dto::DeleteObjectOutput {
        delete_marker: Some(true),
        version_id: Some(marked.marker.to_string()),
        ..dto::DeleteObjectOutput::default()
    }))
}

/// Most keys of one request (S3: 1,000).
const DELETE_MAX: usize = 1000;

pub(super) async fn delete_many(
    edge: &Edge,
    req: S3Request<dto::DeleteObjectsInput>,
) -> S3Result<S3Response<dto::DeleteObjectsOutput>> {
    let op = super::auth::caller(&req.extensions)?;
    edge.expect_owner(&req, "x-amz-expected-bucket-owner", &access::Bucket::new(req.input.bucket.as_str()).into())?;
    let bucket = convert::bucket(&req.input.bucket)?;
    let items = &req.input.delete.objects;
    if items.is_empty() || items.len() > DELETE_MAX {
        return Err(refuse(S3ErrorCode::MalformedXML, format!("1 to {DELETE_MAX} keys can be deleted at once")));
    }
    let beyond = |item: &dto::ObjectIdentifier| {
        item.last_modified_time.is_some() || item.size.is_some() || (item.e_tag.is_some() && item.version_id.is_some())
    };
    if items.iter().any(beyond) {
        let message = "the one condition on a key is its `ETag`, and a version is deleted under none";
        return Err(refuse(S3ErrorCode::NotImplemented, message));
    }
    let mut results: Vec<Option<Result<dto::DeletedObject, dto::Error>>> = items.iter().map(|_| None).collect();
    let (mut plain, mut versions) = (Vec::new(), Vec::new());
    for (at, item) in items.iter().enumerate() {
        let named = convert::key(&item.key).and_then(|key| Ok((key, convert::version(item.version_id.as_deref())?)));
        match (named, results.get_mut(at)) {
            (Ok((key, version)), _) => {
                let object =
                    Object::new(bucket.as_str(), key.as_str()).at_version(version.map(|version| version.to_string()));
                if version.is_some() { versions.push((at, object)) } else { plain.push((at, object)) }
            }
            (Err(error), Some(slot)) => *slot = Some(Err(item_error(item, &error))),
            (Err(_), None) => {}
        }
    }
    // One batch of the ledger for each kind; then each permit is spent on its own key.
    let places: Vec<usize> = plain.iter().map(|(at, _)| *at).collect();
    let permits = edge.may_all(&op, s3::DeleteObject, plain.into_iter().map(|(_, object)| object).collect()).await;
    for (at, permit) in places.into_iter().zip(permits) {
        let (Some(item), Some(slot)) = (items.get(at), results.get_mut(at)) else { continue };
        let done = match permit {
            Err(refusal) => Err(edge.refused_bucket(bucket.as_str(), &refusal)),
            Ok(permit) => {
                let tag = item.e_tag.clone().map(dto::ETagCondition::ETag);
                let conditions = convert::conditions(tag.as_ref(), None, None, None);
                edge.objects.delete(permit, conditions).await.map_err(|error| failed(&error))
            }
        };
        *slot = Some(match done {
            Ok(marked) => Ok(dto::DeletedObject {
                key: Some(item.key.clone()),
                delete_marker: Some(true),
                delete_marker_version_id: Some(marked.marker.to_string()),
                version_id: None,
            }),
            Err(error) => Err(item_error(item, &error)),
        });
    }
    let places: Vec<usize> = versions.iter().map(|(at, _)| *at).collect();
    let permits =
        edge.may_all(&op, s3::DeleteObjectVersion, versions.into_iter().map(|(_, object)| object).collect()).await;
    for (at, permit) in places.into_iter().zip(permits) {
        let (Some(item), Some(slot)) = (items.get(at), results.get_mut(at)) else { continue };
        let done = match permit {
            Err(refusal) => Err(edge.refused_bucket(bucket.as_str(), &refusal)),
            Ok(permit) => match edge.objects.delete_version(permit).await {
                Ok(removed) => Ok(removed),
                Err(error) => Err(edge.answer(&op, bucket.as_str(), &item.key, error).await),
            },
        };
        *slot = Some(match done {
            Ok(removed) => Ok(dto::DeletedObject {
                key: Some(item.key.clone()),
                version_id: item.version_id.clone(),
                delete_marker: removed.was_marker.then_some(true),
                delete_marker_version_id: removed.was_marker.then(|| removed.version.to_string()),
            }),
            Err(error) => Err(item_error(item, &error)),
        });
    }
    let quiet = req.input.delete.quiet.unwrap_or(false);
    let (mut deleted, mut errors) = (Vec::new(), Vec::new());
    for result in results.into_iter().flatten() {
        match result {
            Ok(one) => deleted.push(one),
            Err(one) => errors.push(one),
        }
    }
    let nowhere = |one: &dto::Error| one.code.as_deref() == Some(S3ErrorCode::NoSuchBucket.as_str());
    if deleted.is_empty() && errors.iter().all(nowhere) {
        return Err(failed(&governance::Error::NoSuchBucket));
    }
    Ok(S3Response::new(dto::DeleteObjectsOutput {
        deleted: (!quiet).then_some(deleted),
        errors: (!errors.is_empty()).then_some(errors),
        request_charged: None,
    }))
}

fn item_error(item: &dto::ObjectIdentifier, error: &s3s::S3Error) -> dto::Error {
    dto::Error {
        code: Some(error.code().as_str().to_owned()),
        key: Some(item.key.clone()),
        message: error.message().map(str::to_owned),
        version_id: item.version_id.clone(),
    }
}
