//! Fuzzes names of tiles: one name for one tile.

#![no_main]

use ledger::layout::TileName;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(text) = std::str::from_utf8(bytes)
        && let Some(name) = TileName::from_path(text)
    {
        assert_eq!(name.path(), text);
    }
});
