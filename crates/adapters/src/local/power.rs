//! A file system in memory that can lose its power: what was not flushed may be there, or not, or in part.
//!
//! It is stricter than most real ones: a flush of a file says nothing of its name, and names are durable only after
//! their folder was flushed.

use std::{
    collections::{BTreeMap, HashMap},
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::files::{Files, Handle, Listed};

#[derive(Default)]
struct Content {
    now: Vec<u8>,
    flushed: Vec<u8>,
}

#[derive(Default)]
struct State {
    contents: HashMap<u64, Content>,
    names: BTreeMap<PathBuf, u64>,
    flushed_names: BTreeMap<PathBuf, u64>,
    made: u64,
    /// Steps until the machine is dead.
    fuse: Option<usize>,
    steps: usize,
}

impl State {
    /// Counts a step that changes something; fails once the machine is dead.
    fn step(&mut self) -> io::Result<()> {
        self.steps += 1;
        match self.fuse {
            Some(fuse) if self.steps > fuse => Err(io::Error::other("the power is off")),
            _ => Ok(()),
        }
    }
    fn content(&mut self, inode: u64) -> io::Result<&mut Content> {
        self.contents.get_mut(&inode).ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

/// The disk; clones share it.
#[derive(Clone, Default)]
pub struct Disk(Arc<Mutex<State>>);

impl Disk {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The machine dies after this many further steps.
    pub fn dies_after(&self, steps: usize) {
        let mut state = self.state();
        state.steps = 0;
        state.fuse = Some(steps);
    }

    /// Steps so far.
    pub fn steps(&self) -> usize {
        self.state().steps
    }

    /// What is on the platter when the power is back; `seed` decides about everything that was not flushed.
    #[must_use]
    pub fn after_power_loss(&self, seed: u64) -> Self {
        let state = self.state();
        let mut dice = Dice(seed);
        let mut survived = State { made: state.made, ..State::default() };
        let all = state.flushed_names.iter().chain(&state.names);
        for (path, _) in all {
            let (flushed, now) = (state.flushed_names.get(path), state.names.get(path));
            let kept = if flushed == now || dice.roll(2) == 0 { flushed } else { now };
            if let Some(inode) = kept {
                survived.names.insert(path.clone(), *inode);
            }
        }
        for (inode, content) in &state.contents {
            let Content { now, flushed } = content;
            let bytes = match dice.roll(3) {
                0 => flushed.clone(),
                1 => now.clone(),
                // The first part of what is new, as pages go out in order; the rest as it was.
                _ => {
                    let cut = usize::try_from(dice.roll(now.len() as u64 + 1)).unwrap_or(0);
                    now.iter().take(cut).chain(flushed.iter().skip(cut)).copied().collect()
                }
            };
            survived.contents.insert(*inode, Content { now: bytes.clone(), flushed: bytes });
        }
        survived.flushed_names = survived.names.clone();
        Self(Arc::new(Mutex::new(survived)))
    }
}

/// A small generator, so that a seed tells the whole story (SplitMix64).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % sides.max(1)
    }
}

impl Files for Disk {
    fn create_dirs(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }
    fn create(&self, path: &Path) -> io::Result<Arc<dyn Handle>> {
        let mut state = self.state();
        state.step()?;
        if state.names.contains_key(path) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        state.made += 1;
        let inode = state.made;
        state.contents.insert(inode, Content::default());
        state.names.insert(path.to_owned(), inode);
        Ok(Arc::new(Open { disk: self.clone(), inode }))
    }
    fn open(&self, path: &Path) -> io::Result<Arc<dyn Handle>> {
        let inode = *self.state().names.get(path).ok_or(io::ErrorKind::NotFound)?;
        Ok(Arc::new(Open { disk: self.clone(), inode }))
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.step()?;
        let inode = state.names.remove(from).ok_or(io::ErrorKind::NotFound)?;
        state.names.insert(to.to_owned(), inode);
        Ok(())
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.step()?;
        state.names.remove(path).map(drop).ok_or_else(|| io::ErrorKind::NotFound.into())
    }
    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.step()?;
        let here = |path: &Path| path.parent() == Some(dir);
        state.flushed_names.retain(|path, _| !here(path));
        let now: Vec<_> = state.names.iter().filter(|(path, _)| here(path)).map(|(p, i)| (p.clone(), *i)).collect();
        state.flushed_names.extend(now);
        Ok(())
    }
    fn list(&self, dir: &Path) -> io::Result<Vec<Listed>> {
        let state = self.state();
        let here = state.names.iter().filter(|(path, _)| path.parent() == Some(dir));
        let listed = here.filter_map(|(path, inode)| {
            let len = state.contents.get(inode)?.now.len() as u64;
            Some(Listed { name: path.file_name()?.to_string_lossy().into_owned(), len })
        });
        Ok(listed.collect())
    }
}

struct Open {
    disk: Disk,
    inode: u64,
}

impl Open {
    fn write(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let mut state = self.disk.state();
        state.step()?;
        let content = state.content(self.inode)?;
        let at = usize::try_from(offset).map_err(|_| io::ErrorKind::InvalidInput)?;
        let end = at + bytes.len();
        if content.now.len() < end {
            content.now.resize(end, 0);
        }
        if let Some(place) = content.now.get_mut(at..end) {
            place.copy_from_slice(bytes);
        }
        Ok(())
    }
}

impl Handle for Open {
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.write(bytes, offset)
    }
    fn write_past_memory(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.write(bytes, offset)
    }
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let mut state = self.disk.state();
        let content = state.content(self.inode)?;
        let at = usize::try_from(offset).map_err(|_| io::ErrorKind::InvalidInput)?;
        let place = content.now.get(at..at + buffer.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
        buffer.copy_from_slice(place);
        Ok(())
    }
    fn read_cached(&self, buffer: &mut [u8], offset: u64) -> bool {
        self.read_at(buffer, offset).is_ok()
    }
    fn let_go(&self, _: u64) {}
    fn sync(&self) -> io::Result<()> {
        let mut state = self.disk.state();
        state.step()?;
        let content = state.content(self.inode)?;
        content.flushed.clone_from(&content.now);
        Ok(())
    }
    fn punch(&self, offset: u64, len: u64) -> io::Result<()> {
        let zeros = vec![0; usize::try_from(len).map_err(|_| io::ErrorKind::InvalidInput)?];
        self.write(&zeros, offset)
    }
    fn size(&self) -> io::Result<u64> {
        Ok(self.disk.state().content(self.inode)?.now.len() as u64)
    }
}
