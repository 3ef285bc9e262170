//! `cargo xtask`: what a developer and CI run. It owns the order of the checks and nothing of the product.
//!
//! `test` is the whole test command of the README: it installs what the tests need, runs every check and ends with one
//! summary line. `tidy` checks the structure of the house. Nothing here is shipped.

mod bench;
mod documents;
mod postgres;
mod requirements;
mod run;
mod soak;
mod test;
mod tidy;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(about = "Checks of the Galen repository")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Install what the tests need and run every check; the last line says how many passed and failed.
    Test {
        /// Skip the parts that need packages from a registry (PostgreSQL, Python clients, cargo-deny); for a machine without network.
        #[arg(long)]
        offline: bool,
    },
    /// Measure, beside peers and the machine's own limits, and write `docs/benchmarks.md`.
    Bench {
        /// Which: decision, ledger, start, why, objects, revoke, ranges; all when none is named.
        names: Vec<String>,
    },
    /// Kill what writes, again and again, and look for what was acknowledged.
    Soak {
        /// Kills of each test.
        #[arg(long, default_value_t = 100)]
        rounds: u32,
    },
    /// Check the structure: arrows between crates, file headers, links, pages, requirement ids.
    Tidy,
}

fn main() -> std::process::ExitCode {
    match run() {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            std::process::ExitCode::FAILURE
        }
    }
}

fn run() -> anyhow::Result<()> {
    std::env::set_current_dir(run::root())?;
    match Cli::parse().command {
        Command::Test { offline } => test::all(offline),
        Command::Bench { names } => bench::run(&names),
        Command::Soak { rounds } => soak::run(rounds),
        Command::Tidy => {
            let findings = tidy::findings()?;
            for finding in &findings {
                println!("{finding}");
            }
            anyhow::ensure!(findings.is_empty(), "{} findings", findings.len());
            println!("tidy: nothing to mend");
            Ok(())
        }
    }
}
