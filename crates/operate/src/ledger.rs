//! `galen ledger verify` and `galen ledger prove`, on the installation's folder or on a copy of it.
//!
//! It must not know the journal that writes: it reads files as anybody could, so that the check does not trust the
//! writer.

use ::ledger::layout;
use ::ledger::verify::{Report, Verifier};
use ::ledger::{LogFiles, LogKey, TlogProof};
use std::path::{Path, PathBuf};
use std::{fs, io};

use crate::Error;

#[cfg(test)]
mod tests;

/// Most files of one log that are listed: 2^24 bundles are four thousand million entries.
const FILES_MAX: usize = 1 << 24;

/// A log's folder, read only.
pub struct Folder(PathBuf);

impl Folder {
    /// The log in `dir`.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self(dir.into())
    }

    fn walk(&self, below: &str, names: &mut Vec<String>) -> io::Result<()> {
        for entry in fs::read_dir(self.0.join(below))? {
            let entry = entry?;
            let name = entry.file_name();
            let name =
                name.to_str().ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "a name is not UTF-8"))?;
            let name = if below.is_empty() { name.to_owned() } else { format!("{below}/{name}") };
            if entry.file_type()?.is_dir() {
                self.walk(&name, names)?;
            } else {
                names.push(name);
            }
            if names.len() > FILES_MAX {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "too many files for one log"));
            }
        }
        Ok(())
    }
}

impl LogFiles for Folder {
    fn read(&self, name: &str) -> io::Result<Option<Vec<u8>>> {
        match fs::read(self.0.join(name)) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn list(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        self.walk("", &mut names)?;
        names.sort_unstable();
        Ok(names)
    }
}

/// The keys that a log is checked with: the trusted ones, or the one in the folder, which proves consistency but not
/// who wrote it.
#[derive(Clone, Debug)]
pub enum Trust {
    /// Keys that came from elsewhere.
    Keys(Vec<LogKey>),
    /// The folder's own key file.
    Folder,
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
    verifier.verify(&Folder::new(dir)).map_err(failed)
}

/// A proof that entry `index` is in the log, for tools that know nothing of Galen (c2sp.org/tlog-proof).
///
/// # Errors
/// [`Error::Ledger`] for an index outside the log, or a log that does not verify.
pub fn prove(dir: &Path, trust: &Trust, index: u64) -> Result<Vec<u8>, Error> {
    let failed = |source| Error::Ledger { dir: dir.to_owned(), source: Box::new(source) };
    let proof = TlogProof::prove(&Folder::new(dir), &keys(dir, trust)?, index).map_err(failed)?;
    Ok(proof.encode())
}
