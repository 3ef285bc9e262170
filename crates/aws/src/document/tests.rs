//! Each checksum against its known value; a changed document is refused.

use super::*;
use http::{HeaderName, HeaderValue};

fn judge(name: &'static str, value: &'static str, body: &str) -> Result<(), S3ErrorCode> {
    let mut headers = HeaderMap::new();
    headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    check(Carries::Document, &headers, body.as_bytes()).map_err(|error| error.code().clone())
}

#[test]
fn known_values_agree_and_others_do_not() {
    // The check values of the algorithms over "123456789".
    for (name, value) in [
        ("x-amz-checksum-crc32", "y/Q5Jg=="),
        ("x-amz-checksum-crc32c", "4waSgw=="),
        ("x-amz-checksum-crc64nvme", "rosUhgp5mIg="),
    ] {
        assert_eq!(judge(name, value, "123456789"), Ok(()), "{name}");
        assert_eq!(judge(name, value, "12345678"), Err(S3ErrorCode::BadDigest), "{name}");
    }
    assert_eq!(judge("content-md5", "1B2M2Y8AsgTpgAmY7PhCfg==", ""), Ok(()));
    assert_eq!(judge("x-amz-checksum-sha1", "2jmj7l5rSw0yVb/vlWAYkK/YBwk=", ""), Ok(()));
    assert_eq!(judge("x-amz-checksum-sha256", "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=", ""), Ok(()));
    assert_eq!(judge("content-md5", "*", ""), Err(S3ErrorCode::InvalidDigest));
}
