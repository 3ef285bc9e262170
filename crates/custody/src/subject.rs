//! The key of one person (or service): seals their named attributes and the opaque parts of ledger entries, and makes
//! commitments. Destroying the stored key is the erasure: everything sealed under it is noise from then on.

use base::{ClientId, KeyId, PersonId, Secret, ServiceId};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use crypto::{AeadKey, Crypto, HmacKey, Sha256};
use uuid::Uuid;

use crate::{Error, KeyRef, aead, error::crypto as failed};

/// Whose key it is: a person, a service identity, or an OIDC client with its secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Subject(Uuid);

impl Subject {
    /// The UUID inside, as the store keys it.
    pub const fn uuid(self) -> Uuid {
        self.0
    }
    /// What the wrapped key of this subject is bound to.
    pub(crate) fn associated(self) -> Vec<u8> {
        [b"galen subject key v1".as_slice(), self.0.as_bytes()].concat()
    }
}

impl From<PersonId> for Subject {
    fn from(id: PersonId) -> Self {
        Self(id.uuid())
    }
}

impl From<ServiceId> for Subject {
    fn from(id: ServiceId) -> Self {
        Self(id.uuid())
    }
}

impl From<ClientId> for Subject {
    fn from(id: ClientId) -> Self {
        Self(id.uuid())
    }
}

/// The key of one subject, in memory. Deliberately without `Debug`.
pub struct SubjectKey {
    subject: Subject,
    sealing: AeadKey,
    commitment: HmacKey,
    crypto: Crypto,
}

impl SubjectKey {
    pub(crate) fn new(subject: Subject, material: &Secret<[u8; 32]>, crypto: Crypto) -> Result<Self, crypto::Error> {
        let derive = |info: &[u8]| {
            let mut out = [0; 32];
            crypto::hkdf_sha256(material.expose(), subject.0.as_bytes(), &[info], &mut out).map(|()| Secret::new(out))
        };
        let sealing = AeadKey::new(&derive(b"galen subject seal v1")?)?;
        let commitment = HmacKey::new(derive(b"galen subject commitment v1")?.expose());
        Ok(Self { subject, sealing, commitment, crypto })
    }

    /// Whose key it is.
    pub const fn subject(&self) -> Subject {
        self.subject
    }

    /// Seals a named attribute; what comes out opens only for this subject and this name.
    ///
    /// # Errors
    /// [`Error::Crypto`] when the library refuses.
    pub fn seal(&self, name: &str, plain: &[u8]) -> Result<Vec<u8>, Error> {
        aead::seal(&self.sealing, &self.crypto, plain, &self.associated(b'a', name))
    }

    /// Opens a named attribute.
    ///
    /// # Errors
    /// [`Error::Crypto`] when the bytes were altered, or belong to another subject or name.
    pub fn open(&self, name: &str, sealed: &[u8]) -> Result<Secret<Vec<u8>>, Error> {
        aead::unseal(&self.sealing, sealed, &self.associated(b'a', name)).map_err(failed)
    }

    /// Seals an opaque value as text (base64url) for a ledger entry.
    ///
    /// # Errors
    /// As [`SubjectKey::seal`].
    pub fn seal_blob(&self, plain: &[u8]) -> Result<String, Error> {
        let sealed = aead::seal(&self.sealing, &self.crypto, plain, &self.associated(b'b', ""))?;
        Ok(BASE64_URL_SAFE_NO_PAD.encode(sealed))
    }

    /// Opens what [`SubjectKey::seal_blob`] made.
    ///
    /// # Errors
    /// As [`SubjectKey::open`].
    pub fn open_blob(&self, blob: &str) -> Result<Secret<Vec<u8>>, Error> {
        let broken = || failed(crypto::Error::DoesNotOpen);
        let sealed = BASE64_URL_SAFE_NO_PAD.decode(blob).map_err(|_| broken())?;
        aead::unseal(&self.sealing, &sealed, &self.associated(b'b', "")).map_err(failed)
    }

    /// A commitment to a value, salted by this key: it can be checked while the subject exists, and says nothing after
    /// the erasure, not even to somebody who guesses the value.
    pub fn commit(&self, name: &str, value: &[u8]) -> [u8; 32] {
        self.commitment.sign_parts(&[name.as_bytes(), &[0], value])
    }

    fn associated(&self, kind: u8, name: &str) -> Vec<u8> {
        [b"galen sealed v1".as_slice(), &[kind], self.subject.0.as_bytes(), name.as_bytes()].concat()
    }
}

/// Bytes of a key reference in front of a stored wrapped key.
const REFERENCE_BYTES: usize = 20;

/// The stored form of a subject's key: which key wrapped it, then the wrapped bytes.
pub(crate) fn stored_key(by: &KeyRef, wrapped: &[u8]) -> Vec<u8> {
    [by.id.bytes().as_slice(), &by.version.to_be_bytes(), wrapped].concat()
}

pub(crate) fn split_stored_key(stored: &[u8]) -> Option<(KeyRef, &[u8])> {
    let (reference, wrapped) = stored.split_at_checked(REFERENCE_BYTES)?;
    let (id, version) = reference.split_at_checked(16)?;
    let id = KeyId::from_uuid(Uuid::from_slice(id).ok()?);
    Some((KeyRef { id, version: u32::from_be_bytes(version.try_into().ok()?) }, wrapped))
}

/// The slot of an opened key in memory: changes whenever the stored bytes do.
pub(crate) fn slot(subject: Subject, stored: &[u8]) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(subject.0.as_bytes());
    hash.update(stored);
    hash.finish().0
}
