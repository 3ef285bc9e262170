//! Bodies in a folder of this machine.
//!
//! A large body is a file of its own: written under a temporary name, flushed, renamed, its folder flushed. Small ones
//! share packs (see `pack`). Layout: `bodies/XX/ID`, `packs/N.pack`, `tmp/`, `lock`. One process owns the folder.
//! INVARIANT: what was acknowledged survives a crash; no name of a caller ever becomes a path.

pub mod files;
mod header;
mod pack;

#[cfg(any(test, feature = "faults"))]
pub mod faults;
#[cfg(any(test, feature = "faults"))]
pub mod power;
#[cfg(test)]
mod tests;

use async_trait::async_trait;
use base::BlobId;
use bytes::{Bytes, BytesMut};
use governance::ports::{
    BackendError, BackendInfo, Blob, BlobPage, BlobReader, BlobWriter, ListCursor, ObjectBackend, Place, Work,
};
use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use files::{Files, Handle, SystemFiles};
use pack::Packs;

/// Stored bytes up to which a body goes into a pack: below it the cost of a file and two flushes outweighs its content.
pub const SMALL_BYTES_MAX: usize = 64 << 10;
/// Bytes of a large body after which the device begins to write them and memory lets go of those before: little is left
/// for the flush at the end, and one upload neither pushes out what is read often nor takes ever new memory.
const LET_GO_BYTES: u64 = 2 << 20;
/// Folders over which large bodies are spread by the last, random byte of their id.
const FOLDERS: u16 = 256;

/// A folder that keeps bodies. Dropping it flushes and seals what is open.
pub struct LocalBackend {
    inner: Arc<Inner>,
}

struct Inner {
    dir: PathBuf,
    files: Arc<dyn Files>,
    packs: Packs,
    /// Held for the life of the value: a second process would write into the same packs.
    _lock: File,
}

pub(crate) fn failed(operation: &'static str, source: io::Error) -> BackendError {
    match source.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => BackendError::Full { operation },
        _ => BackendError::Io { operation, source },
    }
}

impl LocalBackend {
    /// Takes over `dir`, making it if needed; what a crash left half-written is removed. Blocks.
    ///
    /// # Errors
    /// [`BackendError::Io`], also when another process has the folder open.
    pub fn open(dir: &Path) -> Result<Self, BackendError> {
        Self::open_on(dir, Arc::new(SystemFiles))
    }

    /// As [`LocalBackend::open`], over another implementation of files.
    ///
    /// # Errors
    /// As [`LocalBackend::open`].
    pub fn open_on(dir: &Path, files: Arc<dyn Files>) -> Result<Self, BackendError> {
        let prepared = prepare(dir, &*files).map_err(|e| failed("prepare its folder", e))?;
        let packs = Packs::open(dir.join("packs"), Arc::clone(&files))?;
        Ok(Self { inner: Arc::new(Inner { dir: dir.to_owned(), files, packs, _lock: prepared }) })
    }
}

/// Makes the folders durable, takes the lock, removes temporary files.
fn prepare(dir: &Path, files: &dyn Files) -> io::Result<File> {
    files.create_dirs(dir)?;
    let lock = File::options().create(true).truncate(false).write(true).open(dir.join("lock"))?;
    lock.try_lock()?;
    for name in ["tmp", "packs", "bodies"] {
        files.create_dirs(&dir.join(name))?;
    }
    let bodies = dir.join("bodies");
    for n in 0..FOLDERS {
        files.create_dirs(&bodies.join(folder(n)))?;
    }
    files.sync_dir(&bodies)?;
    files.sync_dir(dir)?;
    let tmp = dir.join("tmp");
    for left in files.list(&tmp)? {
        files.remove(&tmp.join(left.name))?;
    }
    Ok(lock)
}

fn folder(n: u16) -> String {
    format!("{n:02x}")
}

impl Inner {
    fn body_folder(&self, id: BlobId) -> PathBuf {
        let [.., last] = id.bytes();
        self.dir.join("bodies").join(folder(u16::from(*last)))
    }
    fn body_path(&self, id: BlobId) -> PathBuf {
        self.body_folder(id).join(id.to_string())
    }

    fn list_folder(&self, n: u16) -> Result<Vec<Blob>, BackendError> {
        let listed = self.files.list(&self.dir.join("bodies").join(folder(n)));
        let listed = listed.map_err(|e| failed("list bodies", e))?;
        let blob = |file: files::Listed| Some(Blob { id: file.name.parse().ok()?, len: file.len, place: Place::Own });
        Ok(listed.into_iter().filter_map(blob).collect())
    }

