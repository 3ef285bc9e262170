//! Assuming a role: `AssumeRole..` with `TagSession` and `SetSourceIdentity` over one shared context.
//!
//! AWS documents different keys for the three actions, yet one statement over all three with conditions on tags and source identity
//! works in practice; so they share a context here, and each needed action must be allowed.

use std::sync::Arc;

use crate::{
    compiled::Compiled,
    decision::{Decision, Effect},
    evaluate::{Inputs, evaluate_action},
    request::Request,
};

/// What a request to assume a role is evaluated against. The request's action is the `sts:AssumeRole..` action, its resource the role.
#[derive(Clone, Copy, Debug)]
pub struct AssumeInputs<'a> {
    /// The role's trust policy.
    pub trust: &'a Compiled,
    /// Identity policies of the caller (none for a federated caller).
    pub identity: &'a [Arc<Compiled>],
    /// The caller's permissions boundary.
    pub boundary: Option<&'a Compiled>,
    /// Session policies of the calling session.
    pub session: &'a [Arc<Compiled>],
    /// Guardrails of the caller's account.
    pub scps: &'a [Vec<Arc<Compiled>>],
    /// Whether tags are passed or inherited, so that `sts:TagSession` is needed.
    pub tags: bool,
    /// Whether a source identity is set, so that `sts:SetSourceIdentity` is needed.
    pub source_identity: bool,
}

/// The answer to each needed action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AssumeDecision {
    /// Action and decision, the `AssumeRole..` action first.
    pub actions: Vec<(String, Decision)>,
}

impl AssumeDecision {
    /// Allow if every needed action is allowed; explicit deny if any is explicitly denied.
    pub fn effect(&self) -> Effect {
        let has = |wanted: Effect| self.actions.iter().any(|(_, decision)| decision.effect == wanted);
        if has(Effect::ExplicitDeny) {
            Effect::ExplicitDeny
        } else if has(Effect::ImplicitDeny) || self.actions.is_empty() {
            Effect::ImplicitDeny
        } else {
            Effect::Allow
        }
    }

    /// The first action that is refused, and why: what "not authorized to perform: sts:TagSession" names.
    pub fn refused(&self) -> Option<(&str, &Decision)> {
        self.actions
            .iter()
            .find(|(_, decision)| !decision.is_allowed())
            .map(|(action, decision)| (action.as_str(), decision))
    }
}

/// Evaluates every action that assuming the role needs, each over the request's one context.
pub fn evaluate_assume(inputs: &AssumeInputs<'_>, request: &Request) -> AssumeDecision {
    let documents = Inputs {
        identity: inputs.identity,
        resource: Some(inputs.trust),
        boundary: inputs.boundary,
        session: inputs.session,
        scps: inputs.scps,
    };
    let tag = inputs.tags.then_some("sts:TagSession");
    let source = inputs.source_identity.then_some("sts:SetSourceIdentity");
    let needed = std::iter::once(request.action()).chain(tag).chain(source);
    let decide = |action: &str| {
        let decision = evaluate_action(&documents, request, &action.to_ascii_lowercase());
        (action.to_owned(), decision)
    };
    AssumeDecision { actions: needed.map(decide).collect() }
}
