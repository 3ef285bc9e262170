//! What a replay found, as a value that prints and serialises.

use crypto::Sha256Digest;
use serde::{Deserialize, Serialize};
use std::fmt;

use crate::{
    BUNDLE_ENTRIES, Origin,
    layout::{TileKind, TileName},
};

/// Most findings that are listed; a log that was replaced as a whole would otherwise give one per entry.
pub const FINDINGS_MAX: usize = 1000;

/// What kind of difference was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FindingKind {
    /// Bytes of an entry, or its length, are not those that were signed.
    EntryAltered,
    /// An entry and its hash differ, and neither fits the rest of the tree.
    EntryOrHashAltered,
    /// A bundle of entries is missing.
    BundleMissing,
    /// A tile of hashes is not what the entries give, and the entries are as signed.
    TileAltered,
    /// A tile of hashes is not what the entries give, and the root does not match either.
    TileDiffers,
    /// A tile of hashes is missing.
    TileMissing,
    /// A checkpoint is malformed or not signed by a trusted key.
    CheckpointAltered,
    /// There are tiles and no checkpoint.
    CheckpointMissing,
    /// Entries and tiles agree with each other and not with a signed checkpoint of this log.
    Rewritten,
    /// The log does not continue the checkpoint that the witness kept.
    Forked,
    /// The log is shorter than a signed checkpoint of it.
    RolledBack,
    /// The key file does not name a trusted key.
    KeyAltered,
    /// Bytes of a write-ahead file are not as they were written.
    WalAltered,
    /// A write-ahead file holds another entry than the published log at the same index.
    WalDiffers,
    /// Entries between the published log and a write-ahead file, or between two of them, are missing.
    WalGap,
    /// Space that was set aside holds something, or has another size than it was given.
    SpaceAltered,
    /// A file that no log has.
    UnexpectedFile,
    /// Bytes at an index are not an entry.
    NotAnEntry,
    /// An outcome names no earlier open intent.
    OutcomeWithoutIntent,
    /// An intent has no outcome (yet).
    IntentOpen,
    /// Two entries have the same id.
    DuplicateIntent,
    /// The last batch was cut short by a crash; nobody was told that it is durable.
    TornTail,
    /// Tiles exist that no checkpoint covers yet.
    AheadOfCheckpoint,
    /// Nothing was ever signed.
    NoCheckpointYet,
}

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The log is not what was written: somebody must act.
    Error,
    /// Explained by a crash or by a log that is still being written.
    Notice,
}

impl FindingKind {
    /// How bad it is.
    pub const fn severity(self) -> Severity {
        match self {
            Self::IntentOpen | Self::TornTail | Self::AheadOfCheckpoint | Self::NoCheckpointYet => Severity::Notice,
            _ => Severity::Error,
        }
    }

    const fn says(self) -> &'static str {
        match self {
            Self::EntryAltered => "the entry is not the one that was signed",
            Self::EntryOrHashAltered => "the entry and its hash differ, and neither fits the tree",
            Self::BundleMissing => "the bundle is missing",
            Self::TileAltered => "the hashes are not those of the entries",
            Self::TileDiffers => "the hashes are not those of the entries, and the root does not match",
            Self::TileMissing => "the tile of hashes is missing",
            Self::CheckpointAltered => "the checkpoint is malformed or not signed by a trusted key",
            Self::CheckpointMissing => "the checkpoint is missing",
            Self::Rewritten => "the entries do not give the root that was signed",
            Self::Forked => "the log does not continue what the witness saw",
            Self::RolledBack => "the log is shorter than a checkpoint that was signed",
            Self::KeyAltered => "the key file does not name a trusted key",
            Self::WalAltered => "the write-ahead file is not as it was written",
            Self::WalDiffers => "the write-ahead file holds another entry than the published log",
            Self::WalGap => "entries are missing before this one",
            Self::SpaceAltered => "space that was set aside is not as it was made",
            Self::UnexpectedFile => "the file does not belong to a log",
            Self::NotAnEntry => "the bytes are not an entry",
            Self::OutcomeWithoutIntent => "the outcome names no open intent",
            Self::IntentOpen => "the intent has no outcome",
            Self::DuplicateIntent => "an intent with this id is open already",
            Self::TornTail => "the last batch was cut short by a crash; it was never acknowledged",
            Self::AheadOfCheckpoint => "no checkpoint covers the file yet",
            Self::NoCheckpointYet => "nothing was signed yet",
        }
    }
}

