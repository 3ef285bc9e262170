//! The index answers as a scan of everything would, on random worlds, through deltas, merges and loads.

use super::*;
use crate::facts::{Grant, Membership, MembershipRemoved, kind};
use crate::resource::Member;
use base::{Actor, ChangeId, FactId, MembershipId, PersonId, Timestamp};
use proptest::prelude::*;
use store::{Fact, Hlc};

struct NoDocuments;
impl Documents for NoDocuments {
    fn compiled(&self, _: &Sha256Digest, _: DocumentKind) -> Result<Arc<Compiled>, EvaluationFault> {
        Err(EvaluationFault::DocumentMissing)
    }
}

fn uuid(n: u128) -> Uuid {
    // Spread over the id, so that tags differ.
    Uuid::from_u128(n.wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835))
}

fn fact(n: u64, kind: &str, subject: Uuid, body: &impl serde::Serialize) -> Fact {
    let body = serde_json::to_value(body).unwrap();
    Fact {
        id: FactId::from_uuid(uuid(u128::from(n) + 1_000_000)),
        origin: "eu-north-1".parse().unwrap(),
        seq: n,
        kind: kind.to_owned(),
        subject,
        digest: crypto::sha256(b""),
        body,
        actor: Actor::System,
        reason: None,
        valid_from: Timestamp::from_second(0).unwrap(),
        valid_to: None,
        recorded: Hlc::from_micros(i64::try_from(n).unwrap()),
        change: ChangeId::from_uuid(uuid(7)),
    }
}

#[derive(Clone, Debug)]
enum Step {
    Join(u8, u8),
    Leave(u8, u8),
    Grant(u8, u8, u8, u8),
    End(u8),
    Merge,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0_u8..12, 0_u8..10).prop_map(|(p, g)| Step::Join(p, g)),
        2 => (0_u8..12, 0_u8..10).prop_map(|(p, g)| Step::Leave(p, g)),
        4 => (0_u8..6, 0_u8..10, 0_u8..3, 0_u8..4).prop_map(|(d, g, l, s)| Step::Grant(d, g, l, s)),
        2 => (0_u8..40).prop_map(Step::End),
        1 => Just(Step::Merge),
    ]
}

/// Everything as plain lists.
#[derive(Default)]
struct Scan {
    memberships: Vec<(u8, u8, MembershipId)>,
    grants: Vec<(u8, u8, Grant)>,
}

fn person(n: u8) -> PersonId {
    PersonId::from_uuid(uuid(u128::from(n) + 100))
}
fn group(n: u8) -> GroupId {
    GroupId::from_uuid(uuid(u128::from(n) + 200))
}
fn dataset(n: u8) -> DatasetId {
    DatasetId::from_uuid(uuid(u128::from(n) + 300))
}

fn located(dataset: DatasetId) -> Arc<LocationState> {
    let location = DatasetLocation {
        dataset,
        account: "123456789012".parse().unwrap(),
        places: Vec::new(),
        owner: group(0),
        stewards: Vec::new(),
        policy: None,
        classification: crate::facts::Classification::Internal,
        gxp: false,
        personal: false,
        kind: crate::facts::DatasetKind::Dataset,
        audit: crate::AuditClass::Strict,
        key: String::new(),
    };
    Arc::new(LocationState { location: Arc::new(location), policy: None, fault: None })
}

fn run(steps: Vec<Step>) -> (Index, Scan) {
    let index = Index::new(World::default());
    let mut scan = Scan::default();
    for (n, step) in (1_u64..).zip(steps) {
        let facts = match step {
            Step::Join(p, g) => {
                let id = MembershipId::from_uuid(uuid(u128::from(n)));
                scan.memberships.push((p, g, id));
                let body = Membership { id, member: Member::Person(person(p)), group: group(g) };
                vec![fact(n, kind::MEMBERSHIP_ADDED, id.uuid(), &body)]
            }
            Step::Leave(p, g) => {
                let same = |it: &&(u8, u8, MembershipId)| it.0 == p && it.1 == g;
                let removes: Vec<MembershipId> = scan.memberships.iter().filter(same).map(|it| it.2).collect();
                scan.memberships.retain(|it| !(it.0 == p && it.1 == g));
                let body = MembershipRemoved { member: Member::Person(person(p)), group: group(g), removes };
                vec![fact(n, kind::MEMBERSHIP_REMOVED, uuid(1), &body)]
            }
            Step::Grant(d, g, l, s) => {
                let grant = grant(n, d, g, l, s);
                let made = fact(n, kind::GRANT_CREATED, grant.id.uuid(), &grant);
                scan.grants.push((d, g, grant));
                vec![made]
            }
            Step::End(at) => {
                if scan.grants.is_empty() {
                    continue;
                }
                let (_, _, grant) = scan.grants.remove(usize::from(at) % scan.grants.len());
                let body = crate::facts::GrantEnded { id: grant.id, dataset: grant.dataset, group: grant.group };
                vec![fact(n, kind::GRANT_ENDED, grant.id.uuid(), &body)]
            }
            Step::Merge => {
                let mut world = World::clone(&index.world());
                world.members = world.members.merged();
                world.grants = world.grants.merged();
                index.begin(world);
                continue;
            }
        };
        index.apply(&facts, &NoDocuments);
    }
    (index, scan)
}

