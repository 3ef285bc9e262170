//! Sealing of small values with a random nonce in front: the one layout that key files, wraps and sealed values share.

use base::Secret;
use crypto::{AEAD_NONCE_BYTES, AEAD_TAG_BYTES, AeadKey, Crypto, Error};

/// Nonce, ciphertext and tag.
pub(crate) fn seal(key: &AeadKey, crypto: &Crypto, plain: &[u8], aad: &[u8]) -> Result<Vec<u8>, crate::Error> {
    let nonce = crypto.nonce();
    let mut body = Vec::with_capacity(plain.len() + AEAD_TAG_BYTES);
    body.extend_from_slice(plain);
    key.seal_in_place(nonce, aad, &mut body).map_err(crate::error::crypto)?;
    let mut out = Vec::with_capacity(nonce.len() + body.len());
    out.extend_from_slice(&nonce);
    out.append(&mut body);
    Ok(out)
}

/// Opens what [`seal`] made.
pub(crate) fn unseal(key: &AeadKey, sealed: &[u8], aad: &[u8]) -> Result<Secret<Vec<u8>>, Error> {
    let (nonce, body) = sealed.split_at_checked(AEAD_NONCE_BYTES).ok_or(Error::DoesNotOpen)?;
    let nonce = nonce.try_into().map_err(|_| Error::DoesNotOpen)?;
    let mut body = body.to_vec();
    let len = key.open_in_place(nonce, aad, &mut body)?.len();
    body.truncate(len);
    Ok(Secret::new(body))
}
