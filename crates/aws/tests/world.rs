//! A whole edge in a folder: real store, custody, ledger, gate, objects and a real listener on port 0. Only the identity
//! provider is a stand-in: it knows three tokens.

use access::assume::{IdentityTokens, TokenFault, VerifiedToken};
use access::facts::{
    self, Approver, Classification, Client, DatasetKind, DatasetLocation, Entitlement, Grant, Level, NamedDocument,
    Occupied, Place, Role, Scope,
};
use access::{Access, AuditClass, AuthPosition, Carry, Deps, Maintenance, Member, documents};
use base::{
    AccountId, Actor, ClientId, Clock, DatasetId, Effects, EntitlementId, GrantId, GroupId, Ids, MembershipId, NodeId,
    PersonId, RoleId, Timestamp,
};
use bytes::Bytes;
use crypto::{Crypto, SystemEntropy};
use custody::{Custody, Purpose, Seal, SoftwareToken, SoftwareTokenOptions};
use evidence::Names;
use governance::objects;
use governance::{Buckets, Objects};
use http::Request;
use http_body_util::Full;
use hyper_util::rt::{TokioExecutor, TokioIo};
use policy::DocumentKind;
use prometheus_client::registry::Registry;
use protocols::peer::Peer;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};
use store::{Options, Store, WriteTxn};
use tokio::task::JoinSet;

use crate::wire::{self, Call, Keys, REGION, Reply};

/// The codec of S3 reads the machine's clock, so the world does too.
pub(crate) struct RealClock(Instant);

#[expect(clippy::disallowed_methods, reason = "the test stands where `app` stands: it brings the clock")]
impl Clock for RealClock {
    fn now(&self) -> Timestamp {
        Timestamp::try_from(SystemTime::now()).unwrap()
    }
    fn monotonic(&self) -> Duration {
        self.0.elapsed()
    }
}

/// Refusals of this world tell ids.
struct Nameless;
impl Names for Nameless {}

/// Everything that is running, and three people.
///
/// Buckets: `trial` (dataset of the owners, written by readers), `shared` with `shared/a/` (read by readers) and `shared/b/`
/// (written by owners only), `secret` (written by owners only). Ann is a reader, Bob and Olga are owners; Olga's role may
/// change bucket settings, Ann's may make buckets, Carl is nobody.
pub(crate) struct World {
    pub(crate) access: Access,
    pub(crate) maintenance: Maintenance,
    pub(crate) store: Store,
    pub(crate) effects: Effects,
    pub(crate) account: AccountId,
    pub(crate) address: SocketAddr,
    pub(crate) ann: Keys,
    pub(crate) bob: Keys,
    pub(crate) olga: Keys,
    pub(crate) people: People,
    pub(crate) groups: Groups,
    pub(crate) roles: Roles,
    pub(crate) dir: tempfile::TempDir,
    registry: Registry,
    journal: Arc<store::journal::Journal>,
    _tasks: JoinSet<()>,
}

pub(crate) struct People {
    pub(crate) ann: PersonId,
    pub(crate) bob: PersonId,
    pub(crate) olga: PersonId,
    pub(crate) carl: PersonId,
}

pub(crate) struct Groups {
    pub(crate) readers: GroupId,
    pub(crate) owners: GroupId,
}

pub(crate) struct Roles {
    pub(crate) reader: String,
    pub(crate) owner: String,
}

