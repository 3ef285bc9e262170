//! Checkpoints and proofs: everything true is provable, nothing else is accepted.

use proptest::prelude::*;
use std::sync::OnceLock;

use super::{TestSigner, key, log_of, opaque, origin};
use crate::{
    CheckpointSigner as _, Error, LogFiles as _, LogKey, MemoryFiles, Origin, TlogProof, Tree, TreeHead,
    VerifiedCheckpoint, check_consistency, check_inclusion, layout, leaf_hash, prove_consistency, prove_inclusion,
};

const SIZE: usize = 1400;

fn log() -> &'static MemoryFiles {
    static LOG: OnceLock<MemoryFiles> = OnceLock::new();
    LOG.get_or_init(|| log_of(&opaque(SIZE), &[]))
}

fn head_at(size: usize) -> TreeHead {
    let mut tree = Tree::new();
    opaque(size).iter().for_each(|entry| tree.append(leaf_hash(entry)));
    TreeHead { origin: origin(), size: size as u64, root: tree.root() }
}

#[test]
fn a_checkpoint_is_signed_and_verified() {
    let head = head_at(5);
    let note = head.sign(&TestSigner::new(7)).unwrap();
    let text = String::from_utf8(note.clone()).unwrap();
    assert!(text.starts_with("galen.example/test/node-1\n5\n"), "{text}");
    assert_eq!(VerifiedCheckpoint::verify(&note, &[key()]).unwrap().head(), &head);

    // The note library's own verifier, which any foreign tool resembles, accepts it.
    let verifier = signed_note::StandardVerifier::new(&key().to_string()).unwrap();
    let parsed = signed_note::Note::from_bytes(&note).unwrap();
    parsed.verify(&signed_note::VerifierList::new(vec![Box::new(verifier)])).unwrap();
}

#[test]
fn foreign_keys_and_names_are_refused() {
    let note = head_at(5).sign(&TestSigner::new(7)).unwrap();
    let stranger = LogKey::new(origin(), TestSigner::new(8).public_key());
    assert!(matches!(VerifiedCheckpoint::verify(&note, &[stranger]), Err(Error::Unsigned)));
    let other_log = LogKey::new("galen.example/other".parse().unwrap(), TestSigner::new(7).public_key());
    assert!(matches!(VerifiedCheckpoint::verify(&note, &[other_log]), Err(Error::Unsigned)));
    assert!(VerifiedCheckpoint::verify(&note, &[]).is_err());
    for index in 0..note.len() {
        for bit in 0..8 {
            let mut altered = note.clone();
            altered[index] ^= 1 << bit;
            assert!(VerifiedCheckpoint::verify(&altered, &[key()]).is_err(), "bit {bit} of byte {index}");
        }
    }
}

#[test]
fn keys_and_origins_have_one_spelling() {
    let text = key().to_string();
    assert_eq!(text.parse::<LogKey>().unwrap(), key());
    let (name, rest) = text.split_once('+').unwrap();
    for bad in [
        String::new(),
        name.to_owned(),
        format!("{name}+00000000+AAAA"),
        format!("other+{rest}"),
        text.to_uppercase(),
        format!("{text} "),
        text.strip_suffix('=').map(str::to_owned).unwrap_or_default(),
    ] {
        assert!(bad.parse::<LogKey>().is_err(), "{bad}");
    }
    for bad in ["", "a b", "a+b", "a\nb", "a\u{7f}", &"x".repeat(201)] {
        assert!(bad.parse::<Origin>().is_err(), "{bad:?}");
    }
}

#[test]
fn a_proof_file_stands_alone() {
    let proof = TlogProof::prove(log(), &[key()], 700).unwrap();
    let text = proof.encode();
    assert!(text.starts_with(b"c2sp.org/tlog-proof@v1\nindex 700\n"));
    let read = TlogProof::decode(&text).unwrap();
    assert_eq!(read, proof);
    assert_eq!(read.verify(&opaque(SIZE)[700], &[key()]).unwrap().size, SIZE as u64);
    assert!(matches!(read.verify(&opaque(SIZE)[701], &[key()]), Err(Error::NotProven)));
    let with_extra = TlogProof { extra: Some(b"id".to_vec()), ..proof };
    assert_eq!(TlogProof::decode(&with_extra.encode()).unwrap(), with_extra);
    assert!(matches!(TlogProof::prove(log(), &[key()], SIZE as u64), Err(Error::OutsideTree { .. })));
}

#[test]
fn any_altered_byte_spoils_a_proof_file() {
    let text = TlogProof::prove(log(), &[key()], 3).unwrap().encode();
    let entry = &opaque(4)[3];
    for index in 0..text.len() {
        let mut altered = text.clone();
        altered[index] ^= 1;
        let accepted = TlogProof::decode(&altered).is_ok_and(|proof| proof.verify(entry, &[key()]).is_ok());
        assert!(!accepted, "byte {index}");
    }
}

#[test]
fn proofs_read_only_authentic_tiles() {
    let mut files = log().clone();
    let tile = "tile/0/002";
    files.0.get_mut(tile).unwrap()[0] ^= 1;
    let head = head_at(SIZE);
    let spoilt = prove_inclusion(&files, &head, 600);
    assert!(matches!(spoilt, Err(Error::BadTile { .. })), "{spoilt:?}");
    files.0.remove(tile);
    assert!(matches!(prove_inclusion(&files, &head, 600), Err(Error::BadTile { .. })));
    assert!(prove_inclusion(&files, &head, 10).is_ok(), "other tiles are not concerned");
}

#[test]
fn a_consistency_proof_needs_one_log() {
    let (old, new) = (head_at(100), head_at(SIZE));
    let proof = prove_consistency(log(), &new, 100).unwrap();
    check_consistency(&old, &new, &proof).unwrap();
    let elsewhere = TreeHead { origin: "galen.example/other".parse().unwrap(), ..old.clone() };
    assert!(check_consistency(&elsewhere, &new, &proof).is_err());
    assert!(check_consistency(&new, &old, &proof).is_err(), "a log does not shrink");
    assert!(matches!(prove_consistency(log(), &new, 0), Err(Error::OutsideTree { .. })));
    assert!(log().read(layout::CHECKPOINT).unwrap().is_some());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn every_entry_is_provable_and_no_other(index in 0_u64..SIZE as u64, other in 0_u64..SIZE as u64, spoil in 0_usize..12) {
        let head = head_at(SIZE);
        let entries = opaque(SIZE);
        let leaf = leaf_hash(&entries[index as usize]);
        let mut proof = prove_inclusion(log(), &head, index).unwrap();
        prop_assert!(check_inclusion(&head, index, &leaf, &proof).is_ok());
        if other != index {
            prop_assert!(check_inclusion(&head, other, &leaf, &proof).is_err());
        }
        let at = spoil % proof.len();
        proof[at].0[spoil] ^= 0x40;
        prop_assert!(check_inclusion(&head, index, &leaf, &proof).is_err());
        proof.pop();
        prop_assert!(check_inclusion(&head, index, &leaf, &proof).is_err());
    }

    #[test]
    fn every_prefix_is_provable_and_no_fork(size in 1_usize..SIZE, spoil: u8) {
        let new = head_at(SIZE);
        let mut old = head_at(size);
        let proof = prove_consistency(log(), &new, size as u64).unwrap();
        prop_assert!(check_consistency(&old, &new, &proof).is_ok());
        old.root.0[usize::from(spoil % 32)] ^= 1;
        prop_assert!(check_consistency(&old, &new, &proof).is_err());
    }
}
