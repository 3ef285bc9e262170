//! Fuzzes questions to the simulator: read and answered.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    drop(policy::simulate::simulate(&String::from_utf8_lossy(bytes)));
});
