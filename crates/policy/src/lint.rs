//! Findings about a document that is valid and probably wrong: what it does instead of what was meant, and the mend.
//!
//! A finding never changes an evaluation. Codes are stable: scripts and the portal refer to them.

mod codes;
mod satisfiable;

use serde::{Serialize, Serializer};
use std::{collections::HashSet, fmt};

use crate::{
    context,
    document::{Condition, Document, DocumentKind, PrincipalEntry, Statement, StatementEffect, Version},
    operator::{Cardinality, OperatorBase},
    pattern::{Dialect, Part, Pattern, Piece, parts},
};

/// What a finding is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum LintCode {
    /// No request can meet all conditions on one key, so the statement never applies.
    Unsatisfiable,
    /// A negated operator in an Allow also holds where the key is absent.
    NegatedWithoutNull,
    /// `ForAllValues` in an Allow also holds where the key is absent.
    ForAllValuesInAllow,
    /// `${..}` in a document of version 2008-10-17 is literal text.
    VariablesUnder2008,
    /// The document is of version 2008-10-17, or has none.
    Version2008,
    /// A group code that the registry does not know.
    UnknownGroupCode,
    /// A group code that was retired.
    RetiredGroupCode,
    /// A group code without a separator on both sides also matches across codes.
    UnanchoredCode,
    /// Tags are asked for, and `sts:TagSession` is not allowed.
    MissingTagSession,
    /// `sts:SetSourceIdentity` is not allowed, and no session is made without a source identity.
    MissingSetSourceIdentity,
    /// A trust policy that everybody, or every provider, may use.
    WildcardPrincipal,
    /// The document is longer than AWS accepts where it is attached.
    DocumentSize,
    /// A multi-valued key under an operator that takes one value.
    NeedsSetOperator,
    /// An ARN with fewer than six parts where it matches nothing.
    ShortArn,
    /// A condition without values.
    NoValues,
    /// An Allow for everybody who is not listed.
    AllowWithNotPrincipal,
    /// `*` or `?` under an operator that compares them as characters.
    WildcardWithoutLike,
    /// Two statements of one name.
    DuplicateSid,
}

impl LintCode {
    /// The stable name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unsatisfiable => "unsatisfiable",
            Self::NegatedWithoutNull => "negated-without-null",
            Self::ForAllValuesInAllow => "for-all-values-in-allow",
            Self::VariablesUnder2008 => "variables-under-2008",
            Self::Version2008 => "version-2008",
            Self::UnknownGroupCode => "unknown-group-code",
            Self::RetiredGroupCode => "retired-group-code",
            Self::UnanchoredCode => "unanchored-code",
            Self::MissingTagSession => "missing-tag-session",
            Self::MissingSetSourceIdentity => "missing-set-source-identity",
            Self::WildcardPrincipal => "wildcard-principal",
            Self::DocumentSize => "document-size",
            Self::NeedsSetOperator => "needs-set-operator",
            Self::ShortArn => "short-arn",
            Self::NoValues => "no-values",
            Self::AllowWithNotPrincipal => "allow-with-not-principal",
            Self::WildcardWithoutLike => "wildcard-without-like",
            Self::DuplicateSid => "duplicate-sid",
        }
    }

    /// Whether the document surely does not do what it says; the others are worth a look.
    pub fn is_error(self) -> bool {
        !matches!(
            self,
            Self::Version2008
                | Self::ForAllValuesInAllow
                | Self::NegatedWithoutNull
                | Self::DocumentSize
                | Self::WildcardWithoutLike
                | Self::DuplicateSid
        )
    }
}

impl Serialize for LintCode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl fmt::Display for LintCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What it is about.
    pub code: LintCode,
    /// Position of the statement, from 0; none where it concerns the document.
    pub statement: Option<usize>,
    /// What the document does.
    pub message: String,
    /// What to write instead.
    pub mend: String,
}

