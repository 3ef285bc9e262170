//! View rows: folding an aggregate, and reading rows as known and valid at any time.
//!
//! It must not know what a view means. INVARIANT: the rows of an aggregate are always replaced as a whole.

use base::Timestamp;
use std::{collections::HashMap, sync::Arc};

use super::{FACT_COLUMNS, ReadTxn, WriteTxn, fact_of, page};
use crate::{
    Error, Fact, Fold, Interval, ViewRow, ViewRowRef, ViewedRow,
    fact::OPEN,
    session::{Arg, Row},
};

/// Most rows of one aggregate: an aggregate is one edge, one grant, one role, not a list.
pub const ROWS_PER_AGGREGATE_MAX: usize = 4096;

macro_rules! view_columns {
    () => {
        "v.aggregate, v.row_id, v.valid_from, v.valid_to, v.known_from, v.known_to, v.body"
    };
}

fn row_ref(row: &dyn Row) -> Result<ViewRowRef<'_>, Error> {
    Ok(ViewRowRef {
        aggregate: row.text(0)?,
        row: row.text(1)?,
        valid: Interval::from_stored(row.int(2)?, row.int(3)?),
        known: Interval::from_stored(row.int(4)?, row.int(5)?),
        body: row.text(6)?,
    })
}

fn viewed(row: &dyn Row) -> Result<ViewedRow, Error> {
    let row = row_ref(row)?;
    Ok(ViewedRow {
        aggregate: row.aggregate.to_owned(),
        row: row.row.to_owned(),
        valid: row.valid,
        known: row.known,
        body: serde_json::from_str(row.body).map_err(|_| Error::Corrupt { what: "view row" })?,
    })
}

/// What a page is made of: rows of this view, with this lookup where one is given, that are known until this time or longer.
type Pages<'a> = (&'a str, Option<(&'a str, &'a str)>, i64);

/// Where a page's rows are those that were ever known.
const EVER: i64 = i64::MIN;

