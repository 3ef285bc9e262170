//! Names parse exactly; positions take the oldest.

use super::*;

pub(crate) fn uuid(n: u8) -> uuid::Uuid {
    uuid::Uuid::from_bytes([n; 16])
}

/// A tool session of person 1 in role 2, through group 3 and client 4.
pub(crate) fn sample() -> Session {
    let account: AccountId = "000000000042".parse().unwrap();
    let role_arn: Arn = "arn:aws:iam::000000000042:role/tools/analyst".parse().unwrap();
    let name: SessionName = "ann@example.com".parse().unwrap();
    Session {
        id: SessionId::from_uuid(uuid(9)),
        kind: SessionKind::Tool,
        person: Some(PersonId::from_uuid(uuid(1))),
        service: None,
        source_identity: "ann@example.com".parse().unwrap(),
        account,
        role: RoleId::from_uuid(uuid(2)),
        arn: session_arn(account, &role_arn, &name).unwrap(),
        role_arn,
        role_unique_id: role_unique_id(RoleId::from_uuid(uuid(2))),
        name,
        access_key_id: AccessKeyId::from_entropy(1, [7; 10]),
        tags: vec![Tag { key: "Cost".into(), value: "42*".into() }],
        transitive: vec!["Cost".into()],
        carry: Carry::Entitling,
        via: vec![GroupId::from_uuid(uuid(3))],
        policies: vec![],
        issued: at(1_000),
        expires: at(4_600),
        auth: position(990, Some(5)),
        sign_in: Some(SignInId::from_uuid(uuid(8))),
        chained: false,
        lineage: vec![],
        client: Some(ClientId::from_uuid(uuid(4))),
        federated: None,
    }
}

fn at(secs: i64) -> Timestamp {
    Timestamp::from_second(secs).unwrap()
}

fn position(secs: i64, seq: Option<u64>) -> AuthPosition {
    AuthPosition { auth_time: at(secs), seq, amr: vec!["pwd".into()], acr: None }
}

#[test]
fn the_oldest_position_wins_in_each_aspect() {
    let made = position(10, Some(9)).oldest(&position(20, Some(4)));
    assert_eq!((made.auth_time, made.seq), (at(10), Some(4)));
    assert_eq!(position(10, Some(9)).oldest(&position(20, None)).seq, None);
}

#[test]
fn access_keys_have_one_form() {
    let key = AccessKeyId::from_entropy(33, [0xff; 10]);
    assert_eq!(key.as_str(), "ASIAB777777777777777");
    assert!(key.is_under(1) && !key.is_under(2));
    assert_eq!(key.as_str().parse::<AccessKeyId>().unwrap(), key);
    for bad in
        ["", "ASIA", "AKIA7777777777777777", "ASIA777777777777777", "ASIA77777777777777777", "ASIA777777777777777a"]
    {
        assert!(bad.parse::<AccessKeyId>().is_err(), "{bad}");
    }
}

#[test]
fn session_names_have_a_length_and_an_alphabet() {
    for good in ["ab", "ann@example.com", &"x".repeat(64)] {
        assert!(good.parse::<SessionName>().is_ok(), "{good}");
    }
    for bad in ["", "a", "a b", "ann*", "é́é", "a/b", &"x".repeat(65)] {
        assert!(bad.parse::<SessionName>().is_err(), "{bad}");
    }
}

#[test]
fn the_session_arn_drops_the_roles_path() {
    let role: Arn = "arn:aws:iam::000000000042:role/tools/analyst".parse().unwrap();
    let arn = session_arn("000000000042".parse().unwrap(), &role, &"ann".parse().unwrap()).unwrap();
    assert_eq!(arn.as_str(), "arn:aws:sts::000000000042:assumed-role/analyst/ann");
}

#[test]
fn a_tag_does_not_print_its_value() {
    let tag = Tag { key: "Cost".into(), value: "secret".into() };
    assert_eq!(format!("{tag:?}"), "Tag(Cost=..)");
    assert!(tag.has_key("cOST"));
}
