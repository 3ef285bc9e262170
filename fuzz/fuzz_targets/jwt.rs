//! Fuzzes tokens.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| protocols::fuzz::jwt(bytes));
