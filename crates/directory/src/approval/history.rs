//! What became of a change that somebody asked for, told from its facts. It decides nothing and changes nothing.

use access::Proposal;
use base::{ApprovalId, PersonId, ServiceId, Timestamp};
use store::ReadTxn;

use super::{APPROVAL_WAITS, Waiting};
use crate::{Directory, Error, facts};

/// How far a change is that somebody asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It waits for its second approval.
    Waiting,
    /// It was approved, and made in the same moment.
    Approved,
    /// It was refused, or taken back.
    Refused,
    /// Nobody decided it in time.
    Expired,
}

impl State {
    /// The word in API and command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Approved => "approved",
            Self::Refused => "refused",
            Self::Expired => "expired",
        }
    }
}

/// What a second person decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Who.
    pub by: Option<PersonId>,
    /// When.
    pub at: Timestamp,
    /// Why.
    pub reason: Option<String>,
}

/// A change that somebody asked for, from the request to what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct History {
    /// What the gate is asked about.
    pub proposal: Proposal,
    /// How far it is.
    pub state: State,
    /// The word of [`Proposed::as_str`].
    pub change: String,
    /// The service that it concerns.
    pub service: Option<ServiceId>,
    /// When it was asked for.
    pub requested: Timestamp,
    /// Until when it could be decided.
    pub expires: Timestamp,
    /// Why it was asked for.
    pub reason: Option<String>,
    /// What was decided.
    pub decision: Option<Decision>,
}

impl From<Waiting> for History {
    fn from(waiting: Waiting) -> Self {
        Self {
            proposal: waiting.proposal(),
            state: State::Waiting,
            change: waiting.proposed.as_str().to_owned(),
            service: waiting.proposed.service(),
            requested: waiting.at,
            expires: waiting.expires,
            reason: waiting.reason,
            decision: None,
        }
    }
}

impl Directory {
    /// What became of a change that somebody asked for: it waits, was decided, or nobody decided it in time.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn approval_history(&self, id: ApprovalId) -> Result<Option<History>, Error> {
        self.0.store.read(move |txn| history(txn, id)).await
    }
}

/// The facts of a change that was asked for, told as one.
fn history(txn: &ReadTxn<'_>, id: ApprovalId) -> Result<Option<History>, Error> {
    let facts = txn.facts_of(id.uuid())?;
    let of_kind = |kind| facts.iter().find(|fact| fact.kind == kind);
    let Some(requested) = of_kind(facts::APPROVAL_REQUESTED) else { return Ok(None) };
    let body: facts::Requested = facts::read(&requested.body, "approval")?;
    let (asked, first) = (body.asked, body.requested);
    let expires = first.at.checked_add(APPROVAL_WAITS).unwrap_or(Timestamp::MAX);
    let given = of_kind(facts::APPROVAL_GIVEN).map(|fact| (fact, State::Approved));
    let decided = given.or(of_kind(facts::APPROVAL_REFUSED).map(|fact| (fact, State::Refused)));
    let open = if txn.now() < expires { State::Waiting } else { State::Expired };
    Ok(Some(History {
        proposal: Proposal { approval: id, requested_by: first.by, about: asked.person, group: asked.group },
        state: decided.map_or(open, |(_, state)| state),
        change: asked.change,
        service: asked.service,
        requested: first.at,
        expires,
        reason: requested.reason.clone(),
        decision: decided.map(|(fact, _)| Decision {
            by: fact.actor.person(),
            at: fact.recorded.timestamp(),
            reason: fact.reason.clone(),
        }),
    }))
}
