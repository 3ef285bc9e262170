//! Lines that people read, as they read.

use super::*;
use crate::DocumentKind;
use serde_json::{Value, json};

#[track_caller]
fn reads(kind: DocumentKind, said: Value, line: &str) {
    let document = Document::from_value(&json!({"Version": "2012-10-17", "Statement": said}), kind).unwrap();
    assert_eq!(statement(&document.statements()[0]), line);
}

#[test]
fn statements_read_as_sentences() {
    reads(
        DocumentKind::Identity,
        json!({"Effect": "Allow", "Action": ["s3:Get*", "s3:List*"], "Resource": "*"}),
        "allows `s3:Get*`, `s3:List*` on every resource",
    );
    reads(
        DocumentKind::Identity,
        json!({"Effect": "Deny", "NotAction": "iam:*", "NotResource": "arn:aws:s3:::b"}),
        "denies every action but `iam:*` on every resource but `arn:aws:s3:::b`",
    );
    reads(
        DocumentKind::Trust,
        json!({"Effect": "Allow", "Principal": {"Federated": "arn:aws:iam::1:saml-provider/p"}, "Action": "sts:AssumeRoleWithSAML",
               "Condition": {"StringLike": {"aws:RequestTag/GroupHash": "*:k7q2:*"}, "Null": {"sts:SourceIdentity": "false"}}}),
        "allows `sts:AssumeRoleWithSAML` to `arn:aws:iam::1:saml-provider/p`, if sts:SourceIdentity is present and \
         aws:RequestTag/GroupHash is like `*:k7q2:*`",
    );
    reads(
        DocumentKind::Resource,
        json!({"Effect": "Deny", "NotPrincipal": {"AWS": "111122223333"}, "Action": "*", "Resource": "*",
               "Condition": {"ForAnyValue:StringNotEqualsIfExists": {"aws:TagKeys": ["a", "b", "c", "d", "e", "f", "g", "h"]}}}),
        "denies every action on every resource to everybody but account 111122223333, if some value of aws:TagKeys is not \
         `a`, `b`, `c`, `d`, `e`, `f` and 2 more (where it is present)",
    );
}

#[test]
fn decisions_read_as_sentences() {
    let answer = |identity: Value| {
        let question = json!({"identity_policies": [identity], "permission_boundary": null, "request": {
            "principal": "arn:aws:sts::111122223333:assumed-role/r/s", "action": "s3:GetObject", "resource": "arn:aws:s3:::b/k",
            "resource_account": "111122223333"}});
        decision(&crate::simulate::simulate(&question.to_string()).unwrap().decision)
    };
    let said =
        |effect: &str| json!({"Statement": {"Sid": "Reads", "Effect": effect, "Action": "s3:*", "Resource": "*"}});
    assert_eq!(answer(said("Allow")), "allowed by identity policy 0, statement 0 (`Reads`)");
    assert_eq!(answer(said("Deny")), "denied by identity policy 0, statement 0 (`Reads`)");
    let other = json!({"Statement": {"Effect": "Allow", "Action": "iam:*", "Resource": "*"}});
    assert_eq!(answer(other), "denied: no identity policy allows it");
}
