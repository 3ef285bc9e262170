//! The JSON contract of `galen policy simulate`.

use super::*;

const QUESTION: &str = r#"{"identity_policies":[{"Version":"2012-10-17","Statement":{"Sid":"Read","Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/*"}}],"resource_policy":null,"permission_boundary":null,"session_policies":[],"service_control_policies":[],"request":{"principal":"arn:aws:sts::111122223333:assumed-role/r/s","action":"s3:GetObject","resource":"arn:aws:s3:::b/k","resource_account":"111122223333","context":{"aws:TagKeys":["a"],"aws:x":"y"}}}"#;
const ANSWER: &str = r#"{"decision":"allow","determined_by":[{"policy":"identity[0]","statement":0,"sid":"Read"}]}"#;

#[test]
fn the_stable_shape() {
    assert_eq!(simulate(QUESTION).unwrap().to_json(), ANSWER);
    let nothing = QUESTION.replace("s3:::b/k", "s3:::c");
    assert_eq!(simulate(&nothing).unwrap().to_json(), r#"{"decision":"implicit_deny","determined_by":[]}"#);
    let denied = QUESTION.replace("\"Allow\"", "\"Deny\"").replace("\"Sid\":\"Read\",", "");
    assert_eq!(
        simulate(&denied).unwrap().to_json(),
        r#"{"decision":"explicit_deny","determined_by":[{"policy":"identity[0]","statement":0,"sid":null}]}"#
    );
}

#[test]
fn only_the_request_is_needed() {
    let least = r#"{"request":{"principal":"p.amazonaws.com","action":"sqs:SendMessage","resource":"arn:aws:sqs:eu-north-1:111122223333:q"}}"#;
    assert_eq!(simulate(least).unwrap().decision.effect, crate::Effect::ImplicitDeny);
}

#[test]
fn wrong_questions_say_where() {
    for (from, to, message) in [
        ("\"request\"", "\"Request\"", "unknown element `Request` in the question"),
        ("\"resource_account\":\"111122223333\",", "", "request has no `resource_account`"),
        (
            "\"aws:x\":\"y\"",
            "\"AWS:tagkeys\":\"y\"",
            "request.context.aws:TagKeys is `a list`: expected a key that stands once",
        ),
        (
            "\"Resource\":\"arn:aws:s3:::b/*\"",
            "\"Resource\":1",
            "identity_policies[0]: Statement.Resource is `a number`",
        ),
        ("\"session_policies\":[]", "\"session_policies\":{}", "session_policies is `an object`: expected a list"),
        ("\"context\":{", "\"context\":{\"aws:x\":\"z\",", "the key `aws:x` stands twice"),
        ("\"s3:GetObject\",\"resource\"", "\"s3\",\"resource\"", "request.action is `s3`: expected `service:Name`"),
        ("\"arn:aws:s3:::b/k\"", "\"b/k\"", "request.resource is `b/k`: expected an ARN or `*`"),
    ] {
        let changed = QUESTION.replace(from, to);
        assert_ne!(changed, QUESTION);
        let error = simulate(&changed).unwrap_err().to_string();
        assert!(error.starts_with(message), "{error}");
    }
}

/// What one line is answered with, as the command prints it.
fn told(stream: &mut Stream, line: &str) -> Vec<(usize, bool)> {
    stream.line(line).into_iter().map(|(number, answer)| (number, answer.is_ok())).collect()
}

#[test]
fn lines_are_answered_as_they_come_and_one_document_at_the_end() {
    let mut stream = Stream::new();
    assert_eq!(stream.line(QUESTION).pop().unwrap().1.unwrap().to_json(), ANSWER);
    assert_eq!(told(&mut stream, "  "), []);
    assert_eq!(told(&mut stream, "{"), [(3, false)]);
    assert_eq!(told(&mut stream, QUESTION), [(4, true)]);
    assert!(stream.end().is_none());

    let pretty: serde_json::Value = serde_json::from_str(QUESTION).unwrap();
    let mut stream = Stream::new();
    for line in serde_json::to_string_pretty(&pretty).unwrap().lines() {
        assert_eq!(told(&mut stream, line), []);
    }
    assert!(!stream.is_lines());
    assert_eq!(stream.end().unwrap().unwrap().to_json(), ANSWER);
}

#[test]
fn broken_lines_before_the_first_question_are_answered_too() {
    let mut stream = Stream::new();
    assert_eq!(told(&mut stream, ""), []);
    assert_eq!(told(&mut stream, "not json"), []);
    assert_eq!(told(&mut stream, "{\"request\":"), []);
    assert_eq!(told(&mut stream, QUESTION), [(2, false), (3, false), (4, true)]);
    assert_eq!(told(&mut stream, "[]"), [(5, false)]);
    assert!(stream.end().is_none());
}
