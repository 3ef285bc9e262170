//! What is remembered is never older than what the store would say.

use base::{Actor, DatasetId, Effects, Ids, ObjectVersionId};
use std::sync::Arc;
use store::{CommitHook, Fact, NewFact, Position, Store, conformance::ManualClock};

use super::{Newest, ROWS_MAX, Recent, SHARDS};
use crate::{
    Error,
    objects::record::{ObjectRow, key_prefix, newest_alone},
};

fn store() -> (tempfile::TempDir, Store, Effects) {
    let dir = tempfile::tempdir().unwrap();
    let clock = ManualClock::at(base::Timestamp::UNIX_EPOCH);
    let effects = store::conformance::effects(clock, 1);
    let node = base::NodeId::from_uuid(effects.uuid());
    let options = store::Options::sqlite(dir.path(), "eu-north-1".parse().unwrap(), node, effects.clone());
    (dir, Store::open(options).unwrap(), effects)
}

fn newest(effects: &Effects, order: u64) -> Newest {
    let dataset = DatasetId::from_uuid(effects.uuid());
    let version = crate::VersionId { order, id: ObjectVersionId::from_uuid(effects.uuid()) };
    (version, Arc::new(ObjectRow { dataset, modified: effects.now(), content: None }))
}

/// Asks as a reader does who finds nothing.
fn asked(recent: &Recent, key: &[u8]) -> super::Asked {
    recent.get(key).expect_err("nothing is remembered")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_is_never_hidden_by_what_was_read_before_it() {
    let (_dir, store, effects) = store();
    let recent = Recent::of(&store);
    let key = b"bucket\0key\0".to_vec();
    let before = asked(&recent, &key);
    recent.keep(&before, key.clone(), newest(&effects, 1));
    assert_eq!(recent.get(&key).ok().unwrap().0.order, 1);

    // Forgotten before the change can be committed, and not remembered again while it goes on.
    let during = recent.clone();
    let (inner, row) = (key.clone(), newest(&effects, 1));
    let change = move |txn: &mut store::WriteTxn<'_>| {
        during.changes(txn, inner.clone());
        let asked = asked(&during, &inner);
        during.keep(&asked, inner.clone(), row.clone());
        assert!(during.get(&inner).is_err(), "remembered while it changes");
        Ok::<_, Error>(())
    };
    store.write(Actor::System, change).await.unwrap();
    // Who asked before the change ended may hold the row from before it.
    recent.keep(&before, key.clone(), newest(&effects, 1));
    let after = asked(&recent, &key);
    recent.keep(&after, key.clone(), newest(&effects, 2));
    assert_eq!(recent.get(&key).ok().unwrap().0.order, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_that_is_given_up_ends_too() {
    let (_dir, store, effects) = store();
    let recent = Recent::of(&store);
    let key = b"bucket\0key\0".to_vec();
    let during = recent.clone();
    let inner = key.clone();
    let change = move |txn: &mut store::WriteTxn<'_>| {
        during.changes(txn, inner.clone());
        during.changes(txn, inner.clone());
        Err::<(), _>(Error::NoSuchKey)
    };
    store.write(Actor::System, change).await.unwrap_err();
    let after = asked(&recent, &key);
    recent.keep(&after, key.clone(), newest(&effects, 1));
    assert!(recent.get(&key).is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_remembered_is_bounded() {
    let (_dir, store, effects) = store();
    let recent = Recent::of(&store);
    for n in 0..SHARDS * ROWS_MAX * 2 {
        let key = n.to_string().into_bytes();
        let asked = asked(&recent, &key);
        recent.keep(&asked, key, newest(&effects, 1));
    }
    let shards = recent.0.as_ref().unwrap();
    let kept: usize = shards.shards.iter().map(|shard| shard.lock().unwrap().rows.len()).sum();
    assert!(kept <= SHARDS * ROWS_MAX && kept > SHARDS * ROWS_MAX / 2, "{kept} rows");
}

struct Panics;

impl CommitHook for Panics {
    fn committed(&self, _facts: &[Fact], _position: Position) {
        panic!("a hook that fails");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_remembered_is_not_told_once_the_store_has_halted() {
    let (_dir, store, effects) = store();
    let recent = Recent::of(&store);
    let key = key_prefix("bucket", "key");
    let asked = asked(&recent, &key);
    recent.keep(&asked, key, newest(&effects, 1));
    assert!(newest_alone(&store, &recent, "bucket", "key").await.unwrap().is_some());
    store.on_commit(Arc::new(Panics));
    let (subject, now) = (effects.uuid(), effects.now());
    let fact = move |txn: &mut store::WriteTxn<'_>| {
        let body = serde_json::Value::Null;
        txn.fact_add(NewFact { kind: "test", subject, body, reason: None, valid_from: now, valid_to: None })
    };
    store.write::<_, store::Error, _>(Actor::System, fact).await.unwrap_err();
    let told = newest_alone(&store, &recent, "bucket", "key").await;
    assert!(matches!(told, Err(Error::Store(store::Error::Halted))));
}
