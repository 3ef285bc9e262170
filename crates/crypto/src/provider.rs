//! The provider value: the operating system's randomness behind the library's generator, and the FIPS state.

use aws_lc_rs::rand;
use base::{Entropy, Secret};
use std::{cell::RefCell, sync::Arc};

use crate::{AEAD_KEY_BYTES, AEAD_NONCE_BYTES, AeadKey, Error, KeyAlgorithm, PrivateKey};

/// Randomness of the library's generator, seeded by the operating system; the [`Entropy`] of a production process.
#[derive(Clone, Copy, Default)]
pub struct SystemEntropy;

/// Bytes that a thread draws for ids at once: each call of the generator asks the processor anew and costs as much as a
/// thousand bytes, and a request makes four ids.
const PUBLIC_BYTES: usize = 512;

thread_local! {
    static PUBLIC: RefCell<Public> = const { RefCell::new(Public { ready: [0; PUBLIC_BYTES], left: 0 }) };
}

/// Bytes that are drawn and not given out yet: the first `left` ones.
struct Public {
    ready: [u8; PUBLIC_BYTES],
    left: usize,
}

impl Public {
    /// Fills `out` with bytes that nobody was given before; false when it wants more than a whole stock.
    fn take(&mut self, out: &mut [u8]) -> bool {
        if out.len() > self.left {
            SystemEntropy.fill(&mut self.ready);
            self.left = PUBLIC_BYTES;
        }
        let Some(from) = self.left.checked_sub(out.len()) else { return false };
        let Some(given) = self.ready.get_mut(from..self.left) else { return false };
        out.copy_from_slice(given);
        given.fill(0);
        self.left = from;
        true
    }
}

impl Entropy for SystemEntropy {
    /// Aborts the process when the generator fails: weak bytes would be worse than an outage.
    fn fill(&self, out: &mut [u8]) {
        if rand::fill(out).is_err() {
            std::process::abort();
        }
    }

    fn fill_public(&self, out: &mut [u8]) {
        let taken = PUBLIC.try_with(|stock| stock.try_borrow_mut().is_ok_and(|mut stock| stock.take(out)));
        if !taken.unwrap_or(false) {
            self.fill(out);
        }
    }
}

/// Draws keys and nonces, and says whether the library runs in FIPS mode. Cheap to clone.
#[derive(Clone)]
pub struct Crypto {
    entropy: Arc<dyn Entropy>,
}

impl Default for Crypto {
    fn default() -> Self {
        Self::new(Arc::new(SystemEntropy))
    }
}

impl Crypto {
    /// A provider that draws symmetric keys and nonces from `entropy`. Asymmetric key generation always uses the
    /// library's own generator, which takes no other.
    pub fn new(entropy: Arc<dyn Entropy>) -> Self {
        Self { entropy }
    }

    /// True when the linked library is a FIPS module that passed its self test.
    pub fn fips(&self) -> bool {
        aws_lc_rs::try_fips_mode().is_ok()
    }

    /// `N` unpredictable bytes.
    pub fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut out = [0; N];
        self.entropy.fill(&mut out);
        out
    }

    /// Unpredictable bytes for a key or token of `N` bytes.
    pub fn secret<const N: usize>(&self) -> Secret<[u8; N]> {
        Secret::new(self.bytes())
    }

    /// A fresh AES-256-GCM key together with its bytes, which the caller wraps under a key of custody.
    ///
    /// # Errors
    /// [`Error::Library`] when the library cannot set the key up.
    pub fn generate_aead(&self) -> Result<(Secret<[u8; AEAD_KEY_BYTES]>, AeadKey), Error> {
        let bytes = self.secret::<AEAD_KEY_BYTES>();
        let key = AeadKey::new(&bytes)?;
        Ok((bytes, key))
    }

    /// A random 96-bit nonce. At most 2^32 messages under one key may use random nonces (NIST SP 800-38D, 8.3);
    /// callers with more traffic count instead.
    pub fn nonce(&self) -> [u8; AEAD_NONCE_BYTES] {
        self.bytes()
    }

    /// A fresh private key.
    ///
    /// # Errors
    /// [`Error::Library`] when generation fails.
    pub fn generate(&self, algorithm: KeyAlgorithm) -> Result<PrivateKey, Error> {
        PrivateKey::generate(algorithm)
    }
}
