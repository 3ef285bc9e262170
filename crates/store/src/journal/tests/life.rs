//! The ordinary life of a journal: append, read, publish, prove, close, open again.

use std::{sync::Arc, time::Duration};

use super::{NEVER, TestSigner, assert_sound, disks::MemoryDisk, entry, open, origin, runtime, tiny};
use crate::journal::{DiskFiles, Error, Journal, Options, RealDisk, State};
use ledger::{CheckpointSigner as _, LogKey, TlogProof, layout, verify::Verifier};

#[test]
fn entries_are_durable_readable_and_provable() {
    let disk = Arc::new(MemoryDisk::default());
    let journal = open(&disk, tiny());
    runtime().block_on(async {
        for number in 0..600 {
            let appended = journal.append(entry(number)).await.unwrap();
            assert_eq!(appended.index, number);
            assert_eq!(appended.leaf_hash, ledger::leaf_hash(&entry(number)));
        }
        assert_eq!(journal.size(), 600);
        let head = journal.publish().await.unwrap();
        assert_eq!(head.size, 600);
        let proof = TlogProof::decode(&journal.prove(599).unwrap().encode()).unwrap();
        assert_eq!(proof.verify(&entry(599), &[journal.key()]).unwrap(), head);
        journal.append(entry(600)).await.unwrap();
        assert!(matches!(journal.prove(600), Err(Error::NotPublished { index: 600 })));
        let mut next = 0;
        loop {
            let read = journal.read_from(next, 100).unwrap();
            let Some(last) = read.last() else { break };
            next = last.index + 1;
            for found in &read {
                assert_eq!(*found.bytes, *entry(found.index));
            }
        }
        assert_eq!(next, 601);
        assert_eq!(journal.read(601).unwrap(), None);
        let report = journal.verify(|verifier| Ok(verifier.bytes_only())).unwrap();
        assert!(report.is_sound(), "{:?}", report.findings);
        assert_eq!((report.size, report.pending), (600, 1));
    });
    journal.close().unwrap();
    assert_eq!(assert_sound(&*disk), 601);
    assert!(!disk.names().iter().any(|name| name.starts_with(layout::WAL)), "{:?}", disk.names());
    let again = open(&disk, tiny());
    assert_eq!(again.size(), 601);
    assert_eq!(*again.read(600).unwrap().unwrap(), *entry(600));
}

#[test]
fn a_log_that_was_rolled_back_or_replaced_does_not_continue() {
    let filled = |from: u64, entries: u64| {
        let disk = Arc::new(MemoryDisk::default());
        let journal = open(&disk, tiny());
        runtime().block_on(async {
            for number in from..from + entries {
                journal.append(entry(number)).await.unwrap();
            }
            journal.publish().await.unwrap();
        });
        (journal, disk)
    };
    let (short, _) = filled(0, 300);
    let (long, disk) = filled(0, 700);
    let (other, _) = filled(1, 700);
    let note = |journal: &Journal| journal.checkpoint().1;
    long.continues(&note(&short)).unwrap();
    long.continues(&note(&long)).unwrap();
    assert!(matches!(short.continues(&note(&long)), Err(Error::RolledBack { size: 300, seen: 700 })));
    assert!(matches!(other.continues(&note(&long)), Err(Error::Replaced { seen: 700 })));
    assert!(matches!(other.continues(&note(&short)), Err(Error::Replaced { seen: 300 })));
    assert!(matches!(long.continues(b"no checkpoint"), Err(Error::Log { .. })));
    let seen = note(&long);
    long.close().unwrap();
    open(&disk, tiny()).continues(&seen).unwrap();
}

#[test]
fn a_batch_is_appended_in_order_and_as_a_whole() {
    let journal = open(&Arc::new(MemoryDisk::default()), tiny());
    runtime().block_on(async {
        let appended = journal.append_all((0..5).map(entry).collect()).await.unwrap();
        assert_eq!(appended.iter().map(|appended| appended.index).collect::<Vec<_>>(), [0, 1, 2, 3, 4]);
        assert!(journal.append_all(Vec::new()).await.unwrap().is_empty());
        for bad in [Vec::new(), vec![b'x'; ledger::ENTRY_BYTES_MAX + 1], b"a\0b".to_vec()] {
            let refused = journal.append_all(vec![entry(5), bad]).await;
            assert!(matches!(refused, Err(Error::BadEntry { .. })), "{refused:?}");
        }
        let many = journal.append_all((0..100).map(entry).collect()).await;
        assert!(matches!(many, Err(Error::BatchTooLarge { .. })));
        assert_eq!(journal.size(), 5, "nothing of a refused batch is appended");
    });
    let blocking = std::thread::scope(|scope| scope.spawn(|| journal.append_blocking(vec![entry(5)])).join().unwrap());
    assert_eq!(blocking.unwrap()[0].index, 5);
}

