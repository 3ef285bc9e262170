//! Why, over a whole `Access`: an allowed read, a refused one, the question without an act, a replay, an altered document.

use super::*;
use crate::{Link, Missed, Name};
use access::facts::{
    self, Approver, Classification, DatasetKind, DatasetLocation, Entitlement, Grant, Level, Place, Role, Scope,
};
use access::session::role_unique_id;
use access::{Carry, Deps, Edge, Maintenance, OpContext, Outcome, Session, documents, s3};
use async_trait::async_trait;
use base::{
    AccountId, Clock, DatasetId, Effects, EntitlementId, GrantId, GroupId, MembershipId, NodeId, PersonId, RoleId,
};
use crypto::{Crypto, SystemEntropy};
use custody::{Custody, Seal, SoftwareToken, SoftwareTokenOptions};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;
use store::{Options, Store, WriteTxn};

struct Hand(AtomicI64);
impl Clock for Hand {
    fn now(&self) -> Timestamp {
        Timestamp::from_second(self.0.load(Ordering::SeqCst)).unwrap()
    }
    fn monotonic(&self) -> Duration {
        Duration::from_secs(u64::try_from(self.0.load(Ordering::SeqCst)).unwrap())
    }
}

struct Book;
#[async_trait]
impl Names for Book {
    async fn person(&self, person: PersonId) -> Name {
        Name::Known(if person == ann() { "Ann".into() } else { "Olga".into() })
    }
    async fn group(&self, group: GroupId) -> Name {
        Name::Known(if group == readers() { "readers".into() } else { "owners".into() })
    }
    async fn role(&self, _: RoleId) -> Name {
        Name::Known("analyst".into())
    }
    async fn dataset(&self, _: DatasetId) -> Name {
        Name::Known("trial-17".into())
    }
}

const ACCOUNT: &str = "000000000042";

fn uuid(n: u8) -> uuid::Uuid {
    uuid::Uuid::from_bytes([n; 16])
}
fn ann() -> PersonId {
    PersonId::from_uuid(uuid(1))
}
fn olga() -> PersonId {
    PersonId::from_uuid(uuid(2))
}
fn readers() -> GroupId {
    GroupId::from_uuid(uuid(3))
}
fn owners() -> GroupId {
    GroupId::from_uuid(uuid(4))
}
fn dataset() -> DatasetId {
    DatasetId::from_uuid(uuid(5))
}
fn role() -> RoleId {
    RoleId::from_uuid(uuid(6))
}

fn furnish(txn: &mut WriteTxn<'_>) -> Result<(), access::Error> {
    let account: AccountId = ACCOUNT.parse().unwrap();
    let policy = documents::put_managed(txn, documents::DATA_ACCESS)?;
    let role = Role {
        id: role(),
        account,
        name: "analyst".into(),
        unique_id: role_unique_id(role()),
        session_secs_max: 3600,
        carry: Carry::All,
        policies: vec![policy],
        boundary: None,
        management: false,
        duty: None,
        tags: vec![],
    };
    facts::put_role(txn, &role, None)?;
    let it = Entitlement { id: EntitlementId::from_uuid(uuid(7)), group: readers(), role: role.id, client: None };
    facts::add_entitlement(txn, &it, None)?;
    let member = |person| Member::Person(person);
    facts::add_membership(txn, MembershipId::from_uuid(uuid(8)), member(ann()), readers(), None)?;
    facts::add_membership(txn, MembershipId::from_uuid(uuid(9)), member(olga()), owners(), None)?;
    let location = DatasetLocation {
        dataset: dataset(),
        account,
        places: vec![Place { bucket: "trials".into(), prefix: "17/".into() }],
        owner: owners(),
        stewards: vec![],
        policy: None,
        classification: Classification::Confidential,
        gxp: false,
        personal: false,
        kind: DatasetKind::Dataset,
        audit: access::AuditClass::Strict,
        key: "none".into(),
    };
    facts::put_location(txn, &location, |_, _| Ok(facts::Occupied::No), None)?;
    let start = txn.now();
    let grant = Grant {
        id: GrantId::from_uuid(uuid(10)),
        group: readers(),
        dataset: dataset(),
        level: Level::Read,
        scope: Scope::default(),
        purpose: "safety review".into(),
        start,
        expiry: start.checked_add(Duration::from_secs(86_400)).unwrap(),
        approver: Approver::Person(olga()),
        request: "direct".into(),
    };
    facts::add_grant(txn, &grant, None)?;
    Ok(())
}

