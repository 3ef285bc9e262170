//! Fuzzes checkpoints: nothing that nobody signed is believed.

#![no_main]

use ledger::VerifiedCheckpoint;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _refused = VerifiedCheckpoint::verify(bytes, &[]);
});
