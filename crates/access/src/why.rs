//! Why: a recorded decision found again and evaluated again, and what would be decided for somebody at some time.
//!
//! It gives ids and typed reasons; names are joined by `evidence`. It must not decide otherwise than the gate: every
//! answer comes from the same formula. INVARIANT: a replay reads documents by digest, and bytes that do not match
//! their digest are no document.

mod explain;
mod find;
mod lead;
mod made;
mod past;
mod replay;

use base::{Actor, ClientId, DatasetId, DecisionId, RequestId, RoleId, SessionId, SignInId, Timestamp};
use ledger::{Entry, IdentityKind, Phase};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

pub use explain::{Explanation, Tried, Who};
pub use find::Indexed;
pub(crate) use lead::Leads;
pub use ledger::{Outcome, Status};
pub use replay::{Replay, ReplayFault};

use crate::permit::{DocumentRef, Reason};
use crate::{DenyReason, Error, Member};

/// A decision as the ledger holds it.
#[derive(Clone, Debug)]
pub struct Decided {
    /// The decision.
    pub decision: DecisionId,
    /// Its place in the log of this node.
    pub index: u64,
    /// When it was made.
    pub at: Timestamp,
    /// Who asked; `None` for somebody unknown.
    pub actor: Option<Actor>,
    /// The request.
    pub request: Option<RequestId>,
    /// Through which session.
    pub session: Option<SessionId>,
    /// In which role.
    pub role: Option<RoleId>,
    /// The sign-in that the session goes back to.
    pub sign_in: Option<SignInId>,
    /// Through which client.
    pub client: Option<ClientId>,
    /// To do what.
    pub action: String,
    /// To what.
    pub resource: String,
    /// Of which dataset.
    pub dataset: Option<DatasetId>,
    /// The grounds of an allow; those that were found before a deny.
    pub reasons: Vec<Reason>,
    /// Why not, for a deny.
    pub deny: Option<DenyReason>,
    /// The documents that took part.
    pub documents: Vec<DocumentRef>,
    /// The evaluator that decided.
    pub evaluator: String,
    /// What came of it; `None` where nothing did, or not yet, or nothing was looked for.
    pub ended: Option<Ended>,
    /// The whole entry.
    pub entry: Entry,
}

/// What came of a permitted act.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// When.
    pub at: Timestamp,
    /// How.
    #[serde(flatten)]
    pub outcome: Outcome,
}

impl Ended {
    pub(crate) fn of(entry: &Entry) -> Option<Self> {
        entry.outcome.map(|outcome| Self { at: entry.event_time, outcome })
    }
}

/// What the recorder adds to an entry beyond its own fields: what a replay and the chain need, and nothing personal.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Additional<'a> {
    pub(crate) action: Cow<'a, str>,
    #[serde(default)]
    pub(crate) reasons: Cow<'a, [Reason]>,
    #[serde(default)]
    pub(crate) deny: Option<Cow<'a, DenyReason>>,
    #[serde(default)]
    pub(crate) documents: Cow<'a, [DocumentRef]>,
    #[serde(default)]
    pub(crate) dataset: Option<DatasetId>,
    #[serde(default)]
    pub(crate) known: i64,
    #[serde(default)]
    pub(crate) client: Option<ClientId>,
    #[serde(default)]
    pub(crate) assume: Option<Assumed>,
    #[serde(default)]
    pub(crate) resource: Option<Cow<'a, crate::ResourceRef>>,
    #[serde(default)]
    pub(crate) ranged: bool,
    /// The old and new values of a change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) values: Option<Vec<serde_json::Value>>,
}

/// What a replay needs of an assumption of a role beside the context.
#[derive(Clone, Debug, Deserialize, serde::Serialize)]
pub(crate) struct Assumed {
    pub(crate) role: RoleId,
    /// The provider of a web identity; `None` for chaining.
    pub(crate) provider: Option<String>,
    pub(crate) tags: bool,
    pub(crate) sets_source_identity: bool,
}

impl Decided {
    /// From an entry of the log; `None` for an entry that records no decision.
    pub(crate) fn of(index: u64, entry: Entry) -> Option<Self> {
        if matches!(entry.phase, Phase::Outcome | Phase::Denials) {
            return None;
        }
        let decision = entry.decision.clone()?;
        let data: Additional<'static> = entry.additional_event_data.as_ref()?.read().ok()?;
        let who = &entry.user_identity;
        let actor = match who.kind {
            IdentityKind::System => Some(Actor::System),
            _ => who.person.map(Actor::Person).or(who.service.map(Actor::Service)),
        };
        let named = entry.request_parameters.as_ref().and_then(|parameters| parameters.get("resource"));
        let named = named.and_then(|resource| resource.as_str()).unwrap_or_default().to_owned();
        let resource = entry.resources.first().map_or(named, |resource| resource.arn.to_string());
        Some(Self {
            decision: entry.event_id,
            index,
            at: entry.event_time,
            actor,
            request: entry.request_id,
            session: who.session,
            role: who.role,
            sign_in: decision.why.sign_in,
            client: data.client,
            action: data.action.into_owned(),
            resource,
            dataset: data.dataset,
            reasons: data.reasons.into_owned(),
            deny: data.deny.map(Cow::into_owned),
            documents: data.documents.into_owned(),
            evaluator: decision.why.evaluator,
            ended: None,
            entry,
        })
    }

    /// The person or service that asked.
    pub fn member(&self) -> Option<Member> {
        match self.actor? {
            Actor::Person(person) => Some(Member::Person(person)),
            Actor::Service(service) => Some(Member::Service(service)),
            Actor::System => None,
        }
    }

    /// Whether the gate said yes.
    pub const fn allowed(&self) -> bool {
        self.deny.is_none()
    }

    /// What the caller was told, for a deny.
    pub fn told(&self) -> Option<String> {
        self.deny.as_ref().map(crate::gate::sentence)
    }

    fn additional(&self) -> Result<Additional<'static>, Error> {
        let data = self.entry.additional_event_data.as_ref().and_then(|data| data.read().ok());
        data.ok_or(Error::BadRecord { decision: self.decision })
    }
}
