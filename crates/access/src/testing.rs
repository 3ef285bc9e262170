//! A whole `access` in a folder, for this crate's tests: real store, real custody, real ledger, a clock that a test moves.

use base::{
    AccountId, Actor, ClientId, Clock, DatasetId, Effects, EntitlementId, GrantId, GroupId, Ids, MembershipId, NodeId,
    PersonId, Region, RoleId, Timestamp,
};
use crypto::{Crypto, SystemEntropy};
use custody::{Custody, Seal, SoftwareToken, SoftwareTokenOptions};
use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
pub(crate) use store::conformance::journal;
use store::journal::Journal;
use store::{Options, Store};

use crate::facts::{self, *};
use crate::resource::Member;
use crate::*;

/// A clock that stands until a test moves it.
pub(crate) struct Hand(AtomicI64);

impl Hand {
    pub(crate) fn forward(&self, seconds: i64) {
        self.0.fetch_add(seconds * 1000, Ordering::SeqCst);
    }
}

impl Clock for Hand {
    fn now(&self) -> Timestamp {
        Timestamp::from_millisecond(self.0.load(Ordering::SeqCst)).unwrap()
    }
    fn monotonic(&self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.load(Ordering::SeqCst)).unwrap())
    }
}

/// Names to ids, and everything that is running.
pub(crate) struct World {
    pub(crate) access: Access,
    pub(crate) maintenance: Maintenance,
    pub(crate) store: Store,
    pub(crate) effects: Effects,
    pub(crate) clock: Arc<Hand>,
    pub(crate) journal: Arc<Journal>,
    pub(crate) account: AccountId,
    names: Mutex<HashMap<String, uuid::Uuid>>,
    dir: Arc<tempfile::TempDir>,
}

fn deps(dir: &Path, clock: &Arc<Hand>) -> (Store, Custody, Effects, Region) {
    let effects = Effects { clock: Arc::clone(clock) as Arc<dyn Clock>, entropy: Arc::new(SystemEntropy) };
    let region: Region = "eu-north-1".parse().unwrap();
    let node = NodeId::from_uuid(uuid::Uuid::from_u128(7));
    let mut options = Options::sqlite("", region.clone(), node, effects.clone());
    options.backend = store::conformance::backend(&dir.join("db"));
    options.folds = crate::folds();
    let store = Store::open(options).unwrap();
    let token = SoftwareToken::open_or_init(SoftwareTokenOptions {
        dir: dir.join("keys"),
        seal: Seal::MachineSecret { file: dir.join("secret/machine") },
        effects: effects.clone(),
        crypto: Crypto::default(),
    });
    let custody = Custody::new(Arc::new(token.unwrap()), store.clone(), effects.clone(), Crypto::default());
    (store, custody, effects, region)
}

pub(crate) fn copy_dir(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_dir(&entry.path(), &to);
        } else {
            std::fs::copy(entry.path(), to).unwrap();
        }
    }
}

/// Ends the maintenance cleanly; from which entry on the next start reads the ledger.
pub(crate) async fn stopped_at(access: Access, maintenance: Maintenance) -> u64 {
    let (_, stop) = tokio::sync::watch::channel(false);
    maintenance.run(stop).await;
    let node = access.node();
    let mark = access.store().read(move |txn| txn.record_get("access_low_water", node.bytes())).await.unwrap();
    u64::from_be_bytes(mark.unwrap().value.try_into().unwrap())
}

impl World {
    pub(crate) async fn new() -> Self {
        let clock = Arc::new(Hand(AtomicI64::new(1_795_000_000_000)));
        Self::open(Arc::new(tempfile::tempdir().unwrap()), clock, HashMap::new()).await
    }

    /// Drops everything, lets `between` at the folder, and starts again on it.
    pub(crate) async fn again(self, between: impl FnOnce(&Path)) -> Self {
        let Self { access, maintenance, store, effects, clock, journal, names, dir, .. } = self;
        drop((access, maintenance, store, effects));
        journal.close().unwrap();
        drop(journal);
        between(dir.path());
        Self::open(dir, clock, names.into_inner().unwrap()).await
    }

    /// The folder of the store, when it is on PostgreSQL.
    pub(crate) fn database(&self) -> Option<std::path::PathBuf> {
        let dir = self.dir.path().join("db");
        matches!(store::conformance::backend(&dir), store::Backend::Postgres { .. }).then_some(dir)
    }

