//! Records: an ordered, expiring key-value store, local to a region. Keys are compared byte by byte on both engines.
//!
//! It must not know what a class holds. INVARIANT: an expired record is invisible, whether swept or not.

use base::Timestamp;
use std::ops::Bound;

use super::{ReadTxn, WriteTxn, facts::bounded, page, whole};
use crate::{
    Error,
    fact::timestamp,
    session::{Arg, Row},
};

/// Longest key: PostgreSQL indexes at most a third of a page.
pub const KEY_BYTES_MAX: usize = 2048;
/// Longest value: a record is metadata, data lives in object storage.
pub const VALUE_BYTES_MAX: usize = 1024 * 1024;

/// One record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The value.
    pub value: Vec<u8>,
    /// Changes with every write and never comes back.
    pub revision: u64,
    /// From when it no longer exists.
    pub expires: Option<Timestamp>,
}

/// Which end of a range a scan starts from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Smallest key first.
    Forward,
    /// Largest key first.
    Backward,
}

macro_rules! scan_sql {
    ($end:literal, $order:literal, $limit:literal) => {
        concat!(
            "SELECT key, value, revision, expires FROM records WHERE class = $1 AND key >= $2 \
             AND (expires IS NULL OR expires > $3) ",
            $end,
            "ORDER BY key ",
            $order,
            " LIMIT ",
            $limit
        )
    };
}

fn record_of(row: &dyn Row) -> Result<(Vec<u8>, Record), Error> {
    let record =
        Record { value: row.blob(1)?.to_vec(), revision: whole(row.int(2)?)?, expires: row.int_opt(3)?.map(timestamp) };
    Ok((row.blob(0)?.to_vec(), record))
}

/// The first key of a range, and the first key after it (`None`: no end). A bound in bytes becomes half-open by a zero byte.
fn half_open(from: Bound<&[u8]>, to: Bound<&[u8]>) -> (Vec<u8>, Option<Vec<u8>>) {
    let after = |key: &[u8]| [key, &[0]].concat();
    let start = match from {
        Bound::Included(key) => key.to_vec(),
        Bound::Excluded(key) => after(key),
        Bound::Unbounded => Vec::new(),
    };
    let end = match to {
        Bound::Included(key) => Some(after(key)),
        Bound::Excluded(key) => Some(key.to_vec()),
        Bound::Unbounded => None,
    };
    (start, end)
}

/// The first key after every key with this prefix; `None` where there is no such key.
pub fn prefix_end(prefix: &[u8]) -> Option<Vec<u8>> {
    let last = prefix.iter().rposition(|byte| *byte != 0xff)?;
    let mut end = prefix.get(..=last)?.to_vec();
    if let Some(byte) = end.last_mut() {
        *byte = byte.saturating_add(1);
    }
    Some(end)
}

impl ReadTxn<'_> {
    /// The record with this key.
    pub fn record_get(&self, class: &'static str, key: &[u8]) -> Result<Option<Record>, Error> {
        let sql = "SELECT key, value, revision, expires FROM records WHERE class = $1 AND key = $2 \
                   AND (expires IS NULL OR expires > $3)";
        let args = [Arg::Text(class), Arg::Blob(key), Arg::Int(self.hlc.micros())];
        Ok(self.one(sql, &args, record_of)?.map(|(_, record)| record))
    }

    /// At most `limit` records with keys in the range, in byte order of the keys.
    pub fn record_scan(
        &self,
        class: &'static str,
        from: Bound<&[u8]>,
        to: Bound<&[u8]>,
        limit: usize,
        direction: Direction,
    ) -> Result<Vec<(Vec<u8>, Record)>, Error> {
        let (start, end) = half_open(from, to);
        let mut args = vec![Arg::Text(class), Arg::Blob(&start), Arg::Int(self.hlc.micros())];
        args.extend(end.as_deref().map(Arg::Blob));
        args.push(page(limit));
        let sql = match (direction, end.is_some()) {
            (Direction::Forward, false) => scan_sql!("", "ASC", "$4"),
            (Direction::Forward, true) => scan_sql!("AND key < $4 ", "ASC", "$5"),
            (Direction::Backward, false) => scan_sql!("", "DESC", "$4"),
            (Direction::Backward, true) => scan_sql!("AND key < $4 ", "DESC", "$5"),
        };
        self.all(sql, &args, record_of)
    }

    /// All records whose keys start with `prefix`, at most `limit`, after the key `after` if one is given.
    pub fn record_prefix(
        &self,
        class: &'static str,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<(Vec<u8>, Record)>, Error> {
        let from = after.map_or(Bound::Included(prefix), Bound::Excluded);
        let end = prefix_end(prefix);
        let to = end.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
        self.record_scan(class, from, to, limit, Direction::Forward)
    }
}

