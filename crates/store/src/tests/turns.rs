//! On which thread a change runs.

use base::Actor;
use std::sync::mpsc;
use tokio::task::{JoinSet, block_in_place};

use super::open;
use crate::{Error, WriteTxn};

fn thread(_: &mut WriteTxn<'_>) -> Result<Option<String>, Error> {
    Ok(std::thread::current().name().map(str::to_owned))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_that_meets_no_other_stays_on_its_thread() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path(), 1).unwrap();
    // Some changes in a row tell that nobody else is there.
    for _ in 0..100 {
        store.write(Actor::System, thread).await.unwrap();
    }
    let alone = store.write(Actor::System, thread).await.unwrap();
    assert_ne!(alone.value.as_deref(), Some("store-writer"));

    let ((inside, entered), (go, hold)) = (mpsc::channel(), mpsc::channel::<()>());
    let mut held = JoinSet::new();
    let theirs = store.clone();
    held.spawn(async move {
        let closure = move |txn: &mut WriteTxn<'_>| {
            inside.send(()).unwrap();
            hold.recv().unwrap();
            thread(txn)
        };
        theirs.write(Actor::System, closure).await
    });
    block_in_place(|| entered.recv()).unwrap();
    let mut waits = Box::pin(store.write(Actor::System, thread));
    let answered = std::future::poll_fn(|cx| std::task::Poll::Ready(waits.as_mut().poll(cx).is_ready())).await;
    assert!(!answered, "one change at a time");
    go.send(()).unwrap();
    let first = held.join_next().await.unwrap().unwrap().unwrap();
    assert_ne!(first.value.as_deref(), Some("store-writer"));
    assert_eq!(waits.await.unwrap().value.as_deref(), Some("store-writer"));
}

#[tokio::test]
async fn a_runtime_with_one_thread_is_not_held_up() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path(), 1).unwrap();
    assert_eq!(store.write(Actor::System, thread).await.unwrap().value.as_deref(), Some("store-writer"));
}
