//! Between the codec's wire types and governance's values. It decides nothing.

use base::Timestamp;
use base64::{Engine as _, engine::general_purpose::STANDARD, engine::general_purpose::URL_SAFE_NO_PAD};
use crypto::Sha256Digest;
use futures::StreamExt as _;
use governance::objects::{
    Algorithm, Body, BucketName, Checksum, Conditions, ETag, Expected, IfRange, Kind, Match, Metadata, ObjectKey,
    StoredChecksum, SystemMetadata, Tags, VersionId,
};
use http::HeaderMap;
use prometheus_client::metrics::counter::Counter;
use s3s::dto;
use s3s::{S3ErrorCode, S3Result, TrailingHeaders};
use std::collections::{BTreeMap, HashMap};
use std::str::FromStr;
use std::time::SystemTime;

use super::error::{argument, failed, refuse};
use crate::direct;

/// # Errors
/// `InvalidBucketName`.
pub(super) fn bucket(name: &str) -> S3Result<BucketName> {
    name.parse().map_err(|bad: base::BadName| refuse(S3ErrorCode::InvalidBucketName, bad.to_string()))
}

/// # Errors
/// `KeyTooLongError`, or `InvalidArgument` for a key that would lead a tool out of its folder.
pub(super) fn key(name: &str) -> S3Result<ObjectKey> {
    name.parse().map_err(|bad: base::BadName| {
        let long = name.len() > ObjectKey::LEN_MAX;
        refuse(if long { S3ErrorCode::KeyTooLongError } else { S3ErrorCode::InvalidArgument }, bad.to_string())
    })
}

/// # Errors
/// `InvalidArgument` for what is no id of a version.
pub(super) fn version(name: Option<&str>) -> S3Result<Option<VersionId>> {
    let read = |name: &str| VersionId::from_str(name).map_err(|bad| argument("versionId", name, bad.to_string()));
    name.map(read).transpose()
}

/// # Errors
/// `NoSuchUpload`.
pub(super) fn upload(name: &str) -> S3Result<base::UploadId> {
    name.parse().map_err(|_: base::BadName| {
        refuse(S3ErrorCode::NoSuchUpload, "the multipart upload does not exist; it may have been completed or aborted")
    })
}

/// # Errors
/// `InvalidArgument` outside of 1 to 10,000.
pub(super) fn part(number: i32) -> S3Result<u32> {
    match u32::try_from(number) {
        Ok(part) if (1..=10_000).contains(&part) => Ok(part),
        _ => {
            let message = format!("the part number {number} is not between 1 and 10,000");
            Err(argument("partNumber", &number.to_string(), message))
        }
    }
}

/// The size of a page that the parameter asks for, at most `most`.
///
/// # Errors
/// `InvalidArgument` for a negative one.
pub(super) fn page(name: &'static str, asked: Option<i32>, most: usize) -> S3Result<usize> {
    let Some(asked) = asked else { return Ok(most) };
    let limit = usize::try_from(asked)
        .map_err(|_| argument(name, &asked.to_string(), format!("`{name}` must not be negative")))?;
    Ok(limit.min(most))
}

pub(super) fn int(number: usize) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

