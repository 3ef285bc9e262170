//! A document in its fast form: what evaluation reads. Made once, shared by `Arc`, never changed.

use std::{collections::BTreeSet, sync::Arc};

use crate::{
    arn::{ArnMatch, ArnPattern, SplitArn},
    condition::{Test, Verdict},
    context::Context,
    document::{
        Document, DocumentKind, PrincipalElement, PrincipalEntry, Selector, Statement, StatementEffect, Version,
    },
    pattern::{self, Dialect, Pattern},
    principal::{self, Binding, Entry, Principal},
    request::Request,
};

/// A document that can be evaluated.
#[derive(Clone, Debug)]
pub struct Compiled {
    kind: DocumentKind,
    pub(crate) statements: Box<[CompiledStatement]>,
    /// The context keys that an evaluation can read, in lower case, sorted.
    keys: Box<[Box<str>]>,
}

#[derive(Clone, Debug)]
pub(crate) struct CompiledStatement {
    pub(crate) sid: Option<Arc<str>>,
    pub(crate) effect: StatementEffect,
    principals: Principals,
    actions: Actions,
    resources: Option<Resources>,
    tests: Box<[Test]>,
}

#[derive(Clone, Debug)]
enum Principals {
    /// The document is attached to the principal, or the statement names none.
    Attached,
    These(Box<[Entry]>),
    AllBut(Box<[Entry]>),
}

#[derive(Clone, Debug)]
struct Actions {
    negated: bool,
    patterns: Box<[Pattern]>,
}

#[derive(Clone, Debug)]
struct Resources {
    negated: bool,
    patterns: Box<[ResourcePattern]>,
}

#[derive(Clone, Debug)]
enum ResourcePattern {
    Arn(ArnPattern),
    /// A short ARN where the kind of document gives it no meaning: neither it nor its complement matches.
    Meaningless,
}

/// A condition that did not hold for a reason worth a remark.
#[derive(Clone, Debug)]
pub(crate) struct Remark {
    pub(crate) key: Box<str>,
    pub(crate) verdict: Verdict,
}

impl Compiled {
    /// Compiles `document`.
    pub fn new(document: &Document) -> Self {
        Self::bound(document, |_| None)
    }

    /// Compiles `document` with its user and role ARNs bound to the unique ids that they had when it was saved, so that a role that
    /// was deleted and made again does not inherit the grant. `unique_id` answers for an ARN; `None` leaves the entry unbound.
    pub fn bound(document: &Document, unique_id: impl Fn(&str) -> Option<Arc<str>>) -> Self {
        let compile = |s: &Statement| CompiledStatement::new(s, document.kind(), document.version(), &unique_id);
        let statements = document.statements().iter().map(compile).collect();
        let keys: BTreeSet<Box<str>> = document.statements().iter().flat_map(keys).collect();
        Self { kind: document.kind(), statements, keys: keys.into_iter().collect() }
    }

    /// Where the document is attached.
    pub fn kind(&self) -> DocumentKind {
        self.kind
    }

    /// How many statements it has.
    pub fn statement_count(&self) -> usize {
        self.statements.len()
    }

    /// Whether an evaluation can read the context key `key` (in lower case), in a condition or as a variable. A key that no document
    /// reads changes no answer.
    pub fn reads(&self, key: &str) -> bool {
        self.keys.binary_search_by(|own| (**own).cmp(key)).is_ok()
    }

    /// Whether an evaluation can read any context key.
    pub fn reads_any(&self) -> bool {
        !self.keys.is_empty()
    }
}

/// The context keys of a statement: of its conditions, and of the variables in its values. In a version without variables that is
/// more than is read, never less.
fn keys(statement: &Statement) -> impl Iterator<Item = Box<str>> {
    let resources = statement.resource.iter().flat_map(|selector| &selector.values);
    let texts = resources.chain(statement.conditions.iter().flat_map(|condition| &condition.values));
    let variables = texts.flat_map(|text| pattern::variables(text));
    statement.conditions.iter().map(|condition| condition.key.to_lowercase().into()).chain(variables)
}

impl Document {
    /// The document in its fast form.
    pub fn compile(&self) -> Arc<Compiled> {
        Arc::new(Compiled::new(self))
    }
}

impl CompiledStatement {
    fn new(
        statement: &Statement,
        kind: DocumentKind,
        version: Version,
        unique_id: &impl Fn(&str) -> Option<Arc<str>>,
    ) -> Self {
        let variables = version == Version::V2012;
        Self {
            sid: statement.sid.clone(),
            effect: statement.effect,
            principals: Principals::new(statement.principal.as_ref(), unique_id),
            actions: Actions::new(&statement.action),
            resources: statement.resource.as_ref().map(|selector| Resources::new(selector, kind, variables)),
            tests: statement.conditions.iter().map(|c| Test::new(c, variables)).collect(),
        }
    }

    /// Whether the statement's effect, principal, action, resource and conditions all fit the request, and how the principal fits.
    /// `action` is in lower case. `remark` hears of conditions that failed for a reason worth telling.
    pub(crate) fn applies(
        &self,
        request: &Request,
        action: &str,
        arn: &SplitArn<'_>,
        bounded: bool,
        remark: &mut impl FnMut(Remark),
    ) -> Option<Binding> {
        if !self.actions.contain(action) || !self.resources_contain(request, arn) {
            return None;
        }
        let binding = self.principals.binding(&request.principal, self.effect, bounded)?;
        self.holds(&request.context, remark).then_some(binding)
    }

