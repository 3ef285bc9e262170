//! The lines of an export: facts as canonical JSON, the hash chain over them, and the reader of a file line by line.
//!
//! It must not know the store that they came from or go into.

use base::{ChangeId, FactId, Region, Timestamp};
use crypto::{Sha256, Sha256Digest};
use serde::{Deserialize, Serialize};
use std::{
    io::{BufRead, Read},
    sync::Arc,
};
use uuid::Uuid;

use super::{
    ExportHeader, FORMAT, VERSION,
    rows::{self, Stored},
};
use crate::{
    Error, Fact, Hlc, NewFact,
    fact::{parse_actor, timestamp},
};

/// Longest line: a record or a document of 1 MiB in base64, with its key.
const LINE_BYTES_MAX: u64 = 2 * 1024 * 1024;

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

/// Reads an export line by line.
pub(super) struct Lines<R> {
    input: R,
    number: u64,
}

impl<R: BufRead> Lines<R> {
    pub(super) const fn new(input: R) -> Self {
        Self { input, number: 0 }
    }

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
            return Err(self.bad("a line that ends, of at most 2 MiB"));
        }
        Ok(Some(line))
    }

    pub(super) const fn bad(&self, expected: &'static str) -> Error {
        Error::BadExport { line: self.number, expected }
    }

    pub(super) fn header(&mut self) -> Result<ExportHeader, Error> {
        let line = self.next()?.ok_or(Error::BadExport { line: 1, expected: "a header" })?;
        let header: ExportHeader = serde_json::from_slice(&line).map_err(|_| self.bad("the header of an export"))?;
        if header.format != FORMAT || !(1..=VERSION).contains(&header.version) {
            return Err(self.bad("an export of facts, version 1 or 2"));
        }
        Ok(header)
    }

    /// The next fact; the caller knows from the header that there is one.
    pub(super) fn fact(&mut self) -> Result<(Fact, Vec<u8>), Error> {
        let line = self.next()?.ok_or_else(|| self.bad("as many facts as the header counts"))?;
        let fact = fact_of_line(&line).ok_or_else(|| self.bad("a fact with its digest"))?;
        Ok((fact, line))
    }

    /// The next row after the facts.
    pub(super) fn row(&mut self, header: &ExportHeader) -> Result<Option<(Stored, Vec<u8>)>, Error> {
        let Some(line) = self.next()? else { return Ok(None) };
        let row = rows::of_line(&line, header.seal.is_some());
        Ok(Some((row.ok_or_else(|| self.bad("a row of a table that the header names"))?, line)))
    }
}
