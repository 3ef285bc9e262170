//! Copies: two permits, one to read the source (its version, when one is named) and one to write the destination.

use access::{Object, Permit, s3};
use base::UploadId;
use governance::Error;
use governance::objects::{ByteRange, Conditions, Copied, Copy, CopyPart, Directive, PartInfo, ReadsObject, VersionId};
use http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_ENCODING, CONTENT_LANGUAGE, EXPIRES};
use http::{HeaderMap, HeaderName};
use s3s::dto;
use s3s::{S3Error, S3ErrorCode, S3Request, S3Response, S3Result};

use super::convert::{self, Sums, set_sums};
use super::edge::{Edge, Target};
use super::error::{argument, refuse};

/// The object that `x-amz-copy-source` names, as a target of its own.
fn source<T>(edge: &Edge, req: &S3Request<T>, from: &dto::CopySource) -> S3Result<Target> {
    let dto::CopySource::Bucket { bucket, key, version_id } = from else {
        return Err(refuse(
            S3ErrorCode::NotImplemented,
            "the source of a copy must be BUCKET/KEY: access points are not offered",
        ));
    };
    let resource = access::Object::new(&**bucket, &**key).into();
    edge.expect_owner(req, "x-amz-source-expected-bucket-owner", &resource)?;
    edge.target(req, bucket, key, version_id.as_deref())
}

/// Whether the copy replaces what its source has: `REPLACE`. `COPY` says that what comes with the request is left aside; without a
/// directive nothing may come, since it would be left aside in silence.
fn replaces(name: &'static str, directive: Option<&str>, given: Option<&str>) -> S3Result<bool> {
    match (directive, given) {
        (Some("REPLACE"), _) => Ok(true),
        (Some("COPY"), _) | (None, None) => Ok(false),
        (None, Some(header)) => {
            let message =
                format!("`{header}` would be ignored: set `{name}` to `REPLACE`, or to `COPY` to keep the source's");
            Err(refuse(S3ErrorCode::InvalidArgument, message))
        }
        (Some(other), _) => Err(argument(name, other, "a directive is COPY or REPLACE")),
    }
}

/// A header of a request that says something about the object which a copy takes from its source. `Content-Type` is none: libraries
/// add it by themselves.
fn about_the_object(headers: &HeaderMap) -> Option<&str> {
    let system = [CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_ENCODING, CONTENT_LANGUAGE, EXPIRES];
    let says = |name: &&HeaderName| name.as_str().starts_with("x-amz-meta-") || system.contains(name);
    headers.keys().find(says).map(HeaderName::as_str)
}

pub(super) async fn object(
    edge: &Edge,
    mut req: S3Request<dto::CopyObjectInput>,
) -> S3Result<S3Response<dto::CopyObjectOutput>> {
    let mut to = edge.target(&req, &req.input.bucket, &req.input.key, None)?;
    let from = source(edge, &req, &req.input.copy_source)?;
    let pairs = convert::tagging_header(req.input.tagging.as_deref())?;
    let tags_given = (!pairs.is_empty()).then_some("x-amz-tagging");
    let directive = req.input.tagging_directive.as_ref().map(|d| d.as_str());
    let new_tags = replaces("x-amz-tagging-directive", directive, tags_given)?;
    let directive = req.input.metadata_directive.as_ref().map(|d| d.as_str());
    let new_metadata = replaces("x-amz-metadata-directive", directive, about_the_object(&req.headers))?;
    let input = &mut req.input;
    let copy = Copy {
        metadata: if new_metadata {
            Directive::Replace(convert::metadata(&req.headers, input.metadata.take())?)
        } else {
            Directive::Copy
        },
        tags: if new_tags { Directive::Replace(convert::tags(pairs.clone())?) } else { Directive::Copy },
        source: convert::conditions(
            input.copy_source_if_match.as_ref(),
            input.copy_source_if_none_match.as_ref(),
            input.copy_source_if_modified_since.as_ref(),
            input.copy_source_if_unmodified_since.as_ref(),
        ),
        destination: convert::conditions(input.if_match.as_ref(), input.if_none_match.as_ref(), None, None),
        checksum: convert::named_algorithm(&req.headers)?,
        stored_anew: input.storage_class.is_some() || input.server_side_encryption.is_some(),
    };
    let pairs = if new_tags { pairs } else { Vec::new() };
    to.op.keys.request_tags.clone_from(&pairs);
    let (read, _) = edge.object(&from).await?;
    let source_tags = read.tags.clone();
    // Tags that travel along are read from the source and written to the destination: both need their own right.
    let reads_tags = !new_tags && !source_tags.is_empty();
    let carried = if new_tags { pairs } else { source_tags };
    let done = if from.version.is_some() {
        let mut permit = edge.permit(&from.op, s3::GetObjectVersion, read.clone()).await?;
        if reads_tags {
            permit = edge.also(permit, &from.op, s3::GetObjectVersionTagging, read).await?;
        }
        write(edge, permit, &to, copy, !carried.is_empty()).await?
    } else {
        let mut permit = edge.permit(&from.op, s3::GetObject, read.clone()).await?;
        if reads_tags {
            permit = edge.also(permit, &from.op, s3::GetObjectTagging, read).await?;
        }
        write(edge, permit, &to, copy, !carried.is_empty()).await?
    };
    let copied = match done {
        Ok(copied) => copied,
        Err(error) => return Err(unread(edge, &from, error).await),
    };
    let sums = Sums::of(copied.written.checksum.as_ref());
    let mut result = dto::CopyObjectResult {
        e_tag: Some(convert::etag(&copied.written.etag)),
        last_modified: Some(convert::time(copied.written.modified)),
        checksum_type: sums.kind.clone(),
        ..dto::CopyObjectResult::default()
    };
    set_sums!(result, sums);
    Ok(S3Response::new(dto::CopyObjectOutput {
        copy_object_result: Some(result),
        copy_source_version_id: Some(copied.source.to_string()),
        server_side_encryption: Some(convert::encryption()),
        version_id: Some(copied.written.version.to_string()),
        ..dto::CopyObjectOutput::default()
    }))
}

