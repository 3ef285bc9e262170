//! The local backend keeps the contract of the port, and keeps it when any step of writing fails.

use super::{
    faults::{Fault, Faulty, FaultyFiles},
    power::Disk,
    *,
};
use base::{Clock, Effects, Entropy, Ids, Timestamp};
use governance::{
    conformance::{self, Kept, content, list_all, read_whole},
    ports::ListCursor,
};
use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

struct Ticks(AtomicU64);
impl Clock for Ticks {
    fn now(&self) -> Timestamp {
        Timestamp::from_millisecond(1_700_000_000_000 + self.0.fetch_add(1, Ordering::Relaxed) as i64).unwrap()
    }
    fn monotonic(&self) -> Duration {
        Duration::from_millis(self.0.load(Ordering::Relaxed))
    }
}
impl Entropy for Ticks {
    fn fill(&self, out: &mut [u8]) {
        for chunk in out.chunks_mut(8) {
            let n = self.0.fetch_add(1, Ordering::Relaxed).wrapping_mul(0x9E37_79B9_7F4A_7C15).to_be_bytes();
            chunk.copy_from_slice(&n[..chunk.len()]);
        }
    }
}

fn effects() -> Effects {
    let ticks = Arc::new(Ticks(AtomicU64::new(0)));
    Effects { clock: ticks.clone(), entropy: ticks }
}

#[tokio::test]
async fn it_conforms() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path();
    conformance::suite(
        &|| Box::pin(async { Ok(Arc::new(LocalBackend::open(path)?) as Arc<dyn ObjectBackend>) }),
        &effects(),
    )
    .await
    .unwrap();
}

#[tokio::test]
async fn one_process_owns_the_folder() {
    let dir = tempfile::tempdir().unwrap();
    let first = LocalBackend::open(dir.path()).unwrap();
    assert!(LocalBackend::open(dir.path()).is_err());
    drop(first);
    LocalBackend::open(dir.path()).unwrap();
}

/// Puts, deletes and puts again; what was acknowledged goes to `kept`, deleted bodies are taken out before the attempt.
async fn scenario(backend: &dyn ObjectBackend, effects: &Effects, kept: &mut Kept, deleted: &mut Vec<Blob>) {
    for round in 0..2_usize {
        for len in [100, 4096, 100_000] {
            let id = BlobId::from_uuid(effects.uuid());
            let bytes = content(id, len + round);
            let put = if len > SMALL_BYTES_MAX {
                conformance::put_in_pages(backend, id, &bytes).await
            } else {
                backend.put(id, Bytes::from(bytes.clone())).await
            };
            if let Ok(blob) = put {
                kept.insert(blob, bytes);
            }
        }
        let victim = kept.keys().min_by_key(|blob| blob.id).copied();
        if let Some(victim) = victim {
            kept.remove(&victim);
            deleted.push(victim);
            drop(backend.delete(&victim).await);
        }
    }
}

#[tokio::test]
async fn no_failed_step_loses_or_bends_anything() {
    let dir = tempfile::tempdir().unwrap();
    let counting = FaultyFiles::over(Arc::new(Disk::default()), usize::MAX, Fault::Failed, false);
    let backend = LocalBackend::open_on(dir.path(), Arc::new(Faulty(counting.clone()))).unwrap();
    scenario(&backend, &effects(), &mut Kept::new(), &mut Vec::new()).await;
    drop(backend);
    let steps = counting.steps();
    assert!(steps > 20, "{steps}");

    for at in 0..steps {
        for fault in Fault::ALL {
            for stays in [false, true] {
                one_fault(dir.path(), at, fault, stays).await;
            }
        }
    }
}

async fn one_fault(dir: &Path, at: usize, fault: Fault, stays: bool) {
    let case = format!("step {at}, {fault:?}, stays {stays}");
    let disk = Disk::default();
    let faulty = FaultyFiles::over(Arc::new(disk.clone()), at, fault, stays);
    let (mut kept, mut deleted) = (Kept::new(), Vec::new());
    if let Ok(backend) = LocalBackend::open_on(dir, Arc::new(Faulty(faulty.clone()))) {
        scenario(&backend, &effects(), &mut kept, &mut deleted).await;
        // Readable at once, also beside a failed neighbour.
        for (blob, bytes) in &kept {
            assert_eq!(read_whole(&backend, blob).await.unwrap(), *bytes, "{case}");
        }
    }
    assert!(faulty.hit(), "{case}");
    survived(dir, Arc::new(disk), kept, deleted, &case).await;
}

