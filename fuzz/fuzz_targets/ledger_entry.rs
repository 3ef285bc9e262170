//! Fuzzes ledger entries.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| ledger::fuzz::entry(bytes));
