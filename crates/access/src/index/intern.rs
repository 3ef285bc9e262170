//! Small numbers for large names: 32 bits for an id, so that edges and grants stay small.

use hashbrown::HashTable;
use std::hash::{BuildHasher, Hash};

/// Values by number and numbers by value. Numbers are never given twice and never taken back.
#[derive(Clone)]
pub(crate) struct Interner<T> {
    values: Vec<T>,
    table: HashTable<u32>,
    hasher: hashbrown::DefaultHashBuilder,
}

impl<T> Default for Interner<T> {
    fn default() -> Self {
        Self { values: Vec::new(), table: HashTable::new(), hasher: hashbrown::DefaultHashBuilder::default() }
    }
}

impl<T: Hash + Eq + Clone> Interner<T> {
    /// The number of `value`, if it has one.
    pub(crate) fn find(&self, value: &T) -> Option<u32> {
        let same = |at: &u32| usize::try_from(*at).ok().and_then(|at| self.values.get(at)) == Some(value);
        self.table.find(self.hasher.hash_one(Some(value)), same).copied()
    }

    /// The number of `value`, given now if it had none. `None` past 2^32 values.
    pub(crate) fn give(&mut self, value: &T) -> Option<u32> {
        if let Some(found) = self.find(value) {
            return Some(found);
        }
        let at = u32::try_from(self.values.len()).ok()?;
        self.values.push(value.clone());
        let (values, hasher) = (&self.values, &self.hasher);
        let rehash = |at: &u32| hasher.hash_one(usize::try_from(*at).ok().and_then(|at| values.get(at)));
        self.table.insert_unique(hasher.hash_one(Some(value)), at, rehash);
        Some(at)
    }

    /// The value of a number.
    pub(crate) fn value(&self, at: u32) -> Option<&T> {
        usize::try_from(at).ok().and_then(|at| self.values.get(at))
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.values.len()
    }

    /// Bytes held, without what the values point to.
    pub(crate) fn bytes(&self) -> usize {
        self.values.capacity() * size_of::<T>() + self.table.allocation_size()
    }
}
