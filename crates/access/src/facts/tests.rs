//! What held when, as known when: memberships that come back, grants that end, states that change.

use crate::facts::*;
use crate::resource::Member;
use crate::testing::World;
use base::Timestamp;
use std::time::Duration;
use store::ViewedRow;

async fn as_of(
    world: &World,
    view: &'static str,
    aggregate: String,
    valid: Timestamp,
    known: Timestamp,
) -> Vec<ViewedRow> {
    world
        .store
        .read(move |txn| txn.view_as_of(view, &aggregate, valid, known))
        .await
        .map_err(crate::Error::Store)
        .unwrap()
}

/// A moment between two changes: the clock of a test stands still, and facts are a microsecond apart.
async fn moment(world: &World) -> Timestamp {
    world.clock.forward(10);
    let now = world.now();
    world.clock.forward(10);
    now
}

// verifies: AUD-03
#[tokio::test]
async fn a_membership_ends_and_comes_back_as_another() {
    let world = World::new().await;
    let (person, group) = (Member::Person(world.person("ann")), world.group("readers"));
    let edge = edge(person.uuid(), group);
    let before = moment(&world).await;
    world.join("ann", "readers").await;
    let during = moment(&world).await;
    world.leave("ann", "readers").await;
    let between = moment(&world).await;
    world.join("ann", "readers").await;
    let after = moment(&world).await;
    let live = async |at, known| as_of(&world, view::MEMBERSHIP, edge.clone(), at, known).await.len();
    let now = after;
    assert_eq!(
        [live(before, now).await, live(during, now).await, live(between, now).await, live(after, now).await],
        [0, 1, 0, 1]
    );
    // As known before it was taken back, it held without end.
    assert_eq!(live(between, during).await, 1);
    assert_eq!(live(during, before).await, 0);
    let first = as_of(&world, view::MEMBERSHIP, edge.clone(), during, now).await;
    let second = as_of(&world, view::MEMBERSHIP, edge.clone(), after, now).await;
    assert_ne!(first[0].row, second[0].row, "each add has its own id");
    let again = world.write(move |txn| {
        let id = base::MembershipId::from_uuid(uuid::Uuid::from_u128(9));
        add_membership(txn, id, person, group, None)
    });
    assert!(matches!(again.await, Err(crate::Error::AlreadyMember)));
}

#[tokio::test]
async fn a_grant_that_ended_is_still_what_it_was() {
    let world = World::new().await;
    world.join("olga", "owners").await;
    world.place("trial", "clinical", "trial/", "owners").await;
    let grant = world.grant_of("g", "trial", "readers", Level::Read, "olga");
    let (id, expiry) = (grant.id.to_string(), grant.expiry);
    world.grant(grant).await.unwrap();
    let during = moment(&world).await;
    world.end_grant("g").await;
    let after = moment(&world).await;
    let rows = async |at, known| as_of(&world, view::GRANT, id.clone(), at, known).await;
    assert_eq!(rows(during, after).await.len(), 1);
    assert_eq!(rows(after, after).await.len(), 0);
    let then = rows(after, during).await[0].valid.to.unwrap();
    assert_eq!(then.as_microsecond(), expiry.as_microsecond(), "as it was known then, it would hold to its expiry");
    let late = expiry + Duration::from_secs(1);
    assert_eq!(rows(late, during).await.len(), 0);
}

#[tokio::test]
async fn places_do_not_take_what_is_anothers() {
    let world = World::new().await;
    world.place("trial", "clinical", "trial/", "owners").await;
    let location = |name: &str, bucket: &str, prefix: &str| DatasetLocation {
        dataset: world.dataset(name),
        account: world.account,
        places: vec![Place { bucket: bucket.to_owned(), prefix: prefix.to_owned() }],
        owner: world.group("owners"),
        stewards: Vec::new(),
        policy: None,
        classification: Classification::Internal,
        gxp: false,
        personal: false,
        kind: DatasetKind::Dataset,
        audit: crate::AuditClass::Strict,
        key: "test".to_owned(),
    };
    let put = async |it: DatasetLocation, occupied| {
        world.write(move |txn| put_location(txn, &it, |_, _| Ok(occupied), None)).await.map(drop)
    };
    use crate::Error;
    assert!(matches!(put(location("b", "clinical", "trial/"), Occupied::No).await, Err(Error::PlaceTaken { .. })));
    assert!(matches!(
        put(location("b", "clinical", "trial/x/"), Occupied::Yes).await,
        Err(Error::PlaceOccupied { .. })
    ));
    let mut foreign = location("b", "clinical", "other/");
    foreign.account = "999999999999".parse().unwrap();
    assert!(matches!(put(foreign, Occupied::No).await, Err(Error::ForeignBucket { .. })));
    for prefix in ["trial", "/", "a//", "../", "a/./", "a\u{0}/"] {
        assert!(
            matches!(put(location("b", "clinical", prefix), Occupied::No).await, Err(Error::Place { .. })),
            "{prefix}"
        );
    }
    put(location("b", "clinical", "trial/x/"), Occupied::No).await.unwrap();
    assert_eq!(world.access.locate("clinical", "trial/x/1").unwrap().location.dataset, world.dataset("b"));
    assert_eq!(world.access.locate("clinical", "trial/y").unwrap().location.dataset, world.dataset("trial"));
    // A new state of the same dataset keeps its own places, whatever they hold.
    put(location("b", "clinical", "trial/x/"), Occupied::Yes).await.unwrap();
}
