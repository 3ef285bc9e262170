//! The embedded engine: one SQLite file, one writer with group commit, a pool of read connections.
//!
//! It must not know facts or views. INVARIANT: the writer's connection is used by one batch at a time.

mod session;
mod writer;

use rusqlite::{Connection, OpenFlags, config::DbConfig};
use std::{
    fs::{File, TryLockError},
    io::Read,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    thread::JoinHandle,
    time::Duration,
};
use tokio::sync::{Semaphore, mpsc};

use crate::{
    Error, Record, WriteTxn,
    job::{Outcome, ReadJob, WriteJob},
    open::{Run, Step},
    schema::{MIGRATIONS, MIGRATIONS_TABLE, newest},
    shared::Shared,
    txn::ReadTxn,
};
pub(crate) use session::{SqliteSession, failed};
use writer::{Queue, Writer};

/// Closures that may wait for the writer; more wait in their callers.
const QUEUE_MAX: usize = 1024;
/// Read connections: more than the cores of a small machine; each has a page cache of 4 MiB and leans on the system's.
const READERS: usize = 8;
/// Prepared statements kept for each connection: the store has fewer than this.
const STATEMENTS_MAX: usize = 128;
/// A store file up to this size is checked whole at the start (about 0.1 s); a larger one by `verify`.
const QUICK_CHECK_BYTES_MAX: u64 = 32 * 1024 * 1024;
/// How long a connection waits for another's lock on the file.
const BUSY_WAIT_MAX: Duration = Duration::from_secs(5);
/// Pages in the write-ahead log (4 KiB each) after which a change folds them into the file: each change touches the same few
/// pages again, and a larger log folds each of them once.
const CHECKPOINT_PAGES: i64 = 4096;
/// Marks the file as Galen's in its header (`GALN`).
const APPLICATION_ID: i32 = 0x47_41_4c_4e;
const FILE: &str = "galen.db";
const LOCK: &str = "galen.lock";

pub(crate) struct Sqlite {
    /// The writer and the queue to its thread; none where the store is only read.
    writer: Option<(Arc<Writer>, Queue)>,
    thread: Option<JoinHandle<()>>,
    readers: Mutex<Vec<Connection>>,
    permits: Semaphore,
    file: PathBuf,
    /// Held as long as the store is open for writing.
    _lock: Option<File>,
}

impl Sqlite {
    /// Opens and migrates the store in `dir`; `prepare` runs on the writer's connection before anybody else sees it.
    pub(crate) fn open(
        dir: &Path,
        shared: &Arc<Shared>,
        prepare: impl FnOnce(&mut Run<'_>) -> Result<(), Error>,
    ) -> Result<Self, Error> {
        std::fs::create_dir_all(dir).map_err(|source| Error::io("create the store's folder", dir, source))?;
        let lock = lock(dir)?;
        let file = dir.join(FILE);
        let mut conn = writer_connection(dir, &file, shared)?;
        prepare(&mut |step| alone(&mut conn, shared, step))?;
        let readers = (0..READERS).map(|_| reader_connection(&file)).collect::<Result<Vec<_>, _>>()?;
        let (queue, jobs) = mpsc::channel(QUEUE_MAX);
        let writer = Arc::new(Writer::new(conn, Arc::clone(shared)));
        let theirs = Arc::clone(&writer);
        let thread = std::thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || theirs.run(jobs))
            .map_err(|source| Error::io("start the writer of", dir, source))?;
        Ok(Self {
            writer: Some((writer, queue)),
            thread: Some(thread),
            readers: Mutex::new(readers),
            permits: Semaphore::new(READERS),
            file,
            _lock: Some(lock),
        })
    }

