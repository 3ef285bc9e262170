//! The engine port over one PostgreSQL connection.

use postgres::{
    Client, Statement,
    error::SqlState,
    fallible_iterator::FallibleIterator,
    types::{IsNull, ToSql, Type, private::BytesMut, to_sql_checked},
};
use std::{collections::HashMap, sync::Arc};

use crate::{
    Error,
    session::{Arg, Each, Row, Session},
};

/// Statements prepared on a connection, by their text.
pub(crate) type Prepared = HashMap<&'static str, Statement>;

pub(crate) struct PgSession<'c> {
    client: &'c mut Client,
    prepared: &'c mut Prepared,
}

impl<'c> PgSession<'c> {
    pub(crate) const fn new(client: &'c mut Client, prepared: &'c mut Prepared) -> Self {
        Self { client, prepared }
    }

    fn statement(&mut self, sql: &'static str) -> Result<Statement, Error> {
        if let Some(statement) = self.prepared.get(sql) {
            return Ok(statement.clone());
        }
        let statement = self.client.prepare(sql).map_err(|error| failed("preparing a statement", error))?;
        self.prepared.insert(sql, statement.clone());
        Ok(statement)
    }
}

/// An engine failure as the store's error: another writer was met, damage, or trouble.
pub(crate) fn failed(doing: &'static str, error: postgres::Error) -> Error {
    let Some(code) = error.code() else { return Error::Engine { doing, source: Arc::new(error) } };
    // A unique violation of a change that cannot violate one is a serialisation failure found early
    // (PostgreSQL manual, "Serialization Failure Handling").
    let met = [SqlState::T_R_SERIALIZATION_FAILURE, SqlState::T_R_DEADLOCK_DETECTED, SqlState::UNIQUE_VIOLATION];
    if met.contains(code) {
        return Error::Retry;
    }
    if *code == SqlState::UNDEFINED_TABLE {
        return Error::Torn {
            place: "the PostgreSQL database".to_owned(),
            what: "it has no tables of Galen".to_owned(),
        };
    }
    if [SqlState::DATA_CORRUPTED, SqlState::INDEX_CORRUPTED].contains(code) {
        return Error::Torn { place: "the PostgreSQL database".to_owned(), what: error.to_string() };
    }
    Error::Engine { doing, source: Arc::new(error) }
}

impl ToSql for Arg<'_> {
    fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        match self {
            Self::Int(number) => number.to_sql(ty, out),
            Self::OptInt(number) => number.to_sql(ty, out),
            Self::Text(text) => text.to_sql(ty, out),
            Self::OptText(text) => text.to_sql(ty, out),
            Self::Blob(bytes) => bytes.to_sql(ty, out),
        }
    }
    fn accepts(_: &Type) -> bool {
        true
    }
    to_sql_checked!();
}

impl Session for PgSession<'_> {
    fn execute(&mut self, sql: &'static str, args: &[Arg<'_>]) -> Result<u64, Error> {
        let statement = self.statement(sql)?;
        let args: Vec<&(dyn ToSql + Sync)> = args.iter().map(|arg| arg as &(dyn ToSql + Sync)).collect();
        self.client.execute(&statement, &args).map_err(|error| failed("running a statement", error))
    }

    fn query(&mut self, sql: &'static str, args: &[Arg<'_>], each: &mut Each<'_>) -> Result<(), Error> {
        let statement = self.statement(sql)?;
        let rows = self.client.query_raw(&statement, args.iter().copied());
        let mut rows = rows.map_err(|error| failed("running a statement", error))?;
        while let Some(row) = rows.next().map_err(|error| failed("reading rows", error))? {
            each(&PgRow { row })?;
        }
        Ok(())
    }

    fn gate(&mut self) -> Result<i64, Error> {
        let mut gate = 0;
        let sql = "SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint";
        self.query(sql, &[], &mut |row| {
            gate = row.int(0)?;
            Ok(())
        })?;
        Ok(gate)
    }

    fn integrity(&mut self) -> Result<Vec<String>, Error> {
        // Page checksums are on by default and checked by every read; what a read finds is an error of its own.
        Ok(Vec::new())
    }

    fn erase(&mut self) -> Result<(), Error> {
        // Dead rows leave with the vacuum after the commit, log segments with their recycling.
        Ok(())
    }
}

struct PgRow {
    row: postgres::Row,
}

const WRONG: Error = Error::Corrupt { what: "column" };

impl Row for PgRow {
    fn int(&self, column: usize) -> Result<i64, Error> {
        self.int_opt(column)?.ok_or(WRONG)
    }
    fn int_opt(&self, column: usize) -> Result<Option<i64>, Error> {
        self.row.try_get(column).map_err(|_| WRONG)
    }
    fn text(&self, column: usize) -> Result<&str, Error> {
        self.text_opt(column)?.ok_or(WRONG)
    }
    fn text_opt(&self, column: usize) -> Result<Option<&str>, Error> {
        self.row.try_get(column).map_err(|_| WRONG)
    }
    fn blob(&self, column: usize) -> Result<&[u8], Error> {
        self.blob_opt(column)?.ok_or(WRONG)
    }
    fn blob_opt(&self, column: usize) -> Result<Option<&[u8]>, Error> {
        self.row.try_get(column).map_err(|_| WRONG)
    }
}
