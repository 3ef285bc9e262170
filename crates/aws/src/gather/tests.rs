//! Every byte comes once and in order, in few pieces.

use super::*;
use futures::stream;
use http_body_util::{BodyExt as _, StreamBody};
use std::convert::Infallible;

async fn gathered(pieces: Vec<usize>) -> Vec<usize> {
    let mut sent = Vec::new();
    let frames: Vec<_> = pieces
        .iter()
        .enumerate()
        .map(|(n, len)| {
            let bytes = vec![u8::try_from(n % 251).unwrap(); *len];
            sent.extend_from_slice(&bytes);
            Ok::<_, Infallible>(Frame::data(Bytes::from(bytes)))
        })
        .collect();
    let mut body = Gathered::new(StreamBody::new(stream::iter(frames)));
    let (mut lengths, mut read) = (Vec::new(), Vec::new());
    while let Some(Ok(frame)) = body.frame().await {
        let data = frame.into_data().unwrap();
        lengths.push(data.len());
        read.extend_from_slice(&data);
    }
    assert_eq!(read, sent);
    lengths
}

#[tokio::test]
async fn finding_a_signed_chunk_sent_byte_by_byte_takes_32_times_its_size() {
    assert_eq!(gathered(vec![1; 10_000]).await, [4096, 4096, 1808]);
    assert_eq!(gathered(vec![100, 5000, 4096, 0, 7]).await, [5100, 4096, 7]);
    assert!(gathered(Vec::new()).await.is_empty());
}