struct House {
    access: Access,
    maintenance: Maintenance,
    clock: Arc<Hand>,
    effects: Effects,
    _dir: tempfile::TempDir,
}

impl House {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let clock = Arc::new(Hand(AtomicI64::new(1_790_000_000)));
        let effects = Effects { clock: Arc::clone(&clock) as Arc<dyn Clock>, entropy: Arc::new(SystemEntropy) };
        let node = NodeId::from_uuid(uuid(20));
        let region: base::Region = "eu-north-1".parse().unwrap();
        let mut options = Options::sqlite(dir.path().join("db"), region.clone(), node, effects.clone());
        options.folds = access::folds();
        let store = Store::open(options).unwrap();
        let token = SoftwareToken::init(SoftwareTokenOptions {
            dir: dir.path().join("keys"),
            seal: Seal::MachineSecret { file: dir.path().join("secret/machine") },
            effects: effects.clone(),
            crypto: Crypto::default(),
        });
        let custody = Custody::new(Arc::new(token.unwrap()), store.clone(), effects.clone(), Crypto::default());
        let journal = Arc::new(store::conformance::journal(dir.path()));
        let account = ACCOUNT.parse().unwrap();
        let crypto = Crypto::default();
        let deps = Deps { store: store.clone(), custody, journal, crypto, effects: effects.clone(), region, account };
        let (access, maintenance) = Access::start(deps).await.unwrap();
        store.write(Actor::System, furnish).await.unwrap();
        maintenance.once().await;
        clock.0.fetch_add(1, Ordering::SeqCst);
        Self { access, maintenance, clock, effects, _dir: dir }
    }

    fn op(&self) -> OpContext {
        let role = (ACCOUNT.parse().unwrap(), role(), "analyst");
        let session = Session { via: vec![readers()], ..Session::for_test(&self.effects, (ann(), "ann"), role) };
        OpContext::anonymous(&self.effects, Edge::S3).with_transport(None, true).with_session(Arc::new(session))
    }

    async fn told(&self, decision: DecisionId) -> Story {
        of_decision(&self.access, &Book, decision).await.unwrap_or_else(|error| panic!("{error}"))
    }

    async fn asked(&self, key: &str, at: Option<Timestamp>) -> Story {
        let resource = resource(&format!("arn:aws:s3:::trials/{key}")).unwrap();
        let question = Question { member: Member::Person(ann()), action: "s3:GetObject".into(), resource, at };
        of_question(&self.access, &Book, question).await.unwrap_or_else(|error| panic!("{error}"))
    }

    async fn read(&self, key: &str) -> Result<DecisionId, access::Denied> {
        let permit = self.access.authorize(&self.op(), s3::GetObject, Object::new("trials", key)).await?;
        let decision = permit.decision();
        permit.finish(Outcome { status: 200, bytes: 3 });
        self.maintenance.once().await;
        Ok(decision)
    }
}

// verifies: AUD-07
#[tokio::test]
async fn a_read_is_told_with_its_proof_its_replay_and_what_it_would_be_now() {
    let house = House::new().await;
    let decision = house.read("17/a.csv").await.unwrap();
    // An outcome is not waited for: the durable intent of another read makes it durable too.
    house.read("17/b.csv").await.unwrap();
    house.access.journal().publish().await.unwrap();
    let story = house.told(decision).await;
    let sentence = &story.sentence;
    assert!(sentence.starts_with("Ann was allowed s3:GetObject on arn:aws:s3:::trials/17/a.csv"), "{sentence}");
    assert!(sentence.contains("was approved by Olga") && sentence.contains("Now it would be allowed."), "{sentence}");
    assert!(sentence.contains("It ended with status 200 after 3 bytes"), "{sentence}");
    let proof = story.recorded.proof.unwrap();
    assert_eq!(proof.log, "galen.example/test");
    let bytes = house.access.journal().read(proof.index).unwrap().unwrap();
    let inclusion = ledger::TlogProof::decode(proof.inclusion.unwrap().as_bytes()).unwrap();
    inclusion.verify(&bytes, &[house.access.journal().key()]).unwrap();
    let replay = story.recorded.replay.unwrap();
    assert_eq!(replay.evaluator_then, replay.evaluator_now);
}

