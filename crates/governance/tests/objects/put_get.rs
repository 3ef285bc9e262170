//! What is put is what is read, in whole and in ranges; what does not match is refused and leaves nothing.

use super::world::{World, bytes, drain, put};
use access::{
    facts::{Occupied, Place},
    s3,
};
use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::Bytes;
use futures::{FutureExt, StreamExt, stream};
use governance::{
    Error,
    objects::{Algorithm, ByteRange, Checksum, Expected, Get, Kind, Metadata, Put, SystemMetadata, Tags},
};
use std::collections::HashSet;

// verifies: DAT-07
#[tokio::test]
async fn every_size_and_every_range_reads_back() {
    let world = World::new().await;
    let mib = 1 << 20;
    for len in [0, 1, 65_519, 65_520, 65_521, 65_536, 65_537, 262_144, mib, mib + 1, 3 * mib + 77] {
        for announced in [true, false] {
            let content = bytes(len);
            let written = world
                .try_put("a/b", Put { length: announced.then_some(len as u64), ..put(content.clone()) })
                .await
                .unwrap();
            assert_eq!(written.size, len as u64);
            assert!(world.get("a/b").await.unwrap() == content, "{len} {announced}");
            for (a, b) in
                [(0, 0), (1, 65_535), (65_536, 65_536), (65_535, 262_145), (262_143, 2 * mib), (3 * mib, 9 * mib)]
            {
                let get = Get { range: Some(ByteRange::Inclusive(a as u64, b as u64)), ..Get::default() };
                match world.get_with("a/b", get).await {
                    Ok(got) => assert!(got == content[a..len.min(b + 1)], "{len} {a}-{b}"),
                    Err(Error::RangeNotSatisfiable { .. }) => assert!(a >= len, "{len} {a}-{b}"),
                    Err(error) => panic!("{error}"),
                }
            }
            let last = world.get_with("a/b", Get { range: Some(ByteRange::Last(5)), ..Get::default() }).await;
            if len > 0 {
                assert_eq!(last.unwrap(), content[len.saturating_sub(5)..]);
            }
        }
    }
}

#[tokio::test]
async fn what_is_said_of_an_object_comes_back() {
    let world = World::new().await;
    let metadata = Metadata {
        system: SystemMetadata {
            content_type: Some("text/csv".into()),
            cache_control: Some("no-cache".into()),
            content_disposition: Some("attachment".into()),
            content_encoding: Some("gzip".into()),
            content_language: Some("da".into()),
            expires: Some("Thu, 01 Dec 2033 16:00:00 GMT".into()),
        },
        user: [("owner".to_owned(), "æ".to_owned())].into(),
    };
    let tags = Tags::new([("site".to_owned(), "42".to_owned())]).unwrap();
    let written = world.try_put("k", Put { metadata: metadata.clone(), tags: tags.clone(), ..put("x") }).await.unwrap();
    let head = world.objects.head(world.permit(s3::GetObject, "k"), Get::default()).await.unwrap();
    assert_eq!((head.info.metadata, head.info.tags, head.info.etag), (metadata, tags, written.etag));
    assert_eq!((head.info.version, head.info.latest, head.info.size), (written.version, true, 1));
    assert_eq!(head.info.checksum, written.checksum);
}

