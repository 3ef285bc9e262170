//! Fuzzes token and device requests.

#![no_main]

use libfuzzer_sys::fuzz_target;
use protocols::oidc::{DeviceRequest, TokenRequest};

fuzz_target!(|bytes: &[u8]| {
    drop(TokenRequest::parse(bytes, None).map_err(|error| error.description()));
    drop(DeviceRequest::parse(bytes, std::str::from_utf8(bytes).ok()));
});
