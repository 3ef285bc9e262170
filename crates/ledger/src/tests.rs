//! Tests of the ledger, by subject, and the small log that they share.

mod bookkeeping;
mod entries;
mod proofs;
mod released;
mod tamper;
mod trees;
mod wals;

use base::Secret;
use crypto::{PrivateKey, PublicKey, SignatureScheme};

use crate::{CheckpointSigner, LogBuilder, LogKey, MemoryFiles, Origin, Publication, SignerError, layout, leaf_hash};

/// A key with a fixed seed.
pub(crate) struct TestSigner(PrivateKey);

impl TestSigner {
    pub(crate) fn new(seed: u8) -> Self {
        Self(PrivateKey::ed25519_from_seed(&Secret::new([seed; 32])).unwrap())
    }
}

impl CheckpointSigner for TestSigner {
    fn public_key(&self) -> [u8; 32] {
        match self.0.public_key().unwrap() {
            PublicKey::Ed25519 { x } => x,
            _ => panic!("another kind of key"),
        }
    }
    fn sign(&self, text: &[u8]) -> Result<Vec<u8>, SignerError> {
        Ok(self.0.sign(SignatureScheme::EdDsa, text)?)
    }
}

pub(crate) fn origin() -> Origin {
    "galen.example/test/node-1".parse().unwrap()
}

pub(crate) fn key() -> LogKey {
    LogKey::new(origin(), TestSigner::new(7).public_key())
}

pub(crate) fn write(files: &mut MemoryFiles, publication: Publication) {
    files.0.extend(publication.files);
    files.0.extend(publication.kept.map(|name| (name, publication.checkpoint.clone())));
    files.0.insert(layout::CHECKPOINT.to_owned(), publication.checkpoint);
    for name in publication.obsolete {
        files.0.remove(&name);
    }
}

/// A published log of these entries, with a checkpoint after each of `cuts`.
pub(crate) fn log_of(entries: &[Vec<u8>], cuts: &[usize]) -> MemoryFiles {
    let signer = TestSigner::new(7);
    let mut files = MemoryFiles::default();
    files.0.insert(layout::LOG_KEY.to_owned(), format!("{}\n", key()).into_bytes());
    let mut builder = LogBuilder::new(origin());
    for (index, entry) in entries.iter().enumerate() {
        if cuts.contains(&index) {
            write(&mut files, builder.publish(&signer).unwrap());
        }
        builder.append(entry, leaf_hash(entry)).unwrap();
    }
    write(&mut files, builder.publish(&signer).unwrap());
    files
}

/// `count` short distinct entries that are not JSON.
pub(crate) fn opaque(count: usize) -> Vec<Vec<u8>> {
    (0..count).map(|index| format!("entry {index} {}", "x".repeat(index % 7)).into_bytes()).collect()
}
