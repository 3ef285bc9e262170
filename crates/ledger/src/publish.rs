//! From appended entries to the files of a published log: bundles, tiles and a signed checkpoint, in the order in
//! which they must become durable. Writing them is the caller's part.

use crypto::Sha256Digest;
use std::collections::BTreeSet;

use crate::{
    BUNDLE_ENTRIES, CheckpointSigner, Error, LogFiles, Origin, Tree, TreeHead,
    files::need,
    layout::{self, TileKind, TileName},
    push_entry,
};

/// After so many entries a checkpoint is kept for good, so that an alteration of everything behind it can be narrowed
/// down to a stretch of this length.
pub const KEEP_CHECKPOINT_EVERY: u64 = 4096;

/// What must be written for one checkpoint: `files`, durable, then `checkpoint` in one atomic replacement, then the
/// `kept` copy of it; then `obsolete` may go. Writing any part again is harmless. A kept checkpoint never comes before
/// the newest one, or a log that stopped in between would look rolled back.
#[derive(Clone, Debug)]
pub struct Publication {
    /// The head that is signed.
    pub head: TreeHead,
    /// Names and contents; the order does not matter among them.
    pub files: Vec<(String, Vec<u8>)>,
    /// The signed note for [`layout::CHECKPOINT`].
    pub checkpoint: Vec<u8>,
    /// Name under which the checkpoint is kept for good, when this one is.
    pub kept: Option<String>,
    /// Partial tiles that the new ones replace.
    pub obsolete: Vec<String>,
}

/// Grows a log and cuts publications from it. Its memory is one partial bundle, plus what was appended since the last
/// publication.
pub struct LogBuilder {
    origin: Origin,
    tree: Tree,
    bundle: Vec<u8>,
    finished: Vec<(TileName, Vec<u8>)>,
    partials: BTreeSet<String>,
    kept: u64,
}

impl LogBuilder {
    /// An empty log.
    pub const fn new(origin: Origin) -> Self {
        Self { origin, tree: Tree::new(), bundle: Vec::new(), finished: Vec::new(), partials: BTreeSet::new(), kept: 0 }
    }

    /// Takes up a published log at a verified head. Only the rightmost tiles are read; they must give its root.
    ///
    /// # Errors
    /// [`Error::BadTile`], [`Error::BadBundle`], [`Error::FileMissing`] or [`Error::FileUnreadable`].
    pub fn resume(files: &dyn LogFiles, head: &TreeHead) -> Result<Self, Error> {
        let tree = Tree::resume(head.size, files)?;
        if tree.root() != head.root {
            return Err(Error::BadTile { name: "tile/".to_owned() });
        }
        let number = head.size / BUNDLE_ENTRIES;
        let mut bundle = Vec::new();
        let mut partials: BTreeSet<String> = tree.partial().iter().map(|tile| tile.name.path()).collect();
        if let Some(width) = layout::width_in(head.size, number) {
            let name = TileName::entries(number, width);
            bundle = need(files, &name.path())?;
            let last = tree.partial().into_iter().find(|tile| tile.name.kind == TileKind::Hashes(0));
            check_bundle(&bundle, last.map(|tile| tile.bytes).unwrap_or_default().as_slice())?;
            partials.insert(name.path());
        }
        Ok(Self { origin: head.origin.clone(), tree, bundle, finished: Vec::new(), partials, kept: head.size })
    }

    /// Entries so far.
    pub const fn size(&self) -> u64 {
        self.tree.size()
    }

    /// Adds an entry whose leaf hash is known.
    ///
    /// # Errors
    /// [`Error::EntryTooLarge`].
    pub fn append(&mut self, entry: &[u8], leaf: Sha256Digest) -> Result<(), Error> {
        push_entry(&mut self.bundle, entry)?;
        self.tree.append(leaf);
        if self.tree.size().is_multiple_of(BUNDLE_ENTRIES) {
            let name = TileName::entries(self.tree.size() / BUNDLE_ENTRIES - 1, 256);
            // Bundles are about equally large: the next one grows once.
            let next = Vec::with_capacity(self.bundle.len());
            self.finished.push((name, std::mem::replace(&mut self.bundle, next)));
        }
        Ok(())
    }

    /// The partial tiles of the last publication; any others are left over from a crash.
    pub fn partials(&self) -> impl Iterator<Item = &str> {
        self.partials.iter().map(String::as_str)
    }

    /// The head as it is now.
    pub fn head(&self) -> TreeHead {
        TreeHead { origin: self.origin.clone(), size: self.tree.size(), root: self.tree.root() }
    }

    /// Signs the head and gives everything that has to be written for it. Call it again only when the last
    /// publication is written, or drop this builder and resume.
    ///
    /// # Errors
    /// As [`TreeHead::sign`]; nothing is lost then, and the next call tries again.
    pub fn publish(&mut self, signer: &dyn CheckpointSigner) -> Result<Publication, Error> {
        let head = self.head();
        let checkpoint = head.sign(signer)?;
        let finished = std::mem::take(&mut self.finished);
        let mut files: Vec<_> = finished.into_iter().map(|(name, bytes)| (name.path(), bytes)).collect();
        files.extend(self.tree.take_full().into_iter().map(|tile| (tile.name.path(), tile.bytes)));
        let mut partials: Vec<_> = self.tree.partial().into_iter().map(|tile| (tile.name.path(), tile.bytes)).collect();
        if let Some(width) = layout::width_in(head.size, head.size / BUNDLE_ENTRIES) {
            let name = TileName::entries(head.size / BUNDLE_ENTRIES, width);
            partials.push((name.path(), self.bundle.clone()));
        }
        let names: BTreeSet<String> = partials.iter().map(|(name, _)| name.clone()).collect();
        let obsolete = self.partials.difference(&names).cloned().collect();
        // A partial tile of the same name has the same content. The durable checkpoint may rest on it, so it is not
        // touched again.
        files.extend(partials.into_iter().filter(|(name, _)| !self.partials.contains(name)));
        self.partials = names;
        let keeps = head.size / KEEP_CHECKPOINT_EVERY > self.kept / KEEP_CHECKPOINT_EVERY;
        let kept = keeps.then(|| layout::kept_checkpoint(head.size));
        if keeps {
            self.kept = head.size;
        }
        Ok(Publication { head, files, checkpoint, kept, obsolete })
    }
}

/// The entries of the last, partial bundle must be those of its tile, or the next bundle would hide the difference.
fn check_bundle(bundle: &[u8], hashes: &[u8]) -> Result<(), Error> {
    let mut walk = crate::Bundle::new(bundle);
    for hash in hashes.chunks(32) {
        let offset = walk.offset();
        let entry = walk.next().ok_or(Error::BadBundle { offset })??;
        if crate::leaf_hash(entry).bytes() != hash {
            return Err(Error::BadBundle { offset });
        }
    }
    match walk.offset() == bundle.len() {
        true => Ok(()),
        false => Err(Error::BadBundle { offset: walk.offset() }),
    }
}
