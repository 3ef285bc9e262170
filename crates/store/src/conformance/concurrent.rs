//! Cases with several writers at once: hooks, the feed, lost updates.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "the suite is test code that a test calls")]

use base::{Actor, Ids};
use serde_json::json;
use std::sync::{Arc, Mutex};

use super::{
    Bed, ManualClock,
    cases::{grant, open, start},
    effects,
};
use crate::{CommitHook, Error, Fact, Position, WriteTxn};

#[derive(Default)]
struct Seen(Mutex<Vec<(u64, Position)>>);

impl CommitHook for Seen {
    fn committed(&self, facts: &[Fact], position: Position) {
        self.0.lock().unwrap().extend(facts.iter().map(|fact| (fact.seq, position)));
    }
}

pub(super) async fn hooks_come_in_order(bed: &dyn Bed) {
    let (store, _clock) = open(bed, "hooks");
    let seen = Arc::new(Seen::default());
    store.on_commit(Arc::clone(&seen) as Arc<dyn CommitHook>);
    let mut writers = tokio::task::JoinSet::new();
    for n in 0..8_u64 {
        let (store, seen) = (store.clone(), Arc::clone(&seen));
        writers.spawn(async move {
            let subject = effects(ManualClock::at(start()), 100 + n).uuid();
            for _ in 0..10 {
                let done = store
                    .write::<_, Error, _>(Actor::System, move |txn| {
                        let now = txn.now();
                        txn.fact_add(grant(subject, "g", now))
                    })
                    .await
                    .unwrap();
                let here = seen.0.lock().unwrap().contains(&(done.value.seq, done.position));
                assert!(here, "the hook comes before the acknowledgement");
            }
        });
    }
    while let Some(done) = writers.join_next().await {
        done.unwrap();
    }
    let seen = seen.0.lock().unwrap();
    assert_eq!(seen.iter().map(|(seq, _)| *seq).collect::<Vec<_>>(), (1..=80).collect::<Vec<_>>());
    assert!(seen.windows(2).all(|pair| pair[0].1 < pair[1].1), "positions rise in commit order");
}

pub(super) async fn feed_is_complete(bed: &dyn Bed) {
    let (store, _clock) = open(bed, "feed");
    let mut writers = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let store = store.clone();
        writers.spawn(async move {
            for n in 0..50 {
                let event = move |txn: &mut WriteTxn<'_>| txn.outbox("test.event", &json!({ "n": n }));
                store.write::<_, Error, _>(Actor::System, event).await.unwrap();
            }
        });
    }
    // The reader follows while they write. On PostgreSQL other work on the server can hold the gate after the last
    // writer is done, so it reads until it has all; one too many would be as wrong as one missing.
    let (mut after, mut items) = (Position::START, Vec::new());
    while items.len() < 200 {
        let page = store.feed(after, 7).await.unwrap();
        assert!(page.items.windows(2).all(|pair| pair[0].position < pair[1].position));
        after = page.next;
        items.extend(page.items.into_iter().map(|item| item.position));
        tokio::task::yield_now().await;
    }
    while let Some(done) = writers.join_next().await {
        done.unwrap();
    }
    items.extend(store.feed(after, 7).await.unwrap().items.into_iter().map(|item| item.position));
    assert!(items.windows(2).all(|pair| pair[0] < pair[1]), "nothing comes twice");
    assert_eq!(items.len(), 200, "a reader that follows the cursor misses nothing");
}

pub(super) async fn no_update_is_lost(bed: &dyn Bed) {
    let (store, _clock) = open(bed, "increments");
    let mut writers = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let store = store.clone();
        writers.spawn(async move {
            for _ in 0..200 {
                store.write::<_, Error, _>(Actor::System, increment).await.unwrap();
            }
        });
    }
    while let Some(done) = writers.join_next().await {
        done.unwrap();
    }
    let value = store.read::<_, Error, _>(|txn| txn.record_get("counter", b"n")).await.unwrap().unwrap().value;
    assert_eq!(value, b"800", "four writers, two hundred increments each");
}

fn increment(txn: &mut WriteTxn<'_>) -> Result<(), Error> {
    let old =
        txn.record_get("counter", b"n")?.map_or(0, |record| String::from_utf8(record.value).unwrap().parse().unwrap());
    let new: u64 = old + 1;
    txn.record_put("counter", b"n", new.to_string().as_bytes(), None).map(drop)
}
