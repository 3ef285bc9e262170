//! Beds of both engines for the tests in this folder, and where the PostgreSQL server is.

use base::{Effects, Ids, NodeId, Secret};
use std::{
    collections::HashSet,
    path::PathBuf,
    sync::{Arc, Mutex},
};
use store::{Backend, Fold, Options, conformance::Bed};

/// The server's URL, or `None` after saying so.
pub(crate) fn server() -> Option<String> {
    let url = told("GALEN_TEST_POSTGRES_URL");
    if url.is_none() {
        println!("GALEN_TEST_POSTGRES_URL is not set: PostgreSQL is not tested");
    }
    url
}

/// What the environment tells a test.
#[expect(clippy::disallowed_methods, reason = "tests are told by the environment where the server is")]
pub(crate) fn told(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// One folder for each store.
pub(crate) struct SqliteBed {
    pub(crate) dir: PathBuf,
}

impl Bed for SqliteBed {
    fn options(&self, name: &str, effects: Effects, folds: Vec<Arc<dyn Fold>>) -> Options {
        let node = NodeId::from_uuid(effects.uuid());
        let options = Options::sqlite(self.dir.join(name), "eu-north-1".parse().unwrap(), node, effects);
        Options { folds, ..options }
    }
}

/// One database for each store, made new by the first opening unless `keep`.
pub(crate) struct PostgresBed {
    url: String,
    prefix: &'static str,
    made: Mutex<HashSet<String>>,
    keep: bool,
}

impl PostgresBed {
    pub(crate) fn new(url: String, prefix: &'static str) -> Self {
        Self { url, prefix, made: Mutex::default(), keep: false }
    }

    /// A bed whose stores another process has made.
    pub(crate) fn existing(url: String, prefix: &'static str) -> Self {
        Self { keep: true, ..Self::new(url, prefix) }
    }

    /// The URL of the store's database.
    pub(crate) fn database(&self, name: &str) -> String {
        let database = format!("galen_{}_{name}", self.prefix);
        if !self.keep && self.made.lock().unwrap().insert(name.to_owned()) {
            let drop = format!("DROP DATABASE IF EXISTS {database} WITH (FORCE)");
            raw(&self.url, &[&drop, &format!("CREATE DATABASE {database}")]).unwrap();
        }
        let (server, _) = self.url.rsplit_once('/').unwrap();
        format!("{server}/{database}")
    }
}

/// Runs statements as somebody who goes around the store.
pub(crate) fn raw(url: &str, statements: &[&str]) -> Result<(), postgres::Error> {
    // The client has a runtime of its own, so it needs a thread of its own.
    std::thread::scope(|scope| {
        let run = || {
            let mut client = postgres::Client::connect(url, postgres::NoTls)?;
            statements.iter().try_for_each(|statement| client.batch_execute(statement))
        };
        scope.spawn(run).join().unwrap()
    })
}

impl Bed for PostgresBed {
    fn options(&self, name: &str, effects: Effects, folds: Vec<Arc<dyn Fold>>) -> Options {
        let node = NodeId::from_uuid(effects.uuid());
        Options {
            backend: Backend::Postgres { url: Secret::new(self.database(name)), connections: 8 },
            folds,
            ..Options::sqlite("", "eu-north-1".parse().unwrap(), node, effects)
        }
    }
}
