//! Lists of keys and versions: authorised as a list, and cut to the areas that the caller's grants make readable. What is
//! outside is neither listed nor counted.

use access::{Bucket, OpContext, s3};
use governance::objects::{List, ListVersions, PAGE_MAX};
use s3s::dto;
use s3s::{S3ErrorCode, S3Request, S3Response, S3Result};

use super::convert::{self, Names};
use super::edge::Edge;
use super::error::{argument, failed, refuse};

/// The parameters that every list shares, and the caller with the condition keys of a list.
pub(super) struct Wish {
    pub(super) op: OpContext,
    pub(super) bucket: String,
    pub(super) prefix: String,
    pub(super) delimiter: Option<String>,
    pub(super) limit: usize,
    pub(super) names: Names,
}

impl Wish {
    /// # Errors
    /// Malformed parameters; another account expected as the owner.
    pub(super) fn new<T>(
        edge: &Edge,
        req: &S3Request<T>,
        bucket: &str,
        (prefix, delimiter): (Option<&String>, Option<&String>),
        (limit_name, limit): (&'static str, Option<i32>),
        encoding: Option<&dto::EncodingType>,
    ) -> S3Result<Self> {
        let mut op = super::auth::caller(&req.extensions)?;
        edge.expect_owner(req, "x-amz-expected-bucket-owner", &access::Bucket::new(bucket).into())?;
        convert::bucket(bucket)?;
        let limit = convert::page(limit_name, limit, PAGE_MAX)?;
        if prefix.is_some_and(|prefix| prefix.len() > 1024) || delimiter.is_some_and(|delimiter| delimiter.len() > 1024)
        {
            return Err(refuse(S3ErrorCode::InvalidArgument, "a prefix and a delimiter have at most 1,024 bytes"));
        }
        let names = Names::new(encoding)?;
        names.can_write(&[prefix, delimiter])?;
        op.keys.prefix = prefix.cloned();
        op.keys.delimiter = delimiter.cloned();
        op.keys.max_keys = u32::try_from(limit).ok();
        Ok(Self {
            op,
            bucket: bucket.to_owned(),
            prefix: prefix.cloned().unwrap_or_default(),
            delimiter: delimiter.filter(|delimiter| !delimiter.is_empty()).cloned(),
            limit,
            names,
        })
    }
}

struct Page {
    contents: Vec<dto::Object>,
    prefixes: Option<Vec<dto::CommonPrefix>>,
    next: Option<String>,
    count: usize,
}

async fn page(edge: &Edge, wish: &Wish, after: Option<String>, owner: Option<dto::Owner>) -> S3Result<Page> {
    let asked = edge.may(&wish.op, s3::ListBucket, Bucket::new(wish.bucket.as_str())).await;
    let permit = asked.map_err(|refusal| edge.refused_bucket(&wish.bucket, &refusal))?;
    let list = List { prefix: wish.prefix.clone(), delimiter: wish.delimiter.clone(), after, limit: wish.limit };
    let seen = permit.visible().clone();
    let page = edge.objects.list(permit, &seen, list).await.map_err(|error| failed(&error))?;
    let count = page.objects.len() + page.prefixes.len();
    let contents = page
        .objects
        .into_iter()
        .map(|object| dto::Object {
            checksum_algorithm: object
                .checksum
                .as_ref()
                .map(|stored| vec![convert::algorithm(stored.checksum.algorithm)]),
            checksum_type: object.checksum.as_ref().map(|stored| convert::checksum_kind(stored.kind)),
            e_tag: Some(convert::etag(&object.etag)),
            key: Some(wish.names.write(object.key.as_str())),
            last_modified: Some(convert::time(object.modified)),
            owner: owner.clone(),
            size: Some(convert::long(object.size)),
            storage_class: Some(dto::ObjectStorageClass::from_static(dto::ObjectStorageClass::STANDARD)),
            ..dto::Object::default()
        })
        .collect();
    Ok(Page { contents, prefixes: wish.names.prefixes(page.prefixes), next: page.next, count })
}

pub(super) async fn v2(
    edge: &Edge,
    req: S3Request<dto::ListObjectsV2Input>,
) -> S3Result<S3Response<dto::ListObjectsV2Output>> {
    let input = &req.input;
    let names = (input.prefix.as_ref(), input.delimiter.as_ref());
    let limit = ("max-keys", input.max_keys);
    let wish = Wish::new(edge, &req, &input.bucket, names, limit, input.encoding_type.as_ref())?;
    wish.names.can_write(&[input.start_after.as_ref()])?;
    let token = input.continuation_token.as_deref().map(convert::open_marker).transpose()?;
    let after = token.or_else(|| input.start_after.clone());
    let owner = input.fetch_owner.unwrap_or(false).then(|| owner(edge));
    let page = page(edge, &wish, after, owner).await?;
    Ok(S3Response::new(dto::ListObjectsV2Output {
        name: Some(wish.bucket.clone()),
        prefix: Some(wish.names.write(&wish.prefix)),
        delimiter: wish.delimiter.as_deref().map(|delimiter| wish.names.write(delimiter)),
        max_keys: Some(convert::int(wish.limit)),
        key_count: Some(convert::int(page.count)),
        continuation_token: input.continuation_token.clone(),
        start_after: input.start_after.as_deref().map(|after| wish.names.write(after)),
        is_truncated: Some(page.next.is_some()),
        next_continuation_token: page.next.as_deref().map(convert::seal_marker),
        contents: Some(page.contents),
        common_prefixes: page.prefixes,
        encoding_type: wish.names.encoding(),
        request_charged: None,
    }))
}

pub(super) async fn v1(
    edge: &Edge,
    req: S3Request<dto::ListObjectsInput>,
) -> S3Result<S3Response<dto::ListObjectsOutput>> {
    let input = &req.input;
    let names = (input.prefix.as_ref(), input.delimiter.as_ref());
    let limit = ("max-keys", input.max_keys);
    let wish = Wish::new(edge, &req, &input.bucket, names, limit, input.encoding_type.as_ref())?;
    wish.names.can_write(&[input.marker.as_ref()])?;
    let after = input.marker.clone().filter(|marker| !marker.is_empty());
    let page = page(edge, &wish, after, Some(owner(edge))).await?;
    Ok(S3Response::new(dto::ListObjectsOutput {
        name: Some(wish.bucket.clone()),
        prefix: Some(wish.names.write(&wish.prefix)),
        marker: Some(wish.names.write(input.marker.as_deref().unwrap_or_default())),
        delimiter: wish.delimiter.as_deref().map(|delimiter| wish.names.write(delimiter)),
        max_keys: Some(convert::int(wish.limit)),
        is_truncated: Some(page.next.is_some()),
        next_marker: page.next.as_deref().map(|next| wish.names.write(next)),
        contents: Some(page.contents),
        common_prefixes: page.prefixes,
        encoding_type: wish.names.encoding(),
        request_charged: None,
    }))
}

/// The owner of everything: the account, since access is by grants and not by who wrote an object.
pub(super) fn owner(edge: &Edge) -> dto::Owner {
    let account = edge.account.to_string();
    dto::Owner { display_name: Some(account.clone()), id: Some(account) }
}

pub(super) async fn versions(
    edge: &Edge,
    req: S3Request<dto::ListObjectVersionsInput>,
) -> S3Result<S3Response<dto::ListObjectVersionsOutput>> {
    let input = &req.input;
    let names = (input.prefix.as_ref(), input.delimiter.as_ref());
    let limit = ("max-keys", input.max_keys);
    let wish = Wish::new(edge, &req, &input.bucket, names, limit, input.encoding_type.as_ref())?;
    wish.names.can_write(&[input.key_marker.as_ref()])?;
    let marker = input.version_id_marker.as_deref().filter(|marker| !marker.is_empty());
    if marker.is_some() && input.key_marker.is_none() {
        return Err(refuse(S3ErrorCode::InvalidArgument, "a version marker needs a key marker"));
    }
    let unknown = "the version marker is not one that was given out";
    let at =
        convert::version(marker).map_err(|_| argument("version-id-marker", marker.unwrap_or_default(), unknown))?;
    let after = input.key_marker.clone().filter(|key| !key.is_empty()).map(|key| (key, at));
    // Its own action: a right to list keys is not a right to list what was overwritten or deleted.
    let asked = edge.may(&wish.op, s3::ListBucketVersions, Bucket::new(wish.bucket.as_str())).await;
    let permit = asked.map_err(|refusal| edge.refused_bucket(&wish.bucket, &refusal))?;
    let list =
        ListVersions { prefix: wish.prefix.clone(), delimiter: wish.delimiter.clone(), after, limit: wish.limit };
    let seen = permit.visible().clone();
    let page = edge.objects.list_versions(permit, &seen, list).await.map_err(|error| failed(&error))?;
    let (mut versions, mut markers) = (Vec::new(), Vec::new());
    for one in page.versions {
        let key = Some(wish.names.write(one.key.as_str()));
        let (version_id, last_modified) = (Some(one.version.to_string()), Some(convert::time(one.modified)));
        let owner = Some(owner(edge));
        match one.content {
            Some((etag, size, checksum)) => versions.push(dto::ObjectVersion {
                checksum_algorithm: checksum.as_ref().map(|stored| vec![convert::algorithm(stored.checksum.algorithm)]),
                checksum_type: checksum.as_ref().map(|stored| convert::checksum_kind(stored.kind)),
                e_tag: Some(convert::etag(&etag)),
                is_latest: Some(one.latest),
                key,
                last_modified,
                owner,
                size: Some(convert::long(size)),
                storage_class: Some(dto::ObjectVersionStorageClass::from_static(
                    dto::ObjectVersionStorageClass::STANDARD,
                )),
                version_id,
                ..dto::ObjectVersion::default()
            }),
            None => markers.push(dto::DeleteMarkerEntry {
                is_latest: Some(one.latest),
                key,
                last_modified,
                owner,
                version_id,
            }),
        }
    }
    let (next_key, next_version) = page.next.map_or((None, None), |(key, version)| (Some(key), version));
    Ok(S3Response::new(dto::ListObjectVersionsOutput {
        name: Some(wish.bucket.clone()),
        prefix: Some(wish.names.write(&wish.prefix)),
        delimiter: wish.delimiter.as_deref().map(|delimiter| wish.names.write(delimiter)),
        max_keys: Some(convert::int(wish.limit)),
        is_truncated: Some(next_key.is_some()),
        key_marker: Some(wish.names.write(input.key_marker.as_deref().unwrap_or_default())),
        version_id_marker: input.version_id_marker.clone(),
        next_key_marker: next_key.as_deref().map(|key| wish.names.write(key)),
        next_version_id_marker: next_version.map(|version| version.to_string()),
        common_prefixes: wish.names.prefixes(page.prefixes),
        encoding_type: wish.names.encoding(),
        delete_markers: (!markers.is_empty()).then_some(markers),
        versions: (!versions.is_empty()).then_some(versions),
        request_charged: None,
    }))
}
