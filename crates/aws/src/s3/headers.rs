//! What a request may ask by header or parameter. Anything that would be ignored is refused instead: a caller who asks for
//! object lock or a customer key and gets neither must hear it.

use http::{HeaderMap, Uri};
use s3s::{S3Error, S3ErrorCode, S3Result};

use super::error::argument;
use super::table::{Row, State};

/// Headers `x-amz-*` that every operation reads, or that only describe the message.
const ALWAYS: &[&str] = &[
    "x-amz-api-version",
    "x-amz-content-sha256",
    "x-amz-date",
    "x-amz-expected-bucket-owner",
    "x-amz-sdk-checksum-algorithm",
    "x-amz-security-token",
    "x-amz-user-agent",
];

const READS: &[&str] = &["GetObject", "HeadObject"];
/// Where an object gets what is told beside its bytes.
const DESCRIBES: &[&str] = &["CopyObject", "CreateMultipartUpload", "PutObject"];
const COPIES: &[&str] = &["CopyObject", "UploadPartCopy"];
/// Headers of an `aws-chunked` body, and the operations that read one.
const CHUNKED: &[&str] = &["x-amz-decoded-content-length", "x-amz-trailer"];
const STREAMING: &[&str] = &["PutObject", "UploadPart"];
/// What carries bytes that a checksum can be of: an object's, or a document's.
const SUMMED: &[&str] = &[
    "CompleteMultipartUpload",
    "CreateBucket",
    "DeleteObjects",
    "PutBucketAcl",
    "PutBucketCors",
    "PutBucketEncryption",
    "PutBucketOwnershipControls",
    "PutBucketPolicy",
    "PutBucketVersioning",
    "PutObject",
    "PutObjectAcl",
    "PutObjectTagging",
    "PutPublicAccessBlock",
    "UploadPart",
];

/// Headers that ask for something, and the operations that do it.
const ASKS: &[(&str, &[&str])] = &[
    ("content-md5", SUMMED),
    ("content-range", &[]),
    ("if-match", &["CompleteMultipartUpload", "CopyObject", "DeleteObject", "GetObject", "HeadObject", "PutObject"]),
    ("if-modified-since", READS),
    ("if-none-match", &["CompleteMultipartUpload", "CopyObject", "GetObject", "HeadObject", "PutObject"]),
    ("if-range", READS),
    ("if-unmodified-since", READS),
    ("range", READS),
    (
        "x-amz-acl",
        &["CopyObject", "CreateBucket", "CreateMultipartUpload", "PutBucketAcl", "PutObject", "PutObjectAcl"],
    ),
    ("x-amz-bucket-object-lock-enabled", &["CreateBucket"]),
    ("x-amz-checksum-algorithm", &["CopyObject", "CreateMultipartUpload", "PutObject", "UploadPart"]),
    ("x-amz-checksum-crc32", SUMMED),
    ("x-amz-checksum-crc32c", SUMMED),
    ("x-amz-checksum-crc64nvme", SUMMED),
    ("x-amz-checksum-mode", READS),
    ("x-amz-checksum-sha1", SUMMED),
    ("x-amz-checksum-sha256", SUMMED),
    ("x-amz-checksum-type", &["CompleteMultipartUpload", "CreateMultipartUpload"]),
    ("x-amz-copy-source", COPIES),
    ("x-amz-copy-source-if-match", COPIES),
    ("x-amz-copy-source-if-modified-since", COPIES),
    ("x-amz-copy-source-if-none-match", COPIES),
    ("x-amz-copy-source-if-unmodified-since", COPIES),
    ("x-amz-copy-source-range", &["UploadPartCopy"]),
    ("x-amz-decoded-content-length", STREAMING),
    ("x-amz-max-parts", &["GetObjectAttributes"]),
    ("x-amz-metadata-directive", &["CopyObject"]),
    ("x-amz-mp-object-size", &["CompleteMultipartUpload"]),
    ("x-amz-object-attributes", &["GetObjectAttributes"]),
    ("x-amz-object-ownership", &["CreateBucket"]),
    ("x-amz-part-number-marker", &["GetObjectAttributes"]),
    ("x-amz-server-side-encryption", DESCRIBES),
    ("x-amz-source-expected-bucket-owner", COPIES),
    ("x-amz-storage-class", DESCRIBES),
    ("x-amz-tagging", DESCRIBES),
    ("x-amz-tagging-directive", &["CopyObject"]),
    // The willingness to take a trailer, which need not be sent.
    ("x-amz-te", &["GetObject"]),
    ("x-amz-trailer", STREAMING),
];

