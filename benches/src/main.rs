//! The benches behind `cargo xtask bench`: each prints its table and keeps it for `docs/benchmarks.md`.
//!
//! It measures; it never asserts a time. Every table holds its peer and its physical limit from the same run, because
//! a figure alone says more about the machine than about the program.

mod decision;
mod ledger_log;
mod machine;
mod objects;
mod others;
#[cfg(feature = "peers")]
mod peers;
mod progress;
mod ranges;
mod report;
mod revoke;
mod s3;
mod start;
mod stats;
mod system;
mod why;
mod why_kernel;

use anyhow::{Context, Result, bail, ensure};
use std::time::{Duration, Instant};

/// Every bench, in the order of the document.
const ALL: &[&str] = &["decision", "ledger", "start", "why", "objects", "revoke", "ranges"];
/// A bench that takes longer hangs; the slowest takes a third of it.
const LONGEST: Duration = Duration::from_secs(15 * 60);

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Result<()> {
    let names: Vec<String> = std::env::args().skip(1).collect();
    let wanted = |name: &str| names.is_empty() || names.iter().any(|given| given == name);
    if let Some(unknown) = names.iter().find(|name| !ALL.contains(&name.as_str()) && *name != "render") {
        bail!("there is no bench `{unknown}`: the benches are {}", ALL.join(", "));
    }
    report::remove_leftovers()?;
    progress::start();
    let wanted: Vec<&str> = ALL.iter().copied().filter(|name| wanted(name)).collect();
    let mut lacking = Vec::new();
    for (n, name) in wanted.iter().enumerate() {
        let place = format!("{name}, {} of {}", n + 1, wanted.len());
        progress::line(&format!("\n== {place}"));
        progress::bench(&place);
        let begun = Instant::now();
        let done = tokio::time::timeout(LONGEST, run(name)).await.context("it hangs");
        match done.and_then(|done| done) {
            Ok(report) => {
                report.keep()?;
                lacking.extend(report.lacks.iter().map(|lack| format!("{name}: {lack}")));
            }
            Err(error) => {
                report::forget(name)?;
                progress::line(&format!("`{name}` did not finish: {error:#}"));
                lacking.push(format!("{name}: {error:#}"));
            }
        }
        progress::line(&format!("== {name} took {:.0} s", begun.elapsed().as_secs_f64()));
    }
    report::render(ALL)?;
    ensure!(lacking.is_empty(), "not everything was measured:\n{}", lacking.join("\n"));
    Ok(())
}

async fn run(name: &str) -> Result<report::Report> {
    match name {
        "decision" => tokio::task::block_in_place(decision::run),
        "ledger" => ledger_log::run().await,
        "start" => start::run().await,
        "why" => why::run().await,
        "objects" => objects::run().await,
        "revoke" => revoke::run().await,
        _ => ranges::run().await,
    }
}
