//! The numbered, forward-only migrations, one text for both engines, and the words in it that differ.
//!
//! It must not know how statements run. INVARIANT: a migration that was released never changes; its digest is stored.

use crypto::Sha256Digest;

/// One migration.
pub(crate) struct Migration {
    pub(crate) number: i64,
    pub(crate) name: &'static str,
    text: &'static str,
    sqlite_only: &'static str,
    postgres_only: &'static str,
}

/// All migrations, oldest first, numbered from 1 without gaps.
pub(crate) const MIGRATIONS: &[Migration] = &[
    Migration {
        number: 1,
        name: "base",
        text: include_str!("../migrations/0001_base.sql"),
        sqlite_only: include_str!("../migrations/0001_base.sqlite.sql"),
        postgres_only: include_str!("../migrations/0001_base.postgres.sql"),
    },
    Migration {
        number: 2,
        name: "pending",
        text: include_str!("../migrations/0002_pending.sql"),
        sqlite_only: include_str!("../migrations/0002_pending.sqlite.sql"),
        postgres_only: "",
    },
];

/// The table of applied migrations, made before any of them.
pub(crate) const MIGRATIONS_TABLE: &str = "CREATE TABLE IF NOT EXISTS migrations (number BIGINT NOT NULL PRIMARY KEY, \
     name TEXT NOT NULL, digest TEXT NOT NULL, applied BIGINT NOT NULL)";

/// The newest migration that this program knows.
pub(crate) fn newest() -> i64 {
    MIGRATIONS.last().map_or(0, |migration| migration.number)
}

impl Migration {
    /// The digest of the common text: the same on both engines.
    pub(crate) fn digest(&self) -> Sha256Digest {
        crypto::sha256(self.text.as_bytes())
    }

    pub(crate) fn sqlite(&self) -> String {
        let words = [
            ("{blob}", "BLOB"),
            ("{text}", "TEXT"),
            ("{serial}", "INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT"),
            ("{xid}", "0"),
            // SQLite knows INTEGER only in a STRICT table; PostgreSQL's BIGINT is the same 64 bits.
            ("BIGINT", "INTEGER"),
            ("{table}", " STRICT"),
            ("{keyed}", " STRICT, WITHOUT ROWID"),
        ];
        format!(
            "{}\n{}",
            words.iter().fold(self.text.to_owned(), |text, (from, to)| text.replace(from, to)),
            self.sqlite_only
        )
    }

    pub(crate) fn postgres(&self) -> String {
        let words = [
            ("{blob}", "BYTEA"),
            ("{text}", "TEXT COLLATE \"C\""),
            ("{serial}", "BIGINT NOT NULL GENERATED ALWAYS AS IDENTITY PRIMARY KEY"),
            ("{xid}", "(pg_current_xact_id()::text::bigint)"),
            ("{table}", ""),
            ("{keyed}", ""),
        ];
        format!(
            "{}\n{}",
            words.iter().fold(self.text.to_owned(), |text, (from, to)| text.replace(from, to)),
            self.postgres_only
        )
    }
}
