//! A whole installation in a folder as far as data is concerned: store, custody, ledger, gate, governance, objects.

use access::{
    Access, AuditClass, Carry, Deps, DomainTarget, Edge, Installation, Maintenance, Member, Object, OpContext, Session,
    api, documents,
    facts::{self, Classification, Duty, Grant, Level, Place, Scope},
    roles::{Management, NewRole, RolePolicy},
    s3,
};
use adapters::local::LocalBackend;
use base::{AccountId, Actor, Clock, Effects, GrantId, GroupId, Ids, MembershipId, NodeId, PersonId, Timestamp};
use bytes::Bytes;
use crypto::{Crypto, SystemEntropy};
use custody::{Custody, Seal, SoftwareToken, SoftwareTokenOptions};
use futures::{StreamExt, stream, stream::BoxStream};
use governance::{
    Buckets, Dataset, Domain, Error, Governance, NewDataset, NewDomain, NewGrant,
    objects::{Conditions, Deps as ObjectDeps, Expected, Metadata, Objects, Put, Tags},
};
use std::sync::Arc;
use store::{
    Options, Store,
    conformance::{ManualClock, journal},
    journal::Journal,
};
use uuid::Uuid;

/// The people of the test; each is in one group and has one role.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Who {
    Owner,
    Steward,
    Reader,
    Administrator,
}

impl Who {
    const ALL: [Self; 4] = [Self::Owner, Self::Steward, Self::Reader, Self::Administrator];

    fn name(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Steward => "steward",
            Self::Reader => "reader",
            Self::Administrator => "administrator",
        }
    }
    pub(crate) fn person(self) -> PersonId {
        PersonId::from_uuid(Uuid::from_u128(100 + self as u128))
    }
    pub(crate) fn group(self) -> GroupId {
        GroupId::from_uuid(Uuid::from_u128(200 + self as u128))
    }
    fn policy(self) -> &'static str {
        match self {
            Self::Owner | Self::Steward => documents::DATA_OWNER,
            Self::Reader => documents::DATA_ACCESS,
            Self::Administrator => documents::ADMINISTRATOR,
        }
    }
    fn management(self) -> Management {
        match self {
            Self::Owner | Self::Steward => Management::Bears(Duty::DataOwner),
            Self::Reader => Management::No,
            Self::Administrator => Management::Bears(Duty::Administrator),
        }
    }
}

/// When the world begins.
pub(crate) const NOW_SECS: i64 = 1_795_000_000;

pub(crate) struct World {
    pub(crate) access: Access,
    pub(crate) maintenance: Maintenance,
    pub(crate) governance: Governance,
    pub(crate) objects: Objects,
    pub(crate) domain: Domain,
    pub(crate) readers: GroupId,
    pub(crate) buckets: Buckets,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) store: Store,
    journal: Arc<Journal>,
    effects: Effects,
    account: AccountId,
    roles: Vec<(Who, facts::Role)>,
    dir: tempfile::TempDir,
}

