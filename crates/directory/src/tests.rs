//! The directory on a real store in a temporary folder, with a clock that tests move.

mod doors;
mod flows;
mod folds;
mod people;
mod services;

use crate::*;
use access::{Access, AuthPosition, EpochKey, Epochs, OpContext, Permit, api};
use base::{AccountId, ClientId, Clock, GroupId, Ids, NodeId, PersonId, Secret, SignInId, Timestamp};
use crypto::SystemEntropy;
use custody::{Seal, SoftwareToken, SoftwareTokenOptions};
use std::{
    collections::HashMap,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
    time::Duration,
};
use store::{Options, Position};

pub(crate) const ISSUER: &str = "http://127.0.0.1:8080";

/// Time stands still but for a microsecond a reading, until a test moves it.
pub(crate) struct Hand(AtomicI64);
impl Clock for Hand {
    fn now(&self) -> Timestamp {
        Timestamp::from_microsecond(self.0.fetch_add(1, Ordering::Relaxed)).unwrap()
    }
    fn monotonic(&self) -> Duration {
        Duration::from_micros(u64::try_from(self.0.load(Ordering::Relaxed)).unwrap())
    }
}

/// Groups and roles that a test gives; epochs are the gate's.
#[derive(Default)]
pub(crate) struct Given {
    pub(crate) groups: Mutex<HashMap<PersonId, Vec<GroupId>>>,
    pub(crate) roles: Mutex<Vec<String>>,
    pub(crate) stale: AtomicBool,
    epochs: Epochs,
}

#[async_trait::async_trait]
impl Entitlements for Given {
    async fn fresh(&self) -> bool {
        !self.stale.load(Ordering::Relaxed)
    }
    fn groups_of(&self, person: PersonId) -> Vec<GroupId> {
        self.groups.lock().unwrap().get(&person).cloned().unwrap_or_default()
    }
    fn roles_of(&self, _member: access::Member, _client: ClientId) -> Vec<String> {
        self.roles.lock().unwrap().clone()
    }
    fn position(&self) -> u64 {
        self.epochs.position()
    }
    fn cut(&self, person: PersonId, sign_in: SignInId, position: &AuthPosition) -> Option<String> {
        let cut = [EpochKey::Person { person }, EpochKey::SignIn { sign_in }];
        cut.into_iter().find_map(|key| self.epochs.cut_of(key, position)).map(|cut| cut.key.to_string())
    }
}

pub(crate) struct World {
    pub(crate) directory: Directory,
    pub(crate) provider: Provider,
    pub(crate) given: Arc<Given>,
    pub(crate) store: Store,
    pub(crate) effects: Effects,
    hand: Arc<Hand>,
    _maintenance: access::Maintenance,
    _dir: tempfile::TempDir,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(true).await
    }

    pub(crate) async fn of_one_administrator() -> Self {
        Self::with(false).await
    }

    async fn with(second_approval: bool) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let hand = Arc::new(Hand(AtomicI64::new(1_790_000_000_000_000)));
        let effects = Effects { clock: hand.clone(), entropy: Arc::new(SystemEntropy) };
        let node = NodeId::from_uuid(effects.uuid());
        let mut options = Options::sqlite(dir.path().join("store"), "eu-1".parse().unwrap(), node, effects.clone());
        options.folds = [folds(), access::folds()].concat();
        let store = Store::open(options).unwrap();
        let crypto = Crypto::default();
        let seal = Seal::MachineSecret { file: dir.path().join("machine") };
        let (keys, e, c) = (dir.path().join("keys"), effects.clone(), crypto.clone());
        let token = SoftwareToken::init(SoftwareTokenOptions { dir: keys, seal, effects: e, crypto: c }).unwrap();
        let custody = Custody::new(Arc::new(token), store.clone(), effects.clone(), crypto.clone());
        let (account, issuer) = (AccountId::new(42).unwrap(), ISSUER.to_owned());
        let journal = Arc::new(store::conformance::journal(dir.path()));
        let (s, c, e, k) = (store.clone(), custody.clone(), effects.clone(), crypto.clone());
        let region = "eu-1".parse().unwrap();
        let deps = access::Deps { store: s, custody: c, journal, crypto: k, effects: e, region, account };
        let (access, maintenance) = Access::start(deps).await.unwrap();
        let given = Arc::new(Given { epochs: access.epochs().clone(), ..Given::default() });
        let deps = Deps {
            store: store.clone(),
            access,
            custody,
            effects: effects.clone(),
            crypto,
            account,
            issuer,
            second_approval,
        };
        let directory = Directory::new(deps);
        let provider = Provider::new(directory.clone(), given.clone());
        Self { directory, provider, given, store, effects, hand, _maintenance: maintenance, _dir: dir }
    }

    pub(crate) fn pass(&self, time: Duration) {
        self.hand.0.fetch_add(i64::try_from(time.as_micros()).unwrap(), Ordering::Relaxed);
    }

    pub(crate) fn op(&self) -> OpContext {
        let op = OpContext::anonymous(&self.effects, access::Edge::Api);
        op.with_transport(Some("192.0.2.7".parse().unwrap()), true).with_user_agent("a browser")
    }

    pub(crate) fn permit<A: access::Action>(&self, action: A, resource: A::Resource) -> Permit<A> {
        Permit::for_test(action, resource, None, None, self.effects.now())
    }

    pub(crate) async fn person(&self, username: &str) -> PersonId {
        let new = new_person(username, &format!("{username}@example.com"));
        let permit = self.permit(api::CreatePerson, access::Installation);
        self.directory.create_person(permit, new).await.unwrap()
    }

    pub(crate) async fn group(&self, name: &str) -> GroupId {
        // Ids sort by the millisecond in which they were made.
        self.pass(Duration::from_millis(1));
        let permit = self.permit(api::CreateGroup, access::Installation);
        self.directory.create_group(permit, name.parse().unwrap(), None).await.unwrap()
    }

    pub(crate) async fn client(&self, new: NewClient) -> Option<Secret<String>> {
        let permit = self.permit(api::CreateClient, access::Installation);
        self.directory.register_client(permit, new).await.unwrap().1
    }
}

pub(crate) const PASSWORD: &str = "correct horse battery";

pub(crate) fn password(text: &str) -> Secret<String> {
    Secret::new(text.to_owned())
}

pub(crate) fn new_person(username: &str, email: &str) -> NewPerson {
    NewPerson {
        username: username.parse().unwrap(),
        display_name: "Ann Onym".parse().unwrap(),
        email: email.parse().unwrap(),
        handle: None,
        password: Some(password(PASSWORD)),
        one_time: false,
    }
}

pub(crate) fn cli() -> NewClient {
    NewClient {
        client_id: "galen-cli".to_owned(),
        name: "Galen command line".to_owned(),
        kind: ClientKind::Public,
        redirect_uris: vec!["http://127.0.0.1/callback".to_owned()],
        post_logout_uris: Vec::new(),
        audiences: vec!["galen-aws".to_owned()],
        es256: false,
        groups: GroupClaim::Ids,
        aws: false,
        device: true,
    }
}

pub(crate) fn aws() -> NewClient {
    NewClient {
        client_id: "galen-aws".to_owned(),
        name: "Role sessions".to_owned(),
        redirect_uris: Vec::new(),
        audiences: Vec::new(),
        aws: true,
        es256: true,
        device: false,
        ..cli()
    }
}
