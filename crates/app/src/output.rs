//! How results and errors are printed. Standard output carries results only; everything else goes to standard error.

use comfy_table::{ContentArrangement, Table, presets::NOTHING};
use serde_json::{Value, json};
use std::io::{self, Write};

use crate::{cli::Output, http};

/// Longest text of a cell in a list, in characters: one line of prose must not push the other columns off the screen. `show` and
/// `--output json` have all of it.
const LIST_CELL_CHARS_MAX: usize = 56;

/// Columns that a list leaves to `show` and `--output json`: long, and nobody compares them by eye.
const NOT_LISTED: &[&str] = &["key"];

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
            (title, detail) if title.is_empty() && detail.is_empty() => format!("the server answered {status}"),
            (title, detail) if detail.is_empty() => title,
            // A detail that begins as its title does says it all.
            (title, detail) if detail.to_lowercase().starts_with(&title.to_lowercase()) => detail,
            (title, detail) => format!("{title}: {detail}"),
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
        // A receipt is a document that is kept and checked again: it is printed as it was signed.
        Output::Table if is_receipt(value) => writeln!(out, "{value:#}"),
        Output::Table => writeln!(out, "{}", table(value)),
    }
}

fn is_receipt(value: &Value) -> bool {
    value.get("statement").is_some() && value.get("signature").is_some()
}

/// Writes text as it is, and a line end.
///
/// # Errors
/// When standard output is closed.
pub(crate) fn text(line: &str) -> io::Result<()> {
    writeln!(io::stdout().lock(), "{line}")
}

/// Writes the policy of a row as the document that it is, and its version to standard error.
///
/// # Errors
/// When standard output is closed.
pub(crate) fn policy(row: &Value) -> anyhow::Result<()> {
    match row.get("policy").filter(|policy| !policy.is_null()) {
        Some(policy) => text(&format!("{policy:#}"))?,
        None => note("there is no policy"),
    }
    if let Some(tag) = row.get("etag").and_then(Value::as_str) {
        note(&format!("etag {tag}"));
    }
    Ok(())
}

/// Whether a failure is only that nobody reads standard output any more.
pub(crate) fn reader_is_gone(error: &anyhow::Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

/// Writes a note for people to standard error.
pub(crate) fn note(line: &str) {
    // A closed standard error is no reason to stop.
    let _written = writeln!(io::stderr().lock(), "{line}");
}

/// Writes a failure to standard error, with every cause.
pub(crate) fn failure(output: Output, error: &anyhow::Error) {
    let told = http::told(error);
    if output == Output::Json {
        let document = error.downcast_ref::<Problem>().map_or_else(
            || {
                let title = told.split_once(": ").map_or(told.as_str(), |(first, _)| first);
                json!({"type": "about:blank", "title": title, "detail": told})
            },
            |problem| problem.document.clone(),
        );
        note(&document.to_string());
    } else {
        note(&format!("galen: {told}"));
    }
}

/// Writes to standard error, as a problem object, what clap says of a command that cannot be read: its first line is the title.
pub(crate) fn bad_usage(said: &str) {
    let said = said.trim().trim_start_matches("error: ");
    let (first, _) = said.split_once('\n').unwrap_or((said, ""));
    let title = first.trim_end_matches(':');
    note(&json!({"type": "about:blank", "title": title, "detail": said}).to_string());
}

fn table(value: &Value) -> String {
    match value {
        Value::Null => "done".to_owned(),
        Value::Array(rows) => rows_table(rows),
        Value::Object(_) => {
            let mut table = plain();
            add_fields(&mut table, "", value);
            trimmed(&table)
        }
        other => cell(other),
    }
}

/// One line for each field; the fields of an object in it get its name before theirs.
fn add_fields(table: &mut Table, before: &str, value: &Value) {
    for (key, field) in value.as_object().into_iter().flatten() {
        let name = format!("{before}{key}");
        if field.as_object().is_some_and(|fields| !fields.is_empty()) {
            add_fields(table, &format!("{name}."), field);
        } else {
            table.add_row([name, cell(field)]);
        }
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
    // A name stands in the column of its id.
    let field = |row: &Value, column: &str| {
        let own = |column: &str| row.get(column).map(cell).filter(|text| !["-", ""].contains(&text.as_str()));
        named(column).iter().find_map(|name| own(name)).or_else(|| own(column)).unwrap_or_else(|| "-".to_owned())
    };
    let is_name = |column: &str| first.keys().any(|other| named(other).iter().any(|name| name == column));
    // A column that is empty in every row says nothing.
    let listed = |column: &String| !is_name(column) && !NOT_LISTED.contains(&column.as_str());
    let said = |column: &&String| listed(column) && rows.iter().any(|row| field(row, column) != "-");
    let columns: Vec<&String> = first.keys().filter(said).collect();
    let mut table = plain();
    table.set_header(columns.iter().map(|column| column.to_uppercase()));
    for row in rows {
        table.add_row(columns.iter().map(|column| shortened(&field(row, column))));
    }
    trimmed(&table)
}

/// The fields that name what a field of ids stands for.
fn named(column: &str) -> [String; 2] {
    [format!("{column}_name"), format!("{}_names", column.trim_end_matches('s'))]
}

/// No frame and no lines: what is printed can be cut, sorted and searched.
fn plain() -> Table {
    let mut table = Table::new();
    table.load_style(NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    table
}

fn trimmed(table: &Table) -> String {
    table.lines().map(|line| line.trim().to_owned()).collect::<Vec<_>>().join("\n")
}

fn shortened(text: &str) -> String {
    if text.chars().count() <= LIST_CELL_CHARS_MAX {
        return text.to_owned();
    }
    text.chars().take(LIST_CELL_CHARS_MAX - 1).chain(['\u{2026}']).collect()
}

/// One value as a person reads it; control characters are shown, never obeyed by the terminal.
fn cell(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::Array(items) if items.is_empty() => "-".to_owned(),
        Value::String(text) => {
            let shown = to_seconds(text).unwrap_or_else(|| text.clone());
            shown.chars().map(|c| if c.is_control() && c != '\n' { '\u{fffd}' } else { c }).collect()
        }
        Value::Array(items) if items.iter().any(Value::is_object) => {
            items.iter().map(cell).collect::<Vec<_>>().join("\n")
        }
        Value::Array(items) => items.iter().map(cell).collect::<Vec<_>>().join(", "),
        Value::Object(fields) => {
            fields.iter().map(|(key, field)| format!("{key} {}", cell(field))).collect::<Vec<_>>().join(", ")
        }
        other => other.to_string(),
    }
}

/// A time without its fraction of a second; `None` for what is no time with a fraction.
fn to_seconds(text: &str) -> Option<String> {
    let (whole, _fraction) = text.strip_suffix('Z')?.split_once('.')?;
    let _time: jiff::Timestamp = text.parse().ok()?;
    Some(format!("{whole}Z"))
}

#[cfg(test)]
mod tests;
