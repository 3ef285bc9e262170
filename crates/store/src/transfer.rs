//! Export and import as JSON Lines: how a store moves to the other engine, and what an inspector is given.
//!
//! An export holds the facts and the documents that they name by digest. Only an export of the whole store also holds
//! records, sealed rows and the wrapped keys of people: nothing in it is opened, and it is taken only where the key that
//! wrapped those keys is. INVARIANT: an import is refused unless every line is exactly what was exported, in the same
//! order, all of them.

mod lines;
mod rows;

use base::{Actor, Region, Timestamp};
use crypto::Sha256Digest;
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet},
    io::{BufRead, Seek, SeekFrom, Write},
    sync::Arc,
};
use tokio::sync::mpsc;

use crate::{
    Error, Fact, PendingEntry, ReadTxn, Store, WriteTxn,
    session::Arg,
    txn::{FACT_COLUMNS, fact_of, whole},
};
use lines::Lines;
pub(crate) use lines::{Chain, line_of};
use rows::Stored;

/// Names the format in the header.
const FORMAT: &str = "galen-facts";
/// The format's version; version 1 had facts only.
const VERSION: u32 = 2;
/// Lines of one change of an import.
const BATCH: usize = 500;
/// Batches that wait between the reader of the file and the store.
const BATCHES_WAITING: usize = 2;
const MARK: (&str, &[u8]) = ("store.import", b"running");

/// What leaves the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Facts and documents: no secret and no personal attribute.
    Facts,
    /// Everything, to move an installation; sealed rows stay sealed.
    Whole {
        /// Names the key that wraps the keys of people; whoever imports must have it.
        seal: String,
    },
}

/// The first line of an export.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExportHeader {
    /// Always `galen-facts`.
    pub format: String,
    /// The version of the format.
    pub version: u32,
    /// The newest migration of the store that exported.
    pub schema: i64,
    /// When.
    pub exported: Timestamp,
    /// The region of the process that exported.
    pub region: Region,
    /// How many facts follow.
    pub facts: u64,
    /// How many facts of each region.
    pub origins: BTreeMap<Region, u64>,
    /// The end of the hash chain over the facts: from 32 zero bytes, for each line, SHA-256 of the value so far and the
    /// line.
    pub chain: Sha256Digest,
    /// How many rows of each table follow the facts.
    #[serde(default)]
    pub rows: BTreeMap<String, u64>,
    /// The end of the hash chain over those rows.
    #[serde(default = "no_rows")]
    pub rows_chain: Sha256Digest,
    /// In an export of the whole store, the key that wraps the keys of people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seal: Option<String>,
}

fn no_rows() -> Sha256Digest {
    Chain::default().value()
}

fn each_line(txn: &ReadTxn<'_>, mut each: impl FnMut(&Fact, &[u8]) -> Result<(), Error>) -> Result<(), Error> {
    let sql = concat!("SELECT ", FACT_COLUMNS!(), " FROM facts f ORDER BY f.origin, f.seq");
    txn.each(sql, &[], |row| {
        let fact = fact_of(row)?;
        each(&fact, &line_of(&fact)?)
    })
}

fn export(txn: &ReadTxn<'_>, scope: Scope, out: &mut impl Write) -> Result<ExportHeader, Error> {
    let (mut chain, mut rows_chain) = (Chain::default(), Chain::default());
    let mut header = ExportHeader {
        format: FORMAT.to_owned(),
        version: VERSION,
        schema: crate::schema::newest(),
        exported: txn.now(),
        region: txn.shared.region.clone(),
        facts: 0,
        origins: BTreeMap::new(),
        chain: chain.value(),
        rows: BTreeMap::new(),
        rows_chain: rows_chain.value(),
        seal: match scope {
            Scope::Facts => None,
            Scope::Whole { seal } => Some(seal),
        },
    };
    let everything = header.seal.is_some();
    each_line(txn, |fact, line| {
        chain.add(line);
        header.facts = header.facts.saturating_add(1);
        header.origins.insert(fact.origin.clone(), fact.seq);
        Ok(())
    })?;
    rows::each(txn, everything, |table, line| {
        rows_chain.add(line);
        let rows = header.rows.entry(table.to_owned()).or_default();
        *rows = rows.saturating_add(1);
        Ok(())
    })?;
    (header.chain, header.rows_chain) = (chain.value(), rows_chain.value());
    let writing = |source| Error::Transfer { doing: "write", source: Arc::new(source) };
    let mut put = |line: &[u8]| out.write_all(line).and_then(|()| out.write_all(b"\n")).map_err(writing);
    put(&base::canonical::to_vec(&header).map_err(|_| Error::Corrupt { what: "export header" })?)?;
    each_line(txn, |_, line| put(line))?;
    rows::each(txn, everything, |_, line| put(line))?;
    out.flush().map_err(writing)?;
    Ok(header)
}

