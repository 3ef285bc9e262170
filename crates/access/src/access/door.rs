//! What somebody does at a door, by a password or a cookie: no permit stands for it, and its record is as whole as one that does.
//!
//! It must not know how anybody shows who they are.

use base::{Actor, DecisionId, SourceIdentity};
use ledger::{Data, Entry, EventType, Phase, Resource, Sealed};
use serde_json::Value;
use std::borrow::Cow;
use store::WriteTxn;

use super::Access;
use crate::recorder::{Changed, Personal, identity, unwritable, write};
use crate::why::Additional;
use crate::{Error, Member, OpContext, ResourceRef};

/// An act at a door.
pub struct AtTheDoor<'a> {
    /// The id of its entry.
    pub id: DecisionId,
    /// Its name in the ledger.
    pub name: &'static str,
    /// Who did it; `None` for somebody unknown.
    pub actor: Option<Actor>,
    /// Whom it concerns: where it came from is sealed under their key.
    pub member: Option<Member>,
    /// Their source identity.
    pub source_identity: Option<SourceIdentity>,
    /// What it was done to.
    pub object: ResourceRef,
    /// What it was asked with; nothing personal and nothing secret.
    pub parameters: Option<Value>,
    /// What it changed beside facts.
    pub changed: &'a [Changed],
}

impl Access {
    /// Puts the entry of an act at a door into its transaction, with the facts that the transaction added so far: call it last.
    ///
    /// # Errors
    /// Those of the store and of custody; [`Error::Value`] for an act that does not fit into an entry.
    pub fn record_at_the_door(&self, txn: &mut WriteTxn<'_>, op: &OpContext, act: AtTheDoor<'_>) -> Result<(), Error> {
        let who = identity(&OpContext { actor: act.actor, session: None, ..op.clone() });
        let mut entry = Entry::new(Phase::Note, act.id, txn.now(), "galen.directory", act.name, who);
        entry.event_type = EventType::GalenSignIn;
        entry.aws_region = Some(self.0.region.clone());
        entry.request_id = Some(op.request);
        entry.request_parameters = act.parameters;
        let arn = self.arn(&act.object).parse().map_err(|_| unwritable())?;
        entry.resources.push(Resource { arn, account: None, kind: None, version: None });
        if let Some(member) = act.member
            && let Some(key) = self.0.custody.subject_key_in(txn, member)?
        {
            let blob = key.seal_blob(&Personal::at_the_door(op, act.source_identity, &self.0.effects.bytes()))?;
            entry.sealed.push(Sealed { subject: member.uuid().to_string(), blob });
        }
        let data = Additional { action: Cow::Borrowed(act.name), ..Additional::default() };
        entry.additional_event_data = Some(Data::new(&data).map_err(|_| unwritable())?);
        if !(act.changed.is_empty() && txn.added().is_empty()) {
            entry.phase = Phase::Change;
        }
        write(txn, entry, act.changed)
    }
}
