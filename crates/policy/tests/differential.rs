//! The evaluator against two others on random questions.
//!
//! Always: against `differential/reference.rs`, a slow transcription of the rules. With `GALEN_TEST_IAM_SIMULATE` naming a
//! folder where the packages of `differential/package.json` are installed: also against that evaluator, as a child process, tens of thousands
//! of questions a run, at least fifty unexcused ones in each cell of operator x values x effect. `cargo xtask test` sets it.

#![cfg(test)]

#[path = "differential/accepted.rs"]
mod accepted;
#[path = "differential/generator.rs"]
mod generator;
#[path = "differential/reference.rs"]
mod reference;

use generator::{CARDINALITIES, Case, Cell, Dice, EFFECTS, composed, focused, operators};
use reference::{Answer, decide};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Write},
    process::{Command, Stdio},
};

/// Seeds that are kept: a seed that once found a difference is added here and stays.
const SEEDS: &[u64] = &[20_261_121, 7, 4_242];

fn try_ours(question: &Value) -> Result<Answer, policy::Error> {
    let output = policy::simulate::simulate(&question.to_string())?;
    let determined = output.decision.determined_by.iter().map(|d| format!("{}#{}", d.policy, d.statement));
    Ok(Answer { decision: output.decision.effect.to_string(), determined_by: determined.collect() })
}

fn ours(question: &Value) -> Answer {
    try_ours(question).unwrap_or_else(|e| panic!("{e}\n{question}"))
}

fn cells() -> Vec<Cell> {
    let mut cells = vec![];
    for operator in operators() {
        for cardinality in CARDINALITIES {
            for effect in EFFECTS {
                cells.push(Cell { operator: operator.clone(), cardinality, effect });
            }
        }
    }
    cells
}

/// For every cell `each` questions that no accepted difference can excuse, with the excusable ones that fell between them; then
/// `mixed` composed ones.
fn cases(seed: u64, each: usize, mixed: usize) -> Vec<Case> {
    let mut dice = Dice::new(seed);
    let mut out: Vec<Case> = vec![];
    for cell in cells() {
        let mut plain = 0;
        while plain < each {
            let case = focused(&mut dice, &cell);
            plain += usize::from(case.marks.is_empty());
            out.push(case);
        }
    }
    out.extend((0..mixed).map(|_| composed(&mut dice)));
    out
}

#[test]
fn agrees_with_the_reference() {
    for (seed, (each, mixed)) in SEEDS.iter().zip([(1, 1_000), (0, 500), (0, 500)]) {
        for case in cases(*seed, each, mixed) {
            assert_eq!(ours(&case.question), decide(&case.question), "seed {seed}: {}", case.question);
        }
    }
}

/// Every document of a question, compiled.
fn compiled(node: &Value) -> Vec<std::sync::Arc<policy::Compiled>> {
    match node {
        Value::Object(members) if members.contains_key("Statement") => {
            let kind = policy::DocumentKind::guess(&node.to_string()).unwrap();
            policy::Document::from_value(node, kind).iter().map(policy::Document::compile).collect()
        }
        Value::Object(members) => members.values().flat_map(compiled).collect(),
        Value::Array(items) => items.iter().flat_map(compiled).collect(),
        _ => vec![],
    }
}

/// The gate makes only those keys that a document says it reads.
#[test]
fn a_key_that_no_document_reads_changes_no_answer() {
    let (mut left_out, mut kept) = (0, 0);
    for case in cases(SEEDS[0], 1, 1_000) {
        let documents = compiled(&case.question);
        let mut question = case.question.clone();
        question["request"]["context"].as_object_mut().unwrap().retain(|key, _| {
            let read = documents.iter().any(|document| document.reads(&key.to_lowercase()));
            *(if read { &mut kept } else { &mut left_out }) += 1;
            read
        });
        assert_eq!(ours(&question), ours(&case.question), "{}", case.question);
    }
    assert!(left_out > 500 && kept > 500, "{left_out} {kept}");
}

#[test]
fn random_questions_are_not_all_alike() {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for case in cases(SEEDS[0], 0, 1_000) {
        *seen.entry(decide(&case.question).decision).or_default() += 1;
    }
    for decision in ["allow", "explicit_deny", "implicit_deny"] {
        assert!(seen.get(decision).copied().unwrap_or_default() > 100, "{seen:?}");
    }
}

