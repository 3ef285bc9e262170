//! Fuzzes requests signed with SigV4.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| protocols::fuzz::sigv4_request(bytes));
