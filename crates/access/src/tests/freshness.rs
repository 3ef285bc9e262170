//! Several nodes on one PostgreSQL: no decision from state that is older than the bound.

use base::ErrorKind;

use super::*;

fn get() -> Object {
    Object { bucket: "research".to_owned(), key: "k".to_owned(), version: None, tags: Vec::new() }
}

/// The same store and the same people, as another process beside this one has them.
async fn furnished() -> World {
    let world = World::new().await;
    world.born("anna").await;
    world.join("anna", "readers").await;
    world.join("olivia", "owners").await;
    world.role("reader", &["GalenDataAccess"], "readers", None, Carry::All).await;
    world.place("data", "research", "", "owners").await;
    world.grant(world.grant_of("g", "data", "readers", Level::Read, "olivia")).await.unwrap();
    world
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_decision_looks_for_what_other_nodes_committed_and_is_refused_when_it_cannot() {
    let world = furnished().await;
    let Some(database) = world.database() else { return };
    let other = world.crashed().await;
    let op = |on: &World| on.op(on.session("anna", "reader", None));
    let permit = other.access.authorize(&op(&other), action::s3::GetObject, get()).await.unwrap();
    world.end_grant("g").await;
    // Nothing has told the other node: within the bound it decides from what it knows.
    assert!(other.access.authorize(&op(&other), action::s3::GetObject, get()).await.is_ok());
    world.clock.forward(2);
    let denied = other.access.authorize(&op(&other), action::s3::GetObject, get()).await.unwrap_err();
    assert!(matches!(denied.reason, DenyReason::NoGrant { .. }), "{:?}", denied.reason);
    assert!(permit.lease().unwrap().check(other.now()).is_err(), "a stream that was open stands on the grant too");
    store::conformance::cut_off(&database);
    world.clock.forward(2);
    let denied = other.access.authorize(&op(&other), action::s3::GetObject, get()).await.unwrap_err();
    assert!(matches!(denied.reason, DenyReason::Stale), "{:?}", denied.reason);
    assert_eq!(denied.kind(), ErrorKind::Unavailable);
}