    /// What a crash at this moment leaves on the disk, started again; `self` goes on beside it.
    pub(crate) async fn crashed(&self) -> Self {
        let copy = tempfile::tempdir().unwrap();
        copy_dir(self.dir.path(), copy.path());
        let names = self.names.lock().unwrap().clone();
        Self::open(Arc::new(copy), Arc::clone(&self.clock), names).await
    }

    async fn open(dir: Arc<tempfile::TempDir>, clock: Arc<Hand>, names: HashMap<String, uuid::Uuid>) -> Self {
        let (store, custody, effects, region) = deps(dir.path(), &clock);
        let journal = Arc::new(journal(dir.path()));
        let account = "123456789012".parse().unwrap();
        let deps = Deps {
            store: store.clone(),
            custody,
            journal: Arc::clone(&journal),
            crypto: Crypto::default(),
            effects: effects.clone(),
            region,
            account,
        };
        let (access, maintenance) = Access::start(deps).await.unwrap();
        Self { access, maintenance, store, effects, clock, journal, account, names: Mutex::new(names), dir }
    }

    /// Stops cleanly; from which entry on the next start reads the ledger.
    pub(crate) async fn stopped_at(self) -> u64 {
        stopped_at(self.access, self.maintenance).await
    }

    /// The id behind a name of the test, made at its first use.
    pub(crate) fn id(&self, name: &str) -> uuid::Uuid {
        *self.names.lock().unwrap().entry(name.to_owned()).or_insert_with(|| self.effects.uuid())
    }
    pub(crate) fn group(&self, name: &str) -> GroupId {
        GroupId::from_uuid(self.id(&format!("group {name}")))
    }
    pub(crate) fn person(&self, name: &str) -> PersonId {
        PersonId::from_uuid(self.id(&format!("person {name}")))
    }
    pub(crate) fn dataset(&self, name: &str) -> DatasetId {
        DatasetId::from_uuid(self.id(&format!("dataset {name}")))
    }
    pub(crate) fn role_id(&self, name: &str) -> RoleId {
        RoleId::from_uuid(self.id(&format!("role {name}")))
    }
    pub(crate) fn client_id(&self, name: &str) -> ClientId {
        ClientId::from_uuid(self.id(&format!("client {name}")))
    }
    pub(crate) fn now(&self) -> Timestamp {
        self.effects.now()
    }

    pub(crate) async fn write<T: Send + 'static>(
        &self,
        f: impl FnMut(&mut store::WriteTxn<'_>) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        self.store.write(Actor::System, f).await.map(|done| done.value)
    }

    /// A key for a person's sealed part of entries.
    pub(crate) async fn born(&self, person: &str) {
        let person = self.person(person);
        let (_, wrapped) = self.access.custody().subject_key_new(person).unwrap();
        self.write(move |txn| Ok(txn.subject_key_put(person.uuid(), &wrapped)?)).await.unwrap();
    }

    pub(crate) async fn join(&self, person: &str, group: &str) {
        let (id, member, group) =
            (MembershipId::from_uuid(self.effects.uuid()), Member::Person(self.person(person)), self.group(group));
        self.write(move |txn| add_membership(txn, id, member, group, None)).await.unwrap();
    }

    pub(crate) async fn leave(&self, person: &str, group: &str) {
        let (member, group) = (Member::Person(self.person(person)), self.group(group));
        self.write(move |txn| end_membership(txn, member, group, |_, _| true, None)).await.unwrap();
    }

    pub(crate) async fn client(&self, name: &str) {
        let client = Client {
            id: self.client_id(name),
            account: self.account,
            provider: "127.0.0.1:8443".to_owned(),
            audience: format!("aud-{name}"),
            name: name.to_owned(),
        };
        self.write(move |txn| put_client(txn, &client, None)).await.unwrap();
    }

    /// A role with these documents (a managed policy's name, or a text) that `group` is entitled to through `client`.
    pub(crate) async fn role(&self, name: &str, documents: &[&str], group: &str, client: Option<&str>, carry: Carry) {
        self.role_with(name, documents, group, client, |role| role.carry = carry).await;
    }