/// Opens what is left: what was acknowledged is there and whole, and so is every orphan.
async fn survived(dir: &Path, files: Arc<dyn Files>, kept: Kept, deleted: Vec<Blob>, case: &str) {
    let backend = LocalBackend::open_on(dir, files).unwrap();
    let listed = list_all(&backend).await.unwrap();
    for (blob, bytes) in &kept {
        assert!(listed.contains(blob), "{case}: {blob:?} is lost");
        assert_eq!(read_whole(&backend, blob).await.unwrap(), *bytes, "{case}");
    }
    // What was not acknowledged is absent or whole. A body whose deletion failed half-way may be listed and is then
    // deleted by the sweep; nobody reads it.
    for blob in listed.iter().filter(|blob| !kept.contains_key(blob) && !deleted.contains(blob)) {
        let bytes = read_whole(&backend, blob).await.unwrap();
        assert_eq!(bytes, content(blob.id, bytes.len()), "{case}: {blob:?} is bent");
        backend.delete(blob).await.unwrap();
    }
    for blob in deleted {
        backend.delete(&blob).await.unwrap();
    }
    assert_eq!(list_all(&backend).await.unwrap().len(), kept.len(), "{case}");
}

#[tokio::test]
async fn power_lost_at_any_step_loses_nothing_acknowledged() {
    let dir = tempfile::tempdir().unwrap();
    let disk = Disk::default();
    let backend = LocalBackend::open_on(dir.path(), Arc::new(disk.clone())).unwrap();
    scenario(&backend, &effects(), &mut Kept::new(), &mut Vec::new()).await;
    drop(backend);
    let steps = disk.steps();
    assert!(steps > 20, "{steps}");
    for at in 0..=steps {
        for seed in 0..6 {
            let disk = Disk::default();
            disk.dies_after(at);
            let (mut kept, mut deleted) = (Kept::new(), Vec::new());
            if let Ok(backend) = LocalBackend::open_on(dir.path(), Arc::new(disk.clone())) {
                scenario(&backend, &effects(), &mut kept, &mut deleted).await;
            }
            let back = Arc::new(disk.after_power_loss(seed));
            survived(dir.path(), back, kept, deleted, &format!("step {at}, seed {seed}")).await;
        }
    }
}

#[tokio::test]
async fn a_pack_of_gaps_alone_is_removed() {
    let dir = tempfile::tempdir().unwrap();
    let effects = effects();
    let backend = LocalBackend::open(dir.path()).unwrap();
    let mut blobs = Vec::new();
    for n in 0..20 {
        let id = BlobId::from_uuid(effects.uuid());
        blobs.push(backend.put(id, Bytes::from(vec![n; 5000])).await.unwrap());
    }
    drop(backend);
    let backend = LocalBackend::open(dir.path()).unwrap();
    for blob in &blobs {
        backend.delete(blob).await.unwrap();
    }
    assert!(list_all(&backend).await.unwrap().is_empty());
    assert_eq!(std::fs::read_dir(dir.path().join("packs")).unwrap().count(), 0);
}

#[tokio::test]
async fn altered_packs_are_listed_without_end_or_panic() {
    let dir = tempfile::tempdir().unwrap();
    let (disk, effects) = (Disk::default(), effects());
    let backend = LocalBackend::open_on(dir.path(), Arc::new(disk.clone())).unwrap();
    for len in [0, 10, 64, 3000, 65_000] {
        let id = BlobId::from_uuid(effects.uuid());
        backend.put(id, Bytes::from(content(id, len))).await.unwrap();
    }
    let packs = dir.path().join("packs");
    let [pack] = &disk.list(&packs).unwrap()[..] else { panic!("one pack") };
    let handle = disk.open(&packs.join(&pack.name)).unwrap();
    let mut original = vec![0; usize::try_from(pack.len).unwrap()];
    handle.read_at(&mut original, 0).unwrap();
    for round in 0..150_u64 {
        // Eight bytes somewhere become something else; the headers are where it hurts.
        let dice = round.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let at = if round % 2 == 0 { dice >> 20 } else { (dice >> 20) % 256 } % (pack.len - 8);
        handle.write_at(&dice.to_be_bytes(), at).unwrap();
        for blob in list_all(&backend).await.unwrap() {
            let bytes = read_whole(&backend, &blob).await.unwrap();
            assert_eq!(bytes, content(blob.id, bytes.len()), "round {round}: an altered body is listed");
        }
        let place = usize::try_from(at).unwrap();
        handle.write_at(&original[place..place + 8], at).unwrap();
    }
    assert_eq!(list_all(&backend).await.unwrap().len(), 5);
}

#[tokio::test]
async fn a_wrong_place_deletes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let effects = effects();
    let backend = LocalBackend::open(dir.path()).unwrap();
    let [a, b] = [BlobId::from_uuid(effects.uuid()), BlobId::from_uuid(effects.uuid())];
    let kept = backend.put(a, Bytes::from_static(b"kept")).await.unwrap();
    let stranger = Blob { id: b, ..kept };
    backend.delete(&stranger).await.unwrap();
    assert_eq!(read_whole(&backend, &kept).await.unwrap(), b"kept");
    assert!(backend.list(Some(&ListCursor("nonsense".to_owned())), 5).await.is_ok());
}