/// Reads the whole export once and refuses it unless it is complete and unchanged, and sealed by what is here.
fn check(input: impl BufRead, seal: &str) -> Result<ExportHeader, Error> {
    let mut lines = Lines::new(input);
    let header = lines.header()?;
    if let Some(by) = header.seal.as_ref().filter(|by| *by != seal) {
        return Err(Error::ForeignSeal { key: by.clone() });
    }
    let (mut chain, mut origins) = (Chain::default(), BTreeMap::<Region, u64>::new());
    for _ in 0..header.facts {
        let (fact, line) = lines.fact()?;
        chain.add(&line);
        let newest = origins.entry(fact.origin).or_default();
        *newest = newest.saturating_add(1);
        if fact.seq != *newest {
            return Err(lines.bad("numbers of each region without gaps, in order"));
        }
    }
    let (mut rows_chain, mut rows) = (Chain::default(), BTreeMap::<String, u64>::new());
    while let Some((row, line)) = lines.row(&header)? {
        rows_chain.add(&line);
        let count = rows.entry(row.table().to_owned()).or_default();
        *count = count.saturating_add(1);
    }
    let facts = chain.value() == header.chain && origins == header.origins;
    if !facts || rows_chain.value() != header.rows_chain || rows != header.rows {
        return Err(lines.bad("exactly the lines that the header counts and chains"));
    }
    Ok(header)
}

/// What one change of an import takes.
enum Batch {
    Facts(Vec<Fact>),
    Rows(Vec<Stored>),
}

fn send_batches<R: BufRead + Seek>(mut input: R, batches: &mpsc::Sender<Result<Batch, Error>>) -> Result<(), Error> {
    input.seek(SeekFrom::Start(0)).map_err(|source| Error::Transfer { doing: "read", source: Arc::new(source) })?;
    let mut lines = Lines::new(input);
    let header = lines.header()?;
    // A receiver that went away no longer wants the rest.
    let send = |batch| batches.blocking_send(Ok(batch)).is_ok();
    let mut facts = Vec::with_capacity(BATCH);
    for _ in 0..header.facts {
        facts.push(lines.fact()?.0);
        if facts.len() == BATCH && !send(Batch::Facts(std::mem::take(&mut facts))) {
            return Ok(());
        }
    }
    let mut rows = Vec::new();
    let mut wanted = send(Batch::Facts(facts));
    while wanted && let Some((row, _)) = lines.row(&header)? {
        rows.push(row);
        wanted = rows.len() < BATCH || send(Batch::Rows(std::mem::take(&mut rows)));
    }
    let _wanted = wanted && send(Batch::Rows(rows));
    Ok(())
}

