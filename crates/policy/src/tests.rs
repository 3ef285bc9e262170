//! Documents: what is read and what is refused, with the place.

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::{Document, DocumentKind, Error, StatementEffect, Version, explain};

fn read(kind: DocumentKind, text: &str) -> Result<Document, Error> {
    Document::parse(text, kind)
}

#[track_caller]
fn refused(kind: DocumentKind, document: Value, message: &str) {
    let error = Document::from_value(&document, kind).unwrap_err();
    assert_eq!(error.to_string(), message);
}

fn identity(statement: Value) -> Value {
    json!({"Version": "2012-10-17", "Statement": statement})
}

#[test]
fn single_and_list_forms_read_alike() {
    let single = read(
        DocumentKind::Identity,
        r#"{"Statement": {"Sid": "One", "Effect": "Deny", "Action": "s3:Get*", "Resource": "*", "Condition": {"Bool": {"aws:SecureTransport": false}}}}"#,
    )
    .unwrap();
    let list = read(
        DocumentKind::Identity,
        r#"{"Statement": [{"Sid": "One", "Effect": "Deny", "Action": ["s3:Get*"], "Resource": ["*"], "Condition": {"Bool": {"aws:SecureTransport": ["false"]}}}]}"#,
    )
    .unwrap();
    assert_eq!(single.statements(), list.statements());
    assert_eq!(single.version(), Version::V2008);
    assert_eq!(single.statements()[0].effect, StatementEffect::Deny);
    assert_eq!(
        explain::statement(&single.statements()[0]),
        "denies `s3:Get*` on every resource, if aws:SecureTransport is `false`"
    );
}

#[test]
fn what_is_refused_and_where() {
    use DocumentKind::{Identity, Resource, Trust};
    let s = |extra: Value| {
        let mut s = json!({"Effect": "Allow", "Action": "s3:*", "Resource": "*"});
        for (key, value) in extra.as_object().unwrap() {
            s[key] = value.clone();
        }
        identity(s)
    };
    refused(Identity, json!([]), "the document is `a list`: expected an object with `Version` and `Statement`");
    refused(Identity, json!({"Version": "2012-10-17"}), "the document has no `Statement`");
    refused(Identity, identity(json!([])), "Statement is `a list`: expected at least one statement");
    refused(
        Identity,
        json!({"Version": "2012-10-18", "Statement": []}),
        "Version is `2012-10-18`: expected `2012-10-17` or `2008-10-17`",
    );
    refused(
        Identity,
        json!({"Model": 1}),
        "unknown element `Model` in the document: expected one of `Version`, `Id`, `Statement`",
    );
    refused(Identity, s(json!({"Effect": "allow"})), "Statement.Effect is `allow`: expected `Allow` or `Deny`");
    refused(Identity, s(json!({"NotAction": "s3:*"})), "Statement has both `Action` and `NotAction`: keep one");
    refused(Identity, s(json!({"Principal": "*"})), "Statement has `Principal`, which an identity policy may not have");
    refused(Identity, s(json!({"Action": []})), "Statement.Action is `a list`: expected at least one value");
    refused(
        Identity,
        s(json!({"Action": "s*:Get"})),
        "Statement.Action[0] is `s*:Get`: expected `*` or `service:Name`, with `*` and `?` only in the name",
    );
    refused(
        Identity,
        s(json!({"Resource": ["*", "bucket/*"]})),
        "Statement.Resource[1] is `bucket/*`: expected `*` or an ARN",
    );
    refused(
        Identity,
        s(json!({"Resource": "arn:aws:*:::x"})),
        "Statement.Resource[0] is `arn:aws:*:::x`: expected an ARN without a wildcard in its service",
    );
    refused(
        Identity,
        s(json!({"Resource": "arn:aws:s3:${a:b}::x"})),
        "Statement.Resource[0] is `arn:aws:s3:${a:b}::x`: expected an ARN with variables only after the fifth colon",
    );
    refused(
        Identity,
        s(json!({"Condition": {"NumericEquals": {"a:b": "x"}}})),
        "Statement.Condition.NumericEquals.a:b[0] is `x`: expected a decimal number",
    );
    refused(
        Identity,
        s(json!({"Condition": {"StringEquals": {"a:b": {}}}})),
        "Statement.Condition.StringEquals.a:b is `an object`: expected text, a boolean or a number",
    );
    for operator in
        ["StringIs", "NullIfExists", "ForAnyValue:Null", "ForSome:StringEquals", "StringEqualsIfExistsIfExists"]
    {
        let error = Document::from_value(&s(json!({"Condition": {operator: {"a:b": "x"}}})), Identity).unwrap_err();
        assert!(matches!(&error, Error::UnknownElement { element, .. } if element == operator), "{error}");
    }
    refused(Resource, s(json!({})), "Statement has no `Principal`");
    refused(
        Resource,
        s(json!({"Principal": {"AWS": "arn:aws:iam::111122223333:role/*"}})),
        "Statement.Principal.AWS[0] is `arn:aws:iam::111122223333:role/*`: expected `*`, a 12-digit account, a unique id, or the whole ARN of an account root, user, role, role session or federated user",
    );
    refused(Trust, s(json!({"Principal": "*"})), "Statement has `Resource`, which a trust policy may not have");
    let mut not_principal = s(json!({"NotPrincipal": "*"}));
    not_principal["Statement"].as_object_mut().unwrap().remove("Resource");
    refused(Trust, not_principal, "Statement has `NotPrincipal`, which a trust policy may not have");
}

