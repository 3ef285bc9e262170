//! The engine that tests of other crates run on: SQLite, or the PostgreSQL server that the environment names.
//!
//! It must not know what is tested. INVARIANT: each folder has a store of its own on either engine, also when it is opened
//! again.

#![expect(clippy::unwrap_used, reason = "test code that tests call")]

use base::Secret;
use std::{
    fs,
    path::Path,
    sync::{
        Once,
        atomic::{AtomicU32, Ordering},
    },
};

use crate::Backend;

/// Names the server. Its databases are called by this prefix, the process and a number.
const SERVER: &str = "GALEN_TEST_STORE_URL";
const PREFIX: &str = "galen_any";
/// Few, since many tests run at once.
const CONNECTIONS: u16 = 4;

/// Where a test keeps the state that belongs to `dir`.
pub fn backend(dir: &Path) -> Backend {
    #[expect(clippy::disallowed_methods, reason = "tests are told by the environment where the server is")]
    let Ok(server) = std::env::var(SERVER) else { return Backend::Sqlite { dir: dir.to_owned() } };
    let (base, _) = server.rsplit_once('/').unwrap();
    fs::create_dir_all(dir).unwrap();
    let kept = dir.join("database");
    let name = fs::read_to_string(&kept).unwrap_or_else(|_| {
        let name = create(&server);
        fs::write(&kept, &name).unwrap();
        name
    });
    Backend::Postgres { url: Secret::new(format!("{base}/{name}")), connections: CONNECTIONS }
}

/// Makes the database behind `dir` unreachable, as when its server is gone.
pub fn cut_off(dir: &Path) {
    #[expect(clippy::disallowed_methods, reason = "tests are told by the environment where the server is")]
    let server = std::env::var(SERVER).unwrap();
    let name = fs::read_to_string(dir.join("database")).unwrap();
    std::thread::scope(|scope| {
        let run = || {
            let mut client = postgres::Client::connect(&server, postgres::NoTls).unwrap();
            client.batch_execute(&format!("ALTER DATABASE {name} ALLOW_CONNECTIONS false")).unwrap();
            let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1";
            client.execute(end, &[&name]).unwrap();
        };
        scope.spawn(run).join().unwrap();
    });
}

fn create(server: &str) -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    static SWEPT: Once = Once::new();
    let name = format!("{PREFIX}_{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    // The client has a runtime of its own, so it needs a thread of its own.
    std::thread::scope(|scope| {
        let run = || {
            let mut client = postgres::Client::connect(server, postgres::NoTls).unwrap();
            SWEPT.call_once(|| sweep(&mut client));
            client.batch_execute(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).unwrap();
            client.batch_execute(&format!("CREATE DATABASE {name}")).unwrap();
        };
        scope.spawn(run).join().unwrap();
    });
    name
}

/// Removes the databases of processes that are gone. Another test may remove the same ones, which is no failure.
fn sweep(client: &mut postgres::Client) {
    let sql = format!("SELECT datname FROM pg_database WHERE datname LIKE '{PREFIX}\\_%'");
    for row in client.query(&sql, &[]).unwrap() {
        let name: String = row.get(0);
        let process = name.split('_').nth(2).unwrap_or_default();
        if !Path::new("/proc").join(process).exists() {
            drop(client.batch_execute(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")));
        }
    }
}
