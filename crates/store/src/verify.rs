//! Verification: refolds everything, compares it with what is stored, and checks every digest and number.
//!
//! It only reads. INVARIANT: two stores with the same facts give the same chain and the same fold hashes, on any engine.

use base::{FactId, Region};
use crypto::{Sha256, Sha256Digest};
use serde::Serialize;
use std::{collections::BTreeSet, fmt, sync::Arc};

use crate::{
    Error, Fact, Fold, Lookup, ReadTxn, ViewRow,
    fact::Interval,
    session::Arg,
    transfer::{Chain, line_of},
    txn::{FACT_COLUMNS, body_text, digest_of, fact_of, whole},
};

/// Findings that a report lists; the rest is counted, because a broken store can have millions.
const PROBLEMS_MAX: usize = 100;

/// What verification found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// How many facts there are.
    pub facts: u64,
    /// How many facts each region has recorded.
    pub origins: Vec<(Region, u64)>,
    /// The hash chain over all facts, as an export of them has it.
    pub chain: Sha256Digest,
    /// Each view of this process.
    pub views: Vec<ViewReport>,
    /// What is wrong; empty for a sound store.
    pub problems: Vec<Problem>,
    /// Findings that are not listed.
    pub problems_more: u64,
}

impl Report {
    /// Whether nothing is wrong.
    pub const fn sound(&self) -> bool {
        self.problems.is_empty() && self.problems_more == 0
    }
    fn found(&mut self, problem: Problem) {
        if self.problems.len() < PROBLEMS_MAX {
            self.problems.push(problem);
        } else {
            self.problems_more = self.problems_more.saturating_add(1);
        }
    }
}

/// One view as verified.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ViewReport {
    /// The view.
    pub view: &'static str,
    /// Its fold's version.
    pub version: u32,
    /// Its rows.
    pub rows: u64,
    /// SHA-256 over all its rows in order.
    pub fold_hash: Sha256Digest,
}

/// One finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "problem", rename_all = "snake_case")]
pub enum Problem {
    /// A fact's body is not what its digest says.
    FactDigest {
        /// The fact.
        fact: FactId,
    },
    /// A fact does not parse.
    FactUnreadable {
        /// The region.
        origin: String,
        /// Its number there.
        seq: u64,
    },
    /// Numbers of a region are missing.
    SequenceGap {
        /// The region.
        origin: String,
        /// The number that should have come.
        expected: u64,
        /// The number that came.
        found: u64,
    },
    /// An aggregate's stored rows are not what its facts fold to.
    ViewDiffers {
        /// The view.
        view: &'static str,
        /// The aggregate.
        aggregate: String,
    },
    /// Facts of an aggregate do not fold.
    Unfoldable {
        /// The view.
        view: &'static str,
        /// The aggregate.
        aggregate: String,
    },
    /// Rows belong to no fact.
    Orphaned {
        /// What they are.
        what: &'static str,
        /// How many.
        rows: u64,
    },
    /// A document is not what its digest says.
    DocumentDigest {
        /// The digest.
        digest: Sha256Digest,
    },
    /// The engine's own check found something.
    Engine {
        /// In its words.
        finding: String,
    },
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FactDigest { fact } => write!(f, "fact {fact} does not have its digest"),
            Self::FactUnreadable { origin, seq } => write!(f, "fact {seq} of region {origin} does not parse"),
            Self::SequenceGap { origin, expected, found } => {
                write!(f, "region {origin}: fact {expected} should follow, {found} does")
            }
            Self::ViewDiffers { view, aggregate } => {
                write!(f, "view `{view}`, aggregate `{aggregate}`: the stored rows are not what the facts fold to")
            }
            Self::Unfoldable { view, aggregate } => {
                write!(f, "view `{view}`, aggregate `{aggregate}`: the facts do not fold")
            }
            Self::Orphaned { what, rows } => write!(f, "{rows} {what}"),
            Self::DocumentDigest { digest } => write!(f, "document {digest} does not have its digest"),
            Self::Engine { finding } => write!(f, "the engine reports: {finding}"),
        }
    }
}

/// Verifies everything that one snapshot holds.
pub(crate) fn verify(txn: &ReadTxn<'_>) -> Result<Report, Error> {
    let mut report = Report {
        facts: 0,
        origins: Vec::new(),
        chain: Sha256Digest([0; 32]),
        views: Vec::new(),
        problems: txn.integrity()?.into_iter().map(|finding| Problem::Engine { finding }).collect(),
        problems_more: 0,
    };
    let aggregates = facts(txn, &mut report)?;
    for (fold, aggregates) in txn.shared.folds.iter().zip(aggregates) {
        view(txn, fold.as_ref(), aggregates, &mut report)?;
    }
    documents(txn, &mut report)?;
    orphans(txn, &mut report)?;
    Ok(report)
}

