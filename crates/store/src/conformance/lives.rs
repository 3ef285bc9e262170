//! Cases over the life of a store: rebuilds, moves, restarts, readers beside it.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "the suite is test code that a test calls")]

use base::{Actor, Ids};
use serde_json::json;
use std::{sync::Arc, time::Duration};
use uuid::Uuid;

use super::{
    Bed, GrantFold, ManualClock, NameFold,
    cases::{folds, grant, open, start},
    effects,
};
use crate::{Error, Fold, NewFact, PendingEntry, Scope, Store, SubjectKey, WriteTxn};

/// Some facts of both folds in one store.
pub(super) async fn fill(store: &Store, subjects: u64) {
    for n in 0..subjects {
        let ids = effects(ManualClock::at(start()), 5000 + n);
        let subject = ids.uuid();
        store
            .write::<_, Error, _>(Actor::System, move |txn| {
                let now = txn.now();
                txn.fact_add(grant(subject, &format!("g{}", n % 3), now))?;
                let body = json!({ "name": format!("name {}", n / 2), "note": "\u{fc}\u{1f9ea}\n\"", "size": 1.5e-7 });
                txn.fact_add(NewFact { kind: "name.claimed", body, ..grant(subject, "", now) })?;
                if n % 2 == 0 {
                    txn.fact_add(NewFact { kind: "grant.ended", body: json!({}), ..grant(subject, "", now) })?;
                }
                Ok(())
            })
            .await
            .unwrap();
    }
}

pub(super) async fn views_rebuild_when_their_fold_changes(bed: &dyn Bed) {
    let (store, clock) = open(bed, "rebuild");
    fill(&store, 40).await;
    let before = store.verify().await.unwrap();
    assert!(before.sound(), "{:?}", before.problems);
    assert_eq!((before.facts, before.views[0].rows, before.views[1].rows), (100, 60, 40));
    drop(store);
    let newer: Vec<Arc<dyn Fold>> = vec![Arc::new(GrantFold { version: 2 }), Arc::new(NameFold)];
    let clocked: Arc<ManualClock> = Arc::clone(&clock);
    let store = bed.open("rebuild", effects(clocked, 2), newer).unwrap();
    let after = store.verify().await.unwrap();
    assert!(after.sound(), "{:?}", after.problems);
    assert_eq!((after.views[0].version, after.views[0].fold_hash), (2, before.views[0].fold_hash));
    drop(store);
    let fewer: Vec<Arc<dyn Fold>> = vec![Arc::new(NameFold)];
    let store = bed.open("rebuild", effects(clock, 3), fewer).unwrap();
    let refused = store
        .write::<_, Error, _>(Actor::System, |txn| {
            let now = txn.now();
            txn.fact_add(grant(Uuid::from_u128(7), "g", now))
        })
        .await;
    assert!(matches!(refused, Err(Error::ViewMoved { .. })), "a process that cannot fold every view adds no facts");
}

/// Moves the facts of one store into another, perhaps of another engine, and compares what follows from them.
pub async fn export_and_import_agree(from: &dyn Bed, to: &dyn Bed, name: &str) {
    let (store, _clock) = open(from, &format!("{name}_from"));
    fill(&store, 30).await;
    let (bytes, header) = store.export(Scope::Facts, Vec::new()).await.unwrap();
    assert_eq!(header.facts, 75);
    let (target, clock) = open(to, &format!("{name}_to"));
    let import = async |store: &Store, bytes: Vec<u8>| {
        let entry = |_: &_| Ok(Some(PendingEntry { id: Uuid::from_u128(11), bytes: b"imported".to_vec() }));
        store.import(std::io::Cursor::new(bytes), String::new(), entry).await
    };
    assert_eq!(import(&target, bytes.clone()).await.unwrap(), header);
    let left: Vec<Vec<u8>> = target.pending_page(2).await.unwrap().into_iter().map(|entry| entry.bytes).collect();
    assert_eq!(left, [b"imported"], "the import left its entry");
    let (old, new) = (store.verify().await.unwrap(), target.verify().await.unwrap());
    assert!(new.sound(), "{:?}", new.problems);
    assert_eq!((&old.chain, &old.views, &old.origins), (&new.chain, &new.views, &new.origins));
    assert_eq!(old.chain, header.chain);
    let again = import(&target, bytes.clone()).await;
    assert!(matches!(again, Err(Error::NotEmpty)));
    fill_one(&target).await;
    drop(target);
    let target = to.open(&format!("{name}_to"), effects(clock, 9), folds()).unwrap();
    assert!(target.verify().await.unwrap().sound(), "numbers go on after an import");
    refuse_bent(to, name, &bytes).await;
}

