//! The replay: recomputes a whole log from its entries, compares every byte with what is stored and signed, and says
//! which entry or file differs first, and where.
//!
//! It needs nothing but the files and the trusted keys. What arithmetic cannot find is a rollback of everything to an
//! older valid state: for that it takes a checkpoint that was kept elsewhere, the witness.

mod report;
mod semantics;
mod tiles;
mod wal_check;

pub use report::{FINDINGS_MAX, Finding, FindingKind, Report, Severity};

use crypto::Sha256Digest;
use std::collections::BTreeMap;

use crate::{
    BUNDLE_ENTRIES, Error, LogFiles, LogKey, Tree, TreeHead, VerifiedCheckpoint,
    files::read,
    layout::{self, TileKind, TileName},
};
use report::Findings;
use semantics::Semantics;

/// How often something that a running writer may just have replaced is looked at again. Each look sees a newer state;
/// what stays the same is a finding.
const LOOKS_MAX: usize = 8;

/// Sees every proven entry in order: index and bytes.
pub type Observer<'a> = dyn FnMut(u64, &[u8]) + 'a;

/// Verifies logs signed by one of a set of trusted keys.
#[derive(Clone, Debug)]
pub struct Verifier {
    keys: Vec<LogKey>,
    witnesses: Vec<TreeHead>,
    semantics: bool,
}

impl Verifier {
    /// Trusts these keys; several when the log's key was rotated.
    pub const fn new(keys: Vec<LogKey>) -> Self {
        Self { keys, witnesses: Vec::new(), semantics: true }
    }

    /// Compares also with a checkpoint that was kept elsewhere; may be called several times.
    ///
    /// # Errors
    /// As [`VerifiedCheckpoint::verify`].
    pub fn with_witness(mut self, checkpoint: &[u8]) -> Result<Self, Error> {
        self.witnesses.push(VerifiedCheckpoint::verify(checkpoint, &self.keys)?.head().clone());
        Ok(self)
    }

    /// Takes entries as opaque bytes: no check that they are entries, or that intents and outcomes pair up.
    #[must_use]
    pub const fn bytes_only(mut self) -> Self {
        self.semantics = false;
        self
    }

    /// Replays the log.
    ///
    /// # Errors
    /// [`Error::FileUnreadable`] only; everything that is wrong with the bytes is a finding of the report.
    pub fn verify(&self, files: &dyn LogFiles) -> Result<Report, Error> {
        self.verify_each(files, &mut |_, _| {})
    }

    /// Replays the log and shows every proven entry, in order, to `observer`.
    ///
    /// # Errors
    /// As [`Verifier::verify`].
    pub fn verify_each(&self, files: &dyn LogFiles, observer: &mut Observer<'_>) -> Result<Report, Error> {
        let mut replay = Replay {
            files,
            inventory: Inventory::of(files)?,
            findings: Findings::default(),
            tree: Tree::new(),
            roots: BTreeMap::new(),
            last_good_root: 0,
            semantics: self.semantics.then(Semantics::default),
            observer,
            leaves: Vec::new(),
            leaves_from: 0,
            complete_to: u64::MAX,
            upper_tiles: Vec::new(),
            checkpoints: 0,
        };
        replay.run(self)
    }
}

/// The files of the log by meaning.
#[derive(Default)]
struct Inventory {
    /// Widths present for each tile.
    tiles: BTreeMap<(TileKind, u64), Vec<u16>>,
    kept: Vec<u64>,
    /// Names of the write-ahead files by first index.
    wal: BTreeMap<u64, String>,
    /// What must hold nothing.
    space: Vec<String>,
    unknown: Vec<String>,
}

impl Inventory {
    fn of(files: &dyn LogFiles) -> Result<Self, Error> {
        let names = files.list().map_err(|source| Error::FileUnreadable { name: ".".to_owned(), source })?;
        let mut inventory = Self::default();
        for name in names {
            if let Some(tile) = TileName::from_path(&name) {
                inventory.tiles.entry((tile.kind, tile.number)).or_default().push(tile.width);
            } else if let Some(size) = layout::numbered(layout::CHECKPOINTS, &name) {
                inventory.kept.push(size);
            } else if let Some(first) = layout::wal_first(&name).filter(|first| !inventory.wal.contains_key(first)) {
                inventory.wal.insert(first, name);
            } else if is_space(&name) {
                inventory.space.push(name);
            } else if !is_ours(&name) {
                inventory.unknown.push(name);
            }
        }
        inventory.tiles.values_mut().for_each(|widths| widths.sort_unstable());
        inventory.kept.sort_unstable();
        Ok(inventory)
    }

