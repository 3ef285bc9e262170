//! What both engines do at the start, once their tables are there: this region's row, the clock, the views.
//!
//! It must not know engines. INVARIANT: start-up folds nothing unless a fold's version changed.

use std::collections::HashMap;

use crate::{
    Error, Hlc, Position, ReadTxn, WriteTxn,
    schema::{MIGRATIONS, newest},
    session::Arg,
};
use std::time::Duration;

/// One transaction of the opening: what runs in it; it may run again.
pub(crate) type Step<'a> = &'a mut dyn FnMut(&mut WriteTxn<'_>) -> Result<(), Error>;
/// Runs one step in a transaction of its own.
pub(crate) type Run<'a> = dyn FnMut(Step<'_>) -> Result<(), Error> + 'a;

/// Facts read at once while a view is rebuilt.
const REBUILD_PAGE: i64 = 1000;

/// Refuses a store whose migrations this program does not know.
pub(crate) fn check_migrations(applied: &[(i64, String)]) -> Result<(), Error> {
    if let Some((number, _)) = applied.last()
        && *number > newest()
    {
        return Err(Error::NewerSchema { store: *number, binary: newest() });
    }
    for ((number, digest), known) in applied.iter().zip(MIGRATIONS) {
        if *number != known.number || *digest != known.digest().to_string() {
            return Err(Error::ForeignSchema { number: *number });
        }
    }
    Ok(())
}

/// Makes this region's row and refuses a clock that went back; shows the newest time to the clock.
pub(crate) fn begin(txn: &mut WriteTxn<'_>, clock_back_max: Duration) -> Result<(), Error> {
    let region = txn.shared.region.clone();
    let sql = "INSERT INTO origins (region, seq, hlc) VALUES ($1, 0, 0) ON CONFLICT (region) DO NOTHING";
    txn.execute(sql, &[Arg::Text(region.as_str())])?;
    let newest = txn.one("SELECT max(hlc) FROM origins", &[], |row| row.int_opt(0))?.flatten().unwrap_or(0);
    let (newest, now) = (Hlc::from_micros(newest), txn.shared.clock.wall());
    let bound = i64::try_from(clock_back_max.as_micros()).unwrap_or(i64::MAX);
    if newest.micros().saturating_sub(now.as_microsecond()) > bound {
        let bound_secs = clock_back_max.as_secs();
        return Err(Error::ClockBehind { now, newest: newest.timestamp(), bound_secs });
    }
    crate::transfer::refuse_unfinished(txn)?;
    txn.shared.clock.observe(newest);
    let position: Position = txn.position()?;
    txn.shared.position.send_replace(position);
    Ok(())
}

/// What a process does that only reads: it finds everything as this program needs it, or refuses.
pub(crate) fn look(txn: &ReadTxn<'_>) -> Result<(), Error> {
    let sql = "SELECT number, digest FROM migrations ORDER BY number";
    let applied = txn.all(sql, &[], |row| Ok((row.int(0)?, row.text(1)?.to_owned())))?;
    check_migrations(&applied)?;
    if applied.len() < MIGRATIONS.len() {
        return Err(Error::Outdated { what: format!("schema {}", applied.len()) });
    }
    crate::transfer::refuse_unfinished(txn)?;
    let stored = txn.all("SELECT id, name, version FROM fold_views WHERE live = 1", &[], |row| {
        Ok((row.int(0)?, row.text(1)?.to_owned(), row.int(2)?))
    })?;
    let mut live = HashMap::new();
    for fold in &txn.shared.folds {
        let same = stored.iter().find(|(_, name, at)| name == fold.view() && *at == i64::from(fold.version()));
        let (id, ..) = same.ok_or_else(|| Error::Outdated { what: format!("view `{}`", fold.view()) })?;
        live.insert(fold.view(), *id);
    }
    txn.shared.views.store(std::sync::Arc::new(live));
    let newest = txn.one("SELECT max(hlc) FROM origins", &[], |row| row.int_opt(0))?.flatten().unwrap_or(0);
    txn.shared.clock.observe(Hlc::from_micros(newest));
    txn.shared.position.send_replace(txn.position()?);
    Ok(())
}

/// One view that must be rebuilt: its fold's place in the options, its new id, and how far its facts are folded.
pub(crate) struct Rebuild {
    fold: usize,
    id: i64,
    after: (String, i64),
}