#[test]
fn batched_entries_come_with_the_next_strict_one_or_by_themselves() {
    let journal = open(&Arc::new(MemoryDisk::default()), Options { batched_delay: NEVER, ..tiny() });
    runtime().block_on(async {
        journal.append_batched(entry(0)).await.unwrap();
        journal.append_batched(entry(1)).await.unwrap();
        assert_eq!(journal.append(entry(2)).await.unwrap().index, 2);
        journal.hurry().await;
        journal.append_batched(entry(3)).await.unwrap();
        journal.append_batched(entry(4)).await.unwrap();
        journal.hurry().await;
        assert_eq!(journal.size(), 5, "somebody wants to read them");
    });
    let journal = open(&Arc::new(MemoryDisk::default()), Options { batched_delay: Duration::ZERO, ..tiny() });
    runtime().block_on(async {
        let mut sizes = journal.subscribe();
        journal.append_batched(entry(0)).await.unwrap();
        assert_eq!(*sizes.wait_for(|size| *size == 1).await.unwrap(), 1);
    });
}

#[test]
fn closing_writes_what_was_taken_and_takes_nothing_more() {
    let disk = Arc::new(MemoryDisk::default());
    let journal = open(&disk, Options { batched_delay: NEVER, ..tiny() });
    runtime().block_on(async {
        for number in 0..7 {
            journal.append_batched(entry(number)).await.unwrap();
        }
        journal.close().unwrap();
        assert!(matches!(journal.append(entry(7)).await, Err(Error::Closed)));
        assert!(matches!(journal.publish().await, Err(Error::Closed)));
    });
    drop(journal);
    assert_eq!(assert_sound(&*disk), 7);
}

#[test]
fn many_callers_share_batches() {
    let disk = Arc::new(MemoryDisk::default());
    let journal = Arc::new(open(&disk, tiny()));
    let threads: Vec<_> = (0..4_u64)
        .map(|caller| {
            let journal = Arc::clone(&journal);
            std::thread::spawn(move || {
                (0..200_u64)
                    .map(|number| {
                        let bytes = entry(caller * 1000 + number);
                        (journal.append_blocking(vec![bytes.clone()]).unwrap()[0].index, bytes)
                    })
                    .collect::<Vec<_>>()
            })
        })
        .collect();
    let appended: Vec<_> = threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
    assert_eq!(appended.len(), 800);
    for (index, bytes) in appended {
        assert_eq!(*journal.read(index).unwrap().unwrap(), *bytes);
    }
    journal.close().unwrap();
    assert_eq!(assert_sound(&*disk), 800);
}

#[test]
fn a_signer_that_fails_delays_checkpoints_and_not_entries() {
    let disk = Arc::new(MemoryDisk::default());
    let signer = TestSigner::new(7);
    let options = Options { backlog_bytes_max: 2000, checkpoint_interval: Duration::ZERO, ..tiny() };
    let journal = Journal::open(disk.clone(), signer.clone(), options).unwrap();
    signer.set_broken(true);
    runtime().block_on(async {
        let mut taken = 0;
        let refused = loop {
            match journal.append(entry(taken)).await {
                Ok(_) => taken += 1,
                Err(error) => break error,
            }
        };
        assert!(matches!(refused, Error::Behind { .. }), "{refused:?}");
        assert!(taken > 10);
        assert!(journal.stats().publishing_fails.is_some());
        signer.set_broken(false);
        assert_eq!(journal.publish().await.unwrap().size, taken);
        journal.append(entry(taken)).await.unwrap();
    });
    journal.close().unwrap();
    assert_sound(&*disk);
}

