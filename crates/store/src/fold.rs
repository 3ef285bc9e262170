//! Folds: pure functions from the facts of one small aggregate to the rows of one view.
//!
//! It must not know how facts or rows are stored. INVARIANT: a fold gives the same rows for the same facts,
//! on every engine and every node.

use crate::{Fact, FoldError, Interval};

/// One view and how its rows follow from facts.
pub trait Fold: Send + Sync + 'static {
    /// The view's name, such as `grant`.
    fn view(&self) -> &'static str;
    /// Raised whenever the same facts may give other rows; the store then rebuilds the view.
    fn version(&self) -> u32;
    /// The kinds of facts that it reads.
    fn kinds(&self) -> &'static [&'static str];
    /// The aggregate that a fact belongs to; by default its subject.
    fn aggregate(&self, fact: &Fact) -> String {
        fact.subject.to_string()
    }
    /// The rows of one aggregate from all its facts, given in (recorded, origin, id) order.
    ///
    /// # Errors
    /// [`FoldError`] for a fact whose body is not what its kind promises; the change that adds it is refused.
    fn fold(&self, aggregate: &str, facts: &[Fact]) -> Result<Vec<ViewRow>, FoldError>;
}

/// One row that a fold makes.
#[derive(Clone, Debug, PartialEq)]
pub struct ViewRow {
    /// The row's name within its aggregate; several rows may share it over different intervals.
    pub row: String,
    /// When it holds.
    pub valid: Interval,
    /// When the store knew it.
    pub known: Interval,
    /// The row's content.
    pub body: serde_json::Value,
    /// Other names under which the row is found.
    pub lookups: Vec<Lookup>,
}

/// A secondary key of a view row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lookup {
    /// Which key, such as `by_group`.
    pub name: &'static str,
    /// Its value.
    pub value: String,
}

/// One row as read back.
#[derive(Clone, Debug, PartialEq)]
pub struct ViewedRow {
    /// The aggregate that it belongs to.
    pub aggregate: String,
    /// The row's name within its aggregate.
    pub row: String,
    /// When it holds.
    pub valid: Interval,
    /// When the store knew it.
    pub known: Interval,
    /// The row's content.
    pub body: serde_json::Value,
}

impl ViewedRow {
    /// The row of these that is known now, or was known last.
    pub fn newest(rows: &[Self]) -> Option<&Self> {
        rows.iter().max_by_key(|row| (row.known.to.is_none(), row.known.from))
    }
}

/// One row while it streams by; the body is still text, so that a caller parses it straight into its own type.
#[derive(Clone, Copy, Debug)]
pub struct ViewRowRef<'a> {
    /// The aggregate that it belongs to.
    pub aggregate: &'a str,
    /// The row's name within its aggregate.
    pub row: &'a str,
    /// When it holds.
    pub valid: Interval,
    /// When the store knew it.
    pub known: Interval,
    /// The row's content as JSON text.
    pub body: &'a str,
}
