//! The bytes between the bodies of a pack: headers of entries and gaps, the seal. Each carries its own CRC-32C.

use base::BlobId;
use std::io;
use uuid::Uuid;

use super::files::Handle;

/// Entries begin on borders of this many bytes, so that a header lies within one disk sector.
pub(super) const ALIGN: u64 = 64;
/// Bytes of a header; the body follows.
pub(super) const HEADER: u64 = 32;
const LEN: usize = HEADER as usize;

const PACK: &[u8; 8] = b"GALENPK1";
const ENTRY: &[u8; 4] = b"GPE1";
const GAP: &[u8; 4] = b"GPD1";
const SEAL: &[u8; 4] = b"GPS1";

/// What a header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Header {
    /// A body of `len` bytes with this CRC-32C follows.
    Entry { id: BlobId, len: u32, crc: u32 },
    /// Nothing for `len` bytes, counted from the header's first.
    Gap { len: u32 },
    /// The pack was closed in order: everything before was flushed.
    Seal,
}

/// Bytes that an entry with a body of `len` bytes takes.
pub(super) const fn stride(len: u64) -> u64 {
    (HEADER + len).next_multiple_of(ALIGN)
}

fn encode(magic: &[u8; 4], len: u32, id: [u8; 16], crc: u32) -> [u8; LEN] {
    let mut out = [0; LEN];
    let head = [magic.as_slice(), &len.to_be_bytes(), &id, &crc.to_be_bytes()].concat();
    let sum = crc_fast::crc32_iscsi(&head).to_be_bytes();
    for (to, from) in out.iter_mut().zip(head.iter().chain(&sum)) {
        *to = *from;
    }
    out
}

/// Parses 32 bytes; `None` when they are not a header.
fn decode(bytes: &[u8; LEN]) -> Option<Header> {
    let (head, sum) = bytes.split_at(LEN - 4);
    if crc_fast::crc32_iscsi(head).to_be_bytes() != *sum {
        return None;
    }
    let (magic, rest) = head.split_first_chunk::<4>()?;
    let (len, rest) = rest.split_first_chunk::<4>()?;
    let (id, rest) = rest.split_first_chunk::<16>()?;
    let (crc, _) = rest.split_first_chunk::<4>()?;
    let len = u32::from_be_bytes(*len);
    match magic {
        ENTRY => {
            Some(Header::Entry { id: BlobId::from_uuid(Uuid::from_bytes(*id)), len, crc: u32::from_be_bytes(*crc) })
        }
        GAP => Some(Header::Gap { len }),
        SEAL => Some(Header::Seal),
        _ => None,
    }
}

/// The header at `at`, if one is there.
pub(super) fn read(handle: &dyn Handle, at: u64) -> io::Result<Option<Header>> {
    let mut bytes = [0; LEN];
    handle.read_at(&mut bytes, at)?;
    Ok(decode(&bytes))
}

/// Replaces whatever begins at `at` by a gap of `len` bytes.
pub(super) fn write_gap(handle: &dyn Handle, at: u64, len: u64) -> io::Result<()> {
    let len = u32::try_from(len).map_err(|_| io::ErrorKind::InvalidInput)?;
    handle.write_at(&encode(GAP, len, [0; 16], 0), at)
}

/// Appends an entry and fills up to the next border.
pub(super) fn append_entry(buffer: &mut Vec<u8>, id: BlobId, body: &[u8]) -> io::Result<()> {
    let len = u32::try_from(body.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
    buffer.extend_from_slice(&encode(ENTRY, len, *id.bytes(), crc_fast::crc32_iscsi(body)));
    buffer.extend_from_slice(body);
    buffer.resize(buffer.len().next_multiple_of(ALIGN as usize), 0);
    Ok(())
}

/// Whether the stored body has the CRC of its header.
pub(super) fn body_matches(handle: &dyn Handle, offset: u64, len: u32, crc: u32) -> io::Result<bool> {
    let mut body = vec![0; len as usize];
    handle.read_at(&mut body, offset)?;
    Ok(crc_fast::crc32_iscsi(&body) == crc)
}

/// The first bytes of pack `number`.
pub(super) fn pack(number: u64) -> [u8; ALIGN as usize] {
    let mut out = [0; ALIGN as usize];
    for (to, from) in out.iter_mut().zip(PACK.iter().chain(&number.to_be_bytes())) {
        *to = *from;
    }
    out
}

/// The last bytes of a pack that was closed in order.
pub(super) fn seal() -> [u8; ALIGN as usize] {
    let mut out = [0; ALIGN as usize];
    for (to, from) in out.iter_mut().zip(encode(SEAL, 0, [0; 16], 0)) {
        *to = from;
    }
    out
}
