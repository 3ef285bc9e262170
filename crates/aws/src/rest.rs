//! What is left of a request's body when its answer is ready.
//!
//! A caller that is refused before its body was read goes on sending it. A short rest is read, so that the connection can
//! take the next request; before a longer one the answer says that the connection ends, so that nobody sends more on it.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, header};
use http_body::{Body, Frame, SizeHint};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

/// Longest rest that is read: what a client has sent by the time at which it could have heard the refusal.
const REST_BYTES_MAX: u64 = 64 << 10;
/// Longest wait for it.
const REST_WAIT_MAX: Duration = Duration::from_secs(2);

struct State<B> {
    body: B,
    /// It had nothing from the beginning.
    empty: bool,
    ended: bool,
}

/// A body that its reader may drop before the end; the clone that stays can read the rest.
pub(crate) struct Rest<B>(Arc<Mutex<State<B>>>);

impl<B> Clone for Rest<B> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<B: Body<Data = Bytes> + Unpin> Rest<B> {
    pub(crate) fn new(body: B) -> Self {
        let empty = body.is_end_stream();
        Self(Arc::new(Mutex::new(State { body, empty, ended: empty })))
    }

    fn lock(&self) -> MutexGuard<'_, State<B>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads a short rest; or marks the answer, before a long one. A caller that waits to be told to go on is never told:
    /// an answer without `100 Continue` before it makes botocore misread the next one on the same connection.
    pub(crate) async fn settle(mut self, waits: bool, answer: &mut HeaderMap) {
        let (ended, empty, short) = {
            let state = self.lock();
            let short = state.body.size_hint().upper().is_some_and(|left| left <= REST_BYTES_MAX);
            (state.ended, state.empty, short)
        };
        let ends = if ended {
            waits && empty
        } else {
            let read = async {
                while let Some(Ok(_)) = std::future::poll_fn(|cx| Pin::new(&mut self).poll_frame(cx)).await {}
            };
            waits || !short || tokio::time::timeout(REST_WAIT_MAX, read).await.is_err()
        };
        if ends {
            answer.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
    }
}

impl<B: Body<Data = Bytes> + Unpin> Body for Rest<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let mut state = self.lock();
        let polled = Pin::new(&mut state.body).poll_frame(cx);
        state.ended |= matches!(&polled, Poll::Ready(None | Some(Err(_)))) || state.body.is_end_stream();
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.lock().ended
    }

    fn size_hint(&self) -> SizeHint {
        self.lock().body.size_hint()
    }
}
