//! Fuzzes what session tokens seal.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| access::fuzz::session(bytes));
