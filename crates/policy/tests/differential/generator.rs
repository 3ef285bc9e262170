//! Random questions from a seed: the same seed makes the same questions on every machine.
//!
//! Two families: `focused` turns one operator through (missing, one, many, empty) values under both effects; `composed` mixes
//! documents, principal forms, accounts, resources and services. A question carries marks for what an accepted difference may hang on.

use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

/// SplitMix64 (Steele, Lea, Flood 2014): small, and the same everywhere.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }

    /// True once in `n`.
    pub(crate) fn once_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    pub(crate) fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }

    fn some(&mut self, from: &[&str], max: usize) -> Vec<String> {
        (0..=self.below(max)).map(|_| (*self.pick(from)).to_owned()).collect()
    }
}

/// What a focused question turns.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Cell {
    pub(crate) operator: String,
    pub(crate) cardinality: &'static str,
    pub(crate) effect: &'static str,
}

/// A question and what is known about it.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) question: Value,
    pub(crate) cell: Option<Cell>,
    pub(crate) marks: BTreeSet<&'static str>,
}

pub(crate) const CARDINALITIES: &[&str] = &["missing", "one", "many", "empty"];
pub(crate) const EFFECTS: &[&str] = &["Allow", "Deny"];

const BASES: &[&str] = &[
    "StringEquals",
    "StringNotEquals",
    "StringEqualsIgnoreCase",
    "StringNotEqualsIgnoreCase",
    "StringLike",
    "StringNotLike",
    "NumericEquals",
    "NumericNotEquals",
    "NumericLessThan",
    "NumericLessThanEquals",
    "NumericGreaterThan",
    "NumericGreaterThanEquals",
    "DateEquals",
    "DateNotEquals",
    "DateLessThan",
    "DateLessThanEquals",
    "DateGreaterThan",
    "DateGreaterThanEquals",
    "Bool",
    "BinaryEquals",
    "IpAddress",
    "NotIpAddress",
    "ArnEquals",
    "ArnNotEquals",
    "ArnLike",
    "ArnNotLike",
];

/// Every operator with every qualifier.
pub(crate) fn operators() -> Vec<String> {
    let mut out = vec!["Null".to_owned()];
    for base in BASES {
        for set in ["", "ForAnyValue:", "ForAllValues:"] {
            for exists in ["", "IfExists"] {
                out.push(format!("{set}{base}{exists}"));
            }
        }
    }
    out
}

const ACCOUNT: &str = "111122223333";
const OTHER: &str = "999900001111";
const ROLE: &str = "arn:aws:iam::111122223333:role/team/analyst";
const SESSION: &str = "arn:aws:sts::111122223333:assumed-role/analyst/alice";
const USER: &str = "arn:aws:iam::111122223333:user/bob";
const FEDERATED: &str = "arn:aws:sts::111122223333:federated-user/bob";
const PROVIDER: &str = "arn:aws:iam::111122223333:saml-provider/okta";
const SERVICE: &str = "lambda.amazonaws.com";

const TEXTS: &[&str] =
    &["alice", "Alice", "bob", "a*", "home/alice", "home/bob", "", ":k7q2:m4wd:", ":k7q2:", "k7q2", "x.y", "a+b"];
const TEXT_PATTERNS: &[&str] =
    &["alice", "ALICE", "a*", "*", "?*", "*:k7q2:*", "home/*", "???", "x.y", "x?y", "", "bob", "a${*}", "*b"];
