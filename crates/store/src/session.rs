//! The engine port: one open transaction that runs statements. SQLite and PostgreSQL implement it.
//!
//! It must not know facts, views or records. INVARIANT: every statement is one text for both engines, with
//! `$1..$n` that first appear in ascending order (SQLite numbers them by first appearance).

use crate::Error;

/// A statement's argument.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Arg<'a> {
    Int(i64),
    OptInt(Option<i64>),
    Text(&'a str),
    OptText(Option<&'a str>),
    Blob(&'a [u8]),
}

/// One row of a result, valid while it streams by.
pub(crate) trait Row {
    fn int(&self, column: usize) -> Result<i64, Error>;
    fn int_opt(&self, column: usize) -> Result<Option<i64>, Error>;
    fn text(&self, column: usize) -> Result<&str, Error>;
    fn text_opt(&self, column: usize) -> Result<Option<&str>, Error>;
    fn blob(&self, column: usize) -> Result<&[u8], Error>;
    fn blob_opt(&self, column: usize) -> Result<Option<&[u8]>, Error>;
}

/// Takes each row of a result.
pub(crate) type Each<'a> = dyn FnMut(&dyn Row) -> Result<(), Error> + 'a;

/// An open transaction of one engine.
pub(crate) trait Session {
    /// Runs a statement without result rows; how many rows it changed.
    fn execute(&mut self, sql: &'static str, args: &[Arg<'_>]) -> Result<u64, Error>;
    /// Runs a statement and streams its rows.
    fn query(&mut self, sql: &'static str, args: &[Arg<'_>], each: &mut Each<'_>) -> Result<(), Error>;
    /// Transactions from this id on may still be running; their outbox rows are not to be read yet.
    fn gate(&mut self) -> Result<i64, Error>;
    /// What the engine finds wrong with its own structure, in its own words.
    fn integrity(&mut self) -> Result<Vec<String>, Error>;
    /// What follows is an erasure: deleted bytes must not stay in free pages.
    fn erase(&mut self) -> Result<(), Error>;
}
