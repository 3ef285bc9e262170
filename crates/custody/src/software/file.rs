//! Key files on disk: one JSON file a key, replaced as a whole (temporary file, fsync, rename, fsync of the folder).

use base::{KeyId, Timestamp};
use base64::{Engine, prelude::BASE64_STANDARD};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::{
    fs::{DirBuilder, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use crate::{Error, Purpose};

/// The newest format this release writes and reads.
pub(super) const FORMAT: u32 = 1;
/// Files and folders are for the owner alone.
const DIR_MODE: u32 = 0o700;
const FILE_MODE: u32 = 0o600;
const EXTENSION: &str = "key";

/// One key and its versions.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct KeyFile {
    pub(super) format: u32,
    pub(super) id: KeyId,
    pub(super) purpose: Purpose,
    pub(super) label: String,
    pub(super) versions: Vec<Version>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Version {
    pub(super) version: u32,
    pub(super) created: Timestamp,
    pub(super) material: Material,
}

/// Sealed key material, or nothing once it was destroyed.
pub(super) enum Material {
    Sealed(Vec<u8>),
    Destroyed,
}

impl Serialize for Material {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Sealed(bytes) => serializer.serialize_str(&BASE64_STANDARD.encode(bytes)),
            Self::Destroyed => serializer.serialize_str("destroyed"),
        }
    }
}

impl<'de> Deserialize<'de> for Material {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text == "destroyed" {
            return Ok(Self::Destroyed);
        }
        BASE64_STANDARD.decode(text).map(Self::Sealed).map_err(de::Error::custom)
    }
}

impl KeyFile {
    /// What the sealed material of a version is bound to: it cannot be moved to another key, purpose, label or version.
    pub(super) fn associated(&self, version: u32) -> String {
        format!("galen key v1\n{}\n{}\n{}\n{version}", self.id, self.purpose.name(), self.label)
    }
}

pub(super) fn io(operation: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error {
    let path = path.to_owned();
    move |source| Error::Io { operation, path, source }
}

pub(super) fn path(dir: &Path, id: KeyId) -> PathBuf {
    dir.join(format!("{id}.{EXTENSION}"))
}

pub(super) fn make_private_dir(dir: &Path) -> Result<(), Error> {
    DirBuilder::new().recursive(true).mode(DIR_MODE).create(dir).map_err(io("create folder", dir))
}

/// The ids of all key files, in the order of their making.
pub(super) fn list(dir: &Path) -> Result<Vec<KeyId>, Error> {
    let mut out = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(io("list", dir))? {
        let name = entry.map_err(io("list", dir))?.file_name();
        let id = name.to_str().and_then(|n| n.strip_suffix(EXTENSION)).and_then(|n| n.strip_suffix('.'));
        if let Some(id) = id.and_then(|id| id.parse().ok()) {
            out.push(id);
        }
    }
    out.sort_unstable();
    Ok(out)
}

pub(super) fn read(dir: &Path, id: KeyId) -> Result<KeyFile, Error> {
    let file = path(dir, id);
    let bytes = std::fs::read(&file).map_err(io("read", &file))?;
    let stored: KeyFile =
        serde_json::from_slice(&bytes).map_err(|source| Error::Malformed { file: file.clone(), source })?;
    if stored.format > FORMAT {
        return Err(Error::NewerFormat { file, found: stored.format, known: FORMAT });
    }
    if stored.id != id {
        return Err(Error::Tampered { key: id, file });
    }
    Ok(stored)
}

pub(super) fn write(dir: &Path, stored: &KeyFile) -> Result<(), Error> {
    let file = path(dir, stored.id);
    let bytes = serde_json::to_vec_pretty(stored).map_err(|source| Error::Malformed { file: file.clone(), source })?;
    replace(&file, &bytes)
}

/// Writes `bytes` to `file` so that a crash leaves the old or the new content, whole and durable.
pub(super) fn replace(file: &Path, bytes: &[u8]) -> Result<(), Error> {
    let temporary = file.with_extension("tmp");
    let mut out = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(FILE_MODE)
        .open(&temporary)
        .map_err(io("create", &temporary))?;
    out.write_all(bytes).and_then(|()| out.sync_all()).map_err(io("write", &temporary))?;
    std::fs::rename(&temporary, file).map_err(io("replace", file))?;
    let dir = file.parent().unwrap_or(Path::new("."));
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(io("sync", dir))
}

/// Creates a file that must not exist yet, for its owner alone.
pub(super) fn create_new(file: &Path, bytes: &[u8]) -> Result<(), Error> {
    let mut out =
        OpenOptions::new().write(true).create_new(true).mode(FILE_MODE).open(file).map_err(io("create", file))?;
    out.write_all(bytes).and_then(|()| out.sync_all()).map_err(io("write", file))
}

/// Holds the token's write lock (between processes too) until dropped.
pub(super) fn lock(dir: &Path) -> Result<File, Error> {
    let file = dir.join("lock");
    let lock = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(FILE_MODE)
        .open(&file)
        .map_err(io("open", &file))?;
    lock.lock().map_err(io("lock", &file))?;
    Ok(lock)
}