const TEXT_VARIABLES: &[&str] = &[
    "${aws:username}",
    "home/${aws:username}",
    "${aws:PrincipalTag/Team, 'bob'}",
    "${aws:none, 'alice'}",
    "${AWS:UserName}*",
];
const NUMBERS: &[&str] = &["0", "5", "5.0", "5.5", "-3", "100", "4.999"];
const DATES: &[&str] = &[
    "2026-11-21T00:00:00Z",
    "2026-11-21T01:00:00+01:00",
    "2026-11-20T23:59:59Z",
    "2025-02-28T12:00:00Z",
    "2024-02-29",
    "2026-11-21",
];
const EPOCHS: &[&str] = &["1795219200", "0", "1700000000"];
const FLAGS: &[&str] = &["true", "false", "True", "FALSE"];
const BYTES: &[&str] = &["QmluYXJ5", "QQ==", "QUI=", ""];
const ADDRESSES: &[&str] = &["10.1.2.3", "10.1.2.4", "192.168.0.7", "203.0.113.9"];
const NETWORKS: &[&str] = &["10.0.0.0/8", "10.1.2.0/30", "192.168.0.0/16", "203.0.113.9/32", "10.1.2.3"];
const SIXES: &[&str] = &["2001:db8:0:0:0:0:0:1", "2001:db8:1:0:0:0:0:1"];
const SIX_NETWORKS: &[&str] = &["2001:db8:0:0:0:0:0:0/48", "2001:db8:0:0:0:0:0:0/32"];
const ARNS: &[&str] = &[
    "arn:aws:iam::111122223333:role/team/analyst",
    "arn:aws:s3:::bucket/a:b/c",
    "arn:aws:sns:eu-north-1:111122223333:topic",
    "arn:aws:iam::999900001111:user/bob",
];
const ARN_PATTERNS: &[&str] = &[
    "arn:aws:iam::111122223333:role/*",
    "arn:aws:iam::*:user/bob",
    "arn:aws:s3:::bucket/*",
    "arn:*:s3:::b?cket/a:b/c",
    "arn:aws:sns:*:*:topic",
    "arn:aws:sns:eu-*:1111*:*",
    "arn:aws:*:*:*:*",
];

/// One family of operators: its request values, its document values, and an ill-typed request value.
struct Family {
    asked: Vec<&'static str>,
    said: Vec<&'static str>,
    ill: Option<&'static str>,
}

fn family(dice: &mut Dice, base: &str, marks: &mut BTreeSet<&'static str>) -> Family {
    let of =
        |asked: &[&'static str], said: &[&'static str], ill| Family { asked: asked.to_vec(), said: said.to_vec(), ill };
    if base.starts_with("String") {
        let mut f = of(TEXTS, TEXT_PATTERNS, None);
        if dice.once_in(3) {
            f.said.extend_from_slice(TEXT_VARIABLES);
        }
        f
    } else if base.starts_with("Numeric") {
        of(NUMBERS, NUMBERS, Some("many"))
    } else if base.starts_with("Date") {
        if dice.once_in(5) {
            marks.insert("epoch");
            of(&[DATES, EPOCHS].concat(), &[DATES, EPOCHS].concat(), Some("soon"))
        } else {
            of(DATES, DATES, Some("soon"))
        }
    } else if base == "Bool" {
        of(FLAGS, FLAGS, Some("yes"))
    } else if base == "BinaryEquals" {
        of(BYTES, BYTES, None)
    } else if base.contains("IpAddress") {
        match dice.below(8) {
            0 => {
                marks.insert("mixed-addresses");
                of(
                    &[ADDRESSES, SIXES].concat(),
                    &[NETWORKS, SIX_NETWORKS, &["0.0.0.0/0", "2001:db8::1"]].concat(),
                    Some("10.1"),
                )
            }
            1 => of(SIXES, SIX_NETWORKS, Some("::x")),
            _ => of(ADDRESSES, NETWORKS, Some("10.1")),
        }
    } else {
        of(ARNS, ARN_PATTERNS, Some("bucket"))
    }
}

fn base_of(operator: &str) -> &str {
    let name = operator.split_once(':').map_or(operator, |(_, rest)| rest);
    name.strip_suffix("IfExists").unwrap_or(name)
}

