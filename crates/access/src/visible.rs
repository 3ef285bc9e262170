//! What a session can see of a bucket: the readable areas compiled from its grants, for LIST. It is not a permit.

/// Sorted, disjoint readable prefixes of one bucket; an empty prefix is the whole bucket.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Visible {
    prefixes: Vec<String>,
}

impl Visible {
    /// From any prefixes: sorted, and without those that another one contains.
    pub fn new(mut prefixes: Vec<String>) -> Self {
        prefixes.sort_unstable();
        let mut kept: Vec<String> = Vec::with_capacity(prefixes.len());
        for prefix in prefixes {
            if !kept.last().is_some_and(|last| prefix.starts_with(last.as_str())) {
                kept.push(prefix);
            }
        }
        Self { prefixes: kept }
    }

    /// The prefixes to seek to, in order.
    pub fn ranges(&self) -> &[String] {
        &self.prefixes
    }
    /// Whether nothing is readable.
    pub fn is_empty(&self) -> bool {
        self.prefixes.is_empty()
    }
    /// Whether `key` is inside.
    pub fn contains(&self, key: &str) -> bool {
        let after = self.prefixes.partition_point(|prefix| prefix.as_str() <= key);
        after.checked_sub(1).and_then(|at| self.prefixes.get(at)).is_some_and(|prefix| key.starts_with(prefix.as_str()))
    }
    /// What is left under `prefix`: the areas inside it, or `prefix` itself where an area contains it.
    #[must_use]
    pub fn under(&self, prefix: &str) -> Self {
        if self.contains(prefix) {
            return Self { prefixes: vec![prefix.to_owned()] };
        }
        Self { prefixes: self.prefixes.iter().filter(|area| area.starts_with(prefix)).cloned().collect() }
    }
}
