//! A disk that fills: named states, the reserve, and the way back.

use ledger::layout;
use std::{sync::Arc, time::Duration};

use super::{disks::MemoryDisk, entry, open, runtime, tiny};
use crate::journal::{Error, Options, State, Way};

#[test]
fn a_full_disk_makes_the_journal_read_only_and_room_makes_it_ready() {
    let (disk, reserve) = (Arc::new(MemoryDisk::default()), layout::filled(layout::RESERVE, 512));
    disk.set_free(5000);
    let options = Options {
        low_space_bytes: 1000,
        full_space_bytes: 100,
        reserve_bytes: 512,
        checkpoint_interval: Duration::ZERO,
        ..tiny()
    };
    let journal = open(&disk, options);
    runtime().block_on(async {
        journal.append(entry(0)).await.unwrap();
        journal.publish().await.unwrap();
        assert_eq!(journal.stats().state, State::Ready);
        assert!(disk.bytes(&reserve).is_some());

        disk.set_free(500);
        journal.publish().await.unwrap();
        assert_eq!(journal.stats().state, State::HighWater);
        journal.append(entry(1)).await.unwrap();

        disk.set_free(50);
        journal.publish().await.unwrap();
        assert_eq!(journal.stats().state, State::ReadOnly);
        assert!(disk.bytes(&reserve).is_none(), "the reserve is given to what is still allowed");
        assert!(matches!(journal.append(entry(2)).await, Err(Error::ReadOnly)), "an access fails closed");
        assert!(matches!(journal.append_batched(entry(2)).await, Err(Error::ReadOnly)));
        assert_eq!(journal.take(vec![entry(2)], Way::Reserved).await.unwrap().await.unwrap()[0].index, 2);
        assert_eq!(*journal.read(0).unwrap().unwrap(), *entry(0), "reading goes on");

        disk.set_free(5000);
        journal.publish().await.unwrap();
        assert_eq!(journal.stats().state, State::Ready);
        assert!(disk.bytes(&reserve).is_some());
        journal.append(entry(3)).await.unwrap();
    });
    journal.close().unwrap();
    assert_eq!(super::assert_sound(&*disk), 4);
}

#[test]
fn a_journal_opens_on_a_full_disk_for_its_administrators() {
    let (disk, reserve) = (Arc::new(MemoryDisk::default()), layout::filled(layout::RESERVE, 512));
    let options = || Options { full_space_bytes: 100, low_space_bytes: 100, reserve_bytes: 512, ..tiny() };
    drop(open(&disk, options()));
    assert!(disk.bytes(&reserve).is_some());
    disk.set_free(50);
    let journal = open(&disk, options());
    assert_eq!(journal.stats().state, State::ReadOnly);
    assert!(disk.bytes(&reserve).is_none());
    runtime().block_on(async {
        assert!(matches!(journal.append(entry(0)).await, Err(Error::ReadOnly)));
        assert_eq!(journal.take(vec![entry(0)], Way::Reserved).await.unwrap().await.unwrap()[0].index, 0);
    });
}

/// A batch larger than the configured file makes the file larger; it must not end in a file of the same name.
#[test]
fn a_batch_may_be_larger_than_a_write_ahead_file() {
    let disk = Arc::new(MemoryDisk::default());
    let journal = open(&disk, Options { wal_bytes: 512, batch_bytes_max: 1500, ..tiny() });
    runtime().block_on(async {
        for batch in 0..20 {
            journal.append_all((batch * 15..(batch + 1) * 15).map(entry).collect()).await.unwrap();
        }
        journal.publish().await.unwrap();
    });
    assert_eq!(journal.size(), 300);
    journal.close().unwrap();
    assert_eq!(super::assert_sound(&*disk), 300);
}
