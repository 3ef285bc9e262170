//! On which thread an entry is written.

use std::{collections::BTreeSet, sync::Arc};
use tokio::task::JoinSet;

use super::{assert_sound, disks::MemoryDisk, entry, open, tiny};
use crate::journal::{Error, Journal, Way};

const THREAD: Option<&str> = Some("ledger-writer");

async fn append_here(journal: &Journal, entry: Vec<u8>) -> Result<u64, Error> {
    Ok(journal.take(vec![entry], Way::Alone).await?.await?[0].index)
}

/// Some entries in a row tell that nobody else is there.
async fn calm(journal: &Journal) {
    for number in 0..100 {
        assert_eq!(append_here(journal, entry(number)).await.unwrap(), number);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_entry_that_meets_no_other_is_written_on_its_thread() {
    let disk = Arc::new(MemoryDisk::default());
    let journal = open(&disk, tiny());
    calm(&journal).await;
    // On a busy machine the thread may still hold the turn when the next entry comes, and it takes some more to be calm.
    let mut next = 100;
    while disk.writer().as_deref() == THREAD {
        assert_eq!(append_here(&journal, entry(next)).await.unwrap(), next);
        next += 1;
        assert!(next < 10_000, "every entry was written on the thread");
    }
    journal.append_batched(entry(next)).await.unwrap();
    assert_eq!(append_here(&journal, entry(next + 1)).await.unwrap(), next + 1, "what waits goes first");
    assert_eq!(*journal.read(next).unwrap().unwrap(), *entry(next));
    journal.append_batched(entry(next + 2)).await.unwrap();
    journal.close().unwrap();
    assert_eq!(disk.writer().as_deref(), THREAD, "nobody waits for an entry that is batched");
    assert!(matches!(append_here(&journal, entry(next + 3)).await, Err(Error::Closed)));
    assert_eq!(assert_sound(&*disk), next + 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn callers_who_meet_lose_nothing_between_the_threads() {
    let disk = Arc::new(MemoryDisk::default());
    let journal = Arc::new(open(&disk, tiny()));
    calm(&journal).await;
    let mut callers = JoinSet::new();
    for caller in 1..=8 {
        let journal = Arc::clone(&journal);
        callers.spawn(async move {
            let mut indexes = Vec::new();
            for number in 0..200 {
                indexes.push(append_here(&journal, entry(caller * 1000 + number)).await.unwrap());
            }
            indexes
        });
    }
    let indexes: Vec<u64> = callers.join_all().await.into_iter().flatten().collect();
    assert_eq!(indexes.iter().copied().collect::<BTreeSet<_>>(), (100..1700).collect::<BTreeSet<_>>());
    journal.close().unwrap();
    assert_eq!(assert_sound(&*disk), 1700);
}

#[tokio::test]
async fn a_runtime_with_one_thread_is_not_held_up() {
    let disk = Arc::new(MemoryDisk::default());
    let journal = open(&disk, tiny());
    calm(&journal).await;
    assert_eq!(disk.writer().as_deref(), THREAD);
}
