//! Names of the files of a log directory: those of c2sp.org/tlog-tiles, and beside them Galen's own.
//!
//! ```text
//! checkpoint                      the newest signed tree head
//! tile/0/000  tile/0/x001/234     full hash tiles (256 hashes), level by level
//! tile/0/005.p/17                 the partial tile of the newest checkpoint
//! tile/entries/000                full entry bundles (256 entries), partial ones as for tiles
//! checkpoints/00000000000000004096  earlier checkpoints, kept so that an alteration can be narrowed down
//! log.key                         the verifier key, as NAME+ID+KEY
//! wal/00000000000000004096.8388608  entries that are durable and not yet published; first index and bytes in the name
//! wal/spare.8388608, reserve.4194304, lock  zeros, zeros, and nothing: space set aside, and what a writing process locks
//! ```

use tlog_tiles::Tile;

use crate::BUNDLE_ENTRIES;

/// The newest signed tree head.
pub const CHECKPOINT: &str = "checkpoint";
/// The verifier key of the log.
pub const LOG_KEY: &str = "log.key";
/// Prefix of the kept checkpoints.
pub const CHECKPOINTS: &str = "checkpoints/";
/// Prefix of the write-ahead files.
pub const WAL: &str = "wal/";
/// The next write-ahead file, kept ready: zeros. The stem of its name, see [`filled`].
pub const SPARE: &str = "wal/spare";
/// Locked while a process writes; it holds nothing.
pub const LOCK: &str = "lock";
/// Space set aside for the entries of administrators when the disk is full: zeros. The stem of its name, see [`filled`].
pub const RESERVE: &str = "reserve";
/// End of the name of a file that is being written; not part of the log.
pub const TEMPORARY: &str = ".tmp";
/// log2 of the hashes in a tile (c2sp.org/tlog-tiles fixes 8).
pub const TILE_HEIGHT: u8 = 8;

/// What a tile file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TileKind {
    /// Hashes of this level of the tiling.
    Hashes(u8),
    /// Entries.
    Entries,
}

/// One tile or bundle: kind, number within its level, and width (256 when full).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TileName {
    /// What it holds.
    pub kind: TileKind,
    /// Number within the level, from 0.
    pub number: u64,
    /// Hashes or entries in it, 1 to 256.
    pub width: u16,
}

impl TileName {
    /// The bundle of this number and width.
    pub const fn entries(number: u64, width: u16) -> Self {
        Self { kind: TileKind::Entries, number, width }
    }

    /// The hash tile of this level, number and width.
    pub const fn hashes(level: u8, number: u64, width: u16) -> Self {
        Self { kind: TileKind::Hashes(level), number, width }
    }

    /// Whether it is full and therefore never changes again.
    pub fn is_full(&self) -> bool {
        u64::from(self.width) == BUNDLE_ENTRIES
    }

    /// The path inside the log directory.
    pub fn path(&self) -> String {
        let width = u32::from(self.width).clamp(1, 1 << TILE_HEIGHT);
        let (level, data, name) = match self.kind {
            TileKind::Hashes(level) => (level.min(63), false, level.to_string()),
            TileKind::Entries => (0, true, "entries".to_owned()),
        };
        // The library writes `tile/8/LEVEL/N`; the published layout leaves the height out and says `entries`.
        let path = Tile::new(TILE_HEIGHT, level, self.number, width, data).path();
        let number = path.splitn(4, '/').nth(3).unwrap_or_default();
        format!("tile/{name}/{number}")
    }

    /// Reads a path as [`TileName::path`] writes it; `None` for everything else.
    pub fn from_path(path: &str) -> Option<Self> {
        let (level, number) = path.strip_prefix("tile/")?.split_once('/')?;
        let (kind, level) = match level {
            "entries" => (TileKind::Entries, "data"),
            level => (TileKind::Hashes(level.parse().ok().filter(|l| *l < 64)?), level),
        };
        // The library's parser rejects a zero width only by panicking, so it never sees one.
        if let Some((_, width)) = number.split_once(".p/") {
            width.parse::<u8>().ok().filter(|width| *width > 0)?;
        }
        let tile = Tile::from_path(&format!("tile/{TILE_HEIGHT}/{level}/{number}")).ok()?;
        let name = Self { kind, number: tile.level_index(), width: u16::try_from(tile.width()).ok()? };
        (name.path() == path).then_some(name)
    }
}

/// The name of a file that is made with so many zeros. It tells them, so that a byte that is missing at its end is found; the file
/// has another name until it is whole.
pub fn filled(stem: &str, bytes: usize) -> String {
    format!("{stem}.{bytes}")
}

/// The stem of a name that [`filled`] made, and the bytes that it tells. Any other name, such as an older one that told no size, is
/// its own stem.
pub fn filling(name: &str) -> (&str, Option<usize>) {
    let told = name.rsplit_once('.').and_then(|(stem, bytes)| Some((stem, bytes.parse().ok()?)));
    let told = told.filter(|(stem, bytes)| filled(stem, *bytes) == name);
    told.map_or((name, None), |(stem, bytes)| (stem, Some(bytes)))
}

/// The name of a kept checkpoint of a tree of this size.
pub fn kept_checkpoint(size: u64) -> String {
    format!("{CHECKPOINTS}{size:020}")
}

/// The stem of the name of the write-ahead file whose first entry has this index.
pub fn wal_stem(first: u64) -> String {
    format!("{WAL}{first:020}")
}

/// The name of the write-ahead file of so many bytes whose first entry has this index.
pub fn wal(first: u64, bytes: usize) -> String {
    filled(&wal_stem(first), bytes)
}

/// The index of the first entry of a write-ahead file, from its name.
pub fn wal_first(name: &str) -> Option<u64> {
    numbered(WAL, filling(name).0)
}

/// The number in a name that [`kept_checkpoint`] or [`wal_stem`] made under this prefix.
pub fn numbered(prefix: &str, name: &str) -> Option<u64> {
    let digits = name.strip_prefix(prefix)?;
    let number = digits.parse().ok()?;
    (format!("{number:020}") == digits).then_some(number)
}

/// Width of the bundle or level-0 tile `number` in a tree of `size` entries; `None` when it has none there.
pub fn width_in(size: u64, number: u64) -> Option<u16> {
    let start = number.checked_mul(BUNDLE_ENTRIES)?;
    let left = size.checked_sub(start).filter(|left| *left > 0)?;
    u16::try_from(left.min(BUNDLE_ENTRIES)).ok()
}
