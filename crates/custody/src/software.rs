//! The software token: keys in files, sealed under a root key, in the memory of this process while it runs.
//!
//! It is honest about what it is: whoever reads this process's memory, or the files together with the seal, has the
//! keys. It must not know what the keys protect.

mod file;
mod seal;

use base::{Effects, Ids, KeyId, Secret};
use crypto::{AeadKey, Crypto, HmacKey, PrivateKey};
use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{Arc, PoisonError, RwLock},
};

use crate::{
    Error, KeyRef, Purpose, Token, TokenInfo, Use,
    aead::{seal as seal_bytes, unseal},
    error::crypto as failed,
    token::LABEL_LEN_MAX,
};
use file::{KeyFile, Material, Version};
pub use seal::Seal;

/// First byte of wrapped bytes: AES-256-GCM with a random 96-bit nonce, which follows.
const WRAP_FORMAT: u8 = 1;

/// Where a software token lives and what opens it.
pub struct SoftwareTokenOptions {
    /// The folder of the key files; readable by this user only.
    pub dir: PathBuf,
    /// What the root key is sealed under.
    pub seal: Seal,
    /// Time and randomness for key ids.
    pub effects: Effects,
    /// The cryptographic provider.
    pub crypto: Crypto,
}

/// Keys in files under a sealed root key. Several processes may share one folder.
pub struct SoftwareToken {
    dir: PathBuf,
    seal: String,
    seal_backup: String,
    root: AeadKey,
    effects: Effects,
    crypto: Crypto,
    keys: RwLock<HashMap<KeyId, Arc<Loaded>>>,
}

/// One key opened into memory.
struct Loaded {
    purpose: Purpose,
    label: String,
    versions: Vec<LoadedVersion>,
}

struct LoadedVersion {
    version: u32,
    /// `None` once destroyed.
    key: Option<Working>,
}

/// Key material ready for use.
enum Working {
    Sign(Box<PrivateKey>, Box<crypto::PublicKey>),
    Mac(Box<HmacKey>),
    Wrap(Box<AeadKey>),
}

impl SoftwareToken {
    /// Makes a new, empty token.
    ///
    /// # Errors
    /// [`Error::AlreadyInitialised`]; [`Error::Io`]; [`Error::WeakPassphrase`]; [`Error::SealExposed`].
    pub fn init(options: SoftwareTokenOptions) -> Result<Self, Error> {
        file::make_private_dir(&options.dir)?;
        if seal::exists(&options.dir) {
            return Err(Error::AlreadyInitialised { dir: options.dir });
        }
        seal::create(&options.dir, &options.seal, &options.crypto)?;
        Self::open(options)
    }

    /// Opens a token and checks every key in it.
    ///
    /// # Errors
    /// [`Error::NotInitialised`]; [`Error::WrongSeal`]; [`Error::Tampered`] naming the key; [`Error::Io`].
    pub fn open(options: SoftwareTokenOptions) -> Result<Self, Error> {
        if !seal::exists(&options.dir) {
            return Err(Error::NotInitialised { dir: options.dir });
        }
        let root = seal::open(&options.dir, &options.seal)?;
        let token = Self {
            seal: options.seal.describe(),
            seal_backup: options.seal.backup(&options.dir),
            dir: options.dir,
            root,
            effects: options.effects,
            crypto: options.crypto,
            keys: RwLock::default(),
        };
        token.load_all()?;
        Ok(token)
    }

    /// Opens the token, or makes it if the folder holds none.
    ///
    /// # Errors
    /// As [`SoftwareToken::init`] and [`SoftwareToken::open`].
    pub fn open_or_init(options: SoftwareTokenOptions) -> Result<Self, Error> {
        if seal::exists(&options.dir) { Self::open(options) } else { Self::init(options) }
    }

    /// Reads every key file that is not in memory yet.
    fn load_all(&self) -> Result<(), Error> {
        for id in file::list(&self.dir)? {
            if self.in_memory(id).is_none() {
                self.load(id)?;
            }
        }
        Ok(())
    }

    fn in_memory(&self, id: KeyId) -> Option<Arc<Loaded>> {
        self.keys.read().unwrap_or_else(PoisonError::into_inner).get(&id).cloned()
    }

    fn load(&self, id: KeyId) -> Result<Arc<Loaded>, Error> {
        let stored = file::read(&self.dir, id)?;
        let loaded = Arc::new(self.open_file(&stored)?);
        self.keys.write().unwrap_or_else(PoisonError::into_inner).insert(id, Arc::clone(&loaded));
        Ok(loaded)
    }

