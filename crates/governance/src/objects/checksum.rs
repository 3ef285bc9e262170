//! The checksums of S3: computed while a body streams, compared with what the caller expects, stored and given back.
//!
//! MD5 is computed only when a caller sends `Content-MD5`; Galen's own integrity is the seal's, not a checksum's.

use base64::{Engine, prelude::BASE64_STANDARD};
use crc_fast::CrcAlgorithm;
use md5::Digest as _;
use serde::{Deserialize, Serialize};
use std::fmt;

use crate::Error;

/// An algorithm of `x-amz-checksum-*`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
#[expect(missing_docs, reason = "the names are those of S3's ChecksumAlgorithm")]
pub enum Algorithm {
    Crc32,
    Crc32c,
    Crc64nvme,
    Sha1,
    Sha256,
}

impl Algorithm {
    /// Every algorithm.
    pub const ALL: [Self; 5] = [Self::Crc32, Self::Crc32c, Self::Crc64nvme, Self::Sha1, Self::Sha256];

    /// The name in S3's XML and headers, such as `CRC32C`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Crc32 => "CRC32",
            Self::Crc32c => "CRC32C",
            Self::Crc64nvme => "CRC64NVME",
            Self::Sha1 => "SHA1",
            Self::Sha256 => "SHA256",
        }
    }

    /// The algorithm of this name, in any case.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|a| a.name().eq_ignore_ascii_case(name))
    }

    const fn len(self) -> usize {
        match self {
            Self::Crc32 | Self::Crc32c => 4,
            Self::Crc64nvme => 8,
            Self::Sha1 => 20,
            Self::Sha256 => 32,
        }
    }

    const fn crc(self) -> Option<CrcAlgorithm> {
        match self {
            Self::Crc32 => Some(CrcAlgorithm::Crc32IsoHdlc),
            Self::Crc32c => Some(CrcAlgorithm::Crc32Iscsi),
            Self::Crc64nvme => Some(CrcAlgorithm::Crc64Nvme),
            Self::Sha1 | Self::Sha256 => None,
        }
    }

    /// The kind of checksum a multipart object gets when the caller names none ("Checking object integrity").
    pub const fn multipart_kind(self) -> Kind {
        match self {
            Self::Crc64nvme => Kind::FullObject,
            _ => Kind::Composite,
        }
    }
}

/// What a checksum covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Kind {
    /// All bytes of the object.
    FullObject,
    /// The checksums of the parts of a multipart upload, in order; its text ends in `-N`.
    Composite,
}

/// A checksum with its algorithm.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Checksum {
    /// How it was computed.
    pub algorithm: Algorithm,
    /// Base64 of the big-endian value; for a composite one followed by `-N`.
    pub value: String,
}

impl Checksum {
    /// From a header's text.
    ///
    /// # Errors
    /// [`Error::BadChecksumValue`] when the text is not Base64 of the right length (a composite's `-N` is allowed).
    pub fn parse(algorithm: Algorithm, text: &str) -> Result<Self, Error> {
        let bad = || Error::BadChecksumValue { algorithm: algorithm.name() };
        let digits = match text.split_once('-') {
            Some((digits, parts)) if !parts.is_empty() && parts.bytes().all(|b| b.is_ascii_digit()) => digits,
            Some(_) => return Err(bad()),
            None => text,
        };
        let raw = BASE64_STANDARD.decode(digits).map_err(|_| bad())?;
        if raw.len() != algorithm.len() {
            return Err(bad());
        }
        Ok(Self { algorithm, value: text.to_owned() })
    }

    pub(crate) fn of(algorithm: Algorithm, raw: &[u8]) -> Self {
        Self { algorithm, value: BASE64_STANDARD.encode(raw) }
    }

    /// The bytes of a full (not composite) value.
    fn raw(&self) -> Option<Vec<u8>> {
        BASE64_STANDARD.decode(&self.value).ok().filter(|raw| raw.len() == self.algorithm.len())
    }
}

