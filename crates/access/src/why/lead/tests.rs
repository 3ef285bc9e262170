//! What the index reads of an entry is what the whole entry says.

use super::*;
use crate::why::Decided;
use base::{Actor, RequestId};
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
fn a_lead_says_what_the_whole_entry_says() {
    let person = Actor::Person(id(3, PersonId::from_uuid));
    let ended = Outcome { status: Status::Ok, code: Some(200), bytes: Some(5), offset: None, shown: None };
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
    assert_eq!(Lead::read(&plain.encode().unwrap()), Lead::None);
    cases.extend([unnamed, covered, closing]);

    let mut found = Vec::new();
    for whole in cases {
        let bytes = whole.encode().unwrap();
        let lead = Lead::read(&bytes);
        assert_eq!(Lead::of(&whole, "s3:GetObject"), lead, "{whole:?}");
        let ended = whole.of.filter(|_| whole.outcome.is_some() && whole.decision.is_none());
        let expected = Decided::of(7, whole.clone()).map(|decided| Lead::Decision {
            id: decided.decision,
            at: decided.at,
            asked: decided.member().map(|it| (it, question(it, &decided.action, &decided.resource))),
        });
        assert_eq!(lead, ended.map_or(expected.unwrap_or(Lead::None), |of| Lead::Outcome { of }), "{whole:?}");
        found.push(lead);
    }
    let decisions = found.iter().filter(|lead| matches!(lead, Lead::Decision { .. })).count();
    let outcomes = found.iter().filter(|lead| matches!(lead, Lead::Outcome { .. })).count();
    assert_eq!((decisions, outcomes, found.len()), (5, 1, 7));
}

#[test]
fn a_lead_is_kept_until_the_index_takes_it() {
    let whole = entry(Phase::Intent, Actor::Person(id(3, PersonId::from_uuid)));
    let bytes = whole.encode().unwrap();
    let leads = Leads::default();
    leads.keep(&whole, "s3:GetObject");
    assert_eq!(leads.kept().len(), 1);
    assert_eq!(leads.take(&bytes), Lead::read(&bytes));
    assert!(leads.kept().is_empty());
    assert_eq!(leads.take(&bytes), Lead::read(&bytes), "from the log");
}