#[tokio::test]
async fn a_grant_that_ended_is_told_for_then_and_for_now() {
    let house = House::new().await;
    let before = house.asked("17/a.csv", None).await;
    assert!(before.sentence.starts_with("Ann may do s3:GetObject"), "{}", before.sentence);
    assert_eq!(before.recorded.decision, None);
    let decision = house.read("17/a.csv").await.unwrap();
    let then = house.clock.now();
    house.clock.0.fetch_add(60, Ordering::SeqCst);
    let last = house.asked("17/a.csv", None).await;
    assert_eq!((last.recorded.decision, last.recorded.at), (Some(decision), then), "{}", last.sentence);
    assert!(last.sentence.contains("Ann was allowed") && last.sentence.contains("Now it would"), "{}", last.sentence);
    let end = |txn: &mut WriteTxn<'_>| facts::end_grant(txn, GrantId::from_uuid(uuid(10)), Some("study over"));
    house.access.store().write(Actor::Person(olga()), end).await.unwrap();
    house.clock.0.fetch_add(1, Ordering::SeqCst);
    house.maintenance.once().await;
    let past = house.told(decision).await;
    assert_eq!(past.recorded.now.as_ref().map(|now| now.allowed), Some(false), "{}", past.sentence);
    let was = house.asked("17/a.csv", Some(then)).await;
    assert!(matches!(was.recorded.verdict, Verdict::Allowed { .. }), "{}", was.sentence);
    assert_eq!(was.recorded.now.map(|now| now.allowed), Some(false));
    let now = house.asked("17/a.csv", None).await;
    assert!(now.sentence.starts_with("Ann may not do s3:GetObject"), "{}", now.sentence);
    let refused = house.read("17/b.csv").await.unwrap_err();
    house.maintenance.once().await;
    // A refusal is not waited for: a durable entry after it makes it durable too.
    let id = DecisionId::from_uuid(uuid(98));
    let who = ledger::UserIdentity::new(Actor::System);
    let note = ledger::Entry::new(ledger::Phase::Note, id, house.clock.now(), "galen", "Test", who);
    house.access.journal().append(note.encode().unwrap()).await.unwrap();
    let story = house.told(refused.decision).await;
    assert!(story.sentence.starts_with("Ann was refused s3:GetObject"), "{}", story.sentence);
    let end = "Nearest came the read grant of dataset trial-17 to group readers: it was ended at 2026-09-21 14:14:21 UTC by \
               Olga (\"study over\").";
    for story in [&story, &now] {
        assert!(story.sentence.contains(end), "{}", story.sentence);
        assert!(
            matches!(&story.chain[..], [.., Link::Membership { missed: None, end: None, fact: Some(_), .. },
                Link::Grant { missed: Some(Missed::Ended), end: Some(end), .. }]
                if end.ended_by.as_ref().is_some_and(|by| by.name == Name::Known("Olga".into()))),
            "{:?}",
            story.chain
        );
    }
}

/// Tells of no dataset.
struct Blind;
#[async_trait]
impl Names for Blind {
    async fn knows_of(&self, _: DatasetId) -> bool {
        false
    }
}

