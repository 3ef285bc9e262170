//! Which intents have no outcome yet: opened, closed, and swept when the process that opened them is gone.

use base::{DecisionId, Timestamp};
use std::collections::HashMap;

use crate::{Entry, Error, Outcome, Phase, Status, UserIdentity};

/// Most intents that are open at once. One costs about 200 bytes; beyond this, accesses are refused rather than
/// forgotten.
pub const OPEN_INTENTS_MAX: usize = 250_000;

/// An intent that waits for its outcome.
#[derive(Clone, Debug)]
pub struct OpenIntent {
    entry: Entry,
}

impl OpenIntent {
    /// The intent's id.
    pub const fn id(&self) -> DecisionId {
        self.entry.event_id
    }
    /// When it was decided.
    pub const fn at(&self) -> Timestamp {
        self.entry.event_time
    }
    /// Until when it covers reads, for a window intent.
    pub fn until(&self) -> Option<Timestamp> {
        self.entry.window.map(|window| window.until)
    }
}

/// The open intents of one log. Feed it every entry in order ([`OpenIntents::observe`]), at start-up from the log and
/// later from what is appended.
#[derive(Default)]
pub struct OpenIntents {
    open: HashMap<DecisionId, OpenIntent>,
}

impl OpenIntents {
    /// Nothing is open.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes note of an entry: an intent opens, an outcome closes; everything else is ignored. Window intents close by
    /// time, in [`OpenIntents::sweep`].
    ///
    /// # Errors
    /// [`Error::TooManyOpen`] beyond [`OPEN_INTENTS_MAX`]; the access must then be refused.
    pub fn observe(&mut self, entry: &Entry) -> Result<(), Error> {
        match entry.phase {
            Phase::Intent => self.open(entry),
            Phase::Outcome => {
                if let Some(of) = entry.of
                    && self.open.get(&of).is_some_and(|intent| intent.entry.window.is_none())
                {
                    self.open.remove(&of);
                }
                Ok(())
            }
            Phase::Change | Phase::Denial | Phase::Denials | Phase::Note => Ok(()),
        }
    }

    fn open(&mut self, entry: &Entry) -> Result<(), Error> {
        if self.open.len() >= OPEN_INTENTS_MAX {
            return Err(Error::TooManyOpen { most: OPEN_INTENTS_MAX });
        }
        // Only what the sweeper's outcome repeats is kept.
        let who = entry.user_identity.clone();
        let mut kept =
            Entry::new(Phase::Intent, entry.event_id, entry.event_time, &entry.event_source, &entry.event_name, who);
        kept.event_type = entry.event_type;
        kept.request_id = entry.request_id;
        kept.window = entry.window;
        self.open.insert(entry.event_id, OpenIntent { entry: kept });
        Ok(())
    }

    /// Intents without an outcome.
    pub fn len(&self) -> usize {
        self.open.len()
    }

    /// True when every intent has its outcome.
    pub fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// True when this intent still waits.
    pub fn contains(&self, id: DecisionId) -> bool {
        self.open.contains_key(&id)
    }

    /// Closes what nobody will close any more and returns the outcomes to append: intents decided before `before`
    /// (at start-up: everything, with `before` = now) get status `unknown`; window intents that have run out are
    /// forgotten without an entry, since the reads under them wrote their own.
    pub fn sweep(&mut self, before: Timestamp, now: Timestamp, mut id: impl FnMut() -> DecisionId) -> Vec<Entry> {
        self.open.retain(|_, intent| intent.until().is_none_or(|until| until > now));
        let mut orphans: Vec<OpenIntent> =
            self.open.values().filter(|intent| intent.until().is_none() && intent.at() < before).cloned().collect();
        orphans.sort_by_key(|intent| (intent.at(), intent.id()));
        let outcome = Outcome { status: Status::Unknown, code: None, bytes: None, offset: None, shown: None };
        orphans
            .into_iter()
            .map(|orphan| {
                self.open.remove(&orphan.id());
                let mut entry = Entry::outcome_of(&orphan.entry, id(), now, outcome);
                // The sweeper says this, not the person.
                entry.user_identity = UserIdentity::new(base::Actor::System);
                entry
            })
            .collect()
    }
}
