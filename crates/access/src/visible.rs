//! What a session can see of a bucket: the readable areas compiled from its grants, for LIST. It is not a permit.
//!
//! Datasets nest: inside a readable area may lie a place of another dataset that is not readable (a hole), and inside
//! that one a readable area again. The longest prefix says which.

/// Readable prefixes of one bucket, with the holes in them; an empty prefix is the whole bucket.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Visible {
    /// The outermost readable prefixes: sorted, disjoint.
    prefixes: Vec<String>,
    /// Every readable prefix and every hole, sorted; `true` is readable.
    marks: Vec<(String, bool)>,
}

/// Where a listing goes on when it has met a key that is not visible.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Jump {
    /// To the first key with this prefix.
    To(String),
    /// Behind every key with this prefix.
    Past(String),
}

/// Sorted, and without those that another one contains.
fn outermost(mut prefixes: Vec<String>) -> Vec<String> {
    prefixes.sort_unstable();
    let mut kept: Vec<String> = Vec::with_capacity(prefixes.len());
    for prefix in prefixes {
        if !kept.last().is_some_and(|last| prefix.starts_with(last.as_str())) {
            kept.push(prefix);
        }
    }
    kept
}

impl Visible {
    /// From readable prefixes without holes.
    pub fn new(prefixes: Vec<String>) -> Self {
        Self::with_holes(prefixes, Vec::new())
    }

    /// From readable prefixes and the places inside them that are not readable. A prefix in both is readable.
    pub fn with_holes(prefixes: Vec<String>, holes: Vec<String>) -> Self {
        let readable = prefixes.iter().map(|prefix| (prefix.clone(), true));
        let mut marks: Vec<(String, bool)> = readable.chain(holes.into_iter().map(|hole| (hole, false))).collect();
        marks.sort_unstable_by(|a, b| a.0.cmp(&b.0).then(b.1.cmp(&a.1)));
        marks.dedup_by(|later, first| later.0 == first.0);
        Self { prefixes: outermost(prefixes), marks }
    }

    /// The outermost readable prefixes, in order: seek to each, and ask [`Visible::skip`] of every key met.
    pub fn ranges(&self) -> &[String] {
        &self.prefixes
    }
    /// Whether nothing is readable.
    pub fn is_empty(&self) -> bool {
        self.prefixes.is_empty()
    }

    /// The mark of the longest prefix of `key`.
    fn mark(&self, key: &str) -> Option<&(String, bool)> {
        let find = |prefix: &str| {
            let at = self.marks.binary_search_by(|(mark, _)| mark.as_str().cmp(prefix)).ok()?;
            self.marks.get(at)
        };
        let ends = key.rmatch_indices('/').map(|(at, _)| at + 1).chain([0]);
        ends.filter_map(|end| key.get(..end)).find_map(find)
    }

    /// Whether `key` is readable: inside an area and not inside a hole of it.
    pub fn contains(&self, key: &str) -> bool {
        self.mark(key).is_some_and(|(_, readable)| *readable)
    }

    /// For a key inside a hole: where the listing goes on. `None` for a key that may be shown, or outside of every area.
    pub fn skip(&self, key: &str) -> Option<Jump> {
        let (hole, _) = self.mark(key).filter(|(_, readable)| !readable)?;
        let inside = self.marks.iter().filter(|(mark, readable)| *readable && mark.starts_with(hole.as_str()));
        let next = inside.map(|(mark, _)| mark).find(|mark| mark.as_str() > key);
        Some(next.map_or_else(|| Jump::Past(hole.clone()), |mark| Jump::To(mark.clone())))
    }

    /// What is left under `prefix`: the areas inside it, or `prefix` itself where an area contains it.
    #[must_use]
    pub fn under(&self, prefix: &str) -> Self {
        let prefixes = if self.contains(prefix) {
            vec![prefix.to_owned()]
        } else {
            let inside = self.marks.iter().filter(|(mark, readable)| *readable && mark.starts_with(prefix));
            outermost(inside.map(|(mark, _)| mark.clone()).collect())
        };
        Self { prefixes, marks: self.marks.clone() }
    }
}

#[cfg(test)]
mod tests;
