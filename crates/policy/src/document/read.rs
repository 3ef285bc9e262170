//! From JSON values to statements: the grammar of the language, with the path of what is wrong.

use std::sync::Arc;

use super::{
    Condition, Document, DocumentKind, PrincipalElement, PrincipalEntry, Selector, Statement, StatementEffect, Version,
};
use crate::{
    condition,
    error::{Error, shown},
    json::Node,
    operator::Operator,
    principal::{Principal, PrincipalKind},
};

/// What a document consists of.
pub(super) struct Read {
    pub(super) version: Version,
    pub(super) id: Option<String>,
    pub(super) statements: Vec<Statement>,
}

/// Reads the whole document.
pub(super) fn document(node: &Node, kind: DocumentKind) -> Result<Read, Error> {
    let path = "the document";
    let (mut version, mut id, mut statements) = (Version::V2008, None, None);
    for (key, value) in object(path, node, "an object with `Version` and `Statement`")? {
        match key.as_str() {
            "Version" => version = read_version(value)?,
            "Id" => id = Some(text("Id", value, "text")?.to_owned()),
            "Statement" => statements = Some(read_statements(value, kind, version_of(node)?)?),
            _ => return Err(unknown(path, key, "`Version`, `Id`, `Statement`")),
        }
    }
    let statements = statements.ok_or_else(|| missing(path, "Statement"))?;
    Ok(Read { version, id, statements })
}

/// The version, wherever it stands: statements are read by it.
fn version_of(node: &Node) -> Result<Version, Error> {
    let Node::Object(members) = node else { return Ok(Version::V2008) };
    members.iter().find(|(key, _)| key == "Version").map_or(Ok(Version::V2008), |(_, value)| read_version(value))
}

fn read_version(node: &Node) -> Result<Version, Error> {
    match node {
        Node::Text(text) if text == "2008-10-17" => Ok(Version::V2008),
        Node::Text(text) if text == "2012-10-17" => Ok(Version::V2012),
        _ => Err(bad("Version", node, "`2012-10-17` or `2008-10-17`")),
    }
}

fn read_statements(node: &Node, kind: DocumentKind, version: Version) -> Result<Vec<Statement>, Error> {
    match node {
        Node::Object(_) => Ok(vec![statement("Statement", node, kind, version)?]),
        Node::List(items) if items.is_empty() => Err(bad("Statement", node, "at least one statement")),
        Node::List(items) if items.len() > Document::STATEMENTS_MAX => {
            Err(too_many("Statement", items.len(), Document::STATEMENTS_MAX))
        }
        Node::List(items) => {
            let one = |(i, item)| statement(&format!("Statement[{i}]"), item, kind, version);
            items.iter().enumerate().map(one).collect()
        }
        _ => Err(bad("Statement", node, "a statement or a list of statements")),
    }
}

/// Elements of a statement before they are put together.
#[derive(Default)]
struct Parts {
    sid: Option<Arc<str>>,
    effect: Option<StatementEffect>,
    principal: Option<PrincipalElement>,
    action: Option<Selector>,
    resource: Option<Selector>,
    conditions: Vec<Condition>,
}

const ELEMENTS: &str =
    "`Sid`, `Effect`, `Principal`, `NotPrincipal`, `Action`, `NotAction`, `Resource`, `NotResource`, `Condition`";

fn statement(path: &str, node: &Node, kind: DocumentKind, version: Version) -> Result<Statement, Error> {
    let mut parts = Parts::default();
    for (key, value) in object(path, node, "a statement")? {
        let here = format!("{path}.{key}");
        match key.as_str() {
            "Sid" => parts.sid = Some(text(&here, value, "text")?.into()),
            "Effect" => parts.effect = Some(effect(&here, value)?),
            "Principal" | "NotPrincipal" => {
                let element = principal_element(path, &here, value, key == "NotPrincipal", kind)?;
                set(path, &mut parts.principal, element, ["Principal", "NotPrincipal"])?;
            }
            "Action" | "NotAction" => {
                let selector = selector(&here, value, key == "NotAction", action)?;
                set(path, &mut parts.action, selector, ["Action", "NotAction"])?;
            }
            "Resource" | "NotResource" => {
                if kind == DocumentKind::Trust {
                    let element = if key == "Resource" { "Resource" } else { "NotResource" };
                    return Err(not_here(path, element, kind));
                }
                let check = |path: &str, value: &str| resource(path, value, version);
                let selector = selector(&here, value, key == "NotResource", check)?;
                set(path, &mut parts.resource, selector, ["Resource", "NotResource"])?;
            }
            "Condition" => parts.conditions = conditions(&here, value)?,
            _ => return Err(unknown(path, key, ELEMENTS)),
        }
    }
    finish(path, parts, kind)
}

