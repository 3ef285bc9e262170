//! Opening a log, which is also recovering it.

use ledger::{
    CheckpointSigner, LogBuilder, LogKey, Publication, VerifiedCheckpoint,
    layout::{self, TileName},
    leaf_hash,
    wal::{self, WalEnd},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    sync::Arc,
};

use super::{
    Disk, Error, Options, WriteAhead,
    disk::Reading,
    state::{State, WalFile},
};

/// A log that is published up to its last durable entry, with an empty write-ahead file.
pub(super) struct Opened {
    pub(super) builder: LogBuilder,
    pub(super) checkpoint: Vec<u8>,
    pub(super) wal: WalFile,
    pub(super) state: State,
}

pub(super) fn failed(operation: &'static str, name: &str) -> impl FnOnce(io::Error) -> Error {
    let name = name.to_owned();
    move |source| Error::Io { operation, name, source: Arc::new(source) }
}

pub(super) fn open(disk: &dyn Disk, signer: &dyn CheckpointSigner, options: &Options) -> Result<Opened, Error> {
    let key = LogKey::new(options.origin.clone(), signer.public_key());
    let names = disk.list().map_err(failed("list", "."))?;
    let state = disk.available().map_or(State::Ready, |free| State::of_space(free, options));
    if state == State::ReadOnly {
        // Opening needs a little room itself; an administrator must be able to start and to be recorded.
        remove(disk, &reserves(&names))?;
    }
    check_key(disk, &key, options)?;
    let (mut builder, mut checkpoint) = published(disk, &key, options, &names)?;
    let published_size = builder.size();
    let wals = replay(disk, options, &names, &mut builder)?;
    remove_leftovers(disk, &names, &builder)?;
    let is_signed_by_us =
        checkpoint.as_ref().is_some_and(|note| VerifiedCheckpoint::verify(note, std::slice::from_ref(&key)).is_ok());
    if builder.size() > published_size || !is_signed_by_us {
        let publication = builder.publish(signer)?;
        write(disk, &publication)?;
        remove(disk, &publication.obsolete)?;
        checkpoint = Some(publication.checkpoint);
    }
    // After the first checkpoint: a log with a key file and no checkpoint has lost it.
    write_durably(disk, layout::LOG_KEY, format!("{key}\n").as_bytes())?;
    remove(disk, &wals)?;
    if state != State::ReadOnly && !names.contains(&options.reserve_name()) {
        // One of another size, or of the time before sizes stood in names.
        remove(disk, &reserves(&names))?;
        make_reserve(disk, options);
    }
    let stem = layout::wal_stem(builder.size());
    let file = set_aside(disk, &stem, options.wal_bytes).map_err(failed("create", &stem))?;
    let wal = WalFile { first: builder.size(), file, offset: 0 };
    Ok(Opened { builder, checkpoint: checkpoint.unwrap_or_default(), wal, state })
}

/// The key file must name our key or an earlier one.
fn check_key(disk: &dyn Disk, key: &LogKey, options: &Options) -> Result<(), Error> {
    let Some(bytes) = disk.read(layout::LOG_KEY).map_err(failed("read", layout::LOG_KEY))? else { return Ok(()) };
    let known = std::iter::once(key).chain(&options.earlier_keys).any(|key| format!("{key}\n").as_bytes() == bytes);
    // A file of no bytes is one whose first writing was cut short.
    if known || bytes.is_empty() { Ok(()) } else { Err(Error::ForeignLog { origin: options.origin.clone() }) }
}

/// The tree of the newest checkpoint, or an empty one when nothing was ever published.
fn published(
    disk: &dyn Disk,
    key: &LogKey,
    options: &Options,
    names: &[String],
) -> Result<(LogBuilder, Option<Vec<u8>>), Error> {
    let Some(note) = disk.read(layout::CHECKPOINT).map_err(failed("read", layout::CHECKPOINT))? else {
        // The first checkpoint is written before anything else, so whatever else there is once had one.
        let others = names.iter().filter(|name| ![layout::LOCK, layout::RESERVE].contains(&layout::filling(name).0));
        if others.into_iter().any(|name| !name.ends_with(layout::TEMPORARY)) {
            return Err(ledger::Error::FileMissing { name: layout::CHECKPOINT.to_owned() }.into());
        }
        return Ok((LogBuilder::new(options.origin.clone()), None));
    };
    let keys: Vec<LogKey> = std::iter::once(key).chain(&options.earlier_keys).cloned().collect();
    let verified = VerifiedCheckpoint::verify(&note, &keys)?;
    let builder = LogBuilder::resume(&Reading(disk), verified.head())?;
    Ok((builder, Some(note)))
}