#[test]
fn text_that_is_not_quite_json() {
    for (text, message) in [
        ("", "not JSON at line 1 column 1: the text ends where a value is expected"),
        (
            "{\"Version\": \"2012-10-17\",\n  \"Version\": \"2008-10-17\"}",
            "the key `Version` stands twice in one object, at line 2 column 3: merge the two",
        ),
        ("{\"a\": 1,}", "not JSON at line 1 column 9: expected a key in double quotes"),
        ("{\"a\": tru}", "not JSON at line 1 column 7: expected a value"),
        ("{\"a\": 01}", "not JSON at line 1 column 7: not a number"),
        (
            "{\"a\": 0.12345678901234567890}",
            "not JSON at line 1 column 7: the number has more digits than JSON numbers keep: write it as text",
        ),
        ("{\"a\": \"\\ud800\"}", "not JSON at line 1 column 14: a lone surrogate is not a character"),
        ("{} {}", "not JSON at line 1 column 4: expected the end of the text after the value"),
        ("{\"a\": \"x\ny\"}", "not JSON at line 1 column 9: a control character inside text must be escaped"),
    ] {
        assert_eq!(read(DocumentKind::Identity, text).unwrap_err().to_string(), message, "{text}");
    }
    let deep = "[".repeat(20);
    assert!(read(DocumentKind::Identity, &deep).unwrap_err().to_string().contains("nested too deeply"));
    let long = format!("{{\"Id\": \"{}\"}}", "x".repeat(Document::BYTES_MAX));
    assert!(matches!(read(DocumentKind::Identity, &long), Err(Error::TooLarge { .. })));
    assert!(matches!(Document::parse_bytes(b"{\"\xff\"}", DocumentKind::Identity), Err(Error::NotUtf8 { offset: 2 })));
    let many = json!({"Statement": vec![json!({"Effect": "Allow", "Action": "*", "Resource": "*"}); Document::STATEMENTS_MAX + 1]});
    assert!(matches!(Document::from_value(&many, DocumentKind::Identity), Err(Error::TooMany { .. })));
}

#[test]
fn kinds_are_guessed_from_their_elements() {
    for (text, kind) in [
        (include_str!("../tests/fixtures/seed-trust-policy.json"), DocumentKind::Trust),
        (r#"{"Statement": [{"Principal": "*", "Resource": "*"}]}"#, DocumentKind::Resource),
        (r#"{"Statement": [{"Resource": "*"}]}"#, DocumentKind::Identity),
    ] {
        assert_eq!(DocumentKind::guess(text), Ok(kind));
    }
}

proptest! {
    /// Our reader and `serde_json` agree on what a value is.
    #[test]
    fn reads_what_serde_reads(text in r#"[\[\]{}:,"\\a0-9.eE+\- tfn]{0,24}"#) {
        let serde: Result<Value, _> = serde_json::from_str(&text);
        match crate::json::parse(&text, 1_000) {
            Ok(node) => prop_assert_eq!(Some(node.to_value()), serde.ok()),
            Err(Error::DuplicateKey { .. }) => prop_assert!(serde.is_ok()),
            Err(Error::Json { problem, .. }) => prop_assert!(serde.is_err() || problem.contains("digits") || problem.contains("deeply"), "{}", problem),
            Err(other) => prop_assert!(false, "{other}"),
        }
    }

    /// The canonical form is a fixed point: it reads as the same document.
    #[test]
    fn canonical_form_reads_as_the_same_document(sid in "[a-zæ\"\\\\]{0,6}", number in any::<i64>(), key in "[a-z]{1,5}:[A-Za-z/]{1,6}") {
        let value = identity(json!([{"Sid": sid, "Effect": "Allow", "Resource": "*", "Action": "*", "Condition": {"NumericEquals": {key: number % 1_000_000_007}}}]));
        let first = Document::parse(&serde_json::to_string_pretty(&value).unwrap(), DocumentKind::Identity).unwrap();
        let again = Document::parse(first.canonical(), DocumentKind::Identity).unwrap();
        prop_assert_eq!(first, again);
    }
}
