//! Names parse exactly; positions take the oldest.

use super::*;

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
    let key = AccessKeyId::from_entropy([0xff; 10]);
    assert_eq!(key.as_str(), "ASIA7777777777777777");
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