    /// Opens a store that is there, beside the process that writes it.
    pub(crate) fn open_to_read(dir: &Path, shared: &Shared) -> Result<Self, Error> {
        let file = dir.join(FILE);
        let size = std::fs::metadata(&file).map_err(|source| Error::io("open", &file, source))?.len();
        refuse_cut(dir, &file, size)?;
        let conn = reader_connection(&file).map_err(|error| at(dir, error))?;
        examine(&conn, size).map_err(|error| at(dir, error))?;
        run(&conn, "beginning", "BEGIN")?;
        let mut session = SqliteSession::new(&conn);
        crate::open::look(&ReadTxn::new(&mut session, shared, shared.clock.read()))?;
        run(&conn, "ending a read", "ROLLBACK")?;
        let mut readers = vec![conn];
        for _ in readers.len()..READERS {
            readers.push(reader_connection(&file)?);
        }
        let (readers, permits) = (Mutex::new(readers), Semaphore::new(READERS));
        Ok(Self { writer: None, thread: None, readers, permits, file, _lock: None })
    }

    /// Whether this process holds the lock of the one that writes.
    pub(crate) const fn writes(&self) -> bool {
        self.writer.is_some()
    }

    pub(crate) async fn write(&self, job: Box<dyn WriteJob>) {
        let Some((writer, queue)) = &self.writer else { return job.finish(Outcome::Failed(Error::ReadOnly)) };
        if let Some(job) = writer.at_once(queue, job)
            && let Err(mpsc::error::SendError(job)) = queue.send(job).await
        {
            job.finish(Outcome::Failed(Error::Closed));
        }
    }

    pub(crate) async fn read(&self, shared: &Shared, job: Box<dyn ReadJob>) {
        let Ok(_permit) = self.permits.acquire().await else { return job.run(Err(Error::Closed)) };
        let pooled = self.readers.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let Some(conn) = pooled else { return job.run(Err(Error::Closed)) };
        read_on(&conn, shared, job);
        self.readers.lock().unwrap_or_else(PoisonError::into_inner).push(conn);
    }

    /// One statement of the pool, in a transaction that it makes and ends itself.
    pub(crate) async fn record_prefix(
        &self,
        shared: &Shared,
        class: &'static str,
        prefix: &[u8],
        limit: usize,
    ) -> Result<Vec<(Vec<u8>, Record)>, Error> {
        shared.running()?;
        let _permit = self.permits.acquire().await.map_err(|_| Error::Closed)?;
        let conn = self.readers.lock().unwrap_or_else(PoisonError::into_inner).pop().ok_or(Error::Closed)?;
        let mut session = SqliteSession::new(&conn);
        let records = ReadTxn::new(&mut session, shared, shared.clock.read()).record_prefix(class, prefix, None, limit);
        self.readers.lock().unwrap_or_else(PoisonError::into_inner).push(conn);
        records
    }

    /// Runs long work on a connection and a thread of its own, outside of the pool.
    pub(crate) fn long_read(&self, shared: &Arc<Shared>, job: Box<dyn ReadJob>) {
        let (file, shared) = (self.file.clone(), Arc::clone(shared));
        let body = move || match reader_connection(&file) {
            Ok(conn) => read_on(&conn, &shared, job),
            Err(error) => job.run(Err(error)),
        };
        // Without a thread the job is dropped and its caller sees a closed store.
        if let Err(error) = std::thread::Builder::new().name("store-long-read".to_owned()).spawn(body) {
            tracing::warn!(error = %error, "no thread for long work");
        }
    }
}

impl Drop for Sqlite {
    fn drop(&mut self) {
        drop(self.writer.take());
        if let Some(thread) = self.thread.take()
            && thread.thread().id() != std::thread::current().id()
        {
            drop(thread.join());
        }
    }
}

fn lock(dir: &Path) -> Result<File, Error> {
    let path = dir.join(LOCK);
    let file = File::options().create(true).truncate(false).write(true).open(&path);
    let file = file.map_err(|source| Error::io("open", &path, source))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Error::InUse { dir: dir.to_owned() }),
        Err(TryLockError::Error(source)) => Err(Error::io("lock", &path, source)),
    }
}