/// Headers whose value must be one of these, because only then is nothing ignored.
const FIXED: &[(&str, &[&str])] = &[
    ("x-amz-acl", &["private", "bucket-owner-full-control"]),
    ("x-amz-api-version", &["2006-03-01"]),
    ("x-amz-bucket-object-lock-enabled", &["false", "False"]),
    ("x-amz-object-ownership", &["BucketOwnerEnforced"]),
    ("x-amz-server-side-encryption", &["AES256", "aws:kms"]),
    ("x-amz-storage-class", &["STANDARD"]),
];

/// Parameters of a signature, and those that presigners of SDKs add without asking for anything.
const QUERY_ALWAYS: &[&str] = &[
    "x-amz-algorithm",
    "x-amz-credential",
    "x-amz-date",
    "x-amz-expires",
    "x-amz-security-token",
    "x-amz-signature",
    "x-amz-signedheaders",
    "x-amz-checksum-mode",
    "x-amz-content-sha256",
    "x-amz-sdk-checksum-algorithm",
    "x-amz-user-agent",
];

/// # Errors
/// `NotImplemented` naming the header or parameter.
pub(super) fn check(row: &Row, uri: &Uri, headers: &HeaderMap) -> S3Result<()> {
    if !STREAMING.contains(&row.name)
        && let Some(name) = CHUNKED.iter().find(|name| headers.contains_key(**name))
    {
        return Err(unsupported("header", name, "send this document whole, with its checksum in a header"));
    }
    for name in headers.keys().map(http::HeaderName::as_str) {
        if name.starts_with("x-amz-grant-") {
            let message =
                format!("access is given by grants of this installation and ACLs are not used: remove `{name}`");
            return Err(S3Error::with_message(S3ErrorCode::AccessControlListNotSupported, message));
        }
        if !reads(row.name, name) {
            return Err(unsupported("header", name, &format!("{} does not read it, remove it", row.name)));
        }
    }
    for (name, allowed) in FIXED {
        for value in headers.get_all(*name) {
            if !value.to_str().is_ok_and(|value| allowed.contains(&value)) {
                return Err(fixed(name, value, allowed));
            }
        }
    }
    let State::Done { query, .. } = row.state else { return Ok(()) };
    for pair in uri.query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
        let name = pair.split('=').next().unwrap_or_default();
        let name = percent_encoding::percent_decode_str(name).decode_utf8_lossy();
        let lower = name.to_ascii_lowercase();
        let signature = QUERY_ALWAYS.contains(&lower.as_str());
        // S3 sets parameters that start with `x-` aside for callers' own log analysis.
        let own = lower.starts_with("x-") && !lower.starts_with("x-amz-");
        if !signature && !own && !query.contains(&name.as_ref()) {
            // AWS's SDK for JavaScript writes the checksum of an empty body into every URL for a PUT.
            let presigned = lower.starts_with("x-amz-checksum-");
            let what =
                if presigned { "presign with `requestChecksumCalculation: 'WHEN_REQUIRED'`" } else { "remove it" };
            return Err(unsupported("parameter", &name, what));
        }
    }
    Ok(())
}

/// Whether an operation does what a header asks for; true of headers that ask for nothing.
fn reads(operation: &str, header: &str) -> bool {
    let asks = ASKS.iter().find(|(name, _)| *name == header).map(|(_, operations)| *operations);
    match asks {
        Some(operations) => operations.contains(&operation),
        None if header.starts_with("x-amz-meta-") => DESCRIBES.contains(&operation),
        None => !header.starts_with("x-amz-") || ALWAYS.contains(&header),
    }
}

fn fixed(name: &str, value: &http::HeaderValue, allowed: &[&str]) -> S3Error {
    let what = format!("send {} or leave it out", allowed.join(" or "));
    match name {
        "x-amz-acl" => S3Error::with_message(
            S3ErrorCode::AccessControlListNotSupported,
            format!("access is given by grants and ACLs are not used: for `x-amz-acl` {what}"),
        ),
        "x-amz-storage-class" => S3Error::with_message(
            S3ErrorCode::InvalidStorageClass,
            format!("there is one storage class: for `x-amz-storage-class` {what}"),
        ),
        "x-amz-server-side-encryption" if value != "aws:kms:dsse" => argument(
            "x-amz-server-side-encryption",
            value.to_str().unwrap_or_default(),
            format!("the encryption method is not one that is offered: for `{name}` {what}"),
        ),
        _ => unsupported("value of the header", name, &what),
    }
}

fn unsupported(kind: &str, name: &str, what: &str) -> S3Error {
    let shown: String = name.chars().take(64).collect();
    S3Error::with_message(
        S3ErrorCode::NotImplemented,
        format!("the {kind} `{shown}` asks for something that is not supported: {what}"),
    )
}

#[cfg(test)]
mod tests;
