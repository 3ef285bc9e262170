//! Fuzzes bundles of entries: what is whole has one form.

#![no_main]

use ledger::{Bundle, push_entry};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut again = Vec::new();
    if Bundle::new(bytes).all(|entry| entry.and_then(|entry| push_entry(&mut again, entry)).is_ok()) {
        assert_eq!(again, bytes);
    }
});
