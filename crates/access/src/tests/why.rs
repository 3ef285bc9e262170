//! What is recorded of a decision: found by id, evaluated again, and disagreed with when a document was altered.

use super::gate::reader;
use super::*;
use crate::why::{ReplayFault, Who};
use base::{DecisionId, Ids, RequestId};
use std::time::Duration;

async fn decided(world: &World) -> DecisionId {
    let op = world.op(world.session("ann", "analyst", Some("jupyter")));
    let permit = world.access.authorize(&op, s3::GetObject, Object::new("clinical", "trial/dm.parquet")).await.unwrap();
    let decision = permit.decision();
    permit.finish(Outcome { status: 200, bytes: 5 });
    decision
}

// verifies: AUD-07
#[tokio::test]
async fn a_decision_is_found_and_replayed() {
    let world = reader().await;
    world.grant(world.grant_of("g", "trial", "readers", Level::Read, "olga")).await.unwrap();
    let decision = decided(&world).await;
    let found = world.access.decision(decision).await.unwrap();
    assert!(found.allowed());
    assert_eq!(found.resource, "arn:aws:s3:::clinical/trial/dm.parquet");
    assert!(found.reasons.iter().any(|reason| matches!(reason, Reason::Grant { .. })));
    let replay = world.access.replay(decision).await.unwrap();
    assert_eq!((replay.agrees, replay.fault, replay.deny), (true, None, None));

    // The grant ends: the decision of then is still the decision of then.
    world.end_grant("g").await;
    world.leave("ann", "readers").await;
    let replay = world.access.replay(decision).await.unwrap();
    assert_eq!((replay.agrees, replay.fault), (true, None));
    world.maintenance.once().await;
    let member = Member::Person(world.person("ann"));
    let latest = world.access.latest(member, &found.action, &found.resource, world.now()).await.unwrap().unwrap();
    assert_eq!(latest.decision, decision);
    assert_eq!(world.access.decisions_of(member, world.now(), 10).await.unwrap().len(), 1);
}

/// What stands behind the index is found as what is in it.
#[tokio::test]
async fn an_outcome_is_told_with_its_decision_before_and_after_it_is_indexed() {
    let world = reader().await;
    world.grant(world.grant_of("g", "trial", "readers", Level::Read, "olga")).await.unwrap();
    let member = Member::Person(world.person("ann"));
    let (action, arn) = ("s3:getobject", "arn:aws:s3:::clinical/trial/dm.parquet");
    let mut op = world.op(world.session("ann", "analyst", Some("jupyter")));
    op.keys.ranged = true;
    let mut reads = Vec::new();
    // The second range lies under the intent of the first; each has its own outcome.
    for bytes in [5, 7] {
        (op.request, op.at) = (RequestId::from_uuid(world.effects.uuid()), world.now());
        let permit =
            world.access.authorize(&op, s3::GetObject, Object::new("clinical", "trial/dm.parquet")).await.unwrap();
        reads.push((permit.decision(), bytes));
        permit.finish(Outcome { status: 206, bytes });
        world.clock.forward(1);
    }
    for indexed in [false, true] {
        for (decision, bytes) in &reads {
            let ended = world.access.decision(*decision).await.unwrap().ended.unwrap();
            assert_eq!((ended.outcome.bytes, ended.outcome.code), (Some(*bytes), Some(206)), "indexed: {indexed}");
        }
        let latest = world.access.latest(member, action, arn, world.now()).await.unwrap().unwrap();
        assert_eq!((latest.decision, latest.ended.unwrap().outcome.bytes), (reads[1].0, Some(7)));
        let earlier = world.access.latest(member, action, arn, latest.at - Duration::from_secs(1)).await.unwrap();
        assert_eq!(earlier.unwrap().decision, reads[0].0);
        assert!(world.access.latest(member, "s3:PutObject", arn, world.now()).await.unwrap().is_none());
        let all = world.access.decisions_of(member, world.now(), 10).await.unwrap();
        assert_eq!(all.iter().map(|decided| decided.decision).collect::<Vec<_>>(), [reads[1].0, reads[0].0]);
        world.maintenance.once().await;
    }
}

