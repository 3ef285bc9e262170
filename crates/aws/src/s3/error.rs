//! The only table from refusals and failures to S3's codes. A message says what, why, and what to do; a refusal of the gate
//! names its decision, which `galen why --decision` explains.

use access::bodies::Spent;
use access::{Denied, DenyReason};
use base::ErrorKind;
use governance::Error;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use s3s::stream::aws_chunked_stream::AwsChunkedStreamError;
use s3s::{S3Error, S3ErrorCode};

use crate::frames::Misframed;

/// A refusal of the gate.
pub(super) fn denied(denied: &Denied) -> S3Error {
    let message = format!("{} (decision {})", denied.sentence, denied.decision);
    match denied.kind() {
        // The same code as an expired session, so that tools renew and then meet the clear refusal.
        ErrorKind::Unauthenticated => S3Error::with_message(S3ErrorCode::ExpiredToken, message),
        ErrorKind::Unavailable => S3Error::with_message(S3ErrorCode::ServiceUnavailable, message),
        _ => S3Error::with_message(S3ErrorCode::AccessDenied, message),
    }
}

/// A refusal in words of this edge.
pub(crate) fn refuse(code: S3ErrorCode, message: impl Into<String>) -> S3Error {
    S3Error::with_message(code, message.into())
}

/// Headers in which an error says which argument it is about; they go no further than [`name_argument`].
const ARGUMENT: [(HeaderName, &str); 2] = [
    (HeaderName::from_static("x-galen-argument-name"), "ArgumentName"),
    (HeaderName::from_static("x-galen-argument-value"), "ArgumentValue"),
];

/// `InvalidArgument`, with the argument and its value in the elements that S3 has for them.
pub(crate) fn argument(name: &'static str, value: &str, message: impl Into<String>) -> S3Error {
    let [name_header, value_header] = ARGUMENT.map(|(header, _)| header);
    let mut error = refuse(S3ErrorCode::InvalidArgument, message);
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/xml"));
    headers.insert(name_header, HeaderValue::from_static(name));
    // What no header can hold, XML cannot either.
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(value_header, value);
    }
    error.set_headers(headers);
    error
}

/// The header in which S3 tells a region.
const REGION: HeaderName = HeaderName::from_static("x-amz-bucket-region");

/// An error that tells which region the request should have been signed for.
pub(crate) fn with_region(mut error: S3Error, region: &base::Region) -> S3Error {
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/xml"));
    if let Ok(value) = HeaderValue::from_str(region.as_str()) {
        headers.insert(REGION, value);
    }
    error.set_headers(headers);
    error
}

/// Moves what [`argument`] noted from the headers to the end of the text, and repeats a region there.
pub(crate) fn name_argument(headers: &mut HeaderMap, text: &mut String) {
    for (header, element) in ARGUMENT {
        if let Some(value) = headers.remove(header)
            && let Ok(value) = std::str::from_utf8(value.as_bytes())
        {
            protocols::xml::element(text, element, value);
        }
    }
    if let Some(region) = headers.get(REGION).and_then(|value| value.to_str().ok()) {
        protocols::xml::element(text, "Region", region);
    }
}

/// Whether the gate said no because there is nothing there, so that the caller may hear so if it may list.
pub(super) fn is_absence(denied: &Denied) -> bool {
    matches!(denied.reason, DenyReason::NoDataset)
}

