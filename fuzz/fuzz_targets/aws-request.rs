//! Fuzzes heads of requests to the AWS edge.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| aws::fuzz::request(bytes));
