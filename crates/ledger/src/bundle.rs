//! Entry bundles of c2sp.org/tlog-tiles: up to 256 entries, each after its length as a big-endian `uint16`.

use crate::Error;

/// Entries of a full bundle, and hashes of a full tile.
pub const BUNDLE_ENTRIES: u64 = 256;

/// Longest entry that the format can carry.
pub const RAW_ENTRY_BYTES_MAX: usize = u16::MAX as usize;

/// Appends one entry to the bytes of a bundle.
///
/// # Errors
/// [`Error::EntryTooLarge`] beyond [`RAW_ENTRY_BYTES_MAX`].
pub fn push_entry(bundle: &mut Vec<u8>, entry: &[u8]) -> Result<(), Error> {
    let len = u16::try_from(entry.len())
        .map_err(|_| Error::EntryTooLarge { bytes: entry.len(), most: RAW_ENTRY_BYTES_MAX })?;
    bundle.extend_from_slice(&len.to_be_bytes());
    bundle.extend_from_slice(entry);
    Ok(())
}

/// Walks the entries of a bundle, or of any concatenation of bundles.
#[derive(Clone)]
pub struct Bundle<'a> {
    rest: &'a [u8],
    offset: usize,
}

impl<'a> Bundle<'a> {
    /// The walk from the first byte.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes, offset: 0 }
    }

    /// Where the next entry's length stands.
    pub const fn offset(&self) -> usize {
        self.offset
    }
}

impl<'a> Iterator for Bundle<'a> {
    /// The entry, or where the format breaks; nothing follows a break.
    type Item = Result<&'a [u8], Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let broken = Error::BadBundle { offset: self.offset };
        let Some((len, rest)) = self.rest.split_first_chunk::<2>() else {
            self.rest = &[];
            return Some(Err(broken));
        };
        let Some((entry, rest)) = rest.split_at_checked(usize::from(u16::from_be_bytes(*len))) else {
            self.rest = &[];
            return Some(Err(broken));
        };
        self.rest = rest;
        self.offset += 2 + entry.len();
        Some(Ok(entry))
    }
}