    /// Entries for which there are bundles without a gap.
    fn bundled(&self) -> u64 {
        let mut size = 0;
        while let Some(width) =
            self.tiles.get(&(TileKind::Entries, size / BUNDLE_ENTRIES)).and_then(|widths| widths.last())
        {
            size += u64::from(*width);
            if u64::from(*width) < BUNDLE_ENTRIES {
                break;
            }
        }
        size
    }
}

fn is_ours(name: &str) -> bool {
    [layout::CHECKPOINT, layout::LOG_KEY].contains(&name) || name.ends_with(layout::TEMPORARY)
}

/// What is beside the log and holds no entry: the lock, space set aside, and files of zeros that are being made.
fn is_space(name: &str) -> bool {
    if let Some(stem) = name.strip_suffix(layout::TEMPORARY) {
        return [layout::RESERVE, layout::SPARE].contains(&stem) || layout::numbered(layout::WAL, stem).is_some();
    }
    matches!(layout::filling(name), (layout::RESERVE, _) | (layout::SPARE, Some(_)) | (layout::LOCK, None))
}

/// A root that the log must have had at some size.
struct KnownRoot {
    root: Sha256Digest,
    from: FindingKind,
    name: String,
}

/// One run over one log.
struct Replay<'a> {
    files: &'a dyn LogFiles,
    inventory: Inventory,
    findings: Findings,
    tree: Tree,
    roots: BTreeMap<u64, Vec<KnownRoot>>,
    /// Size of the newest known root that matched.
    last_good_root: u64,
    semantics: Option<Semantics>,
    observer: &'a mut Observer<'a>,
    /// Leaf hashes from `leaves_from` on, for comparison with the write-ahead files.
    leaves: Vec<Sha256Digest>,
    leaves_from: u64,
    /// Entries before this one are proven.
    complete_to: u64,
    /// Differences in tiles above the leaves; who is wrong is known when the root is.
    upper_tiles: Vec<(TileName, usize)>,
    checkpoints: u64,
}

