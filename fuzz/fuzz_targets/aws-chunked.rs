//! Fuzzes bodies in `aws-chunked`, with trailers, in pieces of the size that the first byte says: the check of their frames finds the
//! same in one piece; the codec reads no more than was announced, and nothing that is not signed where it must be. The tests replay
//! the first half: the codec shows its reader to fuzzers only.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    aws::fuzz::chunked(bytes);
    // Without this, as where it is only seen to compile, the codec does not show its reader.
    #[cfg(fuzzing)]
    codec::read(bytes);
});

#[cfg(fuzzing)]
mod codec {
    use bytes::Bytes;
    use futures::{FutureExt, StreamExt, stream};
    use s3s::{AmzDate, Sha256Sum, stream::aws_chunked_stream::AwsChunkedStream};

    /// What each body announces.
    const DECODED_BYTES: usize = 64;
    /// Largest signed chunk.
    const CHUNK_BYTES_MAX: usize = 1 << 16;

    pub(super) fn read(bytes: &[u8]) {
        let Some((piece, body)) = bytes.split_first() else { return };
        for unsigned in [false, true] {
            let pieces: Vec<_> =
                body.chunks(usize::from(*piece).max(1)).map(|p| Ok(Bytes::copy_from_slice(p))).collect();
            let stream = AwsChunkedStream::new(
                stream::iter(pieces),
                Sha256Sum::from_hex(&"07".repeat(32)).expect("a digest"),
                AmzDate::parse("20150830T123600Z").expect("a date"),
                "us-east-1".into(),
                "s3".into(),
                "a secret".into(),
                DECODED_BYTES,
                unsigned,
                CHUNK_BYTES_MAX,
            );
            // Up to its first error: asked again after one, the codec's reader gives another for ever.
            let parts = stream.take_while(|part| std::future::ready(part.is_ok()));
            let read = parts.fold(0, |read, part| std::future::ready(read + part.map_or(0, |bytes| bytes.len())));
            let read = read.now_or_never().expect("every piece is there");
            assert!(read <= DECODED_BYTES, "{read} bytes of an announced {DECODED_BYTES}");
            assert!(unsigned || read == 0, "nothing here is signed");
        }
    }
}
