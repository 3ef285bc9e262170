//! Reading back: entries by index or from a position on, proofs, and the verification of a log that is in use.

use ledger::{
    BUNDLE_ENTRIES, Bundle, LogFiles, LogKey, TlogProof, VerifiedCheckpoint,
    layout::{self, TileName},
    verify::{Report, Verifier},
};
use std::{io, sync::Arc};

use super::{Error, Journal, disk::Reading, open::failed, state::Shared};

/// How often a read is tried again when the publisher replaced a partial bundle in between. Each replacement makes the
/// next attempt find a newer name, so a few are plenty.
const READ_ATTEMPTS_MAX: usize = 8;

/// A durable entry that was read back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredEntry {
    /// Its index in the log.
    pub index: u64,
    /// Its bytes, as appended.
    pub bytes: Arc<[u8]>,
}

impl Journal {
    /// The entry at `index`; `None` when it is not durable yet.
    ///
    /// # Errors
    /// [`Error::Io`], or [`Error::Log`] when the bundle is damaged.
    pub fn read(&self, index: u64) -> Result<Option<Arc<[u8]>>, Error> {
        Ok(self.read_from(index, 1)?.pop().map(|entry| entry.bytes))
    }

    /// Durable entries from `from` on, in order: at least one if there is one, at most `most`, and
    /// possibly fewer than there are. A reader calls it until it gives nothing, then waits on [`Journal::subscribe`].
    ///
    /// # Errors
    /// As [`Journal::read`].
    pub fn read_from(&self, from: u64, most: usize) -> Result<Vec<StoredEntry>, Error> {
        let mut missing = String::new();
        for _ in 0..READ_ATTEMPTS_MAX {
            let published = {
                let log = self.shared.log();
                if let Some(skip) = from.checked_sub(log.head.size) {
                    let skip = usize::try_from(skip).unwrap_or(usize::MAX);
                    let recent = log.recent.iter().skip(skip).take(most).map(|entry| Arc::clone(&entry.bytes));
                    return Ok((from..).zip(recent).map(|(index, bytes)| StoredEntry { index, bytes }).collect());
                }
                log.head.size
            };
            let number = from / BUNDLE_ENTRIES;
            let Some(width) = layout::width_in(published, number) else { return Ok(Vec::new()) };
            let name = TileName::entries(number, width).path();
            match self.shared.disk.read(&name).map_err(failed("read", &name))? {
                Some(bytes) => return entries_of(&bytes, number, from, most),
                None => missing = name,
            }
        }
        Err(ledger::Error::FileMissing { name: missing }.into())
    }

    /// A proof of the entry at `index` that stands alone.
    ///
    /// # Errors
    /// [`Error::NotPublished`] when no checkpoint covers it yet (call [`Journal::publish`]), else as
    /// [`Journal::read`].
    pub fn prove(&self, index: u64) -> Result<TlogProof, Error> {
        let mut last = Error::NotPublished { index };
        for _ in 0..READ_ATTEMPTS_MAX {
            let (head, checkpoint) = self.checkpoint();
            if index >= head.size {
                return Err(Error::NotPublished { index });
            }
            match ledger::prove_inclusion(&Reading(&*self.shared.disk), &head, index) {
                Ok(hashes) => return Ok(TlogProof { index, hashes, checkpoint, extra: None }),
                Err(error) => last = error.into(),
            }
        }
        Err(last)
    }

    /// Looks whether the log still holds everything that it held when it signed `note`, a checkpoint kept elsewhere.
    ///
    /// # Errors
    /// [`Error::RolledBack`] or [`Error::Replaced`] when it does not; [`Error::Log`] when `note` is no checkpoint of
    /// this log, or when tiles cannot be read.
    pub fn continues(&self, note: &[u8]) -> Result<(), Error> {
        let seen = VerifiedCheckpoint::verify(note, &self.keys())?.head().clone();
        if seen.size == 0 {
            return Ok(());
        }
        let mut last = Error::Replaced { seen: seen.size };
        for _ in 0..READ_ATTEMPTS_MAX {
            let (head, _) = self.checkpoint();
            if head.size < seen.size {
                return Err(Error::RolledBack { size: head.size, seen: seen.size });
            }
            match ledger::prove_consistency(&Reading(&*self.shared.disk), &head, seen.size) {
                Ok(proof) => {
                    return ledger::check_consistency(&seen, &head, &proof)
                        .map_err(|_| Error::Replaced { seen: seen.size });
                }
                Err(error) => last = error.into(),
            }
        }
        Err(last)
    }

    fn keys(&self) -> Vec<LogKey> {
        let mut keys = vec![self.key()];
        keys.extend(self.shared.options.earlier_keys.iter().cloned());
        keys
    }

    /// Replays the whole log while it is in use. `configure` may add witnesses to the verifier.
    ///
    /// # Errors
    /// [`Error::Log`] when files cannot be read, or when `configure` fails.
    pub fn verify(&self, configure: impl FnOnce(Verifier) -> Result<Verifier, ledger::Error>) -> Result<Report, Error> {
        let verifier = configure(Verifier::new(self.keys()))?;
        let _pin = Pin::new(&self.shared);
        Ok(verifier.verify(&LiveFiles(&self.shared))?)
    }
}

/// Keeps the publisher from removing files while the whole log is read.
struct Pin<'a>(&'a Shared);

impl<'a> Pin<'a> {
    fn new(shared: &'a Shared) -> Self {
        shared.log().pins += 1;
        Self(shared)
    }
}

impl Drop for Pin<'_> {
    fn drop(&mut self) {
        self.0.log().pins -= 1;
    }
}

fn entries_of(bytes: &[u8], number: u64, from: u64, most: usize) -> Result<Vec<StoredEntry>, Error> {
    let mut out = Vec::new();
    for (index, entry) in (number * BUNDLE_ENTRIES..).zip(Bundle::new(bytes)) {
        let entry = entry?;
        if index >= from && out.len() < most {
            out.push(StoredEntry { index, bytes: Arc::from(entry) });
        }
    }
    Ok(out)
}

/// The files of a log in use, with zeros for the bytes that the writer is writing right now.
struct LiveFiles<'a>(&'a Shared);

impl LogFiles for LiveFiles<'_> {
    fn read(&self, name: &str) -> io::Result<Option<Vec<u8>>> {
        // The offset first: everything before it is on the disk when the file is read.
        let log = self.0.log();
        let durable = log.wals.back().filter(|first| self.0.options.wal_name(**first) == name).map(|_| log.wal_offset);
        drop(log);
        let mut bytes = self.0.disk.read(name)?;
        if let (Some(bytes), Some(durable)) = (&mut bytes, durable)
            && let Some(writing) = bytes.get_mut(durable..)
        {
            writing.fill(0);
        }
        Ok(bytes)
    }

    fn list(&self) -> io::Result<Vec<String>> {
        self.0.disk.list()
    }
}
