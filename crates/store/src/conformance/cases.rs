//! The cases. Each is one function over a [`Bed`]; [`run`] runs them all.

#![expect(
    clippy::panic,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "the suite is test code that a test calls"
)]

use base::{Actor, Ids, Timestamp};
use serde_json::json;
use std::{ops::Bound, sync::Arc, time::Duration};
use uuid::Uuid;

use super::{
    Bed, GrantFold, ManualClock, NameFold,
    concurrent::{feed_is_complete, hooks_come_in_order, no_update_is_lost},
    effects,
    lives::{
        a_whole_store_moves, clock_never_goes_back, export_and_import_agree, nothing_sealed_is_exported,
        readers_stand_beside_the_writer, views_rebuild_when_their_fold_changes,
    },
};
use crate::{Direction, Error, Fold, NewFact, PendingEntry, Store, ViewedRow, WriteTxn};

pub(super) fn start() -> Timestamp {
    "2026-11-21T12:00:00Z".parse().unwrap()
}

pub(super) fn folds() -> Vec<Arc<dyn Fold>> {
    vec![Arc::new(GrantFold { version: 1 }), Arc::new(NameFold)]
}

pub(super) fn grant(subject: Uuid, group: &str, from: Timestamp) -> NewFact {
    NewFact {
        kind: "grant.created",
        subject,
        body: json!({ "group": group, "level": "read" }),
        reason: Some("needed for study 7".to_owned()),
        valid_from: from,
        valid_to: None,
    }
}

pub(super) fn open(bed: &dyn Bed, name: &str) -> (Store, Arc<ManualClock>) {
    let clock = ManualClock::at(start());
    let clocked: Arc<ManualClock> = Arc::clone(&clock);
    let seed = name.bytes().fold(1_u64, |seed, byte| seed.wrapping_mul(31).wrapping_add(u64::from(byte)));
    (bed.open(name, effects(clocked, seed), folds()).unwrap(), clock)
}

/// Runs every case against the engine of `bed`; panics at the first that fails.
pub async fn run(bed: &dyn Bed) {
    facts_and_views(bed).await;
    pages_are_whole(bed).await;
    a_page_of_what_was_ever_known_misses_nothing(bed).await;
    a_page_ends_between_aggregates(bed).await;
    unique_claims(bed).await;
    record_order_and_expiry(bed).await;
    refused_changes_leave_nothing(bed).await;
    pending_is_deduplicated(bed).await;
    sealed_and_documents(bed).await;
    hooks_come_in_order(bed).await;
    feed_is_complete(bed).await;
    no_update_is_lost(bed).await;
    views_rebuild_when_their_fold_changes(bed).await;
    export_and_import_agree(bed, bed, "export").await;
    the_newest_checkpoint_is_remembered(bed).await;
    limits_hold(bed).await;
    clock_never_goes_back(bed).await;
    readers_stand_beside_the_writer(bed).await;
    nothing_sealed_is_exported(bed).await;
    a_whole_store_moves(bed, bed, "move").await;
}

async fn facts_and_views(bed: &dyn Bed) {
    let (store, clock) = open(bed, "facts");
    let subject = effects(ManualClock::at(start()), 77).uuid();
    let made = store
        .write::<_, Error, _>(Actor::System, move |txn| {
            let now = txn.now();
            let fact = txn.fact_add(grant(subject, "g1", now))?;
            assert_eq!(txn.view_current("grant", &subject.to_string())?.len(), 1, "a change sees its own writes");
            Ok(fact)
        })
        .await
        .unwrap();
    assert_eq!(made.value.seq, 1);
    assert_eq!(made.facts, vec![made.value.clone()]);
    clock.advance(Duration::from_secs(3600));
    let ended = store
        .write::<_, Error, _>(Actor::System, move |txn| {
            let (kind, now) = ("grant.ended", txn.now());
            txn.fact_add(NewFact { kind, body: json!({}), ..grant(subject, "g1", now) })
        })
        .await
        .unwrap();
    assert_eq!(ended.value.seq, 2);
    assert!(ended.value.recorded > made.value.recorded && ended.position > made.position);
    let (first, second) = (made.value.recorded.timestamp(), ended.value.recorded.timestamp());
    store
        .read::<_, Error, _>(move |txn| {
            let key = subject.to_string();
            assert_eq!(txn.facts_of(subject)?.len(), 2);
            assert_eq!(txn.fact(made.value.id)?, Some(made.value.clone()));
            assert!(txn.view_current("grant", &key)?.is_empty(), "ended");
            assert_eq!(txn.view_as_of("grant", &key, first, second)?.len(), 1, "it held then");
            assert_eq!(txn.view_as_of("grant", &key, second, first)?.len(), 1, "its end was not known then");
            assert!(txn.view_as_of("grant", &key, second, second)?.is_empty());
            assert_eq!(txn.view_history("grant", &key)?.len(), 2);
            assert_eq!(txn.view_lookup_as_of("grant", "by_group", "g1", first, first)?[0].aggregate, key);
            assert!(txn.view_lookup("grant", "by_group", "g1")?.is_empty());
            assert_eq!(txn.view_scan("grant", None, 10)?.len(), 1);
            let mut streamed = 0;
            txn.view_load_all("grant", |row| {
                assert!(row.body.contains("g1"));
                streamed += 1;
                Ok(())
            })?;
            assert_eq!(streamed, 1);
            assert!(matches!(txn.view_current("nothing", "x"), Err(Error::UnknownView { .. })));
            assert_eq!(txn.position()?, ended.position);
            Ok(())
        })
        .await
        .unwrap();
    drop(store);
    let again = bed.open("facts", effects(clock, 2), folds()).unwrap();
    let count = again.read::<_, Error, _>(move |txn| Ok(txn.facts_of(subject)?.len())).await.unwrap();
    assert_eq!(count, 2, "facts survive a reopening");
}