/// One difference, and where it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// What kind.
    pub kind: FindingKind,
    /// How bad it is.
    pub severity: Severity,
    /// The first entry concerned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entry: Option<u64>,
    /// The end of the range of entries concerned (exclusive), when it cannot be told which of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<u64>,
    /// The file, relative to the log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Offset of the first byte concerned in that file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offset: Option<u64>,
}

impl Finding {
    pub(super) const fn new(kind: FindingKind) -> Self {
        Self { kind, severity: kind.severity(), entry: None, until: None, file: None, offset: None }
    }

    pub(super) fn file(mut self, name: &str) -> Self {
        self.file = Some(name.to_owned());
        self
    }

    pub(super) const fn offset(mut self, offset: usize) -> Self {
        self.offset = Some(offset as u64);
        self
    }

    pub(super) const fn entry(mut self, index: u64) -> Self {
        self.entry = Some(index);
        self
    }

    pub(super) const fn entries(mut self, from: u64, until: u64) -> Self {
        self.entry = Some(from);
        self.until = Some(until);
        self
    }

    /// The entries below the hash at `offset` of a hash tile.
    pub(super) fn entries_of(self, tile: &TileName, offset: usize, size: u64) -> Self {
        let TileKind::Hashes(level) = tile.kind else { return self };
        let each = BUNDLE_ENTRIES.saturating_pow(u32::from(level));
        let hash = tile.number.saturating_mul(BUNDLE_ENTRIES).saturating_add(offset as u64 / 32);
        let from = hash.saturating_mul(each).min(size);
        self.entries(from, from.saturating_add(each).min(size))
    }
}

impl fmt::Display for Finding {
    /// `entry 513 (tile/entries/002, offset 88): the entry is not the one that was signed`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.entry, self.until) {
            (Some(from), Some(until)) if until > from + 1 => write!(f, "entries {from} to {}", until - 1)?,
            (Some(entry), _) => write!(f, "entry {entry}")?,
            (None, _) => write!(f, "log")?,
        }
        match (&self.file, self.offset) {
            (Some(file), Some(offset)) => write!(f, " ({file}, offset {offset})")?,
            (Some(file), None) => write!(f, " ({file})")?,
            _ => {}
        }
        write!(f, ": {}", self.kind.says())
    }
}

/// Collects findings up to the limit and counts the rest.
#[derive(Default)]
pub(super) struct Findings {
    listed: Vec<Finding>,
    more: u64,
}

impl Findings {
    pub(super) fn push(&mut self, finding: Finding) {
        if self.listed.len() < FINDINGS_MAX {
            self.listed.push(finding);
        } else {
            self.more += 1;
        }
    }

    pub(super) fn done(self) -> (Vec<Finding>, u64) {
        (self.listed, self.more)
    }
}

/// The result of a replay.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// The log that was expected.
    pub origin: Option<Origin>,
    /// Entries that the newest valid checkpoint covers.
    pub size: u64,
    /// The root that the entries give, when all of them could be read.
    pub root: Option<Sha256Digest>,
    /// Whether the log's newest checkpoint is signed by a trusted key.
    pub signed: bool,
    /// The log is complete and unaltered up to this entry (exclusive).
    pub complete_to: u64,
    /// Durable entries behind the newest checkpoint, checked against themselves only.
    pub pending: u64,
    /// Intents without an outcome.
    pub open_intents: u64,
    /// Signed checkpoints that were compared.
    pub checkpoints: u64,
    /// Size of the largest witness checkpoint that was compared; without one, nothing is said about freshness.
    pub witnessed: Option<u64>,
    /// The differences, in the order in which they were found.
    pub findings: Vec<Finding>,
    /// Findings beyond [`FINDINGS_MAX`].
    pub more: u64,
}

impl Report {
    /// True when nothing but notices was found.
    pub fn is_sound(&self) -> bool {
        self.more == 0 && self.errors().next().is_none()
    }

    /// The findings that somebody must act on.
    pub fn errors(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|finding| finding.severity == Severity::Error)
    }
}
