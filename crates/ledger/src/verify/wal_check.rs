//! The part of the replay that looks at the write-ahead files: whole, without gaps, and equal to what is published.

use std::collections::BTreeSet;

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
    File(u64),
    /// They are published.
    Published,
    /// Nothing.
    None,
}

impl Replay<'_> {
    /// Checks the write-ahead files and returns how many entries stand behind the checkpoint.
    pub(super) fn check_wal(&mut self, verifier: &Verifier, size: u64) -> Result<u64, Error> {
        let Some(origin) = verifier.keys.first().map(|key| key.origin().clone()) else { return Ok(0) };
        let mut files: BTreeSet<u64> = self.inventory.wal.iter().copied().collect();
        let mut next: Option<u64> = None;
        let mut vanished = false;
        while let Some(first) = files.first().copied() {
            // The first file may begin anywhere inside the published log; each further one continues the last.
            let gap = next.map_or(first > size && !vanished, |next| next != first);
            if gap {
                match self.bridge(verifier, next.unwrap_or(size), first)? {
                    Bridge::File(between) => {
                        self.inventory.wal.push(between);
                        files.insert(between);
                        continue;
                    }
                    Bridge::Published => {}
                    Bridge::None => {
                        let finding = Finding::new(FindingKind::WalGap).file(&layout::wal(first));
                        self.findings.push(finding.entries(next.unwrap_or(size), first));
                    }
                }
            }
            files.remove(&first);
            let name = layout::wal(first);
            let Some(bytes) = self.settled(&name, first, &origin)? else {
                // Published and removed since the folder was listed.
                (next, vanished) = (None, true);
                continue;
            };
            let scan = wal::scan(&bytes, &origin, first);
            for entry in &scan.entries {
                self.wal_entry(&name, entry, size);
            }
            match scan.end {
                WalEnd::Clean => {
                    // With an entry in it, the file was once whole.
                    if let Some(offset) = wal::misfilled(&bytes, scan.next > first) {
                        self.findings.push(Finding::new(FindingKind::WalAltered).file(&name).offset(offset));
                    }
                }
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
        for name in [layout::RESERVE, layout::SPARE, layout::LOCK] {
            let mut filled = None;
            // The spare file may become a write-ahead file while we read it: look again by its name.
            for _ in 0..LOOKS_MAX {
                let bytes = read(self.files, name)?.unwrap_or_default();
                filled = match name {
                    layout::LOCK => (!bytes.is_empty()).then_some(0),
                    _ => {
                        let whole = name == layout::RESERVE && !bytes.is_empty();
                        bytes.iter().position(|byte| *byte != 0).or_else(|| wal::misfilled(&bytes, whole))
                    }
                };
                if filled.is_none() {
                    break;
                }
            }
            if let Some(offset) = filled {
                self.findings.push(Finding::new(FindingKind::SpaceAltered).file(name).offset(offset));
            }
        }
        Ok(())
    }

    /// Entries from `from` to `first` were in no file when the folder was listed. A running writer explains that: a
    /// file that the listing missed, or a checkpoint that covers them by now.
    fn bridge(&self, verifier: &Verifier, from: u64, first: u64) -> Result<Bridge, Error> {
        for _ in 0..LOOKS_MAX {
            let now = Inventory::of(self.files)?;
            let holds = now.wal.iter().rev().find(|file| **file <= from);
            if let Some(between) = holds.filter(|file| !self.inventory.wal.contains(file)) {
                return Ok(Bridge::File(*between));
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