/// One question for `cell`.
pub(crate) fn focused(dice: &mut Dice, cell: &Cell) -> Case {
    let mut marks = BTreeSet::new();
    let base = base_of(&cell.operator);
    let (family, values) = if base == "Null" {
        let said = dice.some(&["true", "false"], 2);
        (Family { asked: TEXTS.to_vec(), said: vec![], ill: None }, said)
    } else {
        let family = family(dice, base, &mut marks);
        let values = dice.some(&family.said, 3);
        (family, values)
    };
    let value = |dice: &mut Dice| match family.ill {
        Some(ill) if dice.once_in(12) => ill.to_owned(),
        _ => (*dice.pick(&family.asked)).to_owned(),
    };
    let mut context = base_context(dice);
    let key = *dice.pick(&["test:Key", "TEST:key", "test:key"]);
    match cell.cardinality {
        "one" => {
            let found = value(dice);
            context.insert(key.to_owned(), if dice.once_in(4) { json!([found]) } else { json!(found) });
        }
        "many" => {
            let found: Vec<String> = (0..2 + dice.below(2)).map(|_| value(dice)).collect();
            context.insert(key.to_owned(), json!(found));
        }
        "empty" => {
            let text = family.asked.contains(&"") && dice.once_in(3);
            context.insert(key.to_owned(), if text { json!("") } else { json!([]) });
        }
        _ => {}
    }
    let mut statement = json!({"Effect": cell.effect, "Action": "s3:GetObject", "Resource": "*"});
    let values = if values.len() == 1 && dice.once_in(2) { json!(values[0]) } else { json!(values) };
    statement["Condition"] = json!({cell.operator.clone(): {"test:Key": values}});
    if dice.once_in(4) {
        statement["Condition"]["StringLike"]["aws:username"] = json!(*dice.pick(&["alice", "al*", "*", "b*"]));
    }
    let statements = if cell.effect == "Deny" {
        json!([{"Effect": "Allow", "Action": "*", "Resource": "*"}, statement])
    } else {
        json!([statement])
    };
    let question = json!({
        "identity_policies": [{"Version": "2012-10-17", "Statement": statements}],
        "request": {"principal": SESSION, "action": "s3:GetObject", "resource": "arn:aws:s3:::bucket/home/alice",
                    "resource_account": ACCOUNT, "context": context},
    });
    finish(question, Some(cell.clone()), marks)
}

fn base_context(dice: &mut Dice) -> Map<String, Value> {
    let mut context = Map::new();
    if !dice.once_in(3) {
        context.insert("aws:username".to_owned(), json!(*dice.pick(&["alice", "bob", "a*", "*", "x.y"])));
    }
    if dice.once_in(2) {
        context.insert("aws:principaltag/TEAM".to_owned(), json!(*dice.pick(&["alice", "red"])));
    }
    context
}

struct Scene {
    action: &'static str,
    resource: &'static str,
}

const SCENES: &[(&str, &str, &str)] = &[
    ("s3:GetObject", "arn:aws:s3:::bucket/home/alice/x", ACCOUNT),
    ("s3:PutObject", "arn:aws:s3:::bucket/public/a:b", OTHER),
    ("s3:ListBucket", "arn:aws:s3:::bucket", ACCOUNT),
    ("sqs:SendMessage", "arn:aws:sqs:eu-north-1:111122223333:queue", ACCOUNT),
    ("sqs:SendMessage", "arn:aws:sqs:eu-north-1:999900001111:queue", OTHER),
    ("dynamodb:GetItem", "arn:aws:dynamodb:eu-north-1:111122223333:table/trials", ACCOUNT),
    ("kms:Decrypt", "arn:aws:kms:eu-north-1:111122223333:key/k1", ACCOUNT),
    ("sts:AssumeRole", "arn:aws:iam::111122223333:role/target", ACCOUNT),
    ("sts:AssumeRole", "arn:aws:iam::999900001111:role/target", OTHER),
    ("sts:TagSession", "arn:aws:iam::111122223333:role/target", ACCOUNT),
    ("sts:AssumeRoleWithSAML", "arn:aws:iam::111122223333:role/target", ACCOUNT),
];

const ACTIONS: &[&str] = &[
    "*",
    "s3:*",
    "s3:Get*",
    "S3:getobject",
    "s3:?utObject",
    "s3:ListBucket",
    "sqs:SendMessage",
    "sqs:*",
    "dynamodb:Get*",
    "kms:*",
    "kms:Decrypt",
    "sts:AssumeRole",
    "sts:AssumeRole*",
    "sts:*",
    "iam:*",
];
const RESOURCES: &[&str] = &[
    "*",
    "arn:aws:s3:::bucket/*",
    "arn:aws:s3:::bucket",
    "arn:aws:s3:::bucket*",
    "arn:aws:s3:::b?cket/home/*",
    "arn:aws:s3:::bucket/home/${aws:username}/*",
    "arn:aws:s3:::bucket/home/${aws:none}/*",
    "arn:aws:s3:::bucket/home/${aws:none, 'alice'}/*",
    "arn:aws:s3:::bucket/public/a:*",
    "arn:aws:sqs:*:*:queue",
    "arn:aws:sqs:eu-north-1:111122223333:q*",
    "arn:aws:dynamodb:*:111122223333:table/*",
    "arn:aws:dynamodb:eu-*:*:table/tri?ls",
    "arn:aws:kms:*:*:key/*",
    "arn:aws:iam::*:role/target",
    "arn:aws:iam::111122223333:role/*",
    "arn:aws:s3:*",
    "arn:aws:sqs",
];