pub(super) fn long(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

pub(super) fn time(at: Timestamp) -> dto::Timestamp {
    SystemTime::from(at).into()
}

/// RFC 9110, section 5.6.7.
pub(super) fn http_date(at: Timestamp) -> String {
    at.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

fn instant(at: &dto::Timestamp) -> Option<Timestamp> {
    let mut text = Vec::new();
    at.format(dto::TimestampFormat::EpochSeconds, &mut text).ok()?;
    let text = String::from_utf8(text).ok()?;
    let seconds = text.split('.').next()?.parse().ok()?;
    Timestamp::from_second(seconds).ok()
}

pub(super) fn etag(tag: &ETag) -> dto::ETag {
    dto::ETag::Strong(tag.as_str().to_owned())
}

/// The codec takes a list of tags for one tag, with the quotes and commas of the others inside it.
fn matching(condition: Option<&dto::ETagCondition>) -> Option<Match> {
    condition.map(|condition| match condition {
        dto::ETagCondition::Any => Match::Any,
        // A weak tag names nothing that is given out here, so it must not match by its text.
        dto::ETagCondition::ETag(dto::ETag::Weak(text)) => Match::from_header(&format!("W/\"{text}\"")),
        dto::ETagCondition::ETag(dto::ETag::Strong(text)) => Match::from_header(&format!("\"{text}\"")),
    })
}

/// As [`matching`], by weak comparison (RFC 9110, section 13.1.2): what caches keep of a tag is often only its weak form.
fn matching_weakly(condition: Option<&dto::ETagCondition>) -> Option<Match> {
    condition.map(|condition| match condition {
        dto::ETagCondition::Any => Match::Any,
        dto::ETagCondition::ETag(tag) => Match::from_header(&format!("\"{}\"", tag.value()).replace("W/", "")),
    })
}

/// `If-Range`, which the codec does not read: the object whose beginning the caller has.
pub(super) fn if_range(headers: &HeaderMap) -> Option<IfRange> {
    let text = headers.get(http::header::IF_RANGE)?.to_str().unwrap_or_default().trim();
    if text.starts_with('"') {
        return Some(IfRange::Tag(ETag::from_header(text)));
    }
    let date = dto::Timestamp::parse(dto::TimestampFormat::HttpDate, text).ok();
    Some(date.as_ref().and_then(instant).map_or(IfRange::Unknown, IfRange::Modified))
}

pub(super) fn conditions(
    if_match: Option<&dto::ETagCondition>,
    if_none_match: Option<&dto::ETagCondition>,
    modified: Option<&dto::Timestamp>,
    unmodified: Option<&dto::Timestamp>,
) -> Conditions {
    Conditions {
        if_match: matching(if_match),
        if_none_match: matching_weakly(if_none_match),
        if_modified_since: modified.and_then(instant),
        if_unmodified_since: unmodified.and_then(instant),
    }
}

/// What a writer says of an object, from the headers as they came.
///
/// # Errors
/// `InvalidArgument` for a header that is not text.
pub(super) fn metadata(headers: &HeaderMap, user: Option<HashMap<String, String>>) -> S3Result<Metadata> {
    let text = |name: http::HeaderName| -> S3Result<Option<String>> {
        let Some(value) = headers.get(&name) else { return Ok(None) };
        let value = value
            .to_str()
            .map_err(|_| refuse(S3ErrorCode::InvalidArgument, format!("the header `{name}` is not text")))?;
        Ok(Some(value.to_owned()))
    };
    let user: BTreeMap<String, String> =
        user.unwrap_or_default().into_iter().map(|(name, value)| (name.to_ascii_lowercase(), value)).collect();
    Ok(Metadata {
        system: SystemMetadata {
            content_type: text(http::header::CONTENT_TYPE)?,
            cache_control: text(http::header::CACHE_CONTROL)?,
            content_disposition: text(http::header::CONTENT_DISPOSITION)?,
            content_encoding: text(http::header::CONTENT_ENCODING)?.and_then(|value| without_aws_chunked(&value)),
            content_language: text(http::header::CONTENT_LANGUAGE)?,
            expires: text(http::header::EXPIRES)?,
        },
        user,
    })
}

/// `aws-chunked` describes the transfer, not the object.
fn without_aws_chunked(value: &str) -> Option<String> {
    let kept: Vec<&str> =
        value.split(',').map(str::trim).filter(|c| !c.eq_ignore_ascii_case("aws-chunked") && !c.is_empty()).collect();
    if kept.is_empty() { None } else { Some(kept.join(",")) }
}

/// The header `x-amz-tagging`: a query string.
///
/// # Errors
/// `InvalidTag` and `BadRequest` by the rules of tags; `InvalidArgument` for a key given twice.
pub(super) fn tagging_header(text: Option<&str>) -> S3Result<Vec<(String, String)>> {
    let pairs: Vec<(String, String)> = form_urlencoded::parse(text.unwrap_or_default().as_bytes())
        .into_owned()
        .filter(|(key, value)| !(key.is_empty() && value.is_empty()))
        .collect();
    Ok(pairs)
}

/// # Errors
/// `InvalidTag`, `BadRequest`.
pub(super) fn tags(pairs: Vec<(String, String)>) -> S3Result<Tags> {
    Tags::new(pairs).map_err(|error| failed(&error))
}

pub(super) fn tag_pairs(set: Vec<dto::Tag>) -> Vec<(String, String)> {
    set.into_iter().map(|tag| (tag.key.unwrap_or_default(), tag.value.unwrap_or_default())).collect()
}

pub(super) fn tag_set(tags: &Tags) -> Vec<dto::Tag> {
    tags.iter().map(|(key, value)| dto::Tag { key: Some(key.to_owned()), value: Some(value.to_owned()) }).collect()
}

const CHECKSUM_HEADERS: [(&str, Algorithm); 5] = [
    ("x-amz-checksum-crc32", Algorithm::Crc32),
    ("x-amz-checksum-crc32c", Algorithm::Crc32c),
    ("x-amz-checksum-crc64nvme", Algorithm::Crc64nvme),
    ("x-amz-checksum-sha1", Algorithm::Sha1),
    ("x-amz-checksum-sha256", Algorithm::Sha256),
];

/// The checksum that a caller sends ahead of the body, in a header.
///
/// # Errors
/// `InvalidRequest` for more than one, or one that is not Base64 of the right length.
pub(super) fn checksum_header(headers: &HeaderMap) -> S3Result<Option<Checksum>> {
    let mut found = None;
    for (name, algorithm) in CHECKSUM_HEADERS {
        for value in headers.get_all(name) {
            if found.is_some() {
                return Err(refuse(S3ErrorCode::InvalidRequest, "expecting a single x-amz-checksum- header"));
            }
            let parsed = Checksum::parse(algorithm, value.to_str().unwrap_or_default());
            found = Some(parsed.map_err(|error| failed(&error))?);
        }
    }
    Ok(found)
}

/// The algorithm that a caller names without a value.
///
/// # Errors
/// `InvalidRequest` for one that is not offered.
pub(super) fn named_algorithm(headers: &HeaderMap) -> S3Result<Option<Algorithm>> {
    for name in ["x-amz-sdk-checksum-algorithm", "x-amz-checksum-algorithm"] {
        if let Some(value) = headers.get(name) {
            let text = value.to_str().unwrap_or_default();
            let shown: String = text.chars().take(32).collect();
            return Algorithm::from_name(text).map(Some).ok_or_else(|| {
                let message = format!(
                    "the checksum algorithm `{shown}` is not offered: use CRC32, CRC32C, CRC64NVME, SHA1 or SHA256"
                );
                refuse(S3ErrorCode::InvalidRequest, message)
            });
        }
    }
    Ok(None)
}

/// What the caller says of the checksum of its body: a value, a trailer to come, an algorithm to compute, or nothing.
///
/// # Errors
/// `InvalidRequest` for a contradiction; `MalformedTrailerError` for a trailer that cannot come.
pub(super) fn expected(headers: &HeaderMap, trailers: Option<TrailingHeaders>) -> S3Result<Expected> {
    let value = checksum_header(headers)?;
    let named = named_algorithm(headers)?;
    let trailer = trailer_name(headers)?;
    let agree = |algorithm: Algorithm| match named {
        Some(named) if named != algorithm => {
            Err(refuse(S3ErrorCode::InvalidRequest, "the checksum that is sent is not of the algorithm that is named"))
        }
        _ => Ok(()),
    };
    match (value, trailer, trailers) {
        (Some(_), Some(_), _) => {
            Err(refuse(S3ErrorCode::InvalidRequest, "send the checksum as a header or as a trailer, not as both"))
        }
        (Some(value), None, _) => {
            agree(value.algorithm)?;
            Ok(Expected::Value(value))
        }
        (None, Some((name, algorithm)), Some(handle)) => {
            agree(algorithm)?;
            let read = move || {
                handle.read(|map| map.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)).flatten()
            };
            Ok(Expected::Trailer(algorithm, Box::new(read)))
        }
        (None, Some(_), None) => {
            let message = "a trailer is announced, and the body is not `aws-chunked` with trailers";
            Err(refuse(S3ErrorCode::InvalidRequest, message))
        }
        (None, None, _) => Ok(named.map_or(Expected::None, Expected::Compute)),
    }
}

fn trailer_name(headers: &HeaderMap) -> S3Result<Option<(&'static str, Algorithm)>> {
    let Some(value) = headers.get("x-amz-trailer") else { return Ok(None) };
    let text = value.to_str().unwrap_or_default().trim();
    let known = CHECKSUM_HEADERS.into_iter().find(|(name, _)| name.eq_ignore_ascii_case(text));
    known.map(Some).ok_or_else(|| {
        let shown: String = text.chars().take(64).collect();
        refuse(S3ErrorCode::InvalidRequest, format!("the trailer `{shown}` is not one of a checksum that is offered"))
    })
}

/// # Errors
/// `InvalidDigest` when it is not Base64 of sixteen bytes.
pub(super) fn content_md5(headers: &HeaderMap) -> S3Result<Option<[u8; 16]>> {
    let Some(value) = headers.get("content-md5") else { return Ok(None) };
    let raw = STANDARD.decode(value.as_bytes()).ok().and_then(|raw| <[u8; 16]>::try_from(raw).ok());
    raw.map(Some).ok_or_else(|| refuse(S3ErrorCode::InvalidDigest, "`Content-MD5` must be Base64 of sixteen bytes"))
}

/// # Errors
/// `InvalidArgument` for a negative length.
pub(super) fn length(announced: Option<i64>) -> S3Result<Option<u64>> {
    announced
        .map(u64::try_from)
        .transpose()
        .map_err(|_| refuse(S3ErrorCode::InvalidArgument, "the length must not be negative"))
}

/// The body as governance reads it, and the digest that the signature covers; the counter sees each piece.
pub(super) fn body(
    extensions: &http::Extensions,
    blob: Option<dto::StreamingBlob>,
    counter: Counter,
) -> (Body, Option<Sha256Digest>) {
    let (body, signed) = match (direct::take(extensions), blob) {
        (Some((body, digest)), _) => (body, Some(digest)),
        (None, Some(blob)) => (blob.boxed(), None),
        (None, None) => (futures::stream::empty().boxed(), None),
    };
    let counted = body.inspect(move |piece| {
        if let Ok(bytes) = piece {
            counter.inc_by(u64::try_from(bytes.len()).unwrap_or(0));
        }
    });
    (counted.boxed(), signed)
}

pub(super) fn checksum_kind(kind: Kind) -> dto::ChecksumType {
    dto::ChecksumType::from_static(match kind {
        Kind::FullObject => dto::ChecksumType::FULL_OBJECT,
        Kind::Composite => dto::ChecksumType::COMPOSITE,
    })
}

pub(super) fn algorithm(algorithm: Algorithm) -> dto::ChecksumAlgorithm {
    dto::ChecksumAlgorithm::from(algorithm.name().to_owned())
}

/// The values of a checksum in whatever the codec calls its fields.
#[derive(Default)]
pub(super) struct Sums {
    pub(super) crc32: Option<String>,
    pub(super) crc32c: Option<String>,
    pub(super) crc64nvme: Option<String>,
    pub(super) sha1: Option<String>,
    pub(super) sha256: Option<String>,
    pub(super) kind: Option<dto::ChecksumType>,
}

impl Sums {
    pub(super) fn of(stored: Option<&StoredChecksum>) -> Self {
        let Some(stored) = stored else { return Self::default() };
        Self { kind: Some(checksum_kind(stored.kind)), ..Self::plain(Some(&stored.checksum)) }
    }

    pub(super) fn plain(checksum: Option<&Checksum>) -> Self {
        let mut sums = Self::default();
        if let Some(checksum) = checksum {
            let field = match checksum.algorithm {
                Algorithm::Crc32 => &mut sums.crc32,
                Algorithm::Crc32c => &mut sums.crc32c,
                Algorithm::Crc64nvme => &mut sums.crc64nvme,
                Algorithm::Sha1 => &mut sums.sha1,
                Algorithm::Sha256 => &mut sums.sha256,
            };
            *field = Some(checksum.value.clone());
        }
        sums
    }
}

/// Sets the checksum fields of a codec type from [`Sums`].
macro_rules! set_sums {
    ($out:expr, $sums:expr) => {{
        let sums = $sums;
        $out.checksum_crc32 = sums.crc32;
        $out.checksum_crc32c = sums.crc32c;
        $out.checksum_crc64nvme = sums.crc64nvme;
        $out.checksum_sha1 = sums.sha1;
        $out.checksum_sha256 = sums.sha256;
    }};
}
pub(super) use set_sums;

/// A checksum that the caller repeats in XML.
macro_rules! given_checksum {
    ($from:expr) => {
        [
            (governance::objects::Algorithm::Crc32, &$from.checksum_crc32),
            (governance::objects::Algorithm::Crc32c, &$from.checksum_crc32c),
            (governance::objects::Algorithm::Crc64nvme, &$from.checksum_crc64nvme),
            (governance::objects::Algorithm::Sha1, &$from.checksum_sha1),
            (governance::objects::Algorithm::Sha256, &$from.checksum_sha256),
        ]
        .into_iter()
        .find_map(|(algorithm, text)| text.as_deref().map(|text| governance::objects::Checksum::parse(algorithm, text)))
        .transpose()
        .map_err(|error| $crate::s3::error::failed(&error))
    };
}
pub(super) use given_checksum;

/// How objects are encrypted, as S3 names it: a key per object under the dataset's own key, so ETags are opaque.
pub(super) fn encryption() -> dto::ServerSideEncryption {
    dto::ServerSideEncryption::from_static(dto::ServerSideEncryption::AWS_KMS)
}

/// Opaque page markers: what is inside is only a place to go on from, and is checked like any other input.
pub(super) fn seal_marker(after: &str) -> String {
    URL_SAFE_NO_PAD.encode(after)
}

/// # Errors
/// `InvalidArgument` for a marker that was not given out.
pub(super) fn open_marker(marker: &str) -> S3Result<String> {
    let bytes = URL_SAFE_NO_PAD.decode(marker).ok();
    bytes
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .filter(|after| !after.is_empty())
        .ok_or_else(|| argument("continuation-token", marker, "the continuation token is not one that was given out"))
}

/// Encodes names in lists when the caller asks for `encoding-type=url`.
#[derive(Clone, Copy)]
pub(super) struct Names {
    url: bool,
}

impl Names {
    /// # Errors
    /// `InvalidArgument` for an encoding other than `url`.
    pub(super) fn new(encoding: Option<&dto::EncodingType>) -> S3Result<Self> {
        match encoding.map(dto::EncodingType::as_str) {
            None => Ok(Self { url: false }),
            Some("url") => Ok(Self { url: true }),
            Some(other) => Err(argument("encoding-type", other, "the encoding type must be `url`")),
        }
    }

    /// What a caller sends is told back in the answer, which cannot hold every character unless it is encoded.
    ///
    /// # Errors
    /// `InvalidArgument` for a control character without the encoding.
    pub(super) fn can_write(self, texts: &[Option<&String>]) -> S3Result<()> {
        let told = texts.iter().flatten().all(|text| !text.chars().any(char::is_control));
        if self.url || told {
            return Ok(());
        }
        Err(refuse(S3ErrorCode::InvalidArgument, "control characters need the parameter `encoding-type=url`"))
    }

    pub(super) fn write(self, name: &str) -> String {
        /// Everything but the unreserved of RFC 3986 and the slash.
        const KEPT: &percent_encoding::AsciiSet =
            &percent_encoding::NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b'/');
        if self.url { percent_encoding::utf8_percent_encode(name, KEPT).to_string() } else { name.to_owned() }
    }

    pub(super) fn prefixes(self, prefixes: Vec<String>) -> Option<Vec<dto::CommonPrefix>> {
        let list: Vec<_> =
            prefixes.iter().map(|prefix| dto::CommonPrefix { prefix: Some(self.write(prefix)) }).collect();
        if list.is_empty() { None } else { Some(list) }
    }

    pub(super) fn encoding(self) -> Option<dto::EncodingType> {
        self.url.then(|| dto::EncodingType::from_static(dto::EncodingType::URL))
    }
}
