//! What an entry made is found in it, and nothing in an entry that made nothing.

use super::*;
use base::{Actor, ChangeId, DecisionId};
use ledger::{Change, Data, Decision, Effect, Entry, UserIdentity, Why};
use serde_json::json;

fn id(n: u128) -> Uuid {
    Uuid::from_u128(n)
}

fn entry(phase: Phase) -> Entry {
    let at = "2026-11-22T08:00:00.123456Z".parse().unwrap();
    let who = UserIdentity::new(Actor::System);
    let mut entry = Entry::new(phase, DecisionId::from_uuid(id(1)), at, "galen.access", "CreateGrant", who);
    entry.additional_event_data = Some(Data::new(&json!({ "action": "galen:CreateGrant" })).unwrap());
    entry
}

#[test]
fn facts_sessions_and_sign_ins_are_found_in_their_entries() {
    let mut change = entry(Phase::Change);
    let facts = vec![FactId::from_uuid(id(2)), FactId::from_uuid(id(3))];
    change.change = Some(Change { id: ChangeId::from_uuid(id(4)), facts, digest: None, reason: None });
    // At a door nothing is decided: the entry has the sign-in's own id.
    assert_eq!(made(&change.encode().unwrap()), [id(2), id(3), id(1)]);
    change.decision = Some(Decision { effect: Effect::Allow, reasons: Vec::new(), why: Why::default() });
    let fact = json!({ "fact": id(2), "kind": "grant.created", "subject": id(5), "old": null, "new": {} });
    assert_eq!(made(&change.encode_with("values", &[fact]).unwrap()), [id(2), id(3)]);

    let mut given = entry(Phase::Change);
    given.decision = change.decision.clone();
    let session = |old| json!({ "kind": "session", "subject": id(6), "old": old, "new": {} });
    assert_eq!(made(&given.encode_with("values", &[session(json!(null))]).unwrap()), [id(6)]);
    assert!(made(&given.encode_with("values", &[session(json!({}))]).unwrap()).is_empty(), "an end makes no session");
}

#[test]
fn an_access_made_nothing() {
    for phase in [Phase::Intent, Phase::Outcome, Phase::Denial, Phase::Note] {
        let mut access = entry(phase);
        let facts = vec![FactId::from_uuid(id(2))];
        access.change = Some(Change { id: ChangeId::from_uuid(id(4)), facts, digest: None, reason: None });
        // Not even one that is named like a change.
        access.request_parameters = Some(json!({ "phase": "change" }));
        assert!(made(&access.encode().unwrap()).is_empty(), "{phase:?}");
    }
    assert!(made(br#"{"phase":"change""#).is_empty(), "nor what is no entry");
}