/// Finds the live id of every view, and those that must be rebuilt under a new id.
pub(crate) fn plan(txn: &mut WriteTxn<'_>) -> Result<Vec<Rebuild>, Error> {
    let stored = txn.all("SELECT id, name, version, live FROM fold_views", &[], |row| {
        Ok((row.int(0)?, row.text(1)?.to_owned(), row.int(2)?, row.int(3)? == 1))
    })?;
    let mut next = stored.iter().map(|(id, ..)| *id).max().unwrap_or(0).saturating_add(1);
    let (mut live, mut rebuilds) = (HashMap::new(), Vec::new());
    for (place, fold) in txn.shared.folds.iter().enumerate() {
        let version = i64::from(fold.version());
        let same = stored.iter().find(|(_, name, at, is_live)| name == fold.view() && *at == version && *is_live);
        if let Some((id, ..)) = same {
            live.insert(fold.view(), *id);
            continue;
        }
        let args = [Arg::Int(next), Arg::Text(fold.view()), Arg::Int(version)];
        txn.execute("INSERT INTO fold_views (id, name, version, live) VALUES ($1, $2, $3, 0)", &args)?;
        rebuilds.push(Rebuild { fold: place, id: next, after: (String::new(), 0) });
        next = next.saturating_add(1);
    }
    txn.shared.views.store(std::sync::Arc::new(live));
    Ok(rebuilds)
}

impl Rebuild {
    /// Folds the next facts beside the old version; `false` when none are left.
    pub(crate) fn step(&mut self, txn: &mut WriteTxn<'_>) -> Result<bool, Error> {
        let Some(fold) = txn.shared.folds.get(self.fold).cloned() else { return Ok(false) };
        let facts = txn.facts_page((&self.after.0, self.after.1), REBUILD_PAGE)?;
        let Some(last) = facts.last() else { return Ok(false) };
        let after = (last.origin.as_str().to_owned(), i64::try_from(last.seq).unwrap_or(i64::MAX));
        let mut touched = std::collections::BTreeSet::new();
        for fact in facts.iter().filter(|fact| fold.kinds().contains(&fact.kind.as_str())) {
            let aggregate = fold.aggregate(fact);
            txn.aggregate_map(self.id, &aggregate, fact)?;
            touched.insert(aggregate);
        }
        for aggregate in &touched {
            txn.aggregate_clear(self.id, aggregate)?;
            txn.aggregate_fold(fold.as_ref(), self.id, aggregate)?;
        }
        self.after = after;
        Ok(true)
    }

    /// Folds what came meanwhile and makes the new version the live one; runs while nobody else writes facts.
    pub(crate) fn swap(&mut self, txn: &mut WriteTxn<'_>) -> Result<(), Error> {
        while self.step(txn)? {}
        let Some(fold) = txn.shared.folds.get(self.fold).cloned() else { return Ok(()) };
        let name = Arg::Text(fold.view());
        txn.execute("UPDATE fold_views SET live = 0 WHERE name = $1", &[name])?;
        txn.execute("UPDATE fold_views SET live = 1 WHERE id = $1", &[Arg::Int(self.id)])?;
        let mut live = HashMap::clone(&txn.shared.views.load());
        live.insert(fold.view(), self.id);
        txn.shared.views.store(std::sync::Arc::new(live));
        tracing::info!(view = fold.view(), version = fold.version(), "the view was rebuilt");
        Ok(())
    }
}

/// Removes the rows of versions that are no longer live.
pub(crate) fn sweep(txn: &mut WriteTxn<'_>) -> Result<(), Error> {
    for table in [
        "DELETE FROM view_lookups WHERE view_id IN (SELECT id FROM fold_views WHERE live = 0)",
        "DELETE FROM view_rows WHERE view_id IN (SELECT id FROM fold_views WHERE live = 0)",
        "DELETE FROM aggregate_facts WHERE view_id IN (SELECT id FROM fold_views WHERE live = 0)",
        "DELETE FROM fold_views WHERE live = 0",
    ] {
        txn.execute(table, &[])?;
    }
    Ok(())
}

/// Everything that an engine runs before it serves; `run` runs one step in a transaction of its own.
pub(crate) fn prepare(clock_back_max: Duration, run: &mut Run<'_>) -> Result<(), Error> {
    run(&mut |txn| begin(txn, clock_back_max))?;
    let mut rebuilds = Vec::new();
    run(&mut |txn| {
        rebuilds = plan(txn)?;
        Ok(())
    })?;
    if rebuilds.is_empty() {
        return Ok(());
    }
    for rebuild in &mut rebuilds {
        let mut more = true;
        while more {
            run(&mut |txn| {
                more = rebuild.step(txn)?;
                Ok(())
            })?;
        }
        run(&mut |txn| rebuild.swap(txn))?;
    }
    run(&mut |txn| sweep(txn))
}
