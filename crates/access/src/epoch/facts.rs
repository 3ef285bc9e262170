//! The fact `epoch.raised`, its view, and how it reaches the table in memory.

use base::Timestamp;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use store::{Fact, Fold, FoldError, Interval, NewFact, Store, ViewRow, WriteTxn};

use super::{CutBy, Epoch, EpochKey, Epochs};
use crate::Session;

/// The kind of the fact that raises an epoch.
pub const EPOCH_RAISED: &str = "epoch.raised";

/// The name of the view: one aggregate a key.
pub const EPOCH_VIEW: &str = "epoch";

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Raised {
    key: EpochKey,
}

#[derive(Serialize, Deserialize)]
struct Row {
    key: EpochKey,
    epoch: Epoch,
}

/// Raises an epoch: from the commit on, older credentials are cut.
///
/// # Errors
/// [`store::Error`] as [`WriteTxn::fact_add`].
pub fn raise(txn: &mut WriteTxn<'_>, key: EpochKey, reason: Option<String>) -> Result<Fact, store::Error> {
    let valid_from = txn.now();
    let body = serde_json::json!({ "key": key });
    let fact = NewFact { kind: EPOCH_RAISED, subject: key.subject(), body, reason, valid_from, valid_to: None };
    txn.fact_add(fact)
}

/// What an `epoch.raised` fact says; `None` for any other fact.
pub fn raised(fact: &Fact) -> Option<(EpochKey, Epoch)> {
    if fact.kind != EPOCH_RAISED {
        return None;
    }
    let body = Raised::deserialize(&fact.body).ok()?;
    Some((body.key, Epoch { seq: fact.seq, at: fact.recorded.timestamp() }))
}

/// The fold of this module, for `store::Options`.
pub fn folds() -> Vec<Arc<dyn Fold>> {
    vec![Arc::new(EpochFold)]
}

struct EpochFold;

impl Fold for EpochFold {
    fn view(&self) -> &'static str {
        EPOCH_VIEW
    }
    fn version(&self) -> u32 {
        1
    }
    fn kinds(&self) -> &'static [&'static str] {
        &[EPOCH_RAISED]
    }
    fn aggregate(&self, fact: &Fact) -> String {
        raised(fact).map_or_else(|| fact.subject.to_string(), |(key, _)| key.aggregate())
    }
    fn fold(&self, _aggregate: &str, facts: &[Fact]) -> Result<Vec<ViewRow>, FoldError> {
        let mut rows: Vec<ViewRow> = Vec::new();
        for fact in facts {
            let bad = || FoldError { fact: fact.id, expected: "a body with the key of the epoch" };
            let (key, epoch) = raised(fact).ok_or_else(bad)?;
            if let Some(row) = rows.last_mut() {
                row.known = Interval::new(row.known.from, Some(epoch.at));
            }
            let body = serde_json::to_value(Row { key, epoch }).map_err(|_| bad())?;
            let from = Interval::from(epoch.at);
            rows.push(ViewRow { row: "line".to_owned(), valid: from, known: from, body, lookups: Vec::new() });
        }
        Ok(rows)
    }
}

/// Why a session is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// Its time is over.
    Expired {
        /// When it ended.
        at: Timestamp,
    },
    /// An epoch was raised.
    Raised(CutBy),
}

impl Epochs {
    /// Whether a session still counts at `now`.
    ///
    /// # Errors
    /// [`Cut`] with what ended it.
    pub fn check(&self, session: &Session, now: Timestamp) -> Result<(), Cut> {
        if now >= session.expires {
            return Err(Cut::Expired { at: session.expires });
        }
        self.cuts(session).map_or(Ok(()), |by| Err(Cut::Raised(by)))
    }

    /// Takes the epochs that a change raised; call it in commit order, before the change is acknowledged.
    pub fn apply(&self, facts: &[Fact]) {
        let raised: Vec<_> = facts.iter().filter_map(raised).collect();
        let Some(newest) = raised.iter().map(|(_, epoch)| epoch.seq).max() else { return };
        self.raise(raised);
        self.advance(newest);
    }

    /// Fills the table from the view, at start.
    ///
    /// # Errors
    /// [`store::Error`] when the view cannot be read.
    pub async fn load(&self, store: &Store) -> Result<(), store::Error> {
        let rows = store
            .read(|txn| {
                let mut rows = Vec::new();
                txn.view_load_all(EPOCH_VIEW, |row| {
                    let corrupt = store::Error::Corrupt { what: "epoch" };
                    let row: Row = serde_json::from_str(row.body).map_err(|_| corrupt)?;
                    rows.push((row.key, row.epoch));
                    Ok(())
                })?;
                Ok::<_, store::Error>(rows)
            })
            .await?;
        let newest = rows.iter().map(|(_, epoch)| epoch.seq).max().unwrap_or(0);
        self.raise(rows);
        self.advance(newest);
        Ok(())
    }
}
