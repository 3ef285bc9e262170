//! Export and import of facts as JSON Lines: how a store moves to the other engine, and what an inspector is given.
//!
//! Nothing sealed and no record is in an export. INVARIANT: an import is refused unless every line is exactly what was
//! exported, in the same order, all of them.

use base::{Actor, ChangeId, FactId, Region, Timestamp};
use crypto::{Sha256, Sha256Digest};
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet},
    io::{BufRead, Read, Seek, SeekFrom, Write},
    sync::Arc,
};
use tokio::sync::mpsc;
use uuid::Uuid;

use crate::{
    Error, Fact, Hlc, NewFact, ReadTxn, Store, WriteTxn,
    fact::{parse_actor, timestamp},
    session::Arg,
    txn::{FACT_COLUMNS, fact_of, whole},
};

/// Names the format in the header.
const FORMAT: &str = "galen-facts";
/// The format's version.
const VERSION: u32 = 1;
/// Facts of one change of an import.
const BATCH: usize = 500;
/// Batches that wait between the reader of the file and the store.
const BATCHES_WAITING: usize = 2;
/// Longest line: a body, a reason and the rest, escaped.
const LINE_BYTES_MAX: u64 = 1024 * 1024;
const MARK: (&str, &[u8]) = ("store.import", b"running");

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
    /// The end of the hash chain: from 32 zero bytes, for each line, SHA-256 of the value so far and the line.
    pub chain: Sha256Digest,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    id: FactId,
    origin: Region,
    seq: u64,
    kind: String,
    subject: Uuid,
    body: serde_json::Value,
    digest: Sha256Digest,
    actor: String,
    reason: Option<String>,
    valid_from: i64,
    valid_to: Option<i64>,
    hlc: i64,
    change: ChangeId,
}

/// The line of a fact, canonical and without its line end.
pub(crate) fn line_of(fact: &Fact) -> Result<Vec<u8>, Error> {
    let line = Line {
        id: fact.id,
        origin: fact.origin.clone(),
        seq: fact.seq,
        kind: fact.kind.clone(),
        subject: fact.subject,
        body: fact.body.clone(),
        digest: fact.digest,
        actor: fact.actor.to_string(),
        reason: fact.reason.clone(),
        valid_from: fact.valid_from.as_microsecond(),
        valid_to: fact.valid_to.map(Timestamp::as_microsecond),
        hlc: fact.recorded.micros(),
        change: fact.change,
    };
    base::canonical::to_vec(&line).map_err(|_| Error::NotCanonical { kind: fact.kind.clone() })
}

fn fact_of_line(bytes: &[u8]) -> Option<Fact> {
    let line: Line = serde_json::from_slice(bytes).ok()?;
    let canonical = base::canonical::to_vec(&line.body).ok()?;
    let fact = Fact {
        id: line.id,
        origin: line.origin,
        seq: line.seq,
        kind: line.kind,
        subject: line.subject,
        body: line.body,
        digest: line.digest,
        actor: parse_actor(&line.actor).ok()?,
        reason: line.reason,
        valid_from: timestamp(line.valid_from),
        valid_to: line.valid_to.map(timestamp),
        recorded: Hlc::from_micros(line.hlc),
        change: line.change,
    };
    let sound = crypto::sha256(&canonical) == fact.digest && canonical.len() <= NewFact::BODY_BYTES_MAX;
    sound.then_some(fact)
}

/// The hash chain over lines.
pub(crate) struct Chain(Sha256Digest);

impl Default for Chain {
    fn default() -> Self {
        Self(Sha256Digest([0; 32]))
    }
}

impl Chain {
    pub(crate) fn add(&mut self, line: &[u8]) {
        let mut next = Sha256::new();
        next.update(self.0.bytes());
        next.update(line);
        self.0 = next.finish();
    }
    pub(crate) const fn value(&self) -> Sha256Digest {
        self.0
    }
}

fn each_line(txn: &ReadTxn<'_>, mut each: impl FnMut(&Fact, &[u8]) -> Result<(), Error>) -> Result<(), Error> {
    let sql = concat!("SELECT ", FACT_COLUMNS!(), " FROM facts f ORDER BY f.origin, f.seq");
    txn.each(sql, &[], |row| {
        let fact = fact_of(row)?;
        each(&fact, &line_of(&fact)?)
    })
}

fn export(txn: &ReadTxn<'_>, out: &mut impl Write) -> Result<ExportHeader, Error> {
    let mut chain = Chain::default();
    let mut header = ExportHeader {
        format: FORMAT.to_owned(),
        version: VERSION,
        schema: crate::schema::newest(),
        exported: txn.now(),
        region: txn.shared.region.clone(),
        facts: 0,
        origins: BTreeMap::new(),
        chain: chain.value(),
    };
    each_line(txn, |fact, line| {
        chain.add(line);
        header.facts = header.facts.saturating_add(1);
        header.origins.insert(fact.origin.clone(), fact.seq);
        Ok(())
    })?;
    header.chain = chain.value();
    let writing = |source| Error::Transfer { doing: "write", source: Arc::new(source) };
    let mut put = |line: &[u8]| out.write_all(line).and_then(|()| out.write_all(b"\n")).map_err(writing);
    put(&base::canonical::to_vec(&header).map_err(|_| Error::Corrupt { what: "export header" })?)?;
    each_line(txn, |_, line| put(line))?;
    out.flush().map_err(writing)?;
    Ok(header)
}

