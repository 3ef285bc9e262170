//! The write-ahead format: what a batch of entries looks like on disk before it is published as bundles and tiles.
//!
//! A file is a chain of frames followed by zeros. One frame is one durable batch:
//!
//! ```text
//! magic "GWAL" | payload bytes u32 | entries u32 | first index u64 | digest of the frame before (32)
//! | check of the header so far (8) | digest of this frame (32) | payload: the entries as in a bundle
//! ```
//!
//! The digest covers the header and the leaf hashes, so it covers every byte. A write that a crash cut short leaves
//! whole sectors of zeros inside its frame (files are filled with zeros beforehand); anything else that does not
//! match was altered. This code reads and writes no file.

use crypto::{Sha256, Sha256Digest, sha256};

use crate::{Bundle, Error, Origin, leaf_hash, push_entry};

/// First bytes of a frame.
const MAGIC: [u8; 4] = *b"GWAL";

/// Bytes before the payload.
pub const FRAME_HEADER_BYTES: usize = 4 + 4 + 4 + 8 + 32 + CHECK_BYTES + 32;

/// Bytes of the header's own check, so that a frame's extent can be trusted when its payload is not whole.
const CHECK_BYTES: usize = 8;

/// Fewest bytes of a torn frame whose header was lost; fewer are an alteration of the zeros behind the last frame.
const TORN_BYTES_MIN: usize = 8;

/// The unit in which a disk write is torn: a sector.
pub const SECTOR_BYTES: usize = 512;

/// Separates these digests from all others.
const DOMAIN: &[u8] = b"galen wal v1\n";

/// The digest that stands before the first frame of a file.
pub fn seed(origin: &Origin, first: u64) -> Sha256Digest {
    let mut hash = Sha256::new();
    hash.update(DOMAIN);
    hash.update(origin.as_str().as_bytes());
    hash.update(b"\n");
    hash.update(&first.to_be_bytes());
    hash.finish()
}

fn digest(previous: &Sha256Digest, payload: u32, count: u32, first: u64, leaves: &[Sha256Digest]) -> Sha256Digest {
    let mut hash = Sha256::new();
    hash.update(DOMAIN);
    hash.update(previous.bytes());
    hash.update(&payload.to_be_bytes());
    hash.update(&count.to_be_bytes());
    hash.update(&first.to_be_bytes());
    for leaf in leaves {
        hash.update(leaf.bytes());
    }
    hash.finish()
}

/// Builds one frame from entries whose leaf hashes are known already.
pub struct FrameBuilder {
    /// Room for the header, then the entries.
    frame: Vec<u8>,
    leaves: Vec<Sha256Digest>,
}

impl Default for FrameBuilder {
    fn default() -> Self {
        Self::with_room(0)
    }
}

impl FrameBuilder {
    /// A frame with room for entries of `bytes` bytes in all, their lengths included.
    pub fn with_room(bytes: usize) -> Self {
        let mut frame = Vec::with_capacity(FRAME_HEADER_BYTES + bytes);
        frame.resize(FRAME_HEADER_BYTES, 0);
        Self { frame, leaves: Vec::new() }
    }

    /// Adds an entry.
    ///
    /// # Errors
    /// [`Error::EntryTooLarge`].
    pub fn push(&mut self, entry: &[u8], leaf: Sha256Digest) -> Result<(), Error> {
        push_entry(&mut self.frame, entry)?;
        self.leaves.push(leaf);
        Ok(())
    }

    /// Bytes that the frame will have.
    pub fn bytes(&self) -> usize {
        self.frame.len()
    }

    /// Entries so far.
    pub fn entries(&self) -> usize {
        self.leaves.len()
    }

    /// The frame, and its digest for the next one.
    pub fn finish(mut self, previous: &Sha256Digest, first: u64) -> (Vec<u8>, Sha256Digest) {
        // Batches are bounded by the journal far below 4 GiB.
        let payload = u32::try_from(self.frame.len() - FRAME_HEADER_BYTES).unwrap_or(u32::MAX);
        let count = u32::try_from(self.leaves.len()).unwrap_or(u32::MAX);
        let digest = digest(previous, payload, count, first, &self.leaves);
        let mut header = Vec::with_capacity(FRAME_HEADER_BYTES);
        header.extend_from_slice(&MAGIC);
        header.extend_from_slice(&payload.to_be_bytes());
        header.extend_from_slice(&count.to_be_bytes());
        header.extend_from_slice(&first.to_be_bytes());
        header.extend_from_slice(previous.bytes());
        header.extend_from_slice(&check(&header));
        header.extend_from_slice(digest.bytes());
        self.frame.iter_mut().zip(header).for_each(|(room, byte)| *room = byte);
        (self.frame, digest)
    }
}