impl WriteTxn<'_> {
    fn record_bounds(key: &[u8], value: &[u8]) -> Result<(), Error> {
        bounded("record key", key.len(), KEY_BYTES_MAX)?;
        bounded("record value", value.len(), VALUE_BYTES_MAX)
    }

    /// Writes a record, whether there is one or not; its new revision.
    pub fn record_put(
        &mut self,
        class: &'static str,
        key: &[u8],
        value: &[u8],
        expires: Option<Timestamp>,
    ) -> Result<u64, Error> {
        Self::record_bounds(key, value)?;
        let revision = self.one(
            "INSERT INTO records (class, key, value, revision, expires) VALUES ($1, $2, $3, $4, $5) \
             ON CONFLICT (class, key) DO UPDATE SET value = excluded.value, expires = excluded.expires, \
             revision = CASE WHEN records.revision >= excluded.revision THEN records.revision + 1 ELSE excluded.revision END \
             RETURNING revision",
            &[Arg::Text(class), Arg::Blob(key), Arg::Blob(value), Arg::Int(self.hlc.micros()), Arg::OptInt(expires.map(Timestamp::as_microsecond))],
            |row| whole(row.int(0)?),
        )?;
        revision.ok_or(Error::Corrupt { what: "record" })
    }

    /// Writes a record only if there is none; `false` if there is one.
    pub fn record_insert(
        &mut self,
        class: &'static str,
        key: &[u8],
        value: &[u8],
        expires: Option<Timestamp>,
    ) -> Result<bool, Error> {
        Self::record_bounds(key, value)?;
        let changed = self.execute(
            "INSERT INTO records (class, key, value, revision, expires) VALUES ($1, $2, $3, $4, $5) \
             ON CONFLICT (class, key) DO UPDATE SET value = excluded.value, expires = excluded.expires, \
             revision = CASE WHEN records.revision >= excluded.revision THEN records.revision + 1 ELSE excluded.revision END \
             WHERE records.expires IS NOT NULL AND records.expires <= $4",
            &[Arg::Text(class), Arg::Blob(key), Arg::Blob(value), Arg::Int(self.hlc.micros()), Arg::OptInt(expires.map(Timestamp::as_microsecond))],
        )?;
        Ok(changed == 1)
    }

    /// Overwrites the record that still has `revision`; `false` if it has another or is gone.
    pub fn record_update(
        &mut self,
        class: &'static str,
        key: &[u8],
        revision: u64,
        value: &[u8],
        expires: Option<Timestamp>,
    ) -> Result<bool, Error> {
        Self::record_bounds(key, value)?;
        let changed = self.execute(
            "UPDATE records SET value = $1, expires = $2, \
             revision = CASE WHEN revision >= $3 THEN revision + 1 ELSE $3 END \
             WHERE class = $4 AND key = $5 AND revision = $6 AND (expires IS NULL OR expires > $3)",
            &[
                Arg::Blob(value),
                Arg::OptInt(expires.map(Timestamp::as_microsecond)),
                Arg::Int(self.hlc.micros()),
                Arg::Text(class),
                Arg::Blob(key),
                Arg::Int(i64::try_from(revision).unwrap_or(i64::MAX)),
            ],
        )?;
        Ok(changed == 1)
    }

    /// Deletes a record; `false` if there was none.
    pub fn record_delete(&mut self, class: &'static str, key: &[u8]) -> Result<bool, Error> {
        let sql = "DELETE FROM records WHERE class = $1 AND key = $2 AND (expires IS NULL OR expires > $3)";
        let args = [Arg::Text(class), Arg::Blob(key), Arg::Int(self.hlc.micros())];
        Ok(self.execute(sql, &args)? == 1)
    }

    /// Deletes at most `limit` expired records; how many. An owner calls it from time to time until it gives less than `limit`.
    pub fn records_expire(&mut self, limit: usize) -> Result<u64, Error> {
        let sql = "DELETE FROM records WHERE (class, key) IN \
                   (SELECT class, key FROM records WHERE expires IS NOT NULL AND expires <= $1 ORDER BY expires LIMIT $2)";
        self.execute(sql, &[Arg::Int(self.hlc.micros()), page(limit)])
    }
}
