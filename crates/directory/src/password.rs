//! Passwords: argon2id with a bound on how many are computed at once, and the same work for users who do not exist.

use argon2::{Algorithm, Argon2, Params, Version};
use base::Secret;
use base64::{Engine, prelude::BASE64_STANDARD_NO_PAD};
use crypto::Crypto;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::Semaphore;

use crate::Error;

/// Fewest characters of a password (NIST SP 800-63B rev. 4, single factor: 15; with lockout and argon2id here 12).
pub const PASSWORD_CHARS_MIN: usize = 12;
/// Most characters: long enough for any phrase, short enough to hash at once.
pub const PASSWORD_CHARS_MAX: usize = 256;

/// 19 MiB, 2 passes, 1 lane: OWASP's first recommendation for argon2id; about 20 ms on one core.
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;
/// Stored parameters above these are refused: a damaged row must not exhaust the machine.
const MEMORY_KIB_MAX: u32 = 256 * 1024;
const PASSES_MAX: u32 = 16;
/// Hashes computed at once: two keep a small machine responsive and use 38 MiB.
const HASHES_AT_ONCE: usize = 2;
/// Sign-ins that wait for their turn; more are refused, so that a flood does not become a queue of minutes.
const WAITING_MAX: usize = 64;

/// Who chose a password.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Chosen {
    /// Whose it is: it signs in.
    ByThemself,
    /// Somebody else, who knows it: it does nothing but set an own one.
    ByAnother,
}

/// A hash as it is sealed.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    algorithm: String,
    memory_kib: u32,
    passes: u32,
    lanes: u32,
    salt: String,
    hash: String,
    /// Somebody else chose it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    first: bool,
}

/// Hashes and checks passwords, a few at a time.
pub(crate) struct Passwords {
    crypto: Crypto,
    turns: Arc<Semaphore>,
    waiting: AtomicUsize,
}

struct Waiting<'a>(&'a AtomicUsize);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Checks the length rule; there are no rules of composition (NIST SP 800-63B, 3.1.1.2).
pub(crate) fn check(password: &Secret<String>) -> Result<(), Error> {
    let chars = password.expose().chars().count();
    if (PASSWORD_CHARS_MIN..=PASSWORD_CHARS_MAX).contains(&chars) {
        Ok(())
    } else {
        Err(Error::BadPassword { chars, min: PASSWORD_CHARS_MIN, max: PASSWORD_CHARS_MAX })
    }
}

impl Passwords {
    pub(crate) fn new(crypto: Crypto) -> Self {
        Self { crypto, turns: Arc::new(Semaphore::new(HASHES_AT_ONCE)), waiting: AtomicUsize::new(0) }
    }

    /// The hash of a new password, to be sealed.
    pub(crate) async fn hash(&self, password: &Secret<String>, chosen: Chosen) -> Result<Secret<Vec<u8>>, Error> {
        check(password)?;
        let salt = self.crypto.bytes::<16>();
        let hash = self.compute(password.clone(), salt.to_vec(), (MEMORY_KIB, PASSES, LANES)).await?;
        let encode = |bytes: &[u8]| BASE64_STANDARD_NO_PAD.encode(bytes);
        let stored = Stored {
            algorithm: "argon2id".to_owned(),
            memory_kib: MEMORY_KIB,
            passes: PASSES,
            lanes: LANES,
            salt: encode(&salt),
            hash: encode(hash.expose()),
            first: chosen == Chosen::ByAnother,
        };
        serde_json::to_vec(&stored).map(Secret::new).map_err(|_| Error::Hashing)
    }

    /// Who chose `password`, if it is the one behind `stored`. Without `stored` it is not, after the same work.
    pub(crate) async fn verify(
        &self,
        password: &Secret<String>,
        stored: Option<&Secret<Vec<u8>>>,
    ) -> Result<Option<Chosen>, Error> {
        let damaged = || Error::Damaged { what: "password hash" };
        let Some(stored) = stored else {
            self.compute(password.clone(), vec![0; 16], (MEMORY_KIB, PASSES, LANES)).await?;
            return Ok(None);
        };
        let stored: Stored = serde_json::from_slice(stored.expose()).map_err(|_| damaged())?;
        let sane = stored.memory_kib <= MEMORY_KIB_MAX && stored.passes <= PASSES_MAX && stored.algorithm == "argon2id";
        let salt = BASE64_STANDARD_NO_PAD.decode(&stored.salt).map_err(|_| damaged())?;
        let hash = BASE64_STANDARD_NO_PAD.decode(&stored.hash).map_err(|_| damaged())?;
        if !sane {
            return Err(damaged());
        }
        let computed = self.compute(password.clone(), salt, (stored.memory_kib, stored.passes, stored.lanes)).await?;
        let chosen = if stored.first { Chosen::ByAnother } else { Chosen::ByThemself };
        Ok(crypto::constant_time_eq(computed.expose(), &hash).then_some(chosen))
    }

    async fn compute(
        &self,
        password: Secret<String>,
        salt: Vec<u8>,
        (memory, passes, lanes): (u32, u32, u32),
    ) -> Result<Secret<[u8; 32]>, Error> {
        let waiting = Waiting(&self.waiting);
        if self.waiting.fetch_add(1, Ordering::Relaxed) >= WAITING_MAX {
            return Err(Error::Busy);
        }
        let turn = Arc::clone(&self.turns).acquire_owned().await.map_err(|_| Error::Busy)?;
        drop(waiting);
        let params = Params::new(memory, passes, lanes, Some(32)).map_err(|_| Error::Hashing)?;
        let work = tokio::task::spawn_blocking(move || {
            let mut out = [0; 32];
            let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
            let done = argon2.hash_password_into(password.expose().as_bytes(), &salt, &mut out);
            drop(turn);
            done.map(|()| Secret::new(out))
        });
        work.await.map_err(|_| Error::Hashing)?.map_err(|_| Error::Hashing)
    }
}