async fn fill_one(store: &Store) {
    let done = store
        .write::<_, Error, _>(Actor::System, |txn| {
            let now = txn.now();
            txn.fact_add(grant(Uuid::from_u128(9), "g", now))
        })
        .await;
    assert_eq!(done.unwrap().value.seq, 76);
}

async fn refuse_bent(to: &dyn Bed, name: &str, bytes: &[u8]) {
    let (store, _clock) = open(to, &format!("{name}_bent"));
    let lines: Vec<&[u8]> = bytes.split_inclusive(|byte| *byte == b'\n').collect();
    let mut swapped = lines.clone();
    swapped.swap(5, 6);
    let changed = String::from_utf8(bytes.to_vec()).unwrap().replacen("study 7", "study 8", 1).into_bytes();
    let cases: [Vec<u8>; 6] = [
        Vec::new(),
        lines[..20].concat(),
        swapped.concat(),
        changed,
        bytes[..bytes.len() - 3].to_vec(),
        [bytes, lines[3]].concat(),
    ];
    for bent in cases {
        let refused = store.import(std::io::Cursor::new(bent), String::new(), |_| Ok(None)).await;
        assert!(matches!(refused, Err(Error::BadExport { .. })), "{refused:?}");
    }
    assert_eq!(store.verify().await.unwrap().facts, 0, "a refused import takes nothing");
}

pub(super) async fn clock_never_goes_back(bed: &dyn Bed) {
    let (store, clock) = open(bed, "clock");
    let add = |txn: &mut WriteTxn<'_>| {
        let now = txn.now();
        txn.fact_add(grant(Uuid::from_u128(3), "g", now))
    };
    let first = store.write::<_, Error, _>(Actor::System, add).await.unwrap().value;
    clock.back(Duration::from_secs(30));
    let second = store.write::<_, Error, _>(Actor::System, add).await.unwrap().value;
    assert!(second.recorded > first.recorded);
    drop(store);
    let within: Arc<ManualClock> = Arc::clone(&clock);
    let store = bed.open("clock", effects(within, 2), folds()).unwrap();
    let third = store.write::<_, Error, _>(Actor::System, add).await.unwrap().value;
    assert!(third.recorded > second.recorded, "recorded time goes on after a restart with a slow clock");
    drop(store);
    clock.back(Duration::from_secs(3600));
    let refused = bed.open("clock", effects(clock, 3), folds());
    assert!(matches!(refused.map(drop), Err(Error::ClockBehind { .. })));
}

pub(super) async fn readers_stand_beside_the_writer(bed: &dyn Bed) {
    let clock = ManualClock::at(start());
    let reading = |seed, folds| {
        let clocked: Arc<ManualClock> = Arc::clone(&clock);
        Store::open_to_read(bed.options("beside", effects(clocked, seed), folds))
    };
    let absent = reading(6, folds()).map(drop);
    assert!(matches!(absent, Err(Error::Torn { .. } | Error::Io { .. })), "it is told what is missing: {absent:?}");
    let (store, _clock) = open(bed, "beside");
    fill(&store, 3).await;
    let reader = reading(7, folds()).unwrap();
    let report = reader.verify().await.unwrap();
    assert!(report.sound() && report.facts == 8, "{report:?}");
    assert!(!reader.sole_writer(), "what it read may be older than what is stored");
    fill_more(&store).await;
    assert_eq!(reader.verify().await.unwrap().facts, 9, "it sees what is committed later");
    let refused = reader.write::<_, Error, _>(Actor::System, |txn| txn.record_put("t", b"k", b"v", None)).await;
    assert!(matches!(refused, Err(Error::ReadOnly)));
    let newer: Vec<Arc<dyn Fold>> = vec![Arc::new(GrantFold { version: 2 }), Arc::new(NameFold)];
    assert!(matches!(reading(8, newer).map(drop), Err(Error::Outdated { .. })));
}

