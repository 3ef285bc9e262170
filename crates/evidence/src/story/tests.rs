//! Stories over real facts: an allow to its approver, refusals with names, an erased person.

use super::*;
use crate::Name;
use access::facts::{self, Level, Scope};
use access::permit::{DocumentRef, Slot, StatementRef};
use async_trait::async_trait;
use base::{ClientId, Clock, DatasetId, Effects, Entropy, MembershipId, NodeId, PersonId, RoleId};
use std::sync::Arc;
use std::time::Duration;
use store::{NewFact, Options};

struct Still;
impl Clock for Still {
    fn now(&self) -> Timestamp {
        at(1_790_000_000)
    }
    fn monotonic(&self) -> Duration {
        Duration::ZERO
    }
}
struct Count(std::sync::atomic::AtomicU8);
impl Entropy for Count {
    fn fill(&self, out: &mut [u8]) {
        out.fill(self.0.fetch_add(1, std::sync::atomic::Ordering::SeqCst));
    }
}

fn at(secs: i64) -> Timestamp {
    Timestamp::from_second(secs).unwrap()
}
fn uuid(n: u8) -> uuid::Uuid {
    uuid::Uuid::from_bytes([n; 16])
}
fn ann() -> PersonId {
    PersonId::from_uuid(uuid(1))
}
fn owner() -> PersonId {
    PersonId::from_uuid(uuid(2))
}
fn group() -> GroupId {
    GroupId::from_uuid(uuid(3))
}
fn dataset() -> DatasetId {
    DatasetId::from_uuid(uuid(4))
}
fn grant() -> GrantId {
    GrantId::from_uuid(uuid(5))
}

/// Knows everybody but whom it was told to forget.
struct Book {
    erased: bool,
}

#[async_trait]
impl Names for Book {
    async fn person(&self, person: PersonId) -> Name {
        match person {
            p if p == owner() => Name::Known("Olga Owner".into()),
            p if p == ann() && self.erased => Name::Erased,
            p if p == ann() => Name::Known("Ann Analyst".into()),
            _ => Name::Unknown,
        }
    }
    async fn group(&self, _: GroupId) -> Name {
        Name::Known("stat-programmers".into())
    }
    async fn role(&self, _: RoleId) -> Name {
        Name::Known("analyst".into())
    }
    async fn client(&self, _: ClientId) -> Name {
        Name::Known("jupyter".into())
    }
    async fn dataset(&self, _: DatasetId) -> Name {
        Name::Known("trial-17".into())
    }
}

async fn bench() -> (Store, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let effects = Effects { clock: Arc::new(Still), entropy: Arc::new(Count(1.into())) };
    let node = NodeId::from_uuid(uuid(9));
    let mut options = Options::sqlite(dir.path().join("db"), "eu-north-1".parse().unwrap(), node, effects);
    options.folds = facts::folds();
    let store = Store::open(options).unwrap();
    let write = |txn: &mut store::WriteTxn<'_>| {
        let valid_from = txn.now();
        let membership =
            Membership { id: MembershipId::from_uuid(uuid(6)), member: Member::Person(ann()), group: group() };
        let grant = Grant {
            id: grant(),
            group: group(),
            dataset: dataset(),
            level: Level::Read,
            scope: Scope::default(),
            purpose: "safety review".into(),
            start: valid_from,
            expiry: at(1_790_086_400),
            approver: Approver::Person(owner()),
            request: "direct".into(),
        };
        let valid_to = Some(grant.expiry);
        let body = serde_json::to_value(&membership).unwrap();
        let reason = None;
        let subject = membership.id.uuid();
        txn.fact_add(NewFact { kind: kind::MEMBERSHIP_ADDED, subject, body, reason, valid_from, valid_to: None })?;
        let body = serde_json::to_value(&grant).unwrap();
        let reason = Some("request 7".to_owned());
        txn.fact_add(NewFact {
            kind: kind::GRANT_CREATED,
            subject: grant.id.uuid(),
            body,
            reason,
            valid_from,
            valid_to,
        })
    };
    store.write(Actor::Person(owner()), write).await.unwrap();
    (store, dir)
}

fn recorded(verdict: Verdict) -> Recorded {
    Recorded {
        decision: Some(DecisionId::from_uuid(uuid(7))),
        at: at(1_790_000_060),
        actor: Actor::Person(ann()),
        action: "s3:GetObject".into(),
        resource: "arn:aws:s3:::trials/17/a.csv".into(),
        session: Some(SessionId::from_uuid(uuid(8))),
        verdict,
        proof: None,
        ended: None,
        now: None,
        replay: None,
    }
}

fn row() -> SessionRow {
    SessionRow {
        id: SessionId::from_uuid(uuid(8)),
        kind: access::SessionKind::Tool,
        person: Some(ann()),
        service: None,
        role: RoleId::from_uuid(uuid(10)),
        access_key_id: access::AccessKeyId::from_entropy(1, [0; 10]),
        sign_in: None,
        client: Some(ClientId::from_uuid(uuid(11))),
        parent: None,
        lineage: vec![],
        auth_time: at(1_789_999_000),
        seq: Some(1),
        issued: at(1_790_000_000),
        expires: at(1_790_003_600),
    }
}

