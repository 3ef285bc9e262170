//! A bounded map whose values expire: first in, first out when full. Values wipe themselves when the last user drops them.

use std::{
    collections::{HashMap, VecDeque},
    hash::Hash,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

pub(super) struct Cache<K, V> {
    max: usize,
    ttl: Duration,
    inner: Mutex<Inner<K, V>>,
}

struct Inner<K, V> {
    values: HashMap<K, (Arc<V>, Duration)>,
    /// Keys in the order in which they came; may hold keys that were removed since.
    order: VecDeque<(K, Duration)>,
}

impl<K: Eq + Hash + Copy, V> Cache<K, V> {
    pub(super) fn new(max: usize, ttl: Duration) -> Self {
        Self { max, ttl, inner: Mutex::new(Inner { values: HashMap::new(), order: VecDeque::new() }) }
    }

    fn lock(&self) -> MutexGuard<'_, Inner<K, V>> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn get(&self, key: &K, now: Duration) -> Option<Arc<V>> {
        let inner = self.lock();
        let (value, came) = inner.values.get(key)?;
        (now.saturating_sub(*came) < self.ttl).then(|| Arc::clone(value))
    }

    pub(super) fn put(&self, key: K, value: Arc<V>, now: Duration) {
        let mut inner = self.lock();
        inner.values.insert(key, (value, now));
        inner.order.push_back((key, now));
        while let Some((oldest, came)) = inner.order.front().copied() {
            if inner.order.len() <= self.max && now.saturating_sub(came) < self.ttl {
                break;
            }
            inner.order.pop_front();
            // A key that was put again since has a later entry in the queue.
            if inner.values.get(&oldest).is_some_and(|(_, at)| *at == came) {
                inner.values.remove(&oldest);
            }
        }
    }

    pub(super) fn remove(&self, key: &K) {
        self.lock().values.remove(key);
    }

    pub(super) fn clear(&self) {
        let mut inner = self.lock();
        inner.values.clear();
        inner.order.clear();
    }
}
