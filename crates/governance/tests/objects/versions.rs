//! Every write keeps what was before; deletion marks; only a workspace forgets.

use super::world::{BUCKET, World, put};
use access::{
    Object,
    facts::{DatasetKind, DatasetLocation},
    s3,
};
use governance::{
    Error, Tags,
    objects::{Conditions, Get, ListVersions, VersionId},
};
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};
use tokio::task::JoinSet;

fn at(key: &str, version: VersionId) -> Object {
    Object::new(BUCKET, key).at_version(Some(version.to_string()))
}

// verifies: AUD-03
#[tokio::test]
async fn overwriting_and_deleting_lose_nothing() {
    let world = World::new().await;
    let one = world.put("k", "one").await;
    let two = world.put("k", "two").await;
    let marked = world.objects.delete(world.permit(s3::DeleteObject, "k"), Conditions::default()).await.unwrap();
    assert!(matches!(world.get("k").await, Err(Error::Deleted { version }) if version == marked.marker));
    for (version, content) in [(one.version, b"one"), (two.version, b"two")] {
        let permit = world.permit_in(&world.data, s3::GetObjectVersion, at("k", version));
        let open = world.objects.open(permit, Get::default()).await.unwrap();
        assert!(!open.head.info.latest);
        assert_eq!(super::world::drain(open.bytes).await.unwrap(), content);
    }
    let permit = world.permit_in(&world.data, s3::GetObjectVersion, at("k", marked.marker));
    assert!(matches!(world.objects.head(permit, Get::default()).await, Err(Error::IsDeleteMarker { .. })));

    let seen = access::Visible::new(vec![String::new()]);
    let list = ListVersions { limit: 10, ..ListVersions::default() };
    let page = world.objects.list_versions(world.bucket(s3::ListBucketVersions), &seen, list).await.unwrap();
    let listed: Vec<_> = page.versions.iter().map(|v| (v.version, v.latest, v.content.is_some())).collect();
    assert_eq!(listed, [(marked.marker, true, false), (two.version, false, true), (one.version, false, true)]);
}

#[tokio::test]
async fn versions_of_governed_data_are_retentions_alone() {
    let world = World::new().await;
    let one = world.put("k", "one").await;
    let permit = world.permit_in(&world.data, s3::DeleteObjectVersion, at("k", one.version));
    assert!(matches!(world.objects.delete_version(permit).await, Err(Error::PermanentDeletion)));
    assert_eq!(world.get("k").await.unwrap(), b"one");
}

#[tokio::test]
async fn a_workspace_can_be_emptied() {
    let world = World::new().await;
    let scratch = world.dataset("scratch/", DatasetKind::Workspace).await;
    let mut versions = Vec::new();
    for len in [10, 200_000] {
        let permit = world.permit_in(&scratch, s3::PutObject, Object::new(BUCKET, "scratch/k"));
        versions.push(world.objects.put(permit, put(vec![7; len])).await.unwrap().version);
    }
    let permit = world.permit_in(&scratch, s3::DeleteObject, Object::new(BUCKET, "scratch/k"));
    versions.push(world.objects.delete(permit, Conditions::default()).await.unwrap().marker);
    for version in versions {
        let permit = world.permit_in(&scratch, s3::DeleteObjectVersion, at("scratch/k", version));
        assert_eq!(world.objects.delete_version(permit).await.unwrap().version, version);
    }
    assert_eq!(world.version_count().await, 0);
    assert_eq!(world.swept().await.seen, 0);
}

#[tokio::test]
async fn tags_can_change_and_versions_cannot() {
    let world = World::new().await;
    let one = world.put("k", "one").await;
    world.put("k", "two").await;
    let tags = Tags::new([("a".to_owned(), "1".to_owned())]).unwrap();
    let permit = world.permit_in(&world.data, s3::PutObjectVersionTagging, at("k", one.version));
    assert_eq!(world.objects.put_tags(permit, tags.clone()).await.unwrap(), one.version);
    assert_eq!(world.objects.tags(world.permit(s3::GetObjectTagging, "k")).await.unwrap().1, Tags::default());
    let permit = world.permit_in(&world.data, s3::GetObjectVersionTagging, at("k", one.version));
    assert_eq!(world.objects.tags(permit).await.unwrap(), (one.version, tags.clone()));
    let (bucket, key) = (BUCKET.parse().unwrap(), "k".parse().unwrap());
    assert_eq!(world.objects.look(&bucket, &key, Some(one.version)).await.unwrap().tags(), Some(&tags));
    let permit = world.permit_in(&world.data, s3::DeleteObjectVersionTagging, at("k", one.version));
    world.objects.remove_tags(permit).await.unwrap();
    let look = world.objects.look(&bucket, &key, Some(one.version)).await.unwrap();
    assert_eq!(look.tags(), Some(&Tags::default()));
    for bad in [("", "x"), ("aws:x", "y"), ("k", "\u{7}")] {
        assert!(Tags::new([(bad.0.to_owned(), bad.1.to_owned())]).is_err(), "{bad:?}");
    }
    assert!(Tags::new((0..11).map(|n| (n.to_string(), String::new()))).is_err());
}

