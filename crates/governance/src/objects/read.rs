//! From stored frames to a stream of plain bytes.
//!
//! Frames are read and opened in batches of about a megabyte on the backend's own threads: one batch is prepared while
//! the one before is being sent, so that a single stream uses two cores, and no asynchronous thread runs AES.

use bytes::Bytes;
use futures::{Stream, StreamExt, TryStreamExt, stream};
use std::{ops::Range, sync::Arc};
use tokio::sync::OnceCell;

use super::{
    Inner,
    record::Segment,
    seal::{Opener, SealedFor, TAG},
};
use crate::{
    Error,
    ports::{BackendError, BlobReader},
};
use base::DatasetId;

/// Plain bytes that are read and opened in one go.
pub(crate) const BATCH: usize = 1 << 20;
/// Batches under way at once: the one being sent waits for none, and two more, since a hand-over between threads takes long on
/// a busy machine.
const AHEAD: usize = 3;

struct Source {
    inner: Arc<Inner>,
    segment: Segment,
    place: SealedFor,
    open: OnceCell<(Arc<dyn BlobReader>, Arc<Opener>)>,
}

struct Batch {
    source: Arc<Source>,
    frames: Range<u64>,
    /// Wanted plain bytes of the segment.
    wanted: Range<u64>,
}

/// The plain bytes `range` of an object with these segments.
pub(crate) fn stream(
    inner: Arc<Inner>,
    dataset: DatasetId,
    segments: Vec<Segment>,
    range: Range<u64>,
) -> impl Stream<Item = Result<Bytes, Error>> + Send + use<> {
    let batches = segments.into_iter().flat_map(move |segment| {
        let wanted = within(&segment, &range);
        let frames = segment.layout.covering(&wanted);
        let step = (BATCH as u64 / segment.layout.frame()).max(1);
        let place = segment.sealed_for(dataset);
        let source = Arc::new(Source { inner: Arc::clone(&inner), segment, place, open: OnceCell::new() });
        let mut next = frames.start;
        std::iter::from_fn(move || {
            let step = if source.inner.pool.scarce() { 1 } else { step };
            let batch = next..(next + step).min(frames.end);
            next = batch.end;
            (!batch.is_empty()).then(|| Batch { source: Arc::clone(&source), frames: batch, wanted: wanted.clone() })
        })
    });
    stream::iter(batches)
        .map(Batch::fetch)
        .buffered(AHEAD)
        .map_ok(|chunks| stream::iter(chunks.into_iter().map(Ok)))
        .try_flatten()
}

/// The plain bytes `range` of a segment, at once: for a range that fits a batch.
pub(crate) async fn short(
    inner: &Arc<Inner>,
    dataset: DatasetId,
    segment: &Segment,
    range: Range<u64>,
) -> Result<Vec<Bytes>, Error> {
    let wanted = within(segment, &range);
    let frames = segment.layout.covering(&wanted);
    if frames.is_empty() {
        return Ok(Vec::new());
    }
    let place = segment.sealed_for(dataset);
    let source = Source { inner: Arc::clone(inner), segment: segment.clone(), place, open: OnceCell::new() };
    Batch { source: Arc::new(source), frames, wanted }.fetch().await
}

/// The part of an object's range that lies in a segment, counted from its start.
fn within(segment: &Segment, range: &Range<u64>) -> Range<u64> {
    let span = segment.span();
    let wanted = range.start.max(span.start)..range.end.min(span.end);
    wanted.start.saturating_sub(span.start)..wanted.end.saturating_sub(span.start)
}

impl Source {
    async fn open(&self) -> Result<&(Arc<dyn BlobReader>, Arc<Opener>), Error> {
        let open = || async {
            let blob = self.segment.blob.as_ref().ok_or(Error::Damaged { what: "segment record" })?;
            let (key, wrapped, aad) = (self.segment.key, self.segment.wrapped.clone(), self.place.wrap_aad());
            let plain = self.inner.ask_custody(move |it| it.data_key_open(&key, &wrapped, &aad)).await?;
            let opener = Opener { key: crypto::AeadKey::new(&plain)?, place: self.place, layout: self.segment.layout };
            Ok((self.inner.backend.open(blob).await?, Arc::new(opener)))
        };
        self.open.get_or_try_init(open).await
    }
}

impl Batch {
    async fn fetch(self) -> Result<Vec<Bytes>, Error> {
        let (reader, opener) = self.source.open().await?;
        let layout = self.source.segment.layout;
        let stored = layout.stored(&self.frames);
        let len = usize::try_from(stored.end - stored.start).map_err(|_| Error::Damaged { what: "segment record" })?;
        let (first, opener) = (self.frames.start, Arc::clone(opener));
        let buffer = self.source.inner.pool.take(len);
        let opened = reader.read(stored.start, buffer, Box::new(move |stored| opener.open(first, stored))).await;
        let whole = self.source.inner.pool.lend(opened.map_err(|error| match error {
            BackendError::Work => Error::Damaged { what: "body: a frame does not open" },
            other => Error::Backend(other),
        })?);
        Ok(self.frames.clone().map(|frame| self.cut(&whole, frame)).collect())
    }

    /// The wanted plain bytes of one frame.
    fn cut(&self, whole: &Bytes, frame: u64) -> Bytes {
        let layout = self.source.segment.layout;
        let begins = frame * layout.frame();
        let plain = (layout.len - begins).min(layout.frame());
        let from = self.wanted.start.saturating_sub(begins).min(plain);
        let to = (self.wanted.end.saturating_sub(begins)).min(plain);
        let at = (frame - self.frames.start) * (layout.frame() + TAG as u64);
        // Both fit a buffer, hence a usize.
        let at = |offset: u64| usize::try_from(at + offset).unwrap_or(usize::MAX).min(whole.len());
        whole.slice(at(from)..at(to.max(from)))
    }
}
