//! What every [`ObjectBackend`] must do. An adapter runs the suite in its tests; a rule that does not hold comes back
//! as a value.

use base::{BlobId, Effects, Ids};
use bytes::{Bytes, BytesMut};
use futures::future::{BoxFuture, join_all};
use std::{collections::HashMap, sync::Arc};

use crate::ports::{BackendError, Blob, ObjectBackend, PAGE, WorkFailed, paged};

/// A rule that the backend breaks.
#[derive(Debug, thiserror::Error)]
#[error("the backend breaks the rule: {rule}")]
pub struct Broken {
    /// The rule in words.
    pub rule: &'static str,
    /// The failure that showed it, if it was one.
    #[source]
    pub source: Option<BackendError>,
}

fn must<T>(rule: &'static str, result: Result<T, BackendError>) -> Result<T, Broken> {
    result.map_err(|source| Broken { rule, source: Some(source) })
}

fn holds(rule: &'static str, yes: bool) -> Result<(), Broken> {
    if yes { Ok(()) } else { Err(Broken { rule, source: None }) }
}

/// Opens the same place again; the value that was given out before is dropped by then.
pub type Open<'a> = &'a (dyn Fn() -> BoxFuture<'a, Result<Arc<dyn ObjectBackend>, BackendError>> + Sync);

/// Runs every rule on an empty place.
///
/// # Errors
/// [`Broken`] names the first rule that does not hold.
pub async fn suite(open: Open<'_>, effects: &Effects) -> Result<(), Broken> {
    let backend = must("it opens", open().await)?;
    let mut kept = HashMap::new();
    small_bodies(&*backend, effects, &mut kept).await?;
    large_bodies(&*backend, effects, &mut kept).await?;
    whole_pages(&*backend, effects, &mut kept).await?;
    unfinished_bodies_do_not_exist(&*backend, effects).await?;
    work_runs_on_the_bytes(&*backend, effects).await?;
    deletion_harms_no_other(&*backend, effects, &mut kept).await?;
    all_there(&*backend, &kept).await?;
    drop(backend);
    let backend = must("it opens again", open().await)?;
    all_there(&*backend, &kept).await?;
    small_bodies(&*backend, effects, &mut kept).await?;
    all_there(&*backend, &kept).await
}

/// The content of each body that must be there.
pub type Kept = HashMap<Blob, Vec<u8>>;

/// Bytes that differ from body to body and from place to place.
pub fn content(id: BlobId, len: usize) -> Vec<u8> {
    let seed = id.uuid().as_u128() as u64;
    (0..len as u64)
        .map(|n| (seed ^ n.wrapping_mul(0x9E37_79B9_7F4A_7C15)).to_le_bytes().iter().fold(0, |a, b| a ^ b))
        .collect()
}

fn id(effects: &Effects) -> BlobId {
    BlobId::from_uuid(effects.uuid())
}

/// The whole body.
///
/// # Errors
/// What the backend says.
pub async fn read_whole(backend: &dyn ObjectBackend, blob: &Blob) -> Result<Vec<u8>, BackendError> {
    let reader = backend.open(blob).await?;
    let len = usize::try_from(blob.len).map_err(|_| BackendError::Missing { id: blob.id })?;
    Ok(reader.read(0, BytesMut::zeroed(len), Box::new(|_| Ok(()))).await?.to_vec())
}

/// Stores a body as a large one, in pieces that are whole pages but for the last.
///
/// # Errors
/// What the backend says.
pub async fn put_in_pages(backend: &dyn ObjectBackend, id: BlobId, bytes: &[u8]) -> Result<Blob, BackendError> {
    let mut writer = backend.create(id).await?;
    for piece in bytes.chunks(16 * PAGE) {
        writer.append(vec![in_pages(piece)]).await?;
    }
    writer.finish().await
}

fn in_pages(bytes: &[u8]) -> BytesMut {
    let mut buffer = paged(bytes.len());
    buffer.extend_from_slice(bytes);
    buffer
}

/// Every body that is listed.
///
/// # Errors
/// What the backend says.
pub async fn list_all(backend: &dyn ObjectBackend) -> Result<Vec<Blob>, BackendError> {
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let page = backend.list(after.as_ref(), 7).await?;
        all.extend(page.blobs);
        match page.next {
            Some(next) => after = Some(next),
            None => return Ok(all),
        }
    }
}

async fn all_there(backend: &dyn ObjectBackend, kept: &Kept) -> Result<(), Broken> {
    for (blob, bytes) in kept {
        let got = must("a kept body can be read", read_whole(backend, blob).await)?;
        holds("a kept body reads back as written", got == *bytes)?;
    }
    let listed = must("bodies can be listed", list_all(backend).await)?;
    holds("every kept body is listed", kept.keys().all(|blob| listed.contains(blob)))?;
    holds("nothing else is listed", listed.len() == kept.len())
}

async fn small_bodies(backend: &dyn ObjectBackend, effects: &Effects, kept: &mut Kept) -> Result<(), Broken> {
    let small = backend.info().small_bytes_max;
    let sizes = [0, 1, 31, 32, 33, 63, 64, 65, 4096, small.saturating_sub(1), small, small + 1];
    let puts = sizes.iter().chain(&sizes).map(|len| async {
        let id = id(effects);
        let bytes = content(id, *len);
        let blob = backend.put(id, Bytes::from(bytes.clone())).await?;
        Ok((blob, bytes))
    });
    for put in join_all(puts).await {
        let (blob, bytes) = must("bodies put at once are stored", put)?;
        holds("a stored body has the length of its bytes", blob.len == bytes.len() as u64)?;
        holds("each body has its own place", kept.insert(blob, bytes).is_none())?;
    }
    Ok(())
}