#[tokio::test]
async fn a_version_id_is_opaque_and_has_one_spelling() {
    let world = World::new().await;
    let one = world.put("k", "one").await;
    let text = one.version.to_string();
    assert_eq!(text.len(), 32);
    assert_eq!(text.parse::<VersionId>().unwrap(), one.version);
    for bad in ["Null", "", &text[1..], &format!("{text}A"), "../../../../../../../../etc/passwd"] {
        assert!(bad.parse::<VersionId>().is_err(), "{bad}");
    }
    let absent = world.put("other", "x").await.version;
    let permit = world.permit_in(&world.data, s3::GetObjectVersion, at("k", absent));
    assert!(matches!(world.objects.head(permit, Get::default()).await, Err(Error::NoSuchVersion)));
    // S3's name of what was written while no versions were kept: nothing is, here.
    let null: VersionId = "null".parse().unwrap();
    assert_eq!(null.to_string(), "null");
    let permit = world.permit_in(&world.data, s3::GetObjectVersion, at("k", null));
    assert!(matches!(world.objects.head(permit, Get::default()).await, Err(Error::NoSuchVersion)));
}

/// The version that a read finds that looks before it is permitted, as an edge does; none for an absent or deleted key.
async fn looked(world: &World, data: &DatasetLocation, key: &str) -> Option<(VersionId, Tags)> {
    let seen = world.objects.look(&BUCKET.parse().unwrap(), &key.parse().unwrap(), None).await.unwrap();
    let get = Get { seen: Some(seen), ..Get::default() };
    let permit = world.permit_in(data, s3::GetObject, Object::new(BUCKET, key));
    let head = world.objects.head(permit, get).await.ok()?;
    Some((head.info.version, head.info.tags))
}

#[tokio::test]
async fn a_look_shows_each_change_as_soon_as_it_is_acknowledged() {
    let world = World::new().await;
    let scratch = world.dataset("scratch/", DatasetKind::Workspace).await;
    let key = "scratch/k";
    let object = || Object::new(BUCKET, key);
    let mut versions = Vec::new();
    for _ in 0..2 {
        let permit = world.permit_in(&scratch, s3::PutObject, object());
        let written = world.objects.put(permit, put("x")).await.unwrap();
        // Twice: the second look may rest on the first.
        for _ in 0..2 {
            assert_eq!(looked(&world, &scratch, key).await, Some((written.version, Tags::default())));
        }
        versions.push(written.version);
    }
    let tags = Tags::new([("a".to_owned(), "1".to_owned())]).unwrap();
    world.objects.put_tags(world.permit_in(&scratch, s3::PutObjectTagging, object()), tags.clone()).await.unwrap();
    assert_eq!(looked(&world, &scratch, key).await, Some((versions[1], tags.clone())));
    world.objects.remove_tags(world.permit_in(&scratch, s3::DeleteObjectTagging, object())).await.unwrap();
    assert_eq!(looked(&world, &scratch, key).await, Some((versions[1], Tags::default())));

    let permit = world.permit_in(&scratch, s3::DeleteObject, object());
    let marker = world.objects.delete(permit, Conditions::default()).await.unwrap().marker;
    assert_eq!(looked(&world, &scratch, key).await, None);
    for (gone, newest) in [(marker, Some(versions[1])), (versions[1], Some(versions[0])), (versions[0], None)] {
        world.objects.delete_version(world.permit_in(&scratch, s3::DeleteObjectVersion, at(key, gone))).await.unwrap();
        assert_eq!(looked(&world, &scratch, key).await.map(|(version, _)| version), newest);
    }
}

/// Ends the readers also when the test fails.
struct Stops(Arc<AtomicBool>);

impl Drop for Stops {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn readers_at_the_same_time_never_keep_a_look_from_before_a_write() {
    let world = Arc::new(World::new().await);
    world.put("k", "0").await;
    let stop = Arc::new(AtomicBool::new(false));
    let _stops = Stops(Arc::clone(&stop));
    let mut readers = JoinSet::new();
    for _ in 0..3 {
        let (world, stop) = (Arc::clone(&world), Arc::clone(&stop));
        readers.spawn(async move {
            while !stop.load(Ordering::Relaxed) {
                looked(&world, &world.data, "k").await.unwrap();
            }
        });
    }
    for n in 0..200 {
        let written = world.put("k", n.to_string()).await;
        assert_eq!(looked(&world, &world.data, "k").await.unwrap().0, written.version);
    }
    stop.store(true, Ordering::Relaxed);
    readers.join_all().await;
}