impl Replay<'_> {
    fn run(&mut self, verifier: &Verifier) -> Result<Report, Error> {
        for name in std::mem::take(&mut self.inventory.unknown) {
            self.findings.push(Finding::new(FindingKind::UnexpectedFile).file(&name));
        }
        self.check_key(verifier)?;
        let head = self.read_head(verifier)?;
        self.read_kept(verifier, head.as_ref())?;
        self.expect_witnesses(verifier, head.as_ref());
        let size = head.as_ref().map_or_else(|| self.inventory.bundled(), |head| head.size);
        self.leaves_from = self.inventory.wal.keys().next().copied().unwrap_or(size).min(size);
        self.check_roots();
        self.replay(size, head.as_ref())?;
        self.settle(size, head.as_ref());
        let pending = self.check_wal(verifier, size)?;
        self.check_space()?;
        let open_intents = match self.semantics.take() {
            Some(semantics) => semantics.finish(&mut self.findings),
            None => 0,
        };
        let (findings, more) = std::mem::take(&mut self.findings).done();
        Ok(Report {
            origin: verifier.keys.first().map(|key| key.origin().clone()),
            size,
            root: (self.tree.size() == size).then(|| self.tree.root()),
            signed: head.is_some(),
            complete_to: self.complete_to.min(size),
            pending,
            open_intents,
            checkpoints: self.checkpoints,
            witnessed: verifier.witnesses.iter().map(|witness| witness.size).max(),
            findings,
            more,
        })
    }

    /// The key file must name a trusted key; without it, somebody else's log would look like ours.
    fn check_key(&mut self, verifier: &Verifier) -> Result<(), Error> {
        let Some(bytes) = read(self.files, layout::LOG_KEY)? else { return Ok(()) };
        let known = verifier.keys.iter().any(|key| format!("{key}\n").as_bytes() == bytes);
        if !known {
            let expected = verifier.keys.first().map(|key| format!("{key}\n")).unwrap_or_default();
            let offset = first_difference(expected.as_bytes(), &bytes);
            self.findings.push(Finding::new(FindingKind::KeyAltered).file(layout::LOG_KEY).offset(offset));
        }
        Ok(())
    }

    fn read_head(&mut self, verifier: &Verifier) -> Result<Option<TreeHead>, Error> {
        let Some(note) = read(self.files, layout::CHECKPOINT)? else {
            let empty = self.inventory.tiles.is_empty() && self.inventory.kept.is_empty();
            let kind = if empty { FindingKind::NoCheckpointYet } else { FindingKind::CheckpointMissing };
            self.findings.push(Finding::new(kind).file(layout::CHECKPOINT));
            return Ok(None);
        };
        match VerifiedCheckpoint::verify(&note, &verifier.keys) {
            Ok(verified) => {
                self.checkpoints += 1;
                let head = verified.head().clone();
                self.expect(head.size, head.root, FindingKind::Rewritten, layout::CHECKPOINT);
                Ok(Some(head))
            }
            Err(_) => {
                self.findings.push(Finding::new(FindingKind::CheckpointAltered).file(layout::CHECKPOINT));
                Ok(None)
            }
        }
    }

    fn read_kept(&mut self, verifier: &Verifier, head: Option<&TreeHead>) -> Result<(), Error> {
        for size in self.inventory.kept.clone() {
            let name = layout::kept_checkpoint(size);
            let Some(note) = read(self.files, &name)? else { continue };
            let kept = VerifiedCheckpoint::verify(&note, &verifier.keys).ok().map(|kept| kept.head().clone());
            match kept {
                Some(kept) if kept.size == size => {
                    self.checkpoints += 1;
                    self.expect(size, kept.root, FindingKind::Rewritten, &name);
                    if head.is_some_and(|head| head.size < size) {
                        self.findings.push(Finding::new(FindingKind::RolledBack).file(&name).entry(size - 1));
                    }
                }
                _ => self.findings.push(Finding::new(FindingKind::CheckpointAltered).file(&name)),
            }
        }
        Ok(())
    }

    fn expect_witnesses(&mut self, verifier: &Verifier, head: Option<&TreeHead>) {
        for witness in &verifier.witnesses {
            let name = format!("witness checkpoint of {}", base::count(witness.size, "entry"));
            self.expect(witness.size, witness.root, FindingKind::Forked, &name);
            if head.is_none_or(|head| head.size < witness.size) {
                let entry = head.map_or(0, |head| head.size);
                self.findings.push(Finding::new(FindingKind::RolledBack).file(&name).entry(entry));
            }
        }
    }

    fn expect(&mut self, size: u64, root: Sha256Digest, from: FindingKind, name: &str) {
        self.roots.entry(size).or_default().push(KnownRoot { root, from, name: name.to_owned() });
    }

    /// Compares the tree as it is with the roots known for this size.
    fn check_roots(&mut self) {
        let size = self.tree.size();
        let Some(known) = self.roots.get(&size) else { return };
        let root = self.tree.root();
        let mut good = true;
        for expected in known {
            if expected.root != root {
                good = false;
                // Something before `size` differs, and nothing before the last root that matched.
                let finding = Finding::new(expected.from).file(&expected.name).entries(self.last_good_root, size);
                self.findings.push(finding);
            }
        }
        if good {
            self.last_good_root = size;
        } else {
            self.complete_to = self.complete_to.min(self.last_good_root);
        }
    }

    /// What could not be judged while the root was unknown.
    fn settle(&mut self, size: u64, head: Option<&TreeHead>) {
        let proven = head.is_some_and(|head| self.tree.size() == head.size && self.tree.root() == head.root);
        for (tile, offset) in std::mem::take(&mut self.upper_tiles) {
            // With the right root, the entries are right and the tile is not.
            let kind = if proven { FindingKind::TileAltered } else { FindingKind::TileDiffers };
            self.findings.push(Finding::new(kind).file(&tile.path()).offset(offset).entries_of(&tile, offset, size));
        }
        for (kind, number) in self.inventory.tiles.keys() {
            let ahead = match kind {
                TileKind::Entries => layout::width_in(size, *number).is_none(),
                TileKind::Hashes(level) => {
                    let covered = size.checked_shr(u32::from(*level) * 8).unwrap_or(0);
                    layout::width_in(covered, *number).is_none()
                }
            };
            if ahead {
                let tile = TileName { kind: *kind, number: *number, width: 256 };
                self.findings.push(Finding::new(FindingKind::AheadOfCheckpoint).file(&tile.path()));
            }
        }
    }

    /// Shows a proven entry to the checks of meaning and to the observer.
    fn proven(&mut self, index: u64, entry: &[u8]) {
        if let Some(semantics) = &mut self.semantics {
            semantics.entry(index, entry, &mut self.findings);
        }
        (self.observer)(index, entry);
    }

    fn feed(&mut self, leaf: Sha256Digest) {
        if self.tree.size() >= self.leaves_from {
            self.leaves.push(leaf);
        }
        self.tree.append(leaf);
        self.check_roots();
    }
}

/// Offset of the first byte in which two texts differ, the end of the shorter one included.
fn first_difference(left: &[u8], right: &[u8]) -> usize {
    left.iter().zip(right).position(|(a, b)| a != b).unwrap_or(left.len().min(right.len()))
}
