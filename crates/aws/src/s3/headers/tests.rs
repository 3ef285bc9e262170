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

/// Each of these was read by some operation, and ignored by this one.
#[test]
fn a_header_that_another_operation_reads_is_an_error() {
    for (operation, header) in [
        ("PutObject", ("content-range", "bytes 0-9/10")),
        ("PutObject", ("range", "bytes=0-9")),
        ("PutObject", ("if-unmodified-since", "Wed, 01 Jan 2020 00:00:00 GMT")),
        ("PutObject", ("x-amz-copy-source-if-match", "\"x\"")),
        ("PutObject", ("x-amz-copy-source-range", "bytes=0-1")),
        ("PutObject", ("x-amz-mp-object-size", "3")),
        ("PutObject", ("x-amz-checksum-type", "COMPOSITE")),
        ("PutObject", ("x-amz-te", "append-md5")),
        ("PutObject", ("x-amz-metadata-directive", "REPLACE")),
        ("PutObject", ("x-amz-tagging-directive", "REPLACE")),
        ("DeleteObject", ("if-unmodified-since", "Wed, 01 Jan 2020 00:00:00 GMT")),
        ("DeleteObject", ("if-none-match", "*")),
        ("CopyObject", ("x-amz-copy-source-range", "bytes=0-1")),
        ("CopyObject", ("x-amz-checksum-crc32", "AAAAAA==")),
        ("CopyObject", ("content-md5", "AAAA")),
        ("UploadPart", ("if-none-match", "*")),
        ("UploadPart", ("if-match", "\"x\"")),
        ("UploadPart", ("x-amz-tagging", "a=b")),
        ("UploadPart", ("x-amz-meta-a", "b")),
        ("CompleteMultipartUpload", ("x-amz-tagging", "a=b")),
        ("CompleteMultipartUpload", ("x-amz-meta-a", "b")),
        ("CompleteMultipartUpload", ("if-unmodified-since", "Wed, 01 Jan 2020 00:00:00 GMT")),
        ("CreateMultipartUpload", ("x-amz-copy-source", "a/b")),
        ("CreateMultipartUpload", ("x-amz-checksum-crc32", "AAAAAA==")),
        ("CreateMultipartUpload", ("if-none-match", "*")),
        ("CreateMultipartUpload", ("if-match", "\"x\"")),
        ("PutObject", ("x-amz-checksum-mode", "ENABLED")),
        ("GetObjectTagging", ("if-match", "\"x\"")),
        ("GetObjectAttributes", ("if-none-match", "\"x\"")),
        ("PutObjectTagging", ("if-match", "\"x\"")),
        ("ListObjectsV2", ("range", "bytes=0-1")),
    ] {
        assert_eq!(judge(operation, "", &[header]), Err(S3ErrorCode::NotImplemented), "{operation} {header:?}");
    }
}

/// A name that is misspelt in the table would refuse what is offered.
#[test]
fn the_table_of_headers_names_operations_that_are_offered() {
    for (header, operations) in ASKS {
        for operation in *operations {
            let row = table::find(operation).unwrap_or_else(|| panic!("{header}: there is no {operation}"));
            assert!(matches!(row.state, State::Done { .. }), "{header}: {operation} is not offered");
        }
    }
    for (header, _) in FIXED.iter().filter(|(header, _)| !ALWAYS.contains(header)) {
        assert!(ASKS.iter().any(|(name, _)| name == header), "{header}");
    }
}

#[test]
fn an_unknown_parameter_does_not_become_another_operation() {
    assert_eq!(judge("CreateBucket", "someSubresource", &[]), Err(S3ErrorCode::NotImplemented));
    assert_eq!(judge("DeleteObject", "x-amz-acl=public-read", &[]), Err(S3ErrorCode::NotImplemented));
    assert_eq!(judge("PutObject", "uploadID=1", &[]), Err(S3ErrorCode::NotImplemented));
}
