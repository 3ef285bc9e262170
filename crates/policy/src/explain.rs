//! Statements and reasons in plain English, one line each. Display only: nothing is decided by these words.

use crate::{
    decision::{Decision, Determining, Effect, Note, PolicyRef},
    document::{Condition, Document, PrincipalElement, PrincipalEntry, Selector, Statement, StatementEffect},
    operator::{Cardinality, Operator, OperatorBase},
};

/// Values of one list that a line shows before it says how many more there are.
const SHOWN_MAX: usize = 6;

/// A statement in one line: "allows s3:GetObject on `arn:..` to everybody, if aws:SourceIp is in 10.0.0.0/8".
pub fn statement(statement: &Statement) -> String {
    let mut line = String::from(match statement.effect {
        StatementEffect::Allow => "allows ",
        StatementEffect::Deny => "denies ",
    });
    line.push_str(&selector(&statement.action, "every action"));
    if let Some(resources) = &statement.resource {
        line.push_str(" on ");
        line.push_str(&selector(resources, "every resource"));
    }
    if let Some(element) = &statement.principal {
        line.push_str(" to ");
        line.push_str(&principal(element));
    }
    if !statement.conditions.is_empty() {
        let all: Vec<String> = statement.conditions.iter().map(condition).collect();
        line.push_str(", if ");
        line.push_str(&all.join(" and "));
    }
    line
}

/// A determining statement in one line, with what it says where its document is at hand.
pub fn determining(at: &Determining, document: Option<&Document>) -> String {
    let name = at.sid.as_deref().map(|sid| format!(" (`{sid}`)")).unwrap_or_default();
    let place = format!("{}, statement {}{name}", policy(at.policy), at.statement);
    match document.and_then(|d| d.statements().get(at.statement)) {
        Some(said) => format!("{place} {}", statement(said)),
        None => place,
    }
}

/// A decision in one line.
pub fn decision(decision: &Decision) -> String {
    let by = || decision.determined_by.iter().map(|at| determining(at, None)).collect::<Vec<_>>().join("; ");
    match decision.effect {
        Effect::Allow if decision.notes.contains(&Note::RootUser) => {
            "allowed: the root user of an account needs no identity policy".to_owned()
        }
        Effect::Allow if decision.determined_by.is_empty() => "allowed: the action needs no permission".to_owned(),
        Effect::Allow => format!("allowed by {}", by()),
        Effect::ExplicitDeny => format!("denied by {}", by()),
        Effect::ImplicitDeny => {
            let errors = decision.errors.iter().map(ToString::to_string);
            let missing = decision.missing.iter().map(ToString::to_string);
            format!("denied: {}", errors.chain(missing).collect::<Vec<_>>().join("; "))
        }
    }
}

/// Which document, in words.
pub fn policy(at: PolicyRef) -> String {
    match at {
        PolicyRef::Identity(i) => format!("identity policy {i}"),
        PolicyRef::Resource => "the resource policy".to_owned(),
        PolicyRef::Boundary => "the permissions boundary".to_owned(),
        PolicyRef::Session(i) => format!("session policy {i}"),
        PolicyRef::ServiceControl(level, i) => format!("guardrail {i} of level {level}"),
    }
}

fn selector(selector: &Selector, all: &str) -> String {
    let everything = matches!(selector.values.as_slice(), [only] if only == "*");
    match (selector.negated, everything) {
        (false, true) => all.to_owned(),
        (false, false) => list(&selector.values),
        (true, _) => format!("{all} but {}", list(&selector.values)),
    }
}

fn principal(element: &PrincipalElement) -> String {
    let one = |entry: &PrincipalEntry| match entry {
        PrincipalEntry::Anyone => "everybody".to_owned(),
        PrincipalEntry::Account(account) => format!("account {account}"),
        PrincipalEntry::Federated(name) if name == "*" => "every identity provider".to_owned(),
        PrincipalEntry::Aws(name)
        | PrincipalEntry::Federated(name)
        | PrincipalEntry::Service(name)
        | PrincipalEntry::CanonicalUser(name) => format!("`{name}`"),
    };
    let names: Vec<String> = element.entries.iter().map(one).collect();
    let joined = shortened(&names);
    if element.negated { format!("everybody but {joined}") } else { joined }
}

fn condition(condition: &Condition) -> String {
    let Condition { operator, key, values } = condition;
    if operator.base == OperatorBase::Null {
        let absent = values.iter().any(|v| v.eq_ignore_ascii_case("true"));
        let present = values.iter().any(|v| v.eq_ignore_ascii_case("false"));
        return match (absent, present) {
            (true, true) => format!("{key} is absent or present"),
            (true, false) => format!("{key} is absent"),
            _ => format!("{key} is present"),
        };
    }
    let set = match operator.cardinality {
        Cardinality::Single => "",
        Cardinality::AnyValue => "some value of ",
        Cardinality::AllValues => "every value of ",
    };
    let exists = if operator.if_exists { " (where it is present)" } else { "" };
    format!("{set}{key} {} {}{exists}", verb(*operator), list(values))
}

fn verb(operator: Operator) -> &'static str {
    use OperatorBase as B;
    match (operator.base, operator.negated) {
        (B::StringEquals | B::NumericEquals | B::DateEquals | B::Bool | B::BinaryEquals, false) => "is",
        (B::StringEquals | B::NumericEquals | B::DateEquals | B::Bool | B::BinaryEquals, true) => "is not",
        (B::StringEqualsIgnoreCase, false) => "is, ignoring case,",
        (B::StringEqualsIgnoreCase, true) => "is not, ignoring case,",
        (B::StringLike | B::ArnLike, false) => "is like",
        (B::StringLike | B::ArnLike, true) => "is not like",
        (B::NumericLessThan, _) => "is less than",
        (B::NumericLessThanEquals, _) => "is at most",
        (B::NumericGreaterThan, _) => "is more than",
        (B::NumericGreaterThanEquals, _) => "is at least",
        (B::DateLessThan, _) => "is before",
        (B::DateLessThanEquals, _) => "is at or before",
        (B::DateGreaterThan, _) => "is after",
        (B::DateGreaterThanEquals, _) => "is at or after",
        (B::IpAddress, false) => "is in",
        (B::IpAddress, true) => "is not in",
        (B::Null, _) => "is absent:",
    }
}

fn list(values: &[String]) -> String {
    let quoted: Vec<String> = values.iter().map(|v| format!("`{v}`")).collect();
    shortened(&quoted)
}

fn shortened(values: &[String]) -> String {
    let shown: Vec<&str> = values.iter().take(SHOWN_MAX).map(String::as_str).collect();
    match values.len().saturating_sub(SHOWN_MAX) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

#[cfg(test)]
mod tests;