impl ReadTxn<'_> {
    pub(crate) fn view_id(&self, view: &str) -> Result<i64, Error> {
        self.shared.views.load().get(view).copied().ok_or_else(|| Error::UnknownView { view: view.to_owned() })
    }

    /// The rows of an aggregate that are known and valid now.
    pub fn view_current(&self, view: &str, aggregate: &str) -> Result<Vec<ViewedRow>, Error> {
        self.view_as_of(view, aggregate, self.now(), self.now())
    }

    /// The rows of an aggregate that held at `valid_at`, as they were known at `known_at`.
    pub fn view_as_of(
        &self,
        view: &str,
        aggregate: &str,
        valid_at: Timestamp,
        known_at: Timestamp,
    ) -> Result<Vec<ViewedRow>, Error> {
        let sql = concat!(
            "SELECT ",
            view_columns!(),
            " FROM view_rows v WHERE v.view_id = $1 AND v.aggregate = $2 AND v.valid_from <= $3 AND v.valid_to > $3 \
             AND v.known_from <= $4 AND v.known_to > $4 ORDER BY v.n"
        );
        let args = [
            Arg::Int(self.view_id(view)?),
            Arg::Text(aggregate),
            Arg::Int(valid_at.as_microsecond()),
            Arg::Int(known_at.as_microsecond()),
        ];
        self.all(sql, &args, viewed)
    }

    /// All rows of an aggregate, whatever their intervals: its whole history.
    pub fn view_history(&self, view: &str, aggregate: &str) -> Result<Vec<ViewedRow>, Error> {
        let sql = concat!(
            "SELECT ",
            view_columns!(),
            " FROM view_rows v WHERE v.view_id = $1 AND v.aggregate = $2 ORDER BY v.n"
        );
        self.all(sql, &[Arg::Int(self.view_id(view)?), Arg::Text(aggregate)], viewed)
    }

    /// The rows known and valid now that have the lookup `name` = `value`.
    pub fn view_lookup(&self, view: &str, name: &str, value: &str) -> Result<Vec<ViewedRow>, Error> {
        self.view_lookup_as_of(view, name, value, self.now(), self.now())
    }

    /// The rows with the lookup `name` = `value` that held at `valid_at`, as they were known at `known_at`.
    pub fn view_lookup_as_of(
        &self,
        view: &str,
        name: &str,
        value: &str,
        valid_at: Timestamp,
        known_at: Timestamp,
    ) -> Result<Vec<ViewedRow>, Error> {
        let sql = concat!(
            "SELECT ",
            view_columns!(),
            " FROM view_lookups l JOIN view_rows v ON v.view_id = l.view_id AND v.aggregate = l.aggregate AND v.n = l.n \
             WHERE l.view_id = $1 AND l.name = $2 AND l.value = $3 AND v.valid_from <= $4 AND v.valid_to > $4 \
             AND v.known_from <= $5 AND v.known_to > $5 ORDER BY v.aggregate, v.n"
        );
        let args = [
            Arg::Int(self.view_id(view)?),
            Arg::Text(name),
            Arg::Text(value),
            Arg::Int(valid_at.as_microsecond()),
            Arg::Int(known_at.as_microsecond()),
        ];
        self.all(sql, &args, viewed)
    }

    /// The rows known now, whatever their validity, of the next `limit` aggregates after `after` in byte order.
    pub fn view_scan(&self, view: &str, after: Option<&str>, limit: usize) -> Result<Vec<ViewedRow>, Error> {
        self.scan((view, None, OPEN), after, limit)
    }

    fn scan(&self, (view, of, known): Pages<'_>, after: Option<&str>, limit: usize) -> Result<Vec<ViewedRow>, Error> {
        let view = Arg::Int(self.view_id(view)?);
        let (known, after, limit) = (Arg::Int(known), Arg::Text(after.unwrap_or("")), page(limit));
        let Some((name, value)) = of else {
            let sql = concat!(
                "SELECT ",
                view_columns!(),
                " FROM view_rows v WHERE v.view_id = $1 AND v.known_to >= $2 AND v.aggregate IN \
                 (SELECT DISTINCT w.aggregate FROM view_rows w WHERE w.view_id = $1 AND w.known_to >= $2 AND w.aggregate > $3 \
                 ORDER BY w.aggregate LIMIT $4) ORDER BY v.aggregate, v.n"
            );
            return self.all(sql, &[view, known, after, limit], viewed);
        };
        let sql = concat!(
            "SELECT ",
            view_columns!(),
            " FROM view_lookups l JOIN view_rows v ON v.view_id = l.view_id AND v.aggregate = l.aggregate AND v.n = l.n \
             WHERE l.view_id = $1 AND l.name = $2 AND l.value = $3 AND v.known_to >= $4 AND l.aggregate IN \
             (SELECT DISTINCT m.aggregate FROM view_lookups m JOIN view_rows w ON w.view_id = m.view_id \
             AND w.aggregate = m.aggregate AND w.n = m.n WHERE m.view_id = $1 AND m.name = $2 AND m.value = $3 \
             AND w.known_to >= $4 AND m.aggregate > $5 ORDER BY m.aggregate LIMIT $6) ORDER BY v.aggregate, v.n"
        );
        self.all(sql, &[view, Arg::Text(name), Arg::Text(value), known, after, limit], viewed)
    }

    /// One page of a view: what `pick` takes of the rows known now, whatever their validity, in byte order of their aggregates
    /// after `after`; of those with a lookup (name, value) where one is given. It reads on until there are `limit`, so that a
    /// page of what lives is full even where much has ended, and then to the end of the aggregate: the next page begins after it.
    ///
    /// # Errors
    /// As [`ReadTxn::view_scan`].
    pub fn view_page<T>(
        &self,
        view: &str,
        of: Option<(&str, &str)>,
        after: Option<&str>,
        limit: usize,
        mut pick: impl FnMut(&ViewedRow) -> Option<T>,
    ) -> Result<Vec<T>, Error> {
        let rows = |picked: &mut Vec<T>, aggregate: &[ViewedRow]| picked.extend(aggregate.iter().filter_map(&mut pick));
        self.pages((view, of, OPEN), after, limit, rows)
    }

    /// As [`ReadTxn::view_page`], of the [newest](ViewedRow::newest) row of each aggregate: also of those that no row known now
    /// tells of, because they ended before they were ever valid. With a lookup, of the newest row that has it: only for lookups
    /// that never change.
    ///
    /// # Errors
    /// As [`ReadTxn::view_scan`].
    pub fn view_page_ever<T>(
        &self,
        view: &str,
        of: Option<(&str, &str)>,
        after: Option<&str>,
        limit: usize,
        mut pick: impl FnMut(&ViewedRow) -> Option<T>,
    ) -> Result<Vec<T>, Error> {
        let newest = |picked: &mut Vec<T>, aggregate: &[ViewedRow]| {
            picked.extend(ViewedRow::newest(aggregate).and_then(&mut pick));
        };
        self.pages((view, of, EVER), after, limit, newest)
    }

    fn pages<T>(
        &self,
        which: Pages<'_>,
        after: Option<&str>,
        limit: usize,
        mut pick: impl FnMut(&mut Vec<T>, &[ViewedRow]),
    ) -> Result<Vec<T>, Error> {
        let mut picked = Vec::new();
        let mut after = after.map(str::to_owned);
        loop {
            let rows = self.scan(which, after.as_deref(), limit)?;
            for aggregate in rows.chunk_by(|a, b| a.aggregate == b.aggregate) {
                if picked.len() >= limit {
                    return Ok(picked);
                }
                pick(&mut picked, aggregate);
            }
            let Some(last) = rows.last() else { return Ok(picked) };
            after = Some(last.aggregate.clone());
        }
    }

    /// Streams every row of a view that is known now, in aggregate order, without building values: how memory is
    /// filled at the start. `each` cannot call the transaction.
    pub fn view_load_all(
        &self,
        view: &str,
        mut each: impl FnMut(ViewRowRef<'_>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let sql = concat!(
            "SELECT ",
            view_columns!(),
            " FROM view_rows v WHERE v.view_id = $1 AND v.known_to = $2 ORDER BY v.aggregate, v.n"
        );
        self.each(sql, &[Arg::Int(self.view_id(view)?), Arg::Int(OPEN)], |row| each(row_ref(row)?))
    }

    /// The facts of one aggregate of a fold, in fold order: those about it, and those mapped to it by name.
    pub(crate) fn aggregate_facts(&self, fold: &dyn Fold, view_id: i64, aggregate: &str) -> Result<Vec<Fact>, Error> {
        let mapped = concat!(
            "SELECT ",
            FACT_COLUMNS!(),
            " FROM aggregate_facts a JOIN facts f ON f.id = a.fact WHERE a.view_id = $1 AND a.aggregate = $2"
        );
        let mut facts = self.all(mapped, &[Arg::Int(view_id), Arg::Text(aggregate)], fact_of)?;
        if let Some(subject) = subject_named(aggregate) {
            let about = self.facts_of(subject)?;
            facts.extend(
                about
                    .into_iter()
                    .filter(|fact| fold.kinds().contains(&fact.kind.as_str()) && fold.aggregate(fact) == aggregate),
            );
        }
        facts.sort_by(|a, b| a.order().cmp(&b.order()));
        facts.dedup_by(|a, b| a.id == b.id);
        Ok(facts)
    }
}

