//! What of an entry leads to it: as much as the index of decisions needs, read from the log or kept from the writing of it.
//!
//! It must not touch the store. INVARIANT: what is kept of an entry is what a reader of the log finds in it.

use base::{DecisionId, PersonId, ServiceId, Timestamp};
use ledger::{Entry, IdentityKind, Phase};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use crate::resource::Member;

/// Entries whose leads are kept until they are indexed, some megabytes; the others are read from the log.
const KEPT_MAX: usize = 65_536;

/// Digest of who asked, to do what, to what.
pub(super) type Question = [u8; 16];

/// How an entry is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lead {
    /// By its decision, and by who asked and what.
    Decision { id: DecisionId, at: Timestamp, asked: Option<(Member, Question)> },
    /// By the decision whose outcome it tells.
    Outcome { of: DecisionId },
    /// Not at all.
    None,
}

impl Lead {
    /// Of an entry in hand that decided on `action`.
    pub(crate) fn of(entry: &Entry, action: &str) -> Self {
        let named = || entry.request_parameters.as_ref()?.get("resource")?.as_str().map(Cow::Borrowed);
        let first = entry.resources.first().map(|resource| Cow::Owned(resource.arn.to_string()));
        Facts {
            id: entry.event_id,
            at: entry.event_time,
            phase: entry.phase,
            member: member(entry.user_identity.kind, entry.user_identity.person, entry.user_identity.service),
            resource: first.or_else(named).unwrap_or_default(),
            action: entry.decision.is_some().then_some(action),
            decides: entry.decision.is_some(),
            ends: entry.outcome.is_some(),
            of: entry.of,
        }
        .lead()
    }

    /// Of a written entry.
    pub(super) fn read(bytes: &[u8]) -> Self {
        let Ok(entry) = serde_json::from_slice::<Indexable<'_>>(bytes) else { return Self::None };
        let act = entry.additional_event_data.and_then(|data| serde_json::from_str::<Act<'_>>(data.get()).ok());
        let named = || entry.request_parameters.as_ref()?.get("resource")?.as_str().map(Cow::Borrowed);
        let first = entry.resources.first().map(|resource| Cow::Borrowed(&*resource.arn));
        Facts {
            id: entry.event_id,
            at: entry.event_time,
            phase: entry.phase,
            member: member(entry.user_identity.kind, entry.user_identity.person, entry.user_identity.service),
            resource: first.or_else(named).unwrap_or_default(),
            action: act.as_ref().map(|act| &*act.action),
            decides: entry.decision.is_some(),
            ends: entry.outcome.is_some(),
            of: entry.of,
        }
        .lead()
    }
}

fn member(kind: IdentityKind, person: Option<PersonId>, service: Option<ServiceId>) -> Option<Member> {
    let member = person.map(Member::Person).or(service.map(Member::Service));
    member.filter(|_| kind != IdentityKind::System)
}

pub(super) fn question(member: Member, action: &str, arn: &str) -> Question {
    let text = [member.uuid().as_bytes(), action.to_ascii_lowercase().as_bytes(), b"\n", arn.as_bytes()].concat();
    crypto::sha256(&text).bytes().first_chunk().copied().unwrap_or_default()
}

/// What an entry says of itself, whichever way it was come by.
struct Facts<'a> {
    id: DecisionId,
    at: Timestamp,
    phase: Phase,
    member: Option<Member>,
    resource: Cow<'a, str>,
    action: Option<&'a str>,
    decides: bool,
    ends: bool,
    of: Option<DecisionId>,
}

impl Facts<'_> {
    fn lead(&self) -> Lead {
        if let Some(of) = self.of.filter(|_| self.ends && !self.decides) {
            return Lead::Outcome { of };
        }
        match self.action {
            Some(action) if self.decides && !matches!(self.phase, Phase::Outcome | Phase::Denials) => {
                let asked = self.member.map(|member| (member, question(member, action, &self.resource)));
                Lead::Decision { id: self.id, at: self.at, asked }
            }
            _ => Lead::None,
        }
    }
}

/// As much of an entry as a lead needs: reading it whole costs several times as much.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Indexable<'a> {
    #[serde(rename = "eventID")]
    event_id: DecisionId,
    event_time: Timestamp,
    phase: Phase,
    user_identity: Asker,
    #[serde(borrow, default)]
    resources: Vec<Named<'a>>,
    #[serde(default)]
    decision: Option<IgnoredAny>,
    #[serde(default)]
    outcome: Option<IgnoredAny>,
    #[serde(default)]
    of: Option<DecisionId>,
    #[serde(default)]
    request_parameters: Option<serde_json::Value>,
    #[serde(borrow, default)]
    additional_event_data: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Asker {
    #[serde(rename = "type")]
    kind: IdentityKind,
    #[serde(default)]
    person: Option<PersonId>,
    #[serde(default)]
    service: Option<ServiceId>,
}

#[derive(Deserialize)]
struct Named<'a> {
    #[serde(rename = "ARN", borrow)]
    arn: Cow<'a, str>,
}

/// The one part of [`super::Additional`] that is in a key.
#[derive(Deserialize)]
struct Act<'a> {
    #[serde(borrow)]
    action: Cow<'a, str>,
}

/// Leads of entries that were just written: the index takes them from here instead of reading its way through the log.
#[derive(Default)]
pub(crate) struct Leads(Mutex<HashMap<DecisionId, Lead>>);

impl Leads {
    /// Keeps the lead of an entry that is about to be written.
    pub(crate) fn keep(&self, entry: &Entry, action: &str) {
        let lead = Lead::of(entry, action);
        let mut kept = self.kept();
        if kept.len() >= KEPT_MAX {
            // Far behind, or many that were never written: the log has them all.
            *kept = HashMap::new();
        }
        kept.insert(entry.event_id, lead);
    }

    /// The lead of a written entry.
    pub(super) fn take(&self, bytes: &[u8]) -> Lead {
        let kept = Entry::id_of(bytes).and_then(|id| self.kept().remove(&id));
        kept.unwrap_or_else(|| Lead::read(bytes))
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, HashMap<DecisionId, Lead>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