/// Reads an export line by line.
struct Lines<R> {
    input: R,
    number: u64,
}

impl<R: BufRead> Lines<R> {
    fn next(&mut self) -> Result<Option<Vec<u8>>, Error> {
        let mut line = Vec::new();
        let mut limited = Read::take(&mut self.input, LINE_BYTES_MAX);
        let read = limited.read_until(b'\n', &mut line);
        read.map_err(|source| Error::Transfer { doing: "read", source: Arc::new(source) })?;
        if line.is_empty() {
            return Ok(None);
        }
        self.number = self.number.saturating_add(1);
        if line.pop() != Some(b'\n') {
            return Err(self.bad("a line that ends, of at most 1 MiB"));
        }
        Ok(Some(line))
    }

    const fn bad(&self, expected: &'static str) -> Error {
        Error::BadExport { line: self.number, expected }
    }

    fn header(&mut self) -> Result<ExportHeader, Error> {
        let line = self.next()?.ok_or(Error::BadExport { line: 1, expected: "a header" })?;
        let header: ExportHeader = serde_json::from_slice(&line).map_err(|_| self.bad("the header of an export"))?;
        if header.format != FORMAT || header.version != VERSION {
            return Err(self.bad("an export of facts, version 1"));
        }
        Ok(header)
    }

    fn fact(&mut self) -> Result<Option<(Fact, Vec<u8>)>, Error> {
        let Some(line) = self.next()? else { return Ok(None) };
        let fact = fact_of_line(&line).ok_or_else(|| self.bad("a fact with its digest"))?;
        Ok(Some((fact, line)))
    }
}

/// Reads the whole export once and refuses it unless it is complete and unchanged.
fn check(input: impl BufRead) -> Result<ExportHeader, Error> {
    let mut lines = Lines { input, number: 0 };
    let header = lines.header()?;
    let (mut chain, mut origins, mut count) = (Chain::default(), BTreeMap::<Region, u64>::new(), 0_u64);
    while let Some((fact, line)) = lines.fact()? {
        chain.add(&line);
        count = count.saturating_add(1);
        let newest = origins.entry(fact.origin).or_default();
        *newest = newest.saturating_add(1);
        if fact.seq != *newest {
            return Err(lines.bad("numbers of each region without gaps, in order"));
        }
    }
    if chain.value() != header.chain || count != header.facts || origins != header.origins {
        return Err(lines.bad("exactly the lines that the header counts and chains"));
    }
    Ok(header)
}

fn send_batches<R: BufRead + Seek>(
    mut input: R,
    batches: &mpsc::Sender<Result<Vec<Fact>, Error>>,
) -> Result<(), Error> {
    input.seek(SeekFrom::Start(0)).map_err(|source| Error::Transfer { doing: "read", source: Arc::new(source) })?;
    let mut lines = Lines { input, number: 0 };
    lines.header()?;
    let mut batch = Vec::with_capacity(BATCH);
    while let Some((fact, _)) = lines.fact()? {
        batch.push(fact);
        if batch.len() == BATCH && batches.blocking_send(Ok(std::mem::take(&mut batch))).is_err() {
            return Ok(());
        }
    }
    // A receiver that went away no longer wants the rest.
    drop(batches.blocking_send(Ok(batch)));
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

    fn import_batch(&mut self, facts: &[Fact]) -> Result<(), Error> {
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
    /// Writes all facts of one snapshot to `out`; gives it back with the header.
    ///
    /// # Errors
    /// The engine's, or those of `out`.
    pub async fn export_facts<W: Write + Send + 'static>(&self, mut out: W) -> Result<(W, ExportHeader), Error> {
        self.long_read(move |txn| export(txn, &mut out).map(|header| (out, header))).await
    }

    /// Fills an empty store from an export, which is checked whole before the first fact is taken. Hooks do not see the
    /// facts: an import is for a store that nothing serves from.
    ///
    /// # Errors
    /// [`Error::NotEmpty`], [`Error::BadExport`] with the line, or the engine's. A store whose import was broken off
    /// does not open again.
    pub async fn import_facts<R: BufRead + Seek + Send + 'static>(&self, mut input: R) -> Result<ExportHeader, Error> {
        let (batches, mut waiting) = mpsc::channel(BATCHES_WAITING);
        let (checked, header) = tokio::sync::oneshot::channel();
        let body = move || {
            let header = check(&mut input);
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
        self.write(Actor::System, |txn| txn.import_begin()).await?;
        while let Some(batch) = waiting.recv().await {
            let batch = batch?;
            self.write(Actor::System, move |txn| txn.import_batch(&batch)).await?;
        }
        self.write(Actor::System, |txn| txn.record_delete(MARK.0, MARK.1)).await?;
        Ok(header)
    }
}
