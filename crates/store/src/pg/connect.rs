//! Connecting with the settings that the store relies on, and migrating.
//!
//! INVARIANT: one process at a time opens a database; the others wait for it.

use postgres::Client;

use super::{session::failed, tls::Target};
use crate::{
    Error,
    schema::{MIGRATIONS, MIGRATIONS_TABLE},
    shared::Shared,
};

/// What a connection is for, which decides its time limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// Opening: migrations and rebuilds take as long as they take.
    Open,
    /// Changes: a stuck one holds back the feed of everybody; the longest adds 4,096 facts, which takes seconds.
    Write,
    /// Reads: a load of all grants is the longest.
    Read,
}

impl Role {
    const fn limits(self) -> &'static str {
        match self {
            Self::Open => "-c transaction_timeout=0 -c lock_timeout=600s",
            Self::Write => "-c transaction_timeout=30s -c lock_timeout=30s -c idle_in_transaction_session_timeout=10s",
            Self::Read => "-c transaction_timeout=600s -c idle_in_transaction_session_timeout=60s",
        }
    }
}

/// The first version with everything that the store uses; also the one that it is tested with.
const SERVER_VERSION_MIN: i32 = 180_000;
/// The advisory lock of the opening (`GALN`).
const OPEN_LOCK: i64 = 0x47_41_4c_4e;

pub(super) fn connect(target: &Target, role: Role) -> Result<Client, Error> {
    let mut config = target.config.clone();
    let given = config.get_options().unwrap_or_default().to_owned();
    config.application_name("galen");
    config.options(&format!(
        "{given} -c synchronous_commit=on -c TimeZone=UTC -c client_min_messages=warning -c standard_conforming_strings=on {}",
        role.limits()
    ));
    target.connect(&config)
}

/// Takes the opening lock (released with the connection), checks the server, and runs the missing migrations.
pub(super) fn prepare_database(client: &mut Client, shared: &Shared) -> Result<(), Error> {
    let asking = |error| failed("asking the server", error);
    let row = client
        .query_one("SELECT current_setting('server_version_num')::int, current_setting('server_encoding')", &[])
        .map_err(asking)?;
    let version: i32 = row.try_get(0).map_err(asking)?;
    let encoding: String = row.try_get(1).map_err(asking)?;
    if version < SERVER_VERSION_MIN || encoding != "UTF8" {
        return Err(Error::BadOption { option: "url", expected: "a UTF8 database of PostgreSQL 18" });
    }
    client.execute("SELECT pg_advisory_lock($1)", &[&OPEN_LOCK]).map_err(asking)?;
    migrate(client, shared)
}

fn migrate(client: &mut Client, shared: &Shared) -> Result<(), Error> {
    let migrating = |error| failed("migrating", error);
    client.batch_execute(MIGRATIONS_TABLE).map_err(migrating)?;
    let rows = client.query("SELECT number, digest FROM migrations ORDER BY number", &[]).map_err(migrating)?;
    let applied = rows
        .iter()
        .map(|row| Ok((row.try_get(0)?, row.try_get(1)?)))
        .collect::<Result<Vec<(i64, String)>, _>>()
        .map_err(migrating)?;
    crate::open::check_migrations(&applied)?;
    for migration in MIGRATIONS.iter().skip(applied.len()) {
        let mut transaction = client.transaction().map_err(migrating)?;
        transaction.batch_execute(&migration.postgres()).map_err(migrating)?;
        let (digest, now) = (migration.digest().to_string(), shared.clock.wall().as_microsecond());
        transaction
            .execute(
                "INSERT INTO migrations (number, name, digest, applied) VALUES ($1, $2, $3, $4)",
                &[&migration.number, &migration.name, &digest, &now],
            )
            .map_err(migrating)?;
        transaction.commit().map_err(migrating)?;
    }
    Ok(())
}