/// A failure of an operation.
pub(super) fn failed(error: &Error) -> S3Error {
    let with = |code: S3ErrorCode| S3Error::with_message(code, error.to_string());
    match error {
        Error::NoSuchKey => with(S3ErrorCode::NoSuchKey),
        Error::Deleted { version } => {
            let marker = [("x-amz-delete-marker", "true".to_owned()), ("x-amz-version-id", version.to_string())];
            headed(with(S3ErrorCode::NoSuchKey), marker)
        }
        Error::NoSuchVersion => with(S3ErrorCode::NoSuchVersion),
        Error::IsDeleteMarker { .. } => {
            // RFC 9110, section 15.5.6: an answer 405 says which methods there are.
            let marker = [("allow", "DELETE".to_owned()), ("x-amz-delete-marker", "true".to_owned())];
            headed(with(S3ErrorCode::MethodNotAllowed), marker)
        }
        Error::NoSuchBucket => with(S3ErrorCode::NoSuchBucket),
        Error::NoDataset => with(S3ErrorCode::AccessDenied),
        Error::NoSuchUpload { .. } => with(S3ErrorCode::NoSuchUpload),
        Error::PreconditionFailed { .. } => with(S3ErrorCode::PreconditionFailed),
        Error::NotModified { etag, modified } => {
            let mut error = headed(with(S3ErrorCode::NotModified), [("etag", format!("\"{etag}\""))]);
            let mut headers = error.headers().cloned().unwrap_or_default();
            if let Ok(value) = HeaderValue::from_str(&super::convert::http_date(*modified)) {
                headers.insert(header::LAST_MODIFIED, value);
            }
            error.set_headers(headers);
            error.set_status_code(StatusCode::NOT_MODIFIED);
            error
        }
        Error::ManyRanges => with(S3ErrorCode::NotImplemented),
        Error::RangeNotSatisfiable { size } => {
            headed(with(S3ErrorCode::InvalidRange), [("content-range", format!("bytes */{size}"))])
        }
        Error::WrongLength { .. } => with(S3ErrorCode::IncompleteBody),
        Error::BodyTooLarge { .. } => with(S3ErrorCode::EntityTooLarge),
        Error::Body { source } => body(source.as_ref()),
        Error::ChecksumMismatch { .. } => with(S3ErrorCode::BadDigest),
        Error::NotTheSignedBody => other_body(),
        Error::ChecksumMissing { .. } => with(S3ErrorCode::Custom("MalformedTrailerError".into())).status(400),
        Error::BadChecksumValue { .. } | Error::ChecksumKind { .. } | Error::OtherChecksumKind => {
            with(S3ErrorCode::InvalidRequest)
        }
        Error::MetadataTooLarge { .. } => with(S3ErrorCode::Custom("MetadataTooLarge".into())).status(400),
        Error::InvalidTag { .. } => with(S3ErrorCode::InvalidTag),
        Error::TooManyTags { .. } => with(S3ErrorCode::Custom("BadRequest".into())).status(400),
        Error::NoSuchPart { .. } => with(S3ErrorCode::Custom("InvalidPartNumber".into())).status(416),
        Error::BadPartNumber { .. } => with(S3ErrorCode::InvalidArgument),
        Error::PartOrder => with(S3ErrorCode::InvalidPartOrder),
        Error::InvalidPart { .. } => with(S3ErrorCode::InvalidPart),
        Error::PartTooSmall { .. } => with(S3ErrorCode::EntityTooSmall),
        Error::NoParts => with(S3ErrorCode::MalformedXML),
        Error::PermanentDeletion | Error::NotAWorkspace => with(S3ErrorCode::AccessDenied),
        Error::CopyOntoItself | Error::CopySourceTooLarge { .. } => with(S3ErrorCode::InvalidRequest),
        Error::Ended { .. } => with(S3ErrorCode::ExpiredToken),
        Error::BucketExists { own: true } => with(S3ErrorCode::BucketAlreadyOwnedByYou),
        Error::BucketExists { own: false } | Error::NameTaken { .. } | Error::LocationTaken { .. } => {
            with(S3ErrorCode::BucketAlreadyExists)
        }
        Error::BucketNotEmpty => with(S3ErrorCode::BucketNotEmpty),
        Error::BadPolicy { .. } => with(S3ErrorCode::MalformedPolicy),
        other => by_kind(other),
    }
}

