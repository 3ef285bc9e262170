//! Each lint fires on its case and stays silent on the mend.

use super::*;
use serde_json::{Value, json};

fn codes(kind: DocumentKind, statement: Value) -> Vec<&'static str> {
    with(kind, statement, &LintOptions::default())
}

fn with(kind: DocumentKind, statement: Value, options: &LintOptions<'_>) -> Vec<&'static str> {
    let document = json!({"Version": "2012-10-17", "Statement": statement});
    let document = Document::from_value(&document, kind).unwrap();
    lint(&document, options).iter().map(|f| f.code.as_str()).collect()
}

fn allow(condition: Value) -> Value {
    json!({"Effect": "Allow", "Action": "s3:*", "Resource": "*", "Condition": condition})
}

fn trust(condition: Value) -> Value {
    json!({"Effect": "Allow", "Principal": {"Federated": "arn:aws:iam::111122223333:saml-provider/okta"},
           "Action": ["sts:AssumeRoleWithSAML", "sts:TagSession", "sts:SetSourceIdentity"], "Condition": condition})
}

#[track_caller]
fn identity(condition: Value, want: &[&str]) {
    assert_eq!(codes(DocumentKind::Identity, allow(condition)), want);
}

#[test]
fn the_printed_trust_policy_of_the_seed_can_never_be_met() {
    let text = include_str!("../../tests/fixtures/seed-trust-policy.json");
    let document = Document::parse(text, DocumentKind::Trust).unwrap();
    let findings = lint(&document, &LintOptions::default());
    let codes: Vec<LintCode> = findings.iter().map(|f| f.code).collect();
    assert_eq!(codes, [LintCode::Version2008, LintCode::Unsatisfiable, LintCode::UnanchoredCode]);
    let unsatisfiable = &findings[1];
    assert_eq!(unsatisfiable.statement, Some(0));
    assert!(unsatisfiable.message.contains("sts:SourceIdentity"), "{}", unsatisfiable.message);
    assert!(unsatisfiable.mend.contains("drop the StringNotLike `*`"), "{}", unsatisfiable.mend);
    assert!(unsatisfiable.mend.contains("\"Null\": {\"sts:SourceIdentity\": \"false\"}"));
    assert!(findings[2].mend.contains("*:xxxx:*"));
}

#[test]
fn the_working_form_has_no_finding() {
    let text = include_str!("../../tests/fixtures/working-trust-policy.json");
    let document = Document::parse(text, DocumentKind::Trust).unwrap();
    assert_eq!(lint(&document, &LintOptions::default()), []);
}

#[test]
fn conditions_that_exclude_one_another() {
    const NEVER: &[&str] = &["unsatisfiable"];
    for never in [
        json!({"StringEquals": {"aws:x": "a"}, "StringLike": {"AWS:X": "b*"}}),
        json!({"StringLike": {"aws:x": ["a*", "b*"]}, "StringNotLike": {"aws:x": ["?*"]}, "Null": {"aws:x": "false"}}),
        json!({"StringLike": {"aws:x": "a*"}, "StringNotLike": {"aws:x": "?*"}}),
        json!({"StringEquals": {"aws:x": "a"}, "Null": {"aws:x": "true"}}),
        json!({"StringLike": {"aws:x": "*a"}, "StringEquals": {"aws:x": ["b", "ab"]}}),
        json!({"StringEqualsIgnoreCase": {"aws:x": "A"}, "StringNotEqualsIgnoreCase": {"aws:x": "a"}}),
        json!({"NumericGreaterThan": {"aws:x": 5}, "NumericLessThan": {"aws:x": 5}}),
        json!({"NumericGreaterThanEquals": {"aws:x": 5}, "NumericLessThanEquals": {"aws:x": "5.0"}, "NumericNotEquals": {"aws:x": 5}}),
        json!({"DateGreaterThan": {"aws:x": "2026-01-01T00:00:00Z"}, "DateLessThan": {"aws:x": "2025-01-01T00:00:00Z"}}),
        json!({"IpAddress": {"aws:x": "10.1.0.0/16"}, "NotIpAddress": {"aws:x": "10.0.0.0/8"}}),
        json!({"Bool": {"aws:x": true}, "BoolIfExists": {"aws:x": false}}),
        json!({"ForAnyValue:StringEquals": {"aws:TagKeys": "a"}, "ForAllValues:StringEquals": {"aws:TagKeys": "b"}}),
    ] {
        identity(never, NEVER);
    }
}

#[test]
fn conditions_that_can_be_met_together() {
    for fine in [
        json!({"StringLike": {"aws:x": "a*"}, "StringNotLike": {"aws:x": "ab*"}}),
        json!({"StringLike": {"aws:x": "*a*"}, "StringEquals": {"aws:x": ["bab", "c"]}}),
        json!({"StringLike": {"aws:x": "${aws:y}*"}, "StringEquals": {"aws:x": "q"}}),
        json!({"StringEquals": {"aws:x": "q"}, "StringNotEquals": {"aws:x": "${aws:y}"}}),
        json!({"ArnLike": {"aws:x": "arn:aws:s3:::*"}, "ArnNotLike": {"aws:x": "arn:aws:s3:::a*"}}),
        json!({"NumericGreaterThan": {"aws:x": 5}, "NumericLessThan": {"aws:x": 6}}),
        json!({"NumericGreaterThan": {"aws:x": "-79228162514264337593543950335"}, "NumericLessThan": {"aws:x": "79228162514264337593543950335"}}),
        json!({"DateGreaterThan": {"aws:x": "2025-01-01"}, "DateLessThan": {"aws:x": "2025-01-02"}}),
        json!({"IpAddress": {"aws:x": "10.0.0.0/8"}, "NotIpAddress": {"aws:x": ["10.0.0.0/9", "10.128.0.0/10"]}}),
        json!({"ForAnyValue:StringEquals": {"aws:TagKeys": "a"}, "ForAllValues:StringEquals": {"aws:TagKeys": ["a", "b"]}}),
        json!({"StringEqualsIfExists": {"aws:x": "a"}, "Null": {"aws:x": "true"}}),
    ] {
        identity(fine, &[]);
    }
}

#[test]
fn a_negated_operator_needs_the_key() {
    identity(json!({"StringNotEquals": {"aws:x": "a"}}), &["negated-without-null"]);
    identity(json!({"StringNotEquals": {"aws:x": "a"}, "Null": {"AWS:x": false}}), &[]);
    identity(json!({"StringNotLike": {"aws:x": "ab*"}, "StringLike": {"aws:x": "a*"}}), &[]);
    identity(json!({"ForAnyValue:StringNotEquals": {"aws:TagKeys": "a"}}), &[]);
    let mut deny = allow(json!({"StringNotEquals": {"aws:x": "a"}}));
    deny["Effect"] = json!("Deny");
    assert_eq!(codes(DocumentKind::Identity, deny), [""; 0]);
}

#[test]
fn for_all_values_holds_for_nothing_at_all() {
    identity(json!({"ForAllValues:StringEquals": {"aws:TagKeys": "a"}}), &["for-all-values-in-allow"]);
    identity(json!({"ForAllValues:StringEquals": {"aws:TagKeys": "a"}, "Null": {"aws:TagKeys": "false"}}), &[]);
    let limited = json!({"ForAllValues:StringEquals": {"aws:TagKeys": "GroupHash"}, "StringLike": {"aws:RequestTag/GroupHash": "*:k7q2:*"}});
    assert_eq!(codes(DocumentKind::Trust, trust(limited)), [""; 0]);
}

#[test]
fn group_codes() {
    let known = HashSet::from(["k7q2".to_owned()]);
    let retired = HashSet::from(["m4wd".to_owned()]);
    let options = LintOptions { known_group_codes: Some(&known), retired_group_codes: Some(&retired), code_tags: &[] };
    let of = |value: &str| {
        with(DocumentKind::Trust, trust(json!({"StringLike": {"aws:RequestTag/GroupHash": value}})), &options)
    };
    assert_eq!(of("*:k7q2:*"), [""; 0]);
    assert_eq!(of("*k7q2*"), ["unanchored-code"]);
    assert_eq!(of("*:k7q2*"), ["unanchored-code"]);
    assert_eq!(of("*:m4wd:*"), ["retired-group-code"]);
    assert_eq!(of("*:zzzz:*"), ["unknown-group-code"]);
    let sharded = trust(json!({"StringLike": {"aws:RequestTag/GroupHash2": "*zzzz*"}}));
    assert_eq!(with(DocumentKind::Trust, sharded, &options), ["unanchored-code", "unknown-group-code"]);
    let other = trust(json!({"StringLike": {"aws:RequestTag/Team": "*zzzz*"}}));
    assert_eq!(with(DocumentKind::Trust, other, &options), [""; 0]);
}

#[test]
fn trust_policies_need_their_sub_actions() {
    let mut bare = trust(json!({"StringLike": {"aws:RequestTag/Team": "x"}}));
    bare["Action"] = json!("sts:AssumeRoleWithSAML");
    assert_eq!(codes(DocumentKind::Trust, bare.clone()), ["missing-tag-session", "missing-set-source-identity"]);
    let mut more = trust(json!({}));
    more["Action"] = json!(["sts:TagSession", "sts:SetSourceIdentity"]);
    assert_eq!(codes(DocumentKind::Trust, json!([bare, more])), [""; 0]);
    let mut open = trust(json!({}));
    open["Principal"] = json!("*");
    assert_eq!(codes(DocumentKind::Trust, open.clone()), ["wildcard-principal"]);
    open["Principal"] = json!({"Federated": "*"});
    assert_eq!(codes(DocumentKind::Trust, open), ["wildcard-principal"]);
}

#[test]
fn the_rest() {
    identity(json!({"StringEquals": {"aws:TagKeys": "a"}}), &["needs-set-operator"]);
    identity(json!({"ArnLike": {"aws:x": "arn:aws:s3"}}), &["short-arn"]);
    identity(json!({"StringEquals": {"aws:x": []}}), &["unsatisfiable", "no-values"]);
    let scp = json!({"Effect": "Allow", "Action": "*", "Resource": "arn:aws:s3"});
    assert_eq!(codes(DocumentKind::ServiceControl, scp), ["short-arn"]);
    let long: Vec<String> = (0..200).map(|i| format!("arn:aws:s3:::bucket-{i}/{}", "x".repeat(20))).collect();
    let long = json!({"Effect": "Allow", "Action": "s3:*", "Resource": long});
    assert_eq!(codes(DocumentKind::Identity, long), ["document-size"]);
    let old = |resource: &str| {
        let text = json!({"Statement": {"Effect": "Allow", "Action": "s3:*", "Resource": resource}});
        lint(&Document::from_value(&text, DocumentKind::Identity).unwrap(), &LintOptions::default())
    };
    assert_eq!(old("*")[0].code, LintCode::Version2008);
    assert_eq!(old("arn:aws:s3:::home/${aws:username}/*")[0].code, LintCode::VariablesUnder2008);
}

/// The product of these automata has 2^60 states; the lint gives up in time, and giving up is not a finding.
#[test]
fn hostile_conditions_take_little_work() {
    let late = format!("*a{}", "?".repeat(60));
    identity(json!({"StringLike": {"aws:x": late}, "StringNotLike": {"aws:x": ["?*", ""]}}), &[]);
    identity(json!({"StringLike": {"aws:x": late}, "StringNotLike": {"aws:x": "*"}}), &["unsatisfiable"]);
    let many: Vec<String> = (0..200).map(|i| format!("*{i}*a?????b")).collect();
    identity(json!({"StringLike": {"aws:x": many}, "StringNotLike": {"aws:x": "?*"}}), &[]);
}

#[test]
fn findings_as_json() {
    let finding = finding(LintCode::ShortArn, "m".to_owned(), "n");
    assert_eq!(
        serde_json::to_string(&finding).unwrap(),
        r#"{"code":"short-arn","statement":null,"message":"m","mend":"n"}"#
    );
}

#[test]
fn names_and_wildcards_that_mislead() {
    identity(json!({"StringEquals": {"aws:x": "a*"}}), &["wildcard-without-like"]);
    identity(json!({"StringEquals": {"aws:x": "a?"}}), &["wildcard-without-like"]);
    identity(json!({"StringEqualsIgnoreCase": {"aws:x": ["a", "*"]}}), &["wildcard-without-like"]);
    identity(json!({"StringEquals": {"aws:x": "a${*}${?}"}}), &[]);
    identity(json!({"StringLike": {"aws:x": "a*"}}), &[]);

    let named = |sids: [&str; 2]| {
        json!(sids.map(|sid| json!({"Sid": sid, "Effect": "Allow", "Action": "s3:*", "Resource": "*"})))
    };
    assert_eq!(codes(DocumentKind::Identity, named(["A", "A"])), ["duplicate-sid"]);
    assert_eq!(codes(DocumentKind::Identity, named(["A", "B"])), [""; 0]);
    assert_eq!(codes(DocumentKind::Identity, named(["", ""])), [""; 0]);

    let all_but = |effect: &str| json!({"Effect": effect, "NotPrincipal": {"AWS": "111122223333"}, "Action": "s3:*", "Resource": "*"});
    assert_eq!(codes(DocumentKind::Resource, all_but("Allow")), ["allow-with-not-principal"]);
    assert_eq!(codes(DocumentKind::Resource, all_but("Deny")), [""; 0]);
}
