//! A stable replay of the corpus with mutations: no parser panics, and what is accepted is written the same way again.

use std::{fs, path::PathBuf};

use super::{key, origin};
use crate::{Bundle, Entry, TlogProof, VerifiedCheckpoint, layout::TileName, wal};

/// Mutations tried on each seed.
const ROUNDS: u64 = 4000;

/// A small generator (splitmix64): the same mutations in every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % sides.max(1) as u64) as usize
    }

    fn mutate(&mut self, seed: &[u8], others: &[Vec<u8>]) -> Vec<u8> {
        let mut out = seed.to_vec();
        for _ in 0..=self.roll(4) {
            let at = self.roll(out.len() + 1);
            match self.roll(6) {
                0 if at < out.len() => out[at] ^= 1 << self.roll(8),
                1 => out.insert(at, self.roll(256) as u8),
                2 if at < out.len() => {
                    out.remove(at);
                }
                3 => out.truncate(at),
                4 => {
                    let other = &others[self.roll(others.len())];
                    let from = self.roll(other.len() + 1);
                    out.truncate(at);
                    out.extend_from_slice(&other[from..]);
                }
                _ if at < out.len() => {
                    let end = at + self.roll(out.len() - at + 1);
                    let repeated = out[at..end].to_vec();
                    out.splice(at..at, repeated);
                }
                _ => {}
            }
        }
        out
    }
}

fn corpus(target: &str) -> Vec<Vec<u8>> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(target);
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty(), "no seeds for {target}");
    files.into_iter().map(|path| fs::read(path).unwrap()).collect()
}

fn replay(target: &str, parse: impl Fn(&[u8])) {
    let seeds = corpus(target);
    let mut dice = Dice(1);
    for seed in &seeds {
        parse(seed);
        for _ in 0..ROUNDS / seeds.len() as u64 {
            parse(&dice.mutate(seed, &seeds));
        }
    }
}

#[test]
fn entry() {
    replay("ledger_entry", |bytes| {
        if let Ok(entry) = Entry::decode(bytes)
            && let Ok(written) = entry.encode()
        {
            assert_eq!(Entry::decode(&written).unwrap(), entry);
        }
    });
}

#[test]
fn bundle() {
    replay("ledger_bundle", |bytes| {
        let mut again = Vec::new();
        if Bundle::new(bytes).all(|entry| entry.and_then(|entry| crate::push_entry(&mut again, entry)).is_ok()) {
            assert_eq!(again, bytes);
        }
    });
}

#[test]
fn checkpoint() {
    replay("ledger_checkpoint", |bytes| {
        if let Ok(verified) = VerifiedCheckpoint::verify(bytes, &[key()]) {
            assert_eq!(verified.head().origin, origin());
        }
    });
}

#[test]
fn proof() {
    replay("ledger_proof", |bytes| {
        if let Ok(proof) = TlogProof::decode(bytes) {
            assert_eq!(proof.encode(), bytes);
            let _ = proof.verify(b"entry", &[key()]);
        }
    });
}

#[test]
fn write_ahead_file() {
    replay("ledger_wal", |bytes| {
        let scan = wal::scan(bytes, &origin(), 40);
        assert!(scan.next >= 40);
    });
}

#[test]
fn tile_name() {
    replay("ledger_tile_name", |bytes| {
        if let Ok(text) = std::str::from_utf8(bytes)
            && let Some(name) = TileName::from_path(text)
        {
            assert_eq!(name.path(), text);
        }
    });
}

/// Seeds are released formats: what was once valid stays valid.
#[test]
fn seeds_are_valid() {
    for note in corpus("ledger_checkpoint") {
        assert!(VerifiedCheckpoint::verify(&note, &[key()]).is_ok(), "a seed must start out valid");
    }
    assert!(corpus("ledger_proof").iter().all(|text| TlogProof::decode(text).is_ok()));
    assert!(corpus("ledger_entry").iter().all(|text| Entry::decode(text).is_ok()));
    assert!(corpus("ledger_wal").iter().all(|bytes| !wal::scan(bytes, &origin(), 40).entries.is_empty()));
    assert!(corpus("ledger_bundle").iter().all(|bytes| Bundle::new(bytes).all(|entry| entry.is_ok())));
}
