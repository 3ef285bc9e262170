//! The entry of a change: a pending row of the same transaction, relayed to the log after the commit; of a session, an entry of
//! the log whose row follows.

use ledger::{Entry, Phase};
use serde::Serialize;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use store::journal::Way;
use store::{PendingEntry, WriteTxn};
use uuid::Uuid;

use super::{Owed, Recorder};
use crate::Error;

/// Facts of one change whose old and new bodies stand in its entry; the others are named by id.
const SHOWN_MAX: usize = 8;
/// Bytes of old and new bodies together; beyond it the facts are named by id alone (`ledger::ENTRY_BYTES_MAX`).
const SHOWN_BYTES_MAX: usize = 6 * 1024;
/// Bytes of one value that is no fact's; a larger one is named by its digest.
const VALUE_BYTES_MAX: usize = 2 * 1024;

/// A record, which is no fact, that a change made, changed or took away.
#[derive(Clone, Debug, PartialEq)]
pub struct Changed {
    /// What kind of thing it is.
    pub kind: &'static str,
    /// Which one.
    pub subject: Uuid,
    /// What it was; `None` when there was none.
    pub old: Option<Value>,
    /// What it is; `None` when there is none any more.
    pub new: Option<Value>,
}

impl Changed {
    /// As an entry shows it: a value that is too large for one stands as its digest.
    fn shown(&self) -> Value {
        let side = |value: &Option<Value>| match value {
            Some(value) if value.to_string().len() > VALUE_BYTES_MAX => {
                json!({ "sha256": crypto::sha256(value.to_string().as_bytes()) })
            }
            value => json!(value),
        };
        json!({ "kind": self.kind, "subject": self.subject, "old": side(&self.old), "new": side(&self.new) })
    }
}

/// A record that was made and is small, as its entry shows it: as a [`Changed`] that had no value before.
#[derive(Serialize)]
pub(crate) struct Made<'a, T> {
    pub(crate) kind: &'static str,
    pub(crate) subject: Uuid,
    pub(crate) old: Option<()>,
    pub(crate) new: &'a T,
}

pub(crate) const fn unwritable() -> Error {
    Error::Value { what: "a change", expected: "less than 16 KiB of record" }
}

/// What a kind of fact is about: a person and the epoch of a person have one subject, and are two things.
fn noun(kind: &str) -> &str {
    kind.split_once('.').map_or(kind, |(noun, _)| noun)
}

/// The old and the new value of each fact's subject (gxp.md AUD-02). Facts hold no personal attribute.
fn values(txn: &WriteTxn<'_>, changed: &[Changed]) -> Result<Vec<Value>, Error> {
    let added = txn.added();
    let mut values: Vec<Value> = changed.iter().map(Changed::shown).collect();
    let mut bytes: usize = values.iter().map(|value| value.to_string().len()).sum();
    for fact in added.iter().take(SHOWN_MAX) {
        let before = txn.facts_of(fact.subject)?;
        let earlier =
            |old: &&store::Fact| noun(&old.kind) == noun(&fact.kind) && !added.iter().any(|new| new.id == old.id);
        let old = before.iter().rev().find(earlier).map(|old| &old.body);
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

/// An entry with the values of its change ([`crate::why::Additional`]).
fn shown(entry: &Entry, values: &[impl Serialize]) -> Result<Vec<u8>, Error> {
    entry.encode_with("values", &values).map_err(|_| unwritable())
}

/// Puts an entry into the change that it records, with the facts that the change added so far.
pub(crate) fn write(txn: &mut WriteTxn<'_>, mut entry: Entry, changed: &[Changed]) -> Result<(), Error> {
    let mut bytes = None;
    if entry.phase == Phase::Change {
        let facts: Vec<base::FactId> = txn.added().iter().map(|fact| fact.id).collect();
        let digests: Vec<u8> = txn.added().iter().flat_map(|fact| *fact.digest.bytes()).collect();
        entry.change = Some(ledger::Change {
            id: txn.change(),
            facts,
            digest: Some(crypto::sha256(&digests)),
            reason: txn.added().iter().find_map(|fact| fact.reason.clone()),
        });
        // A change without either has no values to show, and its entry is complete.
        if !(txn.added().is_empty() && changed.is_empty()) {
            bytes = Some(shown(&entry, &values(txn, changed)?)?);
        }
    }
    let bytes = bytes.map_or_else(|| entry.encode().map_err(|_| unwritable()), Ok)?;
    txn.pending(&PendingEntry { id: entry.event_id.uuid(), bytes })?;
    Ok(())
}

/// Writes the entry of one permitted change; an owned handle, so that a closure that may run again can hold it.
#[derive(Clone)]
pub struct ChangeRecorder {
    pub(crate) entry: Arc<Entry>,
    pub(crate) used: Arc<AtomicBool>,
    pub(crate) recorder: Recorder,
}

impl ChangeRecorder {
    /// Adds the entry to the change, with the facts that it holds so far and what it `changed` beside them: call it last in the
    /// closure. Once per permit.
    ///
    /// # Errors
    /// Those of the store; [`Error::Value`] for a change that does not fit into an entry.
    pub fn record(&self, txn: &mut WriteTxn<'_>, changed: &[Changed]) -> Result<(), Error> {
        let mut entry = Entry::clone(&self.entry);
        entry.phase = Phase::Change;
        write(txn, entry, changed)?;
        self.used.store(true, Ordering::SeqCst);
        Ok(())
    }

    /// Appends the entry to the ledger with what was `made`, which goes to the store only afterwards: when the entry is durable,
    /// `then` sees to that, whether or not the caller still waits. Once per permit. `reserved`: the entry may use the space that
    /// is set aside for administrators.
    ///
    /// # Errors
    /// Those of the ledger; [`Error::Value`] for a change that does not fit into an entry.
    pub(crate) async fn append<T>(
        &self,
        made: &Made<'_, impl Serialize>,
        reserved: bool,
        then: impl FnOnce(Owed) -> T + Send + Unpin + 'static,
    ) -> Result<T, Error> {
        let bytes = shown(&self.entry, &[made])?;
        let (used, way) = (Arc::clone(&self.used), if reserved { Way::Reserved } else { Way::Alone });
        let recorded = move |owed| {
            used.store(true, Ordering::SeqCst);
            then(owed)
        };
        self.recorder.underway(self.entry.event_id, bytes, way, recorded).await
    }
}
