//! XML and JSON bodies, read before the codec reads them: their checksums (`Content-MD5`, `x-amz-checksum-*`), which the codec
//! reads past, and their shape. A caller that sends a document wants a changed one refused, not half obeyed.

pub(crate) mod shape;

use access::bodies::{Share, Spent};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use crc_fast::CrcAlgorithm;
use http::{HeaderMap, Method, request};
use md5::Digest as _;
use s3s::{S3Error, S3ErrorCode};
use std::time::Duration;

use crate::direct;
use crate::s3::{XML_BYTES_MAX, other_body, refuse};
use crate::whole::{self, Unread};

/// Longest wait for a document.
const READ_TIMEOUT: Duration = Duration::from_secs(30);

/// Subresources whose body is a document.
const DOCUMENTS: &[&str] = &[
    "delete",
    "policy",
    "cors",
    "tagging",
    "versioning",
    "publicAccessBlock",
    "encryption",
    "ownershipControls",
    "acl",
];

/// A document as it came, in the request's extensions.
#[derive(Clone)]
pub(crate) struct Document(pub(crate) Bytes);

type Sum = fn(&[u8]) -> Vec<u8>;

fn crc(algorithm: CrcAlgorithm, bytes: usize, body: &[u8]) -> Vec<u8> {
    let sum = crc_fast::checksum(algorithm, body).to_be_bytes();
    sum.get(8_usize.saturating_sub(bytes)..).unwrap_or_default().to_vec()
}

/// Each header and what it holds, before Base64.
const SUMS: &[(&str, Sum)] = &[
    ("content-md5", |body| md5::Md5::digest(body).to_vec()),
    ("x-amz-checksum-crc32", |body| crc(CrcAlgorithm::Crc32IsoHdlc, 4, body)),
    ("x-amz-checksum-crc32c", |body| crc(CrcAlgorithm::Crc32Iscsi, 4, body)),
    ("x-amz-checksum-crc64nvme", |body| crc(CrcAlgorithm::Crc64Nvme, 8, body)),
    ("x-amz-checksum-sha1", |body| crypto::sha1(body).to_vec()),
    ("x-amz-checksum-sha256", |body| crypto::sha256(body).0.to_vec()),
];

/// What a request carries instead of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Carries {
    /// A document whose checksums are those of the body.
    Document,
    /// The list of an upload's parts, beside checksums of the object.
    Parts,
}

/// Whether the request carries a document; `bucket` when its path names a bucket alone.
pub(crate) fn carried(parts: &request::Parts, bucket: bool) -> Option<Carries> {
    let query = parts.uri.query().unwrap_or_default();
    let names =
        |wanted: &[&str]| query.split('&').any(|pair| wanted.contains(&pair.split('=').next().unwrap_or_default()));
    let (put, post) = (parts.method == Method::PUT, parts.method == Method::POST);
    if (put || post) && (names(DOCUMENTS) || (put && bucket)) {
        return Some(Carries::Document);
    }
    (post && names(&["uploadId"])).then_some(Carries::Parts)
}

/// Reads the document, bounded in size and time, and compares every checksum of it.
///
/// # Errors
/// `MaxMessageLengthExceeded`, `RequestTimeout`, `IncompleteBody`, `SlowDown`, `XAmzContentSHA256Mismatch`, `InvalidDigest`, `BadDigest`.
pub(crate) async fn read<B>(carries: Carries, headers: &HeaderMap, body: B, held: &Share) -> Result<Bytes, S3Error>
where
    B: http_body::Body<Data = Bytes, Error: Into<Box<dyn std::error::Error + Send + Sync>>> + Send + 'static,
{
    let bytes = whole::read(body, XML_BYTES_MAX, READ_TIMEOUT, held).await.map_err(|unread| match unread {
        Unread::TooLarge => {
            let message = format!("the document is larger than {XML_BYTES_MAX} bytes");
            refuse(S3ErrorCode::MaxMessageLengthExceeded, message)
        }
        Unread::Cut => refuse(S3ErrorCode::IncompleteBody, "the body did not arrive whole"),
        Unread::Late => refuse(S3ErrorCode::RequestTimeout, "the body did not arrive in time"),
        Unread::Spent => refuse(S3ErrorCode::SlowDown, Spent.to_string()),
    })?;
    signed(headers, &bytes)?;
    check(carries, headers, &bytes)?;
    Ok(bytes)
}

/// The digest that the signature covers; what is no digest is judged by the codec.
fn signed(headers: &HeaderMap, body: &[u8]) -> Result<(), S3Error> {
    match direct::declared(headers) {
        Some(digest) if digest != crypto::sha256(body) => Err(other_body()),
        _ => Ok(()),
    }
}

fn check(carries: Carries, headers: &HeaderMap, body: &[u8]) -> Result<(), S3Error> {
    // Beside a list of parts, every checksum but HTTP's own is the object's.
    let of_body = |name: &str| carries == Carries::Document || name == "content-md5";
    for (name, sum) in SUMS.iter().filter(|(name, _)| of_body(name)) {
        for value in headers.get_all(*name) {
            let wanted = STANDARD
                .decode(value.as_bytes())
                .map_err(|_| refuse(S3ErrorCode::InvalidDigest, format!("the header `{name}` is not Base64")))?;
            if wanted != sum(body) {
                return Err(refuse(
                    S3ErrorCode::BadDigest,
                    format!("the body is not the one that `{name}` was made from"),
                ));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
