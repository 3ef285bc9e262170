//! Commands that need no installation: the policy language.

use anyhow::{Context, Result};
use policy::DocumentKind;
use std::{
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
        Policy::Lint { file, kind } => lint(output, file, kind.as_deref()),
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
    let (mut bytes, mut number, mut failed) = (Vec::new(), 0_usize, false);
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
                failed = true;
                wrong(&mut out, number, &"not UTF-8")?;
                stream.skip();
                Vec::new()
            }
        };
        for (number, answer) in answers {
            match answer {
                Ok(answer) => writeln!(out, "{}", answer.to_json())?,
                Err(error) => {
                    failed = true;
                    wrong(&mut out, number, &error)?;
                }
            }
        }
        // A caller may wait for each answer before it sends the next line.
        out.flush()?;
    }
    if let Some(answer) = stream.end().filter(|_| !failed) {
        writeln!(out, "{}", answer?.to_json())?;
    }
    out.flush()?;
    anyhow::ensure!(!failed, "some lines were not answered; each says why");
    Ok(())
}

fn wrong(out: &mut impl Write, line: usize, why: &dyn std::fmt::Display) -> io::Result<()> {
    writeln!(out, "{}", serde_json::json!({"error": format!("line {line}: {why}")}))
}

/// Findings of the linter, one row each; the exit code is 1 when there is one.
fn lint(output: Output, file: &str, kind: Option<&str>) -> Result<()> {
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
    let findings = policy::lint::lint(&document, &policy::lint::LintOptions::default());
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