fn grant(n: u64, d: u8, g: u8, l: u8, s: u8) -> Grant {
    let level = [Level::Discover, Level::Read, Level::Write][usize::from(l)];
    let prefixes = if s == 0 { Vec::new() } else { vec![format!("part-{s}/")] };
    Grant {
        id: GrantId::from_uuid(uuid(u128::from(n) + 5000)),
        group: group(g),
        dataset: dataset(d),
        level,
        scope: Scope { prefixes, ..Scope::default() },
        purpose: "test".to_owned(),
        start: Timestamp::from_second(i64::from(s) * 10).unwrap(),
        expiry: Timestamp::from_second(1000).unwrap(),
        approver: crate::facts::Approver::Person(person(0)),
        request: "direct".to_owned(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn candidates_are_what_a_scan_finds(steps in prop::collection::vec(step(), 0..120)) {
        let (index, scan) = run(steps);
        let world = index.world();
        for p in 0..12 {
            let mut groups: Vec<GroupId> =
                scan.memberships.iter().filter(|it| it.0 == p).map(|it| group(it.1)).collect();
            groups.sort_unstable();
            groups.dedup();
            let set = GroupSet::All(world.edges(person(p).uuid()));
            let mut indexed: Vec<GroupId> = set.iter().map(|n| world.group(n).unwrap()).collect();
            indexed.sort_unstable();
            prop_assert_eq!(&indexed, &groups);
            for d in 0..6 {
                let mut wanted: Vec<GrantId> = scan
                    .grants
                    .iter()
                    .filter(|it| it.0 == d && groups.contains(&group(it.1)))
                    .map(|it| it.2.id)
                    .collect();
                wanted.sort_unstable();
                let mut found = Vec::new();
                world.candidates(dataset(d), &set, |row| found.push(*row));
                for row in &found {
                    let (_, _, grant) = scan.grants.iter().find(|it| it.2.id == row.id).unwrap();
                    prop_assert_eq!(world.scope(row.scope).unwrap(), &grant.scope);
                    prop_assert_eq!(row.level, grant.level);
                    prop_assert_eq!((row.start, row.expiry), (grant.start.as_microsecond(), grant.expiry.as_microsecond()));
                }
                let mut found: Vec<GrantId> = found.iter().map(|row| row.id).collect();
                found.sort_unstable();
                prop_assert_eq!(found, wanted);
            }
        }
        let report = world.memory();
        prop_assert_eq!(report.grants, scan.grants.len());
        prop_assert_eq!(report.edges, scan.memberships.len());
    }

    #[test]
    fn the_longest_prefix_wins(
        places in prop::collection::vec("([ab]/){0,4}", 0..12),
        keys in prop::collection::vec("[ab]?(/[ab]?){0,5}", 1..30),
    ) {
        let given: Vec<(String, DatasetId)> =
            places.iter().zip(0_u8..).map(|(place, n)| (place.clone(), dataset(n))).collect();
        let index = Places::new(given.iter().map(|(place, of)| (place.as_str().into(), located(*of))));
        for key in &keys {
            let longest = given.iter().filter(|(place, _)| key.starts_with(place.as_str()));
            let longest = longest.max_by_key(|(place, dataset)| (place.len(), std::cmp::Reverse(*dataset)));
            let found = index.find(key).map(|(state, prefix)| (prefix.to_owned(), state.location.dataset));
            prop_assert_eq!(found.as_ref(), longest, "{}", key);
            let meets = |place: &str| place.starts_with(key.as_str()) || key.starts_with(place);
            let scanned: Vec<_> = index.iter().filter(|(place, _)| meets(place)).collect();
            prop_assert_eq!(index.meeting(key).collect::<Vec<_>>(), scanned, "{}", key);
        }
    }
}

#[test]
fn a_merge_beside_writes_loses_nothing() {
    let (index, _) = run((0..200).map(|n| Step::Join(n % 12, n / 20)).collect());
    let older = index.world().members.clone();
    let merged = older.merged();
    index.apply(
        &[fact(
            900,
            kind::MEMBERSHIP_ADDED,
            uuid(900),
            &Membership { id: MembershipId::from_uuid(uuid(900)), member: Member::Person(person(99)), group: group(3) },
        )],
        &NoDocuments,
    );
    let mut world = World::clone(&index.world());
    world.members.rebase(&merged, &older);
    assert_eq!(world.edges(person(99).uuid()).len(), 1);
    for p in 0..12 {
        assert_eq!(world.edges(person(p).uuid()), index.world().edges(person(p).uuid()));
    }
}
