//! What the store remembers of its ledger: a folder with an older or another log is noticed before anything is decided, and so
//! is a store that is empty beside a ledger that is not.
//!
//! It must not know what entries say. Who puts back the store and the ledger together is found by a checkpoint kept
//! elsewhere only.

use base::Actor;
use store::journal::Journal;
use store::{Checkpoint, Position, Store};

use crate::Error;

/// Looks whether the ledger still holds everything that it held when the store last looked, and whether there is a store.
///
/// # Errors
/// The ledger's when it was rolled back or replaced, [`Error::StoreLost`], and the store's.
pub(super) async fn check(store: &Store, journal: &Journal) -> Result<(), Error> {
    let node = store.node();
    let read = store.read::<_, Error, _>(move |txn| Ok((txn.checkpoint(node)?, txn.position()?)));
    let entries = journal.checkpoint().0.size;
    match read.await? {
        (Some(seen), _) => Ok(journal.continues(&seen.note)?),
        (None, position) if position == Position::default() && entries > 0 => Err(Error::StoreLost { entries }),
        (None, _) => Ok(()),
    }
}

/// Lets the store remember the newest checkpoint, if it covers more than `remembered` entries; how many it covers now.
pub(super) async fn remember(store: &Store, journal: &Journal, remembered: u64) -> Result<u64, Error> {
    let (head, note) = journal.checkpoint();
    if head.size > remembered {
        let seen = Checkpoint { size: head.size, note };
        store.write::<_, Error, _>(Actor::System, move |txn| Ok(txn.checkpoint_put(&seen)?)).await?;
    }
    Ok(head.size.max(remembered))
}