#[tokio::test]
async fn a_membership_that_ended_is_told_as_what_was_missing() {
    let house = House::new().await;
    let leave = |txn: &mut WriteTxn<'_>| {
        let member = Member::Person(ann());
        facts::end_membership(txn, member, readers(), |_, _| true, Some("left the team"))
    };
    house.clock.0.fetch_add(60, Ordering::SeqCst);
    house.access.store().write(Actor::Person(olga()), leave).await.unwrap();
    house.clock.0.fetch_add(1, Ordering::SeqCst);
    let story = house.asked("17/a.csv", None).await;
    assert!(matches!(story.recorded.verdict, Verdict::Refused { reason: access::DenyReason::NoRole, .. }), "{story:?}");
    let words = "Nearest came the read grant of dataset trial-17 to group readers: the membership of Ann in the group was \
                 ended at 2026-09-21 14:14:21 UTC by Olga (\"left the team\").";
    assert!(story.sentence.contains(words), "{}", story.sentence);
    let [Link::Membership { missed: Some(Missed::Ended), end: Some(end), .. }, Link::Grant { missed: None, .. }] =
        &story.chain[..]
    else {
        panic!("{:?}", story.chain)
    };
    assert_eq!(end.end_reason.as_deref(), Some("left the team"));
    // Who was in the group then is told of then; whoever was never there has come near to nothing.
    let then = Timestamp::from_second(1_790_000_030).unwrap();
    assert!(house.asked("17/a.csv", Some(then)).await.sentence.starts_with("Ann may do"));
    let resource = resource("arn:aws:s3:::trials/17/a.csv").unwrap();
    let action = "s3:GetObject".to_owned();
    let question = |person| Question { member: Member::Person(person), action, resource, at: None };
    let never = question.clone()(PersonId::from_uuid(uuid(50)));
    assert!(of_question(&house.access, &Book, never).await.unwrap().chain.is_empty());
    // Who may not know of the dataset hears of no grant of it.
    let blind = of_question(&house.access, &Blind, question(ann())).await.unwrap();
    assert!(blind.chain.is_empty() && !blind.sentence.contains("Nearest"), "{blind:?}");
}

#[tokio::test]
async fn a_grant_whose_time_is_over_is_told_with_the_membership_that_holds() {
    let house = House::new().await;
    house.clock.0.fetch_add(90_000, Ordering::SeqCst);
    let story = house.asked("17/a.csv", None).await;
    assert!(
        matches!(
            &story.chain[..],
            [Link::Membership { missed: None, .. }, Link::Grant { missed: Some(Missed::Expired), end: None, .. }]
        ),
        "{story:?}"
    );
    assert!(story.sentence.contains("ended at 2026-09-22 14:13:20 UTC"), "{}", story.sentence);
    assert!(!story.sentence.contains("Nearest"), "the reason says it already: {}", story.sentence);
    // When the membership ends too, both stood in the way.
    let leave =
        |txn: &mut WriteTxn<'_>| facts::end_membership(txn, Member::Person(ann()), readers(), |_, _| true, None);
    house.access.store().write(Actor::Person(olga()), leave).await.unwrap();
    house.clock.0.fetch_add(1, Ordering::SeqCst);
    let story = house.asked("17/a.csv", None).await;
    let both = "the membership of Ann in the group was ended at 2026-09-22 15:13:21 UTC by Olga, and it ended at 2026-09-22 \
                14:13:20 UTC.";
    assert!(story.sentence.contains(both), "{}", story.sentence);
}

#[tokio::test]
async fn an_unknown_decision_is_not_found() {
    let house = House::new().await;
    let missing = of_decision(&house.access, &Book, DecisionId::from_uuid(uuid(99))).await;
    assert_eq!(missing.unwrap_err().kind(), base::ErrorKind::NotFound);
}

#[test]
fn only_s3_without_wildcards_can_be_asked_about() {
    assert!(matches!(resource("arn:aws:s3:::b/k/x"), Ok(ResourceRef::Object(o)) if o.key == "k/x"));
    assert!(matches!(resource("arn:aws:s3:::b"), Ok(ResourceRef::Bucket(b)) if b.name == "b"));
    for bad in ["arn:aws:s3:::b/", "arn:aws:s3:::b/*", "arn:aws:galen:eu-north-1:000000000042:dataset/1", "b/k", ""] {
        assert!(resource(bad).is_err(), "{bad}");
    }
}
