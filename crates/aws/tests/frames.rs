//! Bodies in `aws-chunked` that are not what they say: each gets the protocol's own error, and changes nothing.

use crate::wire::{self, Reply, call, chunked, crc32};
use crate::world::World;

const HELLO: &[&[u8]] = &[b"hello ", b"world", b""];

/// Puts `hello world` in signed chunks, bent on their way.
async fn signed(world: &World, chunks: &[&[u8]], bend: impl FnOnce(String) -> String) -> Reply {
    let put = call("PUT", "/trial/chunked");
    let request = wire::in_signed_chunks(&put, &world.ann, &world.host(), world.effects.now(), chunks, bend);
    wire::send(world.address, request).await
}

/// Puts `hello world` in chunks that are not signed.
async fn unsigned(world: &World, body: impl Into<Vec<u8>>) -> Reply {
    let put = call("PUT", "/trial/chunked")
        .payload("STREAMING-UNSIGNED-PAYLOAD-TRAILER")
        .header("content-encoding", "aws-chunked")
        .header("x-amz-decoded-content-length", "11")
        .header("x-amz-trailer", "x-amz-checksum-crc32")
        .body(body.into());
    world.s3(&world.ann, &put).await
}

async fn unchanged(world: &World, why: &str) {
    let kept = world.s3(&world.ann, &call("GET", "/trial/chunked")).await.ok();
    assert_eq!(kept.text(), "before", "{why}");
}

#[tokio::test]
async fn finding_a_signed_body_was_taken_without_its_last_chunk() {
    let world = World::new().await;
    world.s3(&world.ann, &call("PUT", "/trial/chunked").body("before")).await.ok();
    let cut = signed(&world, HELLO, |body| body.rsplit_once("0;chunk").unwrap().0.to_owned()).await;
    cut.expect(400, "IncompleteBody");
    assert!(cut.text().contains("last chunk"), "{}", cut.text());
    unchanged(&world, "no last chunk").await;
    let sum = format!("x-amz-checksum-crc32:{}", crc32(b"hello world"));
    let whole = String::from_utf8(chunked(b"hello world", Some(&sum))).unwrap();
    unsigned(&world, whole.split_once("0\r\n").unwrap().0).await.expect(400, "IncompleteBody");
    unchanged(&world, "no last chunk").await;
    // The same bodies, whole.
    unsigned(&world, whole).await.ok();
    signed(&world, HELLO, |body| body).await.ok();
    let kept = world.s3(&world.ann, &call("GET", "/trial/chunked")).await.ok();
    assert_eq!(kept.text(), "hello world");
    signed(&world, &[b""], |body| body).await.ok();
    assert_eq!(world.s3(&world.ann, &call("GET", "/trial/chunked")).await.ok().text(), "");
}

#[tokio::test]
async fn finding_a_chunk_size_was_read_up_to_what_is_no_digit() {
    let world = World::new().await;
    world.s3(&world.ann, &call("PUT", "/trial/chunked").body("before")).await.ok();
    for (size, bent) in [("6;", "6zz;"), ("6;", "+6;"), ("6;", "600000006;"), ("6;", "6;a=b;"), ("6;", " 6;")] {
        let reply = signed(&world, HELLO, |body| body.replacen(size, bent, 1)).await;
        reply.expect(400, "IncompleteBody");
        assert!(reply.text().contains("hexadecimal"), "{}", reply.text());
        unchanged(&world, bent).await;
    }
    let sum = format!("x-amz-checksum-crc32:{}", crc32(b"hello world"));
    let whole = String::from_utf8(chunked(b"hello world", Some(&sum))).unwrap();
    unsigned(&world, whole.replacen("b\r\n", "bzz\r\n", 1)).await.expect(400, "IncompleteBody");
    unsigned(&world, whole.replace("hello world", "hello worlds")).await.expect(400, "IncompleteBody");
    unsigned(&world, whole.replace("crc32:", "crc32c:")).await.expect(400, "MalformedTrailerError");
    unsigned(&world, whole.replace("crc32:", "crc32 ")).await.expect(400, "MalformedTrailerError");
    unsigned(&world, format!("{whole}x-amz-meta-a:b\r\n")).await.expect(400, "MalformedTrailerError");
    unchanged(&world, "trailers").await;
    // A signature of other bytes is the codec's to find.
    signed(&world, HELLO, |body| body.replace("hello", "jello")).await.expect(403, "SignatureDoesNotMatch");
    unchanged(&world, "signature").await;
}
