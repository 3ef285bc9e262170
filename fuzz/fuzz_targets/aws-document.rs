//! Fuzzes XML documents of S3.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| aws::fuzz::document(bytes));
