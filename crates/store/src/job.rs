//! A caller's closure on its way to an engine's thread and its answer on the way back.
//!
//! It must not know engines. INVARIANT: every job is answered exactly once, also when its closure panics.

use base::{Actor, ChangeId};
use std::panic::{AssertUnwindSafe, catch_unwind};
use tokio::sync::oneshot;

use crate::{Error, Position, ReadTxn, WriteTxn, shared::Change};

/// How one run of a closure ended.
pub(crate) enum Attempt {
    /// It may be committed.
    Ready,
    /// The closure refused with its own error, which the job keeps.
    Refused,
    /// The closure panicked.
    Panicked,
}

/// What became of a job.
pub(crate) enum Outcome {
    Committed { change: Change, position: Position },
    Refused,
    Failed(Error),
}

/// A write closure of any type.
pub(crate) trait WriteJob: Send {
    /// Runs the closure; it may be called again.
    fn attempt(&mut self, txn: &mut WriteTxn<'_>) -> Attempt;
    fn by(&self) -> Actor;
    fn finish(self: Box<Self>, outcome: Outcome);
}

/// A read closure of any type.
pub(crate) trait ReadJob: Send {
    fn run(self: Box<Self>, txn: Result<&ReadTxn<'_>, Error>);
}

pub(crate) struct Write<T, E, F> {
    pub(crate) by: Actor,
    pub(crate) closure: F,
    pub(crate) value: Option<Result<T, E>>,
    pub(crate) reply: oneshot::Sender<Result<Committed<T>, E>>,
}

impl<T, E, F> WriteJob for Write<T, E, F>
where
    T: Send,
    E: From<Error> + Send,
    F: FnMut(&mut WriteTxn<'_>) -> Result<T, E> + Send,
{
    fn attempt(&mut self, txn: &mut WriteTxn<'_>) -> Attempt {
        self.value = None;
        match catch_unwind(AssertUnwindSafe(|| (self.closure)(txn))) {
            Ok(value) => {
                let ready = value.is_ok();
                self.value = Some(value);
                if ready { Attempt::Ready } else { Attempt::Refused }
            }
            Err(_) => Attempt::Panicked,
        }
    }

    fn by(&self) -> Actor {
        self.by
    }

    fn finish(self: Box<Self>, outcome: Outcome) {
        let answer = match (outcome, self.value) {
            (Outcome::Committed { change, position }, Some(Ok(value))) => {
                Ok(Committed { value, change: change.id, facts: change.facts, position })
            }
            (Outcome::Refused, Some(Err(error))) => Err(error),
            (Outcome::Failed(error), _) => Err(E::from(error)),
            (Outcome::Committed { .. } | Outcome::Refused, _) => Err(E::from(Error::ClosurePanicked)),
        };
        // A caller that went away no longer wants the answer; the change stands.
        drop(self.reply.send(answer));
    }
}

pub(crate) struct Read<T, E, F> {
    pub(crate) closure: F,
    pub(crate) reply: oneshot::Sender<Result<T, E>>,
}

impl<T, E, F> ReadJob for Read<T, E, F>
where
    T: Send,
    E: From<Error> + Send,
    F: FnOnce(&ReadTxn<'_>) -> Result<T, E> + Send,
{
    fn run(self: Box<Self>, txn: Result<&ReadTxn<'_>, Error>) {
        let Self { closure, reply } = *self;
        let answer = match txn {
            Err(error) => Err(E::from(error)),
            Ok(txn) => {
                catch_unwind(AssertUnwindSafe(|| closure(txn))).unwrap_or_else(|_| Err(E::from(Error::ClosurePanicked)))
            }
        };
        drop(reply.send(answer));
    }
}

/// One committed change and what its closure returned.
#[derive(Clone, Debug)]
pub struct Committed<T> {
    /// What the closure returned.
    pub value: T,
    /// The id that its facts share.
    pub change: ChangeId,
    /// The facts that it added, in order.
    pub facts: Vec<crate::Fact>,
    /// The place of its last fact or event in the feed; of the newest before it, if it has none.
    pub position: Position,
}