/// Knows `token-NAME` for each person, and says what a verifier says of anything else.
struct Tokens {
    client: ClientId,
    people: Vec<(&'static str, PersonId)>,
    access: Access,
}

#[async_trait::async_trait]
impl IdentityTokens for Tokens {
    async fn verify(&self, token: &str, now: Timestamp) -> Result<VerifiedToken, TokenFault> {
        if token == "expired" {
            return Err(TokenFault::Expired { at: now, now });
        }
        let name = token.strip_prefix("token-").ok_or(TokenFault::Malformed { what: "the header" })?;
        let (name, person) = *self.people.iter().find(|(known, _)| *known == name).ok_or(TokenFault::Signature)?;
        Ok(VerifiedToken {
            issuer: "http://issuer.test".into(),
            subject: name.into(),
            audience: "galen-aws".into(),
            client: Some(self.client),
            person: Some(person),
            service: None,
            handle: format!("{name}@example.test").parse().unwrap(),
            issued: now,
            expires: now.checked_add(Duration::from_secs(3600)).unwrap(),
            auth: AuthPosition {
                auth_time: now,
                seq: Some(self.access.epochs().position()),
                amr: vec!["pwd".into()],
                acr: None,
            },
            sign_in: None,
            claims: claims(name),
        })
    }
}

fn claims(name: &str) -> serde_json::Map<String, serde_json::Value> {
    let identity = serde_json::json!(format!("{name}@example.test"));
    [("https://aws.amazon.com/source_identity".to_owned(), identity)].into_iter().collect()
}

struct Ground {
    store: Store,
    custody: Custody,
    effects: Effects,
    access: Access,
    maintenance: Maintenance,
    journal: Arc<store::journal::Journal>,
}

async fn ground(dir: &std::path::Path, account: AccountId) -> Ground {
    #[expect(clippy::disallowed_methods, reason = "the test stands where `app` stands: it brings the clock")]
    let clock = Arc::new(RealClock(Instant::now()));
    let effects = Effects { clock, entropy: Arc::new(SystemEntropy) };
    let region: base::Region = REGION.parse().unwrap();
    let node = NodeId::from_uuid(effects.uuid());
    let mut options = Options::sqlite(dir.join("db"), region.clone(), node, effects.clone());
    options.folds = access::folds();
    let store = Store::open(options).unwrap();
    let token = SoftwareToken::init(SoftwareTokenOptions {
        dir: dir.join("keys"),
        seal: Seal::MachineSecret { file: dir.join("secret/machine") },
        effects: effects.clone(),
        crypto: Crypto::default(),
    });
    let custody = Custody::new(Arc::new(token.unwrap()), store.clone(), effects.clone(), Crypto::default());
    let journal = Arc::new(store::conformance::journal(dir));
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
    Ground { store, custody, effects, access, maintenance, journal }
}

impl Ground {
    async fn write(&self, f: impl FnMut(&mut WriteTxn<'_>) -> Result<(), access::Error> + Send + 'static) {
        self.store.write(Actor::System, f).await.unwrap();
    }

    async fn person(&self, groups: &[GroupId]) -> PersonId {
        let person = PersonId::from_uuid(self.effects.uuid());
        let (_, wrapped) = self.custody.subject_key_new(person).unwrap();
        let edges: Vec<(MembershipId, GroupId)> =
            groups.iter().map(|group| (MembershipId::from_uuid(self.effects.uuid()), *group)).collect();
        self.write(move |txn| {
            txn.subject_key_put(person.uuid(), &wrapped)?;
            for (id, group) in &edges {
                facts::add_membership(txn, *id, Member::Person(person), *group, None)?;
            }
            Ok(())
        })
        .await;
        person
    }

    async fn dataset(&self, account: AccountId, place: (&str, &str), owner: GroupId) -> DatasetId {
        let dataset = DatasetId::from_uuid(self.effects.uuid());
        let key = self.custody.ensure(Purpose::DatasetWrap, &dataset.to_string()).unwrap();
        let location = DatasetLocation {
            dataset,
            account,
            places: vec![Place { bucket: place.0.to_owned(), prefix: place.1.to_owned() }],
            owner,
            stewards: Vec::new(),
            policy: None,
            classification: Classification::Confidential,
            gxp: false,
            personal: false,
            kind: DatasetKind::Dataset,
            audit: AuditClass::Strict,
            key: key.to_string(),
        };
        self.write(move |txn| facts::put_location(txn, &location, |_, _| Ok(Occupied::No), None).map(drop)).await;
        dataset
    }

    async fn grant(&self, dataset: DatasetId, group: GroupId, level: Level, approver: PersonId) -> GrantId {
        let id = GrantId::from_uuid(self.effects.uuid());
        let start = self.effects.now();
        let grant = Grant {
            id,
            group,
            dataset,
            level,
            scope: Scope::default(),
            purpose: "test".into(),
            start,
            expiry: start.checked_add(Duration::from_secs(86_400)).unwrap(),
            approver: Approver::Person(approver),
            request: "direct".into(),
        };
        self.write(move |txn| facts::add_grant(txn, &grant, None).map(drop)).await;
        id
    }

    async fn role(&self, account: AccountId, name: &str, group: GroupId, extra: &'static str) -> String {
        let (id, entitlement) = (RoleId::from_uuid(self.effects.uuid()), EntitlementId::from_uuid(self.effects.uuid()));
        let name = name.to_owned();
        let arn = format!("arn:aws:iam::{account}:role/{name}");
        let access = self.access.clone();
        self.write(move |txn| {
            let mut policies = vec![documents::put_managed(txn, documents::DATA_ACCESS)?];
            if !extra.is_empty() {
                let digest = access.put_document(txn, extra, DocumentKind::Identity)?;
                policies.push(NamedDocument { name: "extra".into(), digest });
            }
            let role = Role {
                id,
                account,
                name: name.clone(),
                unique_id: access::session::role_unique_id(id),
                session_secs_max: 3600,
                carry: Carry::Entitling,
                policies,
                boundary: None,
                management: false,
                duty: None,
                tags: Vec::new(),
            };
            facts::put_role(txn, &role, None)?;
            facts::add_entitlement(txn, &Entitlement { id: entitlement, group, role: id, client: None }, None).map(drop)
        })
        .await;
        arn
    }
}

/// What a reader's role may do besides the usual.
const MAKES_BUCKETS: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:CreateBucket","s3:DeleteBucket","s3:DeleteObjectVersion"],"Resource":"*"}]}"#;
/// What an owner's role may do besides the usual.
const SETS_BUCKETS: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:PutBucketVersioning","s3:PutBucketAcl","s3:PutBucketPublicAccessBlock","s3:PutBucketOwnershipControls","s3:PutEncryptionConfiguration","s3:PutBucketPolicy","s3:DeleteBucketPolicy","s3:PutBucketCORS","s3:PutBucketTagging","s3:PutLifecycleConfiguration","s3:PutReplicationConfiguration","s3:DeleteBucketWebsite"],"Resource":"*"}]}"#;

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(|_| {}).await
    }

