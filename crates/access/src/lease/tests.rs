//! A cut ends exactly what it names, and waiting ends when the streams are gone.

use super::*;
use std::sync::atomic::AtomicBool;
use uuid_of as id;

fn uuid_of<T>(n: u8, make: impl Fn(uuid::Uuid) -> T) -> T {
    make(uuid::Uuid::from_bytes([n; 16]))
}

fn scope(person: u8, dataset: u8) -> LeaseScope {
    LeaseScope {
        sessions: vec![id(person, SessionId::from_uuid)],
        roles: vec![],
        person: Some(id(person, PersonId::from_uuid)),
        groups: vec![],
        dataset: Some(id(dataset, DatasetId::from_uuid)),
        grants: vec![],
        expires: at(100),
    }
}

fn at(secs: i64) -> Timestamp {
    Timestamp::from_second(secs).unwrap()
}

fn yes() -> Recheck {
    Arc::new(|_| Ok(()))
}

#[tokio::test]
async fn a_cut_ends_the_person_named_and_no_other() {
    let leases = Leases::default();
    let ann = leases.open(&scope(1, 9), yes()).unwrap();
    let bob = leases.open(&scope(2, 9), yes()).unwrap();
    let closing = leases.cut(LeaseKey::Person(id(1, PersonId::from_uuid)), Ended::Cut);
    assert_eq!(closing.streams(), 1);
    assert_eq!(ann.check(at(1)), Err(Ended::Cut));
    assert_eq!(ann.ended().await, Ended::Cut);
    assert_eq!(bob.check(at(1)), Ok(()));
    drop(ann);
    assert_eq!(closing.wait(Duration::from_secs(3600)).await, 0);
    assert_eq!(leases.counts(), LeaseCounts { open: 1, opened: 2, ended: 1, refused: 0 });
}

#[tokio::test]
async fn a_stream_that_does_not_close_is_counted() {
    let leases = Leases::default();
    let stuck = leases.open(&scope(1, 9), yes()).unwrap();
    let gone = leases.open(&scope(1, 9), yes()).unwrap();
    let closing = leases.cut(LeaseKey::Dataset(id(9, DatasetId::from_uuid)), Ended::Withdrawn);
    drop(gone);
    assert_eq!(closing.wait(Duration::ZERO).await, 1);
    assert_eq!(stuck.check(at(1)), Err(Ended::Withdrawn));
}

#[test]
fn the_recheck_and_the_expiry_end_a_stream_for_good() {
    let leases = Leases::default();
    let live = Arc::new(AtomicBool::new(true));
    let flag = Arc::clone(&live);
    let recheck: Recheck = Arc::new(move |_| if flag.load(Ordering::SeqCst) { Ok(()) } else { Err(Ended::Withdrawn) });
    let lease = leases.open(&scope(1, 9), recheck).unwrap();
    assert_eq!(leases.sweep(at(1)).streams(), 0);
    live.store(false, Ordering::SeqCst);
    assert_eq!(leases.sweep(at(2)).streams(), 1);
    live.store(true, Ordering::SeqCst);
    assert_eq!(lease.check(at(3)), Err(Ended::Withdrawn), "ended once is ended for good");
    let late = leases.open(&scope(1, 9), yes()).unwrap();
    assert_eq!(late.check(at(100)), Err(Ended::Expired));
}

#[tokio::test]
async fn a_stream_between_two_parts_does_not_hold_up_a_cut() {
    let leases = Leases::default();
    let idle = leases.open(&scope(1, 9), yes()).unwrap();
    drop(idle.part(at(1)).unwrap());
    let key = LeaseKey::Person(id(1, PersonId::from_uuid));
    assert_eq!(leases.cut(key, Ended::Cut).wait(Duration::ZERO).await, 0, "it is open and gives nothing more");
    assert_eq!(idle.part(at(1)).err(), Some(Ended::Cut));
    drop(idle);

    let busy = leases.open(&scope(1, 9), yes()).unwrap();
    let part = busy.part(at(1)).unwrap();
    let closing = leases.cut(key, Ended::Cut);
    assert!(busy.is_ended());
    drop(part);
    assert_eq!(closing.wait(Duration::ZERO).await, 0);
    let stuck = leases.open(&scope(1, 9), yes()).unwrap();
    let _part = stuck.part(at(1)).unwrap();
    assert_eq!(leases.cut(key, Ended::Cut).wait(Duration::ZERO).await, 1, "a part is being handed out");
}
