//! Message authentication, key derivation and comparison that takes the same time whatever it compares.

use aws_lc_rs::{hkdf, hmac};

use crate::Error;

/// The most bytes one HKDF-SHA256 expansion gives (RFC 5869, section 2.3: 255 blocks).
pub const HKDF_OUTPUT_BYTES_MAX: usize = 255 * 32;

/// A key for HMAC-SHA256, set up once and used often.
#[derive(Clone)]
pub struct HmacKey(hmac::Key);

impl HmacKey {
    /// Takes key material of any length (32 bytes or more are advised).
    pub fn new(key: &[u8]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, key))
    }

    /// HMAC-SHA256 (RFC 2104) of `data`.
    pub fn sign(&self, data: &[u8]) -> [u8; 32] {
        tag(&hmac::sign(&self.0, data))
    }

    /// HMAC-SHA256 of the concatenation of `parts`. The parts carry no lengths: the caller makes them unambiguous.
    pub fn sign_parts(&self, parts: &[&[u8]]) -> [u8; 32] {
        let mut context = hmac::Context::with_key(&self.0);
        for part in parts {
            context.update(part);
        }
        tag(&context.sign())
    }

    /// Compares in constant time.
    ///
    /// # Errors
    /// [`Error::DoesNotVerify`] when `code` is not the code of `data`.
    pub fn verify(&self, data: &[u8], code: &[u8]) -> Result<(), Error> {
        hmac::verify(&self.0, data, code).map_err(|_| Error::DoesNotVerify)
    }
}

fn tag(tag: &hmac::Tag) -> [u8; 32] {
    let mut out = [0; 32];
    out.copy_from_slice(tag.as_ref());
    out
}

/// HMAC-SHA256 (RFC 2104) of `data` under `key`.
pub fn hmac_sha256(key: &[u8], data: &[u8]) -> [u8; 32] {
    HmacKey::new(key).sign(data)
}

/// Checks an HMAC-SHA256 in constant time.
///
/// # Errors
/// [`Error::DoesNotVerify`] when `code` is not the code of `data`.
pub fn verify_hmac_sha256(key: &[u8], data: &[u8], code: &[u8]) -> Result<(), Error> {
    HmacKey::new(key).verify(data, code)
}

/// Compares without telling by its duration where two values differ; values of different length are unequal.
pub fn constant_time_eq(left: &[u8], right: &[u8]) -> bool {
    aws_lc_rs::constant_time::verify_slices_are_equal(left, right).is_ok()
}

struct OutputLen(usize);

impl hkdf::KeyType for OutputLen {
    fn len(&self) -> usize {
        self.0
    }
}

/// HKDF-SHA256 (RFC 5869): derives `out.len()` bytes from `secret`. The `info` parts are concatenated; the caller
/// makes them unambiguous.
///
/// # Errors
/// [`Error::TooMuchOutput`] beyond [`HKDF_OUTPUT_BYTES_MAX`].
pub fn hkdf_sha256(secret: &[u8], salt: &[u8], info: &[&[u8]], out: &mut [u8]) -> Result<(), Error> {
    let asked = out.len();
    let too_much = || Error::TooMuchOutput { asked, most: HKDF_OUTPUT_BYTES_MAX };
    if asked > HKDF_OUTPUT_BYTES_MAX {
        return Err(too_much());
    }
    let prk = hkdf::Salt::new(hkdf::HKDF_SHA256, salt).extract(secret);
    let okm = prk.expand(info, OutputLen(asked)).map_err(|_| too_much())?;
    okm.fill(out).map_err(|_| Error::Library { operation: "derive a key" })
}
