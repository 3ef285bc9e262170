//! What the command line remembers between calls: endpoints, refresh tokens, management sessions, where the secret of a service is,
//! cached credentials.
//!
//! One folder below the user's configuration folder, files of mode 0600, written whole and renamed into place, one lock
//! file so that parallel shells do not refresh the same token twice.

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::{
    fs::{self, File, OpenOptions},
    io::Write,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

/// The folder of the command line's state.
pub(crate) struct Profile {
    folder: PathBuf,
}

/// What is kept for one endpoint. Secrets: the file is readable by its owner alone.
#[derive(Serialize, Deserialize)]
pub(crate) struct SignedIn {
    /// URL of the web edge.
    pub(crate) endpoint: String,
    /// URL of the AWS edge, as the endpoint names it.
    pub(crate) aws: String,
    /// Region for AWS tools.
    pub(crate) region: String,
    /// Who signed in: a user name, or the name of a service.
    pub(crate) username: String,
    /// How to go on.
    #[serde(flatten)]
    pub(crate) by: By,
}

/// What a sign-in goes on with.
#[derive(Clone, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum By {
    /// A person.
    Person(Person),
    /// The service of this machine.
    Service(Service),
}

/// The sign-in of a person.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Person {
    /// The OpenID refresh token; each use replaces it.
    pub(crate) refresh_token: String,
    /// The management session's token.
    pub(crate) session_token: String,
    /// When the management session ends.
    pub(crate) session_expires: base::Timestamp,
    /// The management role chosen with `--as`.
    pub(crate) role: Option<String>,
}

/// A service and where its secret is: the secret itself stays there, so that another one takes its place without a new sign-in.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Service {
    /// The service's id.
    pub(crate) service: String,
    /// The file with the secret, in its first line.
    pub(crate) secret_file: PathBuf,
}

/// Held while a token is refreshed; released when dropped.
pub(crate) struct Lock(#[expect(dead_code, reason = "the lock lives as long as the open file")] File);

impl Profile {
    /// The state of this user: `$XDG_CONFIG_HOME/galen`, else `$HOME/.config/galen`.
    ///
    /// # Errors
    /// When neither variable is set, or the folder cannot be made.
    #[expect(clippy::disallowed_methods, reason = "app is where the environment is read")]
    pub(crate) fn of_user() -> Result<Self> {
        let config = std::env::var_os("XDG_CONFIG_HOME").filter(|v| !v.is_empty()).map(PathBuf::from);
        let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".config"));
        let folder = config.or_else(home).context("neither XDG_CONFIG_HOME nor HOME is set")?.join("galen");
        Self::at(folder)
    }

    /// The state kept in `folder`, which is made if need be.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub(crate) fn at(folder: PathBuf) -> Result<Self> {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&folder)
            .with_context(|| format!("could not make {}", folder.display()))?;
        Ok(Self { folder })
    }

    /// Takes the lock, waiting for another `galen` that holds it.
    ///
    /// # Errors
    /// When the lock file cannot be made.
    pub(crate) fn lock(&self) -> Result<Lock> {
        self.locked("lock")
    }

    /// Waits for the right to replace what is cached under `key`. Whoever holds it may take [`Profile::lock`] besides.
    ///
    /// # Errors
    /// When the lock file cannot be used.
    pub(crate) fn lock_cached(&self, key: &str) -> Result<Lock> {
        self.locked(&format!("cache-{}.lock", file_name(key)))
    }

    fn locked(&self, name: &str) -> Result<Lock> {
        let path = self.folder.join(name);
        let file = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(&path)?;
        file.lock().with_context(|| format!("could not lock {}", path.display()))?;
        Ok(Lock(file))
    }

    /// What is kept for `endpoint`, or for the endpoint of the last sign-in.
    ///
    /// # Errors
    /// When nobody has signed in there.
    pub(crate) fn signed_in(&self, endpoint: Option<&str>) -> Result<SignedIn> {
        let name = match endpoint {
            Some(url) => file_name(url),
            None => self.read::<String>("last")?.context("nobody is signed in; run `galen login --endpoint URL`")?,
        };
        let place = endpoint.unwrap_or("the last endpoint");
        self.read(&name)?.with_context(|| format!("nobody is signed in at {place}; run `galen login --endpoint URL`"))
    }

    /// Keeps a sign-in and makes its endpoint the default.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub(crate) fn keep(&self, signed_in: &SignedIn) -> Result<()> {
        let name = file_name(&signed_in.endpoint);
        self.write(&name, signed_in)?;
        self.write("last", &name)
    }

    /// A cached value, or `None`; a cache that cannot be read is no cache.
    pub(crate) fn cached<T: DeserializeOwned>(&self, key: &str) -> Option<T> {
        self.read(&format!("cache-{}", file_name(key))).ok().flatten()
    }

    /// Caches a value.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub(crate) fn cache<T: Serialize>(&self, key: &str, value: &T) -> Result<()> {
        self.write(&format!("cache-{}", file_name(key)), value)
    }

    fn read<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>> {
        let path = self.path(name);
        match fs::read(&path) {
            Ok(bytes) => {
                let read = serde_json::from_slice(&bytes);
                Ok(Some(read.with_context(|| format!("{} is damaged; sign in again", path.display()))?))
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(|| format!("could not read {}", path.display())),
        }
    }

    fn write<T: Serialize>(&self, name: &str, value: &T) -> Result<()> {
        write_private(&self.path(name), &serde_json::to_vec(value)?)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.json"))
    }
}

/// Writes a file that only its owner can read, whole or not at all.
///
/// # Errors
/// When the folder cannot be written.
pub(crate) fn write_private(path: &Path, bytes: &[u8]) -> Result<()> {
    let temporary = path.with_extension(format!("tmp-{}", std::process::id()));
    let write = || -> std::io::Result<()> {
        let mut file = OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&temporary)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&temporary, path)
    };
    write().with_context(|| format!("could not write {}", path.display()))
}

/// Makes a folder, and what is above it, that nobody else may look into; one that exists keeps its mode.
///
/// # Errors
/// When it cannot be made.
pub(crate) fn make_private(path: &Path) -> Result<()> {
    let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.with_context(|| format!("could not make {}", path.display()))
}

/// A file name for a URL or key: letters and digits stay, everything else becomes `_`, with a digest so that no two collide.
fn file_name(key: &str) -> String {
    let plain: String = key.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).take(60).collect();
    let digest = crypto::sha256(key.as_bytes()).to_string();
    format!("{plain}-{}", digest.get(..12).unwrap_or_default())
}
