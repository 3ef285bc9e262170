//! What a store refuses to open, and what verification finds after somebody went around it.

use base::Actor;
use std::path::Path;

use super::{grant, open};
use crate::{Error, Problem};

fn raw(dir: &Path, sql: &str) -> rusqlite::Result<()> {
    rusqlite::Connection::open(dir.join("galen.db")).unwrap().execute_batch(sql)
}

async fn with_facts(dir: &Path, count: u128) {
    let store = open(dir, 1).unwrap();
    for n in 1..=count {
        store.write::<_, Error, _>(Actor::System, move |txn| grant(txn, n)).await.unwrap();
    }
}

#[tokio::test]
async fn a_second_process_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let first = open(dir.path(), 1).unwrap();
    assert!(matches!(open(dir.path(), 2).map(drop), Err(Error::InUse { .. })));
    drop(first);
    open(dir.path(), 3).unwrap();
}

#[tokio::test]
async fn a_newer_or_foreign_schema_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    with_facts(dir.path(), 1).await;
    raw(dir.path(), "INSERT INTO migrations VALUES (9999, 'later', '', 0)").unwrap();
    assert!(matches!(open(dir.path(), 2).map(drop), Err(Error::NewerSchema { store: 9999, .. })));
    raw(dir.path(), "DELETE FROM migrations WHERE number = 9999; UPDATE migrations SET digest = 'x'").unwrap();
    assert!(matches!(open(dir.path(), 2).map(drop), Err(Error::ForeignSchema { number: 1 })));
}

#[tokio::test]
async fn a_torn_store_is_refused_with_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    with_facts(dir.path(), 50).await;
    let file = dir.path().join("galen.db");
    let whole = std::fs::read(&file).unwrap();
    let mut scribbled = whole.clone();
    let middle = scribbled.len() / 2 / 4096 * 4096;
    scribbled[middle..middle + 4096].fill(0xa5);
    let mut beheaded = whole.clone();
    beheaded[..100].fill(0);
    for torn in [whole[..whole.len() / 2].to_vec(), whole[..5000].to_vec(), scribbled, beheaded] {
        std::fs::write(&file, torn).unwrap();
        let refused = open(dir.path(), 2).map(drop);
        assert!(matches!(refused, Err(Error::Torn { .. })), "{refused:?}");
        assert!(refused.unwrap_err().to_string().contains("restore the last backup"));
    }
    // Whatever its size, a cut file is found from its header alone.
    std::fs::write(&file, &whole[..whole.len() - 4096]).unwrap();
    let refused = open(dir.path(), 2).map(drop).unwrap_err().to_string();
    assert!(refused.contains("shorter than its header says"), "{refused}");
    std::fs::write(&file, whole).unwrap();
    open(dir.path(), 3).unwrap();
}

#[test]
fn a_file_of_another_program_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    raw(dir.path(), "CREATE TABLE theirs (x)").unwrap();
    assert!(matches!(open(dir.path(), 1).map(drop), Err(Error::Torn { .. })));
}

// verifies: AUD-05
#[tokio::test]
async fn facts_are_insert_only() {
    let dir = tempfile::tempdir().unwrap();
    with_facts(dir.path(), 2).await;
    let replace = "PRAGMA recursive_triggers = ON; INSERT OR REPLACE INTO facts SELECT * FROM facts";
    for forbidden in ["UPDATE facts SET kind = 'x'", "DELETE FROM facts", replace] {
        raw(dir.path(), forbidden).unwrap_err();
    }
}

async fn bent(sql: &str) -> Vec<Problem> {
    let dir = tempfile::tempdir().unwrap();
    with_facts(dir.path(), 5).await;
    let off = "DROP TRIGGER facts_no_update; DROP TRIGGER facts_no_delete; PRAGMA foreign_keys = OFF;";
    raw(dir.path(), &format!("{off}{sql}")).unwrap();
    open(dir.path(), 2).unwrap().verify().await.unwrap().problems
}

// verifies: AUD-05
#[tokio::test]
async fn verification_finds_every_bent_row() {
    let found = bent("UPDATE facts SET body = replace(body, '\"g\"', '\"h\"') WHERE seq = 3").await;
    assert!(found.iter().any(|problem| matches!(problem, Problem::FactDigest { .. })));
    assert!(found.iter().any(|problem| matches!(problem, Problem::ViewDiffers { .. })));
    let found = bent("DELETE FROM facts WHERE seq = 3").await;
    assert!(found.iter().any(|problem| matches!(problem, Problem::SequenceGap { expected: 3, found: 4, .. })));
    assert!(found.iter().any(|problem| matches!(problem, Problem::Orphaned { .. })));
    let found = bent("DELETE FROM facts WHERE seq = 5").await;
    assert!(found.iter().any(|problem| matches!(problem, Problem::SequenceGap { expected: 5, found: 4, .. })));
    for view in [
        "UPDATE view_rows SET valid_to = 0",
        "UPDATE view_rows SET body = '{}'",
        "DELETE FROM view_rows WHERE aggregate LIKE '%3'",
        "UPDATE view_lookups SET value = 'h'",
        "INSERT INTO view_rows SELECT view_id, 'ghost', n, row_id, 0, 1, 0, 1, body FROM view_rows LIMIT 1",
    ] {
        assert!(!bent(view).await.is_empty(), "{view}");
    }
    assert!(bent("").await.is_empty());
}
