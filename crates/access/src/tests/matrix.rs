//! The golden matrix of `tests/authz-matrix.txt`, row by row.

use super::*;
use crate::action::{self, Need, sts};
use crate::gate::Ask;
use crate::recorder::code;
use base::{AccountId, Actor, ServiceId, SessionId, Timestamp};
use std::collections::BTreeSet;
use std::time::Duration;

const MATRIX: &str = include_str!("../../tests/authz-matrix.txt");

struct Row {
    line: usize,
    actor: String,
    action: String,
    resource: String,
    answer: String,
}

fn rows() -> Vec<Row> {
    let lines = MATRIX.lines().enumerate().filter(|(_, line)| !line.starts_with('#') && !line.trim().is_empty());
    let row = |(n, line): (usize, &str)| {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let [actor, action, resource, answer] = cells[..] else { panic!("line {}: four cells", n + 1) };
        let text = str::to_owned;
        Row { line: n + 1, actor: text(actor), action: text(action), resource: text(resource), answer: text(answer) }
    };
    lines.map(row).collect()
}

const FOREIGN: &str = "999999999999";
const GUARDED: &str = "888888888888";

const S3_ALL: &str = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:*","Resource":"*"}}"#;
const NOTHING: &str = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"sqs:*","Resource":"*"}}"#;
const DENIES: &str = r#"{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"s3:*","NotResource":"arn:aws:s3:::clinical/trial/ae/ok"}}"#;
const LISTS: &str = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:List*","Resource":"*"}}"#;
const ONE_KEY: &str = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::clinical/trial/ae/key"}}"#;
const BY_TAG: &str = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::clinical/trial/${aws:PrincipalTag/part}/*"}}"#;

async fn people(world: &World) {
    let groups = [
        ("olga", "owners"),
        ("stan", "stewards"),
        ("rita", "readers"),
        ("walt", "writers"),
        ("vera", "vaulters"),
        ("lars", "late"),
        ("pia", "past"),
        ("rolf", "rows"),
        ("sam", "shared"),
        ("wim", "shared"),
        ("wim", "widers"),
        ("dev", "devs"),
        ("dora", "devs"),
        ("dora", "readers"),
        ("ada", "admins"),
        ("aude", "auditors"),
        ("otto", "outsiders"),
        ("mia", "members"),
        ("lea", "readers"),
        ("luc", "readers"),
        ("luc", "staff"),
        ("rejo", "readers"),
        ("bea", "readers"),
        ("bea", "group-b"),
        ("cut", "readers"),
    ];
    for (person, group) in groups {
        world.join(person, group).await;
    }
    for n in 0..200 {
        world.join("crowd", &format!("crowd-{n}")).await;
    }
    world.leave("lea", "readers").await;
    world.leave("luc", "readers").await;
    world.leave("rejo", "readers").await;
    world.join("rejo", "readers").await;
}

async fn roles(world: &World) {
    world.client("jupyter").await;
    world.client("other").await;
    world.client("gone").await;
    let data = documents::DATA_ACCESS;
    let jupyter = Some("jupyter");
    world.role("analyst", &[data], "readers", jupyter, Carry::All).await;
    for group in [
        "owners",
        "stewards",
        "writers",
        "vaulters",
        "late",
        "past",
        "rows",
        "shared",
        "widers",
        "admins",
        "auditors",
        "outsiders",
        "staff",
        "crowd-7",
        "etl",
    ] {
        world.entitle("analyst", group, jupyter).await;
    }
    world.role("analyst-a", &[data], "readers", jupyter, Carry::Entitling).await;
    world.role("analyst-b", &[data], "group-b", jupyter, Carry::Entitling).await;
    world.role("developer", &[S3_ALL], "devs", jupyter, Carry::All).await;
    world.role("silent", &[NOTHING], "readers", jupyter, Carry::All).await;
    world.role("denied", &[data, DENIES], "readers", jupyter, Carry::All).await;
    world.role("by-tag", &[BY_TAG], "readers", jupyter, Carry::All).await;
    world.role("through-gone", &[data], "readers", Some("gone"), Carry::All).await;
    world.role("onward", &[data], "readers", jupyter, Carry::All).await;
    world.role("ended", &[data], "readers", jupyter, Carry::All).await;
    world.role("workshop", &[data, documents::WORKSPACE], "writers", jupyter, Carry::All).await;
    let boundary = world.access.clone();
    let digest =
        world.write(move |txn| boundary.put_document(txn, LISTS, policy::DocumentKind::Boundary)).await.unwrap();
    let bound = move |role: &mut Role| {
        role.boundary = Some(NamedDocument { name: "lists".to_owned(), digest });
    };
    world.role_with("bounded", &[data], "readers", jupyter, bound).await;
    let guardrail = world.access.clone();
    let digest =
        world.write(move |txn| guardrail.put_document(txn, LISTS, policy::DocumentKind::ServiceControl)).await.unwrap();
    let (foreign, guarded): (AccountId, AccountId) = (FOREIGN.parse().unwrap(), GUARDED.parse().unwrap());
    world.role_with("foreign", &[data], "readers", jupyter, move |role| role.account = foreign).await;
    world.role_with("foreign-guarded", &[data], "readers", jupyter, move |role| role.account = guarded).await;
    let levels = vec![vec![NamedDocument { name: "lists".to_owned(), digest }]];
    let rule = Guardrail { account: guarded, levels };
    world.write(move |txn| put_guardrail(txn, &rule, None)).await.unwrap();
    let desk = |duty: Option<Duty>| {
        move |role: &mut Role| {
            role.management = true;
            role.duty = duty;
        }
    };
    world.role_with("admin-desk", &[documents::ADMINISTRATOR], "admins", None, desk(Some(Duty::Administrator))).await;
    world.role_with("owner-desk", &[documents::DATA_OWNER], "owners", None, desk(Some(Duty::DataOwner))).await;
    world.entitle("owner-desk", "stewards", None).await;
    world.role_with("audit-desk", &[documents::AUDITOR], "auditors", None, desk(Some(Duty::Auditor))).await;
    world.role_with("member-desk", &[documents::MEMBER], "members", None, desk(None)).await;
    let (ended, gone) = (world.role_id("ended"), world.client_id("gone"));
    world
        .write(move |txn| {
            end_role(txn, ended, None)?;
            end_client(txn, gone, None)
        })
        .await
        .unwrap();
}

async fn datasets(world: &World) {
    let stewards = world.group("stewards");
    world.place_with("trial", "clinical", "trial/", "owners", |it| it.stewards.push(stewards)).await;
    world.place("vault", "clinical", "trial/vault/", "vaulters").await;
    world.place_with("root", "rootds", "", "owners", |it| it.stewards.push(stewards)).await;
    world.place_with("ws", "works", "", "writers", |it| it.kind = DatasetKind::Workspace).await;
    let session = format!("arn:aws:sts::{}:assumed-role/analyst/named", world.account);
    let other = format!("arn:aws:sts::{}:assumed-role/developer/dev", world.account);
    let text = serde_json::json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "*",
         "Condition": {"Bool": {"aws:SecureTransport": "false"}}},
        {"Effect": "Deny", "Principal": {"AWS": session}, "Action": "s3:GetObject", "Resource": "*"},
        {"Effect": "Allow", "Principal": {"AWS": other}, "Action": "s3:*", "Resource": "*"},
    ]});
    let access = world.access.clone();
    let digest = world
        .write(move |txn| access.put_document(txn, &text.to_string(), policy::DocumentKind::Resource))
        .await
        .unwrap();
    world.place_with("policed", "policed", "", "owners", move |it| it.policy = Some(digest)).await;

    let all = [
        ("readers-trial", "trial", "readers", Level::Read, "olga"),
        ("writers-trial", "trial", "writers", Level::Write, "olga"),
        ("etl-trial", "trial", "etl", Level::Read, "stan"),
        ("late-trial", "trial", "late", Level::Read, "olga"),
        ("past-trial", "trial", "past", Level::Read, "olga"),
        ("rows-trial", "trial", "rows", Level::Read, "olga"),
        ("shared-trial", "trial", "shared", Level::Read, "olga"),
        ("widers-trial", "trial", "widers", Level::Read, "olga"),
        ("readers-root", "root", "readers", Level::Read, "stan"),
        ("readers-policed", "policed", "readers", Level::Read, "olga"),
        ("vaulters-vault", "vault", "vaulters", Level::Read, "vera"),
        ("writers-ws", "ws", "writers", Level::Write, "walt"),
    ];
    for (name, dataset, group, level, approver) in all {
        let mut grant = world.grant_of(name, dataset, group, level, approver);
        match name {
            "readers-trial" => grant.scope.prefixes = vec!["ae/".to_owned()],
            "late-trial" => {
                grant.start = world.now() + Duration::from_secs(86_400);
                grant.expiry = world.now() + Duration::from_secs(2 * 86_400);
            }
            "past-trial" => grant.expiry = world.now() + Duration::from_secs(60),
            "rows-trial" | "shared-trial" => grant.scope.row_filter = Some("site = 'DK'".to_owned()),
            _ => {}
        }
        world.grant(grant).await.unwrap();
    }
    // A grant that ended a second ago.
    world.clock.forward(61);
}

async fn world() -> World {
    let world = World::new().await;
    people(&world).await;
    roles(&world).await;
    datasets(&world).await;
    let (service, group, id) = (ServiceId::from_uuid(world.id("service etl")), world.group("etl"), world.id("m-etl"));
    let ended = ServiceId::from_uuid(world.id("service ended"));
    let (account, owner, ended_member) = (world.account, world.person("olga"), world.id("m-ended"));
    world
        .write(move |txn| {
            let it = |id, name: &str| Service { id, account, name: name.to_owned(), owner, client: None };
            put_service(txn, &it(service, "etl"), None)?;
            put_service(txn, &it(ended, "ended"), None)?;
            add_membership(txn, base::MembershipId::from_uuid(id), Member::Service(service), group, None)?;
            add_membership(txn, base::MembershipId::from_uuid(ended_member), Member::Service(ended), group, None)?;
            end_service(txn, ended, None)
        })
        .await
        .unwrap();
    world
}

/// The request of an actor of the matrix.
fn actor(world: &World, name: &str) -> OpContext {
    let session = |person: &str, role: &str| world.session(person, role, Some("jupyter"));
    let desk = |person: &str, role: &str| world.session(person, role, None);
    let mut op = None;
    let mut it = match name {
        "reader" | "reader-plain-http" => session("rita", "analyst"),
        "reader-named" => {
            let mut it = session("rita", "analyst");
            it.arn = format!("arn:aws:sts::{}:assumed-role/analyst/named", world.account).parse().unwrap();
            it
        }
        "writer" => session("walt", "analyst"),
        "workshop" => session("walt", "workshop"),
        "owner" => session("olga", "analyst"),
        "steward" => session("stan", "analyst"),
        "vaulter" => session("vera", "analyst"),
        "late" => session("lars", "analyst"),
        "past" => session("pia", "analyst"),
        "rows" => session("rolf", "analyst"),
        "shared" => session("sam", "analyst"),
        "shared-and-wide" => session("wim", "analyst"),
        "developer" => session("dev", "developer"),
        "developer-reader" => session("dora", "developer"),
        "silent" => session("rita", "silent"),
        "denied" => session("rita", "denied"),
        "bounded" => session("rita", "bounded"),
        "outsider" => session("otto", "analyst"),
        "crowd" => session("crowd", "analyst"),
        "entitling-a" => session("bea", "analyst-a"),
        "entitling-b" => session("bea", "analyst-b"),
        "foreign" | "foreign-guarded" => {
            let mut it = session("rita", name);
            it.account = if name == "foreign" { FOREIGN } else { GUARDED }.parse().unwrap();
            it.role_arn = format!("arn:aws:iam::{}:role/{name}", it.account).parse().unwrap();
            it.arn = session::session_arn(it.account, &it.role_arn, &it.name).unwrap();
            it
        }
        "leaver" => session("lea", "analyst"),
        "left-one-group" => session("luc", "analyst"),
        "rejoined" => session("rejo", "analyst"),
        "ended-role" => session("rita", "ended"),
        "removed-client" => world.session("rita", "through-gone", Some("gone")),
        "other-client" => world.session("rita", "analyst", Some("other")),
        "cut-person" => session("cut", "analyst"),
        "signed-in-after-cut" => {
            let mut it = session("cut", "analyst");
            it.auth.seq = Some(u64::MAX);
            it
        }
        "chained" | "chained-parent-cut" => {
            let mut it = session("rita", "onward");
            let parent = if name == "chained" { "live parent" } else { "cut session" };
            it.chained = true;
            it.lineage
                .push(Ancestor { session: SessionId::from_uuid(world.id(parent)), role: world.role_id("analyst") });
            it
        }
        "cut-session" => {
            let mut it = session("rita", "analyst");
            it.id = SessionId::from_uuid(world.id("cut session"));
            it
        }
        "expired-session" => {
            let mut it = session("rita", "analyst");
            it.expires = world.now();
            it
        }
        "narrowed" => {
            let mut it = session("rita", "analyst");
            it.policies.push(SessionPolicy { origin: "inline".to_owned(), text: ONE_KEY.into() });
            it
        }
        "broken-document" => {
            let mut it = session("rita", "analyst");
            it.policies.push(SessionPolicy { origin: "inline".to_owned(), text: "{".into() });
            it
        }
        "tag-star" | "tag-ae" => {
            let mut it = session("rita", "by-tag");
            let value = if name == "tag-ae" { "ae" } else { "*" };
            it.tags.push(Tag { key: "Part".to_owned(), value: value.to_owned() });
            it
        }
        "service" | "ended-service" => {
            let mut it = session("etl", "analyst");
            it.kind = SessionKind::Service;
            it.person = None;
            let service = if name == "service" { "service etl" } else { "service ended" };
            it.service = Some(ServiceId::from_uuid(world.id(service)));
            it
        }
        "administrator-tool" => session("ada", "analyst"),
        "auditor-tool" => session("aude", "analyst"),
        "administrator" | "administrator-stale" => desk("ada", "admin-desk"),
        "owner-desk" => desk("olga", "owner-desk"),
        "steward-desk" => desk("stan", "owner-desk"),
        "auditor" => desk("aude", "audit-desk"),
        "member" => desk("mia", "member-desk"),
        _ => {
            op = Some(match name {
                "anonymous" | "anonymous-token" => OpContext::anonymous(&world.effects, Edge::S3),
                "system" => OpContext::system(&world.effects),
                "reader-token" | "reader-other-token" => token(world, "rita"),
                "outsider-token" => token(world, "otto"),
                "leaver-token" => token(world, "lea"),
                "service-token" | "service-other-token" => machine_token(world, "service etl"),
                "ended-service-token" => machine_token(world, "service ended"),
                other => panic!("no actor `{other}`"),
            });
            session("rita", "analyst")
        }
    };
    if name == "administrator-stale" {
        it.auth.auth_time = world.now() - Duration::from_secs(3600);
    }
    let mut op = op.unwrap_or_else(|| world.op(it));
    op.secure_transport = name != "reader-plain-http";
    op
}

fn token(world: &World, person: &str) -> OpContext {
    OpContext::anonymous(&world.effects, Edge::Sts).with_actor(Actor::Person(world.person(person)))
}

fn machine_token(world: &World, service: &str) -> OpContext {
    let service = ServiceId::from_uuid(world.id(service));
    OpContext::anonymous(&world.effects, Edge::Sts).with_actor(Actor::Service(service))
}

fn person(world: &World, actor: &str) -> base::PersonId {
    world.person(match actor {
        "reader" => "rita",
        "owner" => "olga",
        "administrator" => "ada",
        "member" => "mia",
        other => other,
    })
}

fn proposal(world: &World, by: &str, about: Option<base::PersonId>, group: Option<base::GroupId>) -> Proposal {
    let approval = base::ApprovalId::from_uuid(world.id("some proposal"));
    Proposal { approval, requested_by: person(world, by), about, group }
}

/// The resource of a cell, and the prefix of a listing.
fn resource(world: &World, cell: &str) -> (ResourceRef, Option<String>) {
    let words: Vec<&str> = cell.split_whitespace().collect();
    let it = match words[..] {
        ["object", place] => {
            let (bucket, key) = place.split_once('/').unwrap();
            Object::new(bucket, key).into()
        }
        ["list", bucket] => return (Bucket::new(bucket).into(), None),
        ["list", bucket, prefix] => return (Bucket::new(bucket).into(), Some(prefix.to_owned())),
        ["bucket", bucket] => Bucket::new(bucket).into(),
        ["any"] => AnyBucket.into(),
        ["installation"] => Installation.into(),
        ["role", role] => sts::AssumableRole(world.role_id(role)).into(),
        ["galen-role", role] => world.role_id(role).into(),
        ["dataset", name] => world.dataset(name).into(),
        ["grant", dataset] => {
            let grant = base::GrantId::from_uuid(world.id("grant readers-trial"));
            GrantTarget { grant, dataset: world.dataset(dataset) }.into()
        }
        ["person", name] => person(world, name).into(),
        ["group", name] => world.group(name).into(),
        ["edge", name] => {
            MembershipEdge { member: Member::Person(person(world, name)), group: world.group("readers") }.into()
        }
        ["edge-to", name, group] => {
            MembershipEdge { member: Member::Person(person(world, name)), group: world.group(group) }.into()
        }
        ["service-to", name, group] => {
            let service = ServiceId::from_uuid(world.id(&format!("service {name}")));
            MembershipEdge { member: Member::Service(service), group: world.group(group) }.into()
        }
        ["proposal", name, "by", by] => proposal(world, by, Some(person(world, name)), None).into(),
        ["proposal-to", group, "by", by] => proposal(world, by, None, Some(world.group(group))).into(),
        ["client", name] => world.client_id(name).into(),
        ["service", name] => ServiceId::from_uuid(world.id(&format!("service {name}"))).into(),
        ["session", name] => {
            let session = SessionId::from_uuid(world.id("some session"));
            SessionTarget { session, person: Some(person(world, name)) }.into()
        }
        ["domain", owner] => {
            let domain = base::DomainId::from_uuid(world.id("domain"));
            DomainTarget { domain, owner: world.group(owner), stewards: Vec::new() }.into()
        }
        ["account"] => world.account.into(),
        ["decision"] | ["decision", "of", _] => {
            let member = words.get(2).map(|name| Member::Person(person(world, name)));
            DecisionTarget { decision: base::DecisionId::from_uuid(world.id("decision")), member }.into()
        }
        _ => panic!("no resource `{cell}`"),
    };
    (it, None)
}

fn assume(world: &World, row: &Row) -> sts::AssumeRole {
    let via = match row.action.as_str() {
        "sts:AssumeRole" => sts::Via::Session,
        _ => {
            let client = if row.actor.ends_with("-other-token") { "other" } else { "jupyter" };
            sts::Via::WebIdentity(sts::WebIdentity {
                client: world.client_id(client),
                provider: "127.0.0.1:8443".to_owned(),
                audience: format!("aud-{client}"),
                subject: "subject".to_owned(),
                amr: vec!["pwd".to_owned()],
                authorized_by_idp: None,
            })
        }
    };
    sts::AssumeRole {
        via,
        session_name: "rita".to_owned(),
        source_identity: "rita@example.com".parse().unwrap(),
        sets_source_identity: true,
        tags: vec![("team".to_owned(), "biostat".to_owned())],
        transitive: Vec::new(),
        external_id: None,
        duration_secs: None,
    }
}

fn cut(world: &World) {
    let at: Timestamp = world.now();
    world.access.epochs().raise([
        (EpochKey::Session { session: SessionId::from_uuid(world.id("cut session")) }, Epoch { seq: 5, at }),
        (EpochKey::Person { person: world.person("cut") }, Epoch { seq: 5, at }),
    ]);
}

// verifies: IAM-02
#[tokio::test]
async fn the_golden_matrix_holds() {
    let world = world().await;
    cut(&world);
    holds(&world);
}

#[tokio::test]
async fn the_golden_matrix_holds_after_a_restart() {
    let world = world().await;
    let (before, newest) = (world.access.memory(), world.access.world().newest());
    let world = world.again(|_| ()).await;
    let after = world.access.memory();
    assert!(newest > 0 && world.access.world().newest() == newest);
    assert_eq!((before.grants, before.edges, before.roles), (after.grants, after.edges, after.roles));
    cut(&world);
    holds(&world);
}

// verifies: AUD-07
#[tokio::test]
async fn every_row_is_replayed_as_it_was_decided() {
    let world = world().await;
    for person in ["rita", "walt", "olga", "stan", "vera", "ada", "mia", "dev", "bea", "wim", "lars", "pia", "otto"] {
        world.born(person).await;
    }
    let mut recorded = Vec::new();
    for row in rows() {
        let spec = action::find(&row.action).unwrap();
        let (resource, prefix) = resource(&world, &row.resource);
        let mut op = actor(&world, &row.actor);
        op.keys.prefix = prefix;
        let trust = (spec.need == Need::Trust).then(|| assume(&world, &row));
        let ask =
            Ask { action: spec.name, class: spec.class, need: spec.need, resource: &resource, trust: trust.as_ref() };
        if op.actor.is_some() {
            recorded.push((world.access.recorded(&op, &ask).await, row));
        }
    }
    // What follows changes nothing of what was decided; a durable entry makes the others durable.
    world.leave("rita", "readers").await;
    world.end_grant("writers-trial").await;
    world.journal.append(b"{}".to_vec()).await.unwrap();
    world.maintenance.once().await;
    let (mut wrong, mut whole) = (Vec::new(), 0);
    for (decision, Row { line, actor, action, resource, .. }) in recorded {
        let replay = world.access.replay(decision).await.unwrap();
        whole += usize::from(replay.fault.is_none());
        if !replay.agrees {
            let (fault, deny) = (&replay.fault, &replay.deny);
            wrong.push(format!("line {line}: {actor} {action} {resource}: {fault:?}, {deny:?}"));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    assert!(whole > 100, "{whole} decisions were evaluated again");
}

fn holds(world: &World) {
    let mut wrong = Vec::new();
    for row in rows() {
        let spec = action::find(&row.action).unwrap_or_else(|| panic!("line {}: no action {}", row.line, row.action));
        let (resource, prefix) = resource(world, &row.resource);
        let mut op = actor(world, &row.actor);
        op.keys.prefix = prefix;
        let trust = (spec.need == Need::Trust).then(|| assume(world, &row));
        let ask =
            Ask { action: spec.name, class: spec.class, need: spec.need, resource: &resource, trust: trust.as_ref() };
        let verdict = world.access.judge(&op, &ask);
        let allow = if verdict.obligations.approval { "allow, second approval" } else { "allow" };
        let answer = verdict.deny.as_ref().map_or(allow, code);
        if answer != row.answer {
            let Row { line, actor, action, resource, answer: wanted } = &row;
            let why = &verdict.deny;
            wrong.push(format!("line {line}: {actor} {action} {resource}: {wanted} expected, {answer} came ({why:?})"));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn every_action_has_a_row() {
    let rows = rows();
    let named: BTreeSet<&str> = rows.iter().map(|row| row.action.as_str()).collect();
    let missing: Vec<&str> = action::all().map(|spec| spec.name).filter(|name| !named.contains(name)).collect();
    assert!(missing.is_empty(), "actions without a row in tests/authz-matrix.txt: {missing:?}");
    assert!(rows.len() >= 30);
    let allowed: BTreeSet<&str> =
        rows.iter().filter(|row| row.answer == "allow").map(|row| row.action.as_str()).collect();
    let never: Vec<&str> = action::all().map(|spec| spec.name).filter(|name| !allowed.contains(name)).collect();
    assert!(never.is_empty(), "actions that nobody may do: {never:?}");
}

// verifies: IAM-03
#[tokio::test]
async fn a_grant_is_not_approved_by_whoever_does_not_own() {
    let world = world().await;
    let refused = world.grant(world.grant_of("x", "trial", "readers", Level::Read, "ada")).await;
    assert!(matches!(refused, Err(Error::NotOwner { .. })), "{refused:?}");
    let mut grant = world.grant_of("x", "trial", "readers", Level::Read, "olga");
    grant.approver = Approver::AccountPolicy(world.account);
    assert!(matches!(world.grant(grant).await, Err(Error::NotWorkspace { .. })));
    let mut grant = world.grant_of("x", "trial", "readers", Level::Read, "olga");
    grant.expiry = grant.start;
    assert!(matches!(world.grant(grant).await, Err(Error::GrantSpan)));
    for prefix in ["ae", "/", "", "a//b/", "../x/", "a/./b/"] {
        let mut grant = world.grant_of("x", "trial", "readers", Level::Read, "olga");
        grant.scope.prefixes = vec![prefix.to_owned()];
        assert!(matches!(world.grant(grant).await, Err(Error::ScopePrefix { .. })), "{prefix}");
    }
    let mut grant = world.grant_of("x", "trial", "readers", Level::Read, "olga");
    grant.purpose = "  ".to_owned();
    assert!(matches!(world.grant(grant).await, Err(Error::GrantPurpose)));
}
