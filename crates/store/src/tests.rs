//! The suite on SQLite, and what only SQLite does.

use base::{Effects, Ids, NodeId};
use std::sync::Arc;

use crate::{
    Error, Fold, Options, Store,
    conformance::{self, Bed},
};

struct SqliteBed(tempfile::TempDir);

impl Bed for SqliteBed {
    fn open(&self, name: &str, effects: Effects, folds: Vec<Arc<dyn Fold>>) -> Result<Store, Error> {
        let node = NodeId::from_uuid(effects.uuid());
        let options = Options::sqlite(self.0.path().join(name), "eu-north-1".parse().unwrap(), node, effects);
        Store::open(Options { folds, ..options })
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sqlite_conforms() {
    conformance::run(&SqliteBed(tempfile::tempdir().unwrap())).await;
}
