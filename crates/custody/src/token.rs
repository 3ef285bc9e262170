//! The port to a token: a device, or its stand-in, that holds keys and works with them without giving them away.

use base::{BadName, KeyId, Secret};
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

use crate::Error;

/// A key and the version of it that did the work; stored beside whatever it signed or wrapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct KeyRef {
    /// The key; stays the same over rotations.
    pub id: KeyId,
    /// Counts from 1; rotation adds the next.
    pub version: u32,
}

impl fmt::Display for KeyRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.id, self.version)
    }
}

impl FromStr for KeyRef {
    type Err = BadName;
    fn from_str(text: &str) -> Result<Self, BadName> {
        let bad = || BadName::new("a key reference", text, "KEY-ID.VERSION");
        let (id, version) = text.split_once('.').ok_or_else(bad)?;
        let sound = !version.is_empty() && !version.starts_with('0') && version.bytes().all(|b| b.is_ascii_digit());
        if !sound {
            return Err(bad());
        }
        Ok(Self { id: id.parse().map_err(|_| bad())?, version: version.parse().map_err(|_| bad())? })
    }
}

impl TryFrom<String> for KeyRef {
    type Error = BadName;
    fn try_from(text: String) -> Result<Self, BadName> {
        text.parse()
    }
}

impl From<KeyRef> for String {
    fn from(key: KeyRef) -> Self {
        key.to_string()
    }
}

/// What a key is for. One key never serves two purposes; the purpose fixes the algorithm and what the key can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Purpose {
    /// Signs ledger checkpoints (Ed25519).
    LedgerSign,
    /// Signs receipts of revocations (Ed25519).
    ReceiptSign,
    /// Signs ID and access tokens, RS256 (RSA-2048).
    OidcSign,
    /// Signs ID tokens for clients that registered for ES256 (P-256).
    OidcSignEs,
    /// Derives the key from which session secrets are derived (HMAC-SHA256).
    Edge,
    /// Derives the keys that seal session tokens (HMAC-SHA256).
    SessionSeal,
    /// Derives keyed hashes of user names and source identities (HMAC-SHA256).
    DirectoryIndex,
    /// Wraps the data keys of one dataset's objects (AES-256-GCM); the label is the dataset.
    DatasetWrap,
    /// Wraps the keys of people's sealed attributes (AES-256-GCM).
    SubjectWrap,
}

/// What a key of some purpose can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// Sign with this algorithm and give the public key.
    Sign(crypto::KeyAlgorithm),
    /// Compute an HMAC-SHA256.
    Mac,
    /// Wrap and unwrap.
    Wrap,
}

impl Purpose {
    /// Every purpose.
    pub const ALL: [Self; 9] = [
        Self::LedgerSign,
        Self::ReceiptSign,
        Self::OidcSign,
        Self::OidcSignEs,
        Self::Edge,
        Self::SessionSeal,
        Self::DirectoryIndex,
        Self::DatasetWrap,
        Self::SubjectWrap,
    ];

    /// The name in files and messages.
    pub const fn name(self) -> &'static str {
        match self {
            Self::LedgerSign => "ledger-sign",
            Self::ReceiptSign => "receipt-sign",
            Self::OidcSign => "oidc-sign",
            Self::OidcSignEs => "oidc-sign-es",
            Self::Edge => "edge",
            Self::SessionSeal => "session-seal",
            Self::DirectoryIndex => "directory-index",
            Self::DatasetWrap => "dataset-wrap",
            Self::SubjectWrap => "subject-wrap",
        }
    }

    /// What keys of this purpose can do, and nothing else.
    pub const fn usage(self) -> Use {
        match self {
            Self::LedgerSign | Self::ReceiptSign => Use::Sign(crypto::KeyAlgorithm::Ed25519),
            Self::OidcSign => Use::Sign(crypto::KeyAlgorithm::Rsa2048),
            Self::OidcSignEs => Use::Sign(crypto::KeyAlgorithm::P256),
            Self::Edge | Self::SessionSeal | Self::DirectoryIndex => Use::Mac,
            Self::DatasetWrap | Self::SubjectWrap => Use::Wrap,
        }
    }
}

