//! What was written once must be readable for ever: fixtures of released formats.

use std::io::Cursor;

use super::open;

/// An export of version 1: twelve subjects, both folds of the suite, text that needs care in JSON.
const FACTS_V1: &[u8] = include_bytes!("../../tests/fixtures/facts-v1.jsonl");

// verifies: DAT-05
#[tokio::test]
async fn exports_of_version_1_are_read() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path(), 9).unwrap();
    let header = store.import(Cursor::new(FACTS_V1), String::new()).await.unwrap();
    let report = store.verify().await.unwrap();
    assert!(report.sound(), "{:?}", report.problems);
    assert_eq!((report.facts, report.chain), (30, header.chain));
    let folds: Vec<String> = report.views.iter().map(|view| format!("{} {}", view.view, view.fold_hash)).collect();
    assert_eq!(
        folds,
        [
            "grant 8884f9d938f4d474f4a64b562b9d6e42ce7ef7f63ed21c3aabb730b58046827e",
            "name e82a647a56b1e046712c8b3709d254092c55bc06cbdb8995c6eb24e5d02f6b1a"
        ]
    );
    let (again, _) = store.export(crate::Scope::Facts, Vec::new()).await.unwrap();
    let facts = |export: &[u8]| export.splitn(2, |byte| *byte == b'\n').nth(1).map(<[u8]>::to_vec);
    assert_eq!(facts(&again), facts(FACTS_V1), "an export of the import is the same, line by line");
}