impl World {
    pub(crate) async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let clock = ManualClock::at(Timestamp::from_second(NOW_SECS).unwrap());
        let effects = Effects { clock: Arc::clone(&clock) as Arc<dyn Clock>, entropy: Arc::new(SystemEntropy) };
        let region: base::Region = "eu-north-1".parse().unwrap();
        let node = NodeId::from_uuid(Uuid::from_u128(7));
        let mut options = Options::sqlite("", region.clone(), node, effects.clone());
        options.backend = store::conformance::backend(&dir.path().join("db"));
        options.folds = access::folds().into_iter().chain(governance::folds()).collect();
        let store = Store::open(options).unwrap();
        let token = SoftwareToken::open_or_init(SoftwareTokenOptions {
            dir: dir.path().join("keys"),
            seal: Seal::MachineSecret { file: dir.path().join("secret/machine") },
            effects: effects.clone(),
            crypto: Crypto::default(),
        });
        let custody = Custody::new(Arc::new(token.unwrap()), store.clone(), effects.clone(), Crypto::default());
        let journal = Arc::new(journal(dir.path()));
        let account: AccountId = "123456789012".parse().unwrap();
        let deps = Deps {
            store: store.clone(),
            custody: custody.clone(),
            journal: Arc::clone(&journal),
            crypto: Crypto::default(),
            effects: effects.clone(),
            region,
            account,
        };
        let (access, maintenance) = Access::start(deps).await.unwrap();
        let governance = Governance::new(store.clone(), access.clone(), custody.clone(), effects.clone(), account);
        let backend = Arc::new(LocalBackend::open(&dir.path().join("bodies")).unwrap());
        let buckets = Buckets::new(store.clone(), access.clone(), custody.clone(), effects.clone());
        let objects = Objects::new(ObjectDeps { store: store.clone(), custody, effects: effects.clone(), backend });
        let roles = roles(&access, &store, &effects, account).await;
        let op = OpContext::system(&effects);
        let permit = access.authorize(&op, api::CreateDomain, Installation).await.unwrap();
        let new = NewDomain { name: "Oncology".to_owned(), owner: Who::Owner.group(), stewards: Vec::new() };
        let domain = governance.create_domain(permit, new).await.unwrap();
        Self {
            access,
            maintenance,
            governance,
            objects,
            domain,
            readers: Who::Reader.group(),
            buckets,
            clock,
            store,
            journal,
            effects,
            account,
            roles,
            dir,
        }
    }

    pub(crate) fn system(&self) -> OpContext {
        OpContext::system(&self.effects)
    }

    /// Bytes of the files that hold the keys in custody.
    pub(crate) fn bytes_of_keys(&self) -> u64 {
        let files = std::fs::read_dir(self.dir.path().join("keys")).unwrap();
        files.map(|file| file.unwrap().metadata().unwrap().len()).sum()
    }

    /// A dataset called `Trial` under `prefix`.
    pub(crate) async fn trial(&self, prefix: &str) -> Dataset {
        let target = DomainTarget { domain: self.domain.id, owner: self.domain.owner, stewards: Vec::new() };
        let permit = self.access.authorize(&self.system(), api::CreateDataset, target).await.unwrap();
        self.governance.create_dataset(permit, dataset(self, prefix, "Trial")).await.unwrap()
    }

    pub(crate) async fn seed(&self, key: &str, content: Vec<u8>) {
        let permit = self.access.authorize(&self.system(), s3::PutObject, Object::new("clinical", key)).await.unwrap();
        self.objects.put(permit, put(content)).await.unwrap();
    }

    pub(crate) async fn grant(&self, data: &Dataset, by: Who, scope: Scope, level: Level) -> Result<Grant, Error> {
        let permit = self.access.authorize(&self.op(by).await, api::CreateGrant, data.id).await.unwrap();
        let purpose = "study 42".to_owned();
        let new = NewGrant { group: self.readers, level, scope, purpose, start: None, days: 30, reason: None };
        self.governance.create_grant(permit, new).await
    }

    pub(crate) async fn end_grant(&self, grant: GrantId) {
        let end = move |txn: &mut store::WriteTxn<'_>| facts::end_grant(txn, grant, None);
        self.store.write::<_, access::Error, _>(Actor::System, end).await.unwrap();
    }

    /// The reasons that facts about `subject` carry, in order.
    pub(crate) async fn reasons(&self, subject: Uuid) -> Vec<String> {
        let facts = self.store.read(move |txn| txn.facts_of(subject)).await.unwrap();
        facts.into_iter().filter_map(|fact| fact.reason).collect()
    }

    /// Every entry of the ledger, as text.
    pub(crate) fn entries(&self) -> Vec<String> {
        let count = self.journal.stats().size;
        let read = |n| String::from_utf8_lossy(&self.journal.read(n).unwrap().unwrap()).into_owned();
        (0..count).map(read).collect()
    }

    /// A request of `who` through a fresh session of their role.
    pub(crate) async fn op(&self, who: Who) -> OpContext {
        let (_, role) = self.roles.iter().find(|(it, _)| *it == who).unwrap();
        let session = Session::for_test(&self.effects, (who.person(), who.name()), (self.account, role.id, &role.name));
        self.through(who, session)
    }

    /// The same, of a session that the group of `who` entitled.
    pub(crate) async fn op_via(&self, who: Who) -> OpContext {
        let op = self.op(who).await;
        let session = op.session.as_deref().unwrap().clone();
        self.through(who, Session { via: vec![who.group()], ..session })
    }

    fn through(&self, who: Who, session: Session) -> OpContext {
        let edge = if who == Who::Reader { Edge::S3 } else { Edge::Api };
        OpContext::anonymous(&self.effects, edge)
            .with_transport(Some("192.0.2.7".parse().unwrap()), true)
            .with_session(Arc::new(session))
    }
}

async fn roles(access: &Access, store: &Store, effects: &Effects, account: AccountId) -> Vec<(Who, facts::Role)> {
    let mut roles = Vec::new();
    for who in Who::ALL {
        let (_, wrapped) = access.custody().subject_key_new(who.person()).unwrap();
        let membership = MembershipId::from_uuid(effects.uuid());
        let begin = move |txn: &mut store::WriteTxn<'_>| {
            txn.subject_key_put(who.person().uuid(), &wrapped)?;
            facts::add_membership(txn, membership, Member::Person(who.person()), who.group(), None)
        };
        store.write::<_, access::Error, _>(Actor::System, begin).await.unwrap();
        let op = OpContext::system(effects);
        let permit = access.authorize(&op, api::CreateRole, Installation).await.unwrap();
        let new = NewRole {
            account,
            name: who.name().to_owned(),
            carry: Carry::All,
            session_secs_max: 3600,
            policies: vec![RolePolicy::Managed(who.policy().to_owned())],
            groups: vec![who.group()],
            client: None,
            management: who.management(),
        };
        roles.push((who, access.create_role(permit, new).await.unwrap()));
    }
    roles
}

pub(crate) fn dataset(world: &World, prefix: &str, name: &str) -> NewDataset {
    NewDataset {
        name: name.to_owned(),
        description: "SDTM of a trial".to_owned(),
        producer: "EDC".to_owned(),
        place: Place { bucket: "clinical".to_owned(), prefix: prefix.to_owned() },
        owner: world.domain.owner,
        stewards: vec![Who::Steward.group()],
        classification: Classification::Confidential,
        gxp: true,
        personal: true,
        audit: AuditClass::Strict,
    }
}

pub(crate) fn put(content: Vec<u8>) -> Put {
    Put {
        metadata: Metadata::default(),
        tags: Tags::default(),
        conditions: Conditions::default(),
        length: Some(content.len() as u64),
        checksum: Expected::None,
        content_md5: None,
        signed: None,
        body: stream::iter([Ok(Bytes::from(content))]).boxed(),
    }
}

pub(crate) async fn drain(mut bytes: BoxStream<'static, Result<Bytes, Error>>) -> Result<Vec<u8>, Error> {
    let mut out = Vec::new();
    while let Some(piece) = bytes.next().await {
        out.extend_from_slice(&piece?);
    }
    Ok(out)
}
