//! Opened tokens, so that a client that sends the same token with each request is unsealed once. It holds what was
//! authentic; whether it still counts is asked each time.

use crypto::Sha256Digest;
use hashbrown::HashMap;
use std::mem;
use std::sync::{Arc, Mutex, PoisonError};

use crate::Session;

/// Entries of one generation: with 2 KiB each, and 10 KiB at the worst, two generations take 16 MiB, 80 MiB at the worst.
const GENERATION_MAX: usize = 4096;

#[derive(Default)]
struct Generations {
    young: HashMap<Sha256Digest, Arc<Session>>,
    old: HashMap<Sha256Digest, Arc<Session>>,
}

/// Two generations: when the young one is full it becomes the old one, and what nobody asks for goes.
#[derive(Default)]
pub(super) struct Opened(Mutex<Generations>);

impl Opened {
    pub(super) fn get(&self, digest: &Sha256Digest) -> Option<Arc<Session>> {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(session) = held.young.get(digest) {
            return Some(Arc::clone(session));
        }
        let session = held.old.remove(digest)?;
        held.put(*digest, &session);
        Some(session)
    }

    pub(super) fn put(&self, digest: Sha256Digest, session: &Arc<Session>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).put(digest, session);
    }
}

impl Generations {
    fn put(&mut self, digest: Sha256Digest, session: &Arc<Session>) {
        if self.young.len() >= GENERATION_MAX {
            self.old = mem::take(&mut self.young);
        }
        self.young.insert(digest, Arc::clone(session));
    }
}