/// The failure with the folder in its message.
fn at(dir: &Path, error: Error) -> Error {
    match error {
        Error::Torn { what, .. } => Error::Torn { place: dir.display().to_string(), what },
        other => other,
    }
}

fn refuse_cut(dir: &Path, file: &Path, size: u64) -> Result<(), Error> {
    if size > 0 && cut_short(file)? {
        let what = "the file is shorter than its header says".to_owned();
        return Err(Error::Torn { place: dir.display().to_string(), what });
    }
    Ok(())
}

fn writer_connection(dir: &Path, file: &Path, shared: &Shared) -> Result<Connection, Error> {
    let torn = |error| at(dir, error);
    let size = std::fs::metadata(file).map_or(0, |meta| meta.len());
    refuse_cut(dir, file, size)?;
    let conn = Connection::open(file).map_err(|error| torn(failed("opening", error)))?;
    configure(&conn).map_err(torn)?;
    if size > 0 {
        examine(&conn, size).map_err(torn)?;
    }
    migrate(&conn, shared).map_err(torn)?;
    Ok(conn)
}

/// A statement is planned once. Without the stability guarantee the planner asks whether a bound value lets it use a partial
/// index (`records_expires`), and so plans every statement on records anew at each run.
fn keep_statements(conn: &Connection) -> Result<(), Error> {
    conn.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
    let stable = conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true);
    stable.map(drop).map_err(|error| failed("configuring", error))
}

fn configure(conn: &Connection) -> Result<(), Error> {
    let configuring = |error| failed("configuring", error);
    keep_statements(conn)?;
    conn.busy_timeout(BUSY_WAIT_MAX).map_err(configuring)?;
    let mode: String = conn.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0)).map_err(configuring)?;
    if mode != "wal" {
        return Err(Error::BadOption {
            option: "dir",
            expected: "a folder on a local file system, which can hold a write-ahead log",
        });
    }
    // The journal of a savepoint stays in memory: as a temporary file it costs a change some calls of the system.
    conn.execute_batch(
        "PRAGMA temp_store = MEMORY; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA recursive_triggers = ON; \
         PRAGMA trusted_schema = OFF; PRAGMA secure_delete = FAST; PRAGMA cache_size = -16384;",
    )
    .and_then(|()| conn.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES))
    .map_err(configuring)
}

fn reader_connection(file: &Path) -> Result<Connection, Error> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(file, flags).map_err(|error| failed("opening", error))?;
    conn.busy_timeout(BUSY_WAIT_MAX).map_err(|error| failed("configuring", error))?;
    keep_statements(&conn)?;
    conn.execute_batch("PRAGMA query_only = ON; PRAGMA trusted_schema = OFF; PRAGMA cache_size = -4096;")
        .map_err(|error| failed("configuring", error))?;
    Ok(conn)
}

fn number(conn: &Connection, sql: &str) -> Result<i64, Error> {
    conn.query_row(sql, [], |row| row.get(0)).map_err(|error| failed("examining", error))
}

/// Finds a file that is shorter than its own header says while no write-ahead log holds the rest (SQLite file format,
/// sections 1.3.2 and 1.3.7). To be asked before a connection makes a log.
fn cut_short(file: &Path) -> Result<bool, Error> {
    let reading = |source| Error::io("read", file, source);
    let size = std::fs::metadata(file).map_err(reading)?.len();
    let log = std::fs::metadata(file.with_extension("db-wal")).map_or(0, |meta| meta.len());
    if size == 0 || log > 0 {
        return Ok(false);
    }
    let mut header = Vec::new();
    File::open(file).and_then(|opened| opened.take(32).read_to_end(&mut header)).map_err(reading)?;
    let page = header.get(16..18).and_then(|bytes| bytes.try_into().ok()).map_or(0, u16::from_be_bytes);
    let pages = header.get(28..32).and_then(|bytes| bytes.try_into().ok()).map_or(0, u32::from_be_bytes);
    // A page size of 65,536 is written as 1.
    let page = if page == 1 { 65_536 } else { u64::from(page) };
    Ok(page.saturating_mul(u64::from(pages)) > size)
}