/// Every row once, in order, whichever way a view is paged; a page is full where more follow.
async fn pages_are_whole(bed: &dyn Bed) {
    let (store, clock) = open(bed, "pages");
    let ids = effects(ManualClock::at(start()), 78);
    let mut subjects: Vec<Uuid> = (0..9).map(|_| ids.uuid()).collect();
    subjects.sort_unstable();
    let made = subjects.clone();
    let groups = ["g1", "g2"];
    let wrote = store.write::<_, Error, _>(Actor::System, move |txn| {
        let now = txn.now();
        made.iter()
            .zip(groups.iter().cycle())
            .try_for_each(|(id, group)| txn.fact_add(grant(*id, group, now)).map(drop))
    });
    wrote.await.unwrap();
    clock.advance(Duration::from_secs(60));
    let ended = [subjects[0], subjects[2], subjects[3]];
    let wrote = store.write::<_, Error, _>(Actor::System, move |txn| {
        let (kind, now) = ("grant.ended", txn.now());
        let end = |id: &Uuid| NewFact { kind, body: json!({}), ..grant(*id, "", now) };
        ended.iter().try_for_each(|id| txn.fact_add(end(id)).map(drop))
    });
    wrote.await.unwrap();
    clock.advance(Duration::from_secs(60));
    for (group, live) in [(None, false), (None, true), (Some("g1"), false), (Some("g1"), true), (Some("g3"), false)] {
        let of_group = |n: usize| group.is_none_or(|group| groups[n % 2] == group);
        let wanted = subjects.iter().enumerate().filter(|(n, id)| of_group(*n) && !(live && ended.contains(*id)));
        let wanted: Vec<String> = wanted.map(|(_, id)| id.to_string()).collect();
        let mut seen: Vec<String> = Vec::new();
        loop {
            let after = seen.last().cloned();
            let read = store.read::<_, Error, _>(move |txn| {
                let now = txn.now();
                let of = group.map(|group| ("by_group", group));
                txn.view_page("grant", of, after.as_deref(), 2, |row| {
                    (!live || row.valid.contains(now)).then(|| row.aggregate.clone())
                })
            });
            let page = read.await.unwrap();
            assert_eq!(page.len(), 2.min(wanted.len() - seen.len()), "{group:?} {live}");
            if page.is_empty() {
                break;
            }
            seen.extend(page);
        }
        assert_eq!(seen, wanted, "{group:?} {live}");
    }
}

