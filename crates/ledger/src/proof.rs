//! Proofs: that an entry is in a tree (inclusion), that a tree grew out of an older one (consistency), and the
//! self-contained file of c2sp.org/tlog-proof.

use base64::prelude::{BASE64_STANDARD, Engine as _};
use crypto::Sha256Digest;
use tlog_tiles::{Hash, HashReader, Tile, TileHashReader, TileReader, stored_hash_index};

use crate::{
    Error, LogFiles, LogKey, TreeHead, VerifiedCheckpoint,
    files::need,
    layout::{TILE_HEIGHT, TileName},
    leaf_hash,
};

/// Hashes in the longest possible proof: a tree has at most 2^63 leaves.
const PROOF_HASHES_MAX: usize = 64;

/// Largest proof file that is parsed: 64 hashes, a checkpoint with 100 witnesses, and extra data.
const PROOF_BYTES_MAX: usize = 64 * 1024;

/// First line of a proof file.
const PROOF_HEADER: &str = "c2sp.org/tlog-proof@v1";

/// Lets the tile library read our files.
struct Reader<'a>(&'a dyn LogFiles);

impl TileReader for Reader<'_> {
    fn height(&self) -> u8 {
        TILE_HEIGHT
    }
    fn read_tiles(&self, tiles: &[Tile]) -> Result<Vec<Vec<u8>>, tlog_tiles::Error> {
        tiles.iter().map(|tile| self.tile(tile).ok_or(tlog_tiles::Error::InvalidTile)).collect()
    }
    fn save_tiles(&self, _tiles: &[Tile], _data: &[Vec<u8>]) {}
}

impl Reader<'_> {
    /// The tile as asked for, or the beginning of a wider one that has replaced it.
    fn tile(&self, tile: &Tile) -> Option<Vec<u8>> {
        let width = u16::try_from(tile.width()).ok()?;
        let exact = TileName::hashes(tile.level(), tile.level_index(), width);
        let full = TileName::hashes(tile.level(), tile.level_index(), 1 << TILE_HEIGHT);
        let mut bytes = [exact, full].iter().find_map(|name| self.0.read(&name.path()).ok().flatten())?;
        bytes.truncate(usize::from(width) * 32);
        Some(bytes)
    }
}

fn hashes(proof: Vec<Hash>) -> Vec<Sha256Digest> {
    proof.into_iter().map(|hash| Sha256Digest(hash.0)).collect()
}

fn unhash(proof: &[Sha256Digest]) -> Result<Vec<Hash>, Error> {
    if proof.len() > PROOF_HASHES_MAX {
        return Err(Error::NotProven);
    }
    Ok(proof.iter().map(|hash| Hash(hash.0)).collect())
}

fn altered() -> Error {
    Error::BadTile { name: "tile/".to_owned() }
}

fn proving_failed(error: &tlog_tiles::Error) -> Error {
    match error {
        tlog_tiles::Error::InconsistentTile | tlog_tiles::Error::InvalidTile | tlog_tiles::Error::BadMath => altered(),
        _ => Error::NotProven,
    }
}

// The tile library compares what it reads with the root, but skips the first few tiles below the topmost ones when
// several peaks of the tree share a tile (seen with 1,400 leaves in version 0.2.0). So each proof that it makes is
// checked here before it is given out; one that was made from an altered tile does not lead to the root.

/// Proves that entry `index` is in the tree of `head`, reading tiles. What is returned is checked against the root.
///
/// # Errors
/// [`Error::OutsideTree`], or [`Error::BadTile`] when tiles are missing or altered.
pub fn prove_inclusion(files: &dyn LogFiles, head: &TreeHead, index: u64) -> Result<Vec<Sha256Digest>, Error> {
    if index >= head.size {
        return Err(Error::OutsideTree { index, size: head.size });
    }
    let reader = Reader(files);
    let tree = TileHashReader::new(head.size, Hash(head.root.0), &reader);
    let proof = tlog_tiles::prove_record(head.size, index, &tree).map_err(|error| proving_failed(&error))?;
    let leaf = tree.read_hashes(&[stored_hash_index(0, index)]).map_err(|error| proving_failed(&error))?;
    let leaf = leaf.first().ok_or(Error::NotProven)?;
    tlog_tiles::check_record(&proof, head.size, Hash(head.root.0), index, *leaf).map_err(|_| altered())?;
    Ok(hashes(proof))
}

/// Checks an inclusion proof against a root that is already trusted.
///
/// # Errors
/// [`Error::OutsideTree`] or [`Error::NotProven`].
pub fn check_inclusion(head: &TreeHead, index: u64, leaf: &Sha256Digest, proof: &[Sha256Digest]) -> Result<(), Error> {
    if index >= head.size {
        return Err(Error::OutsideTree { index, size: head.size });
    }
    tlog_tiles::check_record(&unhash(proof)?, head.size, Hash(head.root.0), index, Hash(leaf.0))
        .map_err(|_| Error::NotProven)
}

