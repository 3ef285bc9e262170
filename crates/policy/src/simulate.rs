//! The contract of `galen policy simulate`: one JSON question, one JSON answer, plain IAM without grants.
//!
//! The shape is stable; scripts depend on it. Reading is as strict as for documents: unknown and repeated keys are refused.

use serde::{Serialize, Serializer, ser::SerializeStruct};
use std::sync::Arc;

use crate::{
    compiled::Compiled,
    context::Context,
    decision::{Decision, Determining, EvaluationError},
    document::{Document, DocumentKind},
    error::{Error, shown},
    evaluate::{Duty, Inputs, evaluate, request_errors},
    json::{self, Node},
    principal::Principal,
    request::Request,
};

/// Longest question, in bytes: sixteen documents of the largest size.
pub const BYTES_MAX: usize = 1_048_576;

/// A question, read and compiled.
#[derive(Clone, Debug)]
pub struct Question {
    identity: Vec<Arc<Compiled>>,
    resource: Option<Arc<Compiled>>,
    boundary: Option<Arc<Compiled>>,
    session: Vec<Arc<Compiled>>,
    scps: Vec<Vec<Arc<Compiled>>>,
    request: Request,
}

/// An answer. Serialised as `{"decision":..,"determined_by":[{"policy":..,"statement":..,"sid":..}]}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// The whole decision, with reasons that the stable shape does not carry.
    pub decision: Decision,
}

impl Serialize for Output {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut out = serializer.serialize_struct("Output", 2)?;
        out.serialize_field("decision", &self.decision.effect)?;
        let determined: Vec<Row<'_>> = self.decision.determined_by.iter().map(Row).collect();
        out.serialize_field("determined_by", &determined)?;
        out.end()
    }
}

struct Row<'a>(&'a Determining);

impl Serialize for Row<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut out = serializer.serialize_struct("Row", 3)?;
        out.serialize_field("policy", &self.0.policy.to_string())?;
        out.serialize_field("statement", &self.0.statement)?;
        out.serialize_field("sid", &self.0.sid.as_deref())?;
        out.end()
    }
}

