//! Commands that need no installation: the policy language.

use anyhow::{Context, Result};
use policy::{DocumentKind, lint::LintOptions};
use std::{
    collections::HashSet,
    fmt::Display,
    fs,
    io::{self, BufRead, BufWriter, Read, Write},
};

use crate::cli::{Output, Policy};

/// Largest policy input that is read whole, in bytes; JSON lines are limited line by line.
const INPUT_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// Reads a file, or standard input for `-`.
///
/// # Errors
/// When it cannot be read, is larger than the limit, or is not UTF-8.
pub(crate) fn read(file: &str) -> Result<String> {
    let mut text = String::new();
    let read = if file == "-" {
        io::stdin().lock().take(INPUT_BYTES_MAX + 1).read_to_string(&mut text)
    } else {
        fs::File::open(file).and_then(|f| f.take(INPUT_BYTES_MAX + 1).read_to_string(&mut text))
    };
    let read = read.with_context(|| format!("could not read `{file}`"))?;
    anyhow::ensure!(read as u64 <= INPUT_BYTES_MAX, "`{file}` is larger than {INPUT_BYTES_MAX} bytes");
    Ok(text)
}

/// `galen policy`.
///
/// # Errors
/// When the input cannot be read or is not what the command takes.
pub(crate) fn policy(output: Output, command: &Policy) -> Result<()> {
    match command {
        Policy::Simulate { file } => simulate(file),
        Policy::Lint { file, kind, group_codes, retired_codes } => {
            let known = group_codes.as_deref().map(codes).transpose()?;
            let retired = retired_codes.as_deref().map(codes).transpose()?;
            let options = LintOptions {
                known_group_codes: known.as_ref(),
                retired_group_codes: retired.as_ref(),
                ..LintOptions::default()
            };
            lint(output, file, kind.as_deref(), &options)
        }
    }
}

/// One document, or JSON lines. A line that is wrong is answered with an error and the next line goes on.
fn simulate(file: &str) -> Result<()> {
    let mut input: Box<dyn BufRead> = if file == "-" {
        Box::new(io::stdin().lock())
    } else {
        Box::new(io::BufReader::new(fs::File::open(file).with_context(|| format!("could not read `{file}`"))?))
    };
    let mut out = BufWriter::new(io::stdout().lock());
    let mut stream = policy::simulate::Stream::new();
    let (mut bytes, mut number, mut failed) = (Vec::new(), 0_usize, None::<String>);
    loop {
        bytes.clear();
        let read = input.by_ref().take(INPUT_BYTES_MAX).read_until(b'\n', &mut bytes);
        if read.with_context(|| format!("could not read `{file}`"))? == 0 {
            break;
        }
        number += 1;
        let answers = match std::str::from_utf8(&bytes) {
            Ok(line) => stream.line(line.trim_end_matches(['\n', '\r'])),
            Err(_) => {
                wrong(&mut out, number, &"not UTF-8", &mut failed)?;
                stream.skip();
                Vec::new()
            }
        };
        for (number, answer) in answers {
            match answer {
                Ok(answer) => writeln!(out, "{}", answer.to_json())?,
                Err(error) => wrong(&mut out, number, &error, &mut failed)?,
            }
        }
        // A caller may wait for each answer before it sends the next line.
        out.flush()?;
    }
    if let Some(answer) = stream.end().filter(|_| failed.is_none()) {
        writeln!(out, "{}", answer?.to_json())?;
    }
    out.flush()?;
    match failed {
        Some(first) => anyhow::bail!("not every line was answered: {first}"),
        None => Ok(()),
    }
}

/// Answers a line that is no question, and keeps what the first of them was told.
fn wrong(out: &mut impl Write, line: usize, why: &dyn Display, first: &mut Option<String>) -> io::Result<()> {
    let told = format!("line {line}: {why}");
    writeln!(out, "{}", serde_json::json!({"error": told}))?;
    first.get_or_insert(told);
    Ok(())
}

/// Group codes, one a line; lines that are empty or begin with `#` are none.
fn codes(file: &str) -> Result<HashSet<String>> {
    let text = read(file)?;
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    Ok(lines.map(str::to_owned).collect())
}

/// Findings of the linter, one row each; the exit code is 1 when there is one.
fn lint(output: Output, file: &str, kind: Option<&str>, options: &LintOptions<'_>) -> Result<()> {
    let text = read(file)?;
    let kind = match kind {
        None => DocumentKind::guess(&text)?,
        Some("identity") => DocumentKind::Identity,
        Some("resource") => DocumentKind::Resource,
        Some("trust") => DocumentKind::Trust,
        Some("boundary") => DocumentKind::Boundary,
        Some("session") => DocumentKind::Session,
        // The command line lets no other word through.
        Some(_) => DocumentKind::ServiceControl,
    };
    let document = policy::Document::parse(&text, kind)?;
    let findings = policy::lint::lint(&document, options);
    match output {
        Output::Json => crate::output::result(output, &serde_json::to_value(&findings)?)?,
        // The mend is the point of a finding: it is never cut to a column.
        Output::Table => findings.iter().try_for_each(|finding| {
            let place = finding.statement.map_or_else(String::new, |index| format!(" in statement {index}"));
            let code = serde_json::to_value(finding.code).unwrap_or_default();
            let code = code.as_str().unwrap_or_default();
            crate::output::text(&format!("{code}{place}: {}\n  mend: {}", finding.message, finding.mend))
        })?,
    }
    anyhow::ensure!(findings.is_empty(), "{} in {}", base::count(findings.len(), "finding"), kind.described());
    Ok(())
}

#[cfg(test)]
mod tests;
