//! What a person sees of a result.

use serde_json::json;

use super::*;

#[test]
fn a_list_is_one_line_a_row_without_columns_that_say_nothing() {
    let rows = json!([
        {"id": "a", "service": null, "since": "2026-11-21T23:34:16.699555Z", "about": "x".repeat(100)},
        {"id": "b", "service": null, "since": "2026-11-21T23:34:17Z", "about": ""},
    ]);
    let shown = table(&rows);
    let lines: Vec<&str> = shown.lines().collect();
    assert_eq!(lines.len(), 3, "{shown}");
    assert_eq!(lines[0].split_whitespace().collect::<Vec<_>>(), ["ID", "SINCE", "ABOUT"]);
    assert!(lines[1].contains("2026-11-21T23:34:16Z") && lines[1].ends_with('\u{2026}'), "{shown}");
}

#[test]
fn a_name_stands_in_the_column_of_its_id() {
    let rows = json!([
        {"id": "a", "group": "1", "group_name": "readers", "groups": ["1", "2"], "group_names": ["readers", "owners"]},
        {"id": "b", "group": "3", "group_name": null, "groups": [], "group_names": []},
    ]);
    let shown = table(&rows);
    let words: Vec<Vec<&str>> = shown.lines().map(|line| line.split_whitespace().collect()).collect();
    let expected = [vec!["ID", "GROUP", "GROUPS"], vec!["a", "readers", "readers,", "owners"], vec!["b", "3", "-"]];
    assert_eq!(words, expected, "{shown}");
}

#[test]
fn fields_of_fields_have_lines_of_their_own() {
    let shown = table(&json!({"what": {"kind": "grant", "of": ["x", "y"]}, "epoch": null}));
    let words: Vec<Vec<&str>> = shown.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(words, [vec!["what.kind", "grant"], vec!["what.of", "x,", "y"], vec!["epoch", "-"]]);
}

#[test]
fn nothing_to_say_is_said() {
    assert_eq!(table(&json!(null)), "done");
    assert_eq!(table(&json!([])), "nothing");
    assert!(is_receipt(&json!({"statement": {}, "key": "k", "signature": "s"})));
    assert!(!is_receipt(&json!({"genuine": true, "statement": {}})));
}

#[test]
fn a_terminal_is_never_obeyed_by_what_others_wrote() {
    assert_eq!(cell(&json!("a\u{1b}[2Jb")), "a\u{fffd}[2Jb");
}
