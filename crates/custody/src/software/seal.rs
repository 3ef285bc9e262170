//! The seal of the root key: a machine secret in a file of its own, or a passphrase through argon2id.

use argon2::{Algorithm, Argon2, Params};
use base::Secret;
use base64::{Engine, prelude::BASE64_STANDARD};
use crypto::{AeadKey, Crypto};
use serde::{Deserialize, Serialize};
use std::{
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use super::file::{create_new, io, make_private_dir, replace};
use crate::{
    Error,
    aead::{seal, unseal},
    error::crypto as failed,
};

/// Argon2id for passphrases: 64 MiB and 3 passes, the second recommendation of RFC 9106, with one lane; it runs once at start.
const PASSPHRASE_MEMORY_KIB: u32 = 64 * 1024;
const PASSPHRASE_PASSES: u32 = 3;
const PASSPHRASE_LANES: u32 = 1;
/// Stored parameters above these are refused: an altered file must not exhaust memory or hang the start.
const PASSPHRASE_MEMORY_KIB_MAX: u32 = 1024 * 1024;
const PASSPHRASE_PASSES_MAX: u32 = 16;
/// Shorter passphrases are guessable even through argon2id.
const PASSPHRASE_CHARS_MIN: usize = 12;

const FORMAT: u32 = 1;
const FILE: &str = "seal.json";
const ROOT_ASSOCIATED: &[u8] = b"galen root key v1";
const MACHINE_INFO: &[u8] = b"galen machine seal v1";

/// What the root key of a software token is sealed under.
#[derive(Clone)]
pub enum Seal {
    /// A random secret in a file of mode 600, made at init; keep it on another disk or in another backup than the keys.
    MachineSecret {
        /// The file.
        file: PathBuf,
    },
    /// A passphrase of at least 12 characters, given at each start.
    Passphrase(Secret<String>),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SealFile {
    format: u32,
    method: Method,
    /// Base64 of the nonce and the sealed root key.
    root: String,
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
enum Method {
    MachineSecret { salt: String },
    Passphrase { salt: String, memory_kib: u32, passes: u32, lanes: u32 },
}

impl Seal {
    const fn name(&self) -> &'static str {
        match self {
            Self::MachineSecret { .. } => "machine secret",
            Self::Passphrase(_) => "passphrase",
        }
    }

    pub(super) fn describe(&self) -> String {
        match self {
            Self::MachineSecret { file } => format!("machine secret in {}", file.display()),
            Self::Passphrase(_) => "passphrase (argon2id), kept by the operator".to_owned(),
        }
    }

    pub(super) fn backup(&self, dir: &Path) -> String {
        let seal = match self {
            Self::MachineSecret { file } => format!("{} (keep it apart from the keys)", file.display()),
            Self::Passphrase(_) => "the passphrase (keep it in a safe)".to_owned(),
        };
        format!(
            "copy the folder {} at any moment, and {seal}; without both, nothing that the keys protect can be read again",
            dir.display()
        )
    }
}

pub(super) fn exists(dir: &Path) -> bool {
    dir.join(FILE).exists()
}

/// Draws a root key and writes it sealed.
pub(super) fn create(dir: &Path, by: &Seal, crypto: &Crypto) -> Result<(), Error> {
    let salt = crypto.bytes::<32>();
    let method = match by {
        Seal::MachineSecret { file } => {
            if !file.exists() {
                if let Some(parent) = file.parent().filter(|p| !p.as_os_str().is_empty() && !p.exists()) {
                    make_private_dir(parent)?;
                }
                create_new(file, BASE64_STANDARD.encode(crypto.secret::<32>().expose()).as_bytes())?;
            }
            Method::MachineSecret { salt: BASE64_STANDARD.encode(salt) }
        }
        Seal::Passphrase(text) => {
            let chars = text.expose().chars().count();
            if chars < PASSPHRASE_CHARS_MIN {
                return Err(Error::WeakPassphrase { chars, min: PASSPHRASE_CHARS_MIN });
            }
            Method::Passphrase {
                salt: BASE64_STANDARD.encode(salt),
                memory_kib: PASSPHRASE_MEMORY_KIB,
                passes: PASSPHRASE_PASSES,
                lanes: PASSPHRASE_LANES,
            }
        }
    };
    let sealing = sealing_key(dir, by, &method)?;
    let root = seal(&sealing, crypto, crypto.secret::<32>().expose(), ROOT_ASSOCIATED)?;
    let stored = SealFile { format: FORMAT, method, root: BASE64_STANDARD.encode(root) };
    let file = dir.join(FILE);
    let bytes = serde_json::to_vec_pretty(&stored).map_err(|source| Error::Malformed { file: file.clone(), source })?;
    replace(&file, &bytes)
}

/// Opens the root key.
pub(super) fn open(dir: &Path, by: &Seal) -> Result<AeadKey, Error> {
    let file = dir.join(FILE);
    let bytes = std::fs::read(&file).map_err(io("read", &file))?;
    let stored: SealFile =
        serde_json::from_slice(&bytes).map_err(|source| Error::Malformed { file: file.clone(), source })?;
    if stored.format > FORMAT {
        return Err(Error::NewerFormat { file, found: stored.format, known: FORMAT });
    }
    let sealing = sealing_key(dir, by, &stored.method)?;
    let wrong = || Error::WrongSeal { dir: dir.to_owned(), seal: by.name() };
    let sealed = BASE64_STANDARD.decode(&stored.root).map_err(|_| wrong())?;
    let root = unseal(&sealing, &sealed, ROOT_ASSOCIATED).map_err(|_| wrong())?;
    let root: [u8; 32] = root.expose().as_slice().try_into().map_err(|_| wrong())?;
    AeadKey::new(&Secret::new(root)).map_err(failed)
}

fn sealing_key(dir: &Path, by: &Seal, method: &Method) -> Result<AeadKey, Error> {
    let wrong = || Error::WrongSeal { dir: dir.to_owned(), seal: by.name() };
    let mut key = Secret::new([0_u8; 32]);
    match (by, method) {
        (Seal::MachineSecret { file }, Method::MachineSecret { salt }) => {
            let secret = machine_secret(file)?;
            let salt = BASE64_STANDARD.decode(salt).map_err(|_| wrong())?;
            let mut out = [0; 32];
            crypto::hkdf_sha256(secret.expose(), &salt, &[MACHINE_INFO], &mut out).map_err(failed)?;
            key = Secret::new(out);
        }
        (Seal::Passphrase(text), Method::Passphrase { salt, memory_kib, passes, lanes }) => {
            if *memory_kib > PASSPHRASE_MEMORY_KIB_MAX || *passes > PASSPHRASE_PASSES_MAX {
                return Err(wrong());
            }
            let salt = BASE64_STANDARD.decode(salt).map_err(|_| wrong())?;
            let params = Params::new(*memory_kib, *passes, *lanes, Some(32)).map_err(|_| wrong())?;
            let argon2 = Argon2::new(Algorithm::Argon2id, argon2::Version::V0x13, params);
            let mut out = *key.expose();
            argon2.hash_password_into(text.expose().as_bytes(), &salt, &mut out).map_err(|_| wrong())?;
            key = Secret::new(out);
        }
        (_, Method::MachineSecret { .. }) => {
            return Err(Error::OtherSeal { dir: dir.to_owned(), is: "machine secret", given: by.name() });
        }
        (_, Method::Passphrase { .. }) => {
            return Err(Error::OtherSeal { dir: dir.to_owned(), is: "passphrase", given: by.name() });
        }
    }
    AeadKey::new(&key).map_err(failed)
}

/// Reads the machine secret and refuses a file that others may read.
fn machine_secret(file: &Path) -> Result<Secret<Vec<u8>>, Error> {
    let mode = std::fs::metadata(file).map_err(io("read", file))?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(Error::SealExposed { file: file.to_owned(), mode });
    }
    std::fs::read(file).map(Secret::new).map_err(io("read", file))
}
