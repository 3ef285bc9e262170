//! Fuzzes tokens: reading what nobody verified never panics.

#![no_main]

use libfuzzer_sys::fuzz_target;
use protocols::jwt::Unverified;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(text) = std::str::from_utf8(bytes)
        && let Ok(token) = Unverified::parse(text)
    {
        let _name = token.key_id();
    }
});
