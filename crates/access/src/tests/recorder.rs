//! What the recorder promises: fail closed, one entry each, windows, caps, erasure.

use super::gate::reader;
use super::*;
use crate::why::ReplayFault;
use futures::FutureExt as _;
use ledger::{Entry, Phase, Status};
use std::net::{IpAddr, Ipv4Addr};

async fn granted() -> World {
    let world = reader().await;
    world.grant(world.grant_of("g", "trial", "readers", Level::Read, "olga")).await.unwrap();
    world
}

fn object() -> Object {
    Object::new("clinical", "trial/dm.parquet")
}

/// Everything recorded so far: a durable entry after the others makes them durable too.
async fn entries(world: &World) -> Vec<Entry> {
    world.maintenance.once().await;
    world.journal.append(b"{}".to_vec()).await.unwrap();
    let mut all = Vec::new();
    world
        .access
        .log()
        .each(0, |_, bytes| {
            all.extend(Entry::decode(bytes));
            true
        })
        .unwrap();
    let named = |of| all.iter().any(|entry| entry.phase == Phase::Intent && Some(entry.event_id) == of);
    let outcomes = || all.iter().filter(|entry| entry.phase == Phase::Outcome);
    assert!(outcomes().all(|entry| named(entry.of)), "an outcome without an intent does not verify");
    all
}

// verifies: AUD-01
#[tokio::test]
async fn what_cannot_be_recorded_is_refused() {
    let world = granted().await;
    let op = world.op(world.session("ann", "analyst", Some("jupyter")));
    world.journal.close().unwrap();
    let denied = world.access.authorize(&op, s3::GetObject, object()).await.unwrap_err();
    assert_eq!(denied.kind(), base::ErrorKind::Unavailable);
    assert_eq!(denied.reason, DenyReason::NotRecorded);
    let denied = world.access.authorize(&op, s3::ListBucket, Bucket::new("clinical")).await.unwrap_err();
    assert_eq!(denied.reason, DenyReason::NotRecorded);
    let both = world.access.authorize_many(&op, s3::GetObject, vec![object(), object()]).await;
    assert!(both.iter().all(Result::is_err));
}

// verifies: AUD-11
#[tokio::test]
async fn each_access_and_each_denial_has_its_entry() {
    let world = granted().await;
    let op = world.op(world.session("ann", "analyst", Some("jupyter")));
    let permit = world.access.authorize(&op, s3::GetObject, object()).await.unwrap();
    let (read, dropped) = (permit.decision(), world.access.authorize(&op, s3::GetObject, object()).await.unwrap());
    permit.finish(Outcome { status: 206, bytes: 17 });
    let unknown = dropped.decision();
    drop(dropped);
    let many = vec![object(), Object::new("clinical", "elsewhere"), object()];
    let many = world.access.authorize_many(&op, s3::GetObject, many).await;
    assert_eq!(many.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, false, true]);
    drop(many);
    let all = entries(&world).await;
    let outcome = |of| all.iter().find(|entry| entry.of == Some(of)).and_then(|entry| entry.outcome).unwrap();
    assert_eq!((outcome(read).status, outcome(read).bytes), (Status::Ok, Some(17)));
    assert_eq!(outcome(unknown).status, Status::Unknown);
    let count = |phase| all.iter().filter(|entry| entry.phase == phase).count();
    assert_eq!((count(Phase::Intent), count(Phase::Denial), count(Phase::Outcome)), (4, 1, 4));
    // Nothing personal stands in clear.
    for entry in &all {
        let text = serde_json::to_string(entry).unwrap();
        assert!(!text.contains("example.com") && !text.contains("192.0.2.7"), "{text}");
    }
}

/// What is shown beside what was asked for: nobody asked for it, so a no is no refusal.
#[tokio::test]
async fn a_question_whether_the_gate_would_allow_leaves_nothing() {
    let world = granted().await;
    let op = world.op(world.session("ann", "analyst", Some("jupyter")));
    let before = entries(&world).await;
    for (key, allowed) in [("trial/dm.parquet", true), ("elsewhere", false)] {
        let object = Object::new("clinical", key);
        assert_eq!(world.access.would_allow(&op, s3::GetObject, object).await, allowed, "{key}");
    }
    assert_eq!(entries(&world).await, before);
}

#[tokio::test]
async fn finding_a_caller_who_goes_while_its_intent_is_written_holds_the_mark_of_the_ledger() {
    let world = granted().await;
    let op = world.op(world.session("ann", "analyst", Some("jupyter")));
    drop(world.access.authorize(&op, s3::GetObject, object()).await.unwrap());
    for _ in 0..10 {
        drop(world.access.authorize(&op, s3::GetObject, object()).now_or_never());
        drop(world.access.authorize_many(&op, s3::GetObject, vec![object(), object()]).now_or_never());
    }
    let all = entries(&world).await;
    let intents: Vec<&Entry> = all.iter().filter(|entry| entry.phase == Phase::Intent).collect();
    assert_eq!(intents.len(), 31, "they came as far as the ledger");
    for intent in intents {
        let closing: Vec<&Entry> = all.iter().filter(|entry| entry.of == Some(intent.event_id)).collect();
        assert_eq!(closing.len(), 1);
        assert_eq!(closing[0].outcome.unwrap().status, Status::Unknown);
    }
    let size = world.journal.size();
    assert!(world.stopped_at().await >= size, "nothing is open");
}