/// What a token says of itself, for `galen doctor` and the start-up log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TokenInfo {
    /// A name a person recognises.
    pub name: String,
    /// True when keys live in this process's memory: not a hardware boundary, and said so loudly.
    pub software: bool,
    /// True when the cryptographic module behind it runs in FIPS mode.
    pub fips: bool,
    /// Where the keys are.
    pub keys: String,
    /// What protects them, and where that is.
    pub seal: String,
    /// What to back up, how, and what is lost without it.
    pub backup: String,
}

/// Longest key label, in bytes: a UUID or an ARN-like name fits, and file and device attribute limits are not met.
pub(crate) const LABEL_LEN_MAX: usize = 128;

/// A holder of keys. Calls block and may take milliseconds on a device; none needs the network of Galen.
///
/// Contract: a key made for one purpose refuses every operation of another ([`Error::WrongPurpose`]); rotation keeps
/// earlier versions usable until they are destroyed; a destroyed version never works again.
pub trait Token: Send + Sync + 'static {
    /// What this token is.
    fn describe(&self) -> TokenInfo;

    /// Makes the first version of a key. Two keys may carry one purpose and label only if callers race; [`Token::find`]
    /// then gives the older one to everybody.
    ///
    /// # Errors
    /// [`Error::BadLabel`]; [`Error::Io`] when the key cannot be kept.
    fn generate(&self, purpose: Purpose, label: &str) -> Result<KeyRef, Error>;

    /// Adds a version, which becomes the newest.
    ///
    /// # Errors
    /// [`Error::UnknownKey`]; [`Error::Io`] when the key cannot be kept.
    fn rotate(&self, id: KeyId) -> Result<KeyRef, Error>;

    /// The newest usable version of the key with this purpose and label.
    ///
    /// # Errors
    /// [`Error::Tampered`] and the like when the key exists and cannot be read.
    fn find(&self, purpose: Purpose, label: &str) -> Result<Option<KeyRef>, Error>;

    /// The usable versions of a key, oldest first.
    ///
    /// # Errors
    /// [`Error::UnknownKey`].
    fn versions(&self, id: KeyId) -> Result<Vec<KeyRef>, Error>;

    /// The public half of a signing key.
    ///
    /// # Errors
    /// [`Error::UnknownKey`], [`Error::Destroyed`], [`Error::WrongPurpose`].
    fn public_key(&self, key: &KeyRef) -> Result<crypto::PublicKey, Error>;

    /// Signs a message (hashed inside) in the JOSE form of the purpose's algorithm.
    ///
    /// # Errors
    /// As [`Token::public_key`].
    fn sign(&self, key: &KeyRef, message: &[u8]) -> Result<Vec<u8>, Error>;

    /// HMAC-SHA256 of a message.
    ///
    /// # Errors
    /// As [`Token::public_key`].
    fn mac(&self, key: &KeyRef, message: &[u8]) -> Result<[u8; 32], Error>;

    /// Encrypts key material or another small secret, bound to `aad`.
    ///
    /// # Errors
    /// As [`Token::public_key`].
    fn wrap(&self, key: &KeyRef, plain: &[u8], aad: &[u8]) -> Result<Vec<u8>, Error>;

    /// Opens what [`Token::wrap`] made under the same key version and `aad`.
    ///
    /// # Errors
    /// As [`Token::public_key`]; [`Error::DoesNotUnwrap`] when the bytes were altered or belong elsewhere.
    fn unwrap(&self, key: &KeyRef, wrapped: &[u8], aad: &[u8]) -> Result<Secret<Vec<u8>>, Error>;

    /// Destroys one version for good. What it protected cannot be read again.
    ///
    /// # Errors
    /// [`Error::UnknownKey`]; [`Error::Io`] when the destruction cannot be made durable.
    fn destroy(&self, key: &KeyRef) -> Result<(), Error>;
}
