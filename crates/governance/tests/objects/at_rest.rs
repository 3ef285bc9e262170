//! Nothing readable is on disk, and what was altered on disk is found, never served.

use super::world::{World, bytes};
use access::s3;
use governance::{
    Error,
    objects::{Begin, Complete, CompletedPart, Conditions, Expected, PutPart},
};
use std::{
    fs,
    path::{Path, PathBuf},
};

const SECRET: &[u8] = b"SUBJECT-0042-HAS-A-SECRET";

fn files(dir: &Path) -> Vec<PathBuf> {
    let mut out = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { out.extend(files(&path)) } else { out.push(path) }
    }
    out
}

// verifies: DAT-07
#[tokio::test]
async fn no_plain_byte_reaches_the_disk() {
    let world = World::new().await;
    let marked = |len: usize| SECRET.iter().copied().cycle().take(len).collect::<Vec<u8>>();
    for len in [25, 4096, 64 << 10, 300_000, 3 << 20] {
        world.put(&format!("k{len}"), marked(len)).await;
    }
    let begun = world.objects.begin(world.permit(s3::PutObject, "multi"), Begin::default()).await.unwrap();
    let part = PutPart {
        upload: begun.upload,
        part: 1,
        length: None,
        checksum: Expected::None,
        content_md5: None,
        signed: None,
        body: super::world::body(marked(100_000)),
    };
    let part = world.objects.put_part(world.permit(s3::PutObject, "multi"), part).await.unwrap();
    let parts = vec![CompletedPart { part: 1, etag: part.etag.unwrap(), checksum: None }];
    let complete = Complete {
        upload: begun.upload,
        parts,
        conditions: Conditions::default(),
        checksum: None,
        kind: None,
        size: None,
    };
    world.objects.complete(world.permit(s3::PutObject, "multi"), complete).await.unwrap();

    let all = files(world.dir.path());
    assert!(all.len() > 8);
    for path in all {
        let content = fs::read(&path).unwrap();
        assert!(!content.windows(SECRET.len()).any(|w| w == SECRET), "{}", path.display());
    }
}

#[tokio::test]
async fn an_altered_or_shortened_body_is_never_served() {
    let world = World::new().await;
    world.put("small", bytes(5000)).await;
    world.put("large", bytes(900_000)).await;
    let bodies = world.dir.path().join("bodies");
    for path in files(&bodies).into_iter().filter(|p| fs::metadata(p).unwrap().len() > 100) {
        let original = fs::read(&path).unwrap();
        let mut altered = original.clone();
        let at = 200.min(altered.len() - 1);
        altered[at] ^= 1;
        fs::write(&path, &altered).unwrap();
        let key = if path.extension().is_some_and(|e| e == "pack") { "small" } else { "large" };
        assert!(matches!(world.get(key).await, Err(Error::Damaged { .. })), "{key}");
        // Cut between two frames of 64 KiB, and anywhere.
        for cut in [(65_536 + 16) * 3, 150].into_iter().filter(|cut| *cut < original.len()) {
            fs::write(&path, &original[..cut]).unwrap();
            assert!(world.get(key).await.is_err(), "{key} {cut}");
        }
        fs::write(&path, &original).unwrap();
        assert!(world.get(key).await.is_ok());
    }
}

#[tokio::test]
async fn everything_is_there_after_a_restart_and_a_rotation() {
    let world = World::new().await;
    world.put("before", bytes(70_000)).await;
    let key: custody::KeyRef = world.data.key.parse().unwrap();
    let rotated = world.custody.token().rotate(key.id).unwrap();
    let mut world = world.reopen(2).await;
    world.data.key = rotated.to_string();
    world.put("after", bytes(10)).await;
    assert!(world.get("before").await.unwrap() == bytes(70_000));
    assert_eq!(world.get("after").await.unwrap(), bytes(10));
}
