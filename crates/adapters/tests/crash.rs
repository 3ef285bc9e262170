//! A process that stores bodies is killed at random moments; what it was told to be stored is there.
//!
//! The test runs its own binary as the child: the child prints each body that was acknowledged, the parent kills it
//! after a random number of lines and reads everything back.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests may fail loudly")]

use adapters::local::LocalBackend;
use base::{BlobId, Clock, Effects, Entropy, Ids, Timestamp};
use bytes::Bytes;
use governance::{
    conformance::{content, list_all, put_in_pages, read_whole},
    ports::{Blob, ObjectBackend},
};
use std::{
    collections::{HashMap, HashSet, hash_map::RandomState},
    hash::{BuildHasher, Hasher},
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Command, Stdio},
    sync::Arc,
    time::Duration,
};

const CHILD: &str = "GALEN_TEST_CRASH_DIR";
/// Kills in one run, unless `GALEN_TEST_FILES_ROUNDS` says how many.
const ROUNDS: usize = 5;

struct Real;
impl Clock for Real {
    #[expect(clippy::disallowed_methods, reason = "ids of different child processes must differ")]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
    fn monotonic(&self) -> Duration {
        Duration::ZERO
    }
}
impl Entropy for Real {
    fn fill(&self, out: &mut [u8]) {
        for chunk in out.chunks_mut(8) {
            let n = RandomState::new().build_hasher().finish().to_be_bytes();
            chunk.copy_from_slice(&n[..chunk.len()]);
        }
    }
}

fn effects() -> Effects {
    Effects { clock: Arc::new(Real), entropy: Arc::new(Real) }
}

/// Stores bodies for ever, eight at a time, and says so line by line.
async fn child(dir: &Path) {
    let backend: Arc<dyn ObjectBackend> = Arc::new(LocalBackend::open(dir).unwrap());
    let effects = effects();
    let mut tasks = tokio::task::JoinSet::new();
    for worker in 0..8_usize {
        let (backend, effects) = (backend.clone(), effects.clone());
        tasks.spawn(async move {
            for n in 0.. {
                let id = BlobId::from_uuid(effects.uuid());
                let blob = if (n + worker) % 16 == 0 {
                    put_in_pages(&*backend, id, &content(id, 150_000 + n)).await.unwrap()
                } else {
                    backend.put(id, Bytes::from(content(id, 10 + n * 37 % 9000))).await.unwrap()
                };
                let mut out = std::io::stdout().lock();
                writeln!(out, "stored {}", serde_json::to_string(&blob).unwrap()).unwrap();
                out.flush().unwrap();
            }
        });
    }
    tasks.join_next().await;
}

#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "the child of this test is told its folder by the environment")]
async fn killed_at_random_points_nothing_acknowledged_is_lost() {
    if let Ok(dir) = std::env::var(CHILD) {
        child(Path::new(&dir)).await;
        return;
    }
    let rounds = std::env::var("GALEN_TEST_FILES_ROUNDS").map_or(ROUNDS, |rounds| rounds.parse().unwrap());
    let dir = tempfile::tempdir().unwrap();
    let (mut stored, mut read) = (Vec::<Blob>::new(), HashSet::new());
    for round in 0..rounds {
        let lines = 20 + effects().bytes::<1>()[0] as usize * 2;
        let mut process = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "killed_at_random_points_nothing_acknowledged_is_lost", "--nocapture"])
            .env(CHILD, dir.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let out = BufReader::new(process.stdout.take().unwrap());
        let mut new = 0;
        for line in out.lines().map_while(Result::ok) {
            // The harness may print on the same line before the first one.
            let Some((_, json)) = line.split_once("stored ") else { continue };
            let Ok(blob) = serde_json::from_str(json) else { continue };
            stored.push(blob);
            new += 1;
            if new == lines {
                process.kill().unwrap();
            }
        }
        process.wait().unwrap();
        assert!(new >= lines, "round {round}: the child stopped by itself");

        let backend = LocalBackend::open(dir.path()).unwrap();
        let listed: HashMap<_, _> = list_all(&backend).await.unwrap().into_iter().map(|blob| (blob.id, blob)).collect();
        assert!(stored.iter().all(|blob| listed.get(&blob.id) == Some(blob)), "round {round}");
        // What is new, orphans too; all of it once more at the end.
        for blob in listed.values().filter(|blob| read.insert(blob.id)) {
            whole(&backend, blob, round).await;
        }
    }
    let backend = LocalBackend::open(dir.path()).unwrap();
    for blob in &stored {
        whole(&backend, blob, rounds).await;
    }
    println!("{} acknowledged bodies survived {rounds} kills", stored.len());
}

async fn whole(backend: &LocalBackend, blob: &Blob, round: usize) {
    let bytes = read_whole(backend, blob).await.unwrap();
    assert_eq!(bytes.len() as u64, blob.len);
    assert_eq!(bytes, content(blob.id, bytes.len()), "round {round}: {blob:?}");
}
