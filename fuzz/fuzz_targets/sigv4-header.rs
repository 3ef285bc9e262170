//! Fuzzes the Authorization header of SigV4.

#![no_main]

use http::{HeaderMap, HeaderValue};
use libfuzzer_sys::fuzz_target;
use protocols::sigv4::{Parts, Presented};

fuzz_target!(|bytes: &[u8]| {
    let Ok(value) = HeaderValue::from_bytes(bytes) else { return };
    let mut headers = HeaderMap::new();
    headers.insert("host", HeaderValue::from_static("sts.example"));
    headers.insert("x-amz-date", HeaderValue::from_static("20150830T123600Z"));
    headers.insert("authorization", value);
    let parts = Parts { method: "POST", path: "/", query: "", headers: &headers, authority: None };
    drop(Presented::parse(&parts));
});