#[tokio::test]
async fn checksums_are_computed_compared_and_stored() {
    let world = World::new().await;
    // Of "123456789": the catalogue's check values, and FIPS 180's digests.
    let known = [
        (Algorithm::Crc32, "y/Q5Jg=="),
        (Algorithm::Crc32c, "4waSgw=="),
        (Algorithm::Crc64nvme, "rosUhgp5mIg="),
        (Algorithm::Sha1, "98O8HYCOBHMq32eZZczDTKeuNEE="),
        (Algorithm::Sha256, "FeKw08M4keuw8e9gnsQZQgwg4yDOlMZfvIwzEkSOsiU="),
    ];
    for (algorithm, value) in known {
        let sum = Checksum::parse(algorithm, value).unwrap();
        let written = world
            .try_put("k", Put { checksum: Expected::Value(sum.clone()), ..put("123456789") })
            .await
            .unwrap_or_else(|error| panic!("{algorithm:?}: {error}"));
        let stored = written.checksum.unwrap();
        assert_eq!((stored.checksum, stored.kind), (sum.clone(), Kind::FullObject));
        let wrong = Put { checksum: Expected::Value(sum), ..put("12345678X") };
        assert!(matches!(world.try_put("wrong", wrong).await, Err(Error::ChecksumMismatch { .. })));
        let trailer = |text: Option<&'static str>| Put {
            checksum: Expected::Trailer(algorithm, Box::new(move || text.map(str::to_owned))),
            ..put("123456789")
        };
        world.try_put("k", trailer(Some(value))).await.unwrap();
        assert!(matches!(world.try_put("wrong", trailer(None)).await, Err(Error::ChecksumMissing { .. })));
        assert!(matches!(world.try_put("wrong", trailer(Some("AAAA"))).await, Err(Error::BadChecksumValue { .. })));
    }
    let md5 = |text: &str| BASE64_STANDARD.decode(text).unwrap().try_into().ok();
    world.try_put("k", Put { content_md5: md5("JfnnlDI7RThTF9IYHyFx+A=="), ..put("123456789") }).await.unwrap_err();
    world.try_put("k", Put { content_md5: md5("JfnnlDI7RTiF9RgfG2JNCw=="), ..put("123456789") }).await.unwrap();
    assert!(matches!(world.get("wrong").await, Err(Error::NoSuchKey)));
}

// A batch is hashed apart from its sealing when a body is large, and where it is sealed when it is small.
#[tokio::test]
async fn the_signed_digest_is_compared_beside_every_other_checksum() {
    let world = World::new().await;
    let mib = 1 << 20;
    for len in [0, 1, 40_000, mib, mib + 1, 7 * mib + 77] {
        let content = bytes(len);
        let other = Some(crypto::sha256(b"another body"));
        for (length, algorithm) in [(Some(len as u64), Algorithm::Crc32c), (None, Algorithm::Sha256)] {
            let with = |signed| Put { length, signed, checksum: Expected::Compute(algorithm), ..put(content.clone()) };
            let refused = world.try_put("wrong", with(other)).await;
            assert!(matches!(refused, Err(Error::NotTheSignedBody)), "{len}");
            let written = world.try_put("k", with(Some(crypto::sha256(&content)))).await.unwrap();
            assert_eq!(written.checksum.unwrap().checksum.algorithm, algorithm);
            assert!(world.get("k").await.unwrap() == content, "{len}");
        }
    }
    assert!(matches!(world.get("wrong").await, Err(Error::NoSuchKey)));
}

#[tokio::test]
async fn a_body_that_ends_early_or_is_too_long_leaves_nothing() {
    let world = World::new().await;
    for len in [10_usize, 2 << 20] {
        for announced in [len as u64 - 1, len as u64 + 1] {
            let short = Put { length: Some(announced), ..put(bytes(len)) };
            assert!(matches!(world.try_put("k", short).await, Err(Error::WrongLength { .. })), "{len} {announced}");
        }
        let broken = stream::iter([Ok(Bytes::from(bytes(len))), Err("cut".into())]).boxed();
        let failed = world.try_put("k", Put { length: None, body: broken, ..put("") }).await.unwrap_err();
        let Error::Body { source } = failed else { panic!("{failed}") };
        assert_eq!(source.to_string(), "cut");
    }
    assert!(matches!(
        world.try_put("k", Put { length: Some(6 << 30), ..put("") }).await,
        Err(Error::BodyTooLarge { .. })
    ));
    assert!(matches!(world.get("k").await, Err(Error::NoSuchKey)));
    assert_eq!(world.version_count().await, 0);
    assert!(bodies_stored(&world).await == 0);
}

/// Bodies in the backend; a sweep that knows of no orphan removes nothing and counts.
async fn bodies_stored(world: &World) -> u64 {
    world.objects.sweep(&HashSet::new()).await.unwrap().seen
}

#[tokio::test]
async fn names_that_lead_astray_are_refused() {
    let world = World::new().await;
    for key in ["", "a//b", "../x", "a/../b", "a/.", "./a", "/a", "nul\0byte", &"k".repeat(1025)] {
        assert!(matches!(world.try_put(key, put("x")).await, Err(Error::BadName(_))), "{key:?}");
    }
    for key in ["a/b/", "æøå", " ", "a+b%2F", "...", "..a", &"k".repeat(1024)] {
        world.put(key, "x").await;
        assert_eq!(world.get(key).await.unwrap(), b"x");
    }
}