    fn list(&self, after: Option<&ListCursor>, limit: usize) -> Result<BlobPage, BackendError> {
        let blobs_from = |position: Position| -> Result<BlobPage, BackendError> {
            let (blobs, next) = match position {
                Position::Folder(n) => {
                    let next = if n + 1 < FOLDERS { Some(Position::Folder(n + 1)) } else { self.first_pack(0)? };
                    (self.list_folder(n)?, next)
                }
                Position::Pack(pack, at) => {
                    let (blobs, more) = self.packs.scan(pack, at, limit.max(1))?;
                    let next = match more {
                        Some(at) => Some(Position::Pack(pack, at)),
                        None => self.first_pack(pack)?,
                    };
                    (blobs, next)
                }
            };
            Ok(BlobPage { blobs, next: next.map(Position::cursor) })
        };
        blobs_from(after.and_then(Position::parse).unwrap_or(Position::Folder(0)))
    }

    fn first_pack(&self, after: u64) -> Result<Option<Position>, BackendError> {
        Ok(self.packs.after(after)?.map(|pack| Position::Pack(pack, 0)))
    }
}

/// A place in the list of all bodies.
#[derive(Clone, Copy)]
enum Position {
    Folder(u16),
    Pack(u64, u64),
}

impl Position {
    fn cursor(self) -> ListCursor {
        ListCursor(match self {
            Self::Folder(n) => format!("folder.{n}"),
            Self::Pack(pack, at) => format!("pack.{pack}.{at}"),
        })
    }
    fn parse(cursor: &ListCursor) -> Option<Self> {
        let mut parts = cursor.0.split('.');
        match (parts.next()?, parts.next()?.parse::<u64>().ok()?) {
            ("folder", n) => Some(Self::Folder(u16::try_from(n).ok()?)),
            ("pack", pack) => Some(Self::Pack(pack, parts.next()?.parse().ok()?)),
            _ => None,
        }
    }
}

/// Runs blocking work on the pool that is made for it.
async fn blocking<T: Send + 'static>(
    operation: &'static str,
    work: impl FnOnce() -> Result<T, BackendError> + Send + 'static,
) -> Result<T, BackendError> {
    tokio::task::spawn_blocking(work).await.unwrap_or(Err(BackendError::Stopped { operation }))
}

#[async_trait]
impl ObjectBackend for LocalBackend {
    fn info(&self) -> BackendInfo {
        BackendInfo {
            name: "local",
            small_bytes_max: SMALL_BYTES_MAX,
            durability: "flushed to the device (fdatasync) before the answer, small bodies in groups",
        }
    }

    async fn put(&self, id: BlobId, bytes: Bytes) -> Result<Blob, BackendError> {
        if bytes.len() <= SMALL_BYTES_MAX {
            return self.inner.packs.put(id, bytes).await;
        }
        let mut writer = self.create(id).await?;
        writer.append(vec![BytesMut::from(bytes)]).await?;
        writer.finish().await
    }

    async fn create(&self, id: BlobId) -> Result<Box<dyn BlobWriter>, BackendError> {
        let inner = Arc::clone(&self.inner);
        blocking("begin a body", move || {
            let temporary = inner.dir.join("tmp").join(id.to_string());
            let handle = inner.files.create(&temporary).map_err(|e| failed("begin a body", e))?;
            let writer = OwnWriter { inner, id, handle, temporary: Some(temporary), len: 0, let_go: 0 };
            Ok(Box::new(writer) as Box<dyn BlobWriter>)
        })
        .await
    }

    async fn open(&self, blob: &Blob) -> Result<Arc<dyn BlobReader>, BackendError> {
        let (inner, blob) = (Arc::clone(&self.inner), *blob);
        match blob.place {
            Place::Packed { .. } => {
                // Hot bodies are read where we are: handing over to another thread would cost more than the copy.
                let bytes = match inner.packs.read(&blob, false)? {
                    Some(bytes) => bytes,
                    None => blocking("read a pack", move || inner.packs.read(&blob, true)).await?.unwrap_or_default(),
                };
                Ok(Arc::new(PackedReader { id: blob.id, bytes }))
            }
            Place::Own => {
                blocking("open a body", move || match inner.files.open(&inner.body_path(blob.id)) {
                    Ok(handle) => Ok(Arc::new(OwnReader { id: blob.id, handle }) as Arc<dyn BlobReader>),
                    Err(e) if e.kind() == io::ErrorKind::NotFound => Err(BackendError::Missing { id: blob.id }),
                    Err(e) => Err(failed("open a body", e)),
                })
                .await
            }
        }
    }