/// Checks every fact; gives the aggregates of each fold that facts name.
fn facts(txn: &ReadTxn<'_>, report: &mut Report) -> Result<Vec<BTreeSet<String>>, Error> {
    let folds: Vec<Arc<dyn Fold>> = txn.shared.folds.clone();
    let mut aggregates = vec![BTreeSet::new(); folds.len()];
    let mut chain = Chain::default();
    let mut last: Option<(String, u64)> = None;
    let sql = concat!("SELECT ", FACT_COLUMNS!(), " FROM facts f ORDER BY f.origin, f.seq");
    txn.each(sql, &[], |row| {
        let (origin, seq) = (row.text(1)?, whole(row.int(2)?)?);
        let expected = last.as_ref().filter(|(region, _)| region == origin).map_or(1, |(_, seq)| seq.saturating_add(1));
        if seq != expected {
            report.found(Problem::SequenceGap { origin: origin.to_owned(), expected, found: seq });
        }
        last = Some((origin.to_owned(), seq));
        report.facts = report.facts.saturating_add(1);
        let Ok(fact) = fact_of(row) else {
            report.found(Problem::FactUnreadable { origin: origin.to_owned(), seq });
            return Ok(());
        };
        if crypto::sha256(row.text(5)?.as_bytes()) != fact.digest {
            report.found(Problem::FactDigest { fact: fact.id });
        }
        match report.origins.last_mut() {
            Some((region, newest)) if *region == fact.origin => *newest = seq,
            _ => report.origins.push((fact.origin.clone(), seq)),
        }
        chain.add(&line_of(&fact)?);
        for (fold, named) in folds.iter().zip(&mut aggregates) {
            if fold.kinds().contains(&fact.kind.as_str()) {
                named.insert(fold.aggregate(&fact));
            }
        }
        Ok(())
    })?;
    report.chain = chain.value();
    txn.each("SELECT region, seq FROM origins", &[], |row| {
        let (region, counted) = (row.text(0)?, whole(row.int(1)?)?);
        let found = report.origins.iter().find(|(known, _)| known.as_str() == region).map_or(0, |(_, seq)| *seq);
        if found != counted {
            let expected = counted;
            report.found(Problem::SequenceGap { origin: region.to_owned(), expected, found });
        }
        Ok(())
    })?;
    Ok(aggregates)
}

/// One row with its lookups in byte order, as stored or as folded.
struct Whole {
    row: ViewRow,
    body: String,
    lookups: BTreeSet<(String, String)>,
}

impl Whole {
    fn folded(row: ViewRow) -> Result<Self, Error> {
        let lookups = row.lookups.iter().map(|Lookup { name, value }| ((*name).to_owned(), value.clone())).collect();
        Ok(Self { body: body_text(&row)?, lookups, row })
    }

    fn same(&self, other: &Self) -> bool {
        self.row.row == other.row.row
            && self.row.valid.stored() == other.row.valid.stored()
            && self.row.known.stored() == other.row.known.stored()
            && self.body == other.body
            && self.lookups == other.lookups
    }

    fn hash(&self, aggregate: &str, into: &mut Sha256) {
        let mut field = |bytes: &[u8]| {
            into.update(&u64::try_from(bytes.len()).unwrap_or(u64::MAX).to_be_bytes());
            into.update(bytes);
        };
        field(aggregate.as_bytes());
        field(self.row.row.as_bytes());
        for time in [self.row.valid.stored(), self.row.known.stored()] {
            field(&time.0.to_be_bytes());
            field(&time.1.to_be_bytes());
        }
        field(self.body.as_bytes());
        for (name, value) in &self.lookups {
            field(name.as_bytes());
            field(value.as_bytes());
        }
    }
}

