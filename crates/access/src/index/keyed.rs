//! Rows by key in one block of memory: the immutable base, with a small map of replaced lists over it.

use hashbrown::HashMap;
use std::sync::Arc;
use uuid::Uuid;

/// All rows of a key, side by side; made once and never changed.
#[derive(Clone)]
pub(crate) struct Base<T> {
    /// Where the rows of a key begin and end.
    ranges: HashMap<Uuid, (u32, u32)>,
    rows: Vec<T>,
}

impl<T> Default for Base<T> {
    fn default() -> Self {
        Self { ranges: HashMap::new(), rows: Vec::new() }
    }
}

impl<T: Clone> Base<T> {
    /// From lists; a key comes once. Rows are counted in 32 bits, far beyond any memory that would hold them.
    fn build(lists: impl Iterator<Item = (Uuid, impl AsRef<[T]>)>, rows_hint: usize) -> Self {
        let mut base = Self { rows: Vec::with_capacity(rows_hint), ..Self::default() };
        let count = |rows: &Vec<T>| u32::try_from(rows.len()).unwrap_or(u32::MAX);
        for (key, list) in lists.filter(|(_, list)| !list.as_ref().is_empty()) {
            let start = count(&base.rows);
            base.rows.extend_from_slice(list.as_ref());
            base.ranges.insert(key, (start, count(&base.rows)));
        }
        base
    }

    fn at(&self, (start, end): (u32, u32)) -> &[T] {
        let bounds = usize::try_from(start).ok().zip(usize::try_from(end).ok());
        bounds.and_then(|(start, end)| self.rows.get(start..end)).unwrap_or(&[])
    }

    fn of(&self, key: Uuid) -> &[T] {
        self.ranges.get(&key).map_or(&[], |range| self.at(*range))
    }

    fn iter(&self) -> impl Iterator<Item = (Uuid, &[T])> {
        self.ranges.iter().map(|(key, range)| (*key, self.at(*range)))
    }
}

/// Lists by key: a base and the lists that were replaced since it was built. Cloning costs the replaced lists.
#[derive(Clone)]
pub(crate) struct Keyed<T> {
    base: Arc<Base<T>>,
    over: HashMap<Uuid, Arc<[T]>>,
    rows: usize,
}

impl<T> Default for Keyed<T> {
    fn default() -> Self {
        Self { base: Arc::default(), over: HashMap::new(), rows: 0 }
    }
}

impl<T: Clone> Keyed<T> {
    /// Replaced lists that are carried before they are merged into a new base: below it a write stays under 100 us.
    const OVER_MIN: usize = 4096;

    /// The rows of `key`.
    pub(crate) fn of(&self, key: Uuid) -> &[T] {
        match self.over.get(&key) {
            Some(list) => list,
            None => self.base.of(key),
        }
    }

    /// Replaces the rows of `key`.
    pub(crate) fn put(&mut self, key: Uuid, list: Vec<T>) {
        self.rows = self.rows - self.of(key).len() + list.len();
        self.over.insert(key, list.into());
    }

    /// Every key with its rows.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Uuid, &[T])> {
        let untouched = self.base.iter().filter(|(key, _)| !self.over.contains_key(key));
        untouched.chain(self.over.iter().map(|(key, list)| (*key, &**list)))
    }

    /// Whether the replaced lists have grown so many that a merge pays: a 64th of the base, at least [`Self::OVER_MIN`].
    pub(crate) fn wants_merge(&self) -> bool {
        self.over.len() > Self::OVER_MIN.max(self.base.ranges.len() / 64)
    }

    /// The same lists in one base.
    #[must_use]
    pub(crate) fn merged(&self) -> Self {
        let base = Base::build(self.iter(), self.rows);
        Self { rows: base.rows.len(), base: Arc::new(base), over: HashMap::new() }
    }

    /// Takes `merged`, which was built from an older state of `self`: lists replaced since then stay over it.
    pub(crate) fn rebase(&mut self, merged: &Self, older: &Self) {
        let since = |key: &Uuid, list: &Arc<[T]>| !older.over.get(key).is_some_and(|before| Arc::ptr_eq(before, list));
        self.over.retain(|key, list| since(key, list));
        self.base = Arc::clone(&merged.base);
    }

    /// From lists, all in the base.
    pub(crate) fn build(lists: impl Iterator<Item = (Uuid, Vec<T>)>, rows_hint: usize) -> Self {
        let base = Base::build(lists, rows_hint);
        Self { rows: base.rows.len(), base: Arc::new(base), over: HashMap::new() }
    }

    /// How many rows there are.
    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    /// How many keys the base has.
    pub(crate) fn keys(&self) -> usize {
        self.base.ranges.len() + self.over.len()
    }

    /// Bytes held.
    pub(crate) fn bytes(&self) -> usize {
        let base = self.base.ranges.allocation_size() + self.base.rows.capacity() * size_of::<T>();
        let over: usize = self.over.values().map(|list| list.len() * size_of::<T>() + 16).sum();
        base + over + self.over.allocation_size()
    }
}
