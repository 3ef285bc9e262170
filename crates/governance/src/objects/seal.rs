//! The sealed form of a body: AES-256-GCM in frames, so that a range opens by itself.
//!
//! A body is cut into frames of one size (the last may be shorter); each is sealed with the body's own data key, the
//! nonce (part, frame index), and associated data that name dataset, key version, object version, part, index and
//! whether it is the last. So a frame that is moved, swapped, repeated, dropped or cut off does not open.
//! INVARIANT: a data key seals one body once, hence no nonce repeats under it. This module does no I/O.

use base::{DatasetId, ObjectVersionId};
use crypto::{AEAD_NONCE_BYTES, AEAD_TAG_BYTES, AeadKey};
use std::ops::Range;

use crate::ports::WorkFailed;

/// Bytes by which a frame grows.
pub(crate) const TAG: usize = AEAD_TAG_BYTES;
/// Plain bytes of a frame for bodies up to [`SMALL_BODY_MAX`]: a short range then costs little.
pub(crate) const FRAME_SMALL: u32 = 64 << 10;
/// Plain bytes of a frame for larger bodies: 0.1 ms of AES, and reads that keep a disk busy. With its tag a frame is whole pages.
pub(crate) const FRAME_LARGE: u32 = (256 << 10) - TAG as u32;
/// Plain bytes up to which a body is cut into small frames.
pub(crate) const SMALL_BODY_MAX: u64 = 1 << 20;

/// The size of frames for a body of this many bytes, or of unknown size.
pub(crate) fn frame_size(len: Option<u64>) -> u32 {
    if len.is_some_and(|len| len <= SMALL_BODY_MAX) { FRAME_SMALL } else { FRAME_LARGE }
}

/// What a body is sealed for; part of the associated data of each frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SealedFor {
    pub(crate) dataset: DatasetId,
    pub(crate) key_version: u32,
    pub(crate) version: ObjectVersionId,
    /// 0 for an object put at once, else the part's number.
    pub(crate) part: u32,
}

const DOMAIN: &[u8; 8] = b"galenf01";
const ASSOCIATED_LEN: usize = 8 + 16 + 4 + 16 + 4 + 8 + 1;

impl SealedFor {
    /// Associated data of wrapping the data key itself: binds the key to the same place.
    pub(crate) fn wrap_aad(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(64);
        out.extend_from_slice(b"galenk01");
        out.extend_from_slice(self.dataset.bytes());
        out.extend_from_slice(self.version.bytes());
        out.extend_from_slice(&self.part.to_be_bytes());
        out
    }

    fn associated(&self, index: u64, last: bool) -> [u8; ASSOCIATED_LEN] {
        let mut out = [0; ASSOCIATED_LEN];
        let fields: [&[u8]; 7] = [
            DOMAIN,
            self.dataset.bytes(),
            &self.key_version.to_be_bytes(),
            self.version.bytes(),
            &self.part.to_be_bytes(),
            &index.to_be_bytes(),
            &[u8::from(last)],
        ];
        let mut rest = out.as_mut_slice();
        for field in fields {
            let (head, tail) = rest.split_at_mut(field.len());
            head.copy_from_slice(field);
            rest = tail;
        }
        out
    }

    fn nonce(&self, index: u64) -> [u8; AEAD_NONCE_BYTES] {
        let mut out = [0; AEAD_NONCE_BYTES];
        let (part, frame) = out.split_at_mut(4);
        part.copy_from_slice(&self.part.to_be_bytes());
        frame.copy_from_slice(&index.to_be_bytes());
        out
    }
}

/// How a body of `len` plain bytes lies in its frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Layout {
    /// Plain bytes.
    pub(crate) len: u64,
    /// Plain bytes of a full frame; never 0.
    pub(crate) frame: u32,
}

impl Layout {
    pub(crate) fn frame(&self) -> u64 {
        u64::from(self.frame.max(1))
    }
    /// Frames; an empty body has none.
    pub(crate) fn frames(&self) -> u64 {
        self.len.div_ceil(self.frame())
    }
    /// Stored bytes.
    pub(crate) fn sealed_len(&self) -> u64 {
        self.len + self.frames() * TAG as u64
    }
    /// Frames that hold these plain bytes.
    pub(crate) fn covering(&self, plain: &Range<u64>) -> Range<u64> {
        if plain.start >= plain.end {
            return 0..0;
        }
        plain.start / self.frame()..plain.end.min(self.len).div_ceil(self.frame())
    }
    /// Stored bytes of these frames.
    pub(crate) fn stored(&self, frames: &Range<u64>) -> Range<u64> {
        let stride = self.frame() + TAG as u64;
        (frames.start * stride).min(self.sealed_len())..(frames.end * stride).min(self.sealed_len())
    }
    fn is_last(&self, index: u64) -> bool {
        index + 1 == self.frames()
    }
}

/// Seals consecutive frames of one body.
pub(crate) struct Sealer {
    pub(crate) key: AeadKey,
    pub(crate) place: SealedFor,
    pub(crate) frame: u32,
}

impl Sealer {
    /// Seals in place. `slots` is a run of frame slots, each of a frame's plain bytes followed by room for its tag, the
    /// last one cut to its content plus tag; `first` is the index of the first. `ends` says that the body ends here.
    pub(crate) fn seal(
        &self,
        first: u64,
        slots: &mut [u8],
        ends: bool,
        mut plain: impl FnMut(&[u8]),
    ) -> Result<(), WorkFailed> {
        let stride = self.frame as usize + TAG;
        let count = slots.len().div_ceil(stride);
        for (n, slot) in slots.chunks_mut(stride).enumerate() {
            let at = slot.len().checked_sub(TAG).ok_or(WorkFailed)?;
            let (data, tag) = slot.split_at_mut(at);
            plain(data);
            let index = first + n as u64;
            let last = ends && n + 1 == count;
            let sealed = self.key.seal_detached(self.place.nonce(index), &self.place.associated(index, last), data);
            tag.copy_from_slice(&sealed.map_err(|_| WorkFailed)?);
        }
        Ok(())
    }
}

/// Opens frames of one body.
pub(crate) struct Opener {
    pub(crate) key: AeadKey,
    pub(crate) place: SealedFor,
    pub(crate) layout: Layout,
}

impl Opener {
    /// Opens a run of stored frames in place, `first` being the index of the first.
    pub(crate) fn open(&self, first: u64, stored: &mut [u8]) -> Result<(), WorkFailed> {
        let stride = self.layout.frame as usize + TAG;
        for (n, slot) in stored.chunks_mut(stride).enumerate() {
            let index = first + n as u64;
            let associated = self.place.associated(index, self.layout.is_last(index));
            self.key.open_in_place(self.place.nonce(index), &associated, slot).map_err(|_| WorkFailed)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