fn view(txn: &ReadTxn<'_>, fold: &dyn Fold, aggregates: BTreeSet<String>, report: &mut Report) -> Result<(), Error> {
    let id = txn.view_id(fold.view())?;
    let (mut hash, mut rows) = (Sha256::new(), 0_u64);
    for aggregate in &aggregates {
        let facts: Vec<Fact> = txn.aggregate_facts(fold, id, aggregate)?;
        let Ok(folded) = fold.fold(aggregate, &facts) else {
            report.found(Problem::Unfoldable { view: fold.view(), aggregate: aggregate.clone() });
            continue;
        };
        let folded = folded.into_iter().map(Whole::folded).collect::<Result<Vec<_>, _>>()?;
        let stored = stored(txn, id, aggregate)?;
        if folded.len() != stored.len() || !folded.iter().zip(&stored).all(|(folded, stored)| folded.same(stored)) {
            report.found(Problem::ViewDiffers { view: fold.view(), aggregate: aggregate.clone() });
        }
        stored.iter().for_each(|row| row.hash(aggregate, &mut hash));
        rows = rows.saturating_add(u64::try_from(stored.len()).unwrap_or(u64::MAX));
    }
    let mut orphaned = 0_u64;
    txn.each("SELECT DISTINCT aggregate FROM view_rows WHERE view_id = $1", &[Arg::Int(id)], |row| {
        orphaned = orphaned.saturating_add(u64::from(!aggregates.contains(row.text(0)?)));
        Ok(())
    })?;
    if orphaned > 0 {
        report.found(Problem::Orphaned { what: "aggregates have view rows but no facts", rows: orphaned });
    }
    report.views.push(ViewReport { view: fold.view(), version: fold.version(), rows, fold_hash: hash.finish() });
    Ok(())
}

fn stored(txn: &ReadTxn<'_>, view_id: i64, aggregate: &str) -> Result<Vec<Whole>, Error> {
    let key = [Arg::Int(view_id), Arg::Text(aggregate)];
    let sql = "SELECT n, row_id, valid_from, valid_to, known_from, known_to, body FROM view_rows \
               WHERE view_id = $1 AND aggregate = $2 ORDER BY n";
    let mut rows = txn.all(sql, &key, |row| {
        let view_row = ViewRow {
            row: row.text(1)?.to_owned(),
            valid: Interval::from_stored(row.int(2)?, row.int(3)?),
            known: Interval::from_stored(row.int(4)?, row.int(5)?),
            body: serde_json::Value::Null,
            lookups: Vec::new(),
        };
        Ok((row.int(0)?, Whole { row: view_row, body: row.text(6)?.to_owned(), lookups: BTreeSet::new() }))
    })?;
    let sql = "SELECT n, name, value FROM view_lookups WHERE view_id = $1 AND aggregate = $2";
    txn.each(sql, &key, |row| {
        let n = row.int(0)?;
        if let Some((_, whole)) = rows.iter_mut().find(|(at, _)| *at == n) {
            whole.lookups.insert((row.text(1)?.to_owned(), row.text(2)?.to_owned()));
        }
        Ok(())
    })?;
    Ok(rows.into_iter().map(|(_, whole)| whole).collect())
}

fn documents(txn: &ReadTxn<'_>, report: &mut Report) -> Result<(), Error> {
    txn.each("SELECT digest, bytes FROM documents", &[], |row| {
        let digest = digest_of(row.blob(0)?)?;
        if crypto::sha256(row.blob(1)?) != digest {
            report.found(Problem::DocumentDigest { digest });
        }
        Ok(())
    })
}

/// Rows that lead nowhere.
const ORPHANS: &[(&str, &str)] = &[
    (
        "facts are not in the feed",
        "SELECT count(*) FROM facts f LEFT JOIN outbox o ON o.fact = f.id WHERE o.pos IS NULL",
    ),
    (
        "feed rows have no fact",
        "SELECT count(*) FROM outbox o LEFT JOIN facts f ON f.id = o.fact WHERE o.fact IS NOT NULL AND f.id IS NULL",
    ),
    (
        "lookups have no view row",
        "SELECT count(*) FROM view_lookups l LEFT JOIN view_rows v \
         ON v.view_id = l.view_id AND v.aggregate = l.aggregate AND v.n = l.n WHERE v.n IS NULL",
    ),
    (
        "view rows belong to no view",
        "SELECT count(*) FROM view_rows v LEFT JOIN fold_views w ON w.id = v.view_id WHERE w.id IS NULL",
    ),
    (
        "sealed rows belong to an erased subject",
        "SELECT count(*) FROM sealed s JOIN subject_keys k ON k.subject = s.subject WHERE k.destroyed IS NOT NULL",
    ),
];

fn orphans(txn: &ReadTxn<'_>, report: &mut Report) -> Result<(), Error> {
    for (what, sql) in ORPHANS {
        let rows = txn.one(sql, &[], |row| whole(row.int(0)?))?.unwrap_or(0);
        if rows > 0 {
            report.found(Problem::Orphaned { what, rows });
        }
    }
    Ok(())
}
