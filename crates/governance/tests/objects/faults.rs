//! Each step of writing fails once in each way; what was acknowledged stays, what was not is absent or whole.

use super::world::{World, bytes};
use access::s3;
use adapters::local::faults::{Fault, FaultyFiles};
use governance::objects::{Conditions, List};
use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
};

const SIZES: [usize; 3] = [100, 5000, 300_000];

/// What a caller was told: the content of each key, none after a delete.
type Told = BTreeMap<String, Option<Vec<u8>>>;

async fn scenario(world: &World, told: &mut Told) {
    for (n, len) in SIZES.into_iter().enumerate() {
        // Only the first is overwritten: the steps are the same for all.
        for round in 0..if n == 0 { 2 } else { 1_usize } {
            let key = format!("k{n}");
            let content = bytes(len + round);
            let before = told.insert(key.clone(), Some(content.clone()));
            if world.try_put(&key, super::world::put(content)).await.is_err() {
                match before {
                    Some(before) => told.insert(key, before),
                    None => told.remove(&key),
                };
            }
        }
    }
    let delete = world.objects.delete(world.permit(s3::DeleteObject, "k0"), Conditions::default()).await;
    if delete.is_ok() {
        told.insert("k0".to_owned(), None);
    }
}

async fn check(world: &World, told: &Told, case: &str) {
    for (key, content) in told {
        match content {
            Some(content) => assert!(world.get(key).await.unwrap() == *content, "{case}: {key}"),
            None => assert!(world.get(key).await.is_err(), "{case}: {key}"),
        }
    }
    // Whatever is listed can be read, and its size is what was listed.
    let (keys, ..) = world.keys(List { limit: 100, ..List::default() }).await;
    for key in keys {
        let content = world.get(&key).await.unwrap_or_else(|error| panic!("{case}: {key}: {error}"));
        assert!(SIZES.iter().any(|len| content == bytes(*len) || content == bytes(len + 1)), "{case}: {key}");
    }
}

#[tokio::test]
async fn every_write_step_failed_and_failed_but_persisted() {
    let counting = FaultyFiles::counting();
    let world = World::with(Arc::new(tempfile::tempdir().unwrap()), counting.clone(), 1).await;
    scenario(&world, &mut Told::new()).await;
    let steps = counting.steps();
    drop(world);
    assert!(steps > 10);
    for at in 2..steps {
        for fault in [Fault::Failed, Fault::FailedButPersisted] {
            let case = format!("step {at}, {fault:?}");
            let faulty = FaultyFiles::failing(at, fault, false);
            let world = World::with(Arc::new(tempfile::tempdir().unwrap()), faulty.clone(), 1).await;
            let mut told = Told::new();
            scenario(&world, &mut told).await;
            assert!(faulty.hit(), "{case}");
            check(&world, &told, &case).await;
            let world = world.reopen(2).await;
            check(&world, &told, &case).await;
            world.swept().await;
            check(&world, &told, &case).await;
            let left = world.swept().await;
            assert_eq!(left.removed, 0, "{case}: the sweep is not done at once");
        }
    }
}

#[tokio::test]
async fn the_sweep_removes_what_the_one_before_found() {
    let world = World::new().await;
    world.put("kept", bytes(10)).await;
    let id = base::BlobId::from_uuid(base::Ids::uuid(&world.effects));
    world.backend.put(id, bytes(100).into()).await.unwrap();
    let first = world.objects.sweep(&HashSet::new()).await.unwrap();
    assert_eq!((first.seen, first.removed, &first.found), (2, 0, &HashSet::from([id])));
    let second = world.objects.sweep(&first.found).await.unwrap();
    assert_eq!((second.seen, second.removed, second.bytes), (2, 1, 100));
    assert_eq!(world.get("kept").await.unwrap(), bytes(10));
}