    pub(crate) async fn with(change: impl FnOnce(&mut aws::Options)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let account: AccountId = "123456789012".parse().unwrap();
        let ground = ground(dir.path(), account).await;
        let groups = Groups {
            readers: GroupId::from_uuid(ground.effects.uuid()),
            owners: GroupId::from_uuid(ground.effects.uuid()),
        };
        let people = People {
            ann: ground.person(&[groups.readers]).await,
            bob: ground.person(&[groups.owners]).await,
            olga: ground.person(&[groups.owners]).await,
            carl: ground.person(&[]).await,
        };
        let client = ClientId::from_uuid(ground.effects.uuid());
        let trusted = Client {
            id: client,
            account,
            provider: "issuer.test".into(),
            audience: "galen-aws".into(),
            name: "AWS tools".into(),
        };
        ground.write(move |txn| facts::put_client(txn, &trusted, None).map(drop)).await;
        let roles = Roles {
            reader: ground.role(account, "reader", groups.readers, MAKES_BUCKETS).await,
            owner: ground.role(account, "owner", groups.owners, SETS_BUCKETS).await,
        };
        let trial = ground.dataset(account, ("trial", ""), groups.owners).await;
        let shared = ground.dataset(account, ("shared", "a/"), groups.owners).await;
        let rest = ground.dataset(account, ("shared", "b/"), groups.owners).await;
        let secret = ground.dataset(account, ("secret", ""), groups.owners).await;
        ground.grant(trial, groups.readers, Level::Write, people.olga).await;
        ground.grant(shared, groups.readers, Level::Read, people.olga).await;
        for dataset in [trial, shared, rest, secret] {
            ground.grant(dataset, groups.owners, Level::Write, people.olga).await;
        }
        Self::serve(dir, ground, account, people, groups, roles, client, change).await
    }

    #[expect(clippy::too_many_arguments, reason = "the second half of one constructor")]
    async fn serve(
        dir: tempfile::TempDir,
        ground: Ground,
        account: AccountId,
        people: People,
        groups: Groups,
        roles: Roles,
        client: ClientId,
        change: impl FnOnce(&mut aws::Options),
    ) -> Self {
        let Ground { store, custody, effects, access, maintenance, journal } = ground;
        let backend = Arc::new(adapters::local::LocalBackend::open(&dir.path().join("objects")).unwrap());
        let objects = Objects::new(objects::Deps {
            store: store.clone(),
            custody: custody.clone(),
            effects: effects.clone(),
            backend,
        });
        let buckets = Buckets::new(store.clone(), access.clone(), custody, effects.clone());
        let names = [("ann", people.ann), ("bob", people.bob), ("olga", people.olga), ("carl", people.carl)];
        let identity = Arc::new(Tokens { client, people: names.to_vec(), access: access.clone() });
        let mut options = aws::Options::new(REGION.parse().unwrap(), account);
        change(&mut options);
        let mut registry = Registry::default();
        let names = Arc::new(Nameless);
        let deps = aws::Deps {
            access: access.clone(),
            objects,
            buckets,
            names,
            identity,
            effects: effects.clone(),
            waiting: Arc::new(Vec::new),
        };
        let edge = aws::Aws::new(deps, options, &mut registry).unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut tasks = JoinSet::new();
        tasks.spawn(listen(listener, edge));
        let nobody = Keys { id: String::new(), secret: String::new(), token: String::new() };
        let mut world = Self {
            access,
            maintenance,
            store,
            effects,
            account,
            address,
            ann: nobody.clone(),
            bob: nobody.clone(),
            olga: nobody,
            people,
            groups,
            roles,
            dir,
            registry,
            journal,
            _tasks: tasks,
        };
        world.ann = world.session("ann").await;
        world.bob = world.session("bob").await;
        world.olga = world.session("olga").await;
        world
    }