async fn fill_more(store: &Store) {
    let add = |txn: &mut WriteTxn<'_>| {
        let now = txn.now();
        txn.fact_add(grant(Uuid::from_u128(11), "g", now))
    };
    store.write::<_, Error, _>(Actor::System, add).await.unwrap();
}

pub(super) async fn nothing_sealed_is_exported(bed: &dyn Bed) {
    let (store, _clock) = open(bed, "sealed_export");
    fill(&store, 2).await;
    store
        .write::<_, Error, _>(Actor::System, |txn| {
            txn.subject_key_put(Uuid::from_u128(1), b"wrapped-key-bytes")?;
            txn.sealed_put(Uuid::from_u128(1), "mail", b"sealed-mail-bytes")?;
            txn.record_put("session", b"session-key", b"record-bytes", None).map(drop)
        })
        .await
        .unwrap();
    let (bytes, header) = store.export(Scope::Facts, Vec::new()).await.unwrap();
    let text = String::from_utf8(bytes).unwrap();
    assert_eq!(text.lines().count(), 1 + usize::try_from(header.facts).unwrap());
    for table in ["subject_keys", "sealed", "records"] {
        assert!(!text.contains(table), "{table}");
    }
}

/// Moves a whole store into another, perhaps of another engine: what was there is there, byte for byte, and only where
/// the seal is.
pub async fn a_whole_store_moves(from: &dyn Bed, to: &dyn Bed, name: &str) {
    let (store, _clock) = open(from, &format!("{name}_whole_from"));
    fill(&store, 30).await;
    let (person, erased, entry) = (Uuid::from_u128(1), Uuid::from_u128(2), Uuid::from_u128(3));
    let document = b"{\"Version\":\"2012-10-17\"}";
    let digest = crypto::sha256(document);
    store
        .write::<_, Error, _>(Actor::System, move |txn| {
            let later = txn.now() + Duration::from_secs(3600);
            txn.subject_key_put(person, b"wrapped")?;
            txn.sealed_put(person, "mail", &[0, 255, 128])?;
            txn.subject_key_destroy(erased)?;
            txn.document_put(digest, document)?;
            txn.record_put("lasting", &[0, 1, 255], b"value", None)?;
            txn.record_put("ending", b"key", b"value", Some(later))?;
            txn.pending(&PendingEntry { id: entry, bytes: b"entry".to_vec() })
        })
        .await
        .unwrap();
    let whole = Scope::Whole { seal: "here".to_owned() };
    let (bytes, header) = store.export(whole.clone(), Vec::new()).await.unwrap();
    let import = async |store: &Store, seal: &str| {
        store.import(std::io::Cursor::new(bytes.clone()), seal.to_owned(), |_| Ok(None)).await
    };
    let (target, clock) = open(to, &format!("{name}_whole_to"));
    assert!(matches!(import(&target, "elsewhere").await, Err(Error::ForeignSeal { .. })));
    assert_eq!(target.verify().await.unwrap().facts, 0, "a refused import takes nothing");
    assert_eq!(import(&target, "here").await.unwrap(), header);
    assert!(target.verify().await.unwrap().sound());
    let (again, second) = target.export(whole, Vec::new()).await.unwrap();
    assert_eq!((second.chain, second.rows_chain, &second.rows), (header.chain, header.rows_chain, &header.rows));
    let after = |export: &[u8]| export.splitn(2, |byte| *byte == b'\n').nth(1).map(<[u8]>::to_vec);
    assert_eq!(after(&again), after(&bytes), "an export of the import is the same, line by line");
    drop(target);
    let target = to.open(&format!("{name}_whole_to"), effects(clock, 9), folds()).unwrap();
    let there = target
        .read::<_, Error, _>(move |txn| {
            assert!(matches!(txn.subject_key_get(erased)?, Some(SubjectKey::Destroyed(_))));
            assert_eq!(txn.subject_key_get(person)?, Some(SubjectKey::Wrapped(b"wrapped".to_vec())));
            assert_eq!(txn.sealed_get(person, "mail")?.as_deref(), Some(&[0, 255, 128][..]));
            assert_eq!(txn.document_get(digest)?.as_deref(), Some(&document[..]));
            txn.record_get("lasting", &[0, 1, 255])
        })
        .await
        .unwrap();
    assert_eq!(there.unwrap().value, b"value");
}
