//! The part of the replay that looks at the write-ahead files: whole, without gaps, and equal to what is published.

use std::collections::BTreeMap;

use super::{Finding, FindingKind, Inventory, LOOKS_MAX, Replay, Verifier};
use crate::{
    Error, Origin, VerifiedCheckpoint,
    files::read,
    layout,
    wal::{self, WalEnd, WalEntry},
};

/// What explains entries that seem to be missing.
enum Bridge {
    /// A write-ahead file that was made while the folder was listed.
    File(u64, String),
    /// They are published.
    Published,
    /// Nothing.
    None,
}

impl Replay<'_> {
    /// Checks the write-ahead files and returns how many entries stand behind the checkpoint.
    pub(super) fn check_wal(&mut self, verifier: &Verifier, size: u64) -> Result<u64, Error> {
        let Some(origin) = verifier.keys.first().map(|key| key.origin().clone()) else { return Ok(0) };
        let mut files: BTreeMap<u64, String> = self.inventory.wal.clone();
        let mut next: Option<u64> = None;
        let mut vanished = false;
        while let Some((first, name)) = files.pop_first() {
            // The first file may begin anywhere inside the published log; each further one continues the last.
            let gap = next.map_or(first > size && !vanished, |next| next != first);
            if gap {
                match self.bridge(verifier, next.unwrap_or(size), first)? {
                    Bridge::File(between, found) => {
                        self.inventory.wal.insert(between, found.clone());
                        files.extend([(between, found), (first, name)]);
                        continue;
                    }
                    Bridge::Published => {}
                    Bridge::None => {
                        let finding = Finding::new(FindingKind::WalGap).file(&name);
                        self.findings.push(finding.entries(next.unwrap_or(size), first));
                    }
                }
            }
            let Some(bytes) = self.settled(&name, first, &origin)? else {
                // Published and removed since the folder was listed.
                (next, vanished) = (None, true);
                continue;
            };
            let scan = wal::scan(&bytes, &origin, first);
            for entry in &scan.entries {
                self.wal_entry(&name, entry, size);
            }
            let missing = match (layout::filling(&name).1, scan.end) {
                (Some(told), WalEnd::Clean | WalEnd::Torn { .. }) => wal::missized(bytes.len(), told),
                // With an entry in it, the file was once whole.
                (None, WalEnd::Clean) => wal::misfilled(bytes.len(), scan.next > first),
                _ => None,
            };
            if let Some(offset) = missing {
                self.findings.push(Finding::new(FindingKind::WalAltered).file(&name).offset(offset));
            }
            match scan.end {
                WalEnd::Clean => {}
                WalEnd::Torn { offset } => {
                    self.findings.push(Finding::new(FindingKind::TornTail).file(&name).offset(offset).entry(scan.next))
                }
                WalEnd::Altered { offset, index } => {
                    self.findings.push(Finding::new(FindingKind::WalAltered).file(&name).offset(offset).entry(index));
                }
            }
            next = Some(scan.next);
        }
        Ok(next.unwrap_or(size).saturating_sub(size))
    }

    /// What is beside the log holds nothing: zeros, as many as were set aside, and no byte in the lock.
    pub(super) fn check_space(&mut self) -> Result<(), Error> {
        for name in std::mem::take(&mut self.inventory.space) {
            let mut altered = None;
            // The spare file may become a write-ahead file while we read it: look again by its name.
            for _ in 0..LOOKS_MAX {
                altered = read(self.files, &name)?.and_then(|bytes| space_altered(&name, &bytes));
                if altered.is_none() {
                    break;
                }
            }
            if let Some(offset) = altered {
                self.findings.push(Finding::new(FindingKind::SpaceAltered).file(&name).offset(offset));
            }
        }
        Ok(())
    }

    /// Entries from `from` to `first` were in no file when the folder was listed. A running writer explains that: a
    /// file that the listing missed, or a checkpoint that covers them by now.
    fn bridge(&self, verifier: &Verifier, from: u64, first: u64) -> Result<Bridge, Error> {
        for _ in 0..LOOKS_MAX {
            let now = Inventory::of(self.files)?;
            let holds = now.wal.range(..=from).next_back();
            if let Some((between, name)) = holds.filter(|(file, _)| !self.inventory.wal.contains_key(file)) {
                return Ok(Bridge::File(*between, name.clone()));
            }
            let head = read(self.files, layout::CHECKPOINT)?
                .and_then(|note| VerifiedCheckpoint::verify(&note, &verifier.keys).ok())
                .map_or(0, |verified| verified.head().size);
            if head >= first {
                return Ok(Bridge::Published);
            }
        }
        Ok(Bridge::None)
    }

    /// The file's content, read again as long as a writer is changing what we look at.
    fn settled(&self, name: &str, first: u64, origin: &Origin) -> Result<Option<Vec<u8>>, Error> {
        let mut bytes = read(self.files, name)?;
        for _ in 0..LOOKS_MAX {
            let Some(seen) = &bytes else { break };
            if wal::scan(seen, origin, first).end == WalEnd::Clean {
                break;
            }
            let again = read(self.files, name)?;
            if again == bytes {
                break;
            }
            bytes = again;
        }
        Ok(bytes)
    }

    fn wal_entry(&mut self, name: &str, entry: &WalEntry<'_>, size: u64) {
        if entry.index >= size {
            self.proven(entry.index, entry.bytes);
            return;
        }
        let at = entry.index.checked_sub(self.leaves_from).and_then(|at| usize::try_from(at).ok());
        let published = at.and_then(|at| self.leaves.get(at));
        if published.is_some_and(|leaf| *leaf != entry.leaf) {
            let finding = Finding::new(FindingKind::WalDiffers).file(name).offset(entry.offset);
            self.findings.push(finding.entry(entry.index));
        }
    }
}

/// Where a file that must hold nothing is not as it was made.
fn space_altered(name: &str, bytes: &[u8]) -> Option<usize> {
    let len = bytes.len();
    bytes.iter().position(|byte| *byte != 0).or_else(|| match layout::filling(name) {
        (layout::LOCK, _) => wal::missized(len, 0),
        (_, Some(told)) => wal::missized(len, told),
        (layout::RESERVE, None) => wal::misfilled(len, true),
        _ => wal::misfilled(len, false),
    })
}
