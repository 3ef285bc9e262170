//! A PostgreSQL server for a run of tests: started from the wheel by `scripts/postgres-for-tests`, stopped at the end.

use anyhow::Result;
use std::{path::PathBuf, process::Command};

use crate::run;

/// The environment variable by which a test learns of the server.
pub(crate) const URL_VARIABLE: &str = "GALEN_TEST_POSTGRES_URL";

/// A running server, stopped when this is dropped; its folder stays, so that the next start is quick.
pub(crate) struct Server {
    dir: PathBuf,
    pub(crate) url: String,
}

impl Server {
    /// Starts the server of `purpose`, so that two purposes never stop each other's.
    pub(crate) fn start(purpose: &str) -> Result<Self> {
        // PostgreSQL refuses to run as root, so its folder must be one that another user can reach: never below a home.
        let dir = PathBuf::from(format!("/var/tmp/galen-postgres-for-{purpose}"));
        let mut url = String::new();
        let started = run::lines(script("start").arg(&dir), |line| {
            if line.starts_with("postgres") {
                line.clone_into(&mut url);
            }
        })?;
        anyhow::ensure!(
            started && !url.is_empty(),
            "PostgreSQL for the {purpose} did not start; its log is in {}",
            dir.display()
        );
        Ok(Self { dir, url })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Err(error) = run::status(script("stop").arg(&self.dir)) {
            eprintln!("xtask: PostgreSQL in {} was not stopped: {error:#}", self.dir.display());
        }
    }
}

fn script(verb: &str) -> Command {
    let mut command = Command::new("scripts/postgres-for-tests");
    command.arg(verb);
    command
}
