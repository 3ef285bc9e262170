//! What the entry of a change made: the ids of its facts, of the session that it gave, of the sign-in that began. By them the
//! index finds the entries on which a chain stands.
//!
//! It must not touch the store. Changes are few beside accesses: an entry that is none costs a look at its head.

use base::FactId;
use ledger::Phase;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;
use std::borrow::Cow;
use uuid::Uuid;

/// Bytes in which the phase of an entry stands: before it are its id, its time and names that Galen gives.
const HEAD: usize = 512;
/// How the phase of a change is written.
const CHANGE: &[u8] = br#""phase":"change""#;
/// What an entry calls a session that it gave.
const SESSION: &str = "session";

/// As much of an entry as tells what it made.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Making<'a> {
    #[serde(rename = "eventID")]
    event_id: Uuid,
    phase: Phase,
    #[serde(default)]
    decision: Option<IgnoredAny>,
    #[serde(default)]
    change: Option<Facts>,
    #[serde(borrow, default)]
    additional_event_data: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Facts {
    facts: Vec<FactId>,
}

#[derive(Deserialize)]
struct Data<'a> {
    #[serde(borrow, default)]
    values: Vec<Value<'a>>,
}

#[derive(Deserialize)]
struct Value<'a> {
    #[serde(borrow)]
    kind: Cow<'a, str>,
    subject: Uuid,
    #[serde(default)]
    old: Option<IgnoredAny>,
}

/// The ids of what an entry made; none for an entry of no change.
pub(super) fn made(bytes: &[u8]) -> Vec<Uuid> {
    if !is_change(bytes) {
        return Vec::new();
    }
    let Ok(entry) = serde_json::from_slice::<Making<'_>>(bytes) else { return Vec::new() };
    if entry.phase != Phase::Change {
        return Vec::new();
    }
    let facts = entry.change.into_iter().flat_map(|change| change.facts).map(FactId::uuid);
    // What happened at a door is found by the id of its entry, which a sign-in shares.
    let door = entry.decision.is_none().then_some(entry.event_id);
    let data = entry.additional_event_data.and_then(|data| serde_json::from_str::<Data<'_>>(data.get()).ok());
    let values = data.into_iter().flat_map(|data| data.values);
    let sessions = values.filter(|value| value.kind == SESSION && value.old.is_none()).map(|value| value.subject);
    facts.chain(door).chain(sessions).collect()
}

/// Whether an entry may be one of a change, by its head.
fn is_change(bytes: &[u8]) -> bool {
    bytes.get(..HEAD).unwrap_or(bytes).windows(CHANGE.len()).any(|window| window == CHANGE)
}

#[cfg(test)]
mod tests;
