//! Sessions over a real store and the software token: issued, opened, cut, listed.

use super::*;
use crate::session::tests::{sample, uuid};
use crate::sts::{AssumableRole, AssumeRole, Via};
use crate::{AuthPosition, EpochKey, LeaseScope, Member, epoch};
use base::{Actor, Clock, NodeId, PersonId, RoleId};
use custody::{Custody, Seal, SoftwareToken, SoftwareTokenOptions};
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;
use store::{CommitHook, Options, Position};

/// A clock that tests set; in seconds.
pub(crate) struct Hand(AtomicI64);

impl Clock for Hand {
    fn now(&self) -> Timestamp {
        Timestamp::from_second(self.0.load(Ordering::SeqCst)).unwrap()
    }
    fn monotonic(&self) -> Duration {
        Duration::from_secs(u64::try_from(self.0.load(Ordering::SeqCst)).unwrap())
    }
}

impl Hand {
    pub(crate) fn at(secs: i64) -> Self {
        Self(AtomicI64::new(secs))
    }
    pub(crate) fn advance(&self, secs: i64) {
        self.0.fetch_add(secs, Ordering::SeqCst);
    }
}

pub(crate) fn open_store(dir: &std::path::Path, effects: &Effects, folds: Vec<Arc<dyn store::Fold>>) -> Store {
    let region = "eu-north-1".parse().unwrap();
    let mut options = Options::sqlite("", region, NodeId::from_uuid(uuid(7)), effects.clone());
    options.folds = folds;
    options.backend = store::conformance::backend(&dir.join("db"));
    Store::open(options).unwrap()
}

pub(crate) fn software(dir: &std::path::Path, store: &Store, effects: &Effects) -> Custody {
    let token = SoftwareToken::open_or_init(SoftwareTokenOptions {
        dir: dir.join("keys"),
        seal: Seal::MachineSecret { file: dir.join("secret/machine") },
        effects: effects.clone(),
        crypto: Crypto::default(),
    });
    Custody::new(Arc::new(token.unwrap()), store.clone(), effects.clone(), Crypto::default())
}

/// A store, custody and sessions in a temporary folder, joined as `Access::start` joins them.
pub(crate) struct Bench {
    pub(crate) clock: Arc<Hand>,
    pub(crate) store: Store,
    pub(crate) custody: Custody,
    pub(crate) sessions: Sessions,
    _dir: tempfile::TempDir,
}

struct Hook(Sessions);

impl CommitHook for Hook {
    fn committed(&self, facts: &[Fact], _position: Position) {
        self.0.epochs().apply(facts);
        self.0.after_commit(facts);
    }
}