#[tokio::test]
async fn a_cut_ends_open_streams_at_once() {
    let world = World::new().await;
    world.put("big", bytes(5 << 20)).await;
    let open = world.objects.open(world.permit(s3::GetObject, "big"), Get::default()).await.unwrap();
    let mut stream = open.bytes;
    assert!(stream.next().await.unwrap().is_ok());
    world.cut();
    assert!(matches!(stream.next().await.unwrap(), Err(Error::Ended { why: "cut" })));
    assert!(stream.next().await.is_none());

    // A writer that waits for its peer is woken.
    let stalled = stream::iter([Ok(Bytes::from_static(b"some"))]).chain(stream::pending()).boxed();
    let mut write = Box::pin(world.try_put("up", Put { length: None, body: stalled, ..put("") }));
    assert!(write.as_mut().now_or_never().is_none());
    world.cut();
    assert!(matches!(write.await, Err(Error::Ended { why: "cut" })));
    assert!(matches!(world.get("up").await, Err(Error::NoSuchKey)));
}

#[tokio::test]
async fn a_permit_for_the_current_version_opens_no_other() {
    let world = World::new().await;
    let written = world.put("k", "one").await;
    let named = access::Object::new(super::world::BUCKET, "k").at_version(Some(written.version.to_string()));
    let current = world.permit_in(&world.data, s3::GetObject, named.clone());
    assert!(matches!(world.objects.head(current, Get::default()).await, Err(Error::WrongPermit)));
    let version = world.permit_in(&world.data, s3::GetObjectVersion, access::Object::new(super::world::BUCKET, "k"));
    assert!(matches!(world.objects.head(version, Get::default()).await, Err(Error::WrongPermit)));
    let right = world.permit_in(&world.data, s3::GetObjectVersion, named);
    let open = world.objects.open(right, Get::default()).await.unwrap();
    assert_eq!(drain(open.bytes).await.unwrap(), b"one");
}

#[tokio::test]
async fn a_permit_of_another_dataset_does_not_open_it() {
    let world = World::new().await;
    world.put("k", "one").await;
    let other = world.dataset("x/", access::facts::DatasetKind::Dataset).await;
    let permit = world.permit_in(&other, s3::GetObject, access::Object::new(super::world::BUCKET, "k"));
    assert!(matches!(world.objects.head(permit, Get::default()).await, Err(Error::NoDataset)));
}

#[tokio::test]
async fn nothing_is_written_into_a_dataset_that_ended() {
    let world = World::new().await;
    world.put_location(&world.data, false).await;
    assert!(matches!(world.try_put("k", put("x")).await, Err(Error::NoSuchBucket)));
    assert_eq!(bodies_stored(&world).await, 0);

    // Nor under a prefix that a nested dataset took after the permit was given.
    let world = World::new().await;
    let known = newest(&world).await;
    let early = world.permit(s3::PutObject, "x/k");
    let knowing = world.permit(s3::PutObject, "x/k").knowing(known);
    assert_eq!(occupied(&world, "x/").await, Occupied::No);
    world.dataset("x/", access::facts::DatasetKind::Dataset).await;
    assert!(matches!(world.objects.put(early, put("x")).await, Err(Error::NoDataset)));
    assert!(matches!(world.objects.put(knowing, put("x")).await, Err(Error::NoDataset)));
    world.put("y/k", "x").await;
    let knowing = world.permit(s3::PutObject, "y/k").knowing(newest(&world).await);
    assert!(world.objects.put(knowing, put("x")).await.is_ok());
    assert_eq!(occupied(&world, "y/").await, Occupied::Yes);
    assert_eq!(occupied(&world, "y/k/").await, Occupied::No);
}

async fn newest(world: &World) -> u64 {
    world.store.read(|txn| txn.newest_seq()).await.unwrap()
}

async fn occupied(world: &World, prefix: &str) -> Occupied {
    let place = Place { bucket: super::world::BUCKET.to_owned(), prefix: prefix.to_owned() };
    world.store.read(move |txn| governance::objects::occupied(txn, &place)).await.unwrap()
}
