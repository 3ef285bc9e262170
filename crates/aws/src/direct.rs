//! The body of an object whose digest the signature covers: it goes around the codec.
//!
//! The codec checks that the signature covers the digest, and would hash the body where it arrives, on the connection's
//! thread. Instead it gets a body that it must not read; the operation takes the real one here and hands it on with the
//! digest, which is compared where the body is sealed. INVARIANT: an operation that does not take it reads a body that is
//! cut short, never one that nobody compared.

use access::bodies::Bodies;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use crypto::Sha256Digest;
use futures::StreamExt as _;
use governance::objects::Body as ObjectBody;
use http::{Extensions, HeaderMap, Method, request};
use http_body::{Body, Frame, SizeHint};
use http_body_util::{BodyDataStream, BodyExt as _};
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use crate::frames::{Framed, Frames};
use crate::gather::Gathered;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// The body, in the request's extensions, and what it must hash to.
#[derive(Clone)]
struct Direct {
    digest: Sha256Digest,
    body: Arc<Mutex<Option<ObjectBody>>>,
}

/// The digest that the request declares of its body, read as the codec reads it; none for a body that is unsigned, signed
/// in chunks, or declared twice.
pub(crate) fn declared(headers: &HeaderMap) -> Option<Sha256Digest> {
    let mut given = headers.get_all("x-amz-content-sha256").iter();
    let (Some(value), None) = (given.next(), given.next()) else { return None };
    let text = value.to_str().ok()?;
    let raw = if text.len() == 64 { base16(text) } else { STANDARD.decode(text).ok() };
    raw?.try_into().ok().map(Sha256Digest)
}

/// Lower-case digits alone, as the canonical request has them.
fn base16(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    text.as_bytes().chunks_exact(2).map(|pair| Some(digit(*pair.first()?)? << 4 | digit(*pair.last()?)?)).collect()
}

/// Whether the body is told to come in chunks of this kind.
fn in_chunks(headers: &HeaderMap, kind: &[u8]) -> bool {
    let mut given = headers.get_all("x-amz-content-sha256").iter();
    given.any(|value| value.as_bytes().starts_with(kind))
}

/// The body for the codec: the given one, or one to look at while the given one waits in the extensions. What the codec holds of
/// a chunk until it has checked its signature is counted in `chunks`.
pub(crate) fn aside<B>(parts: &mut request::Parts, body: B, chunks: &Bodies) -> s3s::Body
where
    B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    match declared(&parts.headers).filter(|_| parts.method == Method::PUT) {
        None if in_chunks(&parts.headers, b"STREAMING-AWS4-") => {
            let frames = Frames::new(&parts.headers, Some(chunks.share()));
            let body = Gathered::new(Box::pin(body.map_err(Into::into)));
            s3s::Body::http_body_unsync(Framed::new(body, frames))
        }
        None if in_chunks(&parts.headers, b"STREAMING-") => {
            let frames = Frames::new(&parts.headers, None);
            s3s::Body::http_body_unsync(Framed::new(Box::pin(body.map_err(Into::into)), frames))
        }
        None => s3s::Body::http_body_unsync(body.map_err(Into::into)),
        Some(digest) => {
            let stand_in = StandIn(body.size_hint());
            let body = BodyDataStream::new(body.map_err(Into::into)).boxed();
            parts.extensions.insert(Direct { digest, body: Arc::new(Mutex::new(Some(body))) });
            s3s::Body::http_body_unsync(stand_in.map_err(|never| match never {}))
        }
    }
}

/// The body that went around the codec, with its digest.
pub(crate) fn take(extensions: &Extensions) -> Option<(ObjectBody, Sha256Digest)> {
    let direct = extensions.get::<Direct>()?;
    let body = direct.body.lock().unwrap_or_else(PoisonError::into_inner).take()?;
    Some((body, direct.digest))
}

/// As long as the real body, and without a byte of it.
struct StandIn(SizeHint);

impl Body for StandIn {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(None)
    }

    fn size_hint(&self) -> SizeHint {
        self.0
    }
}

#[cfg(test)]
mod tests;
