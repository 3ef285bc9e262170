//! Conditions: each operator against missing, one, many and empty values.

use super::*;
use serde_json::{Value, json};

fn test(operator: &str, values: &Value) -> Test {
    let values = match values {
        Value::Array(items) => items.iter().map(text).collect(),
        single => vec![text(single)],
    };
    let operator = Operator::parse(operator).unwrap();
    for value in &values {
        assert_eq!(check_value(operator, value), Ok(()), "{operator} {value}");
    }
    Test::new(&Condition { operator, key: "test:Key".to_owned(), values }, true)
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn context(found: &Value) -> Context {
    let context = Context::new().with("aws:username", "alice").with("aws:star", "*");
    match found {
        Value::Null => context,
        Value::Array(items) => context.with_all("TEST:key", items.iter().map(text)),
        single => context.with("TEST:key", text(single)),
    }
}

#[track_caller]
fn holds_for(operator: &str, values: Value, found: Value, want: bool) {
    let got = test(operator, &values).verdict(&context(&found)) == Verdict::Holds;
    assert_eq!(got, want, "{operator} {values} on {found}");
}

/// (operator, values, a request value that matches, one that does not, one of the wrong type)
fn samples() -> Vec<(&'static str, Value, Value, Value, Option<Value>)> {
    vec![
        ("StringEquals", json!("a"), json!("a"), json!("A"), None),
        ("StringEqualsIgnoreCase", json!("aØ"), json!("Aø"), json!("b"), None),
        ("StringLike", json!("a*"), json!("ab"), json!("ba"), None),
        ("NumericEquals", json!(0.3), json!("0.30"), json!("0.3000000000000000001"), Some(json!("x"))),
        ("NumericLessThan", json!(5), json!("4.9"), json!("5"), Some(json!("0x1"))),
        ("NumericLessThanEquals", json!(5), json!("5"), json!("5.1"), Some(json!(""))),
        ("NumericGreaterThan", json!(5), json!("5.1"), json!("5"), Some(json!("NaN"))),
        ("NumericGreaterThanEquals", json!(5), json!("5"), json!("4"), Some(json!("1_000"))),
        (
            "DateEquals",
            json!("2026-11-21T00:00:00Z"),
            json!("2026-11-21T01:00:00+01:00"),
            json!("2026-11-22"),
            Some(json!("soon")),
        ),
        ("DateLessThan", json!("2026-11-21"), json!("1"), json!("2026-11-21"), Some(json!("2026-11-21T00:00:00"))),
        ("DateLessThanEquals", json!("2026-11-21"), json!("2026-11-21"), json!("2026-12"), Some(json!("x"))),
        (
            "DateGreaterThan",
            json!("2026-11-21"),
            json!("2026-11-21T00:00:00.001Z"),
            json!("2026-11-21"),
            Some(json!("x")),
        ),
        ("DateGreaterThanEquals", json!(1_795_219_200), json!("2026-11-21"), json!("2026-11-20"), Some(json!("x"))),
        ("Bool", json!(true), json!("True"), json!("false"), Some(json!("yes"))),
        ("BinaryEquals", json!("QmluYXJ5"), json!("QmluYXJ5"), json!("QmluYXJ4"), Some(json!("*"))),
        ("IpAddress", json!("10.0.0.0/8"), json!("10.1.2.3"), json!("11.0.0.1"), Some(json!("10"))),
        ("IpAddress", json!("2001:db8::/32"), json!("2001:0DB8::1"), json!("10.0.0.1"), Some(json!("2001:db8::/32"))),
        (
            "ArnLike",
            json!("arn:aws:s3:::b/*"),
            json!("arn:aws:s3:::b/c:d"),
            json!("arn:aws:s3:::c"),
            Some(json!("b/c")),
        ),
        (
            "ArnEquals",
            json!("arn:aws:*:::b"),
            json!("arn:aws:s3:::b"),
            json!("arn:aws:s3::1:b"),
            Some(json!("arn:aws:s3")),
        ),
    ]
}

fn negation(operator: &str) -> Option<String> {
    Some(match operator {
        "StringEquals" => "StringNotEquals".to_owned(),
        "StringEqualsIgnoreCase" => "StringNotEqualsIgnoreCase".to_owned(),
        "StringLike" => "StringNotLike".to_owned(),
        "NumericEquals" => "NumericNotEquals".to_owned(),
        "DateEquals" => "DateNotEquals".to_owned(),
        "IpAddress" => "NotIpAddress".to_owned(),
        "ArnLike" => "ArnNotLike".to_owned(),
        "ArnEquals" => "ArnNotEquals".to_owned(),
        _ => return None,
    })
}

#[test]
fn every_operator_against_missing_one_many_and_empty() {
    for (operator, values, yes, no, ill) in samples() {
        let negated = negation(operator);
        let forms = std::iter::once((operator.to_owned(), false)).chain(negated.map(|name| (name, true)));
        for (name, negated) in forms {
            let is = |expected: bool| expected != negated;
            for (suffix, absent) in [("", negated), ("IfExists", true)] {
                let name = format!("{name}{suffix}");
                holds_for(&name, values.clone(), Value::Null, absent);
                holds_for(&name, values.clone(), yes.clone(), is(true));
                holds_for(&name, values.clone(), no.clone(), is(false));
                holds_for(&name, values.clone(), json!([]), false);
                holds_for(&name, values.clone(), json!([yes, yes]), false);
                if let Some(ill) = &ill {
                    holds_for(&name, values.clone(), ill.clone(), false);
                }
                let any = format!("ForAnyValue:{name}");
                holds_for(&any, values.clone(), Value::Null, false);
                holds_for(&any, values.clone(), json!([]), false);
                holds_for(&any, values.clone(), json!(["", ""]), false);
                holds_for(&any, values.clone(), json!([yes, no]), true);
                holds_for(&any, values.clone(), json!([yes, yes]), is(true));
                holds_for(&any, values.clone(), json!([no, no]), is(false));
                let all = format!("ForAllValues:{name}");
                holds_for(&all, values.clone(), Value::Null, true);
                holds_for(&all, values.clone(), json!([]), true);
                holds_for(&all, values.clone(), json!(""), true);
                holds_for(&all, values.clone(), json!([yes, no]), false);
                holds_for(&all, values.clone(), json!([yes, yes]), is(true));
                holds_for(&all, values.clone(), json!([no, no]), is(false));
            }
        }
    }
}

#[test]
fn presence() {
    for (values, absent, present) in [
        (json!("true"), true, false),
        (json!(false), false, true),
        (json!(["true", "False"]), true, true),
        (json!([]), false, false),
    ] {
        holds_for("Null", values.clone(), Value::Null, absent);
        for found in [json!("x"), json!(""), json!([]), json!(["a", "b"])] {
            holds_for("Null", values.clone(), found, present);
        }
    }
}

#[test]
fn several_values_are_or_and_negated_nor() {
    holds_for("StringEquals", json!(["a", "b"]), json!("b"), true);
    holds_for("StringNotEquals", json!(["a", "b"]), json!("b"), false);
    holds_for("StringNotEquals", json!(["a", "b"]), json!("c"), true);
    holds_for("StringEquals", json!([]), json!("a"), false);
    holds_for("StringNotEquals", json!([]), json!("a"), true);
}

#[test]
fn wildcards_and_variables() {
    holds_for("StringEquals", json!("a*"), json!("ab"), false);
    holds_for("StringEquals", json!("a*"), json!("a*"), true);
    holds_for("StringLike", json!("*"), json!(""), true);
    holds_for("StringLike", json!("?*"), json!(""), false);
    holds_for("StringLike", json!("home/${aws:username}/*"), json!("home/alice/x"), true);
    holds_for("StringLike", json!("${aws:star}"), json!("anything"), false);
    holds_for("StringLike", json!("${aws:star}"), json!("*"), true);
    holds_for("StringEqualsIgnoreCase", json!("${aws:username}"), json!("ALICE"), true);
    // A variable without a value matches nothing.
    holds_for("StringLike", json!("${aws:none}"), json!(""), false);
    holds_for("StringNotLike", json!("${aws:none}"), json!("x"), true);
    holds_for("StringNotLike", json!(["${aws:none}", "x"]), json!("x"), false);
    holds_for("ArnLike", json!("arn:aws:iam::*:user/${aws:username}"), json!("arn:aws:iam::1:user/alice"), true);
    let whole = test("ArnEquals", &json!("${aws:whole}"));
    let arn = "arn:aws:iam::1:user/a:b";
    let held = |whole_arn: &str| {
        whole.verdict(&Context::new().with("test:key", arn).with("aws:whole", whole_arn)) == Verdict::Holds
    };
    assert!(held(arn));
    assert!(!held("arn:aws:iam::1:user/*"), "a wildcard that came in is literal");
}

#[test]
fn an_arn_wildcard_stays_in_its_part() {
    holds_for("ArnLike", json!("arn:aws:s3:*"), json!("arn:aws:s3:::b"), false);
    holds_for("ArnLike", json!("arn:*:*:*:*:*"), json!("arn:aws:s3:::b"), true);
    holds_for("ArnLike", json!("arn:aws:s3*:::b"), json!("arn:aws:s3::1:b"), false);
    holds_for("ArnLike", json!("arn:aws:sns:*:1:t*"), json!("arn:aws:sns:eu:2:1:t"), false);
}

#[test]
fn numbers_are_decimal() {
    holds_for("NumericEquals", json!("0.3"), json!("0.1"), false);
    holds_for("NumericEquals", json!("1e3"), json!("1000"), true);
    holds_for("NumericEquals", json!("9007199254740993"), json!("9007199254740992"), false);
    holds_for("NumericGreaterThan", json!("-1"), json!("-0.5"), true);
    // More digits than are kept: not a number, rather than a rounded one.
    holds_for("NumericEquals", json!("5"), json!("5.00000000000000000000000000000000001"), false);
    holds_for("NumericNotEquals", json!("5"), json!("5.00000000000000000000000000000000001"), false);
}

#[test]
fn a_multivalued_key_needs_a_set_operator() {
    let operator = Operator::parse("StringEquals").unwrap();
    let test = Test::new(&Condition { operator, key: "aws:TagKeys".to_owned(), values: vec!["a".to_owned()] }, true);
    assert_eq!(test.verdict(&Context::new().with("aws:tagkeys", "a")), Verdict::NotSingle);
}

#[test]
fn an_address_is_not_evaded_by_its_spelling() {
    holds_for("IpAddress", json!("10.0.0.0/8"), json!("::ffff:10.1.2.3"), true);
    holds_for("NotIpAddress", json!("10.0.0.0/8"), json!("::ffff:10.1.2.3"), false);
    holds_for("IpAddress", json!("::/0"), json!("2001:db8::1"), true);
    holds_for("IpAddress", json!("0.0.0.0/0"), json!("192.0.2.1"), true);
    holds_for("IpAddress", json!("10.1.2.3/8"), json!("10.9.9.9"), true);
}

#[test]
fn dates_are_read_without_names_of_zones() {
    holds_for("DateGreaterThan", json!("2020-01-01"), json!("2026-11-21T00:00:00+01:00[Europe/Copenhagen]"), false);
    holds_for("DateGreaterThan", json!("2020-01-01"), json!("2026-11-21 00:00:00Z"), false);
    holds_for("DateGreaterThan", json!("2020-01-01"), json!("2026-11-21T00:00Z"), true);
    holds_for("DateLessThan", json!("2020-01-01"), json!("-86400"), true);
}