    fn open_file(&self, stored: &KeyFile) -> Result<Loaded, Error> {
        let mut versions = Vec::with_capacity(stored.versions.len());
        for version in &stored.versions {
            let key = match &version.material {
                Material::Destroyed => None,
                Material::Sealed(sealed) => Some(self.open_version(stored, version.version, sealed)?),
            };
            versions.push(LoadedVersion { version: version.version, key });
        }
        Ok(Loaded { purpose: stored.purpose, label: stored.label.clone(), versions })
    }

    fn open_version(&self, stored: &KeyFile, version: u32, sealed: &[u8]) -> Result<Working, Error> {
        let tampered = || Error::Tampered { key: stored.id, file: file::path(&self.dir, stored.id) };
        let plain = unseal(&self.root, sealed, stored.associated(version).as_bytes()).map_err(|_| tampered())?;
        let exact = |plain: &Secret<Vec<u8>>| -> Result<Secret<[u8; 32]>, Error> {
            plain.expose().as_slice().try_into().map(Secret::new).map_err(|_| tampered())
        };
        Ok(match stored.purpose.usage() {
            Use::Sign(algorithm) => {
                let private = PrivateKey::from_pkcs8(algorithm, &plain).map_err(|_| tampered())?;
                let public = private.public_key().map_err(failed)?;
                Working::Sign(Box::new(private), Box::new(public))
            }
            Use::Mac => Working::Mac(Box::new(HmacKey::new(exact(&plain)?.expose()))),
            Use::Wrap => Working::Wrap(Box::new(AeadKey::new(&exact(&plain)?).map_err(failed)?)),
        })
    }

    /// Fresh material for a version, sealed under the root key.
    fn new_version(&self, stored: &KeyFile, version: u32) -> Result<Version, Error> {
        let plain = match stored.purpose.usage() {
            Use::Sign(algorithm) => self.crypto.generate(algorithm).and_then(|key| key.to_pkcs8()).map_err(failed)?,
            Use::Mac | Use::Wrap => Secret::new(self.crypto.secret::<32>().expose().to_vec()),
        };
        let sealed = seal_bytes(&self.root, &self.crypto, plain.expose(), stored.associated(version).as_bytes())?;
        Ok(Version { version, created: self.effects.now(), material: Material::Sealed(sealed) })
    }

    /// The key, from memory or, if another process made or rotated it, from its file.
    fn key(&self, key: &KeyRef) -> Result<Arc<Loaded>, Error> {
        let has = |loaded: &Loaded| loaded.versions.iter().any(|v| v.version == key.version);
        if let Some(loaded) = self.in_memory(key.id).filter(|loaded| has(loaded)) {
            return Ok(loaded);
        }
        let unknown = || Error::UnknownKey { key: key.id, version: key.version };
        if !file::path(&self.dir, key.id).exists() {
            return Err(unknown());
        }
        let loaded = self.load(key.id)?;
        if has(&loaded) { Ok(loaded) } else { Err(unknown()) }
    }

    /// Runs `work` with the key's material if it is of the right kind.
    fn with<T>(
        &self,
        key: &KeyRef,
        operation: &'static str,
        work: impl FnOnce(&Working) -> Option<Result<T, Error>>,
    ) -> Result<T, Error> {
        let loaded = self.key(key)?;
        let material = loaded.versions.iter().find(|v| v.version == key.version).and_then(|v| v.key.as_ref());
        let Some(material) = material else {
            return Err(Error::Destroyed { key: key.id, version: key.version });
        };
        let wrong = Error::WrongPurpose { key: key.id, purpose: loaded.purpose.name(), operation };
        work(material).unwrap_or(Err(wrong))
    }

    /// The associated data of a wrap: the key reference in front, so that wrapped bytes name their key.
    fn wrap_associated(key: &KeyRef, aad: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(21 + aad.len());
        out.push(WRAP_FORMAT);
        out.extend_from_slice(key.id.bytes());
        out.extend_from_slice(&key.version.to_be_bytes());
        out.extend_from_slice(aad);
        out
    }
}

fn newest(id: KeyId, loaded: &Loaded) -> Option<KeyRef> {
    let usable = loaded.versions.iter().filter(|v| v.key.is_some());
    usable.map(|v| v.version).max().map(|version| KeyRef { id, version })
}

fn check_label(label: &str) -> Result<(), Error> {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"._:/@-".contains(&b);
    if (1..=LABEL_LEN_MAX).contains(&label.len()) && label.bytes().all(allowed) {
        Ok(())
    } else {
        Err(Error::BadLabel { label: label.chars().take(LABEL_LEN_MAX).collect() })
    }
}

impl Token for SoftwareToken {
    fn describe(&self) -> TokenInfo {
        TokenInfo {
            name: "software token".to_owned(),
            software: true,
            fips: self.crypto.fips(),
            keys: self.dir.display().to_string(),
            seal: self.seal.clone(),
            backup: self.seal_backup.clone(),
        }
    }

