//! Fuzzes token and device requests.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| protocols::fuzz::oidc_token(bytes));