impl fmt::Display for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.algorithm.name(), self.value)
    }
}

/// A checksum as stored with a version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredChecksum {
    /// The value.
    pub checksum: Checksum,
    /// What it covers.
    pub kind: Kind,
}

/// Gives the text of a trailing checksum once the body has been read; `None` when the trailer did not come.
pub type Trailer = Box<dyn FnOnce() -> Option<String> + Send>;

/// What the caller says of the checksum of a body.
#[derive(Default)]
pub enum Expected {
    /// Nothing: CRC64NVME is computed and stored, as S3 does.
    #[default]
    None,
    /// Compute and store this one; nothing to compare.
    Compute(Algorithm),
    /// The value, sent ahead of the body.
    Value(Checksum),
    /// The value will come after the body.
    Trailer(Algorithm, Trailer),
}

impl Expected {
    /// The algorithm to compute.
    pub const fn algorithm(&self) -> Algorithm {
        match self {
            Self::None => Algorithm::Crc64nvme,
            Self::Compute(algorithm) | Self::Trailer(algorithm, _) => *algorithm,
            Self::Value(checksum) => checksum.algorithm,
        }
    }

    /// Compares after the body was read.
    pub(crate) fn check(self, computed: &Hashed) -> Result<(), Error> {
        let expected = match self {
            Self::None | Self::Compute(_) => return Ok(()),
            Self::Value(checksum) => checksum,
            Self::Trailer(algorithm, trailer) => {
                let text = trailer().ok_or(Error::ChecksumMissing { algorithm: algorithm.name() })?;
                Checksum::parse(algorithm, text.trim())?
            }
        };
        if computed.of(expected.algorithm) == Some(&expected) {
            Ok(())
        } else {
            Err(Error::ChecksumMismatch { algorithm: expected.algorithm.name() })
        }
    }
}

/// Bytes that every checksum takes before any takes the next: half of a small first-level cache.
const BLOCK: usize = 16 << 10;

enum State {
    Crc(Box<crc_fast::Digest>),
    Sha1(crypto::Sha1),
    Sha256(crypto::Sha256),
}

/// The running checksums of one body.
#[derive(Default)]
pub(crate) struct Hashers {
    states: Vec<(Algorithm, State)>,
    md5: Option<md5::Md5>,
}

/// The checksums of a whole body.
pub(crate) struct Hashed {
    pub(crate) checksums: Vec<Checksum>,
    pub(crate) md5: Option<[u8; 16]>,
}

impl Hashed {
    pub(crate) fn of(&self, algorithm: Algorithm) -> Option<&Checksum> {
        self.checksums.iter().find(|checksum| checksum.algorithm == algorithm)
    }
}

impl State {
    fn new(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::Sha1 => Self::Sha1(crypto::Sha1::new()),
            Algorithm::Sha256 => Self::Sha256(crypto::Sha256::new()),
            Algorithm::Crc32 => Self::Crc(Box::new(crc_fast::Digest::new(CrcAlgorithm::Crc32IsoHdlc))),
            Algorithm::Crc32c => Self::Crc(Box::new(crc_fast::Digest::new(CrcAlgorithm::Crc32Iscsi))),
            Algorithm::Crc64nvme => Self::Crc(Box::new(crc_fast::Digest::new(CrcAlgorithm::Crc64Nvme))),
        }
    }
    fn is_slow(&self) -> bool {
        !matches!(self, Self::Crc(_))
    }
    fn update(&mut self, piece: &[u8]) {
        match self {
            Self::Crc(digest) => digest.update(piece),
            Self::Sha1(digest) => digest.update(piece),
            Self::Sha256(digest) => digest.update(piece),
        }
    }
    fn finish(self, algorithm: Algorithm) -> Checksum {
        match self {
            Self::Crc(digest) => crc_text(algorithm, digest.finalize()),
            Self::Sha1(digest) => Checksum::of(algorithm, &digest.finish()),
            Self::Sha256(digest) => Checksum::of(algorithm, digest.finish().bytes()),
        }
    }
}

