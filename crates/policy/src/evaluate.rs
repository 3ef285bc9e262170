//! The order of evaluation: explicit denies, guardrails, then who has to allow, by account and by principal form.
//!
//! Source: IAM user guide, "Policy evaluation logic". One invariant: whatever is in doubt is a deny, with its reason.

use std::sync::Arc;

use crate::{
    arn::SplitArn,
    compiled::{Compiled, CompiledStatement, Remark},
    condition::Verdict,
    decision::{Decision, Determining, Effect, EvaluationError, Missing, Note, PolicyRef},
    document::StatementEffect,
    principal::{Binding, Principal, PrincipalKind},
    request::Request,
};

/// The documents that apply to a request.
#[derive(Clone, Copy, Debug, Default)]
pub struct Inputs<'a> {
    /// The principal's identity policies.
    pub identity: &'a [Arc<Compiled>],
    /// The policy of the resource: bucket or dataset policy, key policy, or a role's trust policy.
    pub resource: Option<&'a Compiled>,
    /// The principal's permissions boundary.
    pub boundary: Option<&'a Compiled>,
    /// The session policies that were passed together, inline and managed: like identity policies they are one set, of which one must
    /// allow. None given means no restriction.
    pub session: &'a [Arc<Compiled>],
    /// Guardrails, one list for each level from the root down; some policy of every level must allow.
    pub scps: &'a [Vec<Arc<Compiled>>],
}

/// Evaluates `request` against `inputs` by the rules of AWS.
pub fn evaluate(inputs: &Inputs<'_>, request: &Request) -> Decision {
    evaluate_action(inputs, request, request.action_lower())
}

/// As [`evaluate`], for another action (in lower case) over the same request.
pub(crate) fn evaluate_action(inputs: &Inputs<'_>, request: &Request, action: &str) -> Decision {
    if action == "sts:getcalleridentity" && *request.principal.kind() != PrincipalKind::Anonymous {
        return Decision {
            effect: Effect::Allow,
            determined_by: Vec::new(),
            missing: Vec::new(),
            errors: Vec::new(),
            notes: vec![Note::AlwaysAllowed],
        };
    }
    let survey = Survey::take(inputs, request, action);
    let errors = request_errors(request, action);
    let (effect, determined_by, missing) = survey.decide(inputs, request, action);
    let (effect, determined_by) = match effect {
        Effect::Allow if !errors.is_empty() => (Effect::ImplicitDeny, Vec::new()),
        other => (other, determined_by),
    };
    let mut notes = survey.notes;
    if effect == Effect::Allow && survey.identity.is_empty() && is_root(request, action) {
        notes.push(Note::RootUser);
    }
    Decision { effect, determined_by, missing, errors, notes }
}

/// The root user has full access unless something denies it or a guardrail does not allow it (IAM user guide, "Policy evaluation
/// logic"); it cannot assume a role (STS API reference, "AssumeRole").
fn is_root(request: &Request, action: &str) -> bool {
    *request.principal.kind() == PrincipalKind::Root && Duty::of(request, action) != Duty::Trust
}

/// What the role side of a request says, without asking who may be granted what on the resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SideResult {
    /// Every Deny that applies, in any document that was given, the resource's among them.
    pub denied_by: Vec<Determining>,
    /// The Allows of identity policies, boundary, session policies and guardrails that apply.
    pub allowed_by: Vec<Determining>,
    /// Which of these sides does not allow.
    pub missing: Vec<Missing>,
    /// What could not be evaluated; then nothing is allowed.
    pub errors: Vec<EvaluationError>,
    /// Remarks.
    pub notes: Vec<Note>,
}

/// A [`SideResult`] in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The side allows and nothing denies.
    Allows,
    /// A Deny applies.
    Denies,
    /// Nothing denies and a side is missing.
    Lacks,
}

impl SideResult {
    /// The result in one word.
    pub fn outcome(&self) -> Outcome {
        if !self.denied_by.is_empty() {
            Outcome::Denies
        } else if self.missing.is_empty() && self.errors.is_empty() {
            Outcome::Allows
        } else {
            Outcome::Lacks
        }
    }
}

/// The role side alone: identity ∩ boundary ∩ session policies ∩ every level of guardrails, and every Deny of any document.
/// Allows of the resource's policy count for nothing here: on governed data a grant takes their place.
pub fn narrow(inputs: &Inputs<'_>, request: &Request) -> SideResult {
    let survey = Survey::take(inputs, request, request.action_lower());
    let mut missing = Vec::new();
    if survey.identity.is_empty() {
        missing.push(Missing::Identity);
    }
    survey.limits(inputs, &request.principal, &mut missing);
    survey.guardrails(inputs, &mut missing);
    let Survey { denies, identity, boundary, session, scps, notes, .. } = survey;
    let allowed_by = identity.into_iter().chain(boundary).chain(session).chain(scps).collect();
    let errors = request_errors(request, request.action_lower());
    SideResult { denied_by: denies, allowed_by, missing, errors, notes }
}

