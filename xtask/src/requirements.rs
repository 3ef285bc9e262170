//! The requirement registry against the tests: which promise is shown by which test that ran.
//!
//! A test carries the ids it verifies in a comment line `// verifies: AUD-04, IAM-02` directly above its attribute. A
//! requirement counts as shown only if such a test passed in this run.

use anyhow::{Context, Result};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};

use crate::{run, tidy};

#[derive(Deserialize)]
struct Registry {
    requirement: Vec<Requirement>,
}

/// One promise, as in `docs/requirements/*.toml`.
#[derive(Deserialize)]
struct Requirement {
    id: String,
    text: String,
    status: Status,
    /// What is there and what is missing, when the status is not `shown`.
    #[serde(default)]
    note: String,
}

#[derive(Clone, Copy, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
enum Status {
    /// Tests show all of it.
    Shown,
    /// Tests show some of it; the note says what is missing.
    Partial,
    /// Nothing is built yet.
    Planned,
}

fn registry() -> Result<Vec<Requirement>> {
    let mut all = Vec::new();
    for file in tidy::tracked(".toml")? {
        if file.starts_with("docs/requirements") {
            let text = std::fs::read_to_string(&file)?;
            let read: Registry = toml::from_str(&text).with_context(|| format!("{} is malformed", file.display()))?;
            all.extend(read.requirement);
        }
    }
    Ok(all)
}

/// What the comments in the sources claim.
#[derive(Default)]
struct Claims {
    /// Test function name -> requirement ids.
    verifies: BTreeMap<String, BTreeSet<String>>,
    /// How many functions there are of each name. A run tells the names of tests alone: another test of a claimed name would pass for it.
    functions: BTreeMap<String, usize>,
}

fn claims() -> Result<Claims> {
    let mut claims = Claims::default();
    for file in tidy::tracked(".rs")? {
        if file.starts_with("xtask") {
            continue;
        }
        let mut waiting: Vec<String> = Vec::new();
        for line in std::fs::read_to_string(&file)?.lines().map(str::trim) {
            if let Some(ids) = line.strip_prefix("// verifies:") {
                waiting.extend(ids.split(',').map(|id| id.trim().to_owned()));
            } else if let Some(name) = function_name(line) {
                *claims.functions.entry(name.to_owned()).or_default() += 1;
                if !waiting.is_empty() {
                    claims.verifies.entry(name.to_owned()).or_default().extend(waiting.drain(..));
                }
            }
        }
    }
    Ok(claims)
}

fn function_name(line: &str) -> Option<&str> {
    let rest = line.strip_prefix("pub ").unwrap_or(line);
    let rest = rest.strip_prefix("async ").unwrap_or(rest).strip_prefix("fn ")?;
    rest.split(['(', '<']).next()
}

/// Ids that tests carry and the registry does not know, doubled ids, and statuses without a note.
pub(crate) fn findings() -> Result<Vec<String>> {
    let mut findings = Vec::new();
    let mut known = BTreeSet::new();
    for requirement in registry()? {
        if !known.insert(requirement.id.clone()) {
            findings.push(format!("docs/requirements: `{}` stands twice", requirement.id));
        }
        if requirement.text.is_empty() || (requirement.status != Status::Shown && requirement.note.is_empty()) {
            findings
                .push(format!("docs/requirements: `{}` lacks its text or the note on what is missing", requirement.id));
        }
    }
    let claims = claims()?;
    for (test, ids) in &claims.verifies {
        if claims.functions.get(test).is_some_and(|count| *count > 1) {
            findings
                .push(format!("`{test}` carries a requirement's id, and another function has its name: rename one"));
        }
        for id in ids.difference(&known) {
            findings.push(format!("test `{test}` verifies `{id}`, which docs/requirements does not list"));
        }
    }
    Ok(findings)
}

/// Writes `requirements.tsv` into the tests' folder; returns a sentence for each promise said to be shown whose tests did not pass.
pub(crate) fn report(passed: &BTreeSet<String>) -> Result<Vec<String>> {
    let ran: BTreeSet<&str> = passed.iter().filter_map(|name| name.rsplit("::").next()).collect();
    let mut shown: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (test, ids) in claims()?.verifies {
        for id in ids {
            if ran.contains(test.as_str()) {
                shown.entry(id).or_default().push(test.clone());
            }
        }
    }
    let mut table = String::from("id\tstatus\ttests that ran\n");
    let mut missing = Vec::new();
    for requirement in registry()? {
        let tests = shown.remove(&requirement.id).unwrap_or_default();
        let status = match (requirement.status, tests.is_empty()) {
            (Status::Shown, false) => "shown",
            (Status::Shown, true) => {
                missing.push(format!("{} is said to be shown, but no test that carries its id passed", requirement.id));
                "not shown"
            }
            (Status::Partial, _) => "partial",
            (Status::Planned, _) => "planned",
        };
        table.push_str(&format!("{}\t{status}\t{}\n", requirement.id, tests.join(" ")));
    }
    std::fs::write(run::work_dir().join("requirements.tsv"), table)?;
    Ok(missing)
}
