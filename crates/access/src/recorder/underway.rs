//! An entry on its way to the disk, and what is done once it is there, whether or not whoever asked for it still waits.
//!
//! It must not know what the entry says. INVARIANT: what holds the ledger's low-water mark back is let go when its entry cannot
//! come into the log any more, and is somebody's when it has.

use base::DecisionId;
use futures::FutureExt as _;
use futures::future::{BoxFuture, join_all};
use std::pin::Pin;
use std::task::{Context, Poll};
use store::journal::{Taken, Way};

use super::{Recorder, lock};
use crate::Error;

/// Something in the ledger that waits for what belongs to it: until this is dropped, a start reads the log from its entry on.
#[must_use = "the low-water mark of the ledger goes on when it is dropped"]
pub(crate) struct Owed {
    recorder: Recorder,
    decision: Option<DecisionId>,
}

impl Owed {
    /// The mark stands still until the outcome of the decision is written.
    pub(super) fn until_its_outcome(mut self) {
        self.decision = None;
    }
}

impl Drop for Owed {
    fn drop(&mut self) {
        if let Some(decision) = self.decision {
            lock(&self.recorder.0.open).intents.remove(&decision);
        }
    }
}

/// Entries whose callers went away before they were durable.
pub(super) type Left = Vec<BoxFuture<'static, ()>>;

/// Calls its function when the entry is durable. Dropped before, it goes to those that are [`Left`]; the writer's queue bounds them.
struct Underway<T, F: FnOnce(Owed) -> T + Send + Unpin + 'static>(Option<(Taken, Owed, F)>);

impl<T, F: FnOnce(Owed) -> T + Send + Unpin + 'static> Future for Underway<T, F> {
    type Output = Result<T, Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Some((mut taken, owed, then)) = self.0.take() else { return Poll::Pending };
        match taken.poll_unpin(cx) {
            Poll::Ready(told) => Poll::Ready(told.map(|_| then(owed)).map_err(Error::from)),
            Poll::Pending => {
                self.0 = Some((taken, owed, then));
                Poll::Pending
            }
        }
    }
}

impl<T, F: FnOnce(Owed) -> T + Send + Unpin + 'static> Drop for Underway<T, F> {
    fn drop(&mut self) {
        if let Some((taken, owed, then)) = self.0.take() {
            let recorder = owed.recorder.clone();
            let rest: Box<dyn FnOnce(Owed) + Send> = Box::new(move |owed| drop(then(owed)));
            lock(&recorder.0.left).push(Underway(Some((taken, owed, rest))).map(drop).boxed());
        }
    }
}

impl Recorder {
    /// From now on the low-water mark stands before the entry of this decision.
    pub(super) fn owing(&self, decision: DecisionId) -> Owed {
        let least = self.log().size();
        lock(&self.0.open).intents.insert(decision, least);
        Owed { recorder: self.clone(), decision: Some(decision) }
    }

    /// Appends the entry of a decision and calls `then` when it is durable: for a caller who has gone meanwhile,
    /// [`Recorder::settle`] does.
    pub(super) async fn underway<T>(
        &self,
        decision: DecisionId,
        bytes: Vec<u8>,
        way: Way,
        then: impl FnOnce(Owed) -> T + Send + Unpin + 'static,
    ) -> Result<T, Error> {
        let owed = self.owing(decision);
        let taken = self.log().take(bytes, way).await?;
        Underway(Some((taken, owed, then))).await
    }

    /// Ends what callers left who went away.
    pub(crate) async fn settle(&self) {
        let left = std::mem::take(&mut *lock(&self.0.left));
        join_all(left).await;
    }
}
