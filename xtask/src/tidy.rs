//! `cargo xtask tidy`: the structure of the house, checked. It reads files and judges no style.

use anyhow::{Context, Result};
use serde::Deserialize;
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{documents, requirements};

/// Which crates a crate may use: the rows of ARCHITECTURE.md, from the bottom up. A crate may use every crate of an
/// earlier group; crates of one group are siblings and must not know one another.
const GROUPS: &[&[&str]] = &[
    &["base"],
    &["crypto"],
    &["ledger", "policy", "protocols"],
    &["store"],
    &["custody"],
    &["access"],
    &["directory"],
    &["governance"],
    &["adapters", "evidence", "operate"],
    &["web", "aws"],
    &["galen"],
];

/// Third-party crates that only these crates may name.
const FENCES: &[(&str, &[&str])] = &[
    ("rusqlite", &["store"]),
    ("postgres", &["store"]),
    ("s3s", &["aws"]),
    ("axum", &["web"]),
    ("aws-lc-rs", &["crypto"]),
    ("clap", &["galen", "xtask"]),
    ("anyhow", &["galen", "xtask"]),
];

/// Crates whose name in code is not their package's.
const NAMES_IN_CODE: &[(&str, &str)] = &[("md-5", "md5")];

#[derive(Deserialize)]
struct Manifest {
    package: Package,
    #[serde(default)]
    dependencies: BTreeMap<String, toml::Value>,
    #[serde(default, rename = "dev-dependencies")]
    dev_dependencies: BTreeMap<String, toml::Value>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
}

/// Everything that is not as the house says, one sentence each.
pub(crate) fn findings() -> Result<Vec<String>> {
    let mut findings = Vec::new();
    arrows(&mut findings)?;
    for file in tracked(".rs")? {
        let text = std::fs::read_to_string(&file).with_context(|| format!("could not read {}", file.display()))?;
        source(&file, &text, &mut findings);
    }
    architecture(&mut findings)?;
    findings.extend(requirements::findings()?);
    findings.extend(documents::findings()?);
    Ok(findings)
}

fn arrows(findings: &mut Vec<String>) -> Result<()> {
    let level = |name: &str| GROUPS.iter().position(|group| group.contains(&name));
    for folder in crate_folders()? {
        let path = folder.join("Cargo.toml");
        let manifest: Manifest = toml::from_str(&std::fs::read_to_string(&path)?)?;
        let name = &manifest.package.name;
        let Some(own) = level(name) else {
            findings.push(format!("{}: crate `{name}` has no place in the list of groups", path.display()));
            continue;
        };
        let (shipped, all) = (code(&folder, &is_shipped)?, code(&folder, &|_| true)?);
        for dependency in manifest.dependencies.keys().chain(manifest.dev_dependencies.keys()) {
            if !all.contains(&in_code(dependency)) {
                findings.push(format!("{}: `{name}` does not use `{dependency}`", path.display()));
            } else if manifest.dependencies.contains_key(dependency) && !shipped.contains(&in_code(dependency)) {
                findings.push(format!("{}: only tests use `{dependency}`: make it a dev-dependency", path.display()));
            }
        }
        for dependency in manifest.dependencies.keys() {
            if level(dependency).is_some_and(|theirs| theirs >= own) {
                findings.push(format!("{}: `{name}` must not use `{dependency}`: arrows go up only", path.display()));
            }
            let fence = FENCES.iter().find(|(fenced, _)| fenced == dependency);
            if fence.is_some_and(|(_, allowed)| !allowed.contains(&name.as_str())) {
                findings.push(format!("{}: `{dependency}` is fenced and `{name}` is outside", path.display()));
            }
        }
    }
    Ok(())
}

/// How code begins to name something of a package.
fn in_code(package: &str) -> String {
    let renamed = NAMES_IN_CODE.iter().find(|(named, _)| *named == package);
    renamed.map_or_else(|| package.replace('-', "_"), |(_, name)| (*name).to_owned()) + "::"
}

/// Whether a source file of a crate is more than a test.
fn is_shipped(file: &Path) -> bool {
    !file.components().any(|part| ["tests", "tests.rs"].iter().any(|name| part.as_os_str() == *name))
}

/// The text of the source files below a folder that are `wanted`.
fn code(folder: &Path, wanted: &dyn Fn(&Path) -> bool) -> Result<String> {
    let mut text = String::new();
    for file in tracked(".rs")?.iter().filter(|file| file.starts_with(folder) && wanted(file)) {
        text += &std::fs::read_to_string(file)?;
    }
    Ok(text)
}

fn source(file: &Path, text: &str, findings: &mut Vec<String>) {
    let shown = file.display();
    if !text.starts_with("//!") {
        findings.push(format!("{shown}: starts without `//!`: say what the file owns and what it must not know"));
    }
    for (number, line) in text.lines().enumerate() {
        let number = number + 1;
        let own_list = shown.to_string().starts_with("xtask/");
        if line.contains("#[ignore") && !own_list {
            findings.push(format!("{shown}:{number}: no ignored tests"));
        }
        if line.contains("TODO") && !line.contains("TODO(#") && !own_list {
            findings.push(format!("{shown}:{number}: a TODO names its issue, as in TODO(#12)"));
        }
    }
}

fn architecture(findings: &mut Vec<String>) -> Result<()> {
    let text = std::fs::read_to_string("ARCHITECTURE.md").context("ARCHITECTURE.md is missing")?;
    for folder in crate_folders()? {
        let name = folder.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        if !text.contains(&format!("`{name}`")) {
            findings.push(format!("ARCHITECTURE.md: does not name crate `{name}`"));
        }
    }
    Ok(())
}

fn crate_folders() -> Result<Vec<PathBuf>> {
    let mut folders = Vec::new();
    for entry in std::fs::read_dir("crates")? {
        let path = entry?.path();
        if path.join("Cargo.toml").exists() {
            folders.push(path);
        }
    }
    folders.sort();
    Ok(folders)
}

/// Files that git tracks (or would, were they added) with this ending.
pub(crate) fn tracked(ending: &str) -> Result<Vec<PathBuf>> {
    let out = Command::new("git").args(["ls-files", "--cached", "--others", "--exclude-standard"]).output()?;
    anyhow::ensure!(out.status.success(), "git ls-files failed: {}", String::from_utf8_lossy(&out.stderr));
    let names = String::from_utf8(out.stdout)?;
    let paths = names.lines().filter(|name| name.ends_with(ending)).map(PathBuf::from);
    Ok(paths.filter(|path| path.exists()).collect())
}