impl Output {
    /// The answer as one line of JSON.
    pub fn to_json(&self) -> String {
        // Text, numbers and lists always serialise; an empty line would be refused by any reader.
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// Answers one question.
///
/// # Errors
/// [`Error`] with the place of what is wrong in the question or in one of its documents.
pub fn simulate(text: &str) -> Result<Output, Error> {
    Ok(Question::parse(text)?.answer())
}

impl Question {
    /// Reads a question.
    ///
    /// # Errors
    /// As [`simulate`].
    pub fn parse(text: &str) -> Result<Self, Error> {
        Self::read(&json::parse(text, BYTES_MAX)?)
    }

    /// Evaluates it.
    pub fn answer(&self) -> Output {
        let inputs = Inputs {
            identity: &self.identity,
            resource: self.resource.as_deref(),
            boundary: self.boundary.as_deref(),
            session: &self.session,
            scps: &self.scps,
        };
        Output { decision: evaluate(&inputs, &self.request) }
    }

    /// The request, for callers that explain the answer.
    pub fn request(&self) -> &Request {
        &self.request
    }

    fn read(node: &Node) -> Result<Self, Error> {
        const EXPECTED: &str = "`identity_policies`, `resource_policy`, `permission_boundary`, `session_policies`, \
                                `service_control_policies`, `request`";
        const KNOWN: &[&str] = &[
            "identity_policies",
            "resource_policy",
            "permission_boundary",
            "session_policies",
            "service_control_policies",
            "request",
        ];
        let members = object("the question", node)?;
        known("the question", members, KNOWN, EXPECTED)?;
        let request = find(members, "request")
            .ok_or(Error::MissingElement { path: "the question".to_owned(), element: "request" })?;
        let request = read_request(request)?;
        let trust = Duty::of(&request, request.action_lower()) == Duty::Trust;
        let resource_kind = if trust { DocumentKind::Trust } else { DocumentKind::Resource };
        Ok(Self {
            identity: documents(members, "identity_policies", DocumentKind::Identity)?,
            resource: document(members, "resource_policy", resource_kind)?,
            boundary: document(members, "permission_boundary", DocumentKind::Boundary)?,
            session: documents(members, "session_policies", DocumentKind::Session)?,
            scps: levels(members)?,
            request,
        })
    }
}

fn read_request(node: &Node) -> Result<Request, Error> {
    const KNOWN: &[&str] = &["principal", "action", "resource", "resource_account", "context"];
    let members = object("request", node)?;
    known("request", members, KNOWN, "`principal`, `action`, `resource`, `resource_account`, `context`")?;
    let (principal, action, resource) =
        (required(members, "principal")?, required(members, "action")?, required(members, "resource")?);
    let account = match find(members, "resource_account") {
        Some(node) => text("request.resource_account", node)?,
        None => match resource.split(':').nth(4) {
            Some(account) if !account.is_empty() => account,
            _ => return Err(Error::MissingElement { path: "request".to_owned(), element: "resource_account" }),
        },
    };
    let context = find(members, "context").map_or_else(|| Ok(Context::new()), read_context)?;
    let request = Request::new(Principal::parse(principal), action, resource, account, context);
    // An evaluation would deny and could not say why in the answer's shape.
    match request_errors(&request, request.action_lower()).first() {
        Some(EvaluationError::BadAction(_)) => Err(bad_text("request.action", action, "`service:Name`")),
        Some(EvaluationError::BadResource(_)) => Err(bad_text("request.resource", resource, "an ARN or `*`")),
        Some(EvaluationError::NoPrincipal) => Err(bad_text("request.principal", principal, "an ARN or a name")),
        None => Ok(request),
    }
}

fn read_context(node: &Node) -> Result<Context, Error> {
    let mut context = Context::new();
    for (key, value) in object("request.context", node)? {
        let path = format!("request.context.{}", shown(key));
        let values = match value {
            Node::List(items) => items.iter().map(|item| scalar(&path, item)).collect::<Result<Vec<_>, _>>()?,
            single => vec![scalar(&path, single)?],
        };
        if context.insert_all(key, values) {
            return Err(bad(&path, value, "a key that stands once; case does not matter in condition keys"));
        }
    }
    Ok(context)
}

fn scalar(path: &str, node: &Node) -> Result<String, Error> {
    match node {
        Node::Text(text) => Ok(text.clone()),
        Node::Bool(value) => Ok(value.to_string()),
        Node::Number(_, canonical) => Ok(canonical.clone()),
        other => Err(bad(path, other, "text or a list of text")),
    }
}

fn document(members: &[(String, Node)], name: &str, kind: DocumentKind) -> Result<Option<Arc<Compiled>>, Error> {
    match find(members, name) {
        None | Some(Node::Null) => Ok(None),
        Some(node) => compile(name, node, kind).map(Some),
    }
}

fn documents(members: &[(String, Node)], name: &str, kind: DocumentKind) -> Result<Vec<Arc<Compiled>>, Error> {
    match find(members, name) {
        None | Some(Node::Null) => Ok(Vec::new()),
        Some(node) => list(name, node, |path, item| compile(path, item, kind)),
    }
}

fn levels(members: &[(String, Node)]) -> Result<Vec<Vec<Arc<Compiled>>>, Error> {
    const NAME: &str = "service_control_policies";
    match find(members, NAME) {
        None | Some(Node::Null) => Ok(Vec::new()),
        Some(node) => list(NAME, node, |path, level| {
            list(path, level, |path, item| compile(path, item, DocumentKind::ServiceControl))
        }),
    }
}

fn list<T>(path: &str, node: &Node, one: impl Fn(&str, &Node) -> Result<T, Error>) -> Result<Vec<T>, Error> {
    match node {
        Node::List(items) => items.iter().enumerate().map(|(i, item)| one(&format!("{path}[{i}]"), item)).collect(),
        other => Err(bad(path, other, "a list")),
    }
}

fn compile(name: &str, node: &Node, kind: DocumentKind) -> Result<Arc<Compiled>, Error> {
    let document = Document::from_node(node, kind)
        .map_err(|problem| Error::InDocument { document: name.to_owned(), problem: Box::new(problem) })?;
    Ok(document.compile())
}

fn object<'a>(path: &str, node: &'a Node) -> Result<&'a [(String, Node)], Error> {
    match node {
        Node::Object(members) => Ok(members),
        other => Err(bad(path, other, "an object")),
    }
}

