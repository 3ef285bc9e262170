//! The parts that objects stand on, in a temporary folder, and makers of permits.

use access::{
    AuditClass, Bucket, Ended, Lease, LeaseKey, LeaseScope, Leases, Object, Permit, Visible,
    action::Action,
    facts::{Classification, DatasetKind, DatasetLocation, Place, kind},
    s3,
};
use adapters::local::{
    LocalBackend,
    faults::{Faulty, FaultyFiles},
};
use base::{AccountId, Actor, DatasetId, Effects, GroupId, Ids, NodeId, PersonId, RoleId, SessionId, Timestamp};
use bytes::Bytes;
use custody::{Custody, Purpose, Seal, SoftwareToken, SoftwareTokenOptions};
use futures::{StreamExt, stream};
use governance::{
    Error,
    objects::{Body, Conditions, Deps, Expected, Get, List, ListVersions, Metadata, Objects, Put, Tags, Written},
    ports::ObjectBackend,
};
use std::{collections::HashSet, path::Path, sync::Arc, time::Duration};
use store::{NewFact, Options, Store, conformance::ManualClock};
use uuid::Uuid;

pub(crate) struct World {
    pub(crate) objects: Objects,
    pub(crate) store: Store,
    pub(crate) custody: Custody,
    pub(crate) effects: Effects,
    pub(crate) backend: Arc<dyn ObjectBackend>,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) leases: Leases,
    pub(crate) data: DatasetLocation,
    pub(crate) dir: Arc<tempfile::TempDir>,
}

pub(crate) const BUCKET: &str = "trials";

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(Arc::new(tempfile::tempdir().unwrap()), FaultyFiles::counting(), 1).await
    }

    /// Two sweeps: the second removes what the first found.
    pub(crate) async fn swept(&self) -> governance::objects::Swept {
        let first = self.objects.sweep(&HashSet::new()).await.unwrap();
        self.objects.sweep(&first.found).await.unwrap()
    }

    /// The same folder again, as after a restart.
    pub(crate) async fn reopen(self, seed: u64) -> Self {
        let (dir, data) = (self.dir.clone(), self.data.clone());
        drop(self);
        let mut world = Self::parts(dir, FaultyFiles::counting(), seed, data.clone());
        world.data = data;
        world
    }

    pub(crate) async fn with(dir: Arc<tempfile::TempDir>, files: Arc<FaultyFiles>, seed: u64) -> Self {
        let blank = location(DatasetId::from_uuid(Uuid::nil()), "", DatasetKind::Dataset, String::new());
        let mut world = Self::parts(dir, files, seed, blank);
        world.data = world.dataset("", DatasetKind::Dataset).await;
        world
    }

    fn parts(dir: Arc<tempfile::TempDir>, files: Arc<FaultyFiles>, seed: u64, data: DatasetLocation) -> Self {
        let path = dir.path().to_owned();
        Self::parts_at(&path, dir, files, seed, data)
    }

    pub(crate) fn parts_at(
        path: &Path,
        dir: Arc<tempfile::TempDir>,
        files: Arc<FaultyFiles>,
        seed: u64,
        data: DatasetLocation,
    ) -> Self {
        let clock = ManualClock::at(Timestamp::from_second(1_790_000_000 + seed as i64 * 1000).unwrap());
        let effects = store::conformance::effects(clock.clone(), seed);
        let mut options =
            Options::sqlite("", "eu-north-1".parse().unwrap(), NodeId::from_uuid(Uuid::from_u128(1)), effects.clone());
        options.backend = store::conformance::backend(&path.join("state"));
        options.folds = access::folds();
        let store = Store::open(options).unwrap();
        let custody = Custody::new(token(path, &effects), store.clone(), effects.clone(), crypto::Crypto::default());
        let backend: Arc<dyn ObjectBackend> =
            Arc::new(LocalBackend::open_on(&path.join("bodies"), Arc::new(Faulty(files))).unwrap());
        let deps =
            Deps { store: store.clone(), custody: custody.clone(), effects: effects.clone(), backend: backend.clone() };
        let objects = Objects::new(deps);
        Self { objects, store, custody, effects, backend, clock, leases: Leases::default(), data, dir }
    }

    pub(crate) async fn dataset(&self, prefix: &str, kind: DatasetKind) -> DatasetLocation {
        let id = DatasetId::from_uuid(self.effects.uuid());
        let key = self.custody.ensure(Purpose::DatasetWrap, &id.to_string()).unwrap();
        let location = location(id, prefix, kind, key.to_string());
        self.put_location(&location, true).await;
        location
    }

    pub(crate) async fn put_location(&self, location: &DatasetLocation, alive: bool) {
        let body = serde_json::to_value(location).unwrap();
        let (subject, from) = (location.dataset.uuid(), self.effects.now());
        let kind = if alive { kind::LOCATION_PUT } else { kind::LOCATION_ENDED };
        self.store
            .write::<_, store::Error, _>(Actor::System, move |txn| {
                txn.fact_add(NewFact {
                    kind,
                    subject,
                    body: body.clone(),
                    reason: None,
                    valid_from: from,
                    valid_to: None,
                })
            })
            .await
            .unwrap();
    }

    pub(crate) fn permit<A: Action<Resource = Object>>(&self, action: A, key: &str) -> Permit<A> {
        self.permit_in(&self.data, action, Object::new(BUCKET, key))
    }

    pub(crate) fn permit_in<A: Action<Resource = Object>>(
        &self,
        data: &DatasetLocation,
        action: A,
        object: Object,
    ) -> Permit<A> {
        let location = DatasetLocation::clone(data);
        Permit::for_test(action, object, Some(location), Some(self.lease()), self.effects.now())
    }

    pub(crate) fn bucket<A: Action<Resource = Bucket>>(&self, action: A) -> Permit<A> {
        Permit::for_test(action, Bucket::new(BUCKET), None, None, self.effects.now())
    }

    fn lease(&self) -> Lease {
        let scope = LeaseScope {
            sessions: vec![SessionId::from_uuid(Uuid::from_u128(5))],
            roles: vec![RoleId::from_uuid(Uuid::from_u128(6))],
            person: Some(person()),
            groups: Vec::new(),
            dataset: None,
            grants: Vec::new(),
            expires: Timestamp::MAX,
        };
        self.leases.open(&scope, Arc::new(|_| Ok(()))).unwrap()
    }

    /// Cuts every stream of the test's one person.
    pub(crate) fn cut(&self) {
        drop(self.leases.cut(LeaseKey::Person(person()), Ended::Cut));
    }

    pub(crate) async fn put(&self, key: &str, bytes: impl Into<Bytes>) -> Written {
        self.try_put(key, put(bytes)).await.unwrap()
    }

    pub(crate) async fn try_put(&self, key: &str, put: Put) -> Result<Written, Error> {
        self.objects.put(self.permit(s3::PutObject, key), put).await
    }

    pub(crate) async fn get(&self, key: &str) -> Result<Vec<u8>, Error> {
        self.get_with(key, Get::default()).await
    }

    pub(crate) async fn get_with(&self, key: &str, get: Get) -> Result<Vec<u8>, Error> {
        let open = self.objects.open(self.permit(s3::GetObject, key), get).await?;
        drain(open.bytes).await
    }

    pub(crate) async fn keys(&self, list: List) -> (Vec<String>, Vec<String>, Option<String>) {
        self.keys_seen(list, &Visible::new(vec![String::new()])).await
    }

    pub(crate) async fn keys_seen(&self, list: List, seen: &Visible) -> (Vec<String>, Vec<String>, Option<String>) {
        let page = self.objects.list(self.bucket(s3::ListBucket), seen, list).await.unwrap();
        (page.objects.into_iter().map(|o| o.key.to_string()).collect(), page.prefixes, page.next)
    }

    pub(crate) async fn version_count(&self) -> usize {
        let list = ListVersions { limit: 1000, ..ListVersions::default() };
        let seen = Visible::new(vec![String::new()]);
        self.objects.list_versions(self.bucket(s3::ListBucketVersions), &seen, list).await.unwrap().versions.len()
    }

    pub(crate) fn advance(&self, secs: u64) {
        self.clock.advance(Duration::from_secs(secs));
    }
}

