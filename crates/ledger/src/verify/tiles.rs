//! The part of the replay that reads bundles and tiles and decides, where they differ, which of them was altered.

use crypto::Sha256Digest;

use super::{Finding, FindingKind, Inventory, LOOKS_MAX, Replay, first_difference};
use crate::{
    BUNDLE_ENTRIES, Bundle, Error, TreeHead,
    files::read,
    layout::{self, TileKind, TileName},
    leaf_hash,
    tree::{subtree_hash, tile_hashes},
};

/// A bundle as far as it can be read.
#[derive(Default)]
struct ReadBundle {
    bytes: Vec<u8>,
    /// Offset and length of each entry.
    spans: Vec<(usize, usize)>,
    leaves: Vec<Sha256Digest>,
    /// Where reading stopped, if before the last entry; or the first byte behind the last entry, if there is one.
    broken_at: Option<usize>,
    /// Where the entry after the last readable one starts.
    end: usize,
}

impl ReadBundle {
    fn parse(bytes: Vec<u8>, width: usize, exact: bool) -> Self {
        let mut bundle = Self::default();
        let mut walk = Bundle::new(&bytes);
        while bundle.spans.len() < width {
            let offset = walk.offset();
            match walk.next() {
                Some(Ok(entry)) => {
                    bundle.spans.push((offset, entry.len()));
                    bundle.leaves.push(leaf_hash(entry));
                }
                Some(Err(_)) | None => {
                    bundle.broken_at = Some(offset);
                    break;
                }
            }
        }
        bundle.end = bundle.spans.last().map_or(0, |(offset, len)| offset + 2 + len);
        if exact && bundle.broken_at.is_none() && bundle.end < bytes.len() {
            bundle.broken_at = Some(bundle.end);
        }
        bundle.bytes = bytes;
        bundle
    }

    fn entry(&self, index: usize) -> Option<&[u8]> {
        let (offset, len) = *self.spans.get(index)?;
        self.bytes.get(offset + 2..offset + 2 + len)
    }

    /// Where entry `index` of the bundle starts, or would start.
    fn offset(&self, index: usize) -> usize {
        self.spans.get(index).map_or(self.end, |(offset, _)| *offset)
    }
}

/// Whom to believe where entries and hashes differ.
enum Truth {
    Hashes,
    Entries,
    Neither,
}

