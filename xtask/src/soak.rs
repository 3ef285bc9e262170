//! `cargo xtask soak`: the kill tests again, with many more rounds, and how much survived.
//!
//! Each test starts itself as a child, kills it at a random point under load and looks for everything that was
//! acknowledged; the number of rounds comes by the environment. It owns no test of its own.

use anyhow::{Result, ensure};

use crate::{
    postgres::{self, Server},
    run::{self, Counts},
    test::{cargo, summary, system_packages},
};

/// A kill test: package, name filter, the variable that says how many rounds.
struct Kill {
    what: &'static str,
    package: &'static str,
    test: &'static str,
    rounds: &'static str,
}

const KILLS: &[Kill] = &[
    Kill {
        what: "ledger",
        package: "store",
        test: "a_killed_process_loses_nothing_that_it_acknowledged",
        rounds: "GALEN_TEST_JOURNAL_KILLS",
    },
    Kill {
        what: "store on SQLite",
        package: "store",
        test: "sqlite_survives_kills",
        rounds: "GALEN_TEST_CRASH_ROUNDS",
    },
    Kill {
        what: "store on PostgreSQL",
        package: "store",
        test: "postgres_survives_kills",
        rounds: "GALEN_TEST_CRASH_ROUNDS",
    },
    Kill {
        what: "object files",
        package: "adapters",
        test: "killed_at_random_points_nothing_acknowledged_is_lost",
        rounds: "GALEN_TEST_FILES_ROUNDS",
    },
    Kill {
        what: "objects, whole path",
        package: "governance",
        test: "killed_at_random_points_nothing_acknowledged_is_lost",
        rounds: "GALEN_TEST_OBJECTS_ROUNDS",
    },
    Kill {
        what: "server under load on SQLite",
        package: "galen",
        test: "sqlite_survives_kills_under_load",
        rounds: "GALEN_TEST_CRASH_ROUNDS",
    },
    Kill {
        what: "server under load on PostgreSQL",
        package: "galen",
        test: "postgres_survives_kills_under_load",
        rounds: "GALEN_TEST_CRASH_ROUNDS",
    },
];

/// Runs every kill test for `rounds` rounds and prints what each found.
pub(crate) fn run(rounds: u32) -> Result<()> {
    system_packages(&["python3-venv", "util-linux"])?;
    let server = Server::start("soak")?;
    let mut failed = Vec::new();
    let mut lines = Vec::new();
    for kill in KILLS {
        let mut command = cargo("test");
        command.args(["--ignore-rust-version", "--package", kill.package, kill.test, "--", "--nocapture"]);
        command.env(kill.rounds, rounds.to_string()).env(postgres::URL_VARIABLE, &server.url);
        let (mut counts, mut said) = (Counts::default(), None);
        let ran = run::lines(&mut command, |line| {
            counts += summary(line).unwrap_or_default();
            if line.contains("survived") {
                said = Some(line.trim().to_owned());
            }
        })?;
        let whole = ran && counts.passed > 0 && counts.failed == 0;
        if !whole {
            failed.push(kill.what);
        }
        let result = if whole { "nothing acknowledged was lost" } else { "FAILED" };
        let said = said.map_or_else(String::new, |said| format!("; {said}"));
        lines.push(format!("{}: {rounds} kills, {result}{said}", kill.what));
    }
    drop(server);
    for line in &lines {
        println!("{line}");
    }
    ensure!(failed.is_empty(), "failed: {}", failed.join(", "));
    Ok(())
}
