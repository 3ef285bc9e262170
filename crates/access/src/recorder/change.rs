//! The entry of a management change: a pending row of the same transaction, relayed to the log after the commit.

use ledger::{Entry, Phase};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use store::{PendingEntry, WriteTxn};

use crate::Error;

/// What changed, for the record (gxp.md AUD-02): the object, its old and its new value, and why.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// What was changed, as an ARN or an id.
    pub object: String,
    /// Its value before; `None` for something new. No personal attribute.
    pub old: Option<Value>,
    /// Its value now; `None` for something ended. No personal attribute.
    pub new: Option<Value>,
    /// Why, in the words of the actor.
    pub reason: Option<String>,
}

/// Writes the entry of one permitted change; an owned handle, so that a closure that may run again can hold it.
#[derive(Clone)]
pub struct ChangeRecorder {
    pub(crate) entry: Arc<Entry>,
    pub(crate) used: Arc<AtomicBool>,
}

impl ChangeRecorder {
    /// Adds the entry to the change, with the facts that it holds so far: call it last in the closure. Once per permit.
    ///
    /// # Errors
    /// Those of the store; [`Error::Value`] for a change that does not fit into an entry.
    pub fn record(&self, txn: &mut WriteTxn<'_>, change: &Change) -> Result<(), Error> {
        let mut entry = Entry::clone(&self.entry);
        entry.phase = Phase::Change;
        let facts: Vec<base::FactId> = txn.added().iter().map(|fact| fact.id).collect();
        let digests: Vec<u8> = txn.added().iter().flat_map(|fact| *fact.digest.bytes()).collect();
        entry.change = Some(ledger::Change {
            id: txn.change(),
            facts,
            digest: Some(crypto::sha256(&digests)),
            reason: change.reason.clone(),
        });
        let mut data = entry.additional_event_data.take().unwrap_or_else(|| json!({}));
        if let Some(data) = data.as_object_mut() {
            data.insert("object".to_owned(), json!(change.object));
            data.insert("old".to_owned(), json!(change.old));
            data.insert("new".to_owned(), json!(change.new));
        }
        entry.additional_event_data = Some(data);
        let bytes =
            entry.encode().map_err(|_| Error::Value { what: "a change", expected: "less than 16 KiB of record" })?;
        txn.pending(&PendingEntry { id: entry.event_id.uuid(), bytes })?;
        self.used.store(true, Ordering::SeqCst);
        Ok(())
    }
}
