//! Which dataset a key belongs to: the longest place prefix of its bucket.

use base::DatasetId;
use hashbrown::HashMap;
use std::sync::Arc;

use super::LocationState;

/// The places of one bucket. A prefix is empty or ends in `/` (`facts` refuses any other), so that a key has few prefixes that can
/// be places, and each is found by its hash.
#[derive(Clone, Debug, Default)]
pub(crate) struct Places {
    by_prefix: HashMap<Arc<str>, Arc<LocationState>>,
    sorted: Vec<Arc<str>>,
    /// Slashes of the place that has most.
    deepest: usize,
}

impl Places {
    /// From any order; of two equal prefixes the first dataset by id wins.
    pub(crate) fn new(places: impl IntoIterator<Item = (Arc<str>, Arc<LocationState>)>) -> Self {
        let mut by_prefix: HashMap<Arc<str>, Arc<LocationState>> = HashMap::new();
        for (prefix, state) in places {
            let first = by_prefix.entry(prefix).or_insert_with(|| Arc::clone(&state));
            if state.location.dataset < first.location.dataset {
                *first = state;
            }
        }
        by_prefix.shrink_to_fit();
        let mut sorted: Vec<Arc<str>> = by_prefix.keys().cloned().collect();
        sorted.sort_unstable();
        let deepest = sorted.iter().map(|prefix| prefix.matches('/').count()).max().unwrap_or(0);
        Self { by_prefix, sorted, deepest }
    }

    /// The place of the longest prefix of `key`.
    pub(crate) fn find(&self, key: &str) -> Option<(&Arc<LocationState>, &str)> {
        let ends = key.match_indices('/').take(self.deepest).map(|(at, _)| at + 1);
        let prefixes = std::iter::once(0).chain(ends).filter_map(|end| key.get(..end));
        let found = prefixes.filter_map(|prefix| self.by_prefix.get_key_value(prefix)).last();
        found.map(|(prefix, state)| (state, &**prefix))
    }

    /// Every place of the bucket with its dataset, sorted.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, DatasetId)> {
        self.rows().map(|(prefix, state)| (&**prefix, state.location.dataset))
    }

    /// The places that contain `prefix` or lie under it, with their datasets, sorted.
    pub(crate) fn meeting<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = (&'a str, DatasetId)> {
        let ends = prefix.match_indices('/').take(self.deepest).map(|(at, _)| at + 1);
        let above = std::iter::once(0).chain(ends).filter(|end| *end < prefix.len());
        let above = above.filter_map(|end| self.by_prefix.get_key_value(prefix.get(..end)?));
        let from = self.sorted.partition_point(|place| **place < *prefix);
        let under =
            self.sorted.get(from..).unwrap_or_default().iter().take_while(move |place| place.starts_with(prefix));
        let rows = above.chain(under.filter_map(|place| self.by_prefix.get_key_value(place)));
        rows.map(|(place, state)| (&**place, state.location.dataset))
    }

    /// Every place of the bucket, sorted.
    pub(crate) fn rows(&self) -> impl Iterator<Item = (&Arc<str>, &Arc<LocationState>)> {
        self.sorted.iter().filter_map(|prefix| self.by_prefix.get_key_value(prefix))
    }

    /// Whether there is none.
    pub(crate) fn is_empty(&self) -> bool {
        self.sorted.is_empty()
    }
}
