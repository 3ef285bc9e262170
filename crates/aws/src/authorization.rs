//! Signatures that cannot be read, told in S3's own codes before the codec sees them. Nothing is believed here: what can be
//! read is the codec's to verify.

use base::Region;
use http::{HeaderMap, header, request};
use s3s::{S3Error, S3ErrorCode};

use crate::direct;
use crate::s3::{argument, refuse, with_region};

/// What `x-amz-content-sha256` may say besides a digest.
const PAYLOADS: &[&str] = &[
    "UNSIGNED-PAYLOAD",
    "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
    "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
    "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER",
    "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD",
    "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD-TRAILER",
];

/// The algorithm of version 4.
const ALGORITHM: &str = "AWS4-HMAC-SHA256";
/// The algorithm of version 4A, which is known and not offered.
const ALGORITHM_4A: &str = "AWS4-ECDSA-P256-SHA256";

/// Why the request's signature cannot be one of version 4 for this region, with what to set.
pub(crate) fn unreadable(parts: &request::Parts, region: &Region) -> Option<S3Error> {
    let query = parts.uri.query().unwrap_or_default();
    let in_query = |name: &str| {
        query.split('&').any(|pair| pair.split('=').next().is_some_and(|key| key.eq_ignore_ascii_case(name)))
    };
    let given = parts.headers.get(header::AUTHORIZATION);
    let text = given.and_then(|value| value.to_str().ok()).unwrap_or_default();
    if text.starts_with("AWS ") || (in_query("AWSAccessKeyId") && in_query("Signature")) {
        let message = "Signature Version 2 is not accepted; sign with version 4: in boto3 `Config(signature_version='s3v4')`, \
                       in the AWS CLI `aws configure set default.s3.signature_version s3v4`";
        return Some(refuse(S3ErrorCode::InvalidRequest, message));
    }
    let presigned_4a = || {
        form_urlencoded::parse(query.as_bytes()).any(|(name, value)| name == "X-Amz-Algorithm" && value == ALGORITHM_4A)
    };
    if text.split(' ').next() == Some(ALGORITHM_4A) || presigned_4a() {
        let message = "Signature Version 4A (AWS4-ECDSA-P256-SHA256) is not offered: sign with SigV4 (AWS4-HMAC-SHA256), for \
                       one region and without a multi-region access point";
        return Some(refuse(S3ErrorCode::NotImplemented, message));
    }
    let header = given.and_then(|_| unreadable_header(text, &parts.headers, region));
    let presigned = || {
        let mut pairs = form_urlencoded::parse(query.as_bytes());
        let (_, credential) = pairs.find(|(name, _)| name == "X-Amz-Credential")?;
        elsewhere(credential.split('/').nth(2)?, region)
    };
    header.or_else(presigned).or_else(|| unreadable_payload(&parts.headers))
}

/// A signature for another region, told as S3 tells it: clients read the right one and sign again.
fn elsewhere(given: &str, region: &Region) -> Option<S3Error> {
    let message =
        || format!("the authorization header is malformed; the region '{given}' is wrong; expecting '{region}'");
    (given != region.as_str())
        .then(|| with_region(refuse(S3ErrorCode::AuthorizationHeaderMalformed, message()), region))
}

fn unreadable_header(text: &str, headers: &HeaderMap, region: &Region) -> Option<S3Error> {
    let what = "the header `Authorization` must be one of AWS Signature Version 4: \
                `AWS4-HMAC-SHA256 Credential=.., SignedHeaders=.., Signature=..`";
    if text.trim().is_empty() {
        return Some(refuse(S3ErrorCode::AccessDenied, what));
    }
    let Some((_, fields)) = text.split_once(' ').filter(|(name, _)| *name == ALGORITHM) else {
        return Some(argument("Authorization", text, what));
    };
    let field = |name: &str| fields.split(',').find_map(|pair| pair.trim().strip_prefix(name)?.strip_prefix('='));
    let (Some(credential), Some(_), Some(signature)) =
        (field("Credential"), field("SignedHeaders"), field("Signature"))
    else {
        return Some(malformed("it needs three components: `Credential`, `SignedHeaders` and `Signature`"));
    };
    unreadable_credential(credential, headers, signature.len() == SIGNATURE_CHARS, region)
}

/// Hexadecimal digits of a signature; for any other one the codec has the better answer, that it does not match.
const SIGNATURE_CHARS: usize = 64;

fn unreadable_credential(credential: &str, headers: &HeaderMap, whole: bool, region: &Region) -> Option<S3Error> {
    let scope: Vec<&str> = credential.split('/').collect();
    let [key, day, place, _, "aws4_request"] = scope.as_slice() else {
        return Some(malformed("the credential must be `ACCESSKEY/YYYYMMDD/REGION/SERVICE/aws4_request`"));
    };
    if key.is_empty() {
        return Some(malformed("the access key of the credential is empty: set AWS_ACCESS_KEY_ID"));
    }
    if day.len() != 8 || !day.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(malformed("the day of the credential must be `YYYYMMDD`"));
    }
    let date = headers.get("x-amz-date").and_then(|value| value.to_str().ok()).unwrap_or_default();
    if protocols::sigv4::amz_date(date).is_none() {
        let message = "the header `x-amz-date` is missing or no time such as 20261122T040000Z: a signature needs one";
        return Some(refuse(S3ErrorCode::AccessDenied, message));
    }
    if whole && !date.starts_with(day) {
        return Some(malformed("the day of the credential is not the day of `x-amz-date`"));
    }
    elsewhere(place, region)
}

fn unreadable_payload(headers: &HeaderMap) -> Option<S3Error> {
    let mut given = headers.get_all("x-amz-content-sha256").iter();
    let (Some(value), None) = (given.next(), given.next()) else { return None };
    let text = value.to_str().unwrap_or_default();
    let read = PAYLOADS.contains(&text) || direct::declared(headers).is_some();
    let message = "`x-amz-content-sha256` must be the digest of the body in 64 lower-case hexadecimal digits, \
                   UNSIGNED-PAYLOAD or a word for an `aws-chunked` body";
    (!read).then(|| argument("x-amz-content-sha256", text, message))
}

fn malformed(what: &str) -> S3Error {
    refuse(S3ErrorCode::AuthorizationHeaderMalformed, format!("the header `Authorization` is malformed: {what}"))
}
