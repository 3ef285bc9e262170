//! What is taken away is gone when the receipt says so, and the receipt says what was done.

use super::*;
use crate::assume::tests::{House, ann, group};
use crate::lease::{Ended, LeaseScope, Recheck};
use crate::{Lease, Member, MembershipEdge, Reject, Session, SessionTarget};
use std::sync::Arc;

fn permit<A: Action>(house: &House, action: A, resource: A::Resource) -> Permit<A> {
    Permit::for_test(action, resource, None, None, house.access.now())
}

/// A stream that goes on while its session counts.
fn stream(house: &House, session: &Arc<Session>) -> Lease {
    let (epochs, held) = (house.access.sessions().epochs().clone(), Arc::clone(session));
    let recheck: Recheck = Arc::new(move |now| epochs.check(&held, now).map_err(|_| Ended::Cut));
    house.access.sessions().leases().open(&LeaseScope::of(session), recheck).unwrap()
}

/// Serves the stream as an edge does: until it is told to stop.
fn serve(lease: Lease) -> tokio::task::JoinHandle<Ended> {
    let mut set = tokio::task::JoinSet::new();
    set.spawn(async move { lease.ended().await });
    let handle = tokio::runtime::Handle::current();
    handle.spawn(async move { set.join_next().await.unwrap().unwrap() })
}

async fn verified(house: &House, receipt: &Receipt) -> Statement {
    let stored = find(&house.access, receipt.statement.id).await.unwrap().unwrap();
    let (_, public) = receipt::key(house.access.custody()).unwrap();
    receipt::verify(&stored, &public).unwrap()
}

// verifies: IAM-04
#[tokio::test]
async fn a_person_is_cut_with_every_open_stream_and_gets_a_receipt() {
    let house = House::new().await;
    let session = house.signed_in().await;
    let served = serve(stream(&house, &session));
    let receipt = person(&house.access, permit(&house, api::RevokePerson, ann()), "left".into()).await.unwrap();
    assert_eq!(served.await.unwrap(), Ended::Cut);
    let statement = verified(&house, &receipt).await;
    assert_eq!(statement.what, What::Person { person: ann() });
    assert_eq!(statement.epoch, Some(EpochKey::Person { person: ann() }));
    assert_eq!((statement.nodes.len(), statement.facts.len()), (1, 1));
    let node = &statement.nodes[0];
    assert_eq!((node.streams, node.still_open), (1, 0));
    assert!(node.acknowledged.is_some());
    assert_eq!(statement.reason.as_deref(), Some("left"));
    assert_eq!(statement.position, house.access.sessions().epochs().position());
}

#[tokio::test]
async fn one_session_is_cut_and_the_others_go_on() {
    let house = House::new().await;
    let (one, other) = (house.signed_in().await, house.signed_in().await);
    let (lost, kept) = (stream(&house, &one), stream(&house, &other));
    let served = serve(lost);
    let target = SessionTarget { session: one.id, person: Some(ann()) };
    let receipt = session(&house.access, permit(&house, api::EndSession, target), "lost laptop".into()).await.unwrap();
    assert_eq!(served.await.unwrap(), Ended::Cut);
    assert_eq!(kept.check(house.access.now()), Ok(()));
    assert_eq!(receipt.statement.what, What::Session { session: one.id, person: Some(ann()) });
    let unknown = SessionTarget { session: base::SessionId::from_uuid(uuid::Uuid::nil()), person: None };
    let refused = session(&house.access, permit(&house, api::EndSession, unknown), "x".into()).await;
    assert!(matches!(refused, Err(Error::NoSession { .. })));
}

#[tokio::test]
async fn a_stream_that_does_not_close_is_said_and_gets_nothing() {
    let house = House::new().await;
    let held = house.signed_in().await;
    let stuck = stream(&house, &held);
    let receipt = person(&house.access, permit(&house, api::RevokePerson, ann()), "left".into()).await.unwrap();
    let node = &receipt.statement.nodes[0];
    assert_eq!((node.acknowledged, node.streams, node.still_open), (None, 1, 1));
    assert_eq!(stuck.check(house.access.now()), Err(Ended::Cut));
}

#[tokio::test]
async fn a_membership_ends_and_cannot_end_twice() {
    let house = House::new().await;
    let edge = MembershipEdge { member: Member::Person(ann()), group: group(1) };
    let remove = || permit(&house, api::RemoveMember, edge);
    let receipt = membership(&house.access, remove(), |_, _| true, "moved".into()).await.unwrap();
    assert_eq!(receipt.statement.epoch, None);
    assert!(house.access.groups_of(ann()).is_empty(), "in force before the receipt");
    assert!(matches!(membership(&house.access, remove(), |_, _| true, "again".into()).await, Err(Error::Change(_))));
}

#[tokio::test]
async fn a_cut_session_is_told_why() {
    let house = House::new().await;
    let held = house.signed_in().await;
    person(&house.access, permit(&house, api::RevokePerson, ann()), "left".into()).await.unwrap();
    let reject = house.access.sessions().epochs().cuts(&held).map(|by| Reject::Cut { by }).unwrap();
    assert!(reject.to_string().starts_with("the session was cut at 2026-09-21"), "{reject}");
}
