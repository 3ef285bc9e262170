//! What was written once must be readable for ever: fixtures of released formats.

use base::Actor;
use std::io::Cursor;

use super::open;
use crate::{
    Error, PendingEntry,
    schema::{MIGRATIONS, MIGRATIONS_TABLE},
};

/// An export of version 1: twelve subjects, both folds of the suite, text that needs care in JSON.
const FACTS_V1: &[u8] = include_bytes!("../../tests/fixtures/facts-v1.jsonl");

// verifies: DAT-05
#[tokio::test]
async fn exports_of_version_1_are_read() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path(), 9).unwrap();
    let header = store.import(Cursor::new(FACTS_V1), String::new(), |_| Ok(None)).await.unwrap();
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

#[tokio::test]
async fn pending_entries_of_schema_1_are_kept_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let node = open(dir.path().join("other").as_path(), 1).unwrap().node();
    let first = &MIGRATIONS[0];
    let ids = [uuid::Uuid::from_u128(7), uuid::Uuid::from_u128(3)];
    {
        let old = rusqlite::Connection::open(dir.path().join("galen.db")).unwrap();
        old.execute_batch(&format!("{MIGRATIONS_TABLE}; {}", first.sqlite())).unwrap();
        let applied = (first.number, first.name, first.digest().to_string());
        old.execute("INSERT INTO migrations VALUES (?, ?, ?, 0)", applied).unwrap();
        for id in ids {
            let row = (id.as_bytes(), node.bytes(), b"entry");
            old.execute("INSERT INTO pending (id, node, bytes) VALUES (?, ?, ?)", row).unwrap();
        }
    }
    let store = open(dir.path(), 1).unwrap();
    let page = store.pending_page(10).await.unwrap();
    assert_eq!(page.iter().map(|entry| entry.id).collect::<Vec<_>>(), ids);
    let again = PendingEntry { id: ids[0], bytes: b"entry".to_vec() };
    store.write::<_, Error, _>(Actor::System, move |txn| txn.pending(&again)).await.unwrap();
    assert_eq!(store.pending_page(10).await.unwrap(), page);
}