impl Hashers {
    /// Computes each of the algorithms once, and MD5 where it is wanted.
    pub(crate) fn new(algorithms: &[Algorithm], md5: bool) -> Self {
        let mut states: Vec<(Algorithm, State)> = Vec::new();
        for algorithm in algorithms {
            if !states.iter().any(|(known, _)| known == algorithm) {
                states.push((*algorithm, State::new(*algorithm)));
            }
        }
        states.sort_by_key(|(_, state)| state.is_slow());
        Self { states, md5: md5.then(md5::Md5::new) }
    }

    /// A CRC reads memory as fast as it comes and goes first: a slow checksum, which waits for each line of memory
    /// otherwise, then finds the block in the processor's cache.
    pub(crate) fn update(&mut self, piece: &[u8]) {
        for block in piece.chunks(BLOCK) {
            for (_, state) in &mut self.states {
                state.update(block);
            }
            if let Some(md5) = &mut self.md5 {
                md5.update(block);
            }
        }
    }

    pub(crate) fn finish(self) -> Hashed {
        let checksums = self.states.into_iter().map(|(algorithm, state)| state.finish(algorithm)).collect();
        Hashed { checksums, md5: self.md5.map(|md5| md5.finalize().into()) }
    }
}

fn crc_text(algorithm: Algorithm, value: u64) -> Checksum {
    let bytes = value.to_be_bytes();
    let (_, tail) = bytes.split_at(8_usize.saturating_sub(algorithm.len()));
    Checksum::of(algorithm, tail)
}

/// Whether a multipart object can have a checksum of this kind ("Checking object integrity": CRC64NVME is never
/// composite, SHA never full-object).
///
/// # Errors
/// [`Error::ChecksumKind`].
pub(crate) fn possible(algorithm: Algorithm, kind: Kind) -> Result<(), Error> {
    let sound = match kind {
        Kind::Composite => algorithm != Algorithm::Crc64nvme,
        Kind::FullObject => algorithm.crc().is_some(),
    };
    if sound { Ok(()) } else { Err(Error::ChecksumKind { algorithm: algorithm.name() }) }
}

/// The checksum of a multipart object from those of its parts: the digest of the digests, or, for a CRC over the full
/// object, the CRCs joined arithmetically.
///
/// # Errors
/// [`Error::ChecksumKind`] when the algorithm has no checksum of that kind, or a part lacks its own.
pub(crate) fn combine(
    kind: Kind,
    algorithm: Algorithm,
    parts: &[(Option<&Checksum>, u64)],
) -> Result<StoredChecksum, Error> {
    let impossible = || Error::ChecksumKind { algorithm: algorithm.name() };
    let raws = parts.iter().map(|(checksum, len)| {
        let raw = checksum.filter(|c| c.algorithm == algorithm).and_then(Checksum::raw).ok_or_else(impossible)?;
        Ok((raw, *len))
    });
    let raws = raws.collect::<Result<Vec<_>, Error>>()?;
    let checksum = match (kind, algorithm.crc()) {
        (Kind::Composite, _) if algorithm == Algorithm::Crc64nvme => return Err(impossible()),
        (Kind::Composite, _) => {
            let mut state = State::new(algorithm);
            raws.iter().for_each(|(raw, _)| state.update(raw));
            let whole = state.finish(algorithm);
            Checksum { algorithm, value: format!("{}-{}", whole.value, raws.len()) }
        }
        (Kind::FullObject, None) => return Err(impossible()),
        (Kind::FullObject, Some(crc)) => {
            let number = |raw: &[u8]| raw.iter().fold(0_u64, |n, b| n << 8 | u64::from(*b));
            let empty = crc_fast::checksum(crc, b"");
            let whole =
                raws.iter().fold(empty, |sum, (raw, len)| crc_fast::checksum_combine(crc, sum, number(raw), *len));
            crc_text(algorithm, whole)
        }
    };
    Ok(StoredChecksum { checksum, kind })
}
