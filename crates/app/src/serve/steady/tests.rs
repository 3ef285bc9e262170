//! Work is run again where it woke itself, left alone where it did not, and never keeps its thread.

use super::*;
use std::sync::atomic::AtomicUsize;

/// Counts how often a task is woken.
#[derive(Default)]
struct Task(AtomicUsize);

impl Wake for Task {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// Polls work that wakes itself the first `times` and is done after one time more; it leaves its waker in `left`.
fn poll_once(times: usize, left: &Mutex<Option<Waker>>) -> (usize, usize, bool) {
    let (task, mut ran) = (Arc::new(Task::default()), 0);
    let work = poll_fn(|cx| {
        ran += 1;
        *left.lock().unwrap() = Some(cx.waker().clone());
        if ran <= times {
            cx.waker().wake_by_ref();
        }
        if ran > times && times > 0 { Poll::Ready(()) } else { Poll::Pending }
    });
    let done = {
        let mut steady = pin!(steady(work));
        let waker = Waker::from(Arc::clone(&task));
        let done = steady.as_mut().poll(&mut Context::from_waker(&waker)).is_ready();
        if times == 0 {
            // From outside, while it rests: once for any number of wakes.
            let waker = left.lock().unwrap().clone().unwrap();
            waker.wake_by_ref();
            waker.wake_by_ref();
        }
        done
    };
    (ran, task.0.load(Ordering::SeqCst), done)
}

#[test]
fn work_that_wakes_itself_goes_on_without_its_task_being_woken() {
    assert_eq!(poll_once(1, &Mutex::default()), (2, 0, true));
    assert_eq!(poll_once(AGAIN_MAX, &Mutex::default()), (AGAIN_MAX + 1, 0, true));
}

#[test]
fn work_that_rests_is_woken_by_its_task() {
    assert_eq!(poll_once(0, &Mutex::default()), (1, 1, false));
}

#[test]
fn work_that_always_wakes_itself_lets_others_run() {
    assert_eq!(poll_once(usize::MAX, &Mutex::default()), (AGAIN_MAX + 1, 1, false));
}
