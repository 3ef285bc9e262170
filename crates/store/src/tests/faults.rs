//! Faults while it runs: refused neighbours, a failing COMMIT, a full disk, a hook that panics, erased bytes.

use base::Actor;
use std::sync::{Arc, mpsc};
use uuid::Uuid;

use super::{grant, open};
use crate::{CommitHook, Error, Fact, Position, Store, WriteTxn};

type Closure = Box<dyn FnMut(&mut WriteTxn<'_>) -> Result<(), Error> + Send>;

/// Runs closures in one batch: the first holds the writer until the others wait.
async fn in_one_batch(store: &Store, closures: Vec<Closure>) -> Vec<Result<(), Error>> {
    let (go, wait) = mpsc::channel::<()>();
    let mut held = Some(wait);
    let mut waiting = Vec::new();
    for mut closure in closures {
        let mut hold = held.take();
        let closure = move |txn: &mut WriteTxn<'_>| {
            if let Some(hold) = hold.take() {
                hold.recv().unwrap();
            }
            closure(txn)
        };
        let store = store.clone();
        waiting.push(Box::pin(async move { store.write::<_, Error, _>(Actor::System, closure).await.map(drop) }));
    }
    // Polled once, every closure is in the queue.
    for write in &mut waiting {
        let polled = std::future::poll_fn(|cx| std::task::Poll::Ready(write.as_mut().poll(cx).is_ready())).await;
        assert!(!polled);
    }
    go.send(()).unwrap();
    let mut results = Vec::new();
    for write in waiting {
        results.push(write.await);
    }
    results
}

fn put(key: &'static [u8]) -> Closure {
    Box::new(move |txn| txn.record_put("t", key, b"v", None).map(drop))
}

async fn keys(store: &Store) -> Vec<Vec<u8>> {
    let scan = store.read::<_, Error, _>(|txn| txn.record_prefix("t", b"", None, 100)).await.unwrap();
    scan.into_iter().map(|(key, _)| key).collect()
}

#[tokio::test]
async fn a_refused_closure_leaves_its_neighbours_alone() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path(), 1).unwrap();
    let refuse = || -> Closure {
        Box::new(|txn| {
            txn.record_put("t", b"b", b"v", None)?;
            Err(Error::NotEmpty)
        })
    };
    let results = in_one_batch(&store, vec![put(b"a"), refuse(), put(b"c")]).await;
    assert!(matches!(results[..], [Ok(()), Err(Error::NotEmpty), Ok(())]));
    assert_eq!(keys(&store).await, [b"a", b"c"]);
    let results = in_one_batch(&store, vec![refuse(), refuse(), put(b"d"), refuse(), put(b"e")]).await;
    assert!(matches!(results[..], [Err(_), Err(_), Ok(()), Err(_), Ok(())]), "whichever comes first");
    assert_eq!(keys(&store).await, [b"a", b"c", b"d", b"e"]);
}

#[tokio::test]
async fn a_failing_commit_fails_the_whole_batch() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path(), 1).unwrap();
    // A foreign key that is checked at COMMIT only.
    let poison: Closure = Box::new(|txn| {
        txn.execute("PRAGMA defer_foreign_keys = ON", &[])?;
        txn.execute("INSERT INTO outbox (fact, change, at) VALUES (x'00', x'00', 0)", &[]).map(drop)
    });
    let results = in_one_batch(&store, vec![put(b"a"), poison, put(b"c")]).await;
    assert!(results.iter().all(|result| matches!(result, Err(Error::CommitFailed { .. }))), "{results:?}");
    assert!(keys(&store).await.is_empty());
    store.write::<_, Error, _>(Actor::System, put(b"d")).await.unwrap();
    assert_eq!(keys(&store).await, [b"d"], "the store stays usable");
}

/// Finding: a change whose savepoint could not be ended was answered as failed and committed with the others of its batch.
#[tokio::test]
async fn a_change_that_cannot_be_ended_takes_its_batch_with_it() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path(), 1).unwrap();
    let ends_itself = |answer: fn() -> Result<(), Error>| -> Closure {
        Box::new(move |txn| {
            txn.record_put("t", b"b", b"v", None)?;
            txn.execute("RELEASE change", &[])?;
            answer()
        })
    };
    for answer in [|| Ok(()), || Err(Error::NotEmpty)] {
        let results = in_one_batch(&store, vec![put(b"a"), ends_itself(answer), put(b"c")]).await;
        assert!(
            matches!(results[..], [Err(Error::StatementFailed), Err(Error::StatementFailed), Ok(())]),
            "{results:?}"
        );
        assert_eq!(keys(&store).await, [b"c"], "nothing of what was answered as failed");
    }
}