/// An entry found in a write-ahead file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WalEntry<'a> {
    /// Its index in the log.
    pub index: u64,
    /// Where its length stands in the file.
    pub offset: usize,
    /// Its bytes.
    pub bytes: &'a [u8],
    /// Its leaf hash.
    pub leaf: Sha256Digest,
}

/// How a file ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WalEnd {
    /// All frames are whole, only zeros follow.
    Clean,
    /// The last frame was being written when the process or the machine stopped; nobody was told that it is durable.
    Torn {
        /// Where it starts.
        offset: usize,
    },
    /// Bytes are not as they were written.
    Altered {
        /// The first frame that does not match starts here, or the first byte that should be zero is here.
        offset: usize,
        /// The index of that frame's first entry.
        index: u64,
    },
}

/// Where a file of `len` bytes does not end as its name tells, by [`crate::layout::filling`]: there it is cut, or goes on.
pub fn missized(len: usize, told: usize) -> Option<usize> {
    (len != told).then_some(len.min(told))
}

/// As [`missized`] for a file whose name tells no size: it was made before names did, with a power of two of bytes, or is being made
/// (`!whole`) and has whole sectors at least.
pub(crate) fn misfilled(len: usize, whole: bool) -> Option<usize> {
    let fits = if whole { len.is_power_of_two() && len >= SECTOR_BYTES } else { len.is_multiple_of(SECTOR_BYTES) };
    (!fits).then_some(len)
}

/// Everything readable in a file.
#[derive(Clone, Debug)]
pub struct WalScan<'a> {
    /// The entries of whole frames, in order.
    pub entries: Vec<WalEntry<'a>>,
    /// The index that follows them.
    pub next: u64,
    /// How the file ends.
    pub end: WalEnd,
}

/// Reads a write-ahead file of the log `origin` that begins with entry `first`.
pub fn scan<'a>(bytes: &'a [u8], origin: &Origin, first: u64) -> WalScan<'a> {
    let mut scan = WalScan { entries: Vec::new(), next: first, end: WalEnd::Clean };
    let mut previous = seed(origin, first);
    let mut offset = 0;
    while let Some(rest) = bytes.get(offset..).filter(|rest| rest.iter().any(|byte| *byte != 0)) {
        match frame(rest, offset, &previous, scan.next) {
            Some(found) => {
                scan.next += found.entries.len() as u64;
                scan.entries.extend(found.entries);
                previous = found.digest;
                offset += found.bytes;
            }
            None => {
                scan.end = damage(bytes, offset, scan.next);
                break;
            }
        }
    }
    scan
}

struct Frame<'a> {
    entries: Vec<WalEntry<'a>>,
    digest: Sha256Digest,
    bytes: usize,
}

struct Header {
    payload: u32,
    count: u32,
    first: u64,
    previous: Sha256Digest,
    digest: Sha256Digest,
}

fn header(bytes: &[u8]) -> Option<(Header, &[u8])> {
    let (magic, rest) = bytes.split_first_chunk::<4>()?;
    let (payload, rest) = rest.split_first_chunk()?;
    let (count, rest) = rest.split_first_chunk()?;
    let (first, rest) = rest.split_first_chunk()?;
    let (previous, rest) = rest.split_first_chunk()?;
    let checked = bytes.get(..bytes.len() - rest.len())?;
    let (found, rest) = rest.split_first_chunk()?;
    let (digest, rest) = rest.split_first_chunk()?;
    let header = Header {
        payload: u32::from_be_bytes(*payload),
        count: u32::from_be_bytes(*count),
        first: u64::from_be_bytes(*first),
        previous: Sha256Digest(*previous),
        digest: Sha256Digest(*digest),
    };
    (*magic == MAGIC && *found == check(checked)).then_some((header, rest))
}

