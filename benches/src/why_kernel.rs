//! "Why" over a million decisions in process: the gate, the recorder, the index and the story, without HTTP.

use access::facts::{
    self, Approver, Classification, DatasetKind, DatasetLocation, Entitlement, Grant, Level, Place, Role, Scope,
};
use access::session::role_unique_id;
use access::{Access, AuditClass, Carry, Deps, Edge, Member, Object, OpContext, Outcome, Session, documents, s3};
use anyhow::{Result, anyhow, ensure};
use base::{AccountId, Actor, DatasetId, DecisionId, EntitlementId, GrantId, GroupId, MembershipId, PersonId, RoleId};
use crypto::Crypto;
use evidence::{Names, ask};
use std::{
    future::Future,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};
use store::WriteTxn;
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::{
    ledger_log::journal,
    progress,
    report::{self, Report},
    start::open,
    stats::{Samples, process_cpu, shown},
};

const PEOPLE: u64 = 100;
const KEYS: u64 = 1_000;
/// Readers at once: enough that commits of the journal are full.
const LANES: u64 = 512;
const ASKED: u64 = 1_000;
/// Decisions made before anything is asked.
const WANTED: u64 = 1_000_000;
const SHOWN_EVERY: u64 = 10_000;
const BUCKET: &str = "bench";

fn id(kind: u128, n: u64) -> Uuid {
    Uuid::from_u128(kind << 100 | 0x7 << 76 | 1 << 63 | u128::from(n))
}

fn person(n: u64) -> PersonId {
    PersonId::from_uuid(id(1, n))
}

struct Nameless;
impl Names for Nameless {}

fn role() -> RoleId {
    RoleId::from_uuid(id(2, 0))
}

/// One dataset, one group with a grant of it, and its members.
fn furnish(txn: &mut WriteTxn<'_>, account: AccountId) -> Result<(), access::Error> {
    let (readers, owners) = (GroupId::from_uuid(id(3, 0)), GroupId::from_uuid(id(3, 1)));
    let policies = vec![documents::put_managed(txn, documents::DATA_ACCESS)?];
    let role = Role {
        id: role(),
        account,
        name: "analyst".to_owned(),
        unique_id: role_unique_id(role()),
        session_secs_max: 43_200,
        carry: Carry::All,
        policies,
        boundary: None,
        management: false,
        duty: None,
        tags: Vec::new(),
    };
    facts::put_role(txn, &role, None)?;
    let entitlement =
        Entitlement { id: EntitlementId::from_uuid(id(4, 0)), group: readers, role: role.id, client: None };
    facts::add_entitlement(txn, &entitlement, None)?;
    for n in 0..PEOPLE {
        facts::add_membership(txn, MembershipId::from_uuid(id(5, n)), Member::Person(person(n)), readers, None)?;
    }
    let owner = PersonId::from_uuid(id(6, 0));
    facts::add_membership(txn, MembershipId::from_uuid(id(5, PEOPLE)), Member::Person(owner), owners, None)?;
    let dataset = DatasetId::from_uuid(id(7, 0));
    let location = DatasetLocation {
        dataset,
        account,
        places: vec![Place { bucket: BUCKET.to_owned(), prefix: "data/".to_owned() }],
        owner: owners,
        stewards: Vec::new(),
        policy: None,
        classification: Classification::Internal,
        gxp: false,
        personal: false,
        kind: DatasetKind::Dataset,
        audit: AuditClass::Strict,
        key: "none".to_owned(),
    };
    facts::put_location(txn, &location, |_, _| Ok(facts::Occupied::No), None)?;
    let start = txn.now();
    let grant = Grant {
        id: GrantId::from_uuid(id(8, 0)),
        group: readers,
        dataset,
        level: Level::Read,
        scope: Scope::default(),
        purpose: "bench".to_owned(),
        start,
        expiry: start + Duration::from_secs(86_400),
        approver: Approver::Person(owner),
        request: "direct".to_owned(),
    };
    facts::add_grant(txn, &grant, None).map(drop)
}

fn session(access: &Access, n: u64) -> Session {
    let called = format!("person-{n}");
    Session::for_test(access.effects(), (person(n), &called), (access.account(), role(), "analyst"))
}

