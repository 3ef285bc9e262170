//! The reference page tells the catalogue as it is.

use super::*;

const PAGE: &str = include_str!("../../../../docs/src/reference/actions.md");

#[test]
fn the_reference_names_every_action() {
    let word = |need: Need| match need {
        Need::Iam => "policy",
        Need::Discover => "any part in it",
        Need::Read => "grant: read",
        Need::Write => "grant: write",
        Need::List => "something readable",
        Need::Owner => "owner or steward",
        Need::Policy => "owner or steward, past the policy",
        Need::Retention => "retention",
        Need::Trust => "trust",
        Need::Nothing => "none",
    };
    let recorded = |class: Class| match class {
        Class::Read | Class::Write => "intent first",
        Class::Change => "with the change",
        Class::View => "one entry",
    };
    let rows: Vec<Vec<&str>> = PAGE
        .lines()
        .filter(|line| line.starts_with("| `s3:") || line.starts_with("| `sts:") || line.starts_with("| `galen:"))
        .map(|line| line.split('|').map(str::trim).collect::<Vec<_>>())
        .filter(|cells| cells.len() == 7)
        .collect();
    for spec in all() {
        let name = format!("`{}`", spec.name);
        let row = rows.iter().find(|cells| cells[1] == name);
        let row = row.unwrap_or_else(|| panic!("{name} is not in docs/src/reference/actions.md"));
        assert_eq!((row[3], row[4]), (word(spec.need), recorded(spec.class)), "{name}");
    }
    assert_eq!(rows.len(), all().count(), "an action of the page does not exist");
}
