//! The scale-out engine: a PostgreSQL 18 database, several writer and reader connections, each on its own thread.
//!
//! It must not know facts or views. INVARIANT: every change runs SERIALIZABLE; one that met another writer runs again,
//! the second time alone, so that it ends.

mod connect;
mod deliver;
mod session;
mod tls;

use postgres::Client;
use std::{
    sync::{Arc, Mutex, PoisonError},
    thread::JoinHandle,
};
use tokio::sync::mpsc;

pub(crate) use self::deliver::Delivery;
use self::{
    connect::{Role, connect, prepare_database},
    session::{PgSession, Prepared, failed},
    tls::Target,
};
use crate::{
    Error, Hlc, WriteTxn,
    job::{Attempt, Outcome, ReadJob, WriteJob},
    open::Run,
    shared::{Change, Shared},
    txn::{ReadTxn, Spoilt},
};

/// Closures that may wait for a connection; more wait in their callers.
const QUEUE_MAX: usize = 1024;
/// Runs of one closure: the second runs alone, more are needed only when clocks differ or the server restarts.
const ATTEMPTS_MAX: u32 = 6;
/// Between the runs alone. PostgreSQL frees the locks of a transaction a moment before it forgets what that one read, so who runs
/// alone at once may be sent back by one that has ended, until its process had its turn.
const PAUSES: [&str; 4] =
    ["SELECT pg_sleep(0.002)", "SELECT pg_sleep(0.01)", "SELECT pg_sleep(0.05)", "SELECT pg_sleep(0.25)"];

/// How often the fate of a transaction is asked, a tenth of a second apart: longer than a server takes to notice a lost client.
const RESOLVE_MAX: u32 = 50;

pub(crate) struct Postgres {
    writes: Option<mpsc::Sender<Box<dyn WriteJob>>>,
    reads: Option<mpsc::Sender<Box<dyn ReadJob>>>,
    threads: Vec<JoinHandle<()>>,
    pub(crate) delivery: Arc<Delivery>,
}

type Queue<J> = Arc<Mutex<mpsc::Receiver<Box<J>>>>;

