//! The keyring: what the rest of Galen holds instead of a token. Data keys come out of it unwrapped, stay in memory for
//! minutes and are wiped; the token is asked only when they are not there.

mod cache;
mod derived;
mod subjects;

use base::{Effects, Secret};
use crypto::{AEAD_KEY_BYTES, Crypto, PublicKey, Sha256};
use std::{sync::Arc, time::Duration};
use store::Store;

use crate::{Error, KeyRef, Purpose, SubjectKey, Token, TokenInfo, subject::Subject};
use cache::Cache;
pub use derived::{DerivedKey, DerivedKeys};
pub use subjects::people_key;

/// How long an unwrapped key stays in memory: long enough that a busy dataset asks a device once in a while, short
/// enough that a destroyed key stops working within minutes everywhere.
pub const DATA_KEY_TTL: Duration = Duration::from_secs(300);
/// Data keys in memory at once (about 200 bytes each).
const DATA_KEYS_MAX: usize = 65_536;
/// Keys of people in memory at once.
const SUBJECT_KEYS_MAX: usize = 16_384;

/// A data key in memory, shared by all who use it and wiped after the last.
pub type DataKey = Arc<Secret<[u8; AEAD_KEY_BYTES]>>;

/// The keyring of one process. Cheap to clone.
#[derive(Clone)]
pub struct Custody(Arc<Inner>);

struct Inner {
    token: Arc<dyn Token>,
    store: Store,
    effects: Effects,
    crypto: Crypto,
    data: Cache<[u8; 32], Secret<[u8; AEAD_KEY_BYTES]>>,
    subjects: Cache<[u8; 32], SubjectKey>,
    sealing: Cache<Subject, SubjectKey>,
    derived: derived::DerivedCache,
}

impl Custody {
    /// Puts a keyring before a token. `store` keeps the wrapped keys of people.
    pub fn new(token: Arc<dyn Token>, store: Store, effects: Effects, crypto: Crypto) -> Self {
        Self(Arc::new(Inner {
            token,
            store,
            effects,
            crypto,
            data: Cache::new(DATA_KEYS_MAX, DATA_KEY_TTL),
            subjects: Cache::new(SUBJECT_KEYS_MAX, DATA_KEY_TTL),
            sealing: Cache::new(SUBJECT_KEYS_MAX, DATA_KEY_TTL),
            derived: derived::DerivedCache::default(),
        }))
    }

    /// What the token behind the keyring says of itself.
    pub fn describe(&self) -> TokenInfo {
        self.0.token.describe()
    }

    /// The token itself, for key management (`rotate`, `destroy`, `versions`).
    pub fn token(&self) -> &Arc<dyn Token> {
        &self.0.token
    }

    /// The newest version of the key with this purpose and label, made now if there is none.
    ///
    /// # Errors
    /// As [`Token::find`] and [`Token::generate`].
    pub fn ensure(&self, purpose: Purpose, label: &str) -> Result<KeyRef, Error> {
        match self.0.token.find(purpose, label)? {
            Some(key) => Ok(key),
            None => {
                self.0.token.generate(purpose, label)?;
                // Asks again: if two processes raced, both now agree on the older key.
                let key = self.0.token.find(purpose, label)?;
                key.ok_or_else(|| Error::BadLabel { label: label.to_owned() })
            }
        }
    }

    /// Signs in the JOSE form of the key's algorithm.
    ///
    /// # Errors
    /// As [`Token::sign`].
    pub fn sign(&self, key: &KeyRef, message: &[u8]) -> Result<Vec<u8>, Error> {
        self.0.token.sign(key, message)
    }

    /// The public half of a signing key.
    ///
    /// # Errors
    /// As [`Token::public_key`].
    pub fn public_key(&self, key: &KeyRef) -> Result<PublicKey, Error> {
        self.0.token.public_key(key)
    }

    /// A fresh data key, and the same wrapped under `key` and bound to `aad`, to be kept beside the data.
    ///
    /// # Errors
    /// As [`Token::wrap`].
    pub fn data_key_new(&self, key: &KeyRef, aad: &[u8]) -> Result<(DataKey, Vec<u8>), Error> {
        let plain = Arc::new(self.0.crypto.secret::<AEAD_KEY_BYTES>());
        let wrapped = self.0.token.wrap(key, plain.expose(), aad)?;
        self.0.data.put(data_slot(key, &wrapped, aad), Arc::clone(&plain), self.0.effects.monotonic());
        Ok((plain, wrapped))
    }

    /// The data key inside `wrapped`, from memory if it was opened in the last minutes.
    ///
    /// # Errors
    /// As [`Token::unwrap`].
    pub fn data_key_open(&self, key: &KeyRef, wrapped: &[u8], aad: &[u8]) -> Result<DataKey, Error> {
        let now = self.0.effects.monotonic();
        let slot = data_slot(key, wrapped, aad);
        if let Some(found) = self.0.data.get(&slot, now) {
            return Ok(found);
        }
        let plain = self.0.token.unwrap(key, wrapped, aad)?;
        let exact = plain.expose().as_slice().try_into();
        let exact = exact.map_err(|_| Error::DoesNotUnwrap { key: key.id, version: key.version })?;
        let plain = Arc::new(Secret::new(exact));
        self.0.data.put(slot, Arc::clone(&plain), now);
        Ok(plain)
    }

    /// Forgets every unwrapped key in memory, as after a key was destroyed.
    pub fn forget_all(&self) {
        self.0.data.clear();
        self.0.subjects.clear();
        self.0.sealing.clear();
        self.0.derived.clear();
    }
}

/// A cache slot that no other key, associated data or wrapped bytes can have.
fn data_slot(key: &KeyRef, wrapped: &[u8], aad: &[u8]) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(key.id.bytes());
    hash.update(&key.version.to_be_bytes());
    hash.update(&u64::try_from(wrapped.len()).unwrap_or(u64::MAX).to_be_bytes());
    hash.update(wrapped);
    hash.update(aad);
    hash.finish().0
}
