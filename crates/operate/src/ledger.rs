//! `galen ledger verify` and `galen ledger prove`, on the installation's folder or on a copy of it.
//!
//! It must not know the journal that writes: it reads files as anybody could, so that the check does not trust the
//! writer.

use ::ledger::layout;
use ::ledger::verify::{Report, Verifier};
use ::ledger::{LogKey, TlogProof};
use std::fs;
use std::path::{Path, PathBuf};
use store::journal::DiskFiles;

use crate::Error;

#[cfg(test)]
mod tests;

/// The keys that a log is checked with: the trusted ones, or the one in the folder, which proves consistency but not
/// who wrote it.
#[derive(Clone, Debug)]
pub enum Trust {
    /// Keys that came from elsewhere.
    Keys(Vec<LogKey>),
    /// The folder's own key file.
    Folder,
}

/// The ledger's folder in a copy, which may be one of a whole data folder or of a whole demonstration.
pub fn folder_in(copy: &Path) -> PathBuf {
    let inside = [copy.join("ledger"), copy.join("installation/ledger")];
    let found = inside.into_iter().find(|dir| dir.join(layout::LOG_KEY).exists());
    found.filter(|_| !copy.join(layout::LOG_KEY).exists()).unwrap_or_else(|| copy.to_owned())
}

fn keys(dir: &Path, trust: &Trust) -> Result<Vec<LogKey>, Error> {
    if let Trust::Keys(keys) = trust {
        return Ok(keys.clone());
    }
    let path = dir.join(layout::LOG_KEY);
    let none = || Error::NoLogKey { dir: dir.to_owned() };
    let text = fs::read_to_string(&path).map_err(|_| none())?;
    let keys: Result<Vec<LogKey>, _> = text.lines().filter(|line| !line.is_empty()).map(str::parse).collect();
    keys.ok().filter(|keys| !keys.is_empty()).ok_or_else(none)
}

/// Recomputes the whole log and compares every byte; with a witness, also that nothing was rolled back.
///
/// # Errors
/// [`Error`] when the files cannot be read or the witness is not a checkpoint of this log. What is wrong with the log
/// is in the report.
pub fn verify(dir: &Path, trust: &Trust, witness: Option<&[u8]>) -> Result<Report, Error> {
    let failed = |source| Error::Ledger { dir: dir.to_owned(), source: Box::new(source) };
    let mut verifier = Verifier::new(keys(dir, trust)?);
    if let Some(witness) = witness {
        verifier = verifier.with_witness(witness).map_err(failed)?;
    }
    verifier.verify(&DiskFiles::new(dir)).map_err(failed)
}

/// A proof that entry `index` is in the log, for tools that know nothing of Galen (c2sp.org/tlog-proof).
///
/// # Errors
/// [`Error::Ledger`] for an index outside the log, or a log that does not verify.
pub fn prove(dir: &Path, trust: &Trust, index: u64) -> Result<Vec<u8>, Error> {
    let failed = |source| Error::Ledger { dir: dir.to_owned(), source: Box::new(source) };
    let proof = TlogProof::prove(&DiskFiles::new(dir), &keys(dir, trust)?, index).map_err(failed)?;
    Ok(proof.encode())
}