pub(crate) fn request_errors(request: &Request, action: &str) -> Vec<EvaluationError> {
    let mut errors = Vec::new();
    let named = action.split_once(':').is_some_and(|(service, name)| !service.is_empty() && !name.is_empty());
    if !named {
        errors.push(EvaluationError::BadAction(crate::error::shown(action)));
    }
    if request.resource != "*" && !(request.resource.starts_with("arn:") && SplitArn::new(&request.resource).is_arn()) {
        errors.push(EvaluationError::BadResource(crate::error::shown(&request.resource)));
    }
    if request.principal.as_str().is_empty() {
        errors.push(EvaluationError::NoPrincipal);
    }
    errors
}

/// Every statement that applies, sorted by what it can do.
#[derive(Default)]
struct Survey {
    denies: Vec<Determining>,
    identity: Vec<Determining>,
    resource: Vec<(Binding, Determining)>,
    boundary: Vec<Determining>,
    session: Vec<Determining>,
    scps: Vec<Determining>,
    notes: Vec<Note>,
}

impl Survey {
    /// Looks at every document in document order.
    fn take(inputs: &Inputs<'_>, request: &Request, action: &str) -> Self {
        let mut survey = Self::default();
        let arn = SplitArn::new(&request.resource);
        let bounded = inputs.boundary.is_some();
        let mut notes = Vec::new();
        let mut look = |document: &Compiled, policy: PolicyRef, denies: &mut Vec<Determining>| {
            let mut allows = Vec::new();
            for (index, statement) in document.statements.iter().enumerate() {
                let mut remark = |r: Remark| notes.push(note(r, policy, index, statement));
                let Some(binding) = statement.applies(request, action, &arn, bounded, &mut remark) else { continue };
                let at = determining(policy, index, statement);
                match statement.effect {
                    StatementEffect::Deny => denies.push(at),
                    StatementEffect::Allow => allows.push((binding, at)),
                }
            }
            allows
        };
        let unbound = |allows: Vec<(Binding, Determining)>| allows.into_iter().map(|(_, at)| at);
        for (i, document) in inputs.identity.iter().enumerate() {
            survey.identity.extend(unbound(look(document, PolicyRef::Identity(i), &mut survey.denies)));
        }
        if let Some(document) = inputs.resource {
            survey.resource = look(document, PolicyRef::Resource, &mut survey.denies);
        }
        if let Some(document) = inputs.boundary {
            survey.boundary.extend(unbound(look(document, PolicyRef::Boundary, &mut survey.denies)));
        }
        for (i, document) in inputs.session.iter().enumerate() {
            survey.session.extend(unbound(look(document, PolicyRef::Session(i), &mut survey.denies)));
        }
        for (level, documents) in inputs.scps.iter().enumerate() {
            for (i, document) in documents.iter().enumerate() {
                let allows = look(document, PolicyRef::ServiceControl(level, i), &mut survey.denies);
                survey.scps.extend(unbound(allows));
            }
        }
        survey.notes = notes;
        survey
    }

    /// The answer, its statements in document order, and what was missing.
    fn decide(&self, inputs: &Inputs<'_>, request: &Request, action: &str) -> (Effect, Vec<Determining>, Vec<Missing>) {
        if !self.denies.is_empty() {
            return (Effect::ExplicitDeny, self.denies.clone(), Vec::new());
        }
        let mut missing = Vec::new();
        self.guardrails(inputs, &mut missing);
        let mut limits = Vec::new();
        self.limits(inputs, &request.principal, &mut limits);
        let granted = self.grants(inputs, request, action, &limits);
        match granted {
            Ok(grant) if missing.is_empty() => (Effect::Allow, self.statements(&grant), Vec::new()),
            Ok(_) => (Effect::ImplicitDeny, Vec::new(), missing),
            Err(mut more) => {
                more.extend(missing);
                (Effect::ImplicitDeny, Vec::new(), more)
            }
        }
    }

    /// Which ways lead to an allow; else what is missing.
    fn grants(
        &self,
        inputs: &Inputs<'_>,
        request: &Request,
        action: &str,
        limits: &[Missing],
    ) -> Result<Grant, Vec<Missing>> {
        let who = &request.principal;
        let any = |wanted: Binding| self.resource.iter().any(|(binding, _)| *binding == wanted);
        let direct = any(Binding::Direct);
        if !who.has_identity_side() {
            let needed = Duty::of(request, action).missing().unwrap_or(Missing::Resource);
            return if direct { Ok(Grant { direct, ..Grant::default() }) } else { Err(vec![needed]) };
        }
        let (role, account, identity) = (any(Binding::Limited), any(Binding::Account), !self.identity.is_empty());
        let same_account = who.account() == Some(request.resource_account.as_str());
        let duty = Duty::of(request, action);
        let identity = identity || is_root(request, action);
        if !same_account {
            return cross_account(direct || role || account, identity, duty, limits);
        }
        let by_identity = identity && (account || duty == Duty::None);
        let limited = limits.is_empty();
        let grant = Grant {
            direct,
            role: role && limited,
            identity: by_identity && limited,
            account: account && identity && limited && duty != Duty::None,
        };
        if grant.direct || grant.role || grant.identity {
            return Ok(grant);
        }
        if role || by_identity {
            return Err(limits.to_vec());
        }
        let own = match duty.missing() {
            Some(_) if account => Missing::Identity,
            Some(missing) => missing,
            None if inputs.resource.is_some() => Missing::IdentityOrResource,
            None => Missing::Identity,
        };
        Err(std::iter::once(own).chain(limits.iter().copied()).collect())
    }

