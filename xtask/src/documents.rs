//! The documents against the tree: links lead somewhere, every page can be reached, no line is about one machine.

use anyhow::Result;
use std::path::{Component, Path, PathBuf};

use crate::tidy;

/// Where the book's list of pages is.
const SUMMARY: &str = "docs/src/SUMMARY.md";

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
}
