//! AES-256-GCM (NIST SP 800-38D) with nonces that the caller chooses and never repeats under one key.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use base::Secret;

use crate::Error;

/// Bytes of a key.
pub const AEAD_KEY_BYTES: usize = 32;
/// Bytes of a nonce (96 bits).
pub const AEAD_NONCE_BYTES: usize = 12;
/// Bytes by which sealing makes data longer.
pub const AEAD_TAG_BYTES: usize = 16;

/// A key that seals and opens; wiped when dropped (the library clears what it frees). Deliberately without `Debug`.
pub struct AeadKey(LessSafeKey);

impl AeadKey {
    /// Sets up the key.
    ///
    /// # Errors
    /// [`Error::Library`] when the library cannot set the key up.
    pub fn new(key: &Secret<[u8; AEAD_KEY_BYTES]>) -> Result<Self, Error> {
        let key = UnboundKey::new(&AES_256_GCM, key.expose())
            .map_err(|_| Error::Library { operation: "set up an AES-256-GCM key" })?;
        Ok(Self(LessSafeKey::new(key)))
    }

    /// Encrypts `data` in place and appends the tag. `nonce` must never have been used with this key before.
    ///
    /// # Errors
    /// [`Error::Library`] when the data is longer than the mode allows (64 GiB).
    pub fn seal_in_place(
        &self,
        nonce: [u8; AEAD_NONCE_BYTES],
        associated: &[u8],
        data: &mut Vec<u8>,
    ) -> Result<(), Error> {
        self.0
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(associated), data)
            .map_err(|_| Error::Library { operation: "seal" })
    }

    /// Encrypts `data` in place and returns the tag, for callers that lay out their own frames.
    ///
    /// # Errors
    /// As [`AeadKey::seal_in_place`].
    pub fn seal_detached(
        &self,
        nonce: [u8; AEAD_NONCE_BYTES],
        associated: &[u8],
        data: &mut [u8],
    ) -> Result<[u8; AEAD_TAG_BYTES], Error> {
        let tag = self
            .0
            .seal_in_place_separate_tag(Nonce::assume_unique_for_key(nonce), Aad::from(associated), data)
            .map_err(|_| Error::Library { operation: "seal" })?;
        let mut out = [0; AEAD_TAG_BYTES];
        out.copy_from_slice(tag.as_ref());
        Ok(out)
    }

    /// Opens ciphertext followed by its tag in place; the result is the part of `sealed` that is plain text. On
    /// failure the content of `sealed` is unspecified and must not be used.
    ///
    /// # Errors
    /// [`Error::DoesNotOpen`] when key, nonce, associated data or bytes do not fit together.
    pub fn open_in_place<'a>(
        &self,
        nonce: [u8; AEAD_NONCE_BYTES],
        associated: &[u8],
        sealed: &'a mut [u8],
    ) -> Result<&'a mut [u8], Error> {
        self.0
            .open_in_place(Nonce::assume_unique_for_key(nonce), Aad::from(associated), sealed)
            .map_err(|_| Error::DoesNotOpen)
    }

    /// Opens ciphertext whose tag is kept elsewhere.
    ///
    /// # Errors
    /// As [`AeadKey::open_in_place`].
    pub fn open_detached(
        &self,
        nonce: [u8; AEAD_NONCE_BYTES],
        associated: &[u8],
        data: &mut [u8],
        tag: &[u8; AEAD_TAG_BYTES],
    ) -> Result<(), Error> {
        self.0
            .open_in_place_separate_tag(Nonce::assume_unique_for_key(nonce), Aad::from(associated), tag, data)
            .map(|_| ())
            .map_err(|_| Error::DoesNotOpen)
    }
}
