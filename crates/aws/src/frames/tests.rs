//! What is a body in chunks and what is not, however it is cut into pieces.

use super::*;
use access::bodies::Bodies;
use http_body_util::{BodyExt as _, Full};

const SIGNATURE: &str = "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648";

fn headers(trailer: &'static str) -> HeaderMap {
    HeaderMap::from_iter([("x-amz-trailer".parse().unwrap(), trailer.parse().unwrap())])
}

/// As one piece, and byte by byte.
#[track_caller]
fn read(body: &str) -> Result<(), Misframed> {
    let of = |pieces: usize| {
        let mut frames = Frames::new(&headers("x-amz-checksum-crc32"), None);
        body.as_bytes()
            .chunks(pieces)
            .try_for_each(|piece| frames.pass(piece).map_err(|error| *error.downcast::<Misframed>().unwrap()))?;
        frames.end()
    };
    let whole = of(usize::MAX);
    assert_eq!(of(1), whole, "{body}");
    whole
}

#[test]
fn bodies_of_clients_pass() {
    for sound in [
        "0\r\n\r\n".to_owned(),
        "0\r\n".to_owned(),
        "5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n".to_owned(),
        "05\r\nhello\r\nA\r\n0\r\n45;789\n\r\n0\r\nX-Amz-Checksum-CRC32: NhCmhg==\n\r\n\r\n".to_owned(),
        format!("5;chunk-signature={SIGNATURE}\r\nhello\r\n0;chunk-signature={SIGNATURE}\r\n\r\n"),
        format!(
            "0;chunk-signature={SIGNATURE}\r\nx-amz-checksum-crc32:AAAAAA==\r\nx-amz-trailer-signature:{SIGNATURE}\r\n\r\n"
        ),
        "0\r\nx-amz-checksum-crc32:AAAAAA==".to_owned(),
    ] {
        assert_eq!(read(&sound), Ok(()), "{sound}");
    }
}

#[test]
fn finding_a_chunked_body_without_its_last_chunk() {
    for cut in ["", "5", "5\r\n", "5\r\nhell", "5\r\nhello", "5\r\nhello\r", "5\r\nhello\r\n", "5\r\nhello\r\n0", "0\r"]
    {
        assert_eq!(read(cut), Err(Misframed::Unended), "{cut}");
    }
}

#[test]
fn finding_a_chunk_size_with_other_letters_behind_it() {
    let long = format!("5;chunk-signature={SIGNATURE}0\r\nhello\r\n");
    let short = format!("5;chunk-signature={}\r\nhello\r\n", SIGNATURE.replace("ad80", "ad"));
    for head in
        ["5zz\r\n", "\r\n", "5\n", " 5\r\n", "+5\r\n", "5 \r\n", "000000005\r\n", "5;\r\n", "5;a=b\r\n", &long, &short]
    {
        assert_eq!(read(&format!("{head}hello\r\n0\r\n\r\n")), Err(Misframed::Head), "{head}");
    }
    assert_eq!(read(&"5".repeat(4096)), Err(Misframed::Head), "a line has a length");
}

#[test]
fn a_chunk_is_as_long_as_its_size() {
    for wrong in
        ["4\r\nhello\r\n0\r\n\r\n", "5\r\nhello\n0\r\n\r\n", "5\r\nhello\r0\r\n\r\n", "6\r\nhello\r\n0\r\n\r\n"]
    {
        assert_eq!(read(wrong), Err(Misframed::Length), "{wrong}");
    }
}

#[test]
fn a_trailer_is_one_that_was_announced() {
    let long = format!("x-amz-checksum-crc32:{}", "A".repeat(TRAILER_BYTES_MAX));
    for wrong in [
        "x-amz-checksum-sha1:AAAAAA==\r\n",
        "x-amz-checksum-crc32\r\n",
        ":\r\n",
        "5\r\nhello\r\n",
        "x-amz-meta-a:b",
        &long,
    ] {
        assert_eq!(read(&format!("0\r\n{wrong}")), Err(Misframed::Trailer), "{wrong}");
    }
}

#[test]
fn finding_a_signed_chunk_is_held_outside_the_budget() {
    let bodies = Bodies::default();
    let begin = || {
        let mut frames = Frames::new(&HeaderMap::new(), Some(bodies.share()));
        frames.pass(b"1000000\r\n").unwrap();
        frames
    };
    let mebibyte = vec![7; 1 << 20];
    let (mut open, mut refused) = (Vec::new(), None);
    while refused.is_none() {
        let mut frames = begin();
        refused = (0..15).find_map(|_| frames.pass(&mebibyte).err());
        open.push(frames);
    }
    assert!(refused.unwrap().is::<access::bodies::Spent>());
    assert_eq!(open.len(), 3, "chunks of 16 MiB share the room for large bodies");
    // Once it is whole, a chunk is the codec's no more.
    open.truncate(1);
    for _ in 0..8 {
        let frames = &mut open[0];
        frames.pass(&mebibyte).unwrap();
        frames.pass(b"\r\n1000000\r\n").unwrap();
        (0..15).for_each(|_| frames.pass(&mebibyte).unwrap());
    }
}

#[tokio::test]
async fn the_body_is_passed_on_as_it_is() {
    let read = async |text: &'static str| {
        let body = Full::new(Bytes::from_static(text.as_bytes())).map_err(|never| match never {});
        let framed = Framed::new(body, Frames::new(&HeaderMap::new(), None));
        assert!(!framed.is_end_stream());
        assert_eq!(framed.size_hint().exact(), Some(text.len() as u64));
        framed.collect().await.map(|whole| whole.to_bytes())
    };
    assert_eq!(read("2\r\nab\r\n0\r\n\r\n").await.unwrap(), "2\r\nab\r\n0\r\n\r\n");
    assert!(read("2\r\nab\r\n").await.unwrap_err().is::<Misframed>());
    assert!(read("").await.unwrap_err().is::<Misframed>());
}