fn finish(path: &str, parts: Parts, kind: DocumentKind) -> Result<Statement, Error> {
    if kind.has_principals() && parts.principal.is_none() {
        return Err(missing(path, "Principal"));
    }
    if !kind.has_principals() && parts.resource.is_none() {
        return Err(missing(path, "Resource"));
    }
    Ok(Statement {
        sid: parts.sid,
        effect: parts.effect.ok_or_else(|| missing(path, "Effect"))?,
        principal: parts.principal,
        action: parts.action.ok_or_else(|| missing(path, "Action"))?,
        resource: parts.resource,
        conditions: parts.conditions,
    })
}

fn set<T>(path: &str, slot: &mut Option<T>, value: T, [first, second]: [&'static str; 2]) -> Result<(), Error> {
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err(Error::Exclusive { path: path.to_owned(), first, second }),
    }
}

fn effect(path: &str, node: &Node) -> Result<StatementEffect, Error> {
    match node {
        Node::Text(text) if text == "Allow" => Ok(StatementEffect::Allow),
        Node::Text(text) if text == "Deny" => Ok(StatementEffect::Deny),
        _ => Err(bad(path, node, "`Allow` or `Deny`")),
    }
}

fn selector(
    path: &str,
    node: &Node,
    negated: bool,
    check: impl Fn(&str, &str) -> Result<(), Error>,
) -> Result<Selector, Error> {
    let values = texts(path, node)?;
    if values.is_empty() {
        return Err(bad(path, node, "at least one value"));
    }
    for (i, value) in values.iter().enumerate() {
        check(&format!("{path}[{i}]"), value)?;
    }
    Ok(Selector { negated, values })
}

/// `*`, `*:*`, or `service:Name` with wildcards only in the name.
fn action(path: &str, value: &str) -> Result<(), Error> {
    const EXPECTED: &str = "`*` or `service:Name`, with `*` and `?` only in the name";
    let sound = match value.split_once(':') {
        None => value == "*",
        Some(("*", name)) => name == "*",
        Some((service, name)) => {
            let in_service = |c: char| c.is_ascii_alphanumeric() || c == '-';
            let in_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '*' | '?' | '-' | '_');
            !service.is_empty() && service.chars().all(in_service) && !name.is_empty() && name.chars().all(in_name)
        }
    };
    if sound { Ok(()) } else { Err(bad_text(path, value, EXPECTED)) }
}

/// `*`, or an ARN whose service is spelt out and whose variables come after the fifth colon.
fn resource(path: &str, value: &str, version: Version) -> Result<(), Error> {
    if value == "*" {
        return Ok(());
    }
    let mut parts = value.splitn(6, ':');
    if parts.next() != Some("arn") || value.chars().any(char::is_control) {
        return Err(bad_text(path, value, "`*` or an ARN"));
    }
    let head: Vec<&str> = parts.by_ref().take(4).collect();
    let complete = parts.next().is_some();
    if complete && head.get(1).is_some_and(|service| service.contains(['*', '?'])) {
        return Err(bad_text(path, value, "an ARN without a wildcard in its service"));
    }
    if version == Version::V2012 && head.iter().any(|part| part.contains("${")) {
        return Err(bad_text(path, value, "an ARN with variables only after the fifth colon"));
    }
    Ok(())
}

fn principal_element(
    statement: &str,
    path: &str,
    node: &Node,
    negated: bool,
    kind: DocumentKind,
) -> Result<PrincipalElement, Error> {
    if !kind.has_principals() {
        return Err(not_here(statement, if negated { "NotPrincipal" } else { "Principal" }, kind));
    }
    if negated && kind == DocumentKind::Trust {
        return Err(not_here(statement, "NotPrincipal", kind));
    }
    let entries = match node {
        Node::Text(text) if text == "*" => vec![PrincipalEntry::Anyone],
        Node::Object(members) if !members.is_empty() => principals(path, members)?,
        _ => return Err(bad(path, node, "`*` or an object with `AWS`, `Federated`, `Service` or `CanonicalUser`")),
    };
    Ok(PrincipalElement { negated, entries })
}

fn principals(path: &str, members: &[(String, Node)]) -> Result<Vec<PrincipalEntry>, Error> {
    let mut entries = Vec::new();
    for (key, value) in members {
        let here = format!("{path}.{key}");
        let make: fn(&str, String) -> Result<PrincipalEntry, Error> = match key.as_str() {
            "AWS" => aws_principal,
            "Federated" => |path, value| plain_principal(path, value, PrincipalEntry::Federated, true),
            "Service" => |path, value| plain_principal(path, value, PrincipalEntry::Service, false),
            "CanonicalUser" => |path, value| plain_principal(path, value, PrincipalEntry::CanonicalUser, false),
            _ => return Err(unknown(path, key, "`AWS`, `Federated`, `Service`, `CanonicalUser`")),
        };
        let values = texts(&here, value)?;
        if values.is_empty() {
            return Err(bad(&here, value, "at least one principal"));
        }
        for (i, value) in values.into_iter().enumerate() {
            entries.push(make(&format!("{here}[{i}]"), value)?);
        }
    }
    Ok(entries)
}