/// An evaluator with one rule flipped; `None` where the flip makes a document that is refused, so that the case says nothing.
type Mutant = fn(&Value) -> Option<Answer>;

/// One flipped rule each, made by changing what the evaluator is asked or says.
fn mutants() -> Vec<(&'static str, Mutant)> {
    fn without(question: &Value, name: &str) -> Option<Answer> {
        let mut q = question.clone();
        q.as_object_mut().unwrap().remove(name);
        try_ours(&q).ok()
    }
    fn replaced(question: &Value, from: &str, to: &str) -> Option<Answer> {
        try_ours(&serde_json::from_str(&question.to_string().replace(from, to)).unwrap()).ok()
    }
    vec![
        ("boundaries are ignored", |q| without(q, "permission_boundary")),
        ("session policies are ignored", |q| without(q, "session_policies")),
        ("guardrails are ignored", |q| without(q, "service_control_policies")),
        ("an explicit deny reads as an implicit one", |q| {
            let mut answer = ours(q);
            answer.decision = answer.decision.replace("explicit_deny", "implicit_deny");
            Some(answer)
        }),
        ("variables work under 2008", |q| replaced(q, "2008-10-17", "2012-10-17")),
        ("a role ARN frees as a session ARN does", |q| {
            let mut q = q.clone();
            for statement in statements(&mut q) {
                if let Some(Value::Array(list)) = statement.pointer_mut("/Principal/AWS")
                    && list.contains(&json!("arn:aws:iam::111122223333:role/team/analyst"))
                {
                    list.push(json!("arn:aws:sts::111122223333:assumed-role/analyst/alice"));
                }
            }
            try_ours(&q).ok()
        }),
        ("ForAllValues reads as ForAnyValue", |q| replaced(q, "ForAllValues:", "ForAnyValue:")),
        ("a negated operator fails where the key is absent", |q| {
            let mut q = q.clone();
            for statement in statements(&mut q) {
                if let Some(condition) = statement.get_mut("Condition").filter(|c| c.to_string().contains("Not")) {
                    condition["Null"] = json!({"test:Key": "false"});
                }
            }
            try_ours(&q).ok()
        }),
        ("IfExists is ignored", |q| replaced(q, "IfExists", "")),
        ("NotPrincipal exempts by any entry", |q| {
            let mut q = q.clone();
            for statement in statements(&mut q) {
                if let Some(Value::Array(list)) = statement.pointer_mut("/NotPrincipal/AWS") {
                    list.push(json!("*"));
                }
            }
            try_ours(&q).ok()
        }),
        ("every account is the principal's", |q| {
            let mut q = q.clone();
            q["request"]["resource_account"] = json!("111122223333");
            try_ours(&q).ok()
        }),
    ]
}

fn statements(question: &mut Value) -> Vec<&mut Value> {
    fn walk<'a>(value: &'a mut Value, out: &mut Vec<&'a mut Value>) {
        match value {
            Value::Object(members) if members.contains_key("Effect") => out.push(value),
            Value::Object(members) => members.values_mut().for_each(|v| walk(v, out)),
            Value::Array(items) => items.iter_mut().for_each(|v| walk(v, out)),
            _ => {}
        }
    }
    let mut out = vec![];
    walk(question, &mut out);
    out
}

#[test]
fn a_seeded_bug_is_caught() {
    let cases = cases(SEEDS[1], 1, 800);
    let expected: Vec<Answer> = cases.iter().map(|case| decide(&case.question)).collect();
    for (name, mutant) in mutants() {
        let differs = |(case, want): (&Case, &Answer)| mutant(&case.question).is_some_and(|got| got != *want);
        assert!(cases.iter().zip(&expected).any(differs), "nothing notices that {name}");
    }
}

fn allowed(question: &Value) -> bool {
    ours(question).decision == "allow"
}

fn everything(effect: &str) -> Value {
    json!({"Version": "2012-10-17", "Statement": {"Effect": effect, "Action": "*", "Resource": "*"}})
}