impl Postgres {
    /// Connects, migrates and starts the threads; `prepare` runs while no other process opens the store.
    pub(crate) fn open(
        url: &str,
        connections: u16,
        shared: &Arc<Shared>,
        prepare: impl FnOnce(&mut Run<'_>) -> Result<(), Error> + Send,
    ) -> Result<Self, Error> {
        let target = configured(url, connections)?;
        let delivery = Arc::new(Delivery::default());
        // The client blocks on a runtime of its own, so it must never run on a thread of the caller's runtime.
        let opened = std::thread::scope(|scope| {
            scope.spawn(|| open_alone(&target, shared, &delivery, prepare)).join().unwrap_or(Err(Error::Closed))
        });
        opened?;
        Self::start(&target, connections / 2, connections, shared, delivery)
    }

    /// Opens a store that is there, only to read it.
    pub(crate) fn open_to_read(url: &str, connections: u16, shared: &Arc<Shared>) -> Result<Self, Error> {
        let target = configured(url, connections)?;
        let looked = std::thread::scope(|scope| {
            let look = || {
                let mut conn = Conn::open(&target, Role::Read)?;
                let (mut session, hlc) = conn.snapshot(shared)?;
                crate::open::look(&ReadTxn::new(&mut session, shared, hlc))
            };
            scope.spawn(look).join().unwrap_or(Err(Error::Closed))
        });
        looked?;
        let mut engine = Self::start(&target, 0, connections, shared, Arc::default())?;
        engine.writes = None;
        Ok(engine)
    }

    /// Starts the threads, `writers` of which write; each connects when it has something to do.
    fn start(
        target: &Target,
        writers: u16,
        connections: u16,
        shared: &Arc<Shared>,
        delivery: Arc<Delivery>,
    ) -> Result<Self, Error> {
        let (writes, write_jobs) = mpsc::channel(QUEUE_MAX);
        let (reads, read_jobs) = mpsc::channel(QUEUE_MAX);
        let mut engine = Self { writes: Some(writes), reads: Some(reads), threads: Vec::new(), delivery };
        let (write_jobs, read_jobs) = (Arc::new(Mutex::new(write_jobs)), Arc::new(Mutex::new(read_jobs)));
        for n in 0..connections {
            let worker = Worker {
                target: target.clone(),
                shared: Arc::clone(shared),
                delivery: Arc::clone(&engine.delivery),
                role: if n < writers { Role::Write } else { Role::Read },
                conn: None,
            };
            let (write_jobs, read_jobs) = (Arc::clone(&write_jobs), Arc::clone(&read_jobs));
            let body = move || match worker.role {
                Role::Write => worker.write_all(&write_jobs),
                _ => worker.read_all(&read_jobs),
            };
            let thread = std::thread::Builder::new().name(format!("store-{n}")).spawn(body);
            engine.threads.push(thread.map_err(|source| Error::Engine {
                doing: "starting a connection's thread",
                source: Arc::new(source),
            })?);
        }
        Ok(engine)
    }

    pub(crate) async fn write(&self, job: Box<dyn WriteJob>) {
        match &self.writes {
            Some(queue) => {
                if let Err(mpsc::error::SendError(job)) = queue.send(job).await {
                    job.finish(Outcome::Failed(Error::Closed));
                }
            }
            None => job.finish(Outcome::Failed(Error::ReadOnly)),
        }
    }

    pub(crate) async fn read(&self, job: Box<dyn ReadJob>) {
        match &self.reads {
            Some(queue) => {
                if let Err(mpsc::error::SendError(job)) = queue.send(job).await {
                    job.run(Err(Error::Closed));
                }
            }
            None => job.run(Err(Error::Closed)),
        }
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        drop((self.writes.take(), self.reads.take()));
        let me = std::thread::current().id();
        for thread in self.threads.drain(..).filter(|thread| thread.thread().id() != me) {
            drop(thread.join());
        }
    }
}

fn configured(url: &str, connections: u16) -> Result<Target, Error> {
    if connections < 2 {
        return Err(Error::BadOption { option: "connections", expected: "at least 2" });
    }
    Target::parse(url)
}

fn open_alone(
    target: &Target,
    shared: &Shared,
    delivery: &Delivery,
    prepare: impl FnOnce(&mut Run<'_>) -> Result<(), Error>,
) -> Result<(), Error> {
    let mut conn = Conn::open(target, Role::Open)?;
    prepare_database(&mut conn.client, shared)?;
    prepare(&mut |step| {
        let mut run = |txn: &mut WriteTxn<'_>| step(txn).map_err(Some);
        conn.change(shared, base::Actor::System, true, &mut run)
            .map(drop)
            .map_err(|error| error.unwrap_or(Error::Closed))
    })?;
    let looked = shared.effects.monotonic();
    let (mut session, hlc) = conn.snapshot(shared)?;
    let newest = ReadTxn::new(&mut session, shared, hlc).newest_seq()?;
    delivery.start(newest, looked);
    Ok(())
}

/// A connection and its prepared statements.
struct Conn {
    target: Target,
    role: Role,
    client: Client,
    prepared: Prepared,
}

impl Conn {
    fn open(target: &Target, role: Role) -> Result<Self, Error> {
        Ok(Self { target: target.clone(), role, client: connect(target, role)?, prepared: Prepared::default() })
    }

    fn run(&mut self, doing: &'static str, sql: &str) -> Result<(), Error> {
        self.client.batch_execute(sql).map_err(|error| failed(doing, error))
    }

    /// Begins a transaction in one round trip and shows the newest recorded time, the first column, to the clock; gives
    /// the second, the transaction's id.
    fn begin(&mut self, shared: &Shared, sql: &str) -> Result<Option<String>, Error> {
        let mut rows = self.client.simple_query(sql);
        if rows.is_err() && self.client.is_closed() {
            // The server went away since the last transaction; nothing of this one has run.
            *self = Self::open(&self.target, self.role)?;
            rows = self.client.simple_query(sql);
        }
        let rows = rows.map_err(|error| failed("beginning", error))?;
        let row = rows.iter().find_map(|message| match message {
            postgres::SimpleQueryMessage::Row(row) => Some(row),
            _ => None,
        });
        let newest = row.and_then(|row| row.get(0)).and_then(|text| text.parse().ok());
        shared.clock.observe(Hlc::from_micros(newest.unwrap_or(0)));
        Ok(row.filter(|row| row.len() > 1).and_then(|row| row.get(1)).map(str::to_owned))
    }

    fn snapshot(&mut self, shared: &Shared) -> Result<(PgSession<'_>, Hlc), Error> {
        self.begin(shared, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SELECT max(hlc) FROM origins")?;
        Ok((PgSession::new(&mut self.client, &mut self.prepared), shared.clock.read()))
    }

    /// One transaction of one change, until it is committed or has failed for another reason than another writer.
    fn change(
        &mut self,
        shared: &Shared,
        by: base::Actor,
        alone: bool,
        run: &mut dyn FnMut(&mut WriteTxn<'_>) -> Result<(), Option<Error>>,
    ) -> Result<Change, Option<Error>> {
        let mut pauses = PAUSES.iter();
        for attempt in 0..ATTEMPTS_MAX {
            let done = self.attempt(shared, by, alone || attempt > 0, run);
            match done {
                Err(Some(Error::Retry)) => {}
                Err(other) => {
                    self.undo();
                    return Err(other);
                }
                Ok((change, xid)) => match self.commit(&xid) {
                    Ok(()) => return Ok(change),
                    Err(Error::Retry) => {}
                    Err(other) => return Err(Some(other)),
                },
            }
            self.undo();
            if attempt > 0
                && let Some(pause) = pauses.next()
            {
                self.run("waiting", pause).map_err(Some)?;
            }
        }
        Err(Some(Error::Contention { attempts: ATTEMPTS_MAX }))
    }

    fn attempt(
        &mut self,
        shared: &Shared,
        by: base::Actor,
        alone: bool,
        run: &mut dyn FnMut(&mut WriteTxn<'_>) -> Result<(), Option<Error>>,
    ) -> Result<(Change, String), Option<Error>> {
        // LOCK takes no snapshot, so what runs alone sees everything that was committed before its turn.
        let begin = if alone {
            "BEGIN ISOLATION LEVEL SERIALIZABLE; LOCK TABLE turn IN EXCLUSIVE MODE; \
             SELECT max(hlc), pg_current_xact_id()::text FROM origins"
        } else {
            "BEGIN ISOLATION LEVEL SERIALIZABLE; LOCK TABLE turn IN ROW SHARE MODE; \
             SELECT max(hlc), pg_current_xact_id()::text FROM origins"
        };
        let xid = self.begin(shared, begin).map_err(Some)?.unwrap_or_default();
        let mut session = PgSession::new(&mut self.client, &mut self.prepared);
        let mut txn = WriteTxn::new(&mut session, shared, by);
        let ran = run(&mut txn);
        match (ran, txn.spoilt()) {
            (_, Some(Spoilt::Retry)) => return Err(Some(Error::Retry)),
            (Err(error), _) => return Err(error),
            (Ok(()), Some(Spoilt::Failed)) => return Err(Some(Error::StatementFailed)),
            (Ok(()), None) => txn.finish().map_err(Some)?,
        }
        Ok((txn.into_change(), xid))
    }

    fn commit(&mut self, xid: &str) -> Result<(), Error> {
        match self.client.batch_execute("COMMIT") {
            Ok(()) => Ok(()),
            Err(error) if error.is_closed() || error.code().is_none() => self.resolve(xid, &Arc::new(error)),
            Err(error) => match failed("committing", error) {
                Error::Retry => Err(Error::Retry),
                other => Err(Error::CommitFailed { source: Arc::new(other) }),
            },
        }
    }

    /// Asks the server over a new connection what became of a transaction whose COMMIT was not answered.
    fn resolve(&mut self, xid: &str, lost: &Arc<postgres::Error>) -> Result<(), Error> {
        let unknown = || Error::CommitUnknown { source: Arc::clone(lost) as crate::Cause };
        *self = Self::open(&self.target, self.role).map_err(|_| unknown())?;
        let fate = "SELECT pg_xact_status($1::text::xid8)";
        for _ in 0..RESOLVE_MAX {
            let row = self.client.query_one(fate, &[&xid]).map_err(|_| unknown())?;
            match row.try_get::<_, Option<&str>>(0).map_err(|_| unknown())? {
                Some("committed") => return Ok(()),
                Some("aborted") => return Err(Error::Retry),
                // The server is still at it, or has not noticed that the old connection is gone.
                Some("in progress") => self.run("waiting", "SELECT pg_sleep(0.1)").map_err(|_| unknown())?,
                _ => break,
            }
        }
        Err(unknown())
    }

    fn undo(&mut self) {
        if !self.client.is_closed() {
            drop(self.run("rolling back", "ROLLBACK"));
        }
    }
}

struct Worker {
    target: Target,
    shared: Arc<Shared>,
    delivery: Arc<Delivery>,
    role: Role,
    conn: Option<Conn>,
}

fn next<J: ?Sized>(jobs: &Queue<J>) -> Option<Box<J>> {
    jobs.lock().unwrap_or_else(PoisonError::into_inner).blocking_recv()
}

impl Worker {
    /// The open connection, or a new one if there is none or the server has gone away.
    fn connected(&mut self) -> Result<&mut Conn, Error> {
        if self.conn.as_ref().is_none_or(|conn| conn.client.is_closed()) {
            self.conn = None;
        }
        match &mut self.conn {
            Some(conn) => Ok(conn),
            empty => Ok(empty.insert(Conn::open(&self.target, self.role)?)),
        }
    }

    fn write_all(mut self, jobs: &Queue<dyn WriteJob>) {
        while let Some(mut job) = next(jobs) {
            let outcome = self.write(job.as_mut());
            job.finish(outcome);
        }
    }

    fn write(&mut self, job: &mut dyn WriteJob) -> Outcome {
        let (shared, delivery) = (Arc::clone(&self.shared), Arc::clone(&self.delivery));
        if let Err(error) = shared.running() {
            return Outcome::Failed(error);
        }
        let conn = match self.connected() {
            Ok(conn) => conn,
            Err(error) => return Outcome::Failed(error),
        };
        let by = job.by();
        let mut run = |txn: &mut WriteTxn<'_>| match job.attempt(txn) {
            Attempt::Ready => Ok(()),
            Attempt::Refused => Err(None),
            Attempt::Panicked => Err(Some(Error::ClosurePanicked)),
        };
        match conn.change(&shared, by, false, &mut run) {
            Err(None) => Outcome::Refused,
            Err(Some(error)) => Outcome::Failed(error),
            Ok(change) => {
                if !change.facts.is_empty() && !delivery.local(conn, &shared, &change) {
                    return Outcome::Failed(Error::Halted);
                }
                if change.erased
                    && let Err(error) = conn.run("removing erased rows", "VACUUM sealed, subject_keys")
                {
                    tracing::warn!(error = %error, "erased rows stay in the data files until the next vacuum");
                }
                shared.moved(&change);
                if change.pending {
                    shared.pending.notify_one();
                }
                if let Err(error) = shared.running() {
                    return Outcome::Failed(error);
                }
                let position = change.position.unwrap_or_else(|| *shared.position.borrow());
                Outcome::Committed { change, position }
            }
        }
    }

    fn read_all(mut self, jobs: &Queue<dyn ReadJob>) {
        while let Some(job) = next(jobs) {
            self.read(job);
        }
    }

    fn read(&mut self, job: Box<dyn ReadJob>) {
        let shared = Arc::clone(&self.shared);
        let conn = match shared.running().and_then(|()| self.connected()) {
            Ok(conn) => conn,
            Err(error) => return job.run(Err(error)),
        };
        match conn.snapshot(&shared) {
            Err(error) => job.run(Err(error)),
            Ok((mut session, hlc)) => job.run(Ok(&ReadTxn::new(&mut session, &shared, hlc))),
        }
        conn.undo();
    }
}
