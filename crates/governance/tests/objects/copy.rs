//! A copy takes two permits and is sealed anew for where it goes.

use super::world::{BUCKET, World, bytes, drain, put};
use access::{Object, facts::DatasetKind, s3};
use governance::{
    Error, Tags,
    objects::{Algorithm, Conditions, Copy, Directive, Get, Match, Metadata, Put},
};

#[tokio::test]
async fn a_copy_into_another_dataset_is_sealed_with_its_key() {
    let world = World::new().await;
    let other = world.dataset("other/", DatasetKind::Dataset).await;
    let metadata = Metadata { user: [("k".to_owned(), "v".to_owned())].into(), ..Metadata::default() };
    let tags = Tags::new([("t".to_owned(), "1".to_owned())]).unwrap();
    for len in [0, 10, 3 << 20] {
        let content = bytes(len);
        let source = Put { metadata: metadata.clone(), tags: tags.clone(), ..put(content.clone()) };
        let source = world.try_put("from", source).await.unwrap();
        let to = || world.permit_in(&other, s3::PutObject, Object::new(BUCKET, "other/to"));
        let copied = world.objects.copy(world.permit(s3::GetObject, "from"), to(), Copy::default()).await.unwrap();
        assert_eq!((copied.source, copied.written.size), (source.version, len as u64));
        assert_eq!(copied.written.checksum, source.checksum);
        let read = world.permit_in(&other, s3::GetObject, Object::new(BUCKET, "other/to"));
        let open = world.objects.open(read, Get::default()).await.unwrap();
        assert_eq!((open.head.info.dataset, &open.head.info.metadata), (other.dataset, &metadata));
        assert_eq!(open.head.info.tags, tags);
        assert!(drain(open.bytes).await.unwrap() == content);
    }
}

#[tokio::test]
async fn directives_conditions_and_checksums_of_a_copy() {
    let world = World::new().await;
    let source = world.put("from", "x").await;
    let copy = |copy| world.objects.copy(world.permit(s3::GetObject, "from"), world.permit(s3::PutObject, "to"), copy);
    let metadata = Metadata { user: [("n".to_owned(), "1".to_owned())].into(), ..Metadata::default() };
    let replaced =
        Copy { metadata: Directive::Replace(metadata.clone()), checksum: Some(Algorithm::Sha256), ..Copy::default() };
    let done = copy(replaced).await.unwrap();
    assert_eq!(done.written.checksum.unwrap().checksum.algorithm, Algorithm::Sha256);
    let head = world.objects.head(world.permit(s3::GetObject, "to"), Get::default()).await.unwrap();
    assert_eq!(head.info.metadata, metadata);
    let matched = |text: &str| Some(Match::from_header(text));
    let stale = Copy { source: Conditions { if_match: matched("x"), ..Conditions::default() }, ..Copy::default() };
    assert!(matches!(copy(stale).await, Err(Error::PreconditionFailed { .. })));
    let same = Conditions { if_none_match: matched(source.etag.as_str()), ..Conditions::default() };
    assert!(matches!(copy(Copy { source: same, ..Copy::default() }).await, Err(Error::PreconditionFailed { .. })));
    let taken = Conditions { if_none_match: Some(Match::Any), ..Conditions::default() };
    assert!(matches!(
        copy(Copy { destination: taken, ..Copy::default() }).await,
        Err(Error::PreconditionFailed { .. })
    ));

    let itself =
        |copy| world.objects.copy(world.permit(s3::GetObject, "from"), world.permit(s3::PutObject, "from"), copy);
    assert!(matches!(itself(Copy::default()).await, Err(Error::CopyOntoItself)));
    itself(Copy { metadata: Directive::Replace(Metadata::default()), ..Copy::default() }).await.unwrap();
    itself(Copy { stored_anew: true, ..Copy::default() }).await.unwrap();
}
