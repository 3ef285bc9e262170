//! Kills: a child process writes and is killed at some point, five rounds, on both engines. What it was told to be
//! committed must be there, and the store must verify at the end.

use crate::bed::{PostgresBed, SqliteBed, server, told};
use base::{Actor, Timestamp};
use std::{
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Command, Stdio},
    sync::Arc,
};
use store::{
    Error, Fold, NewFact, PendingEntry, Store, WriteTxn,
    conformance::{Bed, GrantFold, ManualClock, NameFold, effects},
};
use uuid::Uuid;

/// Kills in one run, unless `GALEN_TEST_CRASH_ROUNDS` says how many.
const ROUNDS: u64 = 5;
const WRITERS: u64 = 8;

fn open(bed: &dyn Bed, seed: u64) -> Store {
    let start: Timestamp = "2026-11-21T12:00:00Z".parse().unwrap();
    let folds: Vec<Arc<dyn Fold>> = vec![Arc::new(GrantFold { version: 1 }), Arc::new(NameFold)];
    bed.open("crash", effects(ManualClock::at(start), seed), folds).unwrap()
}

/// One change that touches every kind of state.
fn change(txn: &mut WriteTxn<'_>, id: Uuid) -> Result<(), Error> {
    let valid_from = txn.now();
    let body = serde_json::json!({ "group": "g" });
    txn.fact_add(NewFact { kind: "grant.created", subject: id, body, reason: None, valid_from, valid_to: None })?;
    txn.outbox("test.made", &serde_json::json!({ "id": id.to_string() }))?;
    txn.pending(&PendingEntry { id, bytes: b"entry".to_vec() })?;
    txn.record_put("crash", id.as_bytes(), b"v", None).map(drop)
}

/// The child: writes until it is killed, and says which ids are committed.
#[test]
fn crash_child() {
    let (Some(place), Some(round)) = (told("GALEN_TEST_CRASH_PLACE"), told("GALEN_TEST_CRASH_ROUND")) else { return };
    let round: u64 = round.parse().unwrap();
    let store = if place.starts_with("postgres") {
        open(&PostgresBed::existing(place, "crash"), 100 + round)
    } else {
        open(&SqliteBed { dir: place.into() }, 100 + round)
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    runtime.block_on(async {
        let mut writers = tokio::task::JoinSet::new();
        for writer in 0..WRITERS {
            let store = store.clone();
            writers.spawn(async move {
                for n in 0_u64.. {
                    let id = Uuid::from_u64_pair(round << 32 | writer, n);
                    store.write::<_, Error, _>(Actor::System, move |txn| change(txn, id)).await.unwrap();
                    writeln!(std::io::stdout(), "ack {id}").unwrap();
                }
            });
        }
        while writers.join_next().await.is_some() {}
    });
}

/// Runs the child until it is killed, and returns the ids that it acknowledged.
fn killed_round(place: &str, round: u64) -> Vec<Uuid> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["crash::crash_child", "--exact", "--nocapture"])
        .env("GALEN_TEST_CRASH_PLACE", place)
        .env("GALEN_TEST_CRASH_ROUND", round.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .unwrap();
    // Where in the stream of answers the kill comes differs from round to round.
    let kill_after = 17 + usize::try_from(round * round * 53 % 211).unwrap();
    let mut acknowledged = Vec::new();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    while let Some(Ok(line)) = lines.next() {
        let Some((_, id)) = line.split_once("ack ") else { continue };
        // The kill can cut the last line.
        acknowledged.extend(Uuid::try_parse(id));
        if acknowledged.len() == kill_after {
            child.kill().unwrap();
        }
    }
    child.wait().unwrap();
    assert!(acknowledged.len() >= kill_after, "the child was killed while it wrote");
    acknowledged
}

/// Asserts that every part of each of these changes is there.
async fn all_there(store: &Store, acknowledged: Vec<Uuid>) {
    let lost = store.read::<_, Error, _>(move |txn| {
        let mut lost = Vec::new();
        for id in acknowledged {
            let whole = txn.record_get("crash", id.as_bytes())?.is_some()
                && txn.facts_of(id)?.len() == 1
                && txn.view_current("grant", &id.to_string())?.len() == 1;
            lost.extend((!whole).then_some(id));
        }
        Ok(lost)
    });
    let lost = lost.await.unwrap();
    assert!(lost.is_empty(), "acknowledged and lost: {lost:?}");
}

/// Each round looks for its own rows, so that its time does not grow with the rounds before it; the end looks for all.
fn survives(bed: &dyn Bed, place: &str) {
    drop(open(bed, 1));
    let mut acknowledged = Vec::new();
    let rounds = told("GALEN_TEST_CRASH_ROUNDS").map_or(ROUNDS, |rounds| rounds.parse().unwrap());
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
    for round in 1..=rounds {
        let own = killed_round(place, round);
        let store = open(bed, 1000 + round);
        runtime.block_on(all_there(&store, own.clone()));
        acknowledged.push(own);
    }
    let store = open(bed, 1001 + rounds);
    runtime.block_on(async {
        let changes: usize = acknowledged.iter().map(Vec::len).sum();
        for round in acknowledged {
            all_there(&store, round).await;
        }
        let report = store.verify().await.unwrap();
        assert!(report.sound(), "{:?}", report.problems);
        println!("{changes} acknowledged changes survived {rounds} kills");
    });
}

#[test]
fn sqlite_survives_kills() {
    let dir = tempfile::tempdir().unwrap();
    let place: &Path = dir.path();
    survives(&SqliteBed { dir: place.to_owned() }, place.to_str().unwrap());
}

#[test]
fn postgres_survives_kills() {
    let Some(url) = server() else { return };
    survives(&PostgresBed::new(url.clone(), "crash"), &url);
}
