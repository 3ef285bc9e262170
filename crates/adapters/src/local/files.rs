//! The few operations on files that the local backend needs, as a port, so that a test can make each of them fail.
//!
//! All calls block.

use std::{
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::FileExt,
    path::Path,
    sync::Arc,
};

#[cfg(target_os = "linux")]
use governance::ports::PAGE;

/// An entry of a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its name.
    pub name: String,
    /// Its bytes.
    pub len: u64,
}

/// A file system.
pub trait Files: Send + Sync + 'static {
    /// Makes a folder and those above it; an existing one is success.
    ///
    /// # Errors
    /// What the system says.
    fn create_dirs(&self, dir: &Path) -> io::Result<()>;
    /// Makes a file that must not exist, for reading and writing.
    ///
    /// # Errors
    /// What the system says.
    fn create(&self, path: &Path) -> io::Result<Arc<dyn Handle>>;
    /// Opens an existing file, for reading and writing.
    ///
    /// # Errors
    /// What the system says.
    fn open(&self, path: &Path) -> io::Result<Arc<dyn Handle>>;
    /// Renames within the file system.
    ///
    /// # Errors
    /// What the system says.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Removes a file.
    ///
    /// # Errors
    /// What the system says.
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// Makes the names in a folder durable.
    ///
    /// # Errors
    /// What the system says.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;
    /// The files of a folder, in any order.
    ///
    /// # Errors
    /// What the system says.
    fn list(&self, dir: &Path) -> io::Result<Vec<Listed>>;
}

/// An open file.
pub trait Handle: Send + Sync + 'static {
    /// Writes all bytes at the offset.
    ///
    /// # Errors
    /// What the system says; any part may have been written.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;
    /// As [`Handle::write_at`], without a copy in memory where bytes and offset are whole pages and the file system can. The
    /// handle is then for writing alone.
    ///
    /// # Errors
    /// As [`Handle::write_at`].
    fn write_past_memory(&self, bytes: &[u8], offset: u64) -> io::Result<()>;
    /// Fills the buffer from the offset.
    ///
    /// # Errors
    /// `UnexpectedEof` when the file ends before.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()>;
    /// Fills the buffer if that needs no wait for a device; false if it would, or if that cannot be told.
    fn read_cached(&self, buffer: &mut [u8], offset: u64) -> bool;
    /// Lets the device begin to write what lies before `end`, without waiting for it, and lets memory go of what is
    /// written. A hint: it promises nothing and cannot fail.
    fn let_go(&self, end: u64);
    /// Makes the content and length durable.
    ///
    /// # Errors
    /// What the system says; then nothing is known of what was written since the last success.
    fn sync(&self) -> io::Result<()>;
    /// Gives the space of a range back; it then reads as zeros. The length stays.
    ///
    /// # Errors
    /// What the system says; `Unsupported` on file systems without holes.
    fn punch(&self, offset: u64, len: u64) -> io::Result<()>;
    /// Bytes of the file.
    ///
    /// # Errors
    /// What the system says.
    fn size(&self) -> io::Result<u64>;
}

/// The operating system's files.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemFiles;

impl Files for SystemFiles {
    fn create_dirs(&self, dir: &Path) -> io::Result<()> {
        fs::create_dir_all(dir)
    }
    fn create(&self, path: &Path) -> io::Result<Arc<dyn Handle>> {
        let file = OpenOptions::new().read(true).write(true).create_new(true).open(path)?;
        Ok(Arc::new(SystemHandle(file)))
    }
    fn open(&self, path: &Path) -> io::Result<Arc<dyn Handle>> {
        Ok(Arc::new(SystemHandle(OpenOptions::new().read(true).write(true).open(path)?)))
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }
    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        File::open(dir)?.sync_all()
    }
    fn list(&self, dir: &Path) -> io::Result<Vec<Listed>> {
        let mut out = Vec::new();
        for entry in fs::read_dir(dir)? {
            let entry = entry?;
            match entry.metadata() {
                Ok(meta) if meta.is_file() => {
                    out.push(Listed { name: entry.file_name().to_string_lossy().into_owned(), len: meta.len() });
                }
                Ok(_) => {}
                // Removed meanwhile.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(out)
    }
}

/// Whether bytes and offset are whole pages.
#[cfg(target_os = "linux")]
fn are_pages(bytes: &[u8], offset: u64) -> bool {
    bytes.as_ptr().align_offset(PAGE) == 0 && bytes.len().is_multiple_of(PAGE) && offset.is_multiple_of(PAGE as u64)
}

struct SystemHandle(File);

impl Handle for SystemHandle {
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.0.write_all_at(bytes, offset)
    }
    #[cfg(target_os = "linux")]
    fn write_past_memory(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
        let now = fcntl_getfl(&self.0)?;
        if are_pages(bytes, offset) {
            let direct = fcntl_setfl(&self.0, now | OFlags::DIRECT).map_err(io::Error::from);
            match direct.and_then(|()| self.0.write_all_at(bytes, offset)) {
                // The file system does not take the flag, or took it and not the bytes.
                Err(error) if error.kind() == io::ErrorKind::InvalidInput => {}
                done => return done,
            }
        }
        fcntl_setfl(&self.0, now - OFlags::DIRECT)?;
        self.0.write_all_at(bytes, offset)
    }
    #[cfg(not(target_os = "linux"))]
    fn write_past_memory(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.write_at(bytes, offset)
    }
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.0.read_exact_at(buffer, offset)
    }
    #[cfg(target_os = "linux")]
    fn read_cached(&self, buffer: &mut [u8], offset: u64) -> bool {
        use rustix::io::{ReadWriteFlags, preadv2};
        let wanted = buffer.len();
        let got = preadv2(&self.0, &mut [io::IoSliceMut::new(buffer)], offset, ReadWriteFlags::NOWAIT);
        got.is_ok_and(|got| got == wanted)
    }
    #[cfg(not(target_os = "linux"))]
    fn read_cached(&self, _: &mut [u8], _: u64) -> bool {
        false
    }
    #[cfg(target_os = "linux")]
    fn let_go(&self, end: u64) {
        use rustix::fs::{Advice, fadvise};
        // Linux begins to write what is dirty of the range, and keeps it in memory until it is written.
        if let Err(error) = fadvise(&self.0, 0, std::num::NonZeroU64::new(end), Advice::DontNeed) {
            tracing::debug!(%error, "the system was not told to begin writing");
        }
    }
    #[cfg(not(target_os = "linux"))]
    fn let_go(&self, _: u64) {}
    fn sync(&self) -> io::Result<()> {
        self.0.sync_data()
    }
    #[cfg(target_os = "linux")]
    fn punch(&self, offset: u64, len: u64) -> io::Result<()> {
        use rustix::fs::{FallocateFlags, fallocate};
        Ok(fallocate(&self.0, FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE, offset, len)?)
    }
    #[cfg(not(target_os = "linux"))]
    fn punch(&self, _: u64, _: u64) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
    fn size(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests;