/// The subject that an aggregate is named after, if its name is one.
pub(crate) fn subject_named(aggregate: &str) -> Option<uuid::Uuid> {
    if aggregate.len() == 36 { uuid::Uuid::try_parse(aggregate).ok() } else { None }
}

impl WriteTxn<'_> {
    /// Folds every aggregate that a fact touches.
    pub(super) fn fold_fact(&mut self, fact: &Fact) -> Result<(), Error> {
        let views = self.views_checked()?;
        let folds: Vec<Arc<dyn Fold>> = self.shared.folds.clone();
        for fold in folds.iter().filter(|fold| fold.kinds().contains(&fact.kind.as_str())) {
            let id = views.get(fold.view()).copied().ok_or(Error::ViewMoved { view: fold.view().to_owned() })?;
            let aggregate = fold.aggregate(fact);
            self.aggregate_map(id, &aggregate, fact)?;
            self.aggregate_fold(fold.as_ref(), id, &aggregate)?;
        }
        Ok(())
    }

    /// Notes that a fact belongs to an aggregate, where the subject alone does not say so.
    pub(crate) fn aggregate_map(&self, view_id: i64, aggregate: &str, fact: &Fact) -> Result<(), Error> {
        if subject_named(aggregate) == Some(fact.subject) {
            return Ok(());
        }
        let sql = "INSERT INTO aggregate_facts (view_id, aggregate, fact) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";
        self.execute(sql, &[Arg::Int(view_id), Arg::Text(aggregate), Arg::Blob(fact.id.bytes())]).map(drop)
    }

    /// Replaces the rows of one aggregate by what its facts fold to.
    pub(crate) fn aggregate_fold(&self, fold: &dyn Fold, view_id: i64, aggregate: &str) -> Result<(), Error> {
        let facts = self.aggregate_facts(fold, view_id, aggregate)?;
        let rows = fold.fold(aggregate, &facts).map_err(|source| {
            let view = fold.view();
            Error::Fold { view, aggregate: aggregate.to_owned(), source }
        })?;
        if rows.len() > ROWS_PER_AGGREGATE_MAX {
            return Err(Error::TooMany { what: "view rows", max: ROWS_PER_AGGREGATE_MAX });
        }
        // The first fact of an aggregate finds no rows to replace.
        if facts.len() > 1 {
            self.aggregate_clear(view_id, aggregate)?;
        }
        for (n, row) in (0..).zip(&rows) {
            self.row_insert(view_id, aggregate, n, row)?;
        }
        Ok(())
    }

    /// Removes the rows of one aggregate.
    pub(crate) fn aggregate_clear(&self, view_id: i64, aggregate: &str) -> Result<(), Error> {
        let key = [Arg::Int(view_id), Arg::Text(aggregate)];
        self.execute("DELETE FROM view_lookups WHERE view_id = $1 AND aggregate = $2", &key)?;
        self.execute("DELETE FROM view_rows WHERE view_id = $1 AND aggregate = $2", &key).map(drop)
    }

    fn row_insert(&self, view_id: i64, aggregate: &str, n: i64, row: &ViewRow) -> Result<(), Error> {
        let ((valid_from, valid_to), (known_from, known_to)) = (row.valid.stored(), row.known.stored());
        self.execute(
            "INSERT INTO view_rows (view_id, aggregate, n, row_id, valid_from, valid_to, known_from, known_to, body) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
            &[
                Arg::Int(view_id),
                Arg::Text(aggregate),
                Arg::Int(n),
                Arg::Text(&row.row),
                Arg::Int(valid_from),
                Arg::Int(valid_to),
                Arg::Int(known_from),
                Arg::Int(known_to),
                Arg::Text(&body_text(row)?),
            ],
        )?;
        for lookup in &row.lookups {
            self.execute(
                "INSERT INTO view_lookups (view_id, name, value, aggregate, n) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING",
                &[
                    Arg::Int(view_id),
                    Arg::Text(lookup.name),
                    Arg::Text(&lookup.value),
                    Arg::Text(aggregate),
                    Arg::Int(n),
                ],
            )?;
        }
        Ok(())
    }

    /// The live views as the store has them, which must be those that this process folds; else views would miss facts.
    fn views_checked(&self) -> Result<Arc<HashMap<&'static str, i64>>, Error> {
        let views = self.shared.views.load_full();
        if self.facts.is_empty() {
            self.each("SELECT name, id FROM fold_views WHERE live = 1", &[], |row| {
                let (name, id) = (row.text(0)?, row.int(1)?);
                if views.get(name) == Some(&id) { Ok(()) } else { Err(Error::ViewMoved { view: name.to_owned() }) }
            })?;
        }
        Ok(views)
    }
}

/// A row's body as stored: canonical, so that equal rows have equal bytes on every engine.
pub(crate) fn body_text(row: &ViewRow) -> Result<String, Error> {
    base::canonical::to_string(&row.body).map_err(|_| Error::NotCanonical { kind: row.row.clone() })
}
