//! The composition root: every part is made here, once, from the configuration, and handed what it needs.
//!
//! Opening goes from the bottom up and stops at the first part that refuses; closing goes from the top down.

use access::Access;
use anyhow::{Context, Result};
use base::{Effects, NodeId, Secret};
use crypto::Crypto;
use custody::{Custody, Purpose, Seal, SoftwareToken, SoftwareTokenOptions, Token};
use directory::{Directory, Provider};
use governance::{Buckets, Governance, objects::Objects};
use ledger::{LogKey, SignWith};
use std::{
    collections::HashSet,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use store::{
    Store,
    journal::{DiskFiles, Journal, Options as JournalOptions, RealDisk},
};
use tokio::sync::watch;
use tokio_util::task::TaskTracker;

use crate::{
    config::{self, Config},
    nouns,
};

/// The places inside a data folder.
pub(crate) struct Layout(PathBuf);

impl Layout {
    /// The places inside this folder.
    pub(crate) fn new(data_dir: impl Into<PathBuf>) -> Self {
        Self(data_dir.into())
    }
    /// Facts, views and records, when they are in SQLite.
    pub(crate) fn store(&self) -> PathBuf {
        self.0.join("store")
    }
    /// The ledger.
    pub(crate) fn ledger(&self) -> PathBuf {
        self.0.join("ledger")
    }
    /// Encrypted objects.
    pub(crate) fn objects(&self) -> PathBuf {
        self.0.join("objects")
    }
    /// Sealed keys.
    pub(crate) fn keys(&self) -> PathBuf {
        self.0.join("keys")
    }
    /// The secret that seals the keys, unless a passphrase does.
    pub(crate) fn machine_secret(&self) -> PathBuf {
        self.0.join("machine-secret")
    }
    fn node(&self) -> PathBuf {
        self.0.join("node")
    }
}

/// All parts, joined.
pub(crate) struct System {
    pub(crate) effects: Effects,
    pub(crate) store: Store,
    pub(crate) journal: Arc<Journal>,
    pub(crate) access: Access,
    pub(crate) directory: Directory,
    pub(crate) provider: Provider,
    pub(crate) governance: Governance,
    pub(crate) objects: Objects,
    pub(crate) buckets: Buckets,
    stopping: watch::Sender<bool>,
    tasks: TaskTracker,
}

/// How often orphaned bodies are looked for after the start: it reads the name of every body there is.
const SWEEP_EVERY: Duration = Duration::from_secs(24 * 3600);
/// How often expired records are removed.
const HOUSEKEEPING_EVERY: Duration = Duration::from_secs(60);
/// How often the facts of other nodes are asked for: well below the second after which state counts as stale.
const FOLLOW_EVERY: Duration = Duration::from_millis(250);
/// Expired records that one transaction removes, so that writers never wait long for it.
const EXPIRE_PAGE: usize = 1_000;
/// Label of the ledger's key; one per node, because each node has its own log.
const LEDGER_KEY: &str = "ledger";

/// Opens the store alone, with every view of the program, to write to it.
///
/// # Errors
/// The store's own refusals: another process, a newer schema, damage, a clock that went back.
pub(crate) fn open_store(config: &Config, effects: &Effects) -> Result<Store> {
    Store::open(store_options(config, effects)?).context("the store did not open")
}

/// Refuses a data folder without an installation: one that is misspelt, or whose disk is not there, must not become an empty one.
///
/// # Errors
/// Names the folder.
pub(crate) fn made(config: &Config) -> Result<()> {
    anyhow::ensure!(
        Layout::new(&config.data_dir).node().exists(),
        "{} holds no installation: see that `data_dir` is right and its disk is there, or make one with `galen init`",
        config.data_dir.display()
    );
    Ok(())
}

/// Refuses an `issuer` or a `region` that is not the one that the installation was made with: both are in the name of its ledger.
/// Where there is no ledger there is nothing to compare.
///
/// # Errors
/// Names the key and what it was.
pub(crate) fn named(config: &Config) -> Result<()> {
    // A key file that cannot be read is for those to tell who open the ledger.
    let files = DiskFiles::new(&Layout::new(&config.data_dir).ledger());
    let Ok(Some(key)) = LogKey::claimed(&files) else { return Ok(()) };
    let mut parts = key.origin().as_str().rsplitn(3, '/');
    let (_node, region, host) = (parts.next(), parts.next(), parts.next());
    for (name, is, now, made) in [
        ("issuer", config.issuer.as_str(), host_of(&config.issuer), host),
        ("region", config.region.as_str(), config.region.as_str(), region),
    ] {
        let made = made.unwrap_or_default();
        anyhow::ensure!(now == made, "`{name}` is `{is}`, this installation was made with `{made}`: set it back");
    }
    Ok(())
}

/// Opens the store beside a server that may be running, to read it.
///
/// # Errors
/// The store's own refusals: no store there, an older or newer schema, damage.
pub(crate) fn read_store(config: &Config, effects: &Effects) -> Result<Store> {
    made(config)?;
    Store::open_to_read(store_options(config, effects)?).context("the store did not open")
}

fn store_options(config: &Config, effects: &Effects) -> Result<store::Options> {
    let layout = Layout::new(&config.data_dir);
    let backend = match &config.store {
        config::Store::Sqlite => store::Backend::Sqlite { dir: layout.store() },
        config::Store::Postgres { url_file, connections } => {
            let url = nouns::secret(url_file).context("`store.url_file`")?;
            store::Backend::Postgres { url: Secret::new(url), connections: *connections }
        }
    };
    let folds = access::folds().into_iter().chain(directory::folds()).chain(governance::folds()).collect();
    Ok(store::Options {
        backend,
        region: config.region.clone(),
        node: node(&layout, effects)?,
        effects: effects.clone(),
        folds,
        clock_back_max: Duration::from_secs(config.limits.clock_back_secs_max),
    })
}

/// The token that holds the keys of an installation that is there.
///
/// # Errors
/// When there is none, the seal does not open it, or a key file is damaged.
pub(crate) fn open_token(config: &Config, effects: &Effects, crypto: &Crypto) -> Result<Arc<dyn Token>> {
    let options = token_options(config, effects, crypto)?;
    Ok(Arc::new(SoftwareToken::open(options).context("the key token did not open")?))
}

fn token_options(config: &Config, effects: &Effects, crypto: &Crypto) -> Result<SoftwareTokenOptions> {
    let layout = Layout::new(&config.data_dir);
    let seal = match &config.custody {
        config::Custody::Machine => Seal::MachineSecret { file: layout.machine_secret() },
        config::Custody::Passphrase { passphrase_file } => {
            Seal::Passphrase(Secret::new(nouns::secret(passphrase_file).context("`custody.passphrase_file`")?))
        }
    };
    Ok(SoftwareTokenOptions { dir: layout.keys(), seal, effects: effects.clone(), crypto: crypto.clone() })
}

impl System {
    /// Opens everything.
    ///
    /// # Errors
    /// The first part that refuses, and what to do.
    pub(crate) async fn open(config: &Config, effects: &Effects) -> Result<Self> {
        let crypto = Crypto::new(Arc::clone(&effects.entropy));
        let store = open_store(config, effects)?;
        let token = SoftwareToken::open_or_init(token_options(config, effects, &crypto)?);
        let token = Arc::new(token.context("the key token did not open")?);
        let custody = Custody::new(token, store.clone(), effects.clone(), crypto.clone());
        let journal = Arc::new(open_journal(config, &store, &custody)?);
        let (stopping, tasks) = (watch::Sender::new(false), TaskTracker::new());

        let deps = access::Deps {
            store: store.clone(),
            custody: custody.clone(),
            journal: Arc::clone(&journal),
            crypto: crypto.clone(),
            effects: effects.clone(),
            region: config.region.clone(),
            account: config.account,
        };
        let (access, maintenance) = Access::start(deps).await.context("the gate did not start")?;
        tasks.spawn(maintenance.run(stopping.subscribe()));

        let directory = Directory::new(directory::Deps {
            store: store.clone(),
            access: access.clone(),
            custody: custody.clone(),
            effects: effects.clone(),
            crypto: crypto.clone(),
            account: config.account,
            issuer: config.issuer.clone(),
            second_approval: config.approvals.second,
        });
        let provider = Provider::new(directory.clone(), Arc::new(access.clone()));
        let governance =
            Governance::new(store.clone(), access.clone(), custody.clone(), effects.clone(), config.account);
        let buckets = Buckets::new(store.clone(), access.clone(), custody.clone(), effects.clone());
        let backend = adapters::local::LocalBackend::open(&Layout::new(&config.data_dir).objects());
        let objects = Objects::new(governance::objects::Deps {
            store: store.clone(),
            custody: custody.clone(),
            effects: effects.clone(),
            backend: Arc::new(backend.context("the object folder did not open")?),
        });
        let system = Self {
            effects: effects.clone(),
            store,
            journal,
            access,
            directory,
            provider,
            governance,
            objects,
            buckets,
            stopping,
            tasks,
        };
        if matches!(config.store, config::Store::Postgres { .. }) {
            system.tasks.spawn(follow(system.store.clone(), system.stopping.subscribe()));
        }
        system.tasks.spawn(housekeeping(
            system.store.clone(),
            system.objects.clone(),
            effects.clone(),
            system.stopping.subscribe(),
        ));
        Ok(system)
    }

    /// Runs work that belongs to the system; closing waits for it.
    pub(crate) fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        self.tasks.spawn(work);
    }

    /// Ends background work and makes the ledger's last checkpoint.
    ///
    /// # Errors
    /// When the ledger could not be closed cleanly; what was acknowledged is safe all the same.
    pub(crate) async fn close(self) -> Result<()> {
        self.stopping.send_replace(true);
        self.tasks.close();
        self.tasks.wait().await;
        self.journal.close().context("the ledger was not closed cleanly")
    }
}