async fn a_page_of_what_was_ever_known_misses_nothing(bed: &dyn Bed) {
    let (store, _clock) = open(bed, "ever");
    let ids = effects(ManualClock::at(start()), 80);
    let mut subjects = [(); 4].map(|()| ids.uuid());
    subjects.sort_unstable();
    let [live, void, ended, other] = subjects;
    let wrote = store.write::<_, Error, _>(Actor::System, move |txn| {
        let now = txn.now();
        for (id, group) in [(live, "g"), (void, "g"), (ended, "g"), (other, "h")] {
            txn.fact_add(grant(id, group, now))?;
        }
        for (id, kind) in [(void, "grant.voided"), (ended, "grant.ended")] {
            txn.fact_add(NewFact { kind, body: json!({}), ..grant(id, "", now) })?;
        }
        Ok(())
    });
    wrote.await.unwrap();
    for (of, limit, wanted) in [
        (None, 1, vec![(live, true), (void, false), (ended, true), (other, true)]),
        (None, 10, vec![(live, true), (void, false), (ended, true), (other, true)]),
        (Some(("by_group", "g")), 2, vec![(live, true), (void, false), (ended, true)]),
    ] {
        let mut seen: Vec<(String, bool)> = Vec::new();
        loop {
            let after = seen.last().map(|(id, _)| id.clone());
            let read = store.read::<_, Error, _>(move |txn| {
                let known = |row: &ViewedRow| Some((row.aggregate.clone(), row.known.to.is_none()));
                txn.view_page_ever("grant", of, after.as_deref(), limit, known)
            });
            let page = read.await.unwrap();
            if page.is_empty() {
                break;
            }
            seen.extend(page);
        }
        let wanted: Vec<_> = wanted.into_iter().map(|(id, known)| (id.to_string(), known)).collect();
        assert_eq!(seen, wanted, "{of:?} {limit}");
    }
}

/// An aggregate with several live rows is on one page, so that the next one, which begins after it, misses none.
async fn a_page_ends_between_aggregates(bed: &dyn Bed) {
    let (store, _clock) = open(bed, "borders");
    let ids = effects(ManualClock::at(start()), 79);
    let names = ["a", "a", "b", "b", "b", "c"];
    let claims: Vec<_> = names.iter().map(|name| (*name, ids.uuid())).collect();
    let wrote = store.write::<_, Error, _>(Actor::System, move |txn| {
        let (kind, now) = ("name.claimed", txn.now());
        let claim =
            |(name, owner): &(&str, Uuid)| NewFact { kind, body: json!({"name": name}), ..grant(*owner, "", now) };
        claims.iter().try_for_each(|it| txn.fact_add(claim(it)).map(drop))
    });
    wrote.await.unwrap();
    for (limit, pages) in [
        (1, vec![vec!["a", "a"], vec!["b", "b", "b"], vec!["c"]]),
        (3, vec![vec!["a", "a", "b", "b", "b"], vec!["c"]]),
        (5, vec![vec!["a", "a", "b", "b", "b"], vec!["c"]]),
        (6, vec![names.to_vec()]),
    ] {
        let mut after: Option<String> = None;
        for wanted in pages.into_iter().chain([Vec::new()]) {
            let from = after.clone();
            let page = store.read::<_, Error, _>(move |txn| {
                txn.view_page("name", None, from.as_deref(), limit, |row| Some(row.aggregate.clone()))
            });
            let page = page.await.unwrap();
            assert_eq!(page, wanted, "pages of {limit}");
            after = page.last().cloned().or(after);
        }
    }
}

async fn unique_claims(bed: &dyn Bed) {
    let (store, _clock) = open(bed, "claims");
    let ids = effects(ManualClock::at(start()), 5);
    for owner in [ids.uuid(), ids.uuid()] {
        store
            .write::<_, Error, _>(Actor::System, move |txn| {
                let fact = NewFact {
                    kind: "name.claimed",
                    body: json!({ "name": "Oncology" }),
                    ..grant(owner, "", txn.now())
                };
                txn.fact_add(fact)
            })
            .await
            .unwrap();
    }
    let rows = store.read::<_, Error, _>(|txn| txn.view_current("name", "Oncology")).await.unwrap();
    let won: Vec<_> = rows.iter().map(|row| row.body["won"].as_bool()).collect();
    assert_eq!(won, [Some(true), Some(false)], "the first wins and the loser stays visible");
}

