//! The documents against the tree: links lead somewhere, every page can be reached, tests that are named exist, no line is about
//! one machine.

use anyhow::Result;
use std::collections::HashSet;
use std::path::{Component, Path, PathBuf};

use crate::tidy;

/// Where the book's list of pages is.
const SUMMARY: &str = "docs/src/SUMMARY.md";

/// The page whose tables name, in their last column, the test that shows each line.
const THREATS: &str = "docs/src/explanation/s3-threats.md";

/// Beginnings of paths that one machine has and others have not. The user's name follows the last one.
const MACHINE_PATHS: &[&str] = &["/work/", "/root/", "/home/"];
/// Hosts of package registries: which one a machine uses is its own affair.
const REGISTRIES: &[&str] =
    &["static.crates.io", "index.crates.io", "pypi.org", "pythonhosted.org", "registry.npmjs.org"];

/// Dead links, pages that the book does not list, and lines about one machine.
pub(crate) fn findings() -> Result<Vec<String>> {
    let mut findings = Vec::new();
    let pages = tidy::tracked(".md")?;
    let listed = std::fs::read_to_string(SUMMARY)?;
    let listed: Vec<PathBuf> = links(&listed).iter().filter_map(|link| target(Path::new(SUMMARY), link)).collect();
    for page in &pages {
        for link in links(&std::fs::read_to_string(page)?) {
            if target(page, &link).is_some_and(|path| !path.exists()) {
                findings.push(format!("{}: the link to `{link}` leads nowhere", page.display()));
            }
        }
        if page.starts_with("docs/src") && page != Path::new(SUMMARY) && !listed.contains(page) {
            findings.push(format!("{}: {SUMMARY} does not list it", page.display()));
        }
    }
    findings.extend(absent_tests(&std::fs::read_to_string(THREATS)?, &functions()?));
    for file in tidy::tracked("")? {
        // This file names what it looks for; a lock file names the registry that it was made with.
        if file.starts_with("xtask") || file.extension().is_some_and(|ending| ending == "lock") {
            continue;
        }
        // What is not UTF-8 holds no lines.
        let text = std::fs::read_to_string(&file).unwrap_or_default();
        for (number, line) in text.lines().enumerate() {
            if let Some(found) = of_one_machine(line) {
                findings.push(format!("{}:{}: names `{found}`: say it without", file.display(), number + 1));
            }
        }
    }
    Ok(findings)
}

/// The name of every function of the tree.
fn functions() -> Result<HashSet<String>> {
    let mut names = HashSet::new();
    for file in tidy::tracked(".rs")? {
        let text = std::fs::read_to_string(&file)?;
        let after = text.split("fn ").skip(1).filter_map(|rest| rest.split(['(', '<']).next());
        names.extend(after.map(str::to_owned));
    }
    Ok(names)
}

/// Tests that a table names and that are not in the tree. A name in backquotes that has an underscore and no dot is one.
fn absent_tests(page: &str, functions: &HashSet<String>) -> Vec<String> {
    let last = page
        .lines()
        .filter(|line| line.starts_with('|'))
        .filter_map(|line| line.trim_end_matches('|').rsplit('|').next());
    let quoted = last.flat_map(|cell| cell.split('`').skip(1).step_by(2));
    let absent = quoted.filter(|name| name.contains('_') && !name.contains('.') && !functions.contains(*name));
    absent.map(|name| format!("{THREATS}: there is no test `{name}`")).collect()
}

/// What stands in the parentheses of each `[text](target)`.
fn links(text: &str) -> Vec<String> {
    let after = text.split("](").skip(1);
    after.filter_map(|rest| rest.split_once(')')).map(|(link, _)| link.to_owned()).collect()
}

/// The file that a link of `page` means; `None` for another site, a heading of the same page, and what is no path.
fn target(page: &Path, link: &str) -> Option<PathBuf> {
    let path =
        link.split('#').next().filter(|path| !path.is_empty() && !path.contains("://") && !path.contains(' '))?;
    let mut found = PathBuf::new();
    for part in page.parent()?.join(path).components() {
        match part {
            Component::ParentDir => drop(found.pop()),
            other => found.push(other),
        }
    }
    Some(found)
}

fn of_one_machine(line: &str) -> Option<&'static str> {
    let registry = REGISTRIES.iter().find(|host| line.contains(**host));
    let starts =
        |path: &str| line.match_indices(path).any(|(at, _)| !line[..at].ends_with(|c: char| c.is_alphanumeric()));
    registry.or_else(|| MACHINE_PATHS.iter().find(|path| starts(path))).copied()
}

#[cfg(test)]
mod tests {
    //! Links and paths as they are written.

    use super::*;

    #[test]
    fn links_lead_from_their_page() {
        assert_eq!(links("see [a](b.md) and [c](../d.md#e)"), ["b.md", "../d.md#e"]);
        assert_eq!(target(Path::new("docs/src/x/y.md"), "../z.md#top"), Some("docs/src/z.md".into()));
        assert_eq!(target(Path::new("docs/y.md"), "https://example.com/a.md"), None);
        assert_eq!(target(Path::new("docs/y.md"), "#here"), None);
    }

    #[test]
    fn a_key_of_a_bucket_is_no_path_of_a_machine() {
        assert_eq!(of_one_machine("arn:aws:s3:::bucket/home/alice/x"), None);
        assert_eq!(of_one_machine("cd /home/alice"), Some("/home/"));
        assert_eq!(of_one_machine("pip install --index-url https://pypi.org/simple"), Some("pypi.org"));
    }

    // The page of threats named a test that was never written.
    #[test]
    fn finding_i_a_test_that_a_page_names_exists() {
        let functions = ["it_holds".to_owned()].into();
        let page = "| class | what | test |\n|---|---|---|\n| a `b_c` | d | `it_holds` in `policy`, `it_does_not` of `file_a.rs` |\n";
        assert_eq!(absent_tests(page, &functions), [format!("{THREATS}: there is no test `it_does_not`")]);
    }
}
