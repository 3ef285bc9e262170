//! Fuzzes proof files: what is read has one form.

#![no_main]

use ledger::TlogProof;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(proof) = TlogProof::decode(bytes) {
        assert_eq!(proof.encode(), bytes);
        let _refused = proof.verify(b"entry", &[]);
    }
});