/// The first bytes of a digest over the header, magic included.
fn check(header: &[u8]) -> [u8; CHECK_BYTES] {
    let digest = sha256(header);
    digest.bytes().first_chunk().copied().unwrap_or_default()
}

/// The frame at the start of `rest`, if every byte of it is as written.
fn frame<'a>(rest: &'a [u8], offset: usize, previous: &Sha256Digest, next: u64) -> Option<Frame<'a>> {
    let found = sound_frame(rest, offset)?;
    let (header, _) = header(rest)?;
    (header.previous == *previous && header.first == next).then_some(found)
}

/// As [`frame`], without knowing what came before.
fn sound_frame(rest: &[u8], offset: usize) -> Option<Frame<'_>> {
    let (header, body) = header(rest)?;
    let payload = body.get(..usize::try_from(header.payload).ok()?)?;
    let mut entries = Vec::new();
    let mut walk = Bundle::new(payload);
    loop {
        let at = offset + FRAME_HEADER_BYTES + walk.offset();
        let Some(entry) = walk.next() else { break };
        let bytes = entry.ok()?;
        let index = header.first.checked_add(entries.len() as u64)?;
        entries.push(WalEntry { index, offset: at, bytes, leaf: leaf_hash(bytes) });
    }
    let leaves: Vec<_> = entries.iter().map(|entry| entry.leaf).collect();
    let count = u32::try_from(leaves.len()).ok()?;
    let expected = digest(&header.previous, header.payload, header.count, header.first, &leaves);
    let whole = count > 0 && count == header.count && expected == header.digest;
    whole.then_some(Frame { entries, digest: expected, bytes: FRAME_HEADER_BYTES + payload.len() })
}

/// Decides whether the frame at `offset` was cut short by a crash or altered afterwards.
fn damage(bytes: &[u8], offset: usize, index: u64) -> WalEnd {
    let altered = WalEnd::Altered { offset, index };
    let rest = bytes.get(offset..).unwrap_or_default();
    // A batch is only begun when the one before it is durable: a whole frame further on proves that this one was.
    let later = rest.windows(4).enumerate().skip(1).filter(|(_, window)| **window == MAGIC);
    for (at, _) in later {
        if rest.get(at..).and_then(|rest| sound_frame(rest, 0)).is_some() {
            return altered;
        }
    }
    if torn(bytes, offset) { WalEnd::Torn { offset } } else { altered }
}

/// True when a sector of the unfinished frame was never written. The files are filled with zeros beforehand, and the
/// payload of an entry is text without NUL, so a sector of zeros inside a frame was not written by us.
fn torn(bytes: &[u8], offset: usize) -> bool {
    let rest = bytes.get(offset..).unwrap_or_default();
    let header_end = offset.saturating_add(FRAME_HEADER_BYTES).min(bytes.len());
    if first_empty_sector(bytes, offset, header_end).is_some() {
        // The header is missing in whole or in part.
        let begun = rest.iter().take_while(|byte| **byte != 0).count().min(MAGIC.len());
        let as_magic = begun > 0 && rest.get(..begun) == MAGIC.get(..begun);
        return as_magic || (begun == 0 && rest.iter().filter(|byte| **byte != 0).count() >= TORN_BYTES_MIN);
    }
    let Some((header, payload)) = header(rest) else { return false };
    let extent = usize::try_from(header.payload).unwrap_or(usize::MAX);
    let beyond_is_empty = payload.get(extent..).is_some_and(|beyond| beyond.iter().all(|byte| *byte == 0));
    beyond_is_empty && first_empty_sector(bytes, header_end, header_end.saturating_add(extent)).is_some()
}

/// The first sector, or part of one, between two offsets that holds only zeros.
fn first_empty_sector(bytes: &[u8], from: usize, end: usize) -> Option<usize> {
    let end = end.min(bytes.len());
    let mut at = from;
    while at < end {
        let to = ((at / SECTOR_BYTES + 1) * SECTOR_BYTES).min(end);
        // A single byte may be the zero of a length, and says nothing.
        if bytes.get(at..to).is_some_and(|sector| sector.len() > 1 && sector.iter().all(|byte| *byte == 0)) {
            return Some(at);
        }
        at = to;
    }
    None
}
