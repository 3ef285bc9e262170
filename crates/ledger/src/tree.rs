//! The Merkle tree of RFC 6962, section 2.1, grown leaf by leaf, holding only what is not yet in a full tile.

use crypto::{Sha256, Sha256Digest, sha256};

use crate::{
    BUNDLE_ENTRIES, Error, LogFiles,
    files::need,
    layout::{TILE_HEIGHT, TileName},
};

/// The hash of a leaf: SHA-256(0x00 || entry).
pub fn leaf_hash(entry: &[u8]) -> Sha256Digest {
    let mut hash = Sha256::new();
    hash.update(&[0]);
    hash.update(entry);
    hash.finish()
}

/// The hash of an inner node: SHA-256(0x01 || left || right).
pub fn node_hash(left: &Sha256Digest, right: &Sha256Digest) -> Sha256Digest {
    let mut input = [1; 65];
    let (_, hashes) = input.split_at_mut(1);
    let (a, b) = hashes.split_at_mut(32);
    a.copy_from_slice(left.bytes());
    b.copy_from_slice(right.bytes());
    sha256(&input)
}

/// The hash over a power of two of consecutive subtree hashes.
pub(crate) fn subtree_hash(hashes: &[Sha256Digest]) -> Sha256Digest {
    match hashes {
        [] => sha256(&[]),
        [one] => *one,
        many => {
            let (left, right) = many.split_at(many.len() / 2);
            node_hash(&subtree_hash(left), &subtree_hash(right))
        }
    }
}

/// A tile of hashes and its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HashTile {
    /// Level, number and width.
    pub name: TileName,
    /// The hashes, 32 bytes each.
    pub bytes: Vec<u8>,
}

/// The hashes of one level that are not yet in a full tile, and how many full tiles there are.
#[derive(Clone, Debug, Default)]
struct Level {
    full_tiles: u64,
    hashes: Vec<Sha256Digest>,
}

impl Level {
    fn tile(&self, level: u8) -> Option<HashTile> {
        let width = u16::try_from(self.hashes.len()).ok().filter(|width| *width > 0)?;
        let bytes = self.hashes.iter().flat_map(|hash| *hash.bytes()).collect();
        Some(HashTile { name: TileName::hashes(level, self.full_tiles, width), bytes })
    }
}

/// A growing tree. Its memory is at most 255 hashes a level, whatever its size.
#[derive(Clone, Debug, Default)]
pub struct Tree {
    size: u64,
    levels: Vec<Level>,
    finished: Vec<HashTile>,
}

impl Tree {
    /// The empty tree.
    pub const fn new() -> Self {
        Self { size: 0, levels: Vec::new(), finished: Vec::new() }
    }

    /// Takes up a tree of `size` leaves from its rightmost tiles.
    ///
    /// # Errors
    /// [`Error::FileMissing`], [`Error::FileUnreadable`] or [`Error::BadTile`]. The caller compares [`Tree::root`]
    /// with a signed root: only then is the tree proven.
    pub fn resume(size: u64, files: &dyn LogFiles) -> Result<Self, Error> {
        let mut levels = Vec::new();
        let mut level = 0;
        let mut hashes = size;
        while hashes > 0 {
            let full_tiles = hashes / BUNDLE_ENTRIES;
            let width = u16::try_from(hashes % BUNDLE_ENTRIES).unwrap_or(0);
            let mut row = Level { full_tiles, hashes: Vec::new() };
            if width > 0 {
                let name = TileName::hashes(level, full_tiles, width).path();
                row.hashes = tile_hashes(&need(files, &name)?, usize::from(width)).ok_or(Error::BadTile { name })?;
            }
            levels.push(row);
            hashes = full_tiles;
            level += 1;
        }
        Ok(Self { size, levels, finished: Vec::new() })
    }

    /// Leaves so far.
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Adds a leaf.
    pub fn append(&mut self, leaf: Sha256Digest) {
        self.size += 1;
        let mut hash = leaf;
        for level in 0_u8..64 / TILE_HEIGHT {
            let index = usize::from(level);
            if self.levels.len() <= index {
                self.levels.push(Level::default());
            }
            let Some(row) = self.levels.get_mut(index) else { return };
            row.hashes.push(hash);
            if row.hashes.len() < 1 << TILE_HEIGHT {
                return;
            }
            self.finished.extend(row.tile(level));
            hash = subtree_hash(&row.hashes);
            row.hashes.clear();
            row.full_tiles += 1;
        }
    }

    /// The tiles that became full since the last call, in the order in which they did.
    pub fn take_full(&mut self) -> Vec<HashTile> {
        std::mem::take(&mut self.finished)
    }

    /// The partial tiles of the tree as it is now; a checkpoint of this size needs them.
    pub fn partial(&self) -> Vec<HashTile> {
        (0_u8..).zip(&self.levels).filter_map(|(level, row)| row.tile(level)).collect()
    }

    /// The root (RFC 6962, section 2.1); for the empty tree, the hash of nothing.
    pub fn root(&self) -> Sha256Digest {
        let mut root: Option<Sha256Digest> = None;
        for row in &self.levels {
            // Right to left: the hashes of a row are cut into perfect subtrees, the smallest rightmost.
            let mut rest = row.hashes.as_slice();
            while !rest.is_empty() {
                let smallest = 1 << rest.len().trailing_zeros();
                let (left, peak) = rest.split_at(rest.len() - smallest);
                let peak = subtree_hash(peak);
                root = Some(root.map_or(peak, |right| node_hash(&peak, &right)));
                rest = left;
            }
        }
        root.unwrap_or_else(|| sha256(&[]))
    }
}

/// Splits the bytes of a tile into exactly `width` hashes.
pub(crate) fn tile_hashes(bytes: &[u8], width: usize) -> Option<Vec<Sha256Digest>> {
    let (hashes, rest) = bytes.as_chunks::<32>();
    (rest.is_empty() && hashes.len() == width).then(|| hashes.iter().map(|hash| Sha256Digest(*hash)).collect())
}