    fn resources_contain(&self, request: &Request, arn: &SplitArn<'_>) -> bool {
        self.resources.as_ref().is_none_or(|resources| resources.contain(arn, &request.context))
    }

    fn holds(&self, context: &Context, remark: &mut impl FnMut(Remark)) -> bool {
        self.tests.iter().all(|test| match test.verdict(context) {
            Verdict::Holds => true,
            Verdict::Fails => false,
            verdict => {
                remark(Remark { key: test.key.clone(), verdict });
                false
            }
        })
    }
}

impl Principals {
    fn new(element: Option<&PrincipalElement>, unique_id: &impl Fn(&str) -> Option<Arc<str>>) -> Self {
        let Some(element) = element else { return Self::Attached };
        let entries = element.entries.iter().map(|entry| compile_entry(entry, unique_id)).collect();
        if element.negated { Self::AllBut(entries) } else { Self::These(entries) }
    }

    /// `bounded`: the caller has a permissions boundary, and then a Deny with `NotPrincipal` always denies
    /// (IAM user guide, "Permissions boundaries for IAM entities").
    fn binding(&self, who: &Principal, effect: StatementEffect, bounded: bool) -> Option<Binding> {
        match (self, effect) {
            (Self::Attached, _) => Some(Binding::Direct),
            (Self::These(entries), _) => principal::matches(entries, who),
            (Self::AllBut(entries), StatementEffect::Deny) => {
                (bounded || !principal::exempt_from_deny(entries, who)).then_some(Binding::Direct)
            }
            (Self::AllBut(entries), StatementEffect::Allow) => {
                principal::matches(entries, who).is_none().then(|| principal::binding_of_everyone_else(who))
            }
        }
    }
}

fn compile_entry(entry: &PrincipalEntry, unique_id: &impl Fn(&str) -> Option<Arc<str>>) -> Entry {
    match entry {
        PrincipalEntry::Anyone => Entry::Anyone,
        PrincipalEntry::Account(account) => Entry::Account(account.as_str().into()),
        PrincipalEntry::Aws(text) if text.starts_with("arn:") => Entry::Arn(text.as_str().into(), unique_id(text)),
        PrincipalEntry::Aws(id) => Entry::UniqueId(id.as_str().into()),
        PrincipalEntry::Federated(name) if name == "*" => Entry::AnyProvider,
        PrincipalEntry::Federated(name) | PrincipalEntry::Service(name) | PrincipalEntry::CanonicalUser(name) => {
            Entry::Name(name.as_str().into())
        }
    }
}

impl Actions {
    fn new(selector: &Selector) -> Self {
        let dialect = Dialect { wildcards: true, variables: false };
        let patterns = selector.values.iter().map(|v| Pattern::new(&v.to_ascii_lowercase(), dialect)).collect();
        Self { negated: selector.negated, patterns }
    }

    fn contain(&self, action: &str) -> bool {
        let found = self.patterns.iter().any(|p| p.matches_fixed(action));
        found != self.negated
    }
}

impl Resources {
    fn new(selector: &Selector, kind: DocumentKind, variables: bool) -> Self {
        let patterns = selector.values.iter().map(|v| ResourcePattern::new(v, kind, variables)).collect();
        Self { negated: selector.negated, patterns }
    }

    /// A value without a meaning, or with a variable that has no value, makes neither `Resource` nor `NotResource` match by it;
    /// in `NotResource` it makes the statement match nothing (IAM user guide, "Policy variables with no value").
    fn contain(&self, arn: &SplitArn<'_>, context: &Context) -> bool {
        let mut found = false;
        for pattern in &self.patterns {
            match pattern.matches(arn, context) {
                ArnMatch::Yes => found = true,
                ArnMatch::No => {}
                ArnMatch::Unresolved if self.negated => return false,
                ArnMatch::Unresolved => {}
            }
            if found && !self.negated {
                return true;
            }
        }
        found != self.negated
    }
}

impl ResourcePattern {
    fn new(text: &str, kind: DocumentKind, variables: bool) -> Self {
        let missing = 5_usize.saturating_sub(text.matches(':').count());
        if text == "*" || missing == 0 {
            return Self::Arn(ArnPattern::resource(text, variables));
        }
        let expands = match kind {
            DocumentKind::Identity | DocumentKind::Boundary | DocumentKind::Session => true,
            DocumentKind::Resource | DocumentKind::Trust => text.contains('*'),
            DocumentKind::ServiceControl => text.ends_with('*'),
        };
        if expands {
            Self::Arn(ArnPattern::resource(&format!("{text}{}", ":*".repeat(missing)), variables))
        } else {
            Self::Meaningless
        }
    }

    fn matches(&self, arn: &SplitArn<'_>, context: &Context) -> ArnMatch {
        match self {
            Self::Arn(pattern) => pattern.matches(arn, context),
            Self::Meaningless => ArnMatch::Unresolved,
        }
    }
}