/// Why the source was not copied. That it is a delete marker is no question of the method, as it is in a read.
async fn unread(edge: &Edge, from: &Target, error: Error) -> S3Error {
    match error {
        Error::IsDeleteMarker { .. } => refuse(
            S3ErrorCode::InvalidRequest,
            "the source of a copy is a delete marker: name a version that has content",
        ),
        error => edge.answer(&from.op, from.bucket.as_str(), from.key.as_str(), error).await,
    }
}

async fn write<A: ReadsObject>(
    edge: &Edge,
    read: Permit<A>,
    to: &Target,
    copy: Copy,
    tagged: bool,
) -> S3Result<Result<Copied, Error>> {
    let object = Object::new(to.bucket.as_str(), to.key.as_str());
    let written = edge.permit(&to.op, s3::PutObject, object.clone()).await;
    let written = match (written, tagged) {
        (Ok(permit), true) => edge.also(permit, &to.op, s3::PutObjectTagging, object).await,
        (written, _) => written,
    };
    match written {
        Ok(written) => Ok(edge.objects.copy(read, written, copy).await),
        Err(error) => {
            read.finish(access::Outcome { status: 403, bytes: 0 });
            Err(error)
        }
    }
}

pub(super) async fn part(
    edge: &Edge,
    req: S3Request<dto::UploadPartCopyInput>,
) -> S3Result<S3Response<dto::UploadPartCopyOutput>> {
    let input = &req.input;
    let to = edge.target(&req, &input.bucket, &input.key, None)?;
    let from = source(edge, &req, &input.copy_source)?;
    let wish = PartWish {
        upload: convert::upload(&input.upload_id)?,
        part: convert::part(input.part_number)?,
        range: range(input.copy_source_range.as_deref())?,
        source: convert::conditions(
            input.copy_source_if_match.as_ref(),
            input.copy_source_if_none_match.as_ref(),
            input.copy_source_if_modified_since.as_ref(),
            input.copy_source_if_unmodified_since.as_ref(),
        ),
    };
    let (read, _) = edge.object(&from).await?;
    // The source needs its own permit here too: it is a read, whatever it is called.
    let done = if from.version.is_some() {
        let permit = edge.permit(&from.op, s3::GetObjectVersion, read).await?;
        write_part(edge, permit, &to, wish).await?
    } else {
        let permit = edge.permit(&from.op, s3::GetObject, read).await?;
        write_part(edge, permit, &to, wish).await?
    };
    let (version, part) = match done {
        Ok(done) => done,
        Err(error) => return Err(unread(edge, &from, error).await),
    };
    let mut result = dto::CopyPartResult {
        e_tag: part.etag.as_ref().map(convert::etag),
        last_modified: part.modified.map(convert::time),
        ..dto::CopyPartResult::default()
    };
    set_sums!(result, Sums::plain(part.checksum.as_ref()));
    Ok(S3Response::new(dto::UploadPartCopyOutput {
        copy_part_result: Some(result),
        copy_source_version_id: Some(version.to_string()),
        server_side_encryption: Some(convert::encryption()),
        ..dto::UploadPartCopyOutput::default()
    }))
}

struct PartWish {
    upload: UploadId,
    part: u32,
    range: Option<(u64, u64)>,
    source: Conditions,
}

async fn write_part<A: ReadsObject>(
    edge: &Edge,
    read: Permit<A>,
    to: &Target,
    wish: PartWish,
) -> S3Result<Result<(VersionId, PartInfo), Error>> {
    let written = edge.permit(&to.op, s3::PutObject, Object::new(to.bucket.as_str(), to.key.as_str())).await;
    match written {
        Ok(written) => {
            let PartWish { upload, part, range, source } = wish;
            Ok(edge.objects.copy_part(read, written, CopyPart { upload, part, range, source }).await)
        }
        Err(error) => {
            read.finish(access::Outcome { status: 403, bytes: 0 });
            Err(error)
        }
    }
}

/// `bytes=FIRST-LAST`, both given: here S3 takes no other form.
fn range(text: Option<&str>) -> S3Result<Option<(u64, u64)>> {
    let Some(text) = text else { return Ok(None) };
    match ByteRange::from_header(text) {
        Ok(Some(ByteRange::Inclusive(first, last))) => Ok(Some((first, last))),
        _ => Err(argument("x-amz-copy-source-range", text, "the range must be bytes=FIRST-LAST")),
    }
}
