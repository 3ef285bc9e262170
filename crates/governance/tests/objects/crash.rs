//! The whole object path is killed at random moments; every acknowledged object is there, byte for byte.
//!
//! The test runs its own binary as the child, which prints each key after it was acknowledged.

use super::world::{World, bytes};
use adapters::local::faults::FaultyFiles;
use std::{
    collections::hash_map::RandomState,
    hash::{BuildHasher, Hasher},
    io::{BufRead, BufReader, Write},
    path::PathBuf,
    process::{Command, Stdio},
    sync::Arc,
};

const CHILD: &str = "GALEN_TEST_OBJECTS_CRASH";
/// Kills in one run, unless `GALEN_TEST_OBJECTS_ROUNDS` says how many.
const ROUNDS: u64 = 5;

fn len(n: usize) -> usize {
    if n % 10 == 9 { 100_000 + n } else { 1 + n * 131 % 20_000 }
}

/// Opens the folder without removing it when dropped.
async fn open(dir: PathBuf, seed: u64) -> World {
    let holder = tempfile::Builder::new().prefix("holder").tempdir_in(&dir).unwrap();
    let holder = Arc::new(holder);
    let blank = super::world::location(
        base::DatasetId::from_uuid(uuid::Uuid::from_u128(77)),
        "",
        access::facts::DatasetKind::Dataset,
        String::new(),
    );
    let mut world = World::parts_at(&dir, holder, FaultyFiles::counting(), seed, blank.clone());
    let key = world.custody.ensure(custody::Purpose::DatasetWrap, &blank.dataset.to_string()).unwrap();
    world.data.key = key.to_string();
    let data = world.data.clone();
    world.put_location(&data, true).await;
    world
}

async fn child(dir: PathBuf, seed: u64) {
    let world = Arc::new(open(dir, seed).await);
    let mut tasks = tokio::task::JoinSet::new();
    for worker in 0..6 {
        let world = world.clone();
        tasks.spawn(async move {
            for n in 0.. {
                let n = n * 6 + worker;
                let key = format!("r{seed}/{n}");
                world.put(&key, bytes(len(n))).await;
                let mut out = std::io::stdout().lock();
                writeln!(out, "stored {key}").unwrap();
                out.flush().unwrap();
            }
        });
    }
    tasks.join_next().await;
}

#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "the child of this test is told its folder by the environment")]
async fn killed_at_random_points_nothing_acknowledged_is_lost() {
    if let Ok(told) = std::env::var(CHILD) {
        let (seed, dir) = told.split_once(':').unwrap();
        child(dir.into(), seed.parse().unwrap()).await;
        return;
    }
    let rounds = std::env::var("GALEN_TEST_OBJECTS_ROUNDS").map_or(ROUNDS, |rounds| rounds.parse().unwrap());
    let dir = tempfile::tempdir().unwrap();
    let mut stored: Vec<String> = Vec::new();
    for round in 1..=rounds {
        let lines = 20 + (RandomState::new().build_hasher().finish() % 200) as usize;
        let mut process = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "crash::killed_at_random_points_nothing_acknowledged_is_lost", "--nocapture"])
            .env(CHILD, format!("{}:{}", 2 * round, dir.path().display()))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let out = BufReader::new(process.stdout.take().unwrap());
        let mut new = 0;
        for line in out.lines().map_while(Result::ok) {
            let Some((_, key)) = line.split_once("stored ") else { continue };
            // A line may be cut by the kill: then its newline is missing and it is the last one of the pipe.
            stored.push(key.to_owned());
            new += 1;
            if new == lines {
                process.kill().unwrap();
            }
        }
        process.wait().unwrap();
        assert!(new >= lines, "round {round}: the child stopped by itself");

        let world = open(dir.path().to_owned(), 2 * round + 1).await;
        world.swept().await;
        // All of them once more at the end.
        let again = if round == rounds { stored.len() } else { new };
        for key in stored.iter().rev().take(again) {
            let n: usize = key.split_once('/').unwrap().1.parse().unwrap();
            assert!(world.get(key).await.unwrap() == bytes(len(n)), "round {round}: {key}");
        }
    }
    println!("{} acknowledged objects survived {rounds} kills", stored.len());
}