    async fn delete(&self, blob: &Blob) -> Result<(), BackendError> {
        let (inner, blob) = (Arc::clone(&self.inner), *blob);
        blocking("delete a body", move || match blob.place {
            Place::Packed { .. } => inner.packs.delete(&blob),
            Place::Own => match inner.files.remove(&inner.body_path(blob.id)) {
                Err(e) if e.kind() != io::ErrorKind::NotFound => Err(failed("delete a body", e)),
                _ => Ok(()),
            },
        })
        .await
    }

    async fn list(&self, after: Option<&ListCursor>, limit: usize) -> Result<BlobPage, BackendError> {
        let (inner, after) = (Arc::clone(&self.inner), after.cloned());
        blocking("list bodies", move || inner.list(after.as_ref(), limit)).await
    }
}

/// A large body being written under a temporary name.
struct OwnWriter {
    inner: Arc<Inner>,
    id: BlobId,
    handle: Arc<dyn Handle>,
    temporary: Option<PathBuf>,
    len: u64,
    /// Bytes that memory was told to let go of.
    let_go: u64,
}

#[async_trait]
impl BlobWriter for OwnWriter {
    async fn append(&mut self, buffers: Vec<BytesMut>) -> Result<Vec<BytesMut>, BackendError> {
        let (handle, mut at, mut let_go) = (Arc::clone(&self.handle), self.len, self.let_go);
        let (end, let_go, buffers) = blocking("write a body", move || {
            for buffer in &buffers {
                handle.write_past_memory(buffer, at).map_err(|e| failed("write a body", e))?;
                at += buffer.len() as u64;
                if at - let_go >= LET_GO_BYTES {
                    handle.let_go(at);
                    let_go = at;
                }
            }
            Ok((at, let_go, buffers))
        })
        .await?;
        (self.len, self.let_go) = (end, let_go);
        Ok(buffers)
    }

    async fn finish(mut self: Box<Self>) -> Result<Blob, BackendError> {
        blocking("finish a body", move || {
            let done = |e| failed("finish a body", e);
            self.handle.sync().map_err(done)?;
            if self.let_go > 0 {
                self.handle.let_go(self.len);
            }
            if let Some(temporary) = &self.temporary {
                self.inner.files.rename(temporary, &self.inner.body_path(self.id)).map_err(done)?;
            }
            self.temporary = None;
            self.inner.files.sync_dir(&self.inner.body_folder(self.id)).map_err(done)?;
            Ok(Blob { id: self.id, len: self.len, place: Place::Own })
        })
        .await
    }
}

impl Drop for OwnWriter {
    fn drop(&mut self) {
        if let Some(temporary) = self.temporary.take()
            && let Err(error) = self.inner.files.remove(&temporary)
        {
            tracing::warn!(%error, "a temporary file stays until the next start");
        }
    }
}

/// An open large body.
struct OwnReader {
    id: BlobId,
    handle: Arc<dyn Handle>,
}

#[async_trait]
impl BlobReader for OwnReader {
    async fn read(&self, offset: u64, mut buffer: BytesMut, work: Work) -> Result<BytesMut, BackendError> {
        let (id, handle) = (self.id, Arc::clone(&self.handle));
        blocking("read a body", move || {
            match handle.read_at(&mut buffer, offset) {
                Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => return Err(BackendError::Missing { id }),
                other => other.map_err(|e| failed("read a body", e))?,
            }
            work(&mut buffer).map_err(|_| BackendError::Work)?;
            Ok(buffer)
        })
        .await
    }
}

/// A small body, read whole when it was opened: deleting it punches a hole under any later reader.
struct PackedReader {
    id: BlobId,
    bytes: Vec<u8>,
}

#[async_trait]
impl BlobReader for PackedReader {
    async fn read(&self, offset: u64, mut buffer: BytesMut, work: Work) -> Result<BytesMut, BackendError> {
        let missing = || BackendError::Missing { id: self.id };
        let from = usize::try_from(offset).map_err(|_| missing())?;
        let bytes = self.bytes.get(from..).and_then(|rest| rest.get(..buffer.len())).ok_or_else(missing)?;
        buffer.copy_from_slice(bytes);
        work(&mut buffer).map_err(|_| BackendError::Work)?;
        Ok(buffer)
    }
}
