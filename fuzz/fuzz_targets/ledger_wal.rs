//! Fuzzes write-ahead files: a scan ends and never goes back.

#![no_main]

use ledger::{Origin, wal};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(origin) = "galen.example/fuzz".parse::<Origin>() else { return };
    assert!(wal::scan(bytes, &origin, 40).next >= 40);
});