fn known(path: &str, members: &[(String, Node)], names: &[&str], expected: &'static str) -> Result<(), Error> {
    match members.iter().find(|(key, _)| !names.contains(&key.as_str())) {
        Some((key, _)) => Err(Error::UnknownElement { path: path.to_owned(), element: shown(key), expected }),
        None => Ok(()),
    }
}

fn find<'a>(members: &'a [(String, Node)], name: &str) -> Option<&'a Node> {
    members.iter().find(|(key, _)| key == name).map(|(_, value)| value)
}

fn required<'a>(members: &'a [(String, Node)], name: &'static str) -> Result<&'a str, Error> {
    let node = find(members, name).ok_or(Error::MissingElement { path: "request".to_owned(), element: name })?;
    text(&format!("request.{name}"), node)
}

fn text<'a>(path: &str, node: &'a Node) -> Result<&'a str, Error> {
    match node {
        Node::Text(text) => Ok(text),
        other => Err(bad(path, other, "text")),
    }
}

fn bad(path: &str, node: &Node, expected: &'static str) -> Error {
    match node {
        Node::Text(text) => bad_text(path, text, expected),
        other => bad_text(path, other.type_name(), expected),
    }
}

fn bad_text(path: &str, got: &str, expected: &'static str) -> Error {
    Error::BadValue { path: path.to_owned(), got: shown(got), expected }
}

/// Questions that arrive line by line: each complete line is answered at once; a question spread over lines is answered at the end.
#[derive(Debug, Default)]
pub struct Stream {
    lines: bool,
    number: usize,
    /// Lines that were no question by themselves, while it is open whether they are one together.
    pending: Vec<(usize, String)>,
    bytes: usize,
}

/// The answer to one line, counted from 1.
pub type Line = (usize, Result<Output, Error>);

impl Stream {
    /// A stream that has read nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes one line and gives what can be answered now. The first line that is a question by itself says that the input is JSON
    /// lines, and that those before it were broken.
    pub fn line(&mut self, line: &str) -> Vec<Line> {
        self.number += 1;
        if line.trim().is_empty() && (self.lines || self.pending.is_empty()) {
            return Vec::new();
        }
        if self.lines {
            return vec![(self.number, simulate(line))];
        }
        let alone = simulate(line);
        let begins = self.pending.is_empty() && !matches!(alone, Err(Error::Json { .. }));
        if begins || alone.is_ok() {
            self.lines = true;
            let before = std::mem::take(&mut self.pending).into_iter().filter(|(_, text)| !text.trim().is_empty());
            let broken = before.map(|(number, text)| (number, simulate(&text)));
            return broken.chain([(self.number, alone)]).collect();
        }
        // One line more than a question can have is kept, so that the end refuses it for its size.
        if self.bytes <= BYTES_MAX {
            self.bytes += line.len() + 1;
            self.pending.push((self.number, line.to_owned()));
        }
        Vec::new()
    }

    /// Counts a line that is not text.
    pub fn skip(&mut self) {
        self.number += 1;
    }

    /// Whether the input is answered line by line.
    pub fn is_lines(&self) -> bool {
        self.lines
    }

    /// The end of the input; answers a question that was spread over lines.
    pub fn end(self) -> Option<Result<Output, Error>> {
        let whole = || self.pending.into_iter().map(|(_, text)| text).collect::<Vec<_>>().join("\n");
        (!self.lines).then(|| simulate(&whole()))
    }
}

#[cfg(test)]
mod tests;