    pub(crate) async fn role_with(
        &self,
        name: &str,
        texts: &[&str],
        group: &str,
        client: Option<&str>,
        change: impl FnOnce(&mut Role),
    ) {
        let texts: Vec<String> = texts.iter().map(|text| (*text).to_owned()).collect();
        let access = self.access.clone();
        let policies = self
            .write(move |txn| {
                let put = |(n, text): (usize, &String)| {
                    let managed = documents::managed(text);
                    let name = if managed.is_some() { text.clone() } else { format!("inline-{n}") };
                    let text = managed.unwrap_or(text);
                    let digest = access.put_document(txn, text, policy::DocumentKind::Identity)?;
                    Ok(NamedDocument { name, digest })
                };
                texts.iter().enumerate().map(put).collect::<Result<Vec<_>, Error>>()
            })
            .await
            .unwrap();
        let mut role = Role {
            id: self.role_id(name),
            account: self.account,
            name: name.to_owned(),
            unique_id: session::role_unique_id(self.role_id(name)),
            session_secs_max: 43_200,
            carry: Carry::All,
            policies,
            boundary: None,
            management: false,
            duty: None,
            tags: Vec::new(),
        };
        change(&mut role);
        self.write(move |txn| put_role(txn, &role, None)).await.unwrap();
        self.entitle(name, group, client).await;
    }

    pub(crate) async fn entitle(&self, role: &str, group: &str, client: Option<&str>) {
        let it = Entitlement {
            id: EntitlementId::from_uuid(self.id(&format!("entitlement {role} {group}"))),
            group: self.group(group),
            role: self.role_id(role),
            client: client.map(|client| self.client_id(client)),
        };
        self.write(move |txn| add_entitlement(txn, &it, None)).await.unwrap();
    }

    pub(crate) async fn place(&self, dataset: &str, bucket: &str, prefix: &str, owner: &str) {
        self.place_with(dataset, bucket, prefix, owner, |_| ()).await;
    }

    pub(crate) async fn place_with(
        &self,
        dataset: &str,
        bucket: &str,
        prefix: &str,
        owner: &str,
        change: impl FnOnce(&mut DatasetLocation),
    ) {
        let mut location = DatasetLocation {
            dataset: self.dataset(dataset),
            account: self.account,
            places: vec![Place { bucket: bucket.to_owned(), prefix: prefix.to_owned() }],
            owner: self.group(owner),
            stewards: Vec::new(),
            policy: None,
            classification: Classification::Confidential,
            gxp: true,
            personal: false,
            kind: DatasetKind::Dataset,
            audit: AuditClass::Strict,
            key: "test".to_owned(),
        };
        change(&mut location);
        self.write(move |txn| put_location(txn, &location, |_, _| Ok(Occupied::No), None)).await.unwrap();
    }

    pub(crate) fn grant_of(&self, name: &str, dataset: &str, group: &str, level: Level, approver: &str) -> Grant {
        Grant {
            id: GrantId::from_uuid(self.id(&format!("grant {name}"))),
            group: self.group(group),
            dataset: self.dataset(dataset),
            level,
            scope: Scope::default(),
            purpose: "study 42".to_owned(),
            start: self.now(),
            // Finer than the store keeps: nothing may hang on it.
            expiry: self.now() + Duration::from_nanos(3_600_000_000_123),
            approver: Approver::Person(self.person(approver)),
            request: "direct".to_owned(),
        }
    }

    pub(crate) async fn grant(&self, grant: Grant) -> Result<(), Error> {
        self.write(move |txn| add_grant(txn, &grant, None)).await.map(drop)
    }

    pub(crate) async fn end_grant(&self, name: &str) {
        let id = GrantId::from_uuid(self.id(&format!("grant {name}")));
        self.write(move |txn| facts::end_grant(txn, id, None)).await.unwrap();
    }

    /// A session of `person` in `role`, as a token would open to.
    pub(crate) fn session(&self, person: &str, role: &str, client: Option<&str>) -> Session {
        let role = (self.account, self.role_id(role), role);
        let client = client.map(|client| self.client_id(client));
        Session { client, ..Session::for_test(&self.effects, (self.person(person), person), role) }
    }

    pub(crate) fn op(&self, session: Session) -> OpContext {
        OpContext::anonymous(&self.effects, Edge::S3)
            .with_transport(Some("192.0.2.7".parse().unwrap()), true)
            .with_session(Arc::new(session))
    }
}