/// What was told in the last second before a stop is in no checkpoint that the store remembers, but in what it noted of its changes.
#[tokio::test]
async fn finding_a_ledger_without_its_last_entries_is_not_served() {
    use futures::FutureExt;
    let world = granted().await;
    drop(world.crashed().await);
    let (node, beyond) = (world.store.node().bytes().to_vec(), world.journal.size() + 1);
    let note = move |txn: &mut store::WriteTxn<'_>| -> Result<_, store::Error> {
        txn.record_put("access_relayed", &node, &beyond.to_be_bytes(), None)
    };
    world.store.write(base::Actor::System, note).await.unwrap();
    let served = std::panic::AssertUnwindSafe(world.crashed()).catch_unwind().await;
    let told = served.err().and_then(|panic| panic.downcast::<String>().ok()).expect("it is refused");
    assert!(told.contains("LedgerBehind"), "{told}");
}

#[tokio::test]
async fn later_ranges_are_covered_by_the_first_intent() {
    let world = granted().await;
    let mut op = world.op(world.session("ann", "analyst", Some("jupyter")));
    op.keys.ranged = true;
    op.keys.version_id = Some("v1".to_owned());
    let mut decisions = Vec::new();
    for _ in 0..3 {
        let permit = world.access.authorize(&op, s3::GetObject, object()).await.unwrap();
        decisions.push(permit.decision());
        permit.finish(Outcome { status: 206, bytes: 1 });
    }
    world.clock.forward(61);
    op.at = world.now();
    world.access.authorize(&op, s3::GetObject, object()).await.unwrap().finish(Outcome::DONE);
    let all = entries(&world).await;
    let intents: Vec<&Entry> = all.iter().filter(|entry| entry.phase == Phase::Intent).collect();
    assert_eq!(intents.len(), 2, "one window, then another");
    assert_eq!(intents[0].event_id, decisions[0]);
    let under: Vec<&Entry> = all.iter().filter(|entry| entry.of == Some(decisions[0])).collect();
    let (notes, outcomes): (Vec<&Entry>, Vec<&Entry>) = under.into_iter().partition(|it| it.phase == Phase::Note);
    let seen: Vec<_> = notes.iter().map(|it| (it.event_id, it.decision.is_some(), it.outcome.unwrap().bytes)).collect();
    let later = |at: usize| (decisions[at], true, Some(1));
    assert_eq!(seen, [later(1), later(2)], "each later range is one entry, with its decision and its outcome");
    assert_eq!(outcomes.len(), 1, "the range that opened the window has its own outcome");
}

#[tokio::test]
async fn failures_of_the_unknown_are_counted_with_a_cap() {
    let world = granted().await;
    for n in 0..5000_u32 {
        let source = Some(IpAddr::V4(Ipv4Addr::from(0x0a00_0000 + n)));
        world.access.count_refusal(&Trace::default(), Door::S3, 403, source);
    }
    world.clock.forward(120);
    let all = entries(&world).await;
    let counts: Vec<u64> = all.iter().filter_map(|entry| entry.denials.as_ref()).map(|it| it.count).collect();
    assert!(counts.len() <= 1001, "{}", counts.len());
    assert_eq!(counts.iter().sum::<u64>(), 5000);
}

#[tokio::test]
async fn after_an_erasure_the_record_stands_and_says_so() {
    let world = granted().await;
    let op = world.op(world.session("ann", "analyst", Some("jupyter")));
    let permit = world.access.authorize(&op, s3::GetObject, object()).await.unwrap();
    let decision = permit.decision();
    permit.finish(Outcome::DONE);
    let ann = world.person("ann");
    world.write(move |txn| Ok(txn.subject_key_destroy(ann.uuid()).map(drop)?)).await.unwrap();
    world.access.custody().subject_forget(ann);
    let replay = world.access.replay(decision).await.unwrap();
    assert_eq!((replay.agrees, replay.fault), (false, Some(ReplayFault::Erased)));
    assert!(world.access.decision(decision).await.unwrap().allowed());
}

// verifies: AUD-02
#[tokio::test]
async fn a_change_names_old_and_new() {
    let world = granted().await;
    world.role_with("admin-desk", &[documents::ADMINISTRATOR], "admins", None, |role| role.management = true).await;
    world.join("ada", "admins").await;
    world.born("ada").await;
    let op = world.op(world.session("ada", "admin-desk", None));
    let role = world.role_id("analyst");
    let permit = world.access.authorize(&op, api::ChangeRole, role).await.unwrap();
    let decision = permit.decision();
    let changed: Result<(), Error> = world
        .access
        .change(permit, move |txn| {
            let mut it = crate::facts::role(txn, role)?.ok_or(Error::NoRole { role })?;
            it.session_secs_max = 3600;
            put_role(txn, &it, Some("shorter sessions")).map(drop)
        })
        .await;
    changed.unwrap();
    world.maintenance.once().await;
    let entry = world.access.decision(decision).await.unwrap().entry;
    let data: serde_json::Value = entry.additional_event_data.as_ref().unwrap().read().unwrap();
    let value = &data["values"][0];
    assert_eq!(value["old"]["session_secs_max"], 43_200);
    assert_eq!(value["new"]["session_secs_max"], 3600);
    assert_eq!(entry.change.unwrap().reason.as_deref(), Some("shorter sessions"));
}
