//! Fuzzes names, ranges and checksums.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| governance::fuzz::names(bytes));
