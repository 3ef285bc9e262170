//! Fuzzes names of tiles.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| ledger::fuzz::tile_name(bytes));
