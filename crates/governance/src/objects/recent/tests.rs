//! What is remembered is never older than what the store would say.

use base::{Actor, DatasetId, Effects, Ids, ObjectVersionId};
use std::sync::Arc;
use store::{CommitHook, Fact, NewFact, Position, Store, conformance::ManualClock};

use super::{KEYS_MAX, Newest, Recent, SHARDS};
use crate::{
    Error,
    objects::record::{ObjectRow, key_prefix, newest_alone, put_object},
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
    Some((version, Arc::new(ObjectRow { dataset, modified: effects.now(), content: None })))
}

/// Asks as a reader does who finds nothing.
fn asked(recent: &Recent, key: &[u8]) -> super::Asked {
    recent.get(key).expect_err("nothing is remembered")
}

/// The order of the version that is remembered, if one is.
fn order(recent: &Recent, key: &[u8]) -> Option<u64> {
    recent.get(key).ok().flatten().map(|(version, _)| version.order)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_is_never_hidden_by_what_was_read_before_it() {
    let (_dir, store, effects) = store();
    let recent = Recent::of(&store);
    let key = b"bucket\0key\0".to_vec();
    let before = asked(&recent, &key);
    recent.keep(&before, key.clone(), newest(&effects, 1));
    assert_eq!(order(&recent, &key), Some(1));

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
    assert_eq!(order(&recent, &key), Some(2));
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

/// Finding: the row that gave way was any, so that a part which was full once kept the same rows for ever.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_read_stays_and_what_is_not_gives_way() {
    let (_dir, store, effects) = store();
    let recent = Recent::of(&store);
    let hot = b"hot".to_vec();
    recent.keep(&asked(&recent, &hot), hot.clone(), newest(&effects, 7));
    let all = SHARDS * KEYS_MAX * 4;
    for n in 0..all {
        let key = n.to_string().into_bytes();
        recent.keep(&asked(&recent, &key), key.clone(), newest(&effects, 1));
        assert_eq!((order(&recent, &key), order(&recent, &hot)), (Some(1), Some(7)), "after {n}");
    }
    let of_shard = |shard: &std::sync::Mutex<super::Shard>| {
        let shard = shard.lock().unwrap();
        shard.fresh.len() + shard.aged.len()
    };
    let kept: usize = recent.0.as_ref().unwrap().shards.iter().map(of_shard).sum();
    assert!(kept <= SHARDS * KEYS_MAX && kept > SHARDS * KEYS_MAX / 3, "{kept} keys");
    let late = (all - SHARDS * KEYS_MAX / 8..all).filter(|n| order(&recent, n.to_string().as_bytes()).is_some());
    assert_eq!(late.count(), SHARDS * KEYS_MAX / 8, "what was read last is there");
}

/// Finding: a key that is not there was asked of the store each time, one that is there was not.
#[tokio::test(flavor = "multi_thread")]
async fn that_a_key_is_not_there_is_remembered_until_it_is() {
    let (_dir, store, effects) = store();
    let recent = Recent::of(&store);
    assert!(newest_alone(&store, &recent, "bucket", "key").await.unwrap().is_none());
    assert!(matches!(recent.get(&key_prefix("bucket", "key")), Ok(None)));
    let (during, row) = (
        recent.clone(),
        ObjectRow { dataset: DatasetId::from_uuid(effects.uuid()), modified: effects.now(), content: None },
    );
    let version = crate::VersionId { order: 1, id: ObjectVersionId::from_uuid(effects.uuid()) };
    let change =
        move |txn: &mut store::WriteTxn<'_>| put_object(txn, &during, ("bucket", "key", version), &row).map(drop);
    store.write::<_, Error, _>(Actor::System, change).await.unwrap();
    assert_eq!(newest_alone(&store, &recent, "bucket", "key").await.unwrap().unwrap().0, version);
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