/// What must hold of any question, whatever the right answer is.
#[test]
fn changes_that_have_one_direction() {
    for case in cases(SEEDS[2], 0, 400) {
        let q = &case.question;
        let before = ours(q);
        let with = |name: &str, document: Value| {
            let mut q = q.clone();
            match q.get_mut(name) {
                Some(Value::Array(list)) => list.push(document),
                _ => q[name] = json!([document]),
            }
            q
        };
        assert_eq!(ours(&with("identity_policies", everything("Deny"))).decision, "explicit_deny", "{q}");
        if before.decision == "allow" {
            assert!(allowed(&with("identity_policies", everything("Allow"))), "an Allow took away: {q}");
        } else {
            let nothing = json!({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "iam:None", "Resource": "*"}});
            assert!(!allowed(&with("service_control_policies", json!([nothing]))), "a guardrail gave: {q}");
            let federated = q["request"]["principal"].as_str().unwrap().contains(":federated-user/");
            let unlimited = !federated && q["session_policies"].as_array().is_none_or(Vec::is_empty);
            assert!(
                !unlimited || !allowed(&with("session_policies", everything("Allow"))),
                "a session policy gave: {q}"
            );
        }
        let mut turned = q.clone();
        for statement in statements(&mut turned) {
            for name in ["Action", "NotAction", "Resource", "NotResource"] {
                if let Some(Value::Array(list)) = statement.get_mut(name) {
                    list.reverse();
                }
            }
        }
        let context = q["request"]["context"].as_object().unwrap();
        turned["request"]["context"] = context.iter().map(|(k, v)| (k.to_uppercase(), v.clone())).collect();
        assert_eq!(ours(&turned), before, "order of values or case of keys counts: {q}");
    }
}

/// The gate's narrower question agrees with the whole one where there is no resource policy.
#[test]
fn the_role_side_agrees_with_the_whole() {
    use policy::{Compiled, Context, Document, DocumentKind as Kind, Inputs, Outcome, Principal, Request, narrow};
    use std::sync::Arc;
    let compile = |kind| move |d: &Value| -> Arc<Compiled> { Document::from_value(d, kind).unwrap().compile() };
    let list = |value: &Value, kind| -> Vec<Arc<Compiled>> {
        value.as_array().into_iter().flatten().map(compile(kind)).collect()
    };
    let mut same = 0;
    for case in cases(SEEDS[0], 0, 1_000) {
        let mut q = case.question;
        let request = &q["request"];
        let text = |name: &str| request[name].as_str().unwrap().to_owned();
        let principal = Principal::parse(&text("principal"));
        let plain = text("action").starts_with("s3:") && text("resource_account") == "111122223333";
        if !plain || !principal.has_identity_side() {
            continue;
        }
        let context: Context =
            request["context"].as_object().unwrap().iter().map(|(k, v)| (k, v.as_str().unwrap())).collect();
        let request = Request::new(principal, text("action"), text("resource"), text("resource_account"), context);
        q["resource_policy"] = Value::Null;
        let identity = list(&q["identity_policies"], Kind::Identity);
        let session = list(&q["session_policies"], Kind::Session);
        let boundary =
            (!q["permission_boundary"].is_null()).then(|| compile(Kind::Boundary)(&q["permission_boundary"]));
        let levels = q["service_control_policies"].as_array().into_iter().flatten();
        let scps: Vec<_> = levels.map(|level| list(level, Kind::ServiceControl)).collect();
        let inputs = Inputs {
            identity: &identity,
            resource: None,
            boundary: boundary.as_deref(),
            session: &session,
            scps: &scps,
        };
        let side = narrow(&inputs, &request);
        let whole = match side.outcome() {
            Outcome::Allows => "allow",
            Outcome::Denies => "explicit_deny",
            Outcome::Lacks => "implicit_deny",
        };
        assert_eq!(whole, ours(&q).decision, "{q}");
        same += 1;
    }
    assert!(same > 100);
}

#[test]
fn every_accepted_difference_is_documented() {
    let page = include_str!("../../../docs/policy-differences.md");
    for difference in accepted::ACCEPTED {
        assert!(
            page.contains(&format!("| {} |", difference.id)),
            "{} is not in docs/policy-differences.md",
            difference.id
        );
    }
    let documented = page.lines().filter(|line| line.starts_with("| D")).count();
    assert_eq!(documented, accepted::ACCEPTED.len());
}

/// What the other evaluator says of one question.
#[derive(Debug, PartialEq)]
struct Theirs {
    decision: String,
    denies: Vec<String>,
    session_denies: u64,
}