/// Appends the durable entries that are not published yet; returns the write-ahead files that were read.
fn replay(
    disk: &dyn Disk,
    options: &Options,
    names: &[String],
    builder: &mut LogBuilder,
) -> Result<Vec<String>, Error> {
    let numbered = |name: &String| layout::wal_first(name).map(|first| (first, name.clone()));
    let wals: BTreeMap<u64, String> = names.iter().filter_map(numbered).collect();
    for (first, name) in &wals {
        let bytes = disk.read(name).map_err(failed("read", name))?.unwrap_or_default();
        let scan = wal::scan(&bytes, &options.origin, *first);
        for entry in scan.entries.iter().filter(|entry| entry.index >= builder.size()).collect::<Vec<_>>() {
            if entry.index > builder.size() {
                return Err(Error::WalGap { name: name.clone(), from: builder.size(), until: entry.index });
            }
            builder.append(entry.bytes, leaf_hash(entry.bytes))?;
        }
        let missing = layout::filling(name).1.and_then(|told| wal::missized(bytes.len(), told));
        let damaged = match scan.end {
            WalEnd::Altered { offset, .. } => Some(offset),
            // What is cut off may have held acknowledged entries.
            WalEnd::Clean | WalEnd::Torn { .. } => missing,
        };
        if let Some(offset) = damaged {
            return Err(Error::WalDamaged { name: name.clone(), offset, index: scan.next });
        }
    }
    Ok(wals.into_values().collect())
}

/// Removes what a crash left: files that were being written, spare ones, and partial tiles that no checkpoint needs.
fn remove_leftovers(disk: &dyn Disk, names: &[String], builder: &LogBuilder) -> Result<(), Error> {
    let current: BTreeSet<&str> = builder.partials().collect();
    for name in names {
        let partial = TileName::from_path(name).is_some_and(|tile| !tile.is_full());
        let spare = layout::filling(name).0 == layout::SPARE;
        if name.ends_with(layout::TEMPORARY) || spare || (partial && !current.contains(name.as_str())) {
            disk.remove(name).map_err(failed("remove", name))?;
        }
    }
    Ok(())
}

/// Replaces a small file so that a crash leaves the old or the new one.
fn write_durably(disk: &dyn Disk, name: &str, bytes: &[u8]) -> Result<(), Error> {
    if disk.read(name).map_err(failed("read", name))?.as_deref() == Some(bytes) {
        return Ok(());
    }
    let temporary = format!("{name}{}", layout::TEMPORARY);
    disk.write(&temporary, bytes).map_err(failed("write", &temporary))?;
    disk.sync(&[&temporary]).map_err(failed("sync", &temporary))?;
    disk.rename(&temporary, name).map_err(failed("replace", name))
}

/// Writes a publication: its files, durable, then the checkpoint in one step, then the copy that is kept.
pub(super) fn write(disk: &dyn Disk, publication: &Publication) -> Result<(), Error> {
    for (name, bytes) in &publication.files {
        disk.write(name, bytes).map_err(failed("write", name))?;
    }
    let names: Vec<&str> = publication.files.iter().map(|(name, _)| name.as_str()).collect();
    disk.sync(&names).map_err(failed("sync", "tile/"))?;
    write_durably(disk, layout::CHECKPOINT, &publication.checkpoint)?;
    publication.kept.as_ref().map_or(Ok(()), |name| write_durably(disk, name, &publication.checkpoint))
}

/// Removes files that nothing needs any more.
pub(super) fn remove(disk: &dyn Disk, names: &[String]) -> Result<(), Error> {
    names.iter().try_for_each(|name| disk.remove(name).map_err(failed("remove", name)))
}

/// Sets space aside; when there is none, the state says so soon enough.
pub(super) fn make_reserve(disk: &dyn Disk, options: &Options) {
    if options.reserve_bytes == 0 {
        return;
    }
    let _ = set_aside(disk, layout::RESERVE, options.reserve_bytes);
}

/// The names of the space for administrators, of whatever size.
fn reserves(names: &[String]) -> Vec<String> {
    names.iter().filter(|name| layout::filling(name).0 == layout::RESERVE).cloned().collect()
}

/// Makes a file of zeros whose name tells how many, under another name until it is whole; leaves none when that fails.
pub(super) fn set_aside(disk: &dyn Disk, stem: &str, bytes: usize) -> io::Result<Box<dyn WriteAhead>> {
    let (temporary, name) = (format!("{stem}{}", layout::TEMPORARY), layout::filled(stem, bytes));
    let made = disk.create_wal(&temporary, bytes).and_then(|file| disk.rename(&temporary, &name).map(|()| file));
    if made.is_err() {
        let _ = disk.remove(&temporary);
        let _ = disk.remove(&name);
    }
    made
}
