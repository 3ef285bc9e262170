//! Fuzzes ledger entries: what is read is written and read the same way again.

#![no_main]

use ledger::Entry;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(entry) = Entry::decode(bytes)
        && let Ok(written) = entry.encode()
    {
        assert_eq!(Entry::decode(&written).ok(), Some(entry));
    }
});
