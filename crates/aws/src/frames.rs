//! The frames of an `aws-chunked` body, checked as they pass: the codec behind reads them too kindly. It takes `5zz` for the size 5,
//! and the end of the body for its last chunk.
//!
//! It must not know signatures, and copies nothing but the lines between the chunks. INVARIANT: what a signed chunk makes the codec
//! hold, until it has compared the signature, is counted.

use access::bodies::Share;
use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Longest head of a chunk: its size, `;chunk-signature=` with 64 digits, and the end of the line.
const HEAD_BYTES_MAX: usize = SIZE_DIGITS_MAX + 17 + 64 + 2;
/// Most digits of a size: more than a body may have.
const SIZE_DIGITS_MAX: usize = 8;
/// Longest line of a trailer: its name, and a checksum or signature in text.
const TRAILER_BYTES_MAX: usize = 1024;
/// The trailer that signs the others; nobody announces it.
const TRAILER_SIGNATURE: &[u8] = b"x-amz-trailer-signature";

/// What is wrong with the frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Misframed {
    /// The line before a chunk.
    #[error(
        "a chunk of the body begins with neither `SIZE` nor `SIZE;chunk-signature=SIGNATURE`: expected 1 to 8 hexadecimal digits, and 64"
    )]
    Head,
    /// No end of the line behind a chunk.
    #[error("a chunk of the body is not as long as its size says")]
    Length,
    /// The last chunk never came.
    #[error("the body ends before its last chunk, which has the size 0")]
    Unended,
    /// A line behind the last chunk.
    #[error("what follows the last chunk of the body is no trailer `NAME:VALUE` that `x-amz-trailer` names")]
    Trailer,
}

#[derive(Clone, Copy)]
enum At {
    /// The line before a chunk.
    Head,
    /// So many bytes before the end of a chunk.
    Data(usize),
    /// Behind a chunk.
    Return,
    /// Behind that.
    Feed,
    /// Behind the last chunk.
    Trailers,
}

/// A reader of frames that keeps nothing of them but the line it is in.
pub(crate) struct Frames {
    at: At,
    line: Vec<u8>,
    /// The names in `x-amz-trailer`.
    announced: Vec<Vec<u8>>,
    /// What the codec holds of the signed chunk that is coming.
    held: Option<Share>,
}

impl Frames {
    /// `held`: where the bytes of a signed chunk are counted.
    pub(crate) fn new(headers: &HeaderMap, held: Option<Share>) -> Self {
        let given = headers.get_all("x-amz-trailer").iter();
        let names = given.flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
        let announced = names.map(|name| name.trim_ascii().to_ascii_lowercase()).collect();
        Self { at: At::Head, line: Vec::new(), announced, held }
    }

    /// Reads on.
    ///
    /// # Errors
    /// [`Misframed`]; [`access::bodies::Spent`] when too much is held already.
    pub(crate) fn pass(&mut self, mut bytes: &[u8]) -> Result<(), BoxError> {
        while let Some((first, behind)) = bytes.split_first() {
            bytes = match (self.at, first) {
                (At::Data(left), _) => self.data(left, bytes)?,
                (At::Return, b'\r') => {
                    self.at = At::Feed;
                    behind
                }
                (At::Feed, b'\n') => {
                    self.at = At::Head;
                    self.held.iter().for_each(Share::give_back);
                    behind
                }
                (At::Return | At::Feed, _) => return Err(Misframed::Length.into()),
                (At::Head | At::Trailers, _) => self.line(bytes)?,
            };
        }
        Ok(())
    }

    fn data<'a>(&mut self, left: usize, bytes: &'a [u8]) -> Result<&'a [u8], BoxError> {
        let (data, behind) = bytes.split_at_checked(left).unwrap_or((bytes, &[]));
        self.held.iter().try_for_each(|held| held.take(data.len()))?;
        let left = left.saturating_sub(data.len());
        self.at = if left == 0 { At::Return } else { At::Data(left) };
        Ok(behind)
    }

    /// Takes the rest of a line, or what there is of it.
    fn line<'a>(&mut self, bytes: &'a [u8]) -> Result<&'a [u8], BoxError> {
        let end = bytes.iter().position(|byte| *byte == b'\n').map_or(bytes.len(), |feed| feed.saturating_add(1));
        let (piece, behind) = bytes.split_at_checked(end).unwrap_or((bytes, &[]));
        let (most, wrong) = match self.at {
            At::Trailers => (TRAILER_BYTES_MAX, Misframed::Trailer),
            _ => (HEAD_BYTES_MAX, Misframed::Head),
        };
        if self.line.len().saturating_add(piece.len()) > most {
            return Err(wrong.into());
        }
        self.line.extend_from_slice(piece);
        if piece.ends_with(b"\n") {
            self.ended()?;
            self.line.clear();
        }
        Ok(behind)
    }

    fn ended(&mut self) -> Result<(), Misframed> {
        if matches!(self.at, At::Trailers) {
            return self.trailer();
        }
        self.at = match size(&self.line).ok_or(Misframed::Head)? {
            0 => At::Trailers,
            size => At::Data(size),
        };
        Ok(())
    }

    /// An empty line ends the trailers; the codec passes over more of them.
    fn trailer(&self) -> Result<(), Misframed> {
        let line = self.line.trim_ascii_end();
        let (name, value) = line.iter().position(|byte| *byte == b':').and_then(|at| line.split_at_checked(at)).unzip();
        let named = |name: &[u8]| {
            let is = |known: &[u8]| known.eq_ignore_ascii_case(name);
            is(TRAILER_SIGNATURE) || self.announced.iter().any(|known| is(known))
        };
        let sound = line.is_empty() || (value.is_some() && name.is_some_and(named));
        if sound { Ok(()) } else { Err(Misframed::Trailer) }
    }

    /// The body has ended.
    ///
    /// # Errors
    /// [`Misframed`].
    pub(crate) fn end(&self) -> Result<(), Misframed> {
        match self.at {
            At::Trailers => self.trailer(),
            _ => Err(Misframed::Unended),
        }
    }
}

/// The size in the head of a chunk.
fn size(head: &[u8]) -> Option<usize> {
    let mut parts = head.strip_suffix(b"\r\n")?.splitn(2, |byte| *byte == b';');
    let digits = parts.next()?;
    let is_hex = |text: &[u8]| text.iter().all(u8::is_ascii_hexdigit);
    let is_signature = |text: &[u8]| {
        text.strip_prefix(b"chunk-signature=").is_some_and(|signature| signature.len() == 64 && is_hex(signature))
    };
    if digits.len() > SIZE_DIGITS_MAX || !is_hex(digits) || !parts.next().is_none_or(is_signature) {
        return None;
    }
    usize::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

/// A body whose frames are checked.
pub(crate) struct Framed<B> {
    body: B,
    frames: Frames,
}

impl<B> Framed<B> {
    pub(crate) fn new(body: B, frames: Frames) -> Self {
        Self { body, frames }
    }
}

// Whether it has ended is told by reading on alone: an end is an error before the last chunk.
impl<B: Body<Data = Bytes, Error = BoxError> + Unpin> Body for Framed<B> {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = &mut *self;
        let checked = match ready!(Pin::new(&mut this.body).poll_frame(cx)) {
            Some(Ok(frame)) => this.frames.pass(frame.data_ref().map_or(&[], |data| data)).map(|()| Some(frame)),
            Some(Err(error)) => Err(error),
            None => this.frames.end().map(|()| None).map_err(Into::into),
        };
        Poll::Ready(checked.transpose())
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests;