async fn large_bodies(backend: &dyn ObjectBackend, effects: &Effects, kept: &mut Kept) -> Result<(), Broken> {
    let id = id(effects);
    let bytes = content(id, 700_001);
    let mut writer = must("a large body begins", backend.create(id).await)?;
    for piece in bytes.chunks(100_000) {
        let back = must("pieces are appended", writer.append(vec![BytesMut::from(piece)]).await)?;
        holds("the buffer comes back", back.first().is_some_and(|back| back.capacity() >= piece.len()))?;
    }
    let blob = must("a large body is finished", writer.finish().await)?;
    let reader = must("a large body opens", backend.open(&blob).await)?;
    for (from, len) in [(0, 1), (99_999, 2), (700_000, 1), (123_456, 400_000)] {
        let got = must("a range is read", reader.read(from, BytesMut::zeroed(len), Box::new(|_| Ok(()))).await)?;
        holds("a range reads back as written", bytes.get(from as usize..from as usize + len) == Some(&got[..]))?;
    }
    let past = reader.read(700_000, BytesMut::zeroed(2), Box::new(|_| Ok(()))).await;
    holds("reading past the end says so", matches!(past, Err(BackendError::Missing { .. })))?;
    kept.insert(blob, bytes);
    Ok(())
}

/// Whole pages may take another way to the device than what comes before and after them.
async fn whole_pages(backend: &dyn ObjectBackend, effects: &Effects, kept: &mut Kept) -> Result<(), Broken> {
    for sizes in [[16, 16, 1], [16, 3, 16], [1, 16, 16], [16, 0, 16]] {
        let id = id(effects);
        let mut writer = must("a large body begins", backend.create(id).await)?;
        let lens = sizes.map(|size| if size == 16 { 16 * PAGE } else { size });
        let bytes = content(id, lens.iter().sum());
        let mut rest = bytes.as_slice();
        for len in lens {
            let (piece, after) = rest.split_at(len);
            must("pieces are appended", writer.append(vec![in_pages(piece)]).await)?;
            rest = after;
        }
        kept.insert(must("a large body is finished", writer.finish().await)?, bytes);
    }
    Ok(())
}

async fn unfinished_bodies_do_not_exist(backend: &dyn ObjectBackend, effects: &Effects) -> Result<(), Broken> {
    let before = must("bodies can be listed", list_all(backend).await)?.len();
    let mut writer = must("a large body begins", backend.create(id(effects)).await)?;
    must("pieces are appended", writer.append(vec![BytesMut::zeroed(100_000)]).await)?;
    let during = must("bodies can be listed", list_all(backend).await)?.len();
    drop(writer);
    let after = must("bodies can be listed", list_all(backend).await)?.len();
    holds("an unfinished body is not listed", before == during && before == after)
}

async fn work_runs_on_the_bytes(backend: &dyn ObjectBackend, effects: &Effects) -> Result<(), Broken> {
    let id = id(effects);
    let blob = must("a body is stored", backend.put(id, Bytes::from(vec![0xff; 1000])).await)?;
    let flip = |buffer: &mut [u8]| {
        buffer.iter_mut().for_each(|byte| *byte ^= 0xff);
        Ok(())
    };
    let reader = must("it opens", backend.open(&blob).await)?;
    let read = must("it reads", reader.read(0, BytesMut::zeroed(1000), Box::new(flip)).await)?;
    holds("work changes what is read", *read == [0; 1000])?;
    let refused = reader.read(0, BytesMut::zeroed(10), Box::new(|_| Err(WorkFailed))).await;
    holds("failed work fails the read", matches!(refused, Err(BackendError::Work)))?;
    must("it is deleted", backend.delete(&blob).await)
}

async fn deletion_harms_no_other(
    backend: &dyn ObjectBackend,
    effects: &Effects,
    kept: &mut Kept,
) -> Result<(), Broken> {
    let mut mine = Vec::new();
    for len in [10, 5000, 60_000, 100, 4096, 4096, 4096, 90_000] {
        let id = id(effects);
        let bytes = content(id, len);
        mine.push((must("a body is stored", backend.put(id, Bytes::from(bytes.clone())).await)?, bytes));
    }
    let open = match mine.get(1) {
        Some((blob, _)) => must("it opens", backend.open(blob).await)?,
        None => return Ok(()),
    };
    for (n, (blob, bytes)) in mine.into_iter().enumerate() {
        if [0, 3, 6].contains(&n) {
            kept.insert(blob, bytes);
            continue;
        }
        must("a body is deleted", backend.delete(&blob).await)?;
        must("deleting again is success", backend.delete(&blob).await)?;
        if n == 1 {
            let read = must(
                "an open reader is not disturbed",
                open.read(0, BytesMut::zeroed(5000), Box::new(|_| Ok(()))).await,
            )?;
            holds("an open reader reads what was there", read == bytes)?;
        }
    }
    let id = id(effects);
    let bytes = content(id, 77);
    kept.insert(must("a body is stored after deletions", backend.put(id, Bytes::from(bytes.clone())).await)?, bytes);
    Ok(())
}
