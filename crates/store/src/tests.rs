//! The suite on SQLite, and what only SQLite does.

mod compatibility;
mod faults;
mod random;
mod refusals;
mod turns;

use base::{Effects, Ids, NodeId, Timestamp};
use std::{path::Path, sync::Arc};

use crate::{
    Error, Fact, Fold, NewFact, Options, Store, WriteTxn,
    conformance::{self, Bed, GrantFold, ManualClock, NameFold, effects},
};

struct SqliteBed(tempfile::TempDir);

impl Bed for SqliteBed {
    fn options(&self, name: &str, effects: Effects, folds: Vec<Arc<dyn Fold>>) -> Options {
        let node = NodeId::from_uuid(effects.uuid());
        let options = Options::sqlite(self.0.path().join(name), "eu-north-1".parse().unwrap(), node, effects);
        Options { folds, ..options }
    }
}

fn open(dir: &Path, seed: u64) -> Result<Store, Error> {
    let start: Timestamp = "2026-11-21T12:00:00Z".parse().unwrap();
    let effects = effects(ManualClock::at(start), seed);
    let node = NodeId::from_uuid(effects.uuid());
    let folds: Vec<Arc<dyn Fold>> = vec![Arc::new(GrantFold { version: 1 }), Arc::new(NameFold)];
    Store::open(Options { folds, ..Options::sqlite(dir, "eu-north-1".parse().unwrap(), node, effects) })
}

fn grant(txn: &mut WriteTxn<'_>, subject: u128) -> Result<Fact, Error> {
    let valid_from = txn.now();
    txn.fact_add(NewFact {
        kind: "grant.created",
        subject: uuid::Uuid::from_u128(subject),
        body: serde_json::json!({ "group": "g" }),
        reason: None,
        valid_from,
        valid_to: None,
    })
}

// verifies: AUD-03
// verifies: DAT-02
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sqlite_conforms() {
    conformance::run(&SqliteBed(tempfile::tempdir().unwrap())).await;
}

#[test]
fn positions_have_one_spelling() {
    let position: crate::Position = "7.12".parse().unwrap();
    assert_eq!(position.to_string(), "7.12");
    for bad in ["", "7", "7.", ".7", "-1.0", "07.1", "1.2.3", "1.+2"] {
        bad.parse::<crate::Position>().unwrap_err();
    }
}