/// The child process that answers line by line.
fn ask_the_other(folder: &str, cases: &[Case]) -> Vec<Theirs> {
    let driver = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/differential/driver.mjs");
    let mut child = Command::new("node")
        .args([driver, folder])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("node starts");
    let mut input = child.stdin.take().unwrap();
    let output = BufReader::new(child.stdout.take().unwrap());
    let questions: Vec<String> = cases.iter().map(|case| case.question.to_string()).collect();
    let writer =
        std::thread::spawn(move || questions.iter().for_each(|q| writeln!(input, "{q}").expect("the child reads")));
    let read = |line: Result<String, std::io::Error>| {
        let answer: Value = serde_json::from_str(&line.unwrap()).unwrap();
        assert!(answer["error"].is_null(), "{answer}");
        let mut denies: Vec<String> =
            answer["denies"].as_array().unwrap().iter().map(|d| d.as_str().unwrap().to_owned()).collect();
        denies.sort();
        let decision = answer["decision"].as_str().unwrap().to_owned();
        Theirs { decision, denies, session_denies: answer["session_denies"].as_u64().unwrap() }
    };
    let answers: Vec<Theirs> = output.lines().map(read).collect();
    writer.join().unwrap();
    assert!(child.wait().unwrap().success());
    assert_eq!(answers.len(), cases.len());
    answers
}

/// Our answer in the form of theirs.
fn comparable(answer: &Answer) -> Theirs {
    let denied = answer.decision == "explicit_deny";
    let (session, mut denies): (Vec<String>, Vec<String>) =
        answer.determined_by.iter().filter(|_| denied).cloned().partition(|d| d.starts_with("session"));
    denies.sort();
    Theirs { decision: answer.decision.clone(), denies, session_denies: session.len() as u64 }
}

fn other_evaluator() -> Option<String> {
    #[expect(clippy::disallowed_methods, reason = "the comparison is opted into by the environment: it needs Node")]
    std::env::var("GALEN_TEST_IAM_SIMULATE").ok()
}

#[test]
fn agrees_with_the_other_evaluator() {
    const HITS_MIN: usize = 50;
    let Some(folder) = other_evaluator() else {
        println!("GALEN_TEST_IAM_SIMULATE is not set: compared with the reference only");
        return;
    };
    let mut hits: BTreeMap<Cell, usize> = BTreeMap::new();
    let mut excused: BTreeMap<&str, usize> = BTreeMap::new();
    let mut wrong: Vec<String> = vec![];
    let mut compared = 0;
    for (seed, each, mixed) in [(SEEDS[0], HITS_MIN, 12_000), (SEEDS[1], 1, 8_000)] {
        let cases = cases(seed, each, mixed);
        for (case, theirs) in cases.iter().zip(ask_the_other(&folder, &cases)) {
            let answer = ours(&case.question);
            let reason = accepted::accepted(case, &answer.decision, &theirs.decision);
            let same = comparable(&answer) == theirs;
            match reason {
                Some(id) if !same => *excused.entry(id).or_default() += 1,
                None if !same => wrong.push(format!(
                    "seed {seed}: {}\n  ours {:?}\n  theirs {theirs:?}",
                    case.question,
                    ours(&case.question)
                )),
                _ => {}
            }
            compared += 1;
            if let (true, Some(cell)) = (case.marks.is_empty(), &case.cell) {
                *hits.entry(cell.clone()).or_default() += 1;
            }
        }
    }
    let first = wrong.iter().take(5).cloned().collect::<Vec<_>>().join("\n");
    assert!(wrong.is_empty(), "{} of {compared} questions are answered differently, among them:\n{first}", wrong.len());
    println!("{compared} questions compared; answered differently and accepted: {excused:?}");
    for cell in cells() {
        let count = hits.get(&cell).copied().unwrap_or_default();
        assert!(count >= HITS_MIN, "{cell:?} was hit {count} times");
    }
}

#[test]
fn the_other_evaluator_catches_a_seeded_bug() {
    let Some(folder) = other_evaluator() else { return };
    let cases: Vec<Case> = cases(SEEDS[2], 2, 3_000).into_iter().filter(|case| case.marks.is_empty()).collect();
    let expected = ask_the_other(&folder, &cases);
    let beyond = ["variables work under 2008", "NotPrincipal exempts by any entry"];
    for (name, mutant) in mutants().into_iter().filter(|(name, _)| !beyond.contains(name)) {
        let differs =
            |(case, want): (&Case, &Theirs)| mutant(&case.question).is_some_and(|got| comparable(&got) != *want);
        assert!(cases.iter().zip(&expected).any(differs), "nothing notices that {name}");
    }
}
