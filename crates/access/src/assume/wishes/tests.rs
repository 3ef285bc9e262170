//! Each limit at its edge.

use super::*;
use crate::session::tests::sample;
use proptest::prelude::*;

fn tag(key: &str) -> Tag {
    Tag { key: key.into(), value: "v".into() }
}

fn wishes(policy: Option<&str>, arns: &[&str]) -> SessionWishes {
    SessionWishes {
        role_arn: "arn:aws:iam::000000000042:role/analyst".parse().unwrap(),
        policy: policy.map(str::to_owned),
        policy_arns: arns.iter().map(|arn| arn.parse().unwrap()).collect(),
        duration_seconds: None,
        token_bytes_min: 0,
    }
}

#[test]
fn durations_are_refused_and_never_clamped() {
    assert_eq!(duration(None, 43_200, false).unwrap(), 3600);
    assert_eq!(duration(Some(43_200), 43_200, false).unwrap(), 43_200);
    assert_eq!(duration(Some(43_200), 43_199, false).unwrap_err().code, Code::ValidationError);
    assert_eq!(duration(Some(3600), 43_200, true).unwrap(), 3600);
    let fault = duration(Some(3601), 43_200, true).unwrap_err();
    assert!(fault.message.contains("role chaining"), "{fault}");
}

#[test]
fn transitive_tags_are_inherited_and_cannot_be_passed_again() {
    let parent = sample();
    let set = tags(Some(&parent), vec![tag("Team")], vec!["Team".into()]).unwrap();
    assert_eq!(set.tags.iter().map(|t| t.key.as_str()).collect::<Vec<_>>(), ["Cost", "Team"]);
    assert_eq!(set.transitive, ["Cost", "Team"]);
    for again in ["Cost", "cOST"] {
        assert_eq!(tags(Some(&parent), vec![tag(again)], vec![]).unwrap_err().code, Code::ValidationError);
    }
    let mut plain = sample();
    plain.transitive.clear();
    assert_eq!(
        tags(Some(&plain), vec![tag("Cost")], vec![]).unwrap().tags,
        [tag("Cost")],
        "not transitive: not inherited"
    );
}

#[test]
fn fifty_tags_together_are_the_most() {
    let many = |n: usize| (0..n).map(|i| tag(&format!("k{i}"))).collect::<Vec<_>>();
    assert!(tags(Some(&sample()), many(49), vec![]).is_ok());
    assert!(tags(Some(&sample()), many(50), vec![]).is_err());
    assert!(tags(None, many(50), vec![]).is_ok());
}

const POLICY: &str =
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"*"}]}"#;

#[test]
fn policies_are_of_the_account_and_known() {
    let account = "000000000042".parse().unwrap();
    let known = |arn: &str| (arn == "arn:aws:iam::000000000042:policy/Known").then(|| Arc::from(POLICY));
    let of = |wishes: SessionWishes| policies(&wishes, account, known).map(|p| p.len()).map_err(|f| f.code);
    assert_eq!(of(wishes(Some(POLICY), &["arn:aws:iam::000000000042:policy/Known"])), Ok(2));
    assert_eq!(of(wishes(None, &["arn:aws:iam::000000000042:policy/Other"])), Err(Code::ValidationError));
    assert_eq!(of(wishes(None, &["arn:aws:iam::000000000043:policy/Known"])), Err(Code::ValidationError));
    let long = format!("{POLICY}{}", " ".repeat(2048 - POLICY.len()));
    assert_eq!(of(wishes(Some(&long), &[])), Ok(1));
    assert_eq!(of(wishes(Some(&long), &["arn:aws:iam::000000000042:policy/Known"])), Err(Code::ValidationError));
    for bad in ["", "{", "{}", "[]", r#"{"Version":"2012-10-17","Statement":[{"Effect":"Perhaps"}]}"#] {
        assert_eq!(of(wishes(Some(bad), &[])), Err(Code::MalformedPolicyDocument), "{bad}");
    }
}

#[test]
fn the_packed_size_names_the_figure() {
    let mut session = sample();
    assert_eq!(packed(&session).unwrap(), 1);
    session.tags = (0..50).map(|n| Tag { key: format!("k{n}"), value: "v".repeat(256) }).collect();
    let fault = packed(&session).unwrap_err();
    assert_eq!(fault.code, Code::PackedPolicyTooLarge);
    assert!(fault.message.starts_with("Packed size of session tags consumes 1"), "{fault}");
    assert!(fault.message.ends_with("% of allotted space."), "{fault}");
}

proptest! {
    #[test]
    fn a_duration_is_what_was_asked_or_an_error(asked in 900_u32..=43_200, max in 3600_u32..=43_200, chained: bool) {
        match duration(Some(asked), max, chained) {
            Ok(seconds) => prop_assert!(seconds == asked && asked <= max && (!chained || asked <= 3600)),
            Err(fault) => {
                prop_assert!(asked > max || (chained && asked > 3600));
                prop_assert_eq!(fault.code, Code::ValidationError);
            }
        }
    }
}
