//! Does the log make sense as a record of accesses: entries that parse, outcomes that belong to intents.

use base::{DecisionId, Timestamp};
use serde::Deserialize;
use std::collections::BTreeMap;

use super::{Finding, FindingKind, report::Findings};
use crate::{ENTRY_BYTES_MAX, Phase, Window};

/// Open intents that are listed one by one; the count is exact whatever their number.
const OPEN_LISTED_MAX: usize = 100;

/// The fields of an entry that the checks need.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Skimmed {
    #[serde(rename = "eventID")]
    event_id: DecisionId,
    #[serde(rename = "eventTime")]
    _event_time: Timestamp,
    phase: Phase,
    #[serde(default)]
    of: Option<DecisionId>,
    #[serde(default)]
    window: Option<Window>,
}

/// An intent that is open, or a window, which many outcomes may name.
struct Open {
    index: u64,
    window: bool,
}

#[derive(Default)]
pub(super) struct Semantics {
    open: BTreeMap<DecisionId, Open>,
}

impl Semantics {
    pub(super) fn entry(&mut self, index: u64, bytes: &[u8], findings: &mut Findings) {
        let skimmed = (bytes.len() <= ENTRY_BYTES_MAX).then(|| serde_json::from_slice::<Skimmed>(bytes).ok()).flatten();
        let Some(entry) = skimmed else {
            findings.push(Finding::new(FindingKind::NotAnEntry).entry(index));
            return;
        };
        match entry.phase {
            Phase::Intent => {
                let open = Open { index, window: entry.window.is_some() };
                if self.open.insert(entry.event_id, open).is_some() {
                    findings.push(Finding::new(FindingKind::DuplicateIntent).entry(index));
                }
            }
            Phase::Outcome => match entry.of.and_then(|of| self.open.get(&of).map(|open| (of, open.window))) {
                Some((_, true)) => {}
                Some((of, false)) => {
                    self.open.remove(&of);
                }
                None => findings.push(Finding::new(FindingKind::OutcomeWithoutIntent).entry(index)),
            },
            Phase::Change | Phase::Denial | Phase::Denials | Phase::Note => {}
        }
    }

    /// Lists the intents that stayed open and returns their number; windows close by time and are not counted.
    pub(super) fn finish(self, findings: &mut Findings) -> u64 {
        let mut open: Vec<u64> = self.open.values().filter(|open| !open.window).map(|open| open.index).collect();
        open.sort_unstable();
        for index in open.iter().take(OPEN_LISTED_MAX) {
            findings.push(Finding::new(FindingKind::IntentOpen).entry(*index));
        }
        open.len() as u64
    }
}
