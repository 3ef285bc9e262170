//! The rows beside the facts that an export carries: documents always, everything else when an installation moves whole.
//!
//! It must not know what a row means, and it opens nothing that is sealed. INVARIANT: a row is written as it was read; what
//! the facts give again (views, numbers, the feed) is not carried.

use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Value, json};

use crate::{
    Error, ReadTxn, WriteTxn,
    session::{Arg, Row},
};

/// How a column is written.
#[derive(Clone, Copy)]
enum Column {
    Int,
    OptInt,
    Text,
    /// As base64.
    Blob,
}

/// One table, or a part of one.
pub(super) struct Table {
    name: &'static str,
    /// Leaves the store only when everything does.
    whole: bool,
    columns: &'static [Column],
    select: &'static str,
    insert: &'static str,
}

use Column::{Blob, Int, OptInt, Text};

/// In the order in which they are written.
pub(super) const TABLES: &[Table] = &[
    Table {
        name: DOCUMENTS,
        whole: false,
        columns: &[Blob, Blob],
        select: "SELECT digest, bytes FROM documents ORDER BY digest",
        insert: "INSERT INTO documents (digest, bytes) VALUES ($1, $2)",
    },
    Table {
        name: "subject_keys",
        whole: true,
        columns: &[Blob, Blob],
        select: "SELECT subject, wrapped FROM subject_keys WHERE wrapped IS NOT NULL ORDER BY subject",
        insert: "INSERT INTO subject_keys (subject, wrapped) VALUES ($1, $2)",
    },
    Table {
        name: "erased",
        whole: true,
        columns: &[Blob, Int],
        select: "SELECT subject, destroyed FROM subject_keys WHERE destroyed IS NOT NULL ORDER BY subject",
        insert: "INSERT INTO subject_keys (subject, destroyed) VALUES ($1, $2)",
    },
    Table {
        name: "sealed",
        whole: true,
        columns: &[Blob, Text, Blob],
        select: "SELECT subject, name, ciphertext FROM sealed ORDER BY subject, name",
        insert: "INSERT INTO sealed (subject, name, ciphertext) VALUES ($1, $2, $3)",
    },
    Table {
        name: "records",
        whole: true,
        columns: &[Text, Blob, Blob, Int, OptInt],
        select: "SELECT class, key, value, revision, expires FROM records ORDER BY class, key",
        insert: "INSERT INTO records (class, key, value, revision, expires) VALUES ($1, $2, $3, $4, $5)",
    },
    Table {
        name: "pending",
        whole: true,
        columns: &[Blob, Blob, Blob],
        select: "SELECT id, node, bytes FROM pending ORDER BY n",
        insert: "INSERT INTO pending (id, node, bytes) VALUES ($1, $2, $3)",
    },
    Table {
        name: "checkpoints",
        whole: true,
        columns: &[Blob, Int, Blob, Int],
        select: "SELECT node, size, note, at FROM checkpoints ORDER BY node",
        insert: "INSERT INTO checkpoints (node, size, note, at) VALUES ($1, $2, $3, $4)",
    },
];

const DOCUMENTS: &str = "documents";

enum Cell {
    Int(i64),
    OptInt(Option<i64>),
    Text(String),
    Blob(Vec<u8>),
}

/// A row of an export, on its way into a store.
pub(super) struct Stored {
    table: &'static Table,
    cells: Vec<Cell>,
}

impl Table {
    fn line(&self, row: &dyn Row) -> Result<Vec<u8>, Error> {
        let cell = |(at, column): (usize, &Column)| -> Result<Value, Error> {
            Ok(match column {
                Int => json!(row.int(at)?),
                OptInt => json!(row.int_opt(at)?),
                Text => json!(row.text(at)?),
                Blob => json!(BASE64_STANDARD.encode(row.blob(at)?)),
            })
        };
        let cells = self.columns.iter().enumerate().map(cell).collect::<Result<Vec<_>, _>>()?;
        serde_json::to_vec(&json!({ "table": self.name, "row": cells })).map_err(|_| Error::Corrupt { what: "row" })
    }

    fn cells(&self, row: &[Value]) -> Option<Vec<Cell>> {
        let cell = |(column, value): (&Column, &Value)| match column {
            Int => value.as_i64().map(Cell::Int),
            OptInt if value.is_null() => Some(Cell::OptInt(None)),
            OptInt => value.as_i64().map(|number| Cell::OptInt(Some(number))),
            Text => value.as_str().map(|text| Cell::Text(text.to_owned())),
            Blob => BASE64_STANDARD.decode(value.as_str()?).ok().map(Cell::Blob),
        };
        let cells = self.columns.iter().zip(row).map(cell).collect::<Option<Vec<_>>>()?;
        let sound = match (self.name, cells.as_slice()) {
            (DOCUMENTS, [Cell::Blob(digest), Cell::Blob(bytes)]) => *digest == crypto::sha256(bytes).0,
            _ => true,
        };
        (sound && row.len() == self.columns.len()).then_some(cells)
    }
}

/// Every row that an export carries, as its table's name and its line.
pub(super) fn each(
    txn: &ReadTxn<'_>,
    whole: bool,
    mut take: impl FnMut(&'static str, &[u8]) -> Result<(), Error>,
) -> Result<(), Error> {
    for table in TABLES.iter().filter(|table| whole || !table.whole) {
        txn.each(table.select, &[], |row| take(table.name, &table.line(row)?))?;
    }
    Ok(())
}

/// Reads a line; `whole` says whether the export may carry every table.
pub(super) fn of_line(line: &[u8], whole: bool) -> Option<Stored> {
    let line: Value = serde_json::from_slice(line).ok()?;
    let name = line.get("table")?.as_str()?;
    let table = TABLES.iter().find(|table| table.name == name && (whole || !table.whole))?;
    Some(Stored { table, cells: table.cells(line.get("row")?.as_array()?)? })
}

impl Stored {
    pub(super) const fn table(&self) -> &'static str {
        self.table.name
    }

    pub(super) fn insert(&self, txn: &WriteTxn<'_>) -> Result<(), Error> {
        let arg = |cell| match cell {
            &Cell::Int(number) => Arg::Int(number),
            &Cell::OptInt(number) => Arg::OptInt(number),
            Cell::Text(text) => Arg::Text(text),
            Cell::Blob(bytes) => Arg::Blob(bytes),
        };
        let args: Vec<Arg<'_>> = self.cells.iter().map(arg).collect();
        txn.execute(self.table.insert, &args).map(drop)
    }
}
