//! Every step that changes the disk, failed in every way, at every place: nothing acknowledged is lost, and the log
//! that is found afterwards is whole.

use std::sync::Arc;

use super::{
    TestSigner, assert_sound,
    disks::{After, Fault, MemoryDisk},
    entry, open, runtime, tiny,
};
use crate::journal::{Journal, Options};

/// Entries per run: enough to change the write-ahead file several times and to fill a bundle.
const ENTRIES: u64 = 270;

/// One life: open, append, publish twice, close. Returns what was acknowledged, with its index.
fn live(disk: &Arc<MemoryDisk>, options: Options, from: u64) -> Vec<(u64, u64)> {
    let mut acknowledged = Vec::new();
    let Ok(journal) = Journal::open(disk.clone(), TestSigner::new(7), options) else { return acknowledged };
    runtime().block_on(async {
        let mut number = from;
        while number < from + ENTRIES {
            // Mostly batches, so that a bundle fills within few steps.
            let batch = if number.is_multiple_of(3) { 10 } else { 1 };
            let entries = (number..number + batch).map(entry).collect();
            if let Ok(appended) = journal.append_all(entries).await {
                acknowledged.extend(appended.iter().map(|appended| appended.index).zip(number..));
            }
            number += batch;
            if (number - batch) / 90 < number / 90 {
                let _ = journal.publish().await;
            }
        }
    });
    let _ = journal.close();
    acknowledged
}

fn check(disk: &Arc<MemoryDisk>, acknowledged: &[(u64, u64)], what: &str) {
    disk.heal();
    // Before anything mends it.
    assert_sound(&**disk);
    let journal = open(disk, tiny());
    let found = read_all(&journal);
    for (index, number) in acknowledged {
        let found = found.get(usize::try_from(*index).unwrap());
        assert_eq!(found, Some(&entry(*number)), "{what}: entry {index} was acknowledged");
    }
    runtime().block_on(journal.append(entry(1))).unwrap();
    let size = journal.size();
    journal.close().unwrap();
    assert_eq!(assert_sound(&**disk), size, "{what}");
}

fn read_all(journal: &Journal) -> Vec<Vec<u8>> {
    let mut out = Vec::new();
    loop {
        let page = journal.read_from(out.len() as u64, 1000).unwrap();
        if page.is_empty() {
            return out;
        }
        out.extend(page.iter().map(|entry| entry.bytes.to_vec()));
    }
}

fn matrix(prepare: impl Fn() -> (Arc<MemoryDisk>, Vec<(u64, u64)>), stride: usize) {
    let (disk, before) = prepare();
    disk.heal();
    let untroubled = live(&disk, tiny(), before.len() as u64);
    let steps = disk.steps();
    assert!(untroubled.len() as u64 >= ENTRIES);
    assert!(steps > 100, "{steps} steps");
    for at in (0..steps).step_by(stride) {
        for fault in [Fault::Failed, Fault::FailedButPersisted, Fault::Torn, Fault::Full] {
            for after in [After::Goes, After::Dead, After::PowerLoss] {
                if fault == Fault::Full && after != After::Goes {
                    // Dying makes no difference between the errors.
                    continue;
                }
                let (disk, mut acknowledged) = prepare();
                disk.plan(at, fault, after);
                acknowledged.extend(live(&disk, tiny(), acknowledged.len() as u64));
                check(&disk, &acknowledged, &format!("step {at} of {steps}, {fault:?}, then {after:?}"));
            }
        }
    }
}

#[test]
fn no_fault_of_a_new_log_loses_an_acknowledged_entry() {
    matrix(|| (Arc::new(MemoryDisk::default()), Vec::new()), 1);
}

#[test]
fn no_fault_of_a_grown_log_loses_an_acknowledged_entry() {
    matrix(
        || {
            let disk = Arc::new(MemoryDisk::default());
            let acknowledged = live(&disk, tiny(), 0);
            (disk, acknowledged)
        },
        7,
    );
}

/// Recovery itself is interrupted at each of its steps, again and again, and still ends well.
#[test]
fn no_fault_during_recovery_loses_an_acknowledged_entry() {
    let crashed = || {
        let disk = Arc::new(MemoryDisk::default());
        disk.plan(usize::MAX, Fault::Failed, After::Dead);
        let journal = open(&disk, tiny());
        let mut acknowledged = Vec::new();
        runtime().block_on(async {
            for number in 0..300 {
                acknowledged.push((journal.append(entry(number)).await.unwrap().index, number));
            }
        });
        // From here on nothing reaches the disk: what the journal does when it is dropped is not seen.
        disk.plan(0, Fault::Failed, After::PowerLoss);
        drop(journal);
        disk.heal();
        (disk, acknowledged)
    };
    let (disk, _) = crashed();
    drop(open(&disk, tiny()));
    let steps = disk.steps();
    assert!(steps > 10, "{steps} steps");
    for at in 0..steps {
        for fault in [Fault::Failed, Fault::FailedButPersisted, Fault::Torn] {
            for after in [After::Dead, After::PowerLoss] {
                let (disk, acknowledged) = crashed();
                disk.plan(at, fault, after);
                drop(Journal::open(disk.clone(), TestSigner::new(7), tiny()));
                check(&disk, &acknowledged, &format!("recovery step {at} of {steps}, {fault:?}, {after:?}"));
            }
        }
    }
}
