//! Which requests are open on a connection, so that one without any is not kept for ever. It must not know what is asked.

use http_body::{Body, Frame, SizeHint};
use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
};

/// What happens on one connection.
#[derive(Default)]
pub(super) struct Activity {
    open: AtomicUsize,
    begun: AtomicUsize,
}

impl Activity {
    /// A request begins; it is open until what this gives is dropped.
    pub(super) fn begin(self: &Arc<Self>) -> Open {
        self.open.fetch_add(1, Ordering::Relaxed);
        self.begun.fetch_add(1, Ordering::Relaxed);
        Open(Arc::clone(self))
    }

    /// Whether no request is open, and none has begun since `begun` was looked at; looks at it.
    pub(super) fn is_idle(&self, begun: &mut usize) -> bool {
        let now = self.begun.load(Ordering::Relaxed);
        std::mem::replace(begun, now) == now && self.open.load(Ordering::Relaxed) == 0
    }
}

/// An open request.
pub(super) struct Open(Arc<Activity>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Largest answer that a client must take at once, in bytes: every page and document that a stranger can ask for. At the latest
/// look it has come at 3 kB a second. What is larger is the data of somebody who is known, and may wait for its reader.
const AT_ONCE_BYTES_MAX: u64 = 256 * 1024;

/// The body of an answer, whose request is open until it is gone; no body is an empty one. A small one does not keep its connection:
/// a client of HTTP/2 could leave it untaken for ever, and say with each ping that it is there.
pub(super) struct Answered<B> {
    body: Option<B>,
    _open: Option<Open>,
}

impl<B: Body> Answered<B> {
    pub(super) fn new(body: Option<B>, open: Open) -> Self {
        let small = |body: &B| body.size_hint().upper().is_some_and(|bytes| bytes <= AT_ONCE_BYTES_MAX);
        let open = (!body.as_ref().is_none_or(small)).then_some(open);
        Self { body, _open: open }
    }
}

impl<B: Body + Unpin> Body for Answered<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        self.body.as_mut().map_or(Poll::Ready(None), |body| Pin::new(body).poll_frame(cx))
    }
    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }
    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
    }
}

#[cfg(test)]
mod tests;
