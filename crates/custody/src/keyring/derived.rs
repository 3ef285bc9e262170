//! Keys derived from the token's MAC keys: the edge key (session secrets), the session seals, the directory's index key.
//!
//! They are derived, not stored: every node with the same token derives the same keys, nothing has to be shared or wrapped.

use base::{KeyId, Secret};
use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use super::{Custody, DATA_KEY_TTL};
use crate::{Error, KeyRef, Purpose};

/// The label of keys of which an installation has one.
const LABEL: &str = "installation";

/// A 32-byte key derived from one version of a key of the token.
pub struct DerivedKey {
    /// The version it was derived from; stored beside what it protects.
    pub version: u32,
    key: Secret<[u8; 32]>,
}

impl DerivedKey {
    /// The key itself; never format or store it.
    pub const fn key(&self) -> &Secret<[u8; 32]> {
        &self.key
    }
}

/// The derived keys of one purpose: the newest does new work, the others open what they made before.
pub struct DerivedKeys {
    newest: DerivedKey,
    older: Vec<DerivedKey>,
}

impl DerivedKeys {
    /// The key for new work.
    pub const fn current(&self) -> &DerivedKey {
        &self.newest
    }
    /// Every usable key, the newest first.
    pub fn all(&self) -> impl Iterator<Item = &DerivedKey> {
        std::iter::once(&self.newest).chain(self.older.iter().rev())
    }
    /// The key of some version that is still usable.
    pub fn version(&self, version: u32) -> Option<&DerivedKey> {
        self.all().find(|key| key.version == version)
    }
}

#[derive(Default)]
pub(super) struct DerivedCache(RwLock<HashMap<Purpose, (Duration, Arc<DerivedKeys>)>>);

impl DerivedCache {
    pub(super) fn clear(&self) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).clear();
    }
    fn get(&self, purpose: Purpose, now: Duration) -> Option<Arc<DerivedKeys>> {
        let map = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let (came, keys) = map.get(&purpose)?;
        (now.saturating_sub(*came) < DATA_KEY_TTL).then(|| Arc::clone(keys))
    }
    fn put(&self, purpose: Purpose, now: Duration, keys: &Arc<DerivedKeys>) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).insert(purpose, (now, Arc::clone(keys)));
    }
}

impl Custody {
    /// The keys from which session secrets are derived: HMAC(edge key, access-key id).
    ///
    /// # Errors
    /// As [`crate::Token::mac`].
    pub fn edge_keys(&self) -> Result<Arc<DerivedKeys>, Error> {
        self.derived(Purpose::Edge)
    }

    /// The keys that seal session tokens (AES-256-GCM); the version goes into the token in clear.
    ///
    /// # Errors
    /// As [`crate::Token::mac`].
    pub fn session_seal_keys(&self) -> Result<Arc<DerivedKeys>, Error> {
        self.derived(Purpose::SessionSeal)
    }

    /// HMAC-SHA256 of a personal value under the directory's index key: equal values can be found, none can be read.
    /// `domain` separates kinds of values. The first version is used for ever, since reservations outlive rotations.
    ///
    /// # Errors
    /// As [`crate::Token::mac`].
    pub fn index_hash(&self, domain: &str, value: &[u8]) -> Result<[u8; 32], Error> {
        let keys = self.derived(Purpose::DirectoryIndex)?;
        let key = keys.version(1).unwrap_or(keys.current());
        let mut message = Vec::with_capacity(domain.len() + 1 + value.len());
        message.extend_from_slice(domain.as_bytes());
        message.push(0);
        message.extend_from_slice(value);
        Ok(crypto::hmac_sha256(key.key().expose(), &message))
    }

    /// Adds a version to the edge or session-seal key; earlier versions go on opening what they made.
    ///
    /// # Errors
    /// As [`crate::Token::rotate`].
    pub fn rotate_derived(&self, purpose: Purpose) -> Result<KeyRef, Error> {
        let key = self.ensure(purpose, LABEL)?;
        let rotated = self.0.token.rotate(key.id)?;
        self.0.derived.clear();
        Ok(rotated)
    }

    fn derived(&self, purpose: Purpose) -> Result<Arc<DerivedKeys>, Error> {
        let now = self.0.effects.monotonic();
        if let Some(found) = self.0.derived.get(purpose, now) {
            return Ok(found);
        }
        let id: KeyId = self.ensure(purpose, LABEL)?.id;
        let mut keys = Vec::new();
        for key in self.0.token.versions(id)? {
            let message = format!("galen derived key v1 {}", purpose.name());
            let derived = self.0.token.mac(&key, message.as_bytes())?;
            keys.push(DerivedKey { version: key.version, key: Secret::new(derived) });
        }
        keys.sort_by_key(|key| key.version);
        let newest = keys.pop().ok_or(Error::UnknownKey { key: id, version: 0 })?;
        let keys = Arc::new(DerivedKeys { newest, older: keys });
        self.0.derived.put(purpose, now, &keys);
        Ok(keys)
    }
}