/// Proves that the tree of `head` begins with the tree of `old_size` entries (at least one).
///
/// # Errors
/// As [`prove_inclusion`].
pub fn prove_consistency(files: &dyn LogFiles, head: &TreeHead, old_size: u64) -> Result<Vec<Sha256Digest>, Error> {
    if old_size == 0 || old_size > head.size {
        return Err(Error::OutsideTree { index: old_size, size: head.size });
    }
    let reader = Reader(files);
    let tree = TileHashReader::new(head.size, Hash(head.root.0), &reader);
    let proof = tlog_tiles::prove_tree(head.size, old_size, &tree).map_err(|error| proving_failed(&error))?;
    let old_root = tlog_tiles::tree_hash(old_size, &tree).map_err(|error| proving_failed(&error))?;
    tlog_tiles::check_tree(&proof, head.size, Hash(head.root.0), old_size, old_root).map_err(|_| altered())?;
    Ok(hashes(proof))
}

/// Checks a consistency proof between two heads of one log.
///
/// # Errors
/// [`Error::OutsideTree`] when `old` is empty or larger than `new`, else [`Error::NotProven`].
pub fn check_consistency(old: &TreeHead, new: &TreeHead, proof: &[Sha256Digest]) -> Result<(), Error> {
    if old.origin != new.origin {
        return Err(Error::NotProven);
    }
    if old.size == 0 || old.size > new.size {
        return Err(Error::OutsideTree { index: old.size, size: new.size });
    }
    tlog_tiles::check_tree(&unhash(proof)?, new.size, Hash(new.root.0), old.size, Hash(old.root.0))
        .map_err(|_| Error::NotProven)
}

/// A proof that stands alone: index, inclusion proof and signed checkpoint (c2sp.org/tlog-proof).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlogProof {
    /// Index of the entry.
    pub index: u64,
    /// The inclusion proof.
    pub hashes: Vec<Sha256Digest>,
    /// The signed note, as it came.
    pub checkpoint: Vec<u8>,
    /// Data of the application; nothing vouches for it.
    pub extra: Option<Vec<u8>>,
}

impl TlogProof {
    /// Proves entry `index` under the log's newest checkpoint.
    ///
    /// # Errors
    /// As [`VerifiedCheckpoint::verify`] and [`prove_inclusion`].
    pub fn prove(files: &dyn LogFiles, keys: &[LogKey], index: u64) -> Result<Self, Error> {
        let checkpoint = need(files, crate::layout::CHECKPOINT)?;
        let verified = VerifiedCheckpoint::verify(&checkpoint, keys)?;
        let hashes = prove_inclusion(files, verified.head(), index)?;
        Ok(Self { index, hashes, checkpoint, extra: None })
    }

    /// The text of the file.
    pub fn encode(&self) -> Vec<u8> {
        let mut text = format!("{PROOF_HEADER}\n");
        if let Some(extra) = &self.extra {
            text.push_str(&format!("extra {}\n", BASE64_STANDARD.encode(extra)));
        }
        text.push_str(&format!("index {}\n", self.index));
        for hash in &self.hashes {
            text.push_str(&BASE64_STANDARD.encode(hash.bytes()));
            text.push('\n');
        }
        text.push('\n');
        let mut out = text.into_bytes();
        out.extend_from_slice(&self.checkpoint);
        out
    }

    /// Reads the text of a file; only the spelling that [`TlogProof::encode`] gives is accepted.
    ///
    /// # Errors
    /// [`Error::BadProof`] with the line.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let bad = |line| Error::BadProof { line };
        let text = std::str::from_utf8(bytes).ok().filter(|text| text.len() <= PROOF_BYTES_MAX).ok_or(bad(1))?;
        let (header, checkpoint) = text.split_once("\n\n").ok_or(bad(1))?;
        let mut lines = (1..).zip(header.split('\n')).peekable();
        if lines.next().map(|(_, line)| line) != Some(PROOF_HEADER) {
            return Err(bad(1));
        }
        let extra = match lines.peek().and_then(|(_, line)| line.strip_prefix("extra ")) {
            Some(extra) => {
                lines.next();
                Some(BASE64_STANDARD.decode(extra).map_err(|_| bad(2))?)
            }
            None => None,
        };
        let (line, index) = lines.next().ok_or(bad(2))?;
        let index = index.strip_prefix("index ").and_then(|index| index.parse().ok()).ok_or(bad(line))?;
        let mut hashes = Vec::new();
        for (line, text) in lines {
            let hash = BASE64_STANDARD.decode(text).ok().and_then(|hash| hash.try_into().ok()).ok_or(bad(line))?;
            if hashes.len() == PROOF_HASHES_MAX {
                return Err(bad(line));
            }
            hashes.push(Sha256Digest(hash));
        }
        let proof = Self { index, hashes, checkpoint: checkpoint.as_bytes().to_vec(), extra };
        if proof.encode() == bytes { Ok(proof) } else { Err(bad(1)) }
    }

    /// Checks that `entry` is at [`TlogProof::index`] of a log that one of `keys` signed.
    ///
    /// # Errors
    /// As [`VerifiedCheckpoint::verify`] and [`check_inclusion`].
    pub fn verify(&self, entry: &[u8], keys: &[LogKey]) -> Result<TreeHead, Error> {
        let verified = VerifiedCheckpoint::verify(&self.checkpoint, keys)?;
        check_inclusion(verified.head(), self.index, &leaf_hash(entry), &self.hashes)?;
        Ok(verified.head().clone())
    }
}
