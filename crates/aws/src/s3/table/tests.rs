//! The table is in order, names every operation once, and is what the reference page says.

use super::*;

#[test]
fn the_table_is_sorted_and_whole() {
    assert!(TABLE.is_sorted_by(|a, b| a.name < b.name));
    assert_eq!(TABLE.len(), OPERATIONS, "the codec has another number of operations: give each new one a row");
    assert!(find("GetObject").is_some() && find("Unheard").is_none());
}

/// Operations of s3s 0.17.0.
const OPERATIONS: usize = 113;

#[test]
#[expect(clippy::disallowed_methods, reason = "whoever changes the table asks this test to write the page")]
fn the_reference_page_is_this_table() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/src/reference/s3-operations.md");
    if std::env::var_os("GALEN_GOLDEN").is_some() {
        std::fs::write(path, page()).unwrap();
    }
    let written = std::fs::read_to_string(path).unwrap_or_default();
    assert!(written == page(), "run the test once with GALEN_GOLDEN=1 and read the difference");
}

#[test]
fn every_test_that_the_table_names_exists() {
    let source = include_str!("../../../tests/s3.rs");
    for row in TABLE {
        if let State::Done { test, .. } = row.state {
            assert!(source.contains(&format!("fn {test}(")), "{}: no test `{test}`", row.name);
        }
    }
}
