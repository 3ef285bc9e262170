//! Tests of the journal, by subject, and what they share: a signer, entries, and a disk in memory that fails on
//! demand.

mod crash;
mod disks;
mod faults;
mod life;
mod space;
mod turns;

use base::Secret;
use crypto::{PrivateKey, PublicKey, SignatureScheme};
use ledger::{CheckpointSigner, LogKey, Origin, SignerError, verify::Verifier};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use super::{Disk, Journal, Options, disk::Reading};

/// An interval that never passes in a test: publications happen on demand.
const NEVER: Duration = Duration::from_secs(100_000);

pub(super) struct TestSigner {
    key: PrivateKey,
    broken: AtomicBool,
}

impl TestSigner {
    pub(super) fn new(seed: u8) -> Arc<Self> {
        let key = PrivateKey::ed25519_from_seed(&Secret::new([seed; 32])).unwrap();
        Arc::new(Self { key, broken: AtomicBool::new(false) })
    }
    pub(super) fn set_broken(&self, broken: bool) {
        self.broken.store(broken, Ordering::SeqCst);
    }
}

impl CheckpointSigner for TestSigner {
    fn public_key(&self) -> [u8; 32] {
        let PublicKey::Ed25519 { x } = self.key.public_key().unwrap() else { panic!("another kind of key") };
        x
    }
    fn sign(&self, text: &[u8]) -> Result<Vec<u8>, SignerError> {
        if self.broken.load(Ordering::SeqCst) {
            return Err("the token is locked".into());
        }
        Ok(self.key.sign(SignatureScheme::EdDsa, text)?)
    }
}

pub(super) fn origin() -> Origin {
    "galen.example/test/node-1".parse().unwrap()
}

/// Tiny files, so that a few entries change them, and no timed publication.
pub(super) fn tiny() -> Options {
    Options {
        wal_bytes: 4096,
        batch_bytes_max: 2048,
        queue_bytes_max: 4096,
        checkpoint_interval: NEVER,
        ..Options::small(origin())
    }
}

pub(super) fn entry(number: u64) -> Vec<u8> {
    format!("entry {number:06} {}", "z".repeat(usize::try_from(number % 90).unwrap())).into_bytes()
}

pub(super) fn open(disk: &Arc<impl Disk>, options: Options) -> Journal {
    Journal::open(Arc::clone(disk) as Arc<dyn Disk>, TestSigner::new(7), options).unwrap()
}

/// Verifies the files as a stranger would who has only the key.
pub(super) fn assert_sound(disk: &dyn Disk) -> u64 {
    let key = LogKey::new(origin(), TestSigner::new(7).public_key());
    let report = Verifier::new(vec![key]).bytes_only().verify(&Reading(disk)).unwrap();
    assert!(report.is_sound(), "{:#?}", report.findings);
    report.size + report.pending
}

pub(super) fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}
