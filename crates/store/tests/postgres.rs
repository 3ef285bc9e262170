//! The suite on PostgreSQL 18. The server's URL comes from `GALEN_TEST_POSTGRES_URL` (`cargo xtask test` gives it, and
//! `scripts/postgres-for-tests start DIR` prints one); without it these tests say so and check nothing.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a whole file of tests and their helpers")]

use base::{Effects, Ids, NodeId, Secret};
use std::{
    collections::HashSet,
    sync::{Arc, Mutex},
};
use store::{
    Backend, Error, Fold, Options, Store,
    conformance::{self, Bed},
};

fn server() -> Option<String> {
    #[expect(clippy::disallowed_methods, reason = "tests are told by the environment where the server is")]
    let url = std::env::var("GALEN_TEST_POSTGRES_URL").ok();
    if url.is_none() {
        println!("GALEN_TEST_POSTGRES_URL is not set: PostgreSQL is not tested");
    }
    url
}

/// One database for each store, made new by the first opening.
struct PostgresBed {
    url: String,
    prefix: &'static str,
    made: Mutex<HashSet<String>>,
}

impl PostgresBed {
    fn new(url: String, prefix: &'static str) -> Self {
        Self { url, prefix, made: Mutex::default() }
    }

    fn database(&self, name: &str) -> String {
        let database = format!("galen_{}_{name}", self.prefix);
        if self.made.lock().unwrap().insert(name.to_owned()) {
            self.admin(&[
                format!("DROP DATABASE IF EXISTS {database} WITH (FORCE)"),
                format!("CREATE DATABASE {database}"),
            ]);
        }
        let (server, _) = self.url.rsplit_once('/').unwrap();
        format!("{server}/{database}")
    }

    fn admin(&self, statements: &[String]) {
        // The client has a runtime of its own, so it needs a thread of its own.
        std::thread::scope(|scope| {
            let run = || {
                let mut client = postgres::Client::connect(&self.url, postgres::NoTls).unwrap();
                for statement in statements {
                    client.batch_execute(statement).unwrap();
                }
            };
            scope.spawn(run).join().unwrap();
        });
    }
}

impl Bed for PostgresBed {
    fn open(&self, name: &str, effects: Effects, folds: Vec<Arc<dyn Fold>>) -> Result<Store, Error> {
        let node = NodeId::from_uuid(effects.uuid());
        Store::open(Options {
            backend: Backend::Postgres { url: Secret::new(self.database(name)), connections: 8 },
            folds,
            ..Options::sqlite("", "eu-north-1".parse().unwrap(), node, effects)
        })
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_conforms() {
    let Some(url) = server() else { return };
    conformance::run(&PostgresBed::new(url, "suite")).await;
}

struct SqliteBed(tempfile::TempDir);

impl Bed for SqliteBed {
    fn open(&self, name: &str, effects: Effects, folds: Vec<Arc<dyn Fold>>) -> Result<Store, Error> {
        let node = NodeId::from_uuid(effects.uuid());
        let options = Options::sqlite(self.0.path().join(name), "eu-north-1".parse().unwrap(), node, effects);
        Store::open(Options { folds, ..options })
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn facts_move_between_the_engines() {
    let Some(url) = server() else { return };
    let (sqlite, postgres) = (SqliteBed(tempfile::tempdir().unwrap()), PostgresBed::new(url, "move"));
    conformance::export_and_import_agree(&sqlite, &postgres, "out").await;
    conformance::export_and_import_agree(&postgres, &sqlite, "back").await;
}
