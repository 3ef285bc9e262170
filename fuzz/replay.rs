//! A stable replay of a corpus, for the tests of the crate whose parser it is: every file of `fuzz/corpus/NAME`, and a fixed
//! number of seeded mutations of each. A crate takes it in by its path, so that no parser needs a library for its tests.

use std::path::Path;

/// Mutations of each file: enough to reach each branch of a small parser many times within a second.
const MUTATIONS: usize = 2_000;

/// A small generator with a fixed seed (xorshift64*), so that a failure comes back each time.
struct Dice(u64);

impl Dice {
    fn next(&mut self, below: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let value = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33;
        usize::try_from(value).unwrap() % below.max(1)
    }

    fn byte(&mut self) -> u8 {
        u8::try_from(self.next(256)).unwrap()
    }
}

fn mutate(dice: &mut Dice, sound: &[u8], others: &[Vec<u8>]) -> Vec<u8> {
    let mut out = sound.to_vec();
    for _ in 0..=dice.next(4) {
        let at = dice.next(out.len());
        match dice.next(7) {
            0 if !out.is_empty() => out[at] ^= 1 << dice.next(8),
            1 if !out.is_empty() => out[at] = b"\0.=&%\"{}[]\xff,:+ "[dice.next(15)],
            2 => out.truncate(at),
            3 => out.insert(at, dice.byte()),
            4 if !out.is_empty() => drop(out.remove(at)),
            5 => {
                let other = &others[dice.next(others.len())];
                out.truncate(at);
                out.extend_from_slice(&other[dice.next(other.len())..]);
            }
            _ => {
                let piece = out[at..].to_vec();
                out.extend_from_slice(&piece[..piece.len().min(64)]);
            }
        }
    }
    out
}

/// The files of a corpus, in the order of their names.
pub(crate) fn corpus(name: &str) -> Vec<Vec<u8>> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(name);
    let mut files: Vec<_> = std::fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty(), "{} is empty", dir.display());
    files.into_iter().map(|file| std::fs::read(file).unwrap()).collect()
}

/// Runs `target` on a corpus and its mutations; `target` panics when a rule is broken.
pub(crate) fn replay(name: &str, target: impl Fn(&[u8])) {
    let files = corpus(name);
    for sound in &files {
        target(sound);
        let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
        for _ in 0..MUTATIONS {
            target(&mutate(&mut dice, sound, &files));
        }
    }
}
