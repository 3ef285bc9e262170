//! Parts become one object, in one step, byte for byte.

use super::world::{World, body, bytes};
use access::{Visible, s3};
use base::UploadId;
use governance::{
    ETag, Error, Tags,
    objects::{
        Algorithm, Begin, Begun, ByteRange, Checksum, Complete, CompletedPart, Conditions, CopyPart, Expected, Get,
        Kind, ListUploads, Match, Metadata, PartInfo, PutPart, Written,
    },
};

const MIB: usize = 1 << 20;

async fn begin(world: &World, begin: Begin) -> Begun {
    world.objects.begin(world.permit(s3::PutObject, "big"), begin).await.unwrap()
}

async fn part(world: &World, upload: UploadId, part: u32, content: Vec<u8>) -> Result<PartInfo, Error> {
    let length = Some(content.len() as u64);
    let (checksum, content_md5, signed) = (Expected::None, None, None);
    let put = PutPart { upload, part, length, checksum, content_md5, signed, body: body(content) };
    world.objects.put_part(world.permit(s3::PutObject, "big"), put).await
}

fn listed(parts: &[PartInfo]) -> Vec<CompletedPart> {
    let listed =
        |p: &PartInfo| CompletedPart { part: p.part, etag: p.etag.clone().unwrap(), checksum: p.checksum.clone() };
    parts.iter().map(listed).collect()
}

async fn complete(world: &World, upload: UploadId, parts: Vec<CompletedPart>) -> Result<Written, Error> {
    let complete =
        Complete { upload, parts, conditions: Conditions::default(), checksum: None, kind: None, size: None };
    world.objects.complete(world.permit(s3::PutObject, "big"), complete).await
}

#[tokio::test]
async fn parts_become_one_object() {
    let world = World::new().await;
    let content = bytes(12 * MIB + 5);
    let metadata = Metadata { user: [("k".to_owned(), "v".to_owned())].into(), ..Metadata::default() };
    let tags = Tags::new([("t".to_owned(), "1".to_owned())]).unwrap();
    let begun = begin(&world, Begin { metadata: metadata.clone(), tags: tags.clone(), ..Begin::default() }).await;
    // Out of order, with a replaced part and one that is not used.
    let third = part(&world, begun.upload, 7, content[11 * MIB..].to_vec()).await.unwrap();
    part(&world, begun.upload, 1, vec![0; 6 * MIB]).await.unwrap();
    let first = part(&world, begun.upload, 1, content[..6 * MIB].to_vec()).await.unwrap();
    let second = part(&world, begun.upload, 3, content[6 * MIB..11 * MIB].to_vec()).await.unwrap();
    part(&world, begun.upload, 9, vec![1; 10]).await.unwrap();
    assert!(matches!(world.get("big").await, Err(Error::NoSuchKey)));
    let page =
        world.objects.parts(world.permit(s3::ListMultipartUploadParts, "big"), begun.upload, 1, 2).await.unwrap();
    assert_eq!(page.parts.iter().map(|p| p.part).collect::<Vec<_>>(), [3, 7]);
    assert_eq!(page.next, Some(7));

    let asked = listed(&[first, second, third]);
    let done = complete(&world, begun.upload, asked.clone()).await.unwrap();
    assert!(done.etag.as_str().ends_with("-3") && done.etag.as_str().len() == 34);
    assert_eq!(done.size, content.len() as u64);
    assert!(world.get("big").await.unwrap() == content);
    for (a, b) in [(0, 0), (6 * MIB - 1, 6 * MIB), (5 * MIB, 11 * MIB + 1), (11 * MIB - 3, 12 * MIB + 4)] {
        let get = Get { range: Some(ByteRange::Inclusive(a as u64, b as u64)), ..Get::default() };
        assert!(world.get_with("big", get).await.unwrap() == content[a..=b], "{a}-{b}");
    }
    for (number, range) in [(1, 0..6 * MIB), (2, 6 * MIB..11 * MIB), (3, 11 * MIB..12 * MIB + 5)] {
        let get = Get { part: Some(number), ..Get::default() };
        assert!(world.get_with("big", get).await.unwrap() == content[range], "{number}");
    }
    let none = world.get_with("big", Get { part: Some(4), ..Get::default() }).await;
    assert!(matches!(none, Err(Error::NoSuchPart { parts: 3 })));
    let (info, parts) = world.objects.attributes(world.permit(s3::GetObjectAttributes, "big"), 0, 10).await.unwrap();
    assert_eq!((info.metadata, info.tags, info.parts), (metadata, tags, Some(3)));
    assert_eq!(parts.parts.iter().map(|p| p.size as usize).collect::<Vec<_>>(), [6 * MIB, 5 * MIB, MIB + 5]);

    // Who lost the answer asks again and gets the same one; another request finds nothing.
    assert_eq!(complete(&world, begun.upload, asked.clone()).await.unwrap(), done);
    assert!(matches!(complete(&world, begun.upload, asked[..1].to_vec()).await, Err(Error::NoSuchUpload { .. })));
    assert_eq!(world.version_count().await, 1);
    // The upload is over; bodies that were replaced or left out are gone.
    assert!(matches!(part(&world, begun.upload, 1, vec![1]).await, Err(Error::NoSuchUpload { .. })));
    let swept = world.swept().await;
    assert_eq!((swept.seen, swept.removed), (3, 0));
}