fn plain_principal(
    path: &str,
    value: String,
    make: fn(String) -> PrincipalEntry,
    star: bool,
) -> Result<PrincipalEntry, Error> {
    let bare_star = star && value == "*";
    if !bare_star && (value.is_empty() || value.contains(['*', '?'])) {
        return Err(bad_text(path, &value, "a whole name; no part of it can be a wildcard"));
    }
    Ok(make(value))
}

fn aws_principal(path: &str, value: String) -> Result<PrincipalEntry, Error> {
    const EXPECTED: &str = "`*`, a 12-digit account, a unique id, or the whole ARN of an account root, user, role, role session or federated user";
    if value == "*" {
        return Ok(PrincipalEntry::Anyone);
    }
    if value.len() == 12 && value.bytes().all(|b| b.is_ascii_digit()) {
        return Ok(PrincipalEntry::Account(value));
    }
    let unique = value.len() >= 16
        && value.starts_with('A')
        && value.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit());
    if unique {
        return Ok(PrincipalEntry::Aws(value));
    }
    if value.contains(['*', '?']) {
        return Err(bad_text(path, &value, EXPECTED));
    }
    let principal = Principal::parse(&value);
    match (principal.kind(), principal.account()) {
        (PrincipalKind::Root, Some(account)) => Ok(PrincipalEntry::Account(account.to_owned())),
        (
            PrincipalKind::User { .. }
            | PrincipalKind::Role { .. }
            | PrincipalKind::Session { .. }
            | PrincipalKind::FederatedUser { .. },
            Some(_),
        ) => Ok(PrincipalEntry::Aws(value)),
        _ => Err(bad_text(path, &value, EXPECTED)),
    }
}

fn conditions(path: &str, node: &Node) -> Result<Vec<Condition>, Error> {
    let mut out = Vec::new();
    for (name, keys) in object(path, node, "an object of operators")? {
        let Some(operator) = Operator::parse(name) else {
            return Err(unknown(path, name, "the condition operators (docs: reference/policy-language)"));
        };
        let here = format!("{path}.{name}");
        for (key, values) in object(&here, keys, "an object of condition keys")? {
            let at = format!("{here}.{}", shown(key));
            if key.is_empty() || key.contains(|c: char| c.is_control()) {
                return Err(bad_text(&here, key, "a condition key"));
            }
            let values = scalars(&at, values)?;
            for (i, value) in values.iter().enumerate() {
                if let Err(expected) = condition::check_value(operator, value) {
                    return Err(bad_text(&format!("{at}[{i}]"), value, expected));
                }
            }
            out.push(Condition { operator, key: key.clone(), values });
        }
    }
    Ok(out)
}

fn object<'a>(path: &str, node: &'a Node, expected: &'static str) -> Result<&'a [(String, Node)], Error> {
    match node {
        Node::Object(members) => Ok(members),
        _ => Err(bad(path, node, expected)),
    }
}

fn text<'a>(path: &str, node: &'a Node, expected: &'static str) -> Result<&'a str, Error> {
    match node {
        Node::Text(text) => Ok(text),
        _ => Err(bad(path, node, expected)),
    }
}

/// Text or a list of text.
fn texts(path: &str, node: &Node) -> Result<Vec<String>, Error> {
    each(path, node, |path, node| text(path, node, "text").map(str::to_owned))
}

/// Text, booleans or numbers, one or a list.
fn scalars(path: &str, node: &Node) -> Result<Vec<String>, Error> {
    each(path, node, |path, node| match node {
        Node::Text(text) => Ok(text.clone()),
        Node::Bool(value) => Ok(value.to_string()),
        Node::Number(_, canonical) => Ok(canonical.clone()),
        _ => Err(bad(path, node, "text, a boolean or a number")),
    })
}

fn each(path: &str, node: &Node, one: impl Fn(&str, &Node) -> Result<String, Error>) -> Result<Vec<String>, Error> {
    match node {
        Node::List(items) if items.len() > Document::VALUES_MAX => {
            Err(too_many(path, items.len(), Document::VALUES_MAX))
        }
        Node::List(items) => items.iter().enumerate().map(|(i, item)| one(&format!("{path}[{i}]"), item)).collect(),
        single => Ok(vec![one(path, single)?]),
    }
}

fn bad(path: &str, node: &Node, expected: &'static str) -> Error {
    let got = match node {
        Node::Text(text) => shown(text),
        other => other.type_name().to_owned(),
    };
    Error::BadValue { path: path.to_owned(), got, expected }
}

fn bad_text(path: &str, value: &str, expected: &'static str) -> Error {
    Error::BadValue { path: path.to_owned(), got: shown(value), expected }
}

fn unknown(path: &str, element: &str, expected: &'static str) -> Error {
    Error::UnknownElement { path: path.to_owned(), element: shown(element), expected }
}

fn missing(path: &str, element: &'static str) -> Error {
    Error::MissingElement { path: path.to_owned(), element }
}

fn not_here(path: &str, element: &'static str, kind: DocumentKind) -> Error {
    Error::NotAllowedHere { path: path.to_owned(), element, kind: kind.described() }
}

fn too_many(path: &str, count: usize, max: usize) -> Error {
    Error::TooMany { path: path.to_owned(), count, max }
}
