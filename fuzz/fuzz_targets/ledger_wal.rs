//! Fuzzes write-ahead files.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| ledger::fuzz::write_ahead_file(bytes));