async fn record_order_and_expiry(bed: &dyn Bed) {
    let (store, clock) = open(bed, "records");
    let keys: [&[u8]; 6] = [b"", b"\x00", b"a", b"a\x00", b"b\xff", b"\xff\xff"];
    store
        .write::<_, Error, _>(Actor::System, move |txn| {
            for key in keys.iter().rev() {
                assert!(txn.record_insert("t", key, b"v", None)?);
                assert!(!txn.record_insert("t", key, b"w", None)?);
            }
            txn.record_put("other", b"a", b"x", None).map(drop)
        })
        .await
        .unwrap();
    let later = start() + Duration::from_secs(60);
    store
        .read::<_, Error, _>(move |txn| {
            let scan = |from, to, direction| -> Vec<Vec<u8>> {
                txn.record_scan("t", from, to, 100, direction).unwrap().into_iter().map(|(key, _)| key).collect()
            };
            assert_eq!(scan(Bound::Unbounded, Bound::Unbounded, Direction::Forward), keys);
            let mut backward = scan(Bound::Unbounded, Bound::Unbounded, Direction::Backward);
            backward.reverse();
            assert_eq!(backward, keys);
            assert_eq!(scan(Bound::Excluded(b"a"), Bound::Included(b"b\xff"), Direction::Forward), keys[3..5]);
            assert_eq!(scan(Bound::Included(b"a"), Bound::Excluded(b"a\x00"), Direction::Forward), keys[2..3]);
            assert_eq!(txn.record_prefix("t", b"a", None, 10)?.len(), 2);
            assert_eq!(txn.record_prefix("t", b"\xff", None, 10)?.len(), 1);
            assert_eq!(txn.record_prefix("t", b"a", Some(b"a"), 10)?.len(), 1);
            Ok(())
        })
        .await
        .unwrap();
    for (prefix, limit) in [("a", 10), ("a", 1), ("nothing", 10)] {
        let within = store.read::<_, Error, _>(move |txn| txn.record_prefix("t", prefix.as_bytes(), None, limit)).await;
        assert_eq!(store.record_prefix("t", prefix.as_bytes().to_vec(), limit).await.unwrap(), within.unwrap());
    }
    let first =
        store.write::<_, Error, _>(Actor::System, move |txn| txn.record_put("t", b"e", b"1", Some(later))).await;
    let revision = first.unwrap().value;
    let updated = store
        .write::<_, Error, _>(Actor::System, move |txn| {
            assert!(!txn.record_update("t", b"e", revision + 1, b"2", Some(later))?);
            assert!(txn.record_update("t", b"e", revision, b"2", Some(later))?);
            assert!(!txn.record_update("t", b"e", revision, b"3", Some(later))?, "the revision has changed");
            Ok(txn.record_get("t", b"e")?.unwrap())
        })
        .await
        .unwrap();
    assert_eq!((updated.value.value.as_slice(), updated.value.expires), (&b"2"[..], Some(later)));
    clock.advance(Duration::from_secs(61));
    let gone = store.read::<_, Error, _>(|txn| txn.record_get("t", b"e")).await.unwrap();
    assert_eq!(gone, None, "an expired record is invisible before the sweep");
    let again = store
        .write::<_, Error, _>(Actor::System, move |txn| {
            let inserted = txn.record_insert("t", b"e", b"4", Some(later))?;
            Ok((inserted, txn.record_delete("t", b"e")?))
        })
        .await
        .unwrap();
    assert_eq!(again.value, (true, false), "an expired record is no obstacle, and nothing to delete");
    assert_eq!(store.expire(100).await.unwrap(), 1);
    assert_eq!(store.expire(100).await.unwrap(), 0);
}

async fn refused_changes_leave_nothing(bed: &dyn Bed) {
    let (store, _clock) = open(bed, "refused");
    let subject = effects(ManualClock::at(start()), 9).uuid();
    let write = move |txn: &mut WriteTxn<'_>| {
        let now = txn.now();
        txn.record_put("t", b"k", b"v", None)?;
        txn.fact_add(grant(subject, "g", now)).map(drop)
    };
    let refused = store
        .write::<(), Error, _>(Actor::System, move |txn| {
            write(txn)?;
            Err(Error::NotEmpty)
        })
        .await;
    assert!(matches!(refused, Err(Error::NotEmpty)), "the closure's own error comes back");
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let panicked = store
        .write::<(), Error, _>(Actor::System, move |txn| {
            write(txn)?;
            panic!("on purpose")
        })
        .await;
    std::panic::set_hook(hook);
    assert!(matches!(panicked, Err(Error::ClosurePanicked)));
    let unfoldable = store
        .write::<_, Error, _>(Actor::System, move |txn| {
            let now = txn.now();
            txn.fact_add(NewFact { body: json!({}), ..grant(subject, "g", now) })
        })
        .await;
    assert!(matches!(unfoldable, Err(Error::Fold { view: "grant", .. })));
    let swallowed = store
        .write::<_, Error, _>(Actor::System, move |txn| {
            let now = txn.now();
            drop(txn.fact_add(NewFact { body: json!({}), ..grant(subject, "g", now) }));
            txn.record_put("t", b"k", b"v", None).map(drop)
        })
        .await;
    assert!(swallowed.is_err(), "a change whose fact did not fold cannot commit");
    let left = store
        .read::<_, Error, _>(move |txn| Ok((txn.record_get("t", b"k")?, txn.facts_of(subject)?, txn.newest_seq()?)))
        .await
        .unwrap();
    assert_eq!(left, (None, Vec::new(), 0));
    let fine = store.write::<_, Error, _>(Actor::System, write).await.unwrap();
    assert_eq!(fine.facts[0].seq, 1, "numbers have no gap after refused changes");
}

