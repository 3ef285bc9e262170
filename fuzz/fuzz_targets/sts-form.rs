//! Fuzzes forms of STS.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| protocols::fuzz::sts_form(bytes));