    pub(crate) fn host(&self) -> String {
        self.address.to_string()
    }

    /// A role session by AssumeRoleWithWebIdentity, as SDKs do it.
    pub(crate) async fn session(&self, name: &str) -> Keys {
        let role = if name == "ann" { &self.roles.reader } else { &self.roles.owner };
        let reply = self.web_identity(role, &format!("token-{name}"), "").await.ok();
        keys(&reply)
    }

    pub(crate) async fn web_identity(&self, role: &str, token: &str, extra: &str) -> Reply {
        let form = format!(
            "Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleArn={}&RoleSessionName=check&WebIdentityToken={}{extra}",
            wire::encode(role, ""),
            wire::encode(token, "")
        );
        self.form(&form).await
    }

    /// An unsigned form.
    pub(crate) async fn form(&self, form: &str) -> Reply {
        let call =
            wire::call("POST", "/").header("content-type", "application/x-www-form-urlencoded").body(form.to_owned());
        self.bare(&call).await
    }

    /// A signed form to STS.
    pub(crate) async fn sts(&self, keys: &Keys, form: &str) -> Reply {
        let call =
            wire::call("POST", "/").header("content-type", "application/x-www-form-urlencoded").body(form.to_owned());
        wire::send(self.address, wire::signed(&call, keys, "sts", &self.host(), self.effects.now())).await
    }

    /// A signed request to S3.
    pub(crate) async fn s3(&self, keys: &Keys, call: &Call) -> Reply {
        wire::send(self.address, wire::signed(call, keys, "s3", &self.host(), self.effects.now())).await
    }

    pub(crate) async fn bare(&self, call: &Call) -> Reply {
        wire::send(self.address, wire::bare(call)).await
    }

    pub(crate) fn presigned(&self, keys: &Keys, call: &Call, seconds: u32) -> String {
        wire::presigned(call, keys, &self.host(), self.effects.now(), seconds)
    }

    /// A request whose target is already encoded and signed.
    pub(crate) async fn raw(&self, method: &'static str, target: &str, headers: &[(&str, &str)], body: &str) -> Reply {
        let mut request = Request::builder().method(method).uri(target);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        wire::send(self.address, request.body(Full::new(Bytes::from(body.to_owned()))).unwrap()).await
    }

    /// Every entry of the ledger, after a clean stop: counts of the running minute are in it too.
    pub(crate) async fn recorded(self) -> Vec<serde_json::Value> {
        let (stop, stopped) = tokio::sync::watch::channel(false);
        drop(stop);
        self.maintenance.run(stopped).await;
        // What waits for its turn is durable before an entry that is waited for.
        self.journal.append(b"{}".to_vec()).await.unwrap();
        let (mut entries, mut next) = (Vec::new(), 0);
        loop {
            let page = self.journal.read_from(next, 100).unwrap();
            let Some(last) = page.last() else { return entries };
            next = last.index + 1;
            entries.extend(page.iter().map(|entry| serde_json::from_slice::<serde_json::Value>(&entry.bytes).unwrap()));
        }
    }

    pub(crate) fn metrics(&self) -> String {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.registry).unwrap();
        text
    }
}

pub(crate) fn keys(reply: &Reply) -> Keys {
    Keys {
        id: reply.element("AccessKeyId").unwrap(),
        secret: reply.element("SecretAccessKey").unwrap(),
        token: reply.element("SessionToken").unwrap(),
    }
}

async fn listen(listener: tokio::net::TcpListener, edge: aws::Aws) {
    let mut connections = JoinSet::new();
    while let Ok((stream, address)) = listener.accept().await {
        let edge = edge.clone();
        connections.spawn(async move {
            let service = hyper::service::service_fn(move |mut request: Request<hyper::body::Incoming>| {
                request.extensions_mut().insert(Peer { address, tls: false });
                let answer = edge.answer(request);
                async move { Ok::<_, std::convert::Infallible>(answer.await) }
            });
            let builder = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new());
            drop(builder.serve_connection(TokioIo::new(stream), service).await);
        });
    }
}
