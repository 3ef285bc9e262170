//! Small pieces of a body joined to larger ones. The codec holds a chunk until it has checked its signature, as the pieces in
//! which it came, and each costs it 32 bytes besides its own: a chunk sent byte by byte would take 32 times its size.

use bytes::{Bytes, BytesMut};
use http_body::{Body, Frame, SizeHint};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// Smallest piece but the last: what the codec keeps of a chunk besides its bytes is then less than a hundredth of it.
const PIECE_BYTES_MIN: usize = 4096;

/// A body in pieces of at least [`PIECE_BYTES_MIN`].
pub(crate) struct Gathered<B> {
    body: B,
    held: BytesMut,
}

impl<B> Gathered<B> {
    pub(crate) fn new(body: B) -> Self {
        Self { body, held: BytesMut::new() }
    }
}

impl<B: Body<Data = Bytes> + Unpin> Body for Gathered<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        loop {
            let piece = match ready!(Pin::new(&mut self.body).poll_frame(cx)) {
                Some(Ok(frame)) => frame.into_data().unwrap_or_default(),
                None if !self.held.is_empty() => return Poll::Ready(Some(Ok(Frame::data(self.held.split().freeze())))),
                ended => return Poll::Ready(ended),
            };
            if self.held.is_empty() && piece.len() >= PIECE_BYTES_MIN {
                return Poll::Ready(Some(Ok(Frame::data(piece))));
            }
            self.held.extend_from_slice(&piece);
            if self.held.len() >= PIECE_BYTES_MIN {
                return Poll::Ready(Some(Ok(Frame::data(self.held.split().freeze()))));
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.held.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let (rest, held) = (self.body.size_hint(), u64::try_from(self.held.len()).unwrap_or(u64::MAX));
        let mut hint = SizeHint::new();
        hint.set_lower(rest.lower().saturating_add(held));
        if let Some(upper) = rest.upper() {
            hint.set_upper(upper.saturating_add(held));
        }
        hint
    }
}

#[cfg(test)]
mod tests;
