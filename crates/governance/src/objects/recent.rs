//! The newest rows of keys that were read a moment ago, and which keys had none: asking again asks the store nothing, and the
//! time of an answer tells as little of a key that is there as of one that is not.
//!
//! It must not be asked where another process can change the store. INVARIANT: a row is kept only if no change of its key was
//! under way or ended while it was read, and is forgotten before a change of its key can be committed.

use std::{
    collections::{HashMap, hash_map::RandomState},
    hash::BuildHasher,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use store::{Store, WriteTxn};

use super::{name::VersionId, record::ObjectRow};

/// Parts with a lock each, so that readers seldom meet.
const SHARDS: usize = 16;
/// Keys of a part: 4,096 in all.
const KEYS_MAX: usize = 256;
/// A row that is larger in the store is not remembered; most have less than 1 KiB. So all of them hold some 20 MiB at most.
pub(crate) const ROW_BYTES_MAX: usize = 4096;

/// A key of a bucket, as `BUCKET 0 KEY 0`.
type Key = Vec<u8>;
/// The newest version of a key and what it holds; `None` of a key that has none.
pub(crate) type Newest = Option<(VersionId, Arc<ObjectRow>)>;

#[derive(Default)]
struct Shard {
    /// What was read since there was last a need for room, and what was read in as long a time before it.
    fresh: HashMap<Key, Newest>,
    aged: HashMap<Key, Newest>,
    /// Changes under way, by key.
    changing: HashMap<Key, usize>,
    /// Grows when a change of one of its keys begins and when it ends.
    moved: u64,
}

/// What was read a moment ago; cheap to clone.
#[derive(Clone)]
pub(crate) struct Recent(Option<Arc<Shards>>);

impl Shard {
    fn put(&mut self, key: Key, newest: Newest) {
        if self.fresh.len() >= KEYS_MAX / 2 {
            self.aged = std::mem::take(&mut self.fresh);
        }
        self.fresh.insert(key, newest);
    }

    fn get(&mut self, key: &[u8]) -> Option<Newest> {
        if let Some(newest) = self.fresh.get(key) {
            return Some(newest.clone());
        }
        let (key, newest) = self.aged.remove_entry(key)?;
        self.put(key, newest.clone());
        Some(newest)
    }

    fn forget(&mut self, key: &[u8]) {
        self.fresh.remove(key);
        self.aged.remove(key);
    }
}

struct Shards {
    hasher: RandomState,
    shards: [Mutex<Shard>; SHARDS],
}

impl Shards {
    fn of(&self, key: &[u8]) -> MutexGuard<'_, Shard> {
        let at = usize::try_from(self.hasher.hash_one(key)).unwrap_or(0) % SHARDS;
        // In range by the remainder.
        let shard = self.shards.get(at).unwrap_or(&self.shards[0]);
        shard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a key looked like when its row was asked for: the row is kept only if this still holds.
pub(crate) struct Asked(u64);

/// A change of a key that is under way.
struct Changing {
    shards: Arc<Shards>,
    key: Key,
}

impl Drop for Changing {
    fn drop(&mut self) {
        let mut shard = self.shards.of(&self.key);
        shard.moved += 1;
        if let Some(count) = shard.changing.get_mut(&self.key) {
            *count -= 1;
            if *count == 0 {
                shard.changing.remove(&self.key);
            }
        }
    }
}

impl Recent {
    /// Remembers rows of `store` if nobody else changes it.
    pub(crate) fn of(store: &Store) -> Self {
        let shards = || Shards { hasher: RandomState::new(), shards: Default::default() };
        Self(store.sole_writer().then(|| Arc::new(shards())))
    }

    /// What is remembered of a key, or what [`Recent::keep`] needs when the store was asked.
    pub(crate) fn get(&self, key: &[u8]) -> Result<Newest, Asked> {
        let Some(shards) = &self.0 else { return Err(Asked(0)) };
        let mut shard = shards.of(key);
        shard.get(key).ok_or(Asked(shard.moved))
    }

    /// Remembers what the store answered, unless the key may have changed since it was asked.
    pub(crate) fn keep(&self, asked: &Asked, key: Key, newest: Newest) {
        let Some(shards) = &self.0 else { return };
        let mut shard = shards.of(&key);
        if shard.moved != asked.0 || shard.changing.contains_key(&key) {
            return;
        }
        shard.put(key, newest);
    }

    /// Forgets a key that `txn` changes, until the change has ended.
    pub(crate) fn changes(&self, txn: &mut WriteTxn<'_>, key: Key) {
        let Some(shards) = &self.0 else { return };
        let mut shard = shards.of(&key);
        shard.forget(&key);
        shard.moved += 1;
        *shard.changing.entry(key.clone()).or_default() += 1;
        drop(shard);
        txn.hold(Changing { shards: Arc::clone(shards), key });
    }
}

#[cfg(test)]
mod tests;