/// One question that mixes everything.
pub(crate) fn composed(dice: &mut Dice) -> Case {
    let mut marks = BTreeSet::new();
    let (action, resource, owner) = *dice.pick(SCENES);
    let principal = *dice.pick(&[SESSION, SESSION, SESSION, ROLE, USER, USER, FEDERATED, PROVIDER, SERVICE]);
    let scene = Scene { action, resource };
    let mut question = json!({"identity_policies": [], "request": {"principal": principal, "action": action, "resource": resource,
        "resource_account": owner, "context": base_context(dice)}});
    for _ in 0..dice.below(3) {
        let document = document(dice, &scene, "identity", &mut marks);
        question["identity_policies"].as_array_mut().unwrap().push(document);
    }
    if !dice.once_in(4) {
        question["resource_policy"] = document(dice, &scene, "resource", &mut marks);
    }
    let identity_side = principal.starts_with("arn:") && principal != PROVIDER;
    if identity_side && dice.once_in(3) {
        question["permission_boundary"] = document(dice, &scene, "identity", &mut marks);
    }
    if (principal == SESSION || principal == ROLE || principal == FEDERATED) && dice.once_in(3) {
        let count = 1 + dice.below(2);
        let documents: Vec<Value> = (0..count).map(|_| document(dice, &scene, "identity", &mut marks)).collect();
        question["session_policies"] = json!(documents);
    }
    if dice.once_in(3) {
        let levels: Vec<Vec<Value>> = (0..1 + dice.below(2))
            .map(|_| (0..dice.below(3)).map(|_| document(dice, &scene, "scp", &mut marks)).collect())
            .collect();
        question["service_control_policies"] = json!(levels);
    }
    finish(question, None, marks)
}

fn document(dice: &mut Dice, scene: &Scene, kind: &str, marks: &mut BTreeSet<&'static str>) -> Value {
    let trust = kind == "resource" && scene.action.starts_with("sts:");
    let statements: Vec<Value> = (0..1 + dice.below(3)).map(|_| statement(dice, scene, kind, trust, marks)).collect();
    let mut document = json!({"Statement": if statements.len() == 1 && dice.once_in(2) { statements[0].clone() } else { json!(statements) }});
    match dice.below(12) {
        0 => document["Version"] = json!("2008-10-17"),
        1 => {}
        _ => document["Version"] = json!("2012-10-17"),
    }
    document
}

fn statement(dice: &mut Dice, scene: &Scene, kind: &str, trust: bool, marks: &mut BTreeSet<&'static str>) -> Value {
    let mut s = json!({"Effect": if dice.once_in(6) { "Deny" } else { "Allow" }});
    let mut actions = dice.some(ACTIONS, 3);
    if dice.once_in(2) {
        actions[0] = (*dice.pick(&[scene.action, "*"])).to_owned();
    }
    if trust && !dice.once_in(3) {
        actions = vec![scene.action.to_owned()];
    }
    s[if dice.once_in(8) { "NotAction" } else { "Action" }] = json!(actions);
    if dice.once_in(5) {
        s["Sid"] = json!(format!("S{}", dice.below(100)));
    }
    if !trust {
        let mut resources = dice.some(RESOURCES, 3);
        if dice.once_in(2) {
            resources[0] = (*dice.pick(&[scene.resource, "*"])).to_owned();
        }
        let name = if dice.once_in(8) { "NotResource" } else { "Resource" };
        if name == "NotResource" && resources.iter().any(|r| r.matches(':').count() == 3 || r == "arn:aws:sqs") {
            marks.insert("short-arn-in-not-resource");
        }
        s[name] = json!(resources);
    }
    if kind == "resource" {
        principal(dice, trust, &mut s, marks);
    }
    if dice.once_in(3) {
        s["Condition"] = conditions(dice);
    }
    s
}