impl Replay<'_> {
    pub(super) fn replay(&mut self, size: u64, head: Option<&TreeHead>) -> Result<(), Error> {
        for number in 0..size.div_ceil(BUNDLE_ENTRIES) {
            let Some(width) = layout::width_in(size, number) else { break };
            if !self.replay_bundle(number, width, head)? {
                self.complete_to = self.complete_to.min(self.tree.size());
                return Ok(());
            }
            self.compare_upper()?;
        }
        self.tree.partial().into_iter().try_for_each(|tile| self.compare_tile(&tile.name, &tile.bytes))
    }

    /// Takes one bundle into the tree; false when the tree cannot go on.
    fn replay_bundle(&mut self, number: u64, width: u16, head: Option<&TreeHead>) -> Result<bool, Error> {
        let count = usize::from(width);
        let name = TileName::entries(number, width);
        let tile = TileName::hashes(0, number, width);
        let (bundle, missing) = match self.read_tile(&name)? {
            Some((bytes, exact)) => (ReadBundle::parse(bytes, count, exact), false),
            None => (ReadBundle::default(), true),
        };
        if missing {
            self.lost(number, FindingKind::BundleMissing, &name);
        }
        let stored = self.stored_hashes(&tile)?;
        let entries_whole = bundle.leaves.len() == count && bundle.broken_at.is_none();
        if entries_whole && stored.as_ref() == Some(&bundle.leaves) {
            self.take_bundle(number, &bundle, &bundle.leaves);
            self.check_narrower_bundles(number, width, &bundle)?;
            return Ok(true);
        }
        match self.truth(number, head, stored.as_deref(), entries_whole.then_some(bundle.leaves.as_slice()))? {
            Truth::Entries => {
                self.blame_tile(&tile, &bundle.leaves)?;
                self.take_bundle(number, &bundle, &bundle.leaves);
                Ok(true)
            }
            truth => {
                let Some(stored) = stored else {
                    // Neither entries nor hashes: nothing behind this point can be placed in the tree.
                    self.blame_entry(number, &name, &bundle, None, FindingKind::EntryAltered, missing);
                    return Ok(false);
                };
                let kind = match truth {
                    Truth::Hashes => FindingKind::EntryAltered,
                    _ => FindingKind::EntryOrHashAltered,
                };
                self.blame_entry(number, &name, &bundle, Some(&stored), kind, missing);
                self.take_bundle(number, &bundle, &stored);
                Ok(true)
            }
        }
    }

    /// Whether the hashes or the entries of a bundle fit what is above them: its parent hash, or, for the last
    /// bundle, the signed root.
    fn truth(
        &self,
        number: u64,
        head: Option<&TreeHead>,
        hashes: Option<&[Sha256Digest]>,
        entries: Option<&[Sha256Digest]>,
    ) -> Result<Truth, Error> {
        let parent = self.parent_hash(number)?;
        let fits = |leaves: &[Sha256Digest]| {
            let whole = leaves.len() as u64 == BUNDLE_ENTRIES && parent == Some(subtree_hash(leaves));
            whole || head.is_some_and(|head| self.root_with(leaves) == Some((head.size, head.root)))
        };
        Ok(match (hashes.is_some_and(fits), entries.is_some_and(fits)) {
            (true, _) => Truth::Hashes,
            (false, true) => Truth::Entries,
            // Nothing to decide by: an unreadable tile is at least no witness against whole entries.
            (false, false) if hashes.is_none() && entries.is_some() => Truth::Entries,
            (false, false) => Truth::Neither,
        })
    }

    /// Size and root of the tree if these leaves came next.
    fn root_with(&self, leaves: &[Sha256Digest]) -> Option<(u64, Sha256Digest)> {
        let mut tree = self.tree.clone();
        leaves.iter().for_each(|leaf| tree.append(*leaf));
        Some((tree.size(), tree.root()))
    }

    /// The hash of a full bundle as the level above has it stored.
    fn parent_hash(&self, number: u64) -> Result<Option<Sha256Digest>, Error> {
        let index = usize::try_from(number % BUNDLE_ENTRIES).unwrap_or(0);
        let parent = number / BUNDLE_ENTRIES;
        let widest = self.inventory.tiles.get(&(TileKind::Hashes(1), parent)).and_then(|widths| widths.last());
        let Some(width) = widest else { return Ok(None) };
        let Some(bytes) = read(self.files, &TileName::hashes(1, parent, *width).path())? else { return Ok(None) };
        let (hashes, _) = bytes.as_chunks::<32>();
        Ok(hashes.get(index).map(|hash| Sha256Digest(*hash)))
    }

    fn take_bundle(&mut self, number: u64, bundle: &ReadBundle, leaves: &[Sha256Digest]) {
        for (at, leaf) in leaves.iter().enumerate() {
            let index = number * BUNDLE_ENTRIES + at as u64;
            if bundle.leaves.get(at) == Some(leaf)
                && let Some(entry) = bundle.entry(at)
            {
                self.proven(index, entry);
            }
            self.feed(*leaf);
        }
    }

    fn blame_entry(
        &mut self,
        number: u64,
        name: &TileName,
        bundle: &ReadBundle,
        hashes: Option<&[Sha256Digest]>,
        kind: FindingKind,
        missing: bool,
    ) {
        let agreed = hashes.map_or(bundle.leaves.len(), |hashes| {
            hashes.iter().zip(&bundle.leaves).take_while(|(a, b)| a == b).count()
        });
        let index = number * BUNDLE_ENTRIES + agreed as u64;
        self.complete_to = self.complete_to.min(index);
        if missing {
            return;
        }
        let all_there = hashes.is_some_and(|hashes| agreed == hashes.len());
        let offset = match bundle.broken_at {
            Some(offset) if all_there => offset,
            _ => bundle.offset(agreed),
        };
        self.findings.push(Finding::new(kind).file(&name.path()).offset(offset).entry(index));
        if kind == FindingKind::EntryAltered {
            // Entries behind the first one that differ on their own account are listed too, when the bundle still
            // falls into as many entries as it should.
            let whole = bundle.broken_at.is_none();
            for (at, hash) in hashes.unwrap_or_default().iter().enumerate().skip(agreed + 1) {
                if whole && bundle.leaves.get(at).is_some_and(|leaf| leaf != hash) {
                    let index = number * BUNDLE_ENTRIES + at as u64;
                    let offset = bundle.offset(at);
                    self.findings.push(Finding::new(kind).file(&name.path()).offset(offset).entry(index));
                }
            }
        }
    }

    fn blame_tile(&mut self, tile: &TileName, leaves: &[Sha256Digest]) -> Result<(), Error> {
        let computed: Vec<u8> = leaves.iter().flat_map(|leaf| *leaf.bytes()).collect();
        match self.read_tile(tile)? {
            None => self.lost(tile.number, FindingKind::TileMissing, tile),
            Some((bytes, _)) => {
                let offset = first_difference(&computed, &bytes);
                let size = tile.number * BUNDLE_ENTRIES + leaves.len() as u64;
                let finding = Finding::new(FindingKind::TileAltered).file(&tile.path()).offset(offset);
                self.findings.push(finding.entries_of(tile, offset, size));
            }
        }
        Ok(())
    }

    fn lost(&mut self, number: u64, kind: FindingKind, name: &TileName) {
        let from = number * BUNDLE_ENTRIES;
        let until = from + u64::from(name.width);
        self.findings.push(Finding::new(kind).file(&name.path()).entries(from, until));
    }

    /// The file of a tile: the one of exactly this width, or a wider one that has replaced it since; and whether it
    /// is the exact one.
    fn read_tile(&self, name: &TileName) -> Result<Option<(Vec<u8>, bool)>, Error> {
        if let Some(bytes) = read(self.files, &name.path())? {
            return Ok(Some((bytes, true)));
        }
        if let Some(wider) = self.read_wider(&self.inventory, name)? {
            return Ok(Some(wider));
        }
        // A log that is being written replaces partial tiles while we read: look again before it is called missing.
        for _ in 0..LOOKS_MAX {
            if let Some(wider) = self.read_wider(&Inventory::of(self.files)?, name)? {
                return Ok(Some(wider));
            }
        }
        Ok(None)
    }

    fn read_wider(&self, inventory: &Inventory, name: &TileName) -> Result<Option<(Vec<u8>, bool)>, Error> {
        let widths = inventory.tiles.get(&(name.kind, name.number)).map(Vec::as_slice).unwrap_or_default();
        for width in widths.iter().copied().filter(|width| *width > name.width) {
            if let Some(mut bytes) = read(self.files, &TileName { width, ..*name }.path())? {
                if name.kind != TileKind::Entries {
                    bytes.truncate(usize::from(name.width) * 32);
                }
                return Ok(Some((bytes, false)));
            }
        }
        Ok(None)
    }

    fn stored_hashes(&self, tile: &TileName) -> Result<Option<Vec<Sha256Digest>>, Error> {
        Ok(self.read_tile(tile)?.and_then(|(bytes, _)| tile_hashes(&bytes, usize::from(tile.width))))
    }

    /// Compares the tiles above the leaves that have become full.
    fn compare_upper(&mut self) -> Result<(), Error> {
        self.tree.take_full().into_iter().try_for_each(|tile| self.compare_tile(&tile.name, &tile.bytes))
    }

    fn compare_tile(&mut self, name: &TileName, computed: &[u8]) -> Result<(), Error> {
        self.check_narrower(name, |narrow| computed.get(..usize::from(narrow) * 32).unwrap_or_default())?;
        if name.kind == TileKind::Hashes(0) {
            // Compared with its entries already.
            return Ok(());
        }
        match self.read_tile(name)? {
            None => {
                let size = self.tree.size();
                self.findings.push(Finding::new(FindingKind::TileMissing).file(&name.path()).entries_of(name, 0, size));
            }
            Some((bytes, _)) if bytes != computed => {
                self.upper_tiles.push((*name, first_difference(computed, &bytes)));
            }
            Some(_) => {}
        }
        Ok(())
    }

    /// Narrower bundles that a crash left over must be beginnings of the current one.
    fn check_narrower_bundles(&mut self, number: u64, width: u16, bundle: &ReadBundle) -> Result<(), Error> {
        self.check_narrower(&TileName::entries(number, width), |narrow| {
            bundle.bytes.get(..bundle.offset(usize::from(narrow))).unwrap_or_default()
        })
    }

    /// Narrower files of a bundle or tile: `beginning` gives what one of that width must hold.
    fn check_narrower<'b>(&mut self, name: &TileName, beginning: impl Fn(u16) -> &'b [u8]) -> Result<(), Error> {
        let widths = self.inventory.tiles.get(&(name.kind, name.number)).cloned().unwrap_or_default();
        for width in widths.into_iter().filter(|width| *width < name.width) {
            let narrow = TileName { width, ..*name };
            let Some(bytes) = read(self.files, &narrow.path())? else { continue };
            let expected = beginning(width);
            if bytes != expected {
                let offset = first_difference(expected, &bytes);
                self.findings.push(Finding::new(FindingKind::TileAltered).file(&narrow.path()).offset(offset));
            }
        }
        Ok(())
    }
}
