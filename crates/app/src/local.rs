//! Commands that need no installation: the policy language.

use anyhow::{Context, Result};
use std::{
    fs,
    io::{self, BufRead, BufWriter, Read, Write},
};

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

/// `galen policy simulate`: one document, or JSON lines. A line that is wrong is answered with an error and the next line goes on.
///
/// # Errors
/// When a single document is wrong, or input or output breaks.
pub(crate) fn simulate(file: &str) -> Result<()> {
    let mut out = BufWriter::new(io::stdout().lock());
    let input: Box<dyn BufRead> = if file == "-" {
        Box::new(io::stdin().lock())
    } else {
        Box::new(io::BufReader::new(fs::File::open(file).with_context(|| format!("could not read `{file}`"))?))
    };
    let mut input = input;
    let mut first = String::new();
    input.read_line(&mut first)?;
    if serde_json::from_str::<serde_json::Value>(&first).is_err() {
        // The first line is not a whole document: one document over several lines.
        input.take(INPUT_BYTES_MAX).read_to_string(&mut first)?;
        let answer = policy::simulate::simulate(&first)?;
        serde_json::to_writer(&mut out, &answer)?;
        writeln!(out)?;
        return Ok(out.flush()?);
    }
    let mut failed = false;
    let mut lines = 0_u64;
    let mut line = first;
    while !line.is_empty() {
        if !line.trim().is_empty() {
            lines += 1;
            match policy::simulate::simulate(&line) {
                Ok(answer) => serde_json::to_writer(&mut out, &answer)?,
                Err(error) if lines == 1 && !more(&mut input)? => return Err(error.into()),
                Err(error) => {
                    failed = true;
                    serde_json::to_writer(&mut out, &serde_json::json!({"error": format!("line {lines}: {error}")}))?;
                }
            }
            writeln!(out)?;
            // A caller may wait for each answer before it sends the next line.
            out.flush()?;
        }
        line.clear();
        input.read_line(&mut line)?;
    }
    out.flush()?;
    anyhow::ensure!(!failed, "some lines were not answered; each says why");
    Ok(())
}

fn more(input: &mut dyn BufRead) -> Result<bool> {
    Ok(!input.fill_buf()?.is_empty())
}