fn person() -> PersonId {
    PersonId::from_uuid(Uuid::from_u128(7))
}

fn token(path: &Path, effects: &Effects) -> Arc<SoftwareToken> {
    let options = SoftwareTokenOptions {
        dir: path.join("keys"),
        seal: Seal::MachineSecret { file: path.join("machine-secret") },
        effects: effects.clone(),
        crypto: crypto::Crypto::default(),
    };
    Arc::new(SoftwareToken::open_or_init(options).unwrap())
}

pub(crate) fn location(dataset: DatasetId, prefix: &str, kind: DatasetKind, key: String) -> DatasetLocation {
    DatasetLocation {
        dataset,
        account: AccountId::new(1).unwrap(),
        places: vec![Place { bucket: BUCKET.to_owned(), prefix: prefix.to_owned() }],
        owner: GroupId::from_uuid(Uuid::from_u128(3)),
        stewards: Vec::new(),
        policy: None,
        classification: Classification::Internal,
        gxp: false,
        personal: false,
        kind,
        audit: AuditClass::Strict,
        key,
    }
}

pub(crate) fn body(bytes: impl Into<Bytes>) -> Body {
    let bytes = bytes.into();
    // In pieces as odd as a network's.
    let pieces: Vec<_> =
        (0..bytes.len()).step_by(70_001).map(|at| bytes.slice(at..bytes.len().min(at + 70_001))).collect();
    stream::iter(pieces.into_iter().map(Ok)).boxed()
}

pub(crate) fn put(bytes: impl Into<Bytes>) -> Put {
    let bytes = bytes.into();
    Put {
        metadata: Metadata::default(),
        tags: Tags::default(),
        conditions: Conditions::default(),
        length: Some(bytes.len() as u64),
        checksum: Expected::None,
        content_md5: None,
        signed: None,
        body: body(bytes),
    }
}

pub(crate) async fn drain(
    mut bytes: futures::stream::BoxStream<'static, Result<Bytes, Error>>,
) -> Result<Vec<u8>, Error> {
    let mut out = Vec::new();
    while let Some(piece) = bytes.next().await {
        out.extend_from_slice(&piece?);
    }
    Ok(out)
}

/// Bytes that do not repeat with any frame size.
pub(crate) fn bytes(len: usize) -> Vec<u8> {
    (0..len as u64).map(|n| (n.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 29) as u8).collect()
}
