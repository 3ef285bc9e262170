//! What the index reads of an entry is what the whole entry says.

use super::*;
use base::RequestId;
use ledger::{Data, Decision, Effect, Outcome, Resource, Status, UserIdentity, Why};
use serde_json::json;
use uuid::Uuid;

fn id<T>(n: u128, of: impl Fn(Uuid) -> T) -> T {
    of(Uuid::from_u128(n))
}

fn entry(phase: Phase, actor: Actor) -> Entry {
    let at = "2026-11-22T08:00:00.123456Z".parse().unwrap();
    let who = UserIdentity::new(actor);
    let mut entry = Entry::new(phase, id(1, DecisionId::from_uuid), at, "s3.amazonaws.com", "GetObject", who);
    entry.request_id = Some(id(2, RequestId::from_uuid));
    entry.resources.push(Resource {
        arn: "arn:aws:s3:::clinical/trial/\"quoted\" \u{e9}.parquet".parse().unwrap(),
        account: None,
        kind: None,
        version: None,
    });
    entry.decision = Some(Decision { effect: Effect::Allow, reasons: Vec::new(), why: Why::default() });
    entry.additional_event_data = Some(Data::new(&json!({ "action": "s3:GetObject", "ranged": true })).unwrap());
    entry
}

#[test]
fn the_index_reads_of_an_entry_what_the_whole_entry_says() {
    let person = Actor::Person(id(3, PersonId::from_uuid));
    let ended = Outcome { status: Status::Ok, code: Some(200), bytes: Some(5), offset: None };
    let mut cases = vec![
        entry(Phase::Intent, person),
        entry(Phase::Denial, Actor::Service(id(4, ServiceId::from_uuid))),
        entry(Phase::Change, Actor::System),
        entry(Phase::Outcome, person),
    ];
    let mut unnamed = entry(Phase::Denial, person);
    unnamed.resources.clear();
    unnamed.request_parameters = Some(json!({ "resource": "no \u{7} ARN" }));
    let mut covered = entry(Phase::Note, person);
    (covered.of, covered.outcome) = (Some(id(5, DecisionId::from_uuid)), Some(ended));
    let mut closing = covered.clone();
    (closing.phase, closing.decision, closing.additional_event_data) = (Phase::Outcome, None, None);
    let mut plain = entry(Phase::Note, person);
    plain.additional_event_data = Some(Data::new(&json!({ "started": true })).unwrap());
    cases.extend([unnamed, covered, closing, plain]);

    let mut found = Vec::new();
    for whole in cases {
        let bytes = whole.encode().unwrap();
        let read: Indexable<'_> = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(read.outcome_of(), outcome_of(&whole), "{whole:?}");
        let keys = Decided::of(7, whole.clone()).map(|decided| {
            let asked = decided.member().map(|member| (member, &*decided.action, &*decided.resource));
            keys_of(decided.decision, decided.at, asked)
        });
        assert_eq!(read.keys(), keys, "{whole:?}");
        found.push((keys.map_or(0, |keys| keys.len()), outcome_of(&whole).is_some()));
    }
    let expected = [3, 3, 1, 0, 3, 3, 0, 0];
    assert_eq!(found.iter().map(|(keys, _)| *keys).collect::<Vec<_>>(), expected);
    assert_eq!(found.iter().filter(|(_, closes)| *closes).count(), 1);
}
