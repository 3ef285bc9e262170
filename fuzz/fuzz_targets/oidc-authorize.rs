//! Fuzzes authorisation requests.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| protocols::fuzz::oidc_authorize(bytes));
