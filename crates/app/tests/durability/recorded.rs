//! What the ledger says about accesses and changes, read as anybody could.

use base::{FactId, Timestamp};
use ledger::{Entry, LogKey, Phase, verify::Verifier};
use std::{
    collections::{BTreeSet, HashMap},
    fs,
    path::Path,
};
use store::journal::DiskFiles;

use crate::{load::Done, rig::BUCKET};

/// The ledger, as far as the tests ask.
#[derive(Default)]
pub(crate) struct Recorded {
    /// Operation and object of each intent, by request.
    intents: HashMap<String, (String, String)>,
    /// From when until when ranges of an object are covered.
    windows: HashMap<String, Vec<(Timestamp, Timestamp)>>,
    /// Objects that somebody began to write.
    pub(crate) writes: BTreeSet<String>,
    /// The operation of each change's entries, by request.
    pub(crate) changes: HashMap<String, Vec<String>>,
    /// How many entries name each fact.
    pub(crate) facts: HashMap<FactId, u32>,
}

pub(crate) fn arn(key: &str) -> String {
    format!("arn:aws:s3:::{BUCKET}/{key}")
}

impl Recorded {
    pub(crate) fn read(folder: &Path) -> Self {
        let keys = fs::read_to_string(folder.join(ledger::layout::LOG_KEY)).unwrap();
        let keys: Vec<LogKey> = keys.lines().map(|line| line.parse().unwrap()).collect();
        let mut recorded = Self::default();
        let mut see = |_: u64, bytes: &[u8]| recorded.see(&Entry::decode(bytes).unwrap());
        Verifier::new(keys).verify_each(&DiskFiles::new(folder), &mut see).unwrap();
        recorded
    }

    fn see(&mut self, entry: &Entry) {
        let request = entry.request_id.map(|request| request.to_string());
        if let Some(change) = &entry.change {
            self.changes.entry(request.unwrap_or_default()).or_default().push(entry.event_name.clone());
            for fact in &change.facts {
                *self.facts.entry(*fact).or_default() += 1;
            }
            return;
        }
        if entry.phase != Phase::Intent {
            return;
        }
        let arn = entry.resources.first().map(|resource| resource.arn.to_string()).unwrap_or_default();
        if let Some(window) = entry.window {
            self.windows.entry(arn.clone()).or_default().push((entry.event_time, window.until));
        }
        if entry.event_name == "PutObject" {
            self.writes.insert(arn.clone());
        }
        if let Some(request) = request {
            self.intents.insert(request, (entry.event_name.clone(), arn));
        }
    }

    /// Whether an access has an intent of its own, or lies in the window of one.
    pub(crate) fn covers(&self, done: &Done) -> bool {
        let arn = arn(&done.key);
        let own = self.intents.get(&done.request).is_some_and(|(name, of)| name == done.name && *of == arn);
        let mut windows = self.windows.get(&arn).into_iter().flatten();
        own || (done.ranged && windows.any(|(from, until)| *from <= done.ended && done.begun < *until))
    }
}
