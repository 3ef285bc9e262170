//! How the pure code sees the files of a log: names and whole contents.

use std::{collections::BTreeMap, io};

use crate::Error;

/// The files of one log. Names are relative, with `/`, as in [`crate::layout`].
pub trait LogFiles {
    /// The whole content, or `None` when there is no such file.
    ///
    /// # Errors
    /// What the operating system said.
    fn read(&self, name: &str) -> io::Result<Option<Vec<u8>>>;

    /// Every file of the log, in any order.
    ///
    /// # Errors
    /// What the operating system said.
    fn list(&self) -> io::Result<Vec<String>>;
}

/// A log in memory, for tests and for logs received over a wire.
#[derive(Clone, Debug, Default)]
pub struct MemoryFiles(pub BTreeMap<String, Vec<u8>>);

impl LogFiles for MemoryFiles {
    fn read(&self, name: &str) -> io::Result<Option<Vec<u8>>> {
        Ok(self.0.get(name).cloned())
    }
    fn list(&self) -> io::Result<Vec<String>> {
        Ok(self.0.keys().cloned().collect())
    }
}

/// Reads a file that may be absent.
pub(crate) fn read(files: &dyn LogFiles, name: &str) -> Result<Option<Vec<u8>>, Error> {
    files.read(name).map_err(|source| Error::FileUnreadable { name: name.to_owned(), source })
}

/// Reads a file that must be there.
pub(crate) fn need(files: &dyn LogFiles, name: &str) -> Result<Vec<u8>, Error> {
    read(files, name)?.ok_or_else(|| Error::FileMissing { name: name.to_owned() })
}