/// Makes the decisions; a few of their ids.
async fn read(access: &Access) -> Result<Vec<DecisionId>> {
    let sessions: Arc<Vec<Arc<Session>>> = Arc::new((0..PEOPLE).map(|n| Arc::new(session(access, n))).collect());
    let (next, kept) = (Arc::new(AtomicU64::new(0)), Arc::new(Mutex::new(Vec::new())));
    let mut lanes = JoinSet::new();
    for _ in 0..LANES {
        let (access, sessions) = (access.clone(), Arc::clone(&sessions));
        let (next, kept) = (Arc::clone(&next), Arc::clone(&kept));
        lanes.spawn(async move {
            loop {
                let n = next.fetch_add(1, Ordering::Relaxed);
                if n >= WANTED {
                    return Ok(());
                }
                if n.is_multiple_of(SHOWN_EVERY) {
                    progress::step(format!("{n} of {WANTED} decisions"));
                }
                let session = usize::try_from(n % PEOPLE).ok().and_then(|n| sessions.get(n));
                let session = session.ok_or_else(|| anyhow!("nobody"))?;
                let op = OpContext::anonymous(access.effects(), Edge::S3).with_session(Arc::clone(session));
                let op = op.with_transport("192.0.2.7".parse().ok(), true).with_user_agent("bench");
                let object = Object::new(BUCKET, format!("data/{}", n / PEOPLE % KEYS));
                let permit = access.authorize(&op, s3::GetObject, object).await?;
                if n % (WANTED / ASKED) == 0 {
                    kept.lock().map_err(|_| anyhow!("a lane failed"))?.push(permit.decision());
                }
                permit.finish(Outcome { status: 200, bytes: 5 });
            }
        });
    }
    while let Some(done) = lanes.join_next().await {
        done?.map_err(|error: anyhow::Error| error)?;
    }
    let kept = kept.lock().map_err(|_| anyhow!("a lane failed"))?.clone();
    Ok(kept)
}

async fn asked<F: Future<Output = Result<()>>>(
    report: &mut Report,
    decisions: u64,
    what: &str,
    mut one: impl FnMut(u64) -> F,
) -> Result<Duration> {
    progress::step(what);
    let (mut samples, before) = (Samples::default(), process_cpu(std::process::id()));
    for n in 0..ASKED {
        let begun = Instant::now();
        one(n).await?;
        samples.push(begun.elapsed());
    }
    let cpu = process_cpu(std::process::id()).saturating_sub(before) / u32::try_from(ASKED)?;
    let (p50, p99) = (samples.p50(), samples.p99());
    report.row([decisions.to_string(), what.to_owned(), ASKED.to_string(), shown(p50), shown(p99), shown(cpu)]);
    Ok(p99)
}

pub(crate) async fn run(report: &mut Report) -> Result<()> {
    std::fs::create_dir_all(report::folder())?;
    let dir = tempfile::tempdir_in(report::folder())?;
    std::fs::create_dir_all(dir.path().join("log"))?;
    let (store, custody, effects, region) = open(dir.path())?;
    let journal = Arc::new(journal(&dir.path().join("log"))?);
    let account: AccountId = "123456789012".parse()?;
    let deps = Deps { store: store.clone(), custody, journal, crypto: Crypto::default(), effects, region, account };
    let (access, maintenance) = Access::start(deps).await?;
    store.write(Actor::System, move |txn| furnish(txn, account)).await?;
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let working = tokio::spawn(maintenance.run(stopped));
    let begun = Instant::now();
    let decisions = read(&access).await?;
    let made = begun.elapsed();
    progress::step("the index follows");
    let behind = Instant::now();
    let indexed = access.index_decisions().await?;
    report.note(format!(
        "In process {WANTED} decisions were made in {} ({:.0}/s); the index of {} entries was complete {} later.",
        shown(made),
        WANTED as f64 / made.as_secs_f64(),
        indexed.entries,
        shown(behind.elapsed())
    ));
    access.journal().publish().await?;
    let question = async |n: u64| {
        let resource = ask::resource(&format!("arn:aws:s3:::{BUCKET}/data/{}", n * 7 % KEYS))?;
        let member = Member::Person(person(n * 13 % PEOPLE));
        let question = ask::Question { member, action: "s3:GetObject".to_owned(), resource, at: None };
        let story = ask::of_question(&access, &Nameless, question).await?;
        let recorded = story.recorded;
        ensure!(recorded.decision.is_some() && recorded.ended.is_some() && recorded.proof.is_some(), "nothing is told");
        Ok(())
    };
    let p99 = asked(report, WANTED, "person and resource, in process", question).await?;
    let told = async |n: u64| {
        let decision = usize::try_from(n).ok().and_then(|n| decisions.get(n % decisions.len().max(1)));
        let decision = decision.ok_or_else(|| anyhow!("no decision was kept"))?;
        let story = ask::of_decision(&access, &Nameless, *decision).await?;
        ensure!(story.recorded.replay.is_some_and(|replay| replay.agrees), "the replay does not agree");
        Ok(())
    };
    let slower = asked(report, WANTED, "decision, replayed, in process", told).await?.max(p99);
    let measured = format!("{} over {WANTED}, in process, the slower question", shown(slower));
    report.target("why, p99, over 1 M decisions", "under 10 ms", measured, slower < Duration::from_millis(10));
    stop.send(true)?;
    working.await?;
    Ok(())
}
