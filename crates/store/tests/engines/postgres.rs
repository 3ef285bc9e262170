//! The suite on PostgreSQL 18, and what only PostgreSQL does.

use crate::bed::{PostgresBed, SqliteBed, raw, server};
use base::{Actor, Timestamp};
use std::sync::{
    Arc, Mutex,
    atomic::{AtomicU32, Ordering},
    mpsc,
};
use store::{
    CommitHook, Error, Fact, Fold, NewFact, Position, Problem, Store, WriteTxn,
    conformance::{self, Bed, GrantFold, ManualClock, NameFold, effects},
};
use uuid::Uuid;

fn start() -> Timestamp {
    "2026-11-21T12:00:00Z".parse().unwrap()
}

fn folds() -> Vec<Arc<dyn Fold>> {
    vec![Arc::new(GrantFold { version: 1 }), Arc::new(NameFold)]
}

fn node(bed: &PostgresBed, name: &str, seed: u64) -> Store {
    bed.open(name, effects(ManualClock::at(start()), seed), folds()).unwrap()
}

fn grant(txn: &mut WriteTxn<'_>, subject: u128) -> Result<Fact, Error> {
    let valid_from = txn.now();
    txn.fact_add(NewFact {
        kind: "grant.created",
        subject: Uuid::from_u128(subject),
        body: serde_json::json!({ "group": "g" }),
        reason: None,
        valid_from,
        valid_to: None,
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_conforms() {
    let Some(url) = server() else { return };
    conformance::run(&PostgresBed::new(url, "suite")).await;
}

// verifies: DAT-01
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn facts_move_between_the_engines() {
    let Some(url) = server() else { return };
    let dir = tempfile::tempdir().unwrap();
    let (sqlite, postgres) = (SqliteBed { dir: dir.path().to_owned() }, PostgresBed::new(url, "move"));
    conformance::export_and_import_agree(&sqlite, &postgres, "out").await;
    conformance::export_and_import_agree(&postgres, &sqlite, "back").await;
    conformance::a_whole_store_moves(&sqlite, &postgres, "out").await;
    conformance::a_whole_store_moves(&postgres, &sqlite, "back").await;
}

#[derive(Default)]
struct Seen(Mutex<Vec<(u64, Position)>>);

impl CommitHook for Seen {
    fn committed(&self, facts: &[Fact], position: Position) {
        self.0.lock().unwrap().extend(facts.iter().map(|fact| (fact.seq, position)));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_node_sees_every_fact_once_in_order() {
    let Some(url) = server() else { return };
    let bed = PostgresBed::new(url, "nodes");
    let nodes = [node(&bed, "two", 1), node(&bed, "two", 2)];
    let seen = [Arc::new(Seen::default()), Arc::new(Seen::default())];
    for (node, seen) in nodes.iter().zip(&seen) {
        node.on_commit(Arc::clone(seen) as Arc<dyn CommitHook>);
    }
    let mut tasks = tokio::task::JoinSet::new();
    for writer in 0..4_u128 {
        let node = nodes.get(usize::try_from(writer % 2).unwrap()).unwrap().clone();
        tasks.spawn(async move {
            for n in 0..25_u128 {
                node.write::<_, Error, _>(Actor::System, move |txn| grant(txn, 1 + writer * 100 + n)).await.unwrap();
                node.follow().await.unwrap();
            }
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
    for (node, seen) in nodes.iter().zip(&seen) {
        node.follow().await.unwrap();
        assert_eq!(node.follow().await.unwrap(), 0, "nothing comes twice");
        let seen = seen.0.lock().unwrap();
        assert_eq!(seen.iter().map(|(seq, _)| *seq).collect::<Vec<_>>(), (1..=100).collect::<Vec<_>>());
        assert!(seen.is_sorted_by_key(|(_, position)| *position), "positions rise");
    }
    let report = nodes.first().unwrap().verify().await.unwrap();
    assert!(report.sound(), "{:?}", report.problems);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_that_met_another_runs_again() {
    let Some(url) = server() else { return };
    let store = node(&PostgresBed::new(url, "retry"), "one", 1);
    let runs = Arc::new(AtomicU32::new(0));
    let (reached, at_read) = mpsc::channel();
    let (go, wait) = mpsc::channel();
    let counted = Arc::clone(&runs);
    let slow = store.clone();
    let mut tasks = tokio::task::JoinSet::new();
    tasks.spawn(async move {
        let closure = move |txn: &mut WriteTxn<'_>| {
            let before = txn.record_get("t", b"k")?.map_or(Vec::new(), |record| record.value);
            if counted.fetch_add(1, Ordering::AcqRel) == 0 {
                reached.send(()).unwrap();
                wait.recv().unwrap();
            }
            txn.record_put("t", b"k", &[before, b"slow".to_vec()].concat(), None)
        };
        slow.write::<_, Error, _>(Actor::System, closure).await.unwrap();
    });
    tokio::task::spawn_blocking(move || at_read.recv().unwrap()).await.unwrap();
    store.write::<_, Error, _>(Actor::System, |txn| txn.record_put("t", b"k", b"quick", None)).await.unwrap();
    go.send(()).unwrap();
    tasks.join_next().await.unwrap().unwrap();
    let value = store.read::<_, Error, _>(|txn| txn.record_get("t", b"k")).await.unwrap().unwrap().value;
    assert_eq!((value.as_slice(), runs.load(Ordering::Acquire)), (&b"quickslow"[..], 2), "no update is lost");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_of_an_older_version_adds_no_facts_after_a_swap() {
    let Some(url) = server() else { return };
    let bed = PostgresBed::new(url, "swap");
    let old = node(&bed, "one", 1);
    old.write::<_, Error, _>(Actor::System, |txn| grant(txn, 1)).await.unwrap();
    let newer: Vec<Arc<dyn Fold>> = vec![Arc::new(GrantFold { version: 2 }), Arc::new(NameFold)];
    let new = bed.open("one", effects(ManualClock::at(start()), 2), newer).unwrap();
    let refused = old.write::<_, Error, _>(Actor::System, |txn| grant(txn, 2)).await;
    assert!(matches!(refused, Err(Error::ViewMoved { .. })));
    new.write::<_, Error, _>(Actor::System, |txn| grant(txn, 3)).await.unwrap();
    assert!(new.verify().await.unwrap().sound());
}

// verifies: AUD-05
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn facts_cannot_be_changed_and_a_change_behind_the_store_is_found() {
    let Some(url) = server() else { return };
    let bed = PostgresBed::new(url, "tamper");
    let store = node(&bed, "one", 1);
    for n in 1..=3 {
        store.write::<_, Error, _>(Actor::System, move |txn| grant(txn, n)).await.unwrap();
    }
    let database = bed.database("one");
    for forbidden in ["UPDATE facts SET kind = 'x'", "DELETE FROM facts", "TRUNCATE facts CASCADE"] {
        raw(&database, &[forbidden]).unwrap_err();
    }
    raw(
        &database,
        &["ALTER TABLE facts DISABLE TRIGGER ALL", "UPDATE facts SET body = replace(body, 'g\"', 'h\"') WHERE seq = 2"],
    )
    .unwrap();
    let report = store.verify().await.unwrap();
    assert!(report.problems.iter().any(|problem| matches!(problem, Problem::FactDigest { .. })));
    assert!(report.problems.iter().any(|problem| matches!(problem, Problem::ViewDiffers { view: "grant", .. })));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_feed_waits_for_changes_that_began_before() {
    let Some(url) = server() else { return };
    let store = node(&PostgresBed::new(url, "gate"), "one", 1);
    let (reached, at_event) = mpsc::channel();
    let (go, wait) = mpsc::channel();
    let slow = store.clone();
    let mut tasks = tokio::task::JoinSet::new();
    tasks.spawn(async move {
        let closure = move |txn: &mut WriteTxn<'_>| {
            txn.outbox("test.slow", &serde_json::json!({}))?;
            reached.send(()).unwrap();
            wait.recv().unwrap();
            Ok(())
        };
        slow.write::<_, Error, _>(Actor::System, closure).await.unwrap();
    });
    tokio::task::spawn_blocking(move || at_event.recv().unwrap()).await.unwrap();
    let quick = |txn: &mut WriteTxn<'_>| txn.outbox("test.quick", &serde_json::json!({}));
    store.write::<_, Error, _>(Actor::System, quick).await.unwrap();
    let early = store.feed(Position::START, 10).await.unwrap();
    assert!(
        early.held && early.items.is_empty(),
        "the slow change has the earlier place, so the quick one must wait for it"
    );
    go.send(()).unwrap();
    tasks.join_next().await.unwrap().unwrap();
    // Changes of other tests on the same server hold the gate too, also between the two, but each only for a moment.
    let mut late = store.feed(early.next, 10).await.unwrap();
    while late.held {
        late = store.feed(early.next, 10).await.unwrap();
    }
    assert_eq!(late.items.len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_connection_is_replaced() {
    let Some(url) = server() else { return };
    let bed = PostgresBed::new(url.clone(), "lost");
    let store = node(&bed, "one", 1);
    store.write::<_, Error, _>(Actor::System, |txn| grant(txn, 1)).await.unwrap();
    let kill = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = 'galen_lost_one'";
    raw(&url, &[kill]).unwrap();
    store.write::<_, Error, _>(Actor::System, |txn| grant(txn, 2)).await.unwrap();
    assert_eq!(store.read::<_, Error, _>(|txn| txn.newest_seq()).await.unwrap(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_with_a_slow_clock_records_after_what_it_sees() {
    let Some(url) = server() else { return };
    let bed = PostgresBed::new(url, "skew");
    let ahead = ManualClock::at(start());
    ahead.advance(std::time::Duration::from_secs(30));
    let fast = bed.open("one", effects(ahead, 1), folds()).unwrap();
    let slow = node(&bed, "one", 2);
    for n in 0..5 {
        let first = fast.write::<_, Error, _>(Actor::System, move |txn| grant(txn, 1 + n)).await.unwrap().value;
        let second = slow
            .write::<_, Error, _>(Actor::System, move |txn| {
                let seen = txn.view_current("grant", &Uuid::from_u128(1 + n).to_string())?;
                assert_eq!(seen.len(), 1, "what is committed is in the past of the next change");
                grant(txn, 100 + n)
            })
            .await
            .unwrap()
            .value;
        assert!(second.recorded > first.recorded && second.seq == first.seq + 1);
    }
}

#[test]
fn facts_do_not_cross_a_network_in_clear() {
    let bed = PostgresBed::existing("postgresql://galen@192.0.2.1/postgres".to_owned(), "clear");
    let refused = bed.open("one", effects(ManualClock::at(start()), 1), folds());
    assert!(matches!(refused.map(drop), Err(Error::BadOption { option: "url", .. })));
}

/// A column as (table, name, type, required).
type Column = (String, String, String, bool);
/// A key or index as (table, columns, unique).
type Index = (String, String, bool);

fn sqlite_schema(dir: &std::path::Path) -> (Vec<Column>, Vec<Index>) {
    let conn = rusqlite::Connection::open(dir.join("galen.db")).unwrap();
    let all = |sql: &str| -> Vec<[String; 4]> {
        let mut statement = conn.prepare(sql).unwrap();
        let rows = statement.query_map([], |row| Ok([row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?]));
        rows.unwrap().collect::<Result<_, _>>().unwrap()
    };
    let tables = "sqlite_schema t WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite_%'";
    let mut columns: Vec<Column> = all(&format!(
        "SELECT c.t, c.name, lower(c.type), CAST(c.required AS TEXT) FROM (SELECT t.name AS t, p.name, p.type, \
         p.\"notnull\" OR p.pk > 0 AS required FROM {tables}) c"
    )
    .replace("FROM sqlite_schema t WHERE", "FROM sqlite_schema t, pragma_table_info(t.name) p WHERE"))
    .into_iter()
    .map(|[table, name, kind, required]| (table, name, kind.replace("bigint", "integer"), required == "1"))
    .collect();
    let mut indexes: Vec<Index> = all(
        "SELECT t.name, (SELECT group_concat(x.name) FROM (SELECT i.name FROM pragma_index_info(l.name) i ORDER BY i.seqno) x), \
         CAST(l.\"unique\" AS TEXT), '' FROM sqlite_schema t, pragma_index_list(t.name) l WHERE t.type = 'table' \
         AND t.name NOT LIKE 'sqlite_%'",
    )
    .into_iter()
    .map(|[table, names, unique, _]| (table, names, unique == "1"))
    .collect();
    // SQLite has no index for an INTEGER PRIMARY KEY: the table itself is one.
    let tables = [("fold_views", "id"), ("outbox", "pos"), ("pending", "n")];
    indexes.extend(tables.map(|(table, key)| (table.to_owned(), key.to_owned(), true)));
    columns.sort();
    indexes.sort();
    (columns, indexes)
}

/// The page of the schema has a row for each table, with each of its columns.
fn assert_documented(columns: &[Column]) {
    let page =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/src/reference/schema.md")).unwrap();
    let row_of = |table: &str| page.lines().find(|line| line.starts_with(&format!("| `{table}` |")));
    for (table, column, ..) in columns {
        assert!(row_of(table).is_some(), "schema.md has no table `{table}`");
        let row = row_of(table).unwrap();
        let mut words = row.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').skip(2);
        assert!(words.any(|word| word == column), "schema.md: `{table}` has no `{column}`");
    }
    let told = page.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`'));
    for (table, _) in told {
        assert!(columns.iter().any(|(it, ..)| it == table), "schema.md: there is no table `{table}`");
    }
}

fn postgres_schema(url: &str) -> (Vec<Column>, Vec<Index>) {
    let mut client = ::postgres::Client::connect(url, ::postgres::NoTls).unwrap();
    let kind = |kind: &str| match kind {
        "bigint" => "integer".to_owned(),
        "bytea" => "blob".to_owned(),
        other => other.to_owned(),
    };
    let sql = "SELECT table_name::text, column_name::text, data_type::text, is_nullable = 'NO' FROM information_schema.columns \
               WHERE table_schema = 'public' AND table_name <> 'turn'";
    let rows = client.query(sql, &[]).unwrap();
    let mut columns: Vec<Column> =
        rows.iter().map(|row| (row.get(0), row.get(1), kind(row.get(2)), row.get(3))).collect();
    let sql = "SELECT c.relname::text, string_agg(a.attname, ',' ORDER BY k.n)::text, i.indisunique FROM pg_index i \
               JOIN pg_class c ON c.oid = i.indrelid JOIN pg_namespace s ON s.oid = c.relnamespace \
               CROSS JOIN LATERAL unnest(i.indkey::int[]) WITH ORDINALITY AS k (attnum, n) \
               JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.attnum \
               WHERE s.nspname = 'public' GROUP BY i.indexrelid, c.relname, i.indisunique";
    let rows = client.query(sql, &[]).unwrap();
    let mut indexes: Vec<Index> = rows.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect();
    columns.sort();
    indexes.sort();
    (columns, indexes)
}

#[test]
fn the_page_of_the_schema_has_every_table() {
    let dir = tempfile::tempdir().unwrap();
    let sqlite = SqliteBed { dir: dir.path().to_owned() };
    drop(sqlite.open("one", effects(ManualClock::at(start()), 1), folds()).unwrap());
    assert_documented(&sqlite_schema(&dir.path().join("one")).0);
}

#[test]
fn both_engines_have_one_schema() {
    let Some(url) = server() else { return };
    let dir = tempfile::tempdir().unwrap();
    let (sqlite, bed) = (SqliteBed { dir: dir.path().to_owned() }, PostgresBed::new(url, "schema"));
    drop(sqlite.open("one", effects(ManualClock::at(start()), 1), folds()).unwrap());
    drop(node(&bed, "one", 1));
    let (small, large) = (sqlite_schema(&dir.path().join("one")), postgres_schema(&bed.database("one")));
    assert_eq!(small.0, large.0, "columns");
    assert_eq!(small.1, large.1, "keys and indexes");
}

#[test]
fn a_newer_schema_is_refused() {
    let Some(url) = server() else { return };
    let bed = PostgresBed::new(url, "newer");
    drop(node(&bed, "one", 1));
    raw(&bed.database("one"), &["INSERT INTO migrations VALUES (9999, 'later', '', 0)"]).unwrap();
    let refused = bed.open("one", effects(ManualClock::at(start()), 2), folds());
    assert!(matches!(refused.map(drop), Err(Error::NewerSchema { store: 9999, .. })));
}
