//! The part of the replay that looks at the write-ahead files: whole, without gaps, and equal to what is published.

use super::{Finding, FindingKind, Replay, Verifier};
use crate::{
    Error,
    files::read,
    layout,
    wal::{self, WalEnd, WalEntry},
};

impl Replay<'_> {
    /// Checks the write-ahead files and returns how many entries stand behind the checkpoint.
    pub(super) fn check_wal(&mut self, verifier: &Verifier, size: u64) -> Result<u64, Error> {
        let Some(origin) = verifier.keys.first().map(|key| key.origin().clone()) else { return Ok(0) };
        let mut next: Option<u64> = None;
        for first in self.inventory.wal.clone() {
            let name = layout::wal(first);
            let Some(bytes) = read(self.files, &name)? else { continue };
            // The first file may begin anywhere inside the published log; each further one continues the last.
            let gap = next.map_or(first > size, |next| next != first);
            if gap {
                let missing_from = next.unwrap_or(size);
                self.findings.push(Finding::new(FindingKind::WalGap).file(&name).entries(missing_from, first));
            }
            let scan = wal::scan(&bytes, &origin, first);
            for entry in &scan.entries {
                self.wal_entry(&name, entry, size);
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
