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
}

/// And afterwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum After {
    /// Everything works again.
    Goes,
    /// Nothing works any more, as if the process had been killed there.
    Dead,
}

type Files = BTreeMap<String, Arc<Mutex<Vec<u8>>>>;

#[derive(Default)]
struct Inner {
    files: Files,
    /// Steps so far that change something.
    steps: usize,
    plan: Option<(usize, Fault, After)>,
    dead: bool,
    free: Option<u64>,
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
        inner.plan = None;
        inner.dead = false;
    }

    pub(super) fn set_free(&self, bytes: u64) {
        self.lock().free = Some(bytes);
    }

    pub(super) fn names(&self) -> Vec<String> {
        self.lock().files.keys().cloned().collect()
    }

    pub(super) fn bytes(&self, name: &str) -> Option<Vec<u8>> {
        self.lock().files.get(name).map(|file| file.lock().unwrap().clone())
    }

    pub(super) fn put(&self, name: &str, bytes: Vec<u8>) {
        self.lock().files.insert(name.to_owned(), Arc::new(Mutex::new(bytes)));
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
        if fault != Fault::Failed {
            effect(&mut inner.files, fault == Fault::Torn);
        }
        inner.dead = after == After::Dead;
        Err(io::Error::other("planned"))
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
            files.insert(name.to_owned(), Arc::new(Mutex::new(bytes[..len].to_vec())));
        })
    }
    fn sync(&self, _names: &[&str]) -> io::Result<()> {
        self.step(|_, _| {})
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
        let file = Arc::new(Mutex::new(vec![0; bytes]));
        self.step(|files, torn| {
            if torn {
                file.lock().unwrap().truncate(bytes / 2);
            }
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
    file: Arc<Mutex<Vec<u8>>>,
}

impl WriteAhead for MemoryWal {
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let offset = usize::try_from(offset).unwrap();
        self.disk.step(|_, torn| {
            let mut file = self.file.lock().unwrap();
            let end = offset + bytes.len();
            // A torn write reaches the last sector border before its end, or nothing.
            let end = if torn { (end / 512 * 512).max(offset) } else { end };
            file[offset..end].copy_from_slice(&bytes[..end - offset]);
        })
    }
    fn sync(&mut self) -> io::Result<()> {
        self.disk.step(|_, _| {})
    }
}
