//! How results and errors are printed. Standard output carries results only; everything else goes to standard error.

use comfy_table::{ContentArrangement, Table, presets::UTF8_HORIZONTAL_ONLY};
use serde_json::{Value, json};
use std::io::{self, Write};

use crate::cli::Output;

/// A failure that a server described: a title, what to do, and the decision behind it.
#[derive(Debug, thiserror::Error)]
#[error("{title}")]
pub(crate) struct Problem {
    /// The problem document (RFC 9457) as the server sent it.
    pub(crate) document: Value,
    title: String,
}

impl Problem {
    /// A problem that a server answered with.
    pub(crate) fn remote(status: u16, document: Value) -> Self {
        let text = |key: &str| document.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        let title = match (text("title"), text("detail")) {
            (title, detail) if !title.is_empty() && !detail.is_empty() => format!("{title}: {detail}"),
            (title, _) if !title.is_empty() => title,
            (_, detail) if !detail.is_empty() => detail,
            _ => format!("the server answered {status}"),
        };
        Self { document, title }
    }
}

/// Writes one result.
///
/// # Errors
/// When standard output is closed.
pub(crate) fn result(output: Output, value: &Value) -> io::Result<()> {
    let mut out = io::stdout().lock();
    match output {
        Output::Json => {
            serde_json::to_writer(&mut out, value)?;
            writeln!(out)
        }
        Output::Table => writeln!(out, "{}", table(value)),
    }
}

/// Writes text as it is, and a line end.
///
/// # Errors
/// When standard output is closed.
pub(crate) fn text(line: &str) -> io::Result<()> {
    writeln!(io::stdout().lock(), "{line}")
}

/// Writes a note for people to standard error.
pub(crate) fn note(line: &str) {
    // A closed standard error is no reason to stop.
    let _written = writeln!(io::stderr().lock(), "{line}");
}

/// Writes a failure to standard error, with every cause.
pub(crate) fn failure(output: Output, error: &anyhow::Error) {
    if output == Output::Json {
        let document = error.downcast_ref::<Problem>().map_or_else(
            || json!({"type": "about:blank", "title": error.to_string(), "detail": format!("{error:#}")}),
            |problem| problem.document.clone(),
        );
        note(&document.to_string());
    } else {
        note(&format!("galen: {error:#}"));
    }
}

fn table(value: &Value) -> String {
    match value {
        Value::Array(rows) => rows_table(rows),
        Value::Object(map) => {
            let mut table = plain();
            for (key, field) in map {
                table.add_row([key.clone(), cell(field)]);
            }
            table.to_string()
        }
        other => cell(other),
    }
}

fn rows_table(rows: &[Value]) -> String {
    let Some(Value::Object(first)) = rows.first() else {
        return if rows.is_empty() {
            "nothing".to_owned()
        } else {
            rows.iter().map(cell).collect::<Vec<_>>().join("\n")
        };
    };
    let columns: Vec<&String> = first.keys().collect();
    let mut table = plain();
    table.set_header(columns.clone());
    for row in rows {
        table.add_row(columns.iter().map(|column| cell(row.get(column.as_str()).unwrap_or(&Value::Null))));
    }
    table.to_string()
}

fn plain() -> Table {
    let mut table = Table::new();
    table.load_style(UTF8_HORIZONTAL_ONLY).set_content_arrangement(ContentArrangement::Disabled);
    table
}

/// One value as a person reads it; control characters are shown, never obeyed by the terminal.
fn cell(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.chars().map(|c| if c.is_control() && c != '\n' { '\u{fffd}' } else { c }).collect(),
        Value::Array(items) => items.iter().map(cell).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}