#[test]
fn a_rotated_key_goes_on_with_the_log() {
    let disk = Arc::new(MemoryDisk::default());
    let old = open(&disk, tiny());
    runtime().block_on(old.append(entry(0))).unwrap();
    old.close().unwrap();
    let foreign = Journal::open(disk.clone(), TestSigner::new(8), tiny());
    assert!(matches!(foreign.err(), Some(Error::ForeignLog { .. })));
    let options = Options { earlier_keys: vec![old.key()], ..tiny() };
    let new = Journal::open(disk.clone(), TestSigner::new(8), options).unwrap();
    runtime().block_on(new.append(entry(1))).unwrap();
    assert!(new.verify(|verifier| Ok(verifier.bytes_only())).unwrap().is_sound());
    new.close().unwrap();
}

#[test]
fn a_damaged_log_is_not_opened() {
    let disk = Arc::new(MemoryDisk::default());
    let journal = open(&disk, tiny());
    runtime().block_on(async {
        for number in 0..300 {
            journal.append(entry(number)).await.unwrap();
        }
        journal.publish().await.unwrap();
    });
    journal.close().unwrap();
    for name in ["tile/entries/001.p/44", "tile/0/001.p/44", "tile/1/000.p/1", layout::CHECKPOINT, layout::LOG_KEY] {
        let whole = disk.bytes(name).unwrap();
        let mut bent = whole.clone();
        bent[10] ^= 1;
        disk.put(name, bent);
        assert!(Journal::open(disk.clone(), TestSigner::new(7), tiny()).is_err(), "{name}");
        disk.put(name, whole);
    }
    let checkpoint = disk.bytes(layout::CHECKPOINT).unwrap();
    crate::journal::Disk::remove(&*disk, layout::CHECKPOINT).unwrap();
    assert!(Journal::open(disk.clone(), TestSigner::new(7), tiny()).is_err(), "a lost checkpoint is not a new log");
    disk.put(layout::CHECKPOINT, checkpoint);
    assert_eq!(open(&disk, tiny()).size(), 300);
}

#[test]
fn an_altered_write_ahead_file_is_not_taken_for_a_torn_one() {
    let disk = Arc::new(MemoryDisk::default());
    let journal = open(&disk, tiny());
    runtime().block_on(async {
        for number in 0..3 {
            journal.append(entry(number)).await.unwrap();
        }
    });
    let name = disk.names().into_iter().find(|name| layout::wal_first(name).is_some()).unwrap();
    let mut wal = disk.bytes(&name).unwrap();
    journal.close().unwrap();
    let size = open(&disk, tiny()).size();
    assert_eq!(size, 3);
    // As if the machine had stopped before the last publication, and somebody had bent an acknowledged entry.
    let fresh = Arc::new(MemoryDisk::default());
    drop(open(&fresh, tiny()));
    wal[100] ^= 1;
    fresh.put(&name, wal);
    let opened = Journal::open(fresh, TestSigner::new(7), tiny());
    assert!(matches!(opened.err(), Some(Error::WalDamaged { index: 0, .. })));
}

/// What is cut off at the end of a write-ahead file may have held acknowledged entries: whole batches, or only filling.
#[test]
fn a_write_ahead_file_that_lacks_its_end_is_not_taken_for_a_shorter_one() {
    let disk = Arc::new(MemoryDisk::default());
    let journal = open(&disk, tiny());
    runtime().block_on(async {
        for number in 0..3 {
            journal.append(entry(number)).await.unwrap();
        }
    });
    let name = disk.names().into_iter().find(|name| layout::wal_first(name).is_some()).unwrap();
    let wal = disk.bytes(&name).unwrap();
    let entries_until = wal.iter().rposition(|byte| *byte != 0).unwrap() + 1;
    journal.close().unwrap();
    for len in [wal.len() - 1, wal.len() / 2, entries_until, entries_until - 1, 0] {
        let fresh = Arc::new(MemoryDisk::default());
        drop(open(&fresh, tiny()));
        fresh.put(&name, wal[..len].to_vec());
        let opened = Journal::open(fresh.clone(), TestSigner::new(7), tiny());
        assert!(matches!(opened.err(), Some(Error::WalDamaged { name: found, .. }) if found == name), "{len}");
        assert_eq!(fresh.bytes(&name).unwrap().len(), len, "nothing was changed");
        fresh.put(&name, wal.clone());
        assert_eq!(open(&fresh, tiny()).size(), 3);
    }
}

