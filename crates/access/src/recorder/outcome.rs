//! What came of a permitted operation: one more entry, never waited for.

use base::{DecisionId, Ids};
use ledger::{Entry, Phase, Status};
use std::sync::Arc;

use super::{Inner, Owed, entry, lock};
use crate::action::Class;
use crate::permit::{Outcome, Outcomes, Ticket};

/// The status that the HTTP edges use for a caller that went away.
const CLIENT_GONE: u16 = 499;

const fn status(outcome: Option<Outcome>) -> Status {
    match outcome {
        None => Status::Unknown,
        Some(Outcome { status: 0 | CLIENT_GONE, .. }) => Status::Cut,
        Some(Outcome { status: ..=399, .. }) => Status::Ok,
        Some(_) => Status::Failed,
    }
}

/// A durable intent that no permit answers for yet. Dropped so, because its caller went away or another record of the same
/// request failed, it is closed as the intent of a permit that is dropped.
pub(crate) struct Opened {
    ticket: Option<Ticket>,
    outcomes: Arc<dyn Outcomes>,
}

impl Opened {
    pub(super) fn new(owed: Owed, ticket: Ticket, outcomes: Arc<dyn Outcomes>) -> Self {
        owed.until_its_outcome();
        Self { ticket: Some(ticket), outcomes }
    }

    /// A permit answers for it from now on.
    pub(crate) fn permitted(mut self) {
        self.ticket = None;
    }
}

impl Drop for Opened {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket.take() {
            self.outcomes.outcome(&ticket, None);
        }
    }
}

impl Inner {
    /// An outcome closes an intent; a change that came to nothing, and a question, had none and leave a note.
    fn closing(&self, ticket: &Ticket) -> Entry {
        let (source, name) = entry::names(ticket.action);
        let op = ticket.context();
        let id = DecisionId::from_uuid(self.effects.uuid());
        let phase = match ticket.class {
            Class::Change | Class::View => Phase::Note,
            Class::Read | Class::Write => Phase::Outcome,
        };
        let mut written = Entry::new(phase, id, self.effects.now(), source, name, entry::identity(&op));
        written.event_type = entry::event_type(ticket.edge);
        written.request_id = Some(ticket.request);
        written.of = Some(ticket.decision);
        written
    }
}

impl Outcomes for Inner {
    fn outcome(&self, ticket: &Ticket, outcome: Option<Outcome>) {
        let committed = ticket.change.as_ref().is_some_and(|used| used.load(std::sync::atomic::Ordering::SeqCst));
        let wanted = match ticket.class {
            // A question was recorded whole when it was decided, unless it was then answered with a refusal or with a list.
            Class::View => ticket.shown.is_some() || outcome.is_some_and(|outcome| outcome.status >= 400),
            // A change that was committed is its own outcome; one that failed or was given up leaves this trace.
            Class::Change => !committed || outcome.is_none_or(|outcome| outcome.status >= 400),
            Class::Read | Class::Write => true,
        };
        if !wanted {
            return;
        }
        let mut written = match &ticket.covered {
            Some(decided) => Entry::clone(decided),
            None => self.closing(ticket),
        };
        written.outcome = Some(ledger::Outcome {
            status: status(outcome),
            code: outcome.map(|outcome| outcome.status).filter(|code| *code != 0),
            bytes: outcome.map(|outcome| outcome.bytes),
            offset: None,
            shown: ticket.shown,
        });
        match written.encode() {
            Ok(bytes) => {
                self.leads.keep(&written, ticket.action);
                // Only a taken outcome closes its intent; else the sweeper will.
                if self.log.append_soon(bytes) {
                    lock(&self.open).intents.remove(&ticket.decision);
                }
            }
            Err(error) => tracing::error!(%error, "an outcome cannot be written: it stays unknown"),
        }
    }
}
