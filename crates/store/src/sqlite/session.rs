//! The engine port over one SQLite connection.

use rusqlite::{
    Connection, ErrorCode,
    types::{ToSql, ToSqlOutput, ValueRef},
};
use std::sync::Arc;

use crate::{
    Error,
    session::{Arg, Each, Row, Session},
};

pub(crate) struct SqliteSession<'c> {
    conn: &'c Connection,
}

impl<'c> SqliteSession<'c> {
    pub(crate) const fn new(conn: &'c Connection) -> Self {
        Self { conn }
    }
}

/// An engine failure as the store's error; damage is told from trouble.
pub(crate) fn failed(doing: &'static str, error: rusqlite::Error) -> Error {
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            Error::Torn { place: super::FILE.to_owned(), what: error.to_string() }
        }
        _ => Error::Engine { doing, source: Arc::new(error) },
    }
}

/// Whether the parameters first appear in ascending order, on which the meaning of `$n` depends here.
fn ascending(statement: &rusqlite::Statement<'_>) -> bool {
    (1..=statement.parameter_count()).all(|n| statement.parameter_name(n) == Some(format!("${n}").as_str()))
}

impl ToSql for Arg<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        let value = match *self {
            Arg::Int(number) | Arg::OptInt(Some(number)) => ValueRef::Integer(number),
            Arg::Text(text) | Arg::OptText(Some(text)) => ValueRef::Text(text.as_bytes()),
            Arg::Blob(bytes) => ValueRef::Blob(bytes),
            Arg::OptInt(None) | Arg::OptText(None) => ValueRef::Null,
        };
        Ok(ToSqlOutput::Borrowed(value))
    }
}

impl Session for SqliteSession<'_> {
    fn execute(&mut self, sql: &'static str, args: &[Arg<'_>]) -> Result<u64, Error> {
        let mut statement = self.conn.prepare_cached(sql).map_err(|error| failed("preparing a statement", error))?;
        debug_assert!(ascending(&statement), "{sql}");
        let changed = statement
            .execute(rusqlite::params_from_iter(args))
            .map_err(|error| failed("running a statement", error))?;
        Ok(u64::try_from(changed).unwrap_or(0))
    }

    fn query(&mut self, sql: &'static str, args: &[Arg<'_>], each: &mut Each<'_>) -> Result<(), Error> {
        let mut statement = self.conn.prepare_cached(sql).map_err(|error| failed("preparing a statement", error))?;
        debug_assert!(ascending(&statement), "{sql}");
        let mut rows =
            statement.query(rusqlite::params_from_iter(args)).map_err(|error| failed("running a statement", error))?;
        while let Some(row) = rows.next().map_err(|error| failed("reading rows", error))? {
            each(&SqliteRow { row })?;
        }
        Ok(())
    }

    fn gate(&mut self) -> Result<i64, Error> {
        // One writer: what a reader sees is committed, in order.
        Ok(i64::MAX)
    }

    fn integrity(&mut self) -> Result<Vec<String>, Error> {
        let mut found = Vec::new();
        self.query("PRAGMA integrity_check(10)", &[], &mut |row| {
            found.push(row.text(0)?.to_owned());
            Ok(())
        })?;
        found.retain(|line| line != "ok");
        Ok(found)
    }

    fn erase(&mut self) -> Result<(), Error> {
        self.conn.execute_batch("PRAGMA secure_delete = ON").map_err(|error| failed("preparing an erasure", error))
    }
}

struct SqliteRow<'r> {
    row: &'r rusqlite::Row<'r>,
}

impl SqliteRow<'_> {
    fn value(&self, column: usize) -> Result<ValueRef<'_>, Error> {
        self.row.get_ref(column).map_err(|error| failed("reading a column", error))
    }
}

const WRONG: Error = Error::Corrupt { what: "column" };

impl Row for SqliteRow<'_> {
    fn int(&self, column: usize) -> Result<i64, Error> {
        self.int_opt(column)?.ok_or(WRONG)
    }
    fn int_opt(&self, column: usize) -> Result<Option<i64>, Error> {
        self.value(column)?.as_i64_or_null().map_err(|_| WRONG)
    }
    fn text(&self, column: usize) -> Result<&str, Error> {
        self.text_opt(column)?.ok_or(WRONG)
    }
    fn text_opt(&self, column: usize) -> Result<Option<&str>, Error> {
        self.value(column)?.as_str_or_null().map_err(|_| WRONG)
    }
    fn blob(&self, column: usize) -> Result<&[u8], Error> {
        self.blob_opt(column)?.ok_or(WRONG)
    }
    fn blob_opt(&self, column: usize) -> Result<Option<&[u8]>, Error> {
        self.value(column)?.as_blob_or_null().map_err(|_| WRONG)
    }
}