// verifies: AUD-07
#[tokio::test]
async fn an_altered_document_is_disagreed_with() {
    let world = reader().await;
    if world.database().is_some() {
        // The bytes that it alters are in the files of a server there.
        return;
    }
    world.grant(world.grant_of("g", "trial", "readers", Level::Read, "olga")).await.unwrap();
    let decision = decided(&world).await;
    let world = world
        .again(|dir| {
            let file = std::fs::read_dir(dir.join("db")).unwrap().map(|entry| entry.unwrap().path());
            let mut altered = 0;
            for path in file.filter(|path| path.is_file()) {
                let mut bytes = std::fs::read(&path).unwrap();
                let needle = br#""Sid":"Data""#;
                let places: Vec<usize> =
                    (0..bytes.len()).filter(|at| bytes[*at..].starts_with(needle)).map(|at| at + 7).collect();
                altered += places.len();
                places.into_iter().for_each(|at| bytes[at] = b'B');
                std::fs::write(&path, bytes).unwrap();
            }
            assert!(altered > 0, "the document is in the store's files");
        })
        .await;
    let replay = world.access.replay(decision).await.unwrap();
    assert!(!replay.agrees);
    assert!(matches!(replay.fault, Some(ReplayFault::DocumentAltered { .. })), "{:?}", replay.fault);
    assert!(replay.deny.is_some(), "without its document the role allows nothing");
}

#[tokio::test]
async fn a_denial_is_recorded_and_replayed() {
    let world = reader().await;
    let op = world.op(world.session("ann", "analyst", Some("jupyter")));
    let denied =
        world.access.authorize(&op, s3::GetObject, Object::new("clinical", "trial/dm.parquet")).await.unwrap_err();
    // At once: who was refused and asks why does not wait for the entry to become durable by itself.
    let found = world.access.decision(denied.decision).await.unwrap();
    assert_eq!(found.deny, Some(denied.reason.clone()));
    world.grant(world.grant_of("g", "trial", "readers", Level::Read, "olga")).await.unwrap();
    assert_eq!(found.told(), Some(denied.sentence));
    let replay = world.access.replay(denied.decision).await.unwrap();
    assert_eq!((replay.agrees, replay.fault, replay.deny), (true, None, Some(denied.reason)));
}

#[tokio::test]
async fn explaining_answers_now_and_then() {
    let world = reader().await;
    let who = Who { member: Member::Person(world.person("ann")), role: None };
    let resource = Object::new("clinical", "trial/dm.parquet").into();
    let before = world.now();
    world.clock.forward(10);
    assert!(!world.access.explain(who, "s3:GetObject", &resource).allowed());
    world.grant(world.grant_of("g", "trial", "readers", Level::Read, "olga")).await.unwrap();
    world.clock.forward(10);
    let now = world.access.explain(who, "s3:GetObject", &resource);
    assert!(now.allowed(), "{now:?}");
    assert_eq!(now.role, Some(world.role_id("analyst")));
    let then = world.access.explain_at(who, "s3:GetObject", &resource, world.now()).await.unwrap();
    assert_eq!((then.deny, then.reasons), (None, now.reasons));
    let then = world.access.explain_at(who, "s3:GetObject", &resource, before).await.unwrap();
    assert!(!then.allowed());
    let nobody = Who { member: Member::Person(world.person("zoe")), role: None };
    assert_eq!(world.access.explain(nobody, "s3:GetObject", &resource).deny, Some(DenyReason::NoRole));
}

