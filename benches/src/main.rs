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
mod ranges;
mod report;
mod revoke;
mod s3;
mod start;
mod stats;
mod system;
mod why;
mod why_kernel;

use anyhow::{Result, bail};

/// Every bench, in the order of the document.
const ALL: &[&str] = &["decision", "ledger", "start", "why", "objects", "revoke", "ranges"];

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Result<()> {
    let names: Vec<String> = std::env::args().skip(1).collect();
    let wanted = |name: &str| names.is_empty() || names.iter().any(|given| given == name);
    if let Some(unknown) = names.iter().find(|name| !ALL.contains(&name.as_str()) && *name != "render") {
        bail!("there is no bench `{unknown}`: the benches are {}", ALL.join(", "));
    }
    for name in ALL.iter().filter(|name| wanted(name)) {
        println!("\n== {name}");
        match run(name).await {
            Ok(report) => report.keep()?,
            Err(error) => println!("`{name}` did not finish: {error:#}"),
        }
        report::render(ALL)?;
    }
    report::render(ALL)
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