impl Bench {
    pub(crate) async fn new() -> Self {
        let clock = Arc::new(Hand::at(1_790_000_000));
        let effects = Effects { clock: Arc::clone(&clock) as Arc<dyn Clock>, entropy: Arc::new(crypto::SystemEntropy) };
        let dir = tempfile::tempdir().unwrap();
        let store = open_store(dir.path(), &effects, epoch::folds());
        let custody = software(dir.path(), &store, &effects);
        let keys = Arc::new(CustodyKeys::new(custody.clone()));
        let deps = SessionDeps { store: store.clone(), keys, crypto: Crypto::default(), effects };
        let epochs = Epochs::default();
        epochs.load(&store).await.unwrap();
        let sessions = Sessions::new(deps, epochs, Leases::default());
        store.on_commit(Arc::new(Hook(sessions.clone())));
        Self { clock, store, custody, sessions, _dir: dir }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// A session of person 1 from a sign-in at `auth`, an hour long.
    fn draft(&self, id: u8, auth: AuthPosition) -> Session {
        Session {
            id: SessionId::from_uuid(uuid(id)),
            access_key_id: self.sessions.access_key().unwrap(),
            issued: self.now(),
            expires: self.now().checked_add(Duration::from_secs(3600)).unwrap(),
            auth,
            ..sample()
        }
    }

    fn position(&self) -> AuthPosition {
        let seq = Some(self.sessions.epochs().position());
        AuthPosition { auth_time: self.now(), seq, amr: vec!["pwd".into()], acr: None }
    }

    async fn issued(&self, session: Session) -> Issued {
        self.sessions.issue(permit(&session, self.now()), session).await.unwrap_or_else(|error| panic!("{error}"))
    }

    async fn raise(&self, key: EpochKey) {
        let write = move |txn: &mut store::WriteTxn<'_>| epoch::raise(txn, key, Some("left".into()));
        self.store.write(Actor::System, write).await.unwrap();
    }

    async fn opened(&self, issued: &Issued) -> Result<Arc<Session>, Reject> {
        self.sessions.open(issued.session_token.expose(), Some(issued.session.access_key_id.as_str())).await
    }
}

fn permit(session: &Session, now: Timestamp) -> Permit<sts::AssumeRole> {
    let action = AssumeRole {
        via: Via::Session,
        session_name: session.name.to_string(),
        source_identity: session.source_identity.clone(),
        sets_source_identity: true,
        tags: vec![],
        transitive: vec![],
        external_id: None,
        duration_secs: None,
    };
    Permit::for_test(action, AssumableRole(session.role), None, None, now)
}

fn person() -> PersonId {
    PersonId::from_uuid(uuid(1))
}

fn is_cut(result: &Result<Arc<Session>, Reject>) -> bool {
    matches!(result, Err(reject @ Reject::Cut { .. }) if reject.aws_code() == "ExpiredToken")
}

#[tokio::test]
async fn a_session_opens_with_its_own_key_until_it_ends() {
    let bench = Bench::new().await;
    let issued = bench.issued(bench.draft(20, bench.position())).await;
    let other = bench.issued(bench.draft(21, bench.position())).await;
    assert_eq!(bench.opened(&issued).await.unwrap().id, issued.session.id);
    let key = issued.session.access_key_id.as_str();
    assert_eq!(bench.sessions.secret_for(key).unwrap().expose(), issued.secret_access_key.expose());
    assert_eq!(bench.sessions.open(other.session_token.expose(), Some(key)).await.err(), Some(Reject::Mismatch));
    assert_eq!(bench.sessions.open("nonsense", Some(key)).await.err(), Some(Reject::Malformed));
    bench.clock.advance(3600);
    assert_eq!(bench.opened(&issued).await.err(), Some(Reject::Expired { at: issued.session.expires }));
}

#[tokio::test]
async fn a_permit_for_another_session_issues_nothing() {
    let bench = Bench::new().await;
    let session = bench.draft(20, bench.position());
    let mut other = session.clone();
    other.source_identity = "bob@example.com".parse().unwrap();
    let refused = bench.sessions.issue(permit(&session, bench.now()), other).await;
    assert!(matches!(refused, Err(IssueError::WrongPermit)));
    assert!(bench.sessions.live(None, None, 10).await.unwrap().is_empty());
}

// verifies: IAM-04
#[tokio::test]
async fn a_token_minted_before_a_cut_is_refused_after_it() {
    let bench = Bench::new().await;
    let before = bench.issued(bench.draft(20, bench.position())).await;
    bench.opened(&before).await.unwrap();
    bench.raise(EpochKey::Person { person: person() }).await;
    assert!(is_cut(&bench.opened(&before).await));
    let again = bench.issued(bench.draft(21, bench.position())).await;
    bench.opened(&again).await.unwrap();
}

#[tokio::test]
async fn a_session_minted_after_the_cut_from_an_older_sign_in_is_cut_too() {
    let bench = Bench::new().await;
    let old = bench.position();
    bench.raise(EpochKey::Person { person: person() }).await;
    bench.clock.advance(60);
    let late = bench.issued(bench.draft(20, old)).await;
    assert!(is_cut(&bench.opened(&late).await));
    let outside = AuthPosition { seq: None, ..bench.position() };
    let outside = bench.issued(bench.draft(21, outside)).await;
    bench.opened(&outside).await.unwrap();
}

// verifies: IAM-06
#[tokio::test]
async fn cutting_a_session_cuts_what_was_made_from_it_and_nothing_else() {
    let bench = Bench::new().await;
    let parent = bench.draft(20, bench.position());
    let mut child = bench.draft(21, bench.position());
    child.lineage = vec![crate::Ancestor { session: parent.id, role: parent.role }];
    child.chained = true;
    child.role = RoleId::from_uuid(uuid(12));
    let mut grandchild = child.clone();
    grandchild.id = SessionId::from_uuid(uuid(23));
    grandchild.lineage.push(crate::Ancestor { session: child.id, role: child.role });
    let grandchild = bench.issued(grandchild).await;
    let other = bench.draft(22, bench.position());
    let (parent, child, other) = (bench.issued(parent).await, bench.issued(child).await, bench.issued(other).await);
    bench.raise(EpochKey::Session { session: parent.session.id }).await;
    assert!(is_cut(&bench.opened(&parent).await));
    assert!(is_cut(&bench.opened(&child).await));
    assert!(is_cut(&bench.opened(&grandchild).await));
    bench.opened(&other).await.unwrap();
    // What was cut takes no place in a page.
    let live = bench.sessions.live(Some(Member::Person(person())), None, 1).await.unwrap();
    assert_eq!(live.iter().map(|row| row.id).collect::<Vec<_>>(), [other.session.id]);
}

// verifies: IAM-06
#[tokio::test]
async fn cutting_a_sign_in_cuts_its_role_and_management_sessions_and_no_other() {
    let bench = Bench::new().await;
    let sign_in = base::SignInId::from_uuid(uuid(40));
    let mut mine = bench.draft(20, bench.position());
    mine.sign_in = Some(sign_in);
    let mut desk = bench.draft(21, bench.position());
    (desk.sign_in, desk.kind) = (Some(sign_in), crate::SessionKind::Management);
    let mut other = bench.draft(22, bench.position());
    other.sign_in = Some(base::SignInId::from_uuid(uuid(41)));
    let (mine, desk, other) = (bench.issued(mine).await, bench.issued(desk).await, bench.issued(other).await);
    bench.raise(EpochKey::SignIn { sign_in }).await;
    assert!(is_cut(&bench.opened(&mine).await));
    assert!(is_cut(&bench.opened(&desk).await));
    bench.opened(&other).await.unwrap();
    // Minted after the cut, from a token of the same sign-in.
    let mut late = bench.draft(23, bench.position());
    late.sign_in = Some(sign_in);
    let late = bench.issued(late).await;
    assert!(is_cut(&bench.opened(&late).await));
    let live = bench.sessions.live(Some(Member::Person(person())), None, 10).await.unwrap();
    assert_eq!(live.iter().map(|row| row.id).collect::<Vec<_>>(), [other.session.id]);
}

#[tokio::test]
async fn epochs_of_a_role_and_of_a_membership_cut_their_sessions() {
    let bench = Bench::new().await;
    let group = base::GroupId::from_uuid(uuid(3));
    let mut session = bench.draft(20, bench.position());
    session.via = vec![group];
    let sealed = bench.sessions.seal(session.clone(), None).await.unwrap();
    bench.raise(EpochKey::Membership { person: PersonId::from_uuid(uuid(99)), group }).await;
    bench.opened(&sealed).await.unwrap();
    bench.raise(EpochKey::Membership { person: person(), group }).await;
    assert!(is_cut(&bench.opened(&sealed).await));
    let next = bench.issued(bench.draft(21, bench.position())).await;
    bench.raise(EpochKey::Role { role: next.session.role }).await;
    assert!(is_cut(&bench.opened(&next).await));
}

#[tokio::test]
async fn a_cut_is_known_after_a_restart() {
    let bench = Bench::new().await;
    let session = bench.issued(bench.draft(20, bench.position())).await;
    bench.raise(EpochKey::Person { person: person() }).await;
    let fresh = Epochs::default();
    fresh.load(&bench.store).await.unwrap();
    assert!(fresh.cuts(&session.session).is_some());
    assert_eq!(fresh.position(), bench.sessions.epochs().position());
}

#[tokio::test]
async fn a_cut_ends_open_streams_before_it_is_acknowledged() {
    let bench = Bench::new().await;
    let session = bench.issued(bench.draft(20, bench.position())).await.session;
    let epochs = bench.sessions.epochs().clone();
    let held = Arc::clone(&session);
    let recheck: crate::lease::Recheck = Arc::new(move |now| epochs.check(&held, now).map_err(|_| Ended::Cut));
    let lease = bench.sessions.leases().open(&LeaseScope::of(&session), recheck).unwrap();
    assert!(lease.check(bench.now()).is_ok());
    bench.raise(EpochKey::Person { person: person() }).await;
    assert!(lease.is_ended());
    assert_eq!(lease.ended().await, Ended::Cut);
}

#[tokio::test]
async fn a_large_session_is_kept_as_a_record_and_opens() {
    let bench = Bench::new().await;
    let mut session = bench.draft(20, bench.position());
    session.tags = (0..50).map(|n| crate::Tag { key: format!("k{n}"), value: "v".repeat(120) }).collect();
    session.via = (0..200).map(|n| base::GroupId::from_uuid(uuid(n))).collect();
    let issued = bench.sessions.seal(session.clone(), None).await.unwrap();
    assert!(issued.session_token.expose().len() <= token::TOKEN_LEN_MAX);
    let opened = bench.opened(&issued).await.unwrap();
    assert_eq!((opened.tags.len(), opened.via.len()), (50, 200));
}

#[tokio::test]
async fn rotated_keys_keep_older_sessions_open() {
    let bench = Bench::new().await;
    let old = bench.issued(bench.draft(20, bench.position())).await;
    bench.custody.rotate_derived(custody::Purpose::SessionSeal).unwrap();
    bench.custody.rotate_derived(custody::Purpose::Edge).unwrap();
    let new = bench.issued(bench.draft(21, bench.position())).await;
    for issued in [&old, &new] {
        bench.opened(issued).await.unwrap();
        let key = issued.session.access_key_id.as_str();
        assert_eq!(bench.sessions.secret_for(key).unwrap().expose(), issued.secret_access_key.expose());
    }
}

#[tokio::test]
async fn two_cuts_and_two_issues_race_without_a_gap() {
    let bench = Arc::new(Bench::new().await);
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..8_u8 {
        let bench = Arc::clone(&bench);
        tasks.spawn(async move {
            let position = bench.position();
            let issued = bench.issued(bench.draft(40 + n, position)).await;
            bench.raise(EpochKey::Person { person: person() }).await;
            // Whatever the order was: this sign-in read its number before this cut was applied.
            assert!(is_cut(&bench.opened(&issued).await));
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
}
