//! Fuzzes bundles of entries.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| ledger::fuzz::bundle(bytes));