// verifies: AUD-01
#[tokio::test]
async fn a_change_and_its_entry_are_one_commit() {
    let world = reader().await;
    world.role_with("steward-desk", &[documents::DATA_OWNER], "owners", None, |role| role.management = true).await;
    let op = world.op(world.session("olga", "steward-desk", None));
    let permit = world.access.authorize(&op, api::CreateGrant, world.dataset("trial")).await.unwrap();
    let decision = permit.decision();
    let grant = world.grant_of("g", "trial", "readers", Level::Read, "olga");
    world.access.change(permit, move |txn| add_grant(txn, &grant, Some("study 42")).map(drop)).await.unwrap();
    world.maintenance.once().await;
    let found = world.access.decision(decision).await.unwrap();
    assert_eq!(found.entry.change.as_ref().unwrap().facts.len(), 1);
    let facts: Vec<_> = found.entry.change.as_ref().unwrap().facts.iter().map(|fact| fact.uuid()).collect();
    assert_eq!(found.entry.change.unwrap().reason.as_deref(), Some("study 42"));
    // By its fact the entry is found where the index stands before it, where it stands behind it, and built anew.
    let place = async || world.access.entries_of(facts.clone()).await.unwrap().into_iter().collect::<Vec<_>>();
    assert_eq!(place().await, [(facts[0], found.index)]);
    world.access.index_decisions().await.unwrap();
    assert_eq!(place().await, [(facts[0], found.index)]);
    world.access.reindex_decisions().await.unwrap();
    assert_eq!(place().await, [(facts[0], found.index)]);
    assert!(world.access.entries_of(vec![world.effects.uuid()]).await.unwrap().is_empty());
    assert!(world.access.replay(decision).await.unwrap().agrees);

    let permit = world.access.authorize(&op, api::CreateGrant, world.dataset("trial")).await.unwrap();
    let decision = permit.decision();
    let failed: Result<(), Error> = world.access.change(permit, |_| Err(Error::GrantSpan)).await;
    assert!(failed.is_err());
    assert!(world.access.decision(decision).await.is_err(), "a change that failed left no change entry");
    world.journal.append(b"{}".to_vec()).await.unwrap();
    let mut traces = Vec::new();
    let see = |_, bytes: &[u8]| {
        traces.extend(ledger::Entry::decode(bytes).ok().filter(|entry| entry.of == Some(decision)));
        true
    };
    world.access.log().each(0, see).unwrap();
    let trace = traces.first().unwrap();
    assert_eq!(trace.phase, ledger::Phase::Note, "it had no intent, so its trace is no outcome");
    assert_eq!(trace.outcome.unwrap().status, ledger::Status::Failed);
}

// verifies: AUD-01
#[tokio::test]
async fn a_change_whose_entry_cannot_be_written_is_not_made() {
    let world = reader().await;
    world.role_with("steward-desk", &[documents::DATA_OWNER], "owners", None, |role| role.management = true).await;
    let op = world.op(world.session("olga", "steward-desk", None));
    let permit = world.access.authorize(&op, api::CreateGrant, world.dataset("trial")).await.unwrap();
    let grant = world.grant_of("g", "trial", "readers", Level::Read, "olga");
    // More facts than an entry can name.
    let grants: Vec<Grant> =
        (0..500).map(|_| Grant { id: base::GrantId::from_uuid(world.effects.uuid()), ..grant.clone() }).collect();
    let before = world.store.read(|txn| txn.newest_seq()).await.unwrap();
    let made = world
        .access
        .change(permit, move |txn| grants.iter().try_for_each(|grant| add_grant(txn, grant, None).map(drop)));
    assert!(matches!(made.await, Err(Error::Value { what: "a change", .. })));
    assert_eq!(world.store.read(|txn| txn.newest_seq()).await.unwrap(), before, "nothing of it is kept");
    assert!(world.store.pending_page(1).await.unwrap().is_empty());
}

// verifies: AUD-04
#[tokio::test]
async fn what_a_crash_left_open_is_closed_as_unknown() {
    let world = reader().await;
    world.grant(world.grant_of("g", "trial", "readers", Level::Read, "olga")).await.unwrap();
    let op = world.op(world.session("ann", "analyst", Some("jupyter")));
    let permit = world.access.authorize(&op, s3::GetObject, Object::new("clinical", "trial/dm.parquet")).await.unwrap();
    let decision = permit.decision();
    world.clock.forward(5);
    let crashed = world.crashed().await;
    let mut outcomes = Vec::new();
    crashed
        .access
        .log()
        .each(0, |_, bytes| {
            let entry = ledger::Entry::decode(bytes).unwrap();
            outcomes.extend(entry.outcome.filter(|_| entry.of == Some(decision)).map(|outcome| outcome.status));
            true
        })
        .unwrap();
    assert_eq!(outcomes, [ledger::Status::Unknown]);
    permit.finish(Outcome::DONE);
}