#[tokio::test]
async fn checksums_of_parts_make_the_checksum_of_the_whole() {
    let world = World::new().await;
    let content = bytes(10 * MIB + 1);
    for algorithm in Algorithm::ALL {
        let begun = begin(&world, Begin { algorithm: Some(algorithm), ..Begin::default() }).await;
        let parts = [
            part(&world, begun.upload, 1, content[..5 * MIB].to_vec()).await.unwrap(),
            part(&world, begun.upload, 2, content[5 * MIB..].to_vec()).await.unwrap(),
        ];
        let done = complete(&world, begun.upload, listed(&parts)).await.unwrap();
        let checksum = done.checksum.unwrap();
        let composite = algorithm != Algorithm::Crc64nvme;
        assert_eq!(checksum.kind, if composite { Kind::Composite } else { Kind::FullObject });
        assert_eq!(checksum.checksum.value.ends_with("-2"), composite, "{algorithm:?}");
    }
    // CRCs join to what the whole body would have given.
    for algorithm in [Algorithm::Crc32, Algorithm::Crc32c, Algorithm::Crc64nvme] {
        let kind = Some(Kind::FullObject);
        let begun = begin(&world, Begin { algorithm: Some(algorithm), kind, ..Begin::default() }).await;
        let parts = [
            part(&world, begun.upload, 1, content[..5 * MIB].to_vec()).await.unwrap(),
            part(&world, begun.upload, 2, content[5 * MIB..].to_vec()).await.unwrap(),
        ];
        let done = complete(&world, begun.upload, listed(&parts)).await.unwrap();
        let put = super::world::put(content.clone());
        let put = governance::objects::Put { checksum: Expected::Compute(algorithm), ..put };
        let whole = world.try_put("whole", put).await.unwrap();
        assert_eq!(done.checksum, whole.checksum);
    }
    for (algorithm, kind) in [(Algorithm::Sha256, Kind::FullObject), (Algorithm::Crc64nvme, Kind::Composite)] {
        let impossible = Begin { algorithm: Some(algorithm), kind: Some(kind), ..Begin::default() };
        let begun = world.objects.begin(world.permit(s3::PutObject, "big"), impossible).await;
        assert!(matches!(begun, Err(Error::ChecksumKind { .. })));
    }
}

#[tokio::test]
async fn a_list_of_parts_that_is_wrong_completes_nothing() {
    let world = World::new().await;
    let begun = begin(&world, Begin::default()).await;
    let one = part(&world, begun.upload, 1, bytes(5 * MIB)).await.unwrap();
    let two = part(&world, begun.upload, 2, bytes(10)).await.unwrap();
    let three = part(&world, begun.upload, 3, bytes(10)).await.unwrap();
    let good = listed(&[one, two.clone(), three]);
    let refused = |parts: Vec<CompletedPart>| complete(&world, begun.upload, parts);
    assert!(matches!(refused(vec![]).await, Err(Error::NoParts)));
    assert!(matches!(refused(good.clone()).await, Err(Error::PartTooSmall { part: 2, .. })));
    assert!(matches!(refused(vec![good[1].clone(), good[0].clone()]).await, Err(Error::PartOrder)));
    assert!(matches!(refused(vec![good[0].clone(), good[0].clone()]).await, Err(Error::PartOrder)));
    let stranger = CompletedPart { etag: ETag::from_header("\"x\""), ..good[0].clone() };
    assert!(matches!(refused(vec![stranger]).await, Err(Error::InvalidPart { part: 1 })));
    let unknown = CompletedPart { part: 5, ..good[0].clone() };
    assert!(matches!(refused(vec![unknown]).await, Err(Error::InvalidPart { part: 5 })));
    let other = Checksum::parse(Algorithm::Crc64nvme, "rosUhgp5mIg=").unwrap();
    let wrong = CompletedPart { checksum: Some(other.clone()), ..good[0].clone() };
    assert!(matches!(refused(vec![wrong]).await, Err(Error::InvalidPart { part: 1 })));
    let kinds = [None, None, Some(Kind::Composite)];
    for ((size, checksum), kind) in [(Some(1), None), (None, Some(other)), (None, None)].into_iter().zip(kinds) {
        let bad = Complete {
            upload: begun.upload,
            parts: good[..2].to_vec(),
            conditions: Conditions::default(),
            checksum,
            kind,
            size,
        };
        let result = world.objects.complete(world.permit(s3::PutObject, "big"), bad).await;
        assert!(matches!(
            result,
            Err(Error::WrongLength { .. } | Error::ChecksumMismatch { .. } | Error::OtherChecksumKind)
        ));
    }
    for bad in [0, 10_001] {
        assert!(matches!(part(&world, begun.upload, bad, vec![1]).await, Err(Error::BadPartNumber { .. })));
    }
    // Another key than the upload's finds nothing.
    let elsewhere = Complete {
        upload: begun.upload,
        parts: good.clone(),
        conditions: Conditions::default(),
        checksum: None,
        kind: None,
        size: None,
    };
    let result = world.objects.complete(world.permit(s3::PutObject, "other"), elsewhere).await;
    assert!(matches!(result, Err(Error::NoSuchUpload { .. })));
    // It was refused many times and is still there.
    complete(&world, begun.upload, good[..2].to_vec()).await.unwrap();
}

