//! A file system that fails on purpose at a chosen step, for the tests of whatever must survive that.

use std::{
    io,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use super::files::{Files, Handle, Listed, SystemFiles};

/// How the chosen step fails. In each case the caller sees an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing happens.
    Failed,
    /// It happens all the same.
    FailedButPersisted,
    /// Half of the bytes are written; as `Failed` for steps without bytes.
    Torn,
}

impl Fault {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Failed, Self::FailedButPersisted, Self::Torn];
}

/// Counts the steps that change something, and fails one of them; with `stays`, all after it as well.
pub struct FaultyFiles {
    inner: Arc<dyn Files>,
    steps: AtomicUsize,
    at: usize,
    fault: Fault,
    stays: bool,
    hit: AtomicBool,
}

impl FaultyFiles {
    /// Never fails; [`FaultyFiles::steps`] then tells how many steps there are.
    pub fn counting() -> Arc<Self> {
        Self::failing(usize::MAX, Fault::Failed, false)
    }
    /// Fails step `at` (from 0) of the operating system's files.
    pub fn failing(at: usize, fault: Fault, stays: bool) -> Arc<Self> {
        Self::over(Arc::new(SystemFiles), at, fault, stays)
    }
    /// Fails step `at` of other files.
    pub fn over(inner: Arc<dyn Files>, at: usize, fault: Fault, stays: bool) -> Arc<Self> {
        Arc::new(Self { inner, steps: AtomicUsize::new(0), at, fault, stays, hit: AtomicBool::new(false) })
    }
    /// Steps so far.
    pub fn steps(&self) -> usize {
        self.steps.load(Ordering::SeqCst)
    }
    /// Whether the chosen step came.
    pub fn hit(&self) -> bool {
        self.hit.load(Ordering::SeqCst)
    }

    fn step(&self) -> Option<Fault> {
        let n = self.steps.fetch_add(1, Ordering::SeqCst);
        if n == self.at {
            self.hit.store(true, Ordering::SeqCst);
            return Some(self.fault);
        }
        (self.stays && n > self.at).then_some(Fault::Failed)
    }

    fn run<T>(&self, work: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        match self.step() {
            None => work(),
            Some(fault) => {
                if fault == Fault::FailedButPersisted {
                    work()?;
                }
                Err(injected())
            }
        }
    }
}

fn injected() -> io::Error {
    io::Error::other("injected")
}

/// The shared value that makes handles.
#[derive(Clone)]
pub struct Faulty(pub Arc<FaultyFiles>);

impl Files for Faulty {
    fn create_dirs(&self, dir: &Path) -> io::Result<()> {
        self.0.inner.create_dirs(dir)
    }
    fn create(&self, path: &Path) -> io::Result<Arc<dyn Handle>> {
        let inner = self.0.run(|| self.0.inner.create(path))?;
        Ok(Arc::new(FaultyHandle { inner, faults: Arc::clone(&self.0) }))
    }
    fn open(&self, path: &Path) -> io::Result<Arc<dyn Handle>> {
        Ok(Arc::new(FaultyHandle { inner: self.0.inner.open(path)?, faults: Arc::clone(&self.0) }))
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.0.run(|| self.0.inner.rename(from, to))
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        self.0.run(|| self.0.inner.remove(path))
    }
    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        // Nothing here outlives the power, so flushing for real would only cost time; it can still fail.
        self.0.run(|| self.0.inner.list(dir).map(drop))
    }
    fn list(&self, dir: &Path) -> io::Result<Vec<Listed>> {
        self.0.inner.list(dir)
    }
}

struct FaultyHandle {
    inner: Arc<dyn Handle>,
    faults: Arc<FaultyFiles>,
}

impl FaultyHandle {
    fn write(&self, bytes: &[u8], work: impl FnOnce(&[u8]) -> io::Result<()>) -> io::Result<()> {
        match self.faults.step() {
            None => work(bytes),
            Some(fault) => {
                work(match fault {
                    Fault::Failed => &[],
                    Fault::FailedButPersisted => bytes,
                    Fault::Torn => bytes.split_at(bytes.len() / 2).0,
                })?;
                Err(injected())
            }
        }
    }
}

impl Handle for FaultyHandle {
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.write(bytes, |kept| self.inner.write_at(kept, offset))
    }
    fn write_past_memory(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.write(bytes, |kept| self.inner.write_past_memory(kept, offset))
    }
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.inner.read_at(buffer, offset)
    }
    fn read_cached(&self, buffer: &mut [u8], offset: u64) -> bool {
        self.inner.read_cached(buffer, offset)
    }
    fn let_go(&self, end: u64) {
        self.inner.let_go(end);
    }
    fn sync(&self) -> io::Result<()> {
        self.faults.run(|| Ok(()))
    }
    fn punch(&self, offset: u64, len: u64) -> io::Result<()> {
        self.faults.run(|| self.inner.punch(offset, len))
    }
    fn size(&self) -> io::Result<u64> {
        self.inner.size()
    }
}