/// What the lint knows beyond the document.
#[derive(Clone, Debug, Default)]
pub struct LintOptions<'a> {
    /// Live group codes; without a registry, codes are not looked up.
    pub known_group_codes: Option<&'a HashSet<String>>,
    /// Codes that were in use once and are not any more.
    pub retired_group_codes: Option<&'a HashSet<String>>,
    /// Tag keys that carry group codes, without their `aws:RequestTag/` prefix; empty means `GroupHash`, also with a shard number.
    pub code_tags: &'a [&'a str],
}

/// Every finding about `document`, in document order.
pub fn lint(document: &Document, options: &LintOptions<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    version(document, &mut findings);
    size(document, &mut findings);
    let mut sids = HashSet::new();
    for (index, statement) in document.statements().iter().enumerate() {
        let mut found = Vec::new();
        names(statement, &mut sids, &mut found);
        satisfiable::lint(statement, document.version(), &mut found);
        conditions(statement, &mut found);
        resources(statement, document.kind(), &mut found);
        codes::lint(statement, options, &mut found);
        if document.kind() == DocumentKind::Trust && statement.effect == StatementEffect::Allow {
            trust(document, statement, &mut found);
        }
        findings.extend(found.into_iter().map(|f| Finding { statement: Some(index), ..f }));
    }
    findings
}

/// A finding whose statement the caller fills in.
fn finding(code: LintCode, message: String, mend: impl Into<String>) -> Finding {
    Finding { code, statement: None, message, mend: mend.into() }
}

fn version(document: &Document, findings: &mut Vec<Finding>) {
    if document.version() == Version::V2012 {
        return;
    }
    let mend = "write \"Version\": \"2012-10-17\"";
    let mut literal = None;
    for (index, statement) in document.statements().iter().enumerate() {
        let resources = statement.resource.iter().flat_map(|r| &r.values);
        let values = statement.conditions.iter().flat_map(|c| &c.values);
        if let Some(text) = resources.chain(values).find(|text| text.contains("${")) {
            literal.get_or_insert((index, text.clone()));
        }
    }
    match literal {
        Some((index, text)) => findings.push(Finding {
            statement: Some(index),
            ..finding(
                LintCode::VariablesUnder2008,
                format!("`{text}` is literal text: policy variables need version 2012-10-17"),
                mend,
            )
        }),
        None => findings.push(finding(
            LintCode::Version2008,
            "the document is of version 2008-10-17 (also when none is written); a variable added later would be literal text"
                .to_owned(),
            mend,
        )),
    }
}

fn size(document: &Document, findings: &mut Vec<Finding>) {
    let (max, what) = match document.kind() {
        DocumentKind::Identity => (6_144, "a managed policy; 10,240 for all inline policies of a role together"),
        DocumentKind::Boundary => (6_144, "a permissions boundary"),
        DocumentKind::Resource => (20_480, "a bucket policy"),
        DocumentKind::Trust => (2_048, "a trust policy; 4,096 on request"),
        DocumentKind::Session => (2_048, "a session policy with the ARNs that are passed beside it"),
        DocumentKind::ServiceControl => (5_120, "a service control policy"),
    };
    let characters = document.characters();
    if characters > max {
        findings.push(finding(
            LintCode::DocumentSize,
            format!("{characters} characters without white space; AWS takes {max} for {what}"),
            "split the document, or use wildcards that say the same",
        ));
    }
}

/// What the `Sid` and the `NotPrincipal` of a statement say.
fn names<'a>(statement: &'a Statement, sids: &mut HashSet<&'a str>, findings: &mut Vec<Finding>) {
    if let Some(sid) = statement.sid.as_deref().filter(|sid| !sid.is_empty() && !sids.insert(sid)) {
        findings.push(finding(
            LintCode::DuplicateSid,
            format!("a statement before it is also called `{sid}`: AWS refuses the document, and reasons do not tell the two apart"),
            "give each statement a name of its own",
        ));
    }
    let all_but = statement.principal.as_ref().is_some_and(|principal| principal.negated);
    if all_but && statement.effect == StatementEffect::Allow {
        findings.push(finding(
            LintCode::AllowWithNotPrincipal,
            "an Allow with NotPrincipal lets in everybody who is not listed, also anonymous callers and other accounts"
                .to_owned(),
            "name those who are allowed in Principal, and deny the others in a second statement",
        ));
    }
}

