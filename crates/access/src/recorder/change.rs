//! The entry of a management change: a pending row of the same transaction, relayed to the log after the commit.

use ledger::{Data, Entry, Phase};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use store::{PendingEntry, WriteTxn};

use crate::Error;
use crate::why::Additional;

/// Facts of one change whose old and new bodies stand in its entry; the others are named by id.
const SHOWN_MAX: usize = 8;
/// Bytes of old and new bodies together; beyond it the facts are named by id alone (`ledger::ENTRY_BYTES_MAX`).
const SHOWN_BYTES_MAX: usize = 6 * 1024;

/// The old and the new value of each fact's subject (gxp.md AUD-02). Facts hold no personal attribute.
fn values(txn: &WriteTxn<'_>) -> Result<Vec<Value>, Error> {
    let added = txn.added();
    let mut values = Vec::new();
    let mut bytes = 0;
    for fact in added.iter().take(SHOWN_MAX) {
        let before = txn.facts_of(fact.subject)?;
        let old = before.iter().rev().find(|old| !added.iter().any(|fact| fact.id == old.id)).map(|old| &old.body);
        let value =
            json!({ "fact": fact.id, "kind": fact.kind, "subject": fact.subject, "old": old, "new": fact.body });
        bytes += value.to_string().len();
        if bytes > SHOWN_BYTES_MAX {
            break;
        }
        values.push(value);
    }
    Ok(values)
}

/// Writes the entry of one permitted change; an owned handle, so that a closure that may run again can hold it.
#[derive(Clone)]
pub struct ChangeRecorder {
    pub(crate) entry: Arc<Entry>,
    pub(crate) used: Arc<AtomicBool>,
}

impl ChangeRecorder {
    /// For the one kind of change that no permit stands for: what somebody does at the door, by a password.
    pub fn at_the_door(entry: Entry) -> Self {
        Self { entry: Arc::new(entry), used: Arc::default() }
    }

    /// Adds the entry to the change, with the facts that it holds so far: call it last in the closure. Once per permit.
    ///
    /// # Errors
    /// Those of the store; [`Error::Value`] for a change that does not fit into an entry.
    pub fn record(&self, txn: &mut WriteTxn<'_>) -> Result<(), Error> {
        let mut entry = Entry::clone(&self.entry);
        entry.phase = Phase::Change;
        let facts: Vec<base::FactId> = txn.added().iter().map(|fact| fact.id).collect();
        let digests: Vec<u8> = txn.added().iter().flat_map(|fact| *fact.digest.bytes()).collect();
        entry.change = Some(ledger::Change {
            id: txn.change(),
            facts,
            digest: Some(crypto::sha256(&digests)),
            reason: txn.added().iter().find_map(|fact| fact.reason.clone()),
        });
        let unwritable = |_| Error::Value { what: "a change", expected: "less than 16 KiB of record" };
        // A change without facts (a session) has no values to show, and its entry is complete.
        if let Some(data) = &entry.additional_event_data
            && !txn.added().is_empty()
        {
            let data: Additional<'static> = data.read().map_err(unwritable)?;
            let data = Additional { values: Some(values(txn)?), ..data };
            entry.additional_event_data = Some(Data::new(&data).map_err(unwritable)?);
        }
        let bytes = entry.encode().map_err(unwritable)?;
        txn.pending(&PendingEntry { id: entry.event_id.uuid(), bytes })?;
        self.used.store(true, Ordering::SeqCst);
        Ok(())
    }
}
