//! The shape of an entry, on paper.

use base::{Actor, Timestamp};
use serde_json::json;

use crate::{
    Data, Decision, Document, ENTRY_BYTES_MAX, Effect, Entry, Error, EventType, Outcome, Phase, Resource, Sealed,
    Status, UserIdentity, Why,
};

fn intent() -> Entry {
    let person = "01922222-0000-7000-8000-000000000001".parse().unwrap();
    let mut who = UserIdentity::new(Actor::Person(person));
    who.session = Some("01922222-0000-7000-8000-000000000002".parse().unwrap());
    let mut entry = Entry::new(
        Phase::Intent,
        "01922222-0000-7000-8000-000000000003".parse().unwrap(),
        "2026-11-21T10:00:00.5Z".parse::<Timestamp>().unwrap(),
        "s3.amazonaws.com",
        "GetObject",
        who,
    );
    entry.event_type = EventType::AwsApiCall;
    entry.resources = vec![Resource {
        arn: "arn:aws:s3:::trials/dm.parquet".parse().unwrap(),
        account: None,
        kind: Some("AWS::S3::Object".to_owned()),
        version: None,
    }];
    entry.decision = Some(Decision {
        effect: Effect::Allow,
        reasons: vec!["grant".to_owned()],
        why: Why {
            grants: vec!["01922222-0000-7000-8000-000000000004".parse().unwrap()],
            documents: vec![Document {
                kind: "role_policy".to_owned(),
                digest: crypto::sha256(b"{}"),
                statement: Some(0),
            }],
            evaluator: "1".to_owned(),
            ..Why::default()
        },
    });
    entry.sealed = vec![Sealed { subject: format!("person/{person}"), blob: "AAAA".to_owned() }];
    entry
}

/// The spelling of released entries is a promise: older verifiers and SIEMs read it.
#[test]
fn an_entry_is_written_like_this() {
    let written: serde_json::Value = serde_json::from_slice(&intent().encode().unwrap()).unwrap();
    assert_eq!(
        written,
        json!({
            "eventVersion": "1.0",
            "eventID": "01922222-0000-7000-8000-000000000003",
            "eventTime": "2026-11-21T10:00:00.5Z",
            "eventType": "AwsApiCall",
            "eventSource": "s3.amazonaws.com",
            "eventName": "GetObject",
            "phase": "intent",
            "userIdentity": {
                "type": "Person",
                "person": "01922222-0000-7000-8000-000000000001",
                "session": "01922222-0000-7000-8000-000000000002"
            },
            "resources": [{"ARN": "arn:aws:s3:::trials/dm.parquet", "type": "AWS::S3::Object"}],
            "decision": {
                "effect": "allow",
                "reasons": ["grant"],
                "why": {
                    "grants": ["01922222-0000-7000-8000-000000000004"],
                    "documents": [{
                        "kind": "role_policy",
                        "digest": "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a",
                        "statement": 0
                    }],
                    "evaluator": "1"
                }
            },
            "sealed": [{"subject": "person/01922222-0000-7000-8000-000000000001", "blob": "AAAA"}]
        })
    );
}

#[test]
fn an_entry_reads_back_and_ignores_newer_fields() {
    let intent = intent();
    assert_eq!(Entry::decode(&intent.encode().unwrap()).unwrap(), intent);
    let outcome = Outcome { status: Status::Cut, code: Some(206), bytes: Some(9), offset: Some(4), shown: None };
    let id = "01922222-0000-7000-8000-000000000009".parse().unwrap();
    let closing = Entry::outcome_of(&intent, id, Timestamp::UNIX_EPOCH, outcome);
    assert_eq!(closing.of, Some(intent.event_id));
    let mut newer: serde_json::Value = serde_json::from_slice(&closing.encode().unwrap()).unwrap();
    newer["brandNew"] = json!([1]);
    let newer = serde_json::to_vec(&newer).unwrap();
    assert_eq!(Entry::decode(&newer).unwrap(), closing);
    assert_eq!(Entry::id_of(&closing.encode().unwrap()), Some(id));
    assert_eq!(Entry::id_of(&[b" ", newer.as_slice()].concat()), None, "not as this version writes it");
}

#[test]
fn an_entry_is_written_with_one_member_more() {
    let mut entry = intent();
    assert_eq!(entry.encode_with("values", &[1]).unwrap(), entry.encode().unwrap(), "it has no data to add to");
    for (data, with) in [(json!({}), json!({"values": ["}"]})), (json!({"a": {}}), json!({"a": {}, "values": ["}"]}))] {
        entry.additional_event_data = Some(Data::new(&data).unwrap());
        let written = Entry::decode(&entry.encode_with("values", &["}"]).unwrap()).unwrap();
        entry.additional_event_data = Some(Data::new(&with).unwrap());
        assert_eq!(written, entry, "and is as if it had been in the data");
    }
    let much = "x".repeat(ENTRY_BYTES_MAX);
    assert!(matches!(entry.encode_with("values", &much), Err(Error::EntryTooLarge { .. })));
    for data in [json!("}"), json!([{}]), json!(7)] {
        entry.additional_event_data = Some(Data::new(&data).unwrap());
        assert!(matches!(entry.encode_with("values", &1), Err(Error::EntryUnwritable { .. })), "{data}");
    }
}

#[test]
fn an_entry_has_a_limit() {
    let mut entry = intent();
    entry.request_parameters = Some(json!("x".repeat(ENTRY_BYTES_MAX)));
    assert!(matches!(entry.encode(), Err(Error::EntryTooLarge { .. })));
    assert!(matches!(Entry::decode(&vec![b' '; ENTRY_BYTES_MAX + 1]), Err(Error::EntryTooLarge { .. })));
    assert!(matches!(Entry::decode(b"{}"), Err(Error::EntryUnreadable { .. })));
}