    /// The boundary and the session policies, where they do not allow. A session of `GetFederationToken` has what its session policies
    /// allow and nothing without any.
    fn limits(&self, inputs: &Inputs<'_>, who: &Principal, missing: &mut Vec<Missing>) {
        if inputs.boundary.is_some() && self.boundary.is_empty() {
            missing.push(Missing::Boundary);
        }
        let needs_session = !inputs.session.is_empty() || matches!(who.kind(), PrincipalKind::FederatedUser { .. });
        if needs_session && self.session.is_empty() {
            missing.push(Missing::Session);
        }
    }

    /// The levels of guardrails that do not allow.
    fn guardrails(&self, inputs: &Inputs<'_>, missing: &mut Vec<Missing>) {
        let allows = |wanted: usize| {
            self.scps.iter().any(|at| matches!(at.policy, PolicyRef::ServiceControl(level, _) if level == wanted))
        };
        missing.extend((0..inputs.scps.len()).filter(|level| !allows(*level)).map(Missing::ServiceControl));
    }

    /// The statements of the ways that led to the allow, in document order.
    fn statements(&self, grant: &Grant) -> Vec<Determining> {
        let counted = |binding: Binding| match binding {
            Binding::Direct => grant.direct,
            Binding::Limited => grant.role,
            Binding::Account => grant.account,
        };
        let limited = grant.role || grant.identity;
        let when = |yes: bool, list: &[Determining]| if yes { list.to_vec() } else { Vec::new() };
        let mut out = when(grant.identity, &self.identity);
        out.extend(self.resource.iter().filter(|(binding, _)| counted(*binding)).map(|(_, at)| at.clone()));
        out.extend(when(limited, &self.boundary));
        out.extend(when(limited, &self.session));
        out.extend(self.scps.iter().cloned());
        out
    }
}

/// The ways that lead to an allow.
#[derive(Default)]
struct Grant {
    /// The resource policy names the session, user, provider or everybody.
    direct: bool,
    /// The resource policy names the role.
    role: bool,
    /// The identity policies allow, and may.
    identity: bool,
    /// The resource policy delegates to the account.
    account: bool,
}

fn cross_account(resource: bool, identity: bool, duty: Duty, limits: &[Missing]) -> Result<Grant, Vec<Missing>> {
    let mut missing = Vec::new();
    if !identity {
        missing.push(Missing::Identity);
    }
    if !resource {
        missing.push(duty.missing().unwrap_or(Missing::Resource));
    }
    missing.extend_from_slice(limits);
    if missing.is_empty() {
        Ok(Grant { direct: true, role: true, identity: true, account: true })
    } else {
        Err(missing)
    }
}

/// Whether the resource's own policy has to allow, whatever the identity side says.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Duty {
    None,
    Trust,
    Key,
}

impl Duty {
    pub(crate) fn of(request: &Request, action: &str) -> Self {
        let arn = SplitArn::new(&request.resource);
        let resource = arn.part(5);
        let assumes = matches!(
            action,
            "sts:assumerole"
                | "sts:assumerolewithsaml"
                | "sts:assumerolewithwebidentity"
                | "sts:tagsession"
                | "sts:setsourceidentity"
                | "sts:setcontext"
        );
        if assumes && arn.part(2) == "iam" && resource.starts_with("role/") {
            Self::Trust
        } else if action.starts_with("kms:") && arn.part(2) == "kms" && resource.starts_with("key/") {
            Self::Key
        } else {
            Self::None
        }
    }

    fn missing(self) -> Option<Missing> {
        match self {
            Self::None => None,
            Self::Trust => Some(Missing::Trust),
            Self::Key => Some(Missing::KeyPolicy),
        }
    }
}

fn determining(policy: PolicyRef, statement: usize, compiled: &CompiledStatement) -> Determining {
    Determining { policy, statement, sid: compiled.sid.clone() }
}

fn note(remark: Remark, policy: PolicyRef, index: usize, statement: &CompiledStatement) -> Note {
    let at = determining(policy, index, statement);
    match remark.verdict {
        Verdict::NotSingle => Note::NotSingle { at, key: remark.key },
        _ => Note::IllTyped { at, key: remark.key },
    }
}

#[cfg(test)]
mod tests;
