//! The journal as the recorder uses it: appends that wait for the disk, appends that wait for room, and appends that
//! wait for nothing.

use futures::FutureExt;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use store::journal::{Journal, Taken, Way};

use crate::Error;

/// Entries that wait for room in the journal's queue because their writer could not wait (a `Drop`). Past it an outcome
/// is not written: its intent is then closed as unknown.
const LATE_MAX: usize = 65_536;
/// Entries that a reader takes at once.
const READ_MANY: usize = 1024;

/// The ledger of this node.
#[derive(Clone)]
pub(crate) struct Log(Arc<Inner>);

struct Inner {
    journal: Arc<Journal>,
    late: Mutex<VecDeque<Vec<u8>>>,
}

impl Log {
    /// Over the journal of this node.
    pub(crate) fn new(journal: Arc<Journal>) -> Self {
        Self(Arc::new(Inner { journal, late: Mutex::default() }))
    }

    /// The journal itself.
    pub(crate) fn journal(&self) -> &Arc<Journal> {
        &self.0.journal
    }

    /// Appends an entry; returns when it is durable.
    pub(crate) async fn append(&self, bytes: Vec<u8>) -> Result<(), Error> {
        self.0.journal.append(bytes).await.map(drop).map_err(Error::from)
    }

    /// Puts an entry into the queue; what it returns ends when the entry is durable.
    pub(crate) async fn take(&self, bytes: Vec<u8>, way: Way) -> Result<Taken, Error> {
        self.0.journal.take(vec![bytes], way).await.map_err(Error::from)
    }

    /// Appends an entry that is durable within 100 ms; waits only for room.
    pub(crate) async fn append_batched(&self, bytes: Vec<u8>) -> Result<(), Error> {
        self.0.journal.append_batched(bytes).await.map_err(Error::from)
    }

    /// Makes durable what waits to be; whoever asks about a moment ago shall find it.
    pub(crate) async fn hurry(&self) {
        self.0.journal.hurry().await;
    }

    /// Appends an entry without waiting at all; whether it was taken.
    pub(crate) fn append_soon(&self, bytes: Vec<u8>) -> bool {
        let mut late = self.late();
        if late.is_empty() {
            match self.0.journal.append_batched(bytes.clone()).now_or_never() {
                Some(Ok(())) => return true,
                Some(Err(error)) => {
                    tracing::error!(%error, "an entry cannot be recorded");
                    return false;
                }
                None => {}
            }
        }
        if late.len() >= LATE_MAX {
            tracing::error!("the ledger is far behind: an outcome stays unknown");
            return false;
        }
        late.push_back(bytes);
        true
    }

    /// Appends what could not wait for room.
    pub(crate) async fn drain(&self) {
        loop {
            let Some(bytes) = self.late().pop_front() else { return };
            if let Err(error) = self.append_batched(bytes).await {
                tracing::error!(%error, "an entry cannot be recorded");
                return;
            }
        }
    }

    fn late(&self) -> std::sync::MutexGuard<'_, VecDeque<Vec<u8>>> {
        self.0.late.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many entries are durable.
    pub(crate) fn size(&self) -> u64 {
        self.0.journal.size()
    }

    /// The entry at `index`.
    pub(crate) fn read(&self, index: u64) -> Result<Option<Arc<[u8]>>, Error> {
        self.0.journal.read(index).map_err(Error::from)
    }

    /// Calls `each` with every durable entry from `from` on, until it says no. Blocks on files.
    pub(crate) fn each(&self, from: u64, mut each: impl FnMut(u64, &[u8]) -> bool) -> Result<(), Error> {
        let mut next = from;
        loop {
            let page = self.0.journal.read_from(next, READ_MANY).map_err(Error::from)?;
            let Some(last) = page.last() else { return Ok(()) };
            next = last.index.saturating_add(1);
            if !page.iter().all(|entry| each(entry.index, &entry.bytes)) {
                return Ok(());
            }
        }
    }
}