#[tokio::test]
async fn conditions_hold_when_an_upload_completes() {
    let world = World::new().await;
    let begun = begin(&world, Begin::default()).await;
    let one = part(&world, begun.upload, 1, vec![1; 10]).await.unwrap();
    world.put("big", "came first").await;
    let conditions = Conditions { if_none_match: Some(Match::Any), ..Conditions::default() };
    let late =
        Complete { upload: begun.upload, parts: listed(&[one]), conditions, checksum: None, kind: None, size: None };
    let result = world.objects.complete(world.permit(s3::PutObject, "big"), late).await;
    assert!(matches!(result, Err(Error::PreconditionFailed { .. })));
    assert_eq!(world.get("big").await.unwrap(), b"came first");
}

#[tokio::test]
async fn an_aborted_upload_leaves_nothing() {
    let world = World::new().await;
    let begun = begin(&world, Begin::default()).await;
    part(&world, begun.upload, 1, vec![1; 10]).await.unwrap();
    part(&world, begun.upload, 2, vec![1; 200_000]).await.unwrap();
    let seen = Visible::new(vec![String::new()]);
    let list = || ListUploads { limit: 10, ..ListUploads::default() };
    let page = world.objects.list_uploads(world.bucket(s3::ListBucketMultipartUploads), &seen, list()).await.unwrap();
    assert_eq!(page.uploads.iter().map(|u| u.upload).collect::<Vec<_>>(), [begun.upload]);
    world.objects.abort(world.permit(s3::AbortMultipartUpload, "big"), begun.upload).await.unwrap();
    let again = world.objects.abort(world.permit(s3::AbortMultipartUpload, "big"), begun.upload).await;
    assert!(matches!(again, Err(Error::NoSuchUpload { .. })));
    let page = world.objects.list_uploads(world.bucket(s3::ListBucketMultipartUploads), &seen, list()).await.unwrap();
    assert!(page.uploads.is_empty());
    assert_eq!(world.swept().await.seen, 0);
}

#[tokio::test]
async fn parts_are_copied_from_ranges_of_objects() {
    let world = World::new().await;
    let content = bytes(7 * MIB);
    world.put("source", content.clone()).await;
    let begun = begin(&world, Begin::default()).await;
    let copy = |part, range| {
        let copy = CopyPart { upload: begun.upload, part, range, source: Conditions::default() };
        world.objects.copy_part(world.permit(s3::GetObject, "source"), world.permit(s3::PutObject, "big"), copy)
    };
    let (_, one) = copy(1, Some((100, 6 * MIB as u64))).await.unwrap();
    let (_, two) = copy(2, None).await.unwrap();
    assert!(matches!(copy(3, Some((0, 7 * MIB as u64))).await, Err(Error::RangeNotSatisfiable { .. })));
    complete(&world, begun.upload, listed(&[one, two])).await.unwrap();
    assert!(world.get("big").await.unwrap() == [&content[100..=6 * MIB], &content[..]].concat());
}

#[tokio::test]
async fn an_upload_that_nobody_finishes_expires_with_its_parts() {
    const DAY: u64 = 24 * 3600;
    let world = World::new().await;
    let left = begin(&world, Begin::default()).await.upload;
    let stored = part(&world, left, 1, bytes(MIB)).await.unwrap();
    let kept = begin(&world, Begin::default()).await.upload;
    let last = part(&world, kept, 1, bytes(MIB)).await.unwrap();
    world.advance(7 * DAY - 60);
    complete(&world, kept, listed(&[last])).await.unwrap();
    world.advance(120);
    assert!(matches!(part(&world, left, 2, bytes(10)).await, Err(Error::NoSuchUpload { .. })));
    assert!(matches!(complete(&world, left, listed(&[stored])).await, Err(Error::NoSuchUpload { .. })));
    assert_eq!(world.swept().await.removed, 0, "a completion under way keeps its bodies");
    world.advance(DAY);
    while world.store.expire(100).await.unwrap() > 0 {}
    let swept = world.swept().await;
    assert_eq!((swept.seen, swept.removed), (2, 1), "the body of the upload that was left");
    assert!(world.get("big").await.unwrap() == bytes(MIB));
}