fn conditions(statement: &Statement, findings: &mut Vec<Finding>) {
    for condition in &statement.conditions {
        let (operator, key) = (condition.operator, &condition.key);
        if condition.values.is_empty() {
            findings.push(finding(
                LintCode::NoValues,
                format!(
                    "{operator} on `{key}` has no values and {}",
                    if operator.negated { "holds for every value" } else { "never holds" }
                ),
                "write the values, or leave the condition out",
            ));
        }
        let single = operator.cardinality == Cardinality::Single && operator.base != OperatorBase::Null;
        if single && context::is_multivalued(&key.to_lowercase()) {
            findings.push(finding(
                LintCode::NeedsSetOperator,
                format!("`{key}` is a multi-valued key and {operator} takes one value, so the condition never holds"),
                format!("write ForAnyValue:{operator} or ForAllValues:{operator}"),
            ));
        }
        if matches!(operator.base, OperatorBase::StringEquals | OperatorBase::StringEqualsIgnoreCase)
            && let Some(value) = condition.values.iter().find(|value| has_wildcard(value))
        {
            findings.push(finding(
                LintCode::WildcardWithoutLike,
                format!("{operator} compares the `*` and `?` of `{value}` as characters"),
                "write StringLike (StringNotLike) if they are wildcards, `${*}` or `${?}` if they are not",
            ));
        }
        if operator.base == OperatorBase::ArnLike
            && let Some(short) = condition.values.iter().find(|v| v.matches(':').count() < 5 && !v.contains("${"))
        {
            findings.push(finding(
                LintCode::ShortArn,
                format!("`{short}` has fewer than six parts, so {operator} never finds it"),
                "write all six parts, with `*` where any will do",
            ));
        }
        if statement.effect == StatementEffect::Allow {
            absent_key(statement, condition, findings);
        }
    }
}

/// Whether `value` has a `*` or `?` that is not written as `${*}` or `${?}`.
fn has_wildcard(value: &str) -> bool {
    parts(value, Dialect { wildcards: true, variables: true })
        .iter()
        .any(|part| matches!(part, Part::Fixed(Piece::Star | Piece::One)))
}

/// Conditions of an Allow that also hold where the key is absent, unless something else in the statement asks for the key.
fn absent_key(statement: &Statement, condition: &Condition, findings: &mut Vec<Finding>) {
    let (operator, key) = (condition.operator, &condition.key);
    if requires_presence(statement, key) {
        return;
    }
    let mend = format!("add \"Null\": {{\"{key}\": \"false\"}}");
    match operator.cardinality {
        Cardinality::Single if operator.negated => findings.push(finding(
            LintCode::NegatedWithoutNull,
            format!("{operator} on `{key}` also holds for every request without `{key}`"),
            mend,
        )),
        Cardinality::AllValues if !tags_are_required(statement, key) => findings.push(finding(
            LintCode::ForAllValuesInAllow,
            format!("{operator} on `{key}` also holds where `{key}` is absent or empty"),
            mend,
        )),
        _ => {}
    }
}

/// Whether some condition fails for every request without `key`.
fn requires_presence(statement: &Statement, key: &str) -> bool {
    statement.conditions.iter().filter(|c| c.key.eq_ignore_ascii_case(key)).any(|c| match c.operator.cardinality {
        _ if c.operator.base == OperatorBase::Null => !c.values.iter().any(|v| v.eq_ignore_ascii_case("true")),
        Cardinality::Single => !c.operator.negated && !c.operator.if_exists,
        Cardinality::AnyValue => true,
        Cardinality::AllValues => false,
    })
}

