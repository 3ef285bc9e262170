//! A request's body arrives within a bound, or not at all: who sends a byte now and then must not hold a connection for ever,
//! and all bodies together must not fill the memory. It knows nothing of what a body means; how large one may be is the
//! routes' own limit.

use access::bodies::Share;
use axum::body::Body;
use bytes::Bytes;
use futures::{StreamExt as _, stream};
use std::{sync::Arc, time::Duration};

/// How long a body may take from its first byte to its last: the largest has 256 KiB, which a slow line carries in seconds.
const WITHIN: Duration = Duration::from_secs(30);

/// A body took too long.
#[derive(Debug, thiserror::Error)]
#[error("the body did not arrive within {} seconds", WITHIN.as_secs())]
struct TooSlow;

/// The same body, which fails when it is not whole in time or the edge has no room for it.
pub(crate) fn bounded<B>(body: B, share: Arc<Share>) -> Body
where
    B: http_body::Body<Data = Bytes, Error: Into<axum::BoxError>> + Send + 'static,
{
    if body.is_end_stream() { Body::empty() } else { ending(Body::new(body), WITHIN, share) }
}

fn ending(body: Body, within: Duration, share: Arc<Share>) -> Body {
    let end = Box::pin(tokio::time::sleep(within));
    let counted = body.into_data_stream().map(move |frame| {
        let frame: Bytes = frame?;
        share.take(frame.len()).map(|()| frame).map_err(axum::Error::new)
    });
    let frames = stream::unfold((counted, end), |(mut frames, mut end)| async move {
        tokio::select! {
            biased;
            next = frames.next() => next.map(|frame| (frame, (frames, end))),
            () = &mut end => Some((Err(axum::Error::new(TooSlow)), (frames, end))),
        }
    });
    Body::from_stream(frames)
}

#[cfg(test)]
mod tests;