/// This process's id: made once for a data folder.
fn node(layout: &Layout, effects: &Effects) -> Result<NodeId> {
    let path = layout.node();
    match fs::read_to_string(&path) {
        Ok(text) => text.trim().parse().with_context(|| format!("{} does not hold a node id", path.display())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let node = NodeId::from_uuid(base::Ids::uuid(effects));
            crate::profile::make_private(&layout.0)?;
            crate::profile::write_private(&path, format!("{node}\n").as_bytes())?;
            Ok(node)
        }
        Err(error) => Err(error).with_context(|| format!("could not read {}", path.display())),
    }
}

/// The log's name: it is in every checkpoint and never changes.
pub(crate) fn origin(config: &Config, node: NodeId) -> Result<ledger::Origin> {
    Ok(format!("{}/{}/{node}", host_of(&config.issuer), config.region).parse()?)
}

/// An issuer without its scheme.
fn host_of(issuer: &str) -> &str {
    issuer.split_once("://").map_or(issuer, |(_, rest)| rest)
}

/// The keys that sign and signed this node's ledger, newest first, as the token holds them.
///
/// # Errors
/// When there is no installation, the token does not open or holds no such key.
pub(crate) fn ledger_keys(config: &Config, effects: &Effects) -> Result<Vec<LogKey>> {
    let token = open_token(config, effects, &Crypto::new(Arc::clone(&effects.entropy)))?;
    let key = token.find(Purpose::LedgerSign, LEDGER_KEY)?.context("the key token holds no key of a ledger")?;
    let origin = origin(config, node(&Layout::new(&config.data_dir), effects)?)?;
    let versions = token.versions(key.id)?;
    let of = |version| Ok(LogKey::new(origin.clone(), ed25519(token.public_key(version)?)?));
    versions.iter().rev().map(of).collect()
}