fn reasons() -> Vec<Reason> {
    vec![
        Reason::Session { session: row().id, role: row().role },
        Reason::Statement(StatementRef {
            document: DocumentRef { slot: Slot::Role(0), digest: crypto::sha256(b"{}") },
            statement: 0,
            sid: None,
        }),
        Reason::Membership { member: Member::Person(ann()), group: group() },
        Reason::Grant { grant: grant(), group: group(), dataset: dataset() },
    ]
}

// verifies: AUD-07
#[tokio::test]
async fn an_allow_is_told_back_to_its_approver() {
    let (store, _dir) = bench().await;
    let verdict = Verdict::Allowed { reasons: reasons() };
    let story =
        tell(&store, &Book { erased: false }, recorded(verdict), Behind { session: Some(row()), dataset: None })
            .await
            .unwrap();
    assert_eq!(
        story.sentence,
        "Ann Analyst was allowed s3:GetObject on arn:aws:s3:::trials/17/a.csv (2026-09-21 14:14:20 UTC), because \
         statement 0 of the role policy 0 allows it, Ann Analyst is in group stat-programmers since 2026-09-21 14:13:20 \
         UTC, put there by Olga Owner, and grant 05050505-0505-0505-0505-050505050505 of dataset trial-17 to group \
         stat-programmers (read, for \"safety review\", until 2026-09-22 14:13:20 UTC) was approved by Olga Owner on \
         2026-09-21 14:13:20 UTC. The session 08080808-0808-0808-0808-080808080808 in role analyst came from the sign-in \
         at 2026-09-21 13:56:40 UTC through jupyter."
    );
    let json = serde_json::to_value(&story).unwrap();
    assert_eq!(json["effect"].as_str(), None, "the verdict keeps its own object");
    assert_eq!(json["chain"][0]["link"], "session");
    assert_eq!(serde_json::from_value::<Story>(json).unwrap(), story);
}

#[tokio::test]
async fn an_erased_person_is_told_as_erased() {
    let (store, _dir) = bench().await;
    let verdict = Verdict::Allowed { reasons: reasons() };
    let story = tell(&store, &Book { erased: true }, recorded(verdict), Behind::default()).await.unwrap();
    assert!(story.sentence.starts_with("person/01010101-0101-0101-0101-010101010101 (erased) was allowed"));
    assert!(!serde_json::to_string(&story).unwrap().contains("Ann"));
}

#[tokio::test]
async fn a_refusal_names_the_grant_or_says_what_the_caller_was_told() {
    let (store, _dir) = bench().await;
    let told = || "no grant of dataset 4 goes to a group of the session.".to_owned();
    let refused = |reason| recorded(Verdict::Refused { reason, told: told() });
    let book = Book { erased: false };
    let scope =
        tell(&store, &book, refused(DenyReason::OutOfScope { grant: grant() }), Behind::default()).await.unwrap();
    assert!(
        scope.sentence.ends_with(
            "was refused s3:GetObject on arn:aws:s3:::trials/17/a.csv (2026-09-21 14:14:20 UTC): the read grant of dataset \
             trial-17 to group stat-programmers does not cover this key or prefix."
        ),
        "{}",
        scope.sentence
    );
    let mut none = refused(DenyReason::NoGrant { dataset: dataset() });
    none.now = Some(NowAnswer { allowed: true, sentence: "It would be allowed now.".into() });
    let none = tell(&store, &book, none, Behind::default()).await.unwrap();
    assert!(
        none.sentence.contains(": no grant of dataset trial-17 (")
            && none.sentence.ends_with("goes to a group of this session: ask its owner. It would be allowed now."),
        "{}",
        none.sentence
    );
}

#[tokio::test]
async fn a_machine_is_told_with_whoever_answered_for_it_then() {
    let (store, _dir) = bench().await;
    let id = ServiceId::from_uuid(uuid(12));
    let put = move |txn: &mut store::WriteTxn<'_>| {
        for (person, since) in [(ann(), 1_790_000_000), (owner(), 1_790_000_120)] {
            let account = "000000000042".parse().unwrap();
            let it = Service { id, account, name: "etl".into(), owner: person, client: None };
            let (subject, body, valid_from) = (id.uuid(), serde_json::to_value(&it).unwrap(), at(since));
            txn.fact_add(NewFact { kind: kind::SERVICE_PUT, subject, body, reason: None, valid_from, valid_to: None })?;
        }
        Ok::<_, store::Error>(())
    };
    store.write(Actor::System, put).await.unwrap();
    let told = async |secs: i64| {
        let verdict = Verdict::Allowed { reasons: Vec::new() };
        let asked = Recorded { actor: Actor::Service(id), at: at(secs), ..recorded(verdict) };
        tell(&store, &Book { erased: false }, asked, Behind::default()).await.unwrap().sentence
    };
    let head = format!("service {id}, for which");
    assert!(told(1_790_000_060).await.starts_with(&format!("{head} Ann Analyst answers, was allowed s3:GetObject")));
    assert!(told(1_790_000_180).await.starts_with(&format!("{head} Olga Owner answers, was allowed")));
    // Before it was registered there is nobody to name.
    assert!(told(1_789_999_000).await.starts_with(&format!("service/{id} was allowed")));
}
