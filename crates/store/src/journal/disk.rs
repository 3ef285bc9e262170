//! The few file operations that the journal needs, as a port: the real ones, and room for tests that let each of them
//! fail.

use ledger::{LogFiles, layout};
use std::{
    collections::BTreeSet,
    fs::{self, File, TryLockError},
    io,
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::Error;

/// Files by relative name inside one folder. No operation is durable before [`Disk::sync`] unless it says so.
pub trait Disk: Send + Sync + 'static {
    /// The whole content, or `None` when there is no such file.
    ///
    /// # Errors
    /// What the operating system said; so for every operation here.
    fn read(&self, name: &str) -> io::Result<Option<Vec<u8>>>;
    /// Every file, in any order.
    ///
    /// # Errors
    /// As [`Disk::read`].
    fn list(&self) -> io::Result<Vec<String>>;
    /// Makes or replaces a file.
    ///
    /// # Errors
    /// As [`Disk::read`].
    fn write(&self, name: &str, bytes: &[u8]) -> io::Result<()>;
    /// Makes these files, and their names, durable.
    ///
    /// # Errors
    /// As [`Disk::read`].
    fn sync(&self, names: &[&str]) -> io::Result<()>;
    /// Gives a durable file another name, atomically and durably; replaces what had that name.
    ///
    /// # Errors
    /// As [`Disk::read`].
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;
    /// Removes a file; it is no error when there is none.
    ///
    /// # Errors
    /// As [`Disk::read`].
    fn remove(&self, name: &str) -> io::Result<()>;
    /// Makes a durable file of `bytes` zeros and opens it for writing in place. A crash may leave it short: it gets a name that
    /// tells its size when it is whole.
    ///
    /// # Errors
    /// As [`Disk::read`].
    fn create_wal(&self, name: &str, bytes: usize) -> io::Result<Box<dyn WriteAhead>>;
    /// Free bytes.
    ///
    /// # Errors
    /// As [`Disk::read`].
    fn available(&self) -> io::Result<u64>;
}

/// A write-ahead file that is open for writing. It stays valid when the file is renamed.
pub trait WriteAhead: Send {
    /// Writes inside the file's zeros.
    ///
    /// # Errors
    /// What the operating system said.
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()>;
    /// Makes what was written durable.
    ///
    /// # Errors
    /// What the operating system said.
    fn sync(&mut self) -> io::Result<()>;
}

/// A folder of the file system, locked for this process.
pub struct RealDisk {
    root: PathBuf,
    _lock: File,
}

impl RealDisk {
    /// Opens, or makes, the folder and locks it.
    ///
    /// # Errors
    /// [`Error::InUse`] when another process holds it, else [`Error::Io`].
    pub fn open(root: &Path) -> Result<Self, Error> {
        let failed = |source: io::Error| Error::io("open", layout::LOCK, Arc::new(source));
        fs::create_dir_all(root).map_err(failed)?;
        let lock =
            File::options().create(true).truncate(false).write(true).open(root.join(layout::LOCK)).map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { root: root.to_owned(), _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(Error::InUse { folder: root.display().to_string() }),
            Err(TryLockError::Error(source)) => Err(failed(source)),
        }
    }

    fn sync_folders(&self, names: &[&str]) -> io::Result<()> {
        let folders: BTreeSet<PathBuf> = names
            .iter()
            .flat_map(|name| Path::new(name).ancestors().skip(1).map(|folder| self.root.join(folder)))
            .collect();
        folders.iter().rev().try_for_each(|folder| File::open(folder)?.sync_all())
    }

    fn make_folder_of(&self, name: &str) -> io::Result<PathBuf> {
        let path = self.root.join(name);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        Ok(path)
    }
}

impl Disk for RealDisk {
    fn read(&self, name: &str) -> io::Result<Option<Vec<u8>>> {
        DiskFiles::new(&self.root).read(name)
    }

    fn list(&self) -> io::Result<Vec<String>> {
        DiskFiles::new(&self.root).list()
    }

    fn write(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        fs::write(self.make_folder_of(name)?, bytes)
    }

    fn sync(&self, names: &[&str]) -> io::Result<()> {
        names.iter().try_for_each(|name| File::open(self.root.join(name))?.sync_all())?;
        self.sync_folders(names)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let target = self.make_folder_of(to)?;
        fs::rename(self.root.join(from), target)?;
        self.sync_folders(&[from, to])
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        match fs::remove_file(self.root.join(name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    fn create_wal(&self, name: &str, bytes: usize) -> io::Result<Box<dyn WriteAhead>> {
        let path = self.make_folder_of(name)?;
        let file = File::options().create(true).truncate(true).read(true).write(true).open(path)?;
        // Zeros are written, not left as a hole: overwriting them later changes no metadata, so one fdatasync is one
        // write of the disk.
        let zeros = vec![0; bytes.min(1 << 20)];
        let mut at = 0;
        while at < bytes {
            let piece = zeros.get(..zeros.len().min(bytes - at)).unwrap_or_default();
            file.write_all_at(piece, at as u64)?;
            at += piece.len();
        }
        file.sync_all()?;
        self.sync_folders(&[name])?;
        Ok(Box::new(RealWal(file)))
    }

    fn available(&self) -> io::Result<u64> {
        let stat = rustix::fs::statvfs(&self.root)?;
        Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
    }
}

struct RealWal(File);

impl WriteAhead for RealWal {
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all_at(bytes, offset)
    }
    fn sync(&mut self) -> io::Result<()> {
        self.0.sync_data()
    }
}

/// The files of a log folder for reading only: for verification offline, without a lock.
#[derive(Clone, Debug)]
pub struct DiskFiles {
    root: PathBuf,
}

impl DiskFiles {
    /// The log in this folder.
    pub fn new(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    fn walk(&self, folder: &Path, out: &mut Vec<String>) -> io::Result<()> {
        let entries = match fs::read_dir(folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            entries => entries?,
        };
        for entry in entries {
            let entry = entry?;
            let path = entry.path();
            let kind = match entry.file_type() {
                // Removed meanwhile, by the writer of a log in use.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                kind => kind?,
            };
            if kind.is_dir() {
                self.walk(&path, out)?;
            } else if let Ok(name) = path.strip_prefix(&self.root) {
                out.push(name.to_string_lossy().into_owned());
            }
        }
        Ok(())
    }
}

impl LogFiles for DiskFiles {
    fn read(&self, name: &str) -> io::Result<Option<Vec<u8>>> {
        match fs::read(self.root.join(name)) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn list(&self) -> io::Result<Vec<String>> {
        let mut out = Vec::new();
        self.walk(&self.root, &mut out)?;
        Ok(out)
    }
}

/// Lets the pure code read through the port.
pub(super) struct Reading<'a>(pub(super) &'a dyn Disk);

impl LogFiles for Reading<'_> {
    fn read(&self, name: &str) -> io::Result<Option<Vec<u8>>> {
        self.0.read(name)
    }
    fn list(&self) -> io::Result<Vec<String>> {
        self.0.list()
    }
}