fn ed25519(key: crypto::PublicKey) -> Result<[u8; 32]> {
    let crypto::PublicKey::Ed25519 { x } = key else { anyhow::bail!("the ledger's key is not an Ed25519 key") };
    Ok(x)
}

fn open_journal(config: &Config, store: &Store, custody: &Custody) -> Result<Journal> {
    let key = custody.ensure(Purpose::LedgerSign, LEDGER_KEY)?;
    let raw = ed25519(custody.public_key(&key)?)?;
    let signing = custody.clone();
    let signer =
        SignWith::new(raw, move |text: &[u8]| signing.sign(&key, text).map_err(|error| Box::new(error).into()));
    let disk = RealDisk::open(&Layout::new(&config.data_dir).ledger())?;
    let options = JournalOptions::new(origin(config, store.node())?);
    Journal::open(Arc::new(disk), Arc::new(signer), options).context("the ledger did not open")
}

/// Brings the facts of other nodes to the index until it is told to stop.
async fn follow(store: Store, mut stop: watch::Receiver<bool>) {
    loop {
        if let Err(error) = store.follow().await {
            tracing::error!(%error, "the facts of other nodes could not be read; decisions may be behind them");
        }
        tokio::select! {
            _ = stop.changed() => return,
            () = tokio::time::sleep(FOLLOW_EVERY) => {}
        }
    }
}

/// Removes expired records and orphaned bodies until it is told to stop.
async fn housekeeping(store: Store, objects: Objects, effects: Effects, mut stop: watch::Receiver<bool>) {
    let mut sweep_at = effects.monotonic();
    let mut orphans = HashSet::new();
    loop {
        match store.expire(EXPIRE_PAGE).await {
            Ok(removed) if removed >= EXPIRE_PAGE as u64 => continue,
            Ok(_) => {}
            Err(error) => tracing::warn!(%error, "expired records were not removed"),
        }
        if effects.monotonic() >= sweep_at {
            sweep_at = effects.monotonic() + SWEEP_EVERY;
            match objects.sweep(&orphans).await {
                Ok(swept) => orphans = swept.found,
                Err(error) => tracing::warn!(%error, "orphaned bodies were not removed"),
            }
            if !orphans.is_empty() {
                tracing::warn!(
                    bodies = orphans.len(),
                    "stored bodies without a record are removed in a day; see that the store is the right one"
                );
            }
        }
        tokio::select! {
            _ = stop.changed() => return,
            () = tokio::time::sleep(HOUSEKEEPING_EVERY) => {}
        }
    }
}

/// Whether a folder is absent or empty.
pub(crate) fn is_empty(folder: &Path) -> bool {
    fs::read_dir(folder).map_or(true, |mut entries| entries.next().is_none())
}