    fn generate(&self, purpose: Purpose, label: &str) -> Result<KeyRef, Error> {
        check_label(label)?;
        let id = KeyId::from_uuid(self.effects.uuid());
        let mut stored = KeyFile { format: file::FORMAT, id, purpose, label: label.to_owned(), versions: Vec::new() };
        stored.versions.push(self.new_version(&stored, 1)?);
        let _lock = file::lock(&self.dir)?;
        file::write(&self.dir, &stored)?;
        self.load(id)?;
        Ok(KeyRef { id, version: 1 })
    }

    fn rotate(&self, id: KeyId) -> Result<KeyRef, Error> {
        let _lock = file::lock(&self.dir)?;
        if !file::path(&self.dir, id).exists() {
            return Err(Error::UnknownKey { key: id, version: 0 });
        }
        let mut stored = file::read(&self.dir, id)?;
        let version = stored.versions.iter().map(|v| v.version).max().unwrap_or(0) + 1;
        stored.versions.push(self.new_version(&stored, version)?);
        file::write(&self.dir, &stored)?;
        self.load(id)?;
        Ok(KeyRef { id, version })
    }

    fn find(&self, purpose: Purpose, label: &str) -> Result<Option<KeyRef>, Error> {
        let look = || {
            let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
            let mine = keys.iter().filter(|(_, k)| k.purpose == purpose && k.label == label);
            mine.filter_map(|(id, k)| newest(*id, k)).min_by_key(|key| key.id)
        };
        if let Some(found) = look() {
            return Ok(Some(found));
        }
        self.load_all()?;
        Ok(look())
    }

    fn versions(&self, id: KeyId) -> Result<Vec<KeyRef>, Error> {
        if !file::path(&self.dir, id).exists() {
            return Err(Error::UnknownKey { key: id, version: 0 });
        }
        // Read again: another process may have rotated the key.
        let loaded = self.load(id)?;
        let usable = loaded.versions.iter().filter(|v| v.key.is_some());
        Ok(usable.map(|v| KeyRef { id, version: v.version }).collect())
    }

    fn public_key(&self, key: &KeyRef) -> Result<crypto::PublicKey, Error> {
        self.with(key, "give a public key", |material| match material {
            Working::Sign(_, public) => Some(Ok(public.as_ref().clone())),
            Working::Mac(_) | Working::Wrap(_) => None,
        })
    }

    fn sign(&self, key: &KeyRef, message: &[u8]) -> Result<Vec<u8>, Error> {
        self.with(key, "sign", |material| match material {
            Working::Sign(private, _) => Some(private.sign(private.default_scheme(), message).map_err(failed)),
            Working::Mac(_) | Working::Wrap(_) => None,
        })
    }

    fn mac(&self, key: &KeyRef, message: &[u8]) -> Result<[u8; 32], Error> {
        self.with(key, "authenticate", |material| match material {
            Working::Mac(mac) => Some(Ok(mac.sign(message))),
            Working::Sign(..) | Working::Wrap(_) => None,
        })
    }

    fn wrap(&self, key: &KeyRef, plain: &[u8], aad: &[u8]) -> Result<Vec<u8>, Error> {
        self.with(key, "wrap", |material| match material {
            Working::Wrap(aead) => {
                Some(seal_bytes(aead, &self.crypto, plain, &Self::wrap_associated(key, aad)).map(|mut sealed| {
                    sealed.insert(0, WRAP_FORMAT);
                    sealed
                }))
            }
            Working::Sign(..) | Working::Mac(_) => None,
        })
    }

    fn unwrap(&self, key: &KeyRef, wrapped: &[u8], aad: &[u8]) -> Result<Secret<Vec<u8>>, Error> {
        let broken = || Error::DoesNotUnwrap { key: key.id, version: key.version };
        self.with(key, "unwrap", |material| match material {
            Working::Wrap(aead) => Some(match wrapped.split_first() {
                Some((&WRAP_FORMAT, sealed)) => {
                    unseal(aead, sealed, &Self::wrap_associated(key, aad)).map_err(|_| broken())
                }
                _ => Err(broken()),
            }),
            Working::Sign(..) | Working::Mac(_) => None,
        })
    }

    fn destroy(&self, key: &KeyRef) -> Result<(), Error> {
        let unknown = || Error::UnknownKey { key: key.id, version: key.version };
        let _lock = file::lock(&self.dir)?;
        if !file::path(&self.dir, key.id).exists() {
            return Err(unknown());
        }
        let mut stored = file::read(&self.dir, key.id)?;
        let version = stored.versions.iter_mut().find(|v| v.version == key.version).ok_or_else(unknown)?;
        version.material = Material::Destroyed;
        file::write(&self.dir, &stored)?;
        self.load(key.id)?;
        Ok(())
    }
}
