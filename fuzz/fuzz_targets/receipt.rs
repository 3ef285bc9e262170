//! Fuzzes receipts.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| access::fuzz::receipt(bytes));