/// Finds a file that is cut, foreign or damaged before anything is built on it.
fn examine(conn: &Connection, size: u64) -> Result<(), Error> {
    let torn = |what: &str| Error::Torn { place: String::new(), what: what.to_owned() };
    let id = number(conn, "PRAGMA application_id")?;
    if id != 0 && id != i64::from(APPLICATION_ID) {
        return Err(torn("the file belongs to another program"));
    }
    let tables = number(conn, "SELECT count(*) FROM sqlite_schema")?;
    if id == 0 && tables > 0 && number(conn, "SELECT count(*) FROM sqlite_schema WHERE name = 'migrations'")? == 0 {
        return Err(torn("the file belongs to another program"));
    }
    if size <= QUICK_CHECK_BYTES_MAX {
        let verdict: String = conn
            .query_row("PRAGMA quick_check(1)", [], |row| row.get(0))
            .map_err(|error| failed("examining", error))?;
        if verdict != "ok" {
            return Err(torn(&verdict));
        }
    }
    Ok(())
}

fn migrate(conn: &Connection, shared: &Shared) -> Result<(), Error> {
    let migrating = |error| failed("migrating", error);
    conn.execute_batch(MIGRATIONS_TABLE).map_err(migrating)?;
    let mut statement = conn.prepare("SELECT number, digest FROM migrations ORDER BY number").map_err(migrating)?;
    let applied = statement
        .query_map([], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?)))
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(migrating)?;
    drop(statement);
    crate::open::check_migrations(&applied)?;
    for migration in MIGRATIONS.iter().skip(applied.len()) {
        let record = format!(
            "INSERT INTO migrations VALUES ({}, '{}', '{}', {})",
            migration.number,
            migration.name,
            migration.digest(),
            shared.clock.wall().as_microsecond()
        );
        let script = format!(
            "BEGIN IMMEDIATE;\n{}\n{record};\nPRAGMA application_id = {APPLICATION_ID};\nPRAGMA user_version = {};\nCOMMIT;",
            migration.sqlite(),
            newest()
        );
        conn.execute_batch(&script).map_err(migrating)?;
    }
    Ok(())
}

/// Runs a statement that gives no rows; it is planned once.
fn run(conn: &Connection, doing: &'static str, sql: &'static str) -> Result<(), Error> {
    let ran = conn.prepare_cached(sql).and_then(|mut statement| statement.execute([]));
    ran.map(drop).map_err(|error| failed(doing, error))
}

/// One transaction of its own, before the writer thread exists.
fn alone(conn: &mut Connection, shared: &Shared, step: Step<'_>) -> Result<(), Error> {
    run(conn, "beginning", "BEGIN IMMEDIATE")?;
    let mut session = SqliteSession::new(conn);
    let mut txn = WriteTxn::new(&mut session, shared, base::Actor::System);
    let done = step(&mut txn).and_then(|()| txn.finish());
    drop(txn);
    match done {
        Ok(()) => run(conn, "committing", "COMMIT"),
        Err(error) => {
            drop(run(conn, "rolling back", "ROLLBACK"));
            Err(error)
        }
    }
}

pub(crate) fn read_on(conn: &Connection, shared: &Shared, job: Box<dyn ReadJob>) {
    if let Err(error) = shared.running().and_then(|()| run(conn, "beginning", "BEGIN")) {
        return job.run(Err(error));
    }
    let mut session = SqliteSession::new(conn);
    job.run(Ok(&ReadTxn::new(&mut session, shared, shared.clock.read())));
    if let Err(error) = run(conn, "ending a read", "ROLLBACK") {
        tracing::warn!(error = %error, "a read transaction did not end");
    }
}