#[tokio::test]
async fn a_full_disk_refuses_and_keeps_what_was_there() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path(), 1).unwrap();
    store.write::<_, Error, _>(Actor::System, |txn| grant(txn, 1)).await.unwrap();
    let limit = |sql: &'static str| move |txn: &mut WriteTxn<'_>| txn.each(sql, &[], |_| Ok(()));
    store.write::<_, Error, _>(Actor::System, limit("PRAGMA max_page_count = 60")).await.unwrap();
    let full =
        store.write::<_, Error, _>(Actor::System, |txn| txn.record_put("t", b"big", &vec![7; 900_000], None)).await;
    assert!(matches!(full, Err(Error::Engine { .. } | Error::StatementFailed)), "{full:?}");
    store.write::<_, Error, _>(Actor::System, limit("PRAGMA max_page_count = 1000000")).await.unwrap();
    store.write::<_, Error, _>(Actor::System, |txn| grant(txn, 2)).await.unwrap();
    let report = store.verify().await.unwrap();
    assert!(report.sound() && report.facts == 2, "{report:?}");
}

struct Panics;

impl CommitHook for Panics {
    fn committed(&self, _: &[Fact], _: Position) {
        panic!("on purpose");
    }
}

#[tokio::test]
async fn a_hook_that_fails_halts_the_store() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path(), 1).unwrap();
    store.on_commit(Arc::new(Panics));
    let stored = store.write::<_, Error, _>(Actor::System, |txn| grant(txn, 1)).await;
    assert!(matches!(stored, Err(Error::Halted)));
    let after = store.write::<_, Error, _>(Actor::System, put(b"x")).await;
    assert!(matches!(after, Err(Error::Halted)), "memory may be behind the store");
    let read = store.read::<_, Error, _>(|txn| txn.newest_seq()).await;
    assert!(matches!(read, Err(Error::Halted)));
}

#[tokio::test]
async fn erased_bytes_are_in_no_file() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path(), 1).unwrap();
    let subject = Uuid::from_u128(5);
    let secrets: [&[u8]; 2] = [b"wrapped-key-of-this-person", b"sealed-name-of-this-person"];
    store
        .write::<_, Error, _>(Actor::System, move |txn| {
            txn.subject_key_put(subject, secrets[0])?;
            txn.sealed_put(subject, "name", secrets[1])
        })
        .await
        .unwrap();
    assert_eq!(found(dir.path(), &secrets), [true, true], "the search finds what is there");
    store.write::<_, Error, _>(Actor::System, move |txn| txn.subject_key_destroy(subject)).await.unwrap();
    assert_eq!(found(dir.path(), &secrets), [false, false]);
}

#[tokio::test]
async fn a_reader_in_the_way_delays_the_cut_and_not_the_erasure() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path(), 1).unwrap();
    let (subject, secrets): (Uuid, [&[u8]; 2]) =
        (Uuid::from_u128(5), [b"wrapped-key-of-this-person", b"sealed-of-this-person"]);
    let put = move |txn: &mut WriteTxn<'_>| {
        txn.subject_key_put(subject, secrets[0])?;
        txn.sealed_put(subject, "name", secrets[1])
    };
    store.write::<_, Error, _>(Actor::System, put).await.unwrap();
    let reader = rusqlite::Connection::open(dir.path().join("galen.db")).unwrap();
    reader.execute_batch("BEGIN; SELECT count(*) FROM sealed").unwrap();
    store.write::<_, Error, _>(Actor::System, move |txn| txn.subject_key_destroy(subject)).await.unwrap();
    reader.execute_batch("ROLLBACK").unwrap();
    store.write::<_, Error, _>(Actor::System, |txn| txn.record_put("t", b"k", b"v", None)).await.unwrap();
    // The writer cuts after it has answered, and before it begins anything else.
    store.write::<_, Error, _>(Actor::System, |txn| txn.record_put("t", b"l", b"v", None)).await.unwrap();
    assert_eq!(found(dir.path(), &secrets), [false, false]);
}

fn found(dir: &std::path::Path, needles: &[&[u8]; 2]) -> [bool; 2] {
    let files = std::fs::read_dir(dir).unwrap().map(|entry| std::fs::read(entry.unwrap().path()).unwrap());
    let all: Vec<u8> = files.flatten().collect();
    needles.map(|needle| all.windows(needle.len()).any(|window| window == needle))
}