fn principal(dice: &mut Dice, trust: bool, s: &mut Value, marks: &mut BTreeSet<&'static str>) {
    let aws = [
        ROLE,
        SESSION,
        USER,
        FEDERATED,
        ACCOUNT,
        "arn:aws:iam::111122223333:root",
        OTHER,
        "arn:aws:iam::999900001111:role/analyst",
    ];
    let element = match dice.below(8) {
        0 => json!("*"),
        1 => json!({"AWS": "*"}),
        2 => json!({"Federated": PROVIDER}),
        3 => json!({"Service": SERVICE, "AWS": dice.some(&aws, 1)}),
        _ => json!({"AWS": dice.some(&aws, 3)}),
    };
    if !trust && dice.once_in(10) {
        if s["Effect"] == "Deny" {
            marks.insert("not-principal-deny");
        }
        s["NotPrincipal"] = element;
    } else {
        s["Principal"] = element;
    }
}

fn conditions(dice: &mut Dice) -> Value {
    let mut block = json!({});
    for _ in 0..1 + dice.below(2) {
        let (operator, key, value) = *dice.pick(&[
            ("StringEquals", "aws:username", "alice"),
            ("StringLike", "aws:Username", "*"),
            ("StringNotEquals", "aws:username", "bob"),
            ("StringEqualsIfExists", "aws:PrincipalTag/team", "ALICE"),
            ("StringEqualsIgnoreCase", "aws:PrincipalTag/team", "ALICE"),
            ("StringLike", "aws:PrincipalTag/Team", "${aws:username}"),
            ("StringNotLike", "aws:username", "${aws:PrincipalTag/team}*"),
            ("Null", "aws:username", "true"),
            ("Null", "AWS:USERNAME", "false"),
            ("ForAnyValue:StringEquals", "aws:username", "alice"),
            ("ForAllValues:StringLike", "aws:PrincipalTag/team", "a*"),
        ]);
        block[operator][key] = json!(value);
    }
    block
}

/// Adds the marks that can be read off the question itself.
fn finish(question: Value, cell: Option<Cell>, mut marks: BTreeSet<&'static str>) -> Case {
    let context = question["request"]["context"].as_object().unwrap();
    let has = |name: &str| context.iter().any(|(key, value)| key.eq_ignore_ascii_case(name) && value.is_string());
    let empty_text = |v: &Value| v == "" || v.as_array().is_some_and(|l| !l.is_empty() && l.iter().all(|v| v == ""));
    let presence_only = cell.as_ref().is_some_and(|cell| cell.operator == "Null");
    if !presence_only && context.values().any(empty_text) {
        marks.insert("empty-text");
    }
    let text = question.to_string();
    let unresolved = (text.contains("${aws:username}") && !has("aws:username"))
        || (text.contains("${AWS:UserName}") && !has("aws:username"))
        || (text.contains("${aws:PrincipalTag/team}") && !has("aws:principaltag/team"))
        || text.contains("${aws:none}");
    if unresolved && (text.contains("Not") || text.contains("ForA")) {
        marks.insert("unresolved");
    }
    if text.contains("${*}") && (text.contains("Equals")) {
        marks.insert("escape-in-equals");
    }
    let mut documents: Vec<&Value> = ["identity_policies", "session_policies"]
        .iter()
        .flat_map(|name| question[*name].as_array().into_iter().flatten())
        .chain([&question["resource_policy"], &question["permission_boundary"]])
        .collect();
    documents.extend(
        question["service_control_policies"].as_array().into_iter().flatten().flat_map(|l| l.as_array().unwrap()),
    );
    let old = |d: &&Value| d["Version"] != "2012-10-17" && d.to_string().contains("${");
    if documents.iter().any(old) {
        marks.insert("variables-2008");
    }
    let action = question["request"]["action"].as_str().unwrap();
    if action.starts_with("sts:") && question["resource_policy"].is_null() {
        marks.insert("no-trust-policy");
    }
    let principal = question["request"]["principal"].as_str().unwrap();
    if principal == FEDERATED && question["session_policies"].is_null() {
        marks.insert("federated-user-without-session");
    }
    if principal == PROVIDER {
        marks.insert("provider");
    }
    if !question["session_policies"].is_null() && !question["resource_policy"].is_null() {
        marks.insert("session-and-resource");
    }
    Case { question, cell, marks }
}
