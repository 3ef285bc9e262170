//! Checksums of XML and JSON bodies (`Content-MD5`, `x-amz-checksum-*`), which the codec reads past. A caller that sends one
//! wants a changed document refused, not half obeyed.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use crc_fast::CrcAlgorithm;
use http::{HeaderMap, Method, request};
use http_body_util::{BodyExt as _, Limited};
use md5::Digest as _;
use s3s::{S3Error, S3ErrorCode};
use std::time::Duration;

use crate::s3::{XML_BYTES_MAX, refuse};

/// Longest wait for a document.
const READ_TIMEOUT: Duration = Duration::from_secs(30);

/// Subresources whose body is a document.
const DOCUMENTS: &[&str] = &["delete", "policy", "cors", "tagging", "versioning", "publicAccessBlock"];

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

/// Whether the request carries a document with a checksum beside it.
pub(crate) fn has_checksum(parts: &request::Parts) -> bool {
    let writes = parts.method == Method::POST || parts.method == Method::PUT;
    let document = parts.uri.query().is_some_and(|query| {
        query.split('&').any(|pair| DOCUMENTS.contains(&pair.split('=').next().unwrap_or_default()))
    });
    writes && document && SUMS.iter().any(|(name, _)| parts.headers.contains_key(*name))
}

/// Reads the document, bounded in size and time, and compares every checksum.
///
/// # Errors
/// `MaxMessageLengthExceeded`, `RequestTimeout`, `IncompleteBody`, `InvalidDigest`, `BadDigest`.
pub(crate) async fn read<B>(headers: &HeaderMap, body: B) -> Result<Bytes, S3Error>
where
    B: http_body::Body<Data = Bytes, Error: Into<Box<dyn std::error::Error + Send + Sync>>> + Send + 'static,
{
    let reading = std::pin::pin!(Limited::new(body, XML_BYTES_MAX).collect());
    let bytes = match tokio::time::timeout(READ_TIMEOUT, reading).await {
        Ok(Ok(whole)) => whole.to_bytes(),
        Ok(Err(error)) if error.is::<http_body_util::LengthLimitError>() => {
            let message = format!("the document is larger than {XML_BYTES_MAX} bytes");
            return Err(refuse(S3ErrorCode::MaxMessageLengthExceeded, message));
        }
        Ok(Err(_)) => return Err(refuse(S3ErrorCode::IncompleteBody, "the body did not arrive whole")),
        Err(_) => return Err(refuse(S3ErrorCode::RequestTimeout, "the body did not arrive in time")),
    };
    check(headers, &bytes)?;
    Ok(bytes)
}

fn check(headers: &HeaderMap, body: &[u8]) -> Result<(), S3Error> {
    for (name, sum) in SUMS {
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