/// An installation of the time before sizes stood in names: its files are read, and replaced.
#[test]
fn files_without_a_size_in_their_names_are_taken_over() {
    let disk = Arc::new(MemoryDisk::default());
    let options = || Options { reserve_bytes: 512, ..tiny() };
    let journal = open(&disk, options());
    runtime().block_on(journal.append(entry(0))).unwrap();
    let name = disk.names().into_iter().find(|name| layout::wal_first(name).is_some()).unwrap();
    let wal = disk.bytes(&name).unwrap();
    drop(journal);

    let old = Arc::new(MemoryDisk::default());
    drop(open(&old, tiny()));
    old.put(layout::filling(&name).0, wal);
    old.put(layout::RESERVE, vec![0; 512]);
    old.put("wal/spare.tmp", vec![0; 512]);
    assert_eq!(assert_sound(&*old), 1);
    let journal = open(&old, options());
    assert_eq!(journal.size(), 1);
    drop(journal);
    let beside: Vec<_> =
        old.names().into_iter().filter(|name| name.contains("reserve") || name.contains("wal")).collect();
    assert_eq!(beside, ["reserve.512"]);
}

#[test]
fn a_folder_has_one_writer() {
    let folder = tempfile::tempdir().unwrap();
    let disk = Arc::new(RealDisk::open(folder.path()).unwrap());
    assert!(matches!(RealDisk::open(folder.path()), Err(Error::InUse { .. })));
    let journal = open(&disk, tiny());
    runtime().block_on(async {
        for number in 0..300 {
            journal.append(entry(number)).await.unwrap();
        }
    });
    assert_eq!(journal.stats().state, State::Ready);
    journal.close().unwrap();
    drop(journal);
    assert_eq!(assert_sound(&*disk), 300);
    drop(disk);
    let disk = Arc::new(RealDisk::open(folder.path()).unwrap());
    assert_eq!(open(&disk, tiny()).size(), 300);
    let key = LogKey::new(origin(), TestSigner::new(7).public_key());
    assert_eq!(std::fs::read_to_string(folder.path().join(layout::LOG_KEY)).unwrap(), format!("{key}\n"));
}

/// Sets a flag when it goes, also on a panic.
struct Raised<'a>(&'a std::sync::atomic::AtomicBool);

impl Drop for Raised<'_> {
    fn drop(&mut self) {
        self.0.store(true, std::sync::atomic::Ordering::Relaxed);
    }
}

/// `galen ledger verify` reads the folder of a running node without asking it: what changes under it is no finding.
#[test]
fn a_log_in_use_verifies_from_outside() {
    const SIZE: u64 = 9000;
    let folder = tempfile::tempdir().unwrap();
    let disk = Arc::new(RealDisk::open(folder.path()).unwrap());
    let options = Options { wal_bytes: 16 << 10, checkpoint_interval: Duration::ZERO, ..tiny() };
    let journal = open(&disk, options);
    let key = journal.key();
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        // However this ends, the writers end: a scope waits for them before it hands a panic on.
        let stop = Raised(&done);
        let spawn = |writer: u64| {
            let (journal, done) = (&journal, &done);
            scope.spawn(move || {
                let mut number = writer * 1_000_000;
                while !done.load(std::sync::atomic::Ordering::Relaxed) {
                    journal.append_blocking((number..number + 5).map(entry).collect()).unwrap();
                    number += 5;
                }
            })
        };
        let writers = [spawn(0), spawn(1)];
        // A writer that failed ends the wait; the scope then hands its panic on.
        while journal.size() < SIZE && !writers.iter().any(|writer| writer.is_finished()) {
            let verifier = Verifier::new(vec![key.clone()]).bytes_only();
            let outside = verifier.verify(&DiskFiles::new(folder.path())).unwrap();
            let inside = journal.verify(|verifier| Ok(verifier.bytes_only())).unwrap();
            for report in [outside, inside] {
                assert!(report.is_sound(), "at {}: {:?}", journal.size(), report.findings);
            }
        }
        drop(stop);
    });
    journal.close().unwrap();
    assert_sound(&*disk);
}
