//! Which dataset a key belongs to: the longest place prefix of its bucket.

use base::DatasetId;

/// The places of one bucket, sorted by prefix; each knows the next larger place around it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Places {
    sorted: Vec<Mark>,
}

#[derive(Clone, Debug)]
struct Mark {
    prefix: Box<str>,
    dataset: DatasetId,
    around: Option<u32>,
}

impl Places {
    /// From any order; of two equal prefixes the first dataset by id wins.
    pub(crate) fn new(mut places: Vec<(String, DatasetId)>) -> Self {
        places.sort_unstable();
        places.dedup_by(|later, first| later.0 == first.0);
        let mut sorted: Vec<Mark> = Vec::with_capacity(places.len());
        let mut open: Vec<u32> = Vec::new();
        for (at, (prefix, dataset)) in places.into_iter().enumerate() {
            let holds = |mark: Option<&Mark>| mark.is_some_and(|mark| prefix.starts_with(&*mark.prefix));
            while let Some(last) = open.last() {
                if holds(index(*last).and_then(|last| sorted.get(last))) {
                    break;
                }
                open.pop();
            }
            sorted.push(Mark { prefix: prefix.into_boxed_str(), dataset, around: open.last().copied() });
            open.extend(u32::try_from(at));
        }
        Self { sorted }
    }

    /// The place of the longest prefix of `key`.
    pub(crate) fn find(&self, key: &str) -> Option<(DatasetId, &str)> {
        let after = self.sorted.partition_point(|mark| &*mark.prefix <= key);
        let mut at = after.checked_sub(1);
        while let Some(mark) = at.and_then(|at| self.sorted.get(at)) {
            if key.starts_with(&*mark.prefix) {
                return Some((mark.dataset, &mark.prefix));
            }
            at = mark.around.and_then(index);
        }
        None
    }

    /// Every place of the bucket, sorted.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, DatasetId)> {
        self.sorted.iter().map(|mark| (&*mark.prefix, mark.dataset))
    }

    /// The places as they were given.
    pub(crate) fn to_vec(&self) -> Vec<(String, DatasetId)> {
        self.iter().map(|(prefix, dataset)| (prefix.to_owned(), dataset)).collect()
    }

    /// Whether there is none.
    pub(crate) fn is_empty(&self) -> bool {
        self.sorted.is_empty()
    }
}

fn index(at: u32) -> Option<usize> {
    usize::try_from(at).ok()
}
