//! The corpora and their mutations, replayed.

use super::*;
use replay::{corpus, replay};

#[path = "../../../../fuzz/replay.rs"]
mod replay;

#[test]
fn entries_and_bundles() {
    replay("ledger_entry", entry);
    replay("ledger_bundle", bundle);
}

#[test]
fn checkpoints_and_proofs() {
    replay("ledger_checkpoint", checkpoint);
    replay("ledger_proof", proof);
}

#[test]
fn files_and_their_names() {
    replay("ledger_wal", write_ahead_file);
    replay("ledger_tile_name", tile_name);
}

/// Seeds are released formats: what was once valid stays valid.
#[test]
fn seeds_are_valid() {
    for note in corpus("ledger_checkpoint") {
        assert!(VerifiedCheckpoint::verify(&note, &keys()).is_ok(), "a seed must start out valid");
    }
    let origin = origin().unwrap();
    assert!(corpus("ledger_proof").iter().all(|text| TlogProof::decode(text).is_ok()));
    assert!(corpus("ledger_entry").iter().all(|text| Entry::decode(text).is_ok()));
    assert!(corpus("ledger_wal").iter().all(|bytes| !wal::scan(bytes, &origin, 40).entries.is_empty()));
    assert!(corpus("ledger_bundle").iter().all(|bytes| Bundle::new(bytes).all(|entry| entry.is_ok())));
}