/// `ForAllValues` on `aws:TagKeys` beside a condition that needs a tag is the usual way to limit which tags may be passed.
fn tags_are_required(statement: &Statement, key: &str) -> bool {
    let tag = |c: &&Condition| c.key.to_lowercase().starts_with("aws:requesttag/");
    key.eq_ignore_ascii_case("aws:TagKeys")
        && statement.conditions.iter().filter(tag).any(|c| requires_presence(statement, &c.key))
}

fn resources(statement: &Statement, kind: DocumentKind, findings: &mut Vec<Finding>) {
    let expands = |value: &str| match kind {
        DocumentKind::Identity | DocumentKind::Boundary | DocumentKind::Session => true,
        DocumentKind::Resource | DocumentKind::Trust => value.contains('*'),
        DocumentKind::ServiceControl => value.ends_with('*'),
    };
    let values = statement.resource.iter().flat_map(|r| &r.values);
    for value in values.filter(|v| *v != "*" && v.matches(':').count() < 5 && !expands(v)) {
        findings.push(finding(
            LintCode::ShortArn,
            format!("`{value}` has fewer than six parts and matches nothing in {}", kind.described()),
            "write all six parts, with `*` where any will do",
        ));
    }
}

fn trust(document: &Document, statement: &Statement, findings: &mut Vec<Finding>) {
    let entries = statement.principal.iter().flat_map(|p| &p.entries);
    let everybody = |entry: &PrincipalEntry| match entry {
        PrincipalEntry::Anyone => Some("everybody"),
        PrincipalEntry::Federated(name) if name == "*" => Some("every identity provider"),
        _ => None,
    };
    if let Some(who) = entries.clone().find_map(everybody) {
        findings.push(finding(
            LintCode::WildcardPrincipal,
            format!("{who} may assume the role if the conditions hold"),
            "name the providers, roles or accounts",
        ));
    }
    if !allows_assuming(statement) {
        return;
    }
    let asks_tags = statement.conditions.iter().any(|c| {
        let key = c.key.to_lowercase();
        key.starts_with("aws:requesttag/") || key == "aws:tagkeys" || key == "sts:transitivetagkeys"
    });
    if asks_tags && !allowed_somewhere(document, statement, "sts:tagsession") {
        findings.push(finding(
            LintCode::MissingTagSession,
            "the conditions ask for session tags, and passing tags needs sts:TagSession, which is not allowed"
                .to_owned(),
            "add \"sts:TagSession\" to the actions",
        ));
    }
    if !allowed_somewhere(document, statement, "sts:setsourceidentity") {
        findings.push(finding(
            LintCode::MissingSetSourceIdentity,
            "sts:SetSourceIdentity is not allowed, and no session is made without a source identity".to_owned(),
            "add \"sts:SetSourceIdentity\" to the actions",
        ));
    }
}

fn allows_assuming(statement: &Statement) -> bool {
    ["sts:assumerole", "sts:assumerolewithsaml", "sts:assumerolewithwebidentity"]
        .iter()
        .any(|action| selects(statement, action))
}

/// Whether this statement, or another Allow for one of its principals, allows `action`.
fn allowed_somewhere(document: &Document, statement: &Statement, action: &str) -> bool {
    let entries = |s: &Statement| s.principal.iter().flat_map(|p| p.entries.clone()).collect::<HashSet<_>>();
    let own = entries(statement);
    document.statements().iter().any(|other| {
        other.effect == StatementEffect::Allow && selects(other, action) && !entries(other).is_disjoint(&own)
    })
}

fn selects(statement: &Statement, action: &str) -> bool {
    let dialect = Dialect { wildcards: true, variables: false };
    let found =
        statement.action.values.iter().any(|v| Pattern::new(&v.to_ascii_lowercase(), dialect).matches_fixed(action));
    found != statement.action.negated
}

#[cfg(test)]
mod tests;
