//! Nothing that a caller asks for is silently ignored.

use super::*;
use crate::s3::table;
use http::{HeaderName, HeaderValue};

fn judge(operation: &str, query: &str, pairs: &[(&'static str, &'static str)]) -> Result<(), S3ErrorCode> {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    let uri: Uri = format!("/bucket/key?{query}").parse().unwrap();
    check(table::find(operation).unwrap(), &uri, &headers).map_err(|error| error.code().clone())
}

#[test]
fn what_would_be_ignored_is_an_error() {
    for header in [
        ("x-amz-server-side-encryption-customer-algorithm", "AES256"),
        ("x-amz-server-side-encryption-aws-kms-key-id", "arn:aws:kms:x"),
        ("x-amz-server-side-encryption", "aws:kms:dsse"),
        ("x-amz-object-lock-mode", "COMPLIANCE"),
        ("x-amz-object-lock-legal-hold", "ON"),
        ("x-amz-bypass-governance-retention", "true"),
        ("x-amz-request-payer", "requester"),
        ("x-amz-website-redirect-location", "/x"),
        ("x-amz-write-offset-bytes", "5"),
        ("x-amz-checksum-sha512", "x"),
        ("x-amz-unheard-of", "1"),
    ] {
        assert_eq!(judge("PutObject", "", &[header]), Err(S3ErrorCode::NotImplemented), "{header:?}");
    }
    let acl = judge("PutObject", "", &[("x-amz-acl", "public-read")]);
    assert_eq!(acl, Err(S3ErrorCode::AccessControlListNotSupported));
    let granted = judge("PutObject", "", &[("x-amz-grant-read", "id=x")]);
    assert_eq!(granted, Err(S3ErrorCode::AccessControlListNotSupported));
    let unheard = judge("PutObject", "", &[("x-amz-server-side-encryption", "aes:123")]);
    assert_eq!(unheard, Err(S3ErrorCode::InvalidArgument));
    let class = judge("PutObject", "", &[("x-amz-storage-class", "GLACIER")]);
    assert_eq!(class, Err(S3ErrorCode::InvalidStorageClass));
}

#[test]
fn what_is_read_or_already_true_passes() {
    let put = [
        ("x-amz-acl", "bucket-owner-full-control"),
        ("x-amz-storage-class", "STANDARD"),
        ("x-amz-server-side-encryption", "AES256"),
        ("x-amz-meta-anything", "x"),
        ("x-amz-checksum-crc32", "x"),
    ];
    assert_eq!(judge("PutObject", "x-id=PutObject", &put), Ok(()));
    assert_eq!(judge("GetObject", "versionId=1&response-content-type=a&x-user=me&X-Amz-Signature=1", &[]), Ok(()));
}

#[test]
fn an_unknown_parameter_does_not_become_another_operation() {
    assert_eq!(judge("CreateBucket", "someSubresource", &[]), Err(S3ErrorCode::NotImplemented));
    assert_eq!(judge("DeleteObject", "x-amz-acl=public-read", &[]), Err(S3ErrorCode::NotImplemented));
    assert_eq!(judge("PutObject", "uploadID=1", &[]), Err(S3ErrorCode::NotImplemented));
}
