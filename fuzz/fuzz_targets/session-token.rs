//! Fuzzes session tokens.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| access::fuzz::session_token(bytes));
