//! Running other programs: one place that prints what runs, streams its output and counts test results.

use anyhow::{Context, Result, ensure};
use std::{
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// The folder of the workspace: the one that `cargo run` says now, so that a target folder shared by two clones does not mix them up.
pub(crate) fn root() -> PathBuf {
    let package =
        std::env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    package.parent().map(Path::to_path_buf).unwrap_or_default()
}

/// The folder of what is built.
pub(crate) fn target_dir() -> Result<PathBuf> {
    let named = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
    std::path::absolute(named).context("the target folder has no absolute path")
}

/// Where tests keep what they install: inside the target folder, so that `cargo clean` removes it.
pub(crate) fn work_dir() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from).join("galen-tests")
}

/// How many tests a step ran.
#[derive(Clone, Copy, Default)]
pub(crate) struct Counts {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
}

impl std::ops::AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
    }
}

impl Counts {
    pub(crate) const ONE_PASSED: Self = Self { passed: 1, failed: 0 };
    pub(crate) const ONE_FAILED: Self = Self { passed: 0, failed: 1 };
}

/// Runs `command`, letting it write to our own output. `Ok(false)` when it ran and failed.
pub(crate) fn status(command: &mut Command) -> Result<bool> {
    println!("$ {}", shown(command));
    Ok(command.status().with_context(|| format!("could not start `{}`", shown(command)))?.success())
}

/// Runs `command`, handing each line of its standard output to `line` and printing it too.
pub(crate) fn lines(command: &mut Command, mut line: impl FnMut(&str)) -> Result<bool> {
    println!("$ {}", shown(command));
    let mut child =
        command.stdout(Stdio::piped()).spawn().with_context(|| format!("could not start `{}`", shown(command)))?;
    let out = child.stdout.take().context("the child has no standard output")?;
    for text in BufReader::new(out).lines() {
        let text = text?;
        println!("{text}");
        line(&text);
    }
    Ok(child.wait()?.success())
}

/// A Python virtual environment with these packages; both are fetched only when they are missing.
pub(crate) fn venv(folder: &Path, packages: &[&str]) -> Result<()> {
    let python = folder.join("bin/python");
    if !python.exists() {
        let made = status(Command::new("python3").args(["-m", "venv"]).arg(folder))?;
        ensure!(made, "python3 could not make a virtual environment; install python3-venv");
    }
    let install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
    let installed = status(Command::new(&python).args(install).args(packages))?;
    ensure!(
        installed,
        "pip could not install {}; its own reason is above (it needs the package index and a gigabyte of room in {})",
        packages.join(", "),
        folder.display()
    );
    Ok(())
}

fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|w| w.to_string_lossy()).collect::<Vec<_>>().join(" ")
}
