//! Fuzzes key sets: what is read is written and read the same way again.

#![no_main]

use libfuzzer_sys::fuzz_target;
use protocols::jwt::KeySet;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(set) = KeySet::parse(bytes) {
        assert_eq!(KeySet::parse(set.to_json().to_string().as_bytes()).ok(), Some(set));
    }
});