async fn pending_is_deduplicated(bed: &dyn Bed) {
    let (store, _clock) = open(bed, "pending");
    let ids = effects(ManualClock::at(start()), 3);
    let (one, two) = (ids.uuid(), ids.uuid());
    for id in [one, one, two] {
        let entry = PendingEntry { id, bytes: b"entry".to_vec() };
        store.write::<_, Error, _>(Actor::System, move |txn| txn.pending(&entry)).await.unwrap();
    }
    let page = store.pending_page(10).await.unwrap();
    assert_eq!(page.iter().map(|row| row.id).collect::<Vec<_>>(), [one, two]);
    assert_eq!(store.pending_page(1).await.unwrap(), page[..1]);
    assert!(store.read(move |txn| txn.is_pending(one)).await.unwrap());
    store.write::<_, Error, _>(Actor::System, move |txn| txn.pending_done(&[one, two])).await.unwrap();
    assert!(!store.read(move |txn| txn.is_pending(one)).await.unwrap());
    assert!(store.pending_page(10).await.unwrap().is_empty());
}

async fn sealed_and_documents(bed: &dyn Bed) {
    let (store, _clock) = open(bed, "sealed");
    let subject = effects(ManualClock::at(start()), 4).uuid();
    let document = b"{\"Version\":\"2012-10-17\"}".to_vec();
    let digest = crypto::sha256(&document);
    store
        .write::<_, Error, _>(Actor::System, move |txn| {
            assert!(txn.subject_key_put(subject, b"wrapped")?);
            txn.sealed_put(subject, "mail", b"c1")?;
            txn.sealed_put(subject, "mail", b"c2")?;
            txn.sealed_put(subject, "name", b"c3")?;
            txn.document_put(digest, &document)?;
            txn.document_put(digest, &document)?;
            assert!(matches!(txn.document_put(digest, b"other"), Err(Error::DocumentDigest { .. })));
            assert_eq!(txn.document_get(digest)?.as_deref(), Some(&document[..]));
            Ok(())
        })
        .await
        .unwrap();
    let rows = store.read::<_, Error, _>(move |txn| txn.sealed_list(subject)).await.unwrap();
    assert_eq!(rows, [("mail".to_owned(), b"c2".to_vec()), ("name".to_owned(), b"c3".to_vec())]);
    let erased = store
        .write::<_, Error, _>(Actor::System, move |txn| {
            Ok((
                txn.subject_key_destroy(subject)?,
                txn.subject_key_destroy(subject)?,
                txn.subject_key_put(subject, b"w")?,
            ))
        })
        .await
        .unwrap();
    assert_eq!(erased.value, (true, false, false), "a destroyed key stays destroyed");
    let left = store
        .read::<_, Error, _>(move |txn| Ok((txn.sealed_get(subject, "mail")?, txn.subject_key_get(subject)?)))
        .await
        .unwrap();
    assert!(matches!(left, (None, Some(crate::SubjectKey::Destroyed(_)))));
}

async fn the_newest_checkpoint_is_remembered(bed: &dyn Bed) {
    let (store, _clock) = open(bed, "checkpoints");
    let node = store.node();
    for (size, expected) in [(5, 5), (9, 9), (7, 9)] {
        let seen = crate::Checkpoint { size, note: size.to_string().into_bytes() };
        store.write::<_, Error, _>(Actor::System, move |txn| txn.checkpoint_put(&seen)).await.unwrap();
        let stored = store.read::<_, Error, _>(move |txn| txn.checkpoint(node)).await.unwrap().unwrap();
        assert_eq!(stored.size, expected);
    }
}

async fn limits_hold(bed: &dyn Bed) {
    let (store, _clock) = open(bed, "limits");
    let long = vec![b'k'; crate::KEY_BYTES_MAX + 1];
    let refused = store.write::<_, Error, _>(Actor::System, move |txn| txn.record_put("t", &long, b"", None)).await;
    assert!(matches!(refused, Err(Error::TooLarge { what: "record key", .. })));
    let longest = vec![b'k'; crate::KEY_BYTES_MAX];
    store.write::<_, Error, _>(Actor::System, move |txn| txn.record_put("t", &longest, b"", None)).await.unwrap();
    let refused = store
        .write::<_, Error, _>(Actor::System, |txn| {
            let now = txn.now();
            let body = json!({ "group": "x".repeat(NewFact::BODY_BYTES_MAX) });
            txn.fact_add(NewFact { body, ..grant(Uuid::from_u128(1), "g", now) })
        })
        .await;
    assert!(matches!(refused, Err(Error::TooLarge { what: "fact body", .. })));
}