fn by_kind(error: &Error) -> S3Error {
    let with = |code: S3ErrorCode| S3Error::with_message(code, error.to_string());
    match error.kind() {
        ErrorKind::Invalid => with(S3ErrorCode::InvalidArgument),
        ErrorKind::NotFound => with(S3ErrorCode::NoSuchKey),
        ErrorKind::Forbidden => with(S3ErrorCode::AccessDenied),
        ErrorKind::Unauthenticated => with(S3ErrorCode::ExpiredToken),
        ErrorKind::Conflict => with(S3ErrorCode::OperationAborted),
        ErrorKind::PreconditionFailed => with(S3ErrorCode::PreconditionFailed),
        ErrorKind::TooLarge => with(S3ErrorCode::EntityTooLarge),
        ErrorKind::RateLimited => with(S3ErrorCode::SlowDown),
        ErrorKind::NotImplemented => with(S3ErrorCode::NotImplemented),
        // What went wrong inside is for the operator's log, not for the caller.
        ErrorKind::Unavailable => {
            tracing::warn!(error = error as &dyn std::error::Error, "an S3 operation could not be done now");
            S3Error::with_message(
                S3ErrorCode::ServiceUnavailable,
                "a part that is needed cannot answer now: retry later",
            )
        }
        ErrorKind::Corrupt | ErrorKind::Internal => {
            tracing::error!(error = error as &dyn std::error::Error, "an S3 operation failed");
            S3Error::with_message(S3ErrorCode::InternalError, "the operation failed; the operator's log says why")
        }
    }
}

/// The body did not come as announced; the codec's own error tells a bad chunk signature from a broken connection.
fn body(source: &(dyn std::error::Error + Send + Sync + 'static)) -> S3Error {
    let mut next: Option<&(dyn std::error::Error + 'static)> = Some(source);
    while let Some(error) = next {
        if let Some(refusal) = misframed(error) {
            return refusal;
        }
        if let Some(spent) = error.downcast_ref::<Spent>() {
            return refuse(S3ErrorCode::SlowDown, spent.to_string());
        }
        if error.is::<s3s::BodySizeLimitExceeded>() {
            let message = "the body is larger than one request may carry: use a multipart upload";
            return refuse(S3ErrorCode::EntityTooLarge, message);
        }
        next = error.source();
    }
    refuse(S3ErrorCode::IncompleteBody, "the body did not arrive whole")
}

/// What is wrong with the frames or the signatures of an `aws-chunked` body.
fn misframed(error: &(dyn std::error::Error + 'static)) -> Option<S3Error> {
    use AwsChunkedStreamError as Chunked;
    if let Some(frames) = error.downcast_ref::<Misframed>() {
        let trailer = || refuse(S3ErrorCode::Custom("MalformedTrailerError".into()), frames.to_string()).status(400);
        let other = || refuse(S3ErrorCode::IncompleteBody, frames.to_string());
        return Some(if *frames == Misframed::Trailer { trailer() } else { other() });
    }
    let chunked = error.downcast_ref::<Chunked>()?;
    let message = match chunked {
        Chunked::Underlying(_) => return None,
        Chunked::SignatureMismatch => "the signature of a chunk or of the trailer is not that of its bytes",
        Chunked::Incomplete => "the `aws-chunked` body ends before its announced length or its last chunk",
        Chunked::LengthMismatch => "a chunk or the whole body is not as long as announced",
        _ => "the body is not `aws-chunked`: expected `size[;chunk-signature=..]`, the bytes, and a chunk of size 0",
    };
    Some(refuse(chunked.to_s3_error_code(), message))
}

/// The body is not the one that the signature was made with.
pub(crate) fn other_body() -> S3Error {
    let message = "the body is not the one that `x-amz-content-sha256` was made from";
    refuse(S3ErrorCode::Custom("XAmzContentSHA256Mismatch".into()), message).status(400)
}

fn headed(mut error: S3Error, pairs: impl IntoIterator<Item = (&'static str, String)>) -> S3Error {
    // The codec puts these in place of its own.
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/xml"));
    for (name, value) in pairs {
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
    error.set_headers(headers);
    error
}

trait Status {
    fn status(self, code: u16) -> Self;
}

impl Status for S3Error {
    fn status(mut self, code: u16) -> Self {
        self.set_status_code(StatusCode::from_u16(code).unwrap_or(StatusCode::BAD_REQUEST));
        self
    }
}