impl WriteTxn<'_> {
    fn import_begin(&mut self) -> Result<(), Error> {
        let facts = self.one("SELECT count(*) FROM facts", &[], |row| whole(row.int(0)?))?;
        if facts != Some(0) {
            return Err(Error::NotEmpty);
        }
        self.record_put(MARK.0, MARK.1, b"", None).map(drop)
    }

    fn import_batch(&mut self, batch: &Batch) -> Result<(), Error> {
        match batch {
            Batch::Facts(facts) => self.import_facts(facts),
            Batch::Rows(rows) => rows.iter().try_for_each(|row| row.insert(self)),
        }
    }

    fn import_facts(&mut self, facts: &[Fact]) -> Result<(), Error> {
        for fact in facts {
            self.fact_insert(fact)?;
            let (hlc, seq) = (fact.recorded.micros(), i64::try_from(fact.seq).unwrap_or(i64::MAX));
            self.execute(
                "INSERT INTO origins (region, seq, hlc) VALUES ($1, $2, $3) ON CONFLICT (region) DO UPDATE SET \
                 seq = excluded.seq, hlc = CASE WHEN origins.hlc < excluded.hlc THEN excluded.hlc ELSE origins.hlc END",
                &[Arg::Text(fact.origin.as_str()), Arg::Int(seq), Arg::Int(hlc)],
            )?;
            self.shared.clock.observe(fact.recorded);
        }
        for fold in self.shared.folds.clone() {
            let id = self.view_id(fold.view())?;
            let mut touched = BTreeSet::new();
            for fact in facts.iter().filter(|fact| fold.kinds().contains(&fact.kind.as_str())) {
                let aggregate = fold.aggregate(fact);
                self.aggregate_map(id, &aggregate, fact)?;
                touched.insert(aggregate);
            }
            for aggregate in &touched {
                self.aggregate_clear(id, aggregate)?;
                self.aggregate_fold(fold.as_ref(), id, aggregate)?;
            }
        }
        Ok(())
    }
}

/// Refuses a store into which an import was broken off.
pub(crate) fn refuse_unfinished(txn: &ReadTxn<'_>) -> Result<(), Error> {
    match txn.record_get(MARK.0, MARK.1)? {
        Some(_) => Err(Error::ImportUnfinished),
        None => Ok(()),
    }
}

impl Store {
    /// Writes one snapshot to `out`; gives it back with the header.
    ///
    /// # Errors
    /// The engine's, or those of `out`.
    pub async fn export<W: Write + Send + 'static>(
        &self,
        scope: Scope,
        mut out: W,
    ) -> Result<(W, ExportHeader), Error> {
        self.long_read(move |txn| export(txn, scope, &mut out).map(|header| (out, header))).await
    }

    /// Fills an empty store from an export, which is checked whole before the first fact is taken. `seal` names the key
    /// that wraps the keys of people here. Hooks do not see the facts: an import is for a store that nothing serves from. The
    /// entry that `leave` makes of what was checked is pending from the commit that ends the import.
    ///
    /// # Errors
    /// [`Error::NotEmpty`], [`Error::BadExport`] with the line, [`Error::ForeignSeal`], or the engine's. A store whose
    /// import was broken off does not open again.
    pub async fn import<R>(
        &self,
        mut input: R,
        seal: String,
        leave: impl FnOnce(&ExportHeader) -> Result<Option<PendingEntry>, Error>,
    ) -> Result<ExportHeader, Error>
    where
        R: BufRead + Seek + Send + 'static,
    {
        let (batches, mut waiting) = mpsc::channel(BATCHES_WAITING);
        let (checked, header) = tokio::sync::oneshot::channel();
        let body = move || {
            let header = check(&mut input, &seal);
            let sound = header.is_ok();
            drop(checked.send(header));
            if sound && let Err(error) = send_batches(input, &batches) {
                drop(batches.blocking_send(Err(error)));
            }
        };
        std::thread::Builder::new()
            .name("store-import".to_owned())
            .spawn(body)
            .map_err(|source| Error::Transfer { doing: "start reading", source: Arc::new(source) })?;
        let header = header.await.unwrap_or(Err(Error::Closed))?;
        let entry = leave(&header)?;
        self.write(Actor::System, |txn| txn.import_begin()).await?;
        while let Some(batch) = waiting.recv().await {
            let batch = batch?;
            self.write(Actor::System, move |txn| txn.import_batch(&batch)).await?;
        }
        let end = move |txn: &mut WriteTxn<'_>| {
            entry.as_ref().map_or(Ok(()), |entry| txn.pending(entry))?;
            txn.record_delete(MARK.0, MARK.1)
        };
        self.write(Actor::System, end).await?;
        Ok(header)
    }
}
