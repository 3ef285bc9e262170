//! Which declarations of a digest are read, and that the codec gets nothing to read.

use super::*;
use http::Request;

const DIGEST: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

fn with(values: &[&str]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for value in values {
        headers.append("x-amz-content-sha256", value.parse().unwrap());
    }
    headers
}

#[test]
fn one_digest_is_read_and_nothing_else() {
    let empty = Some(crypto::sha256(b""));
    assert_eq!(declared(&with(&[DIGEST])), empty);
    assert_eq!(declared(&with(&["47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="])), empty);
    for other in [
        &[][..],
        &[DIGEST, DIGEST],
        &[&DIGEST.to_uppercase()],
        &["UNSIGNED-PAYLOAD"],
        &["STREAMING-AWS4-HMAC-SHA256-PAYLOAD"],
        &[&"zz".repeat(32)],
        &[DIGEST.get(..62).unwrap()],
        &[""],
    ] {
        assert_eq!(declared(&with(other)), None, "{other:?}");
    }
}

#[tokio::test]
async fn the_codec_sees_how_long_a_body_is_and_none_of_it() {
    let request = Request::put("/b/k").header("x-amz-content-sha256", DIGEST).body(()).unwrap();
    let (mut parts, ()) = request.into_parts();
    let seen = aside(&mut parts, http_body_util::Full::new(Bytes::from_static(b"body")), &Bodies::default());
    assert_eq!(seen.size_hint().exact(), Some(4));
    assert!(http_body_util::BodyExt::collect(seen).await.unwrap().to_bytes().is_empty());
    let (body, digest) = take(&parts.extensions).unwrap();
    assert_eq!(digest, crypto::sha256(b""));
    let pieces: Vec<Bytes> = body.map(Result::unwrap).collect().await;
    assert_eq!(pieces.concat(), b"body");
    assert!(take(&parts.extensions).is_none(), "a body is taken once");
}

#[tokio::test]
async fn finding_chunks_that_wait_for_their_signature_had_no_common_bound() {
    let chunks = Bodies::default();
    let begun = |kind: &str| {
        let request = Request::put("/b/k").header("x-amz-content-sha256", kind).body(()).unwrap();
        let (mut parts, ()) = request.into_parts();
        let body = [&b"1000000\r\n"[..], &vec![7; 10 << 20]].concat();
        aside(&mut parts, http_body_util::Full::new(Bytes::from(body)), &chunks)
    };
    let (mut held, mut taken) = (Vec::new(), Vec::new());
    for _ in 0..4 {
        let mut body = begun("STREAMING-AWS4-HMAC-SHA256-PAYLOAD");
        taken.push(body.frame().await.unwrap().is_ok());
        held.push(body);
    }
    assert_eq!(taken, [true, true, true, false]);
    let streamed = begun("STREAMING-UNSIGNED-PAYLOAD-TRAILER").frame().await.unwrap();
    assert!(streamed.is_ok(), "what is not signed is not held");
    drop(held);
    assert!(begun("STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER").frame().await.unwrap().is_ok());
}
