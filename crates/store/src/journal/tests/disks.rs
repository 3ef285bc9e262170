//! A disk in memory whose every step can be made to fail, with or without effect.

use std::{
    collections::BTreeMap,
    io,
    sync::{Arc, Mutex, MutexGuard},
};

use crate::journal::{Disk, WriteAhead};

/// What happens at the chosen step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// It fails and had no effect.
    Failed,
    /// It fails and had its effect all the same.
    FailedButPersisted,
    /// It fails, and a write reached the disk up to a sector border.
    Torn,
    /// It fails without effect, and says that the disk is full.
    Full,
}

/// And afterwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum After {
    /// Everything works again.
    Goes,
    /// Nothing works any more, as if the process had been killed there.
    Dead,
    /// As `Dead`, and everything that was not made durable is lost, as if the machine had lost its power.
    PowerLoss,
}

/// A file: what is read now, and what a loss of power leaves of it.
#[derive(Default)]
struct File {
    now: Vec<u8>,
    durable: Option<Vec<u8>>,
}

impl File {
    fn sync(&mut self) {
        self.durable = Some(self.now.clone());
    }
}

type Files = BTreeMap<String, Arc<Mutex<File>>>;

#[derive(Default)]
struct Inner {
    files: Files,
    /// Steps so far that change something.
    steps: usize,
    plan: Option<(usize, Fault, After)>,
    dead: bool,
    free: Option<u64>,
    /// The thread of the newest write to a write-ahead file.
    writer: Option<String>,
}

#[derive(Clone, Default)]
pub(super) struct MemoryDisk(Arc<Mutex<Inner>>);

impl MemoryDisk {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap()
    }

    /// Lets step `at`, counted from now, fail.
    pub(super) fn plan(&self, at: usize, fault: Fault, after: After) {
        let mut inner = self.lock();
        inner.steps = 0;
        inner.plan = Some((at, fault, after));
    }

    /// Changing steps since the last call of [`MemoryDisk::plan`] or [`MemoryDisk::heal`].
    pub(super) fn steps(&self) -> usize {
        self.lock().steps
    }

    pub(super) fn heal(&self) {
        let mut inner = self.lock();
        inner.steps = 0;
        let lost_power = inner.dead && inner.plan.is_some_and(|(.., after)| after == After::PowerLoss);
        inner.plan = None;
        inner.dead = false;
        if lost_power {
            inner.files.retain(|_, file| {
                let mut file = file.lock().unwrap();
                file.now = file.durable.clone().unwrap_or_default();
                file.durable.is_some()
            });
        }
    }

    pub(super) fn set_free(&self, bytes: u64) {
        self.lock().free = Some(bytes);
    }

    pub(super) fn writer(&self) -> Option<String> {
        self.lock().writer.clone()
    }

    pub(super) fn names(&self) -> Vec<String> {
        self.lock().files.keys().cloned().collect()
    }

    pub(super) fn bytes(&self, name: &str) -> Option<Vec<u8>> {
        self.lock().files.get(name).map(|file| file.lock().unwrap().now.clone())
    }

    pub(super) fn put(&self, name: &str, bytes: Vec<u8>) {
        let durable = Some(bytes.clone());
        self.lock().files.insert(name.to_owned(), Arc::new(Mutex::new(File { now: bytes, durable })));
    }

    /// Does one step, as planned.
    fn step(&self, effect: impl FnOnce(&mut Files, bool)) -> io::Result<()> {
        let mut inner = self.lock();
        if inner.dead {
            return Err(io::Error::other("the process is dead"));
        }
        let at = inner.steps;
        inner.steps += 1;
        let Some((_, fault, after)) = inner.plan.filter(|(planned, ..)| *planned == at) else {
            effect(&mut inner.files, false);
            return Ok(());
        };
        if [Fault::FailedButPersisted, Fault::Torn].contains(&fault) {
            effect(&mut inner.files, fault == Fault::Torn);
        }
        inner.dead = after != After::Goes;
        Err(match fault {
            Fault::Full => io::Error::from(io::ErrorKind::StorageFull),
            _ => io::Error::other("planned"),
        })
    }
}

impl Disk for MemoryDisk {
    fn read(&self, name: &str) -> io::Result<Option<Vec<u8>>> {
        Ok(self.bytes(name))
    }
    fn list(&self) -> io::Result<Vec<String>> {
        Ok(self.names())
    }
    fn write(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        self.step(|files, torn| {
            let len = if torn { bytes.len() / 2 } else { bytes.len() };
            // The name and an older durable content stay what they are until they are synced.
            files.entry(name.to_owned()).or_default().lock().unwrap().now = bytes[..len].to_vec();
        })
    }
    fn sync(&self, names: &[&str]) -> io::Result<()> {
        self.step(|files, torn| {
            // A torn sync makes every other file durable.
            for name in names.iter().step_by(if torn { 2 } else { 1 }) {
                files[*name].lock().unwrap().sync();
            }
        })
    }
    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.step(|files, _| {
            if let Some(file) = files.remove(from) {
                files.insert(to.to_owned(), file);
            }
        })
    }
    fn remove(&self, name: &str) -> io::Result<()> {
        self.step(|files, _| {
            files.remove(name);
        })
    }
    fn create_wal(&self, name: &str, bytes: usize) -> io::Result<Box<dyn WriteAhead>> {
        let file = Arc::new(Mutex::new(File::default()));
        self.step(|files, torn| {
            let mut made = file.lock().unwrap();
            made.now = vec![0; if torn { bytes / 2 } else { bytes }];
            made.sync();
            drop(made);
            files.insert(name.to_owned(), Arc::clone(&file));
        })?;
        Ok(Box::new(MemoryWal { disk: self.clone(), file }))
    }
    fn available(&self) -> io::Result<u64> {
        Ok(self.lock().free.unwrap_or(u64::MAX))
    }
}

struct MemoryWal {
    disk: MemoryDisk,
    file: Arc<Mutex<File>>,
}

impl WriteAhead for MemoryWal {
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let offset = usize::try_from(offset).unwrap();
        self.disk.lock().writer = std::thread::current().name().map(str::to_owned);
        self.disk.step(|_, torn| {
            let mut file = self.file.lock().unwrap();
            let end = offset + bytes.len();
            // A torn write reaches the last sector border before its end, or nothing.
            let end = if torn { (end / 512 * 512).max(offset) } else { end };
            file.now[offset..end].copy_from_slice(&bytes[..end - offset]);
            if torn {
                file.sync();
            }
        })
    }
    fn sync(&mut self) -> io::Result<()> {
        self.disk.step(|_, _| self.file.lock().unwrap().sync())
    }
}
