//! The rules that a parser of bytes from outside keeps, for the fuzz targets and for the replay of their corpora in the tests: each
//! function takes any bytes, and panics when a rule is broken.

use base::Secret;
use crypto::{PrivateKey, PublicKey};

use crate::{Bundle, Entry, LogKey, Origin, TlogProof, VerifiedCheckpoint, layout::TileName, push_entry, wal};

#[cfg(test)]
mod tests;

fn origin() -> Option<Origin> {
    "galen.example/test/node-1".parse().ok()
}

/// The key that signed the seeds.
fn keys() -> Vec<LogKey> {
    let public = PrivateKey::ed25519_from_seed(&Secret::new([7; 32])).and_then(|key| key.public_key());
    match (origin(), public) {
        (Some(origin), Ok(PublicKey::Ed25519 { x })) => vec![LogKey::new(origin, x)],
        _ => Vec::new(),
    }
}

/// An entry: what is read is written and read the same way again.
pub fn entry(bytes: &[u8]) {
    if let Ok(entry) = Entry::decode(bytes)
        && let Ok(written) = entry.encode()
    {
        assert_eq!(Entry::decode(&written).ok(), Some(entry));
    }
}

/// A bundle of entries: what is whole has one form.
pub fn bundle(bytes: &[u8]) {
    let mut again = Vec::new();
    if Bundle::new(bytes).all(|entry| entry.and_then(|entry| push_entry(&mut again, entry)).is_ok()) {
        assert_eq!(again, bytes);
    }
}

/// A checkpoint: what is believed is of the log whose key it is.
pub fn checkpoint(bytes: &[u8]) {
    if let Ok(verified) = VerifiedCheckpoint::verify(bytes, &keys()) {
        assert_eq!(Some(&verified.head().origin), origin().as_ref());
    }
}

/// A proof: what is read has one form.
pub fn proof(bytes: &[u8]) {
    if let Ok(proof) = TlogProof::decode(bytes) {
        assert_eq!(proof.encode(), bytes);
        let _refused = proof.verify(b"entry", &keys());
    }
}

/// A write-ahead file: a scan ends and never goes back.
pub fn write_ahead_file(bytes: &[u8]) {
    if let Some(origin) = origin() {
        assert!(wal::scan(bytes, &origin, 40).next >= 40);
    }
}

/// A tile's name: one name for one tile.
pub fn tile_name(bytes: &[u8]) {
    if let Ok(text) = std::str::from_utf8(bytes)
        && let Some(name) = TileName::from_path(text)
    {
        assert_eq!(name.path(), text);
    }
}
