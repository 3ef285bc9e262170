//! Work that is woken while it runs goes on at once, where it runs. It must not know what the work is.
//!
//! HTTP wakes a connection's task each time that task takes a piece of a body out of it. The runtime would then run the task once
//! more; after a request that wrote to the disk itself it would wake two other threads for that, one to find nothing to do.

use std::{
    future::poll_fn,
    pin::{Pin, pin},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU8, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};

/// Times that work is run again before the other tasks of its thread have their turn: a wake or two come of one request.
const AGAIN_MAX: usize = 8;

const RUNS: u8 = 1;
const WOKEN: u8 = 2;

/// What the work is woken by.
#[derive(Default)]
struct Turn {
    /// Of [`RUNS`] and [`WOKEN`].
    state: AtomicU8,
    /// The task that runs the work.
    task: Mutex<Option<Waker>>,
}

impl Wake for Turn {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if self.state.fetch_or(WOKEN, Ordering::AcqRel) == 0
            && let Some(task) = &*self.task.lock().unwrap_or_else(PoisonError::into_inner)
        {
            task.wake_by_ref();
        }
    }
}

impl Turn {
    fn belongs_to(&self, task: &Waker) {
        let mut known = self.task.lock().unwrap_or_else(PoisonError::into_inner);
        if known.as_ref().is_none_or(|known| !known.will_wake(task)) {
            *known = Some(task.clone());
        }
    }

    fn run<T>(&self, mut work: Pin<&mut impl Future<Output = T>>, own: &Waker, task: &Waker) -> Poll<T> {
        self.belongs_to(task);
        for _ in 0..=AGAIN_MAX {
            self.state.swap(RUNS, Ordering::AcqRel);
            if let Poll::Ready(done) = work.as_mut().poll(&mut Context::from_waker(own)) {
                return Poll::Ready(done);
            }
            if self.state.compare_exchange(RUNS, 0, Ordering::AcqRel, Ordering::Acquire).is_ok() {
                return Poll::Pending;
            }
        }
        self.state.swap(0, Ordering::AcqRel);
        task.wake_by_ref();
        Poll::Pending
    }
}

/// Does the work.
pub(super) async fn steady<T>(work: impl Future<Output = T>) -> T {
    let mut work = pin!(work);
    let turn = Arc::new(Turn::default());
    let own = Waker::from(Arc::clone(&turn));
    poll_fn(move |cx| turn.run(work.as_mut(), &own, cx.waker())).await
}

#[cfg(test)]
mod tests;
