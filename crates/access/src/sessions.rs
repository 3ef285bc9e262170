//! `Sessions`: makes role sessions, opens their tokens, lists them, and ends what a change takes away.
//!
//! It joins token, epochs, leases and the store. It must not decide who may have a session: it takes a permit.
//! Invariants: no session without a permit and a source identity; a token opens only while no epoch cuts it.

use base::{ChangeId, Effects, Secret, SessionId, Timestamp};
use crypto::Crypto;
use serde::Deserialize as _;
use std::collections::VecDeque;
use std::str::FromStr as _;
use std::sync::{Arc, Mutex, PoisonError};
use store::{Fact, Store};

use crate::epoch::{Cut, CutBy};
use crate::recorder::ChangeRecorder;
use crate::token::{self, BadToken, Opened, SealKeys};
use crate::{
    AccessKeyId, Ended, Epochs, LeaseKey, Leases, Outcome, Permit, Reason, Session, SessionKind, Trace, lease::Closing,
    sts,
};

mod cache;
mod keys;
mod rows;
pub use keys::{CustodyKeys, KeySource, KeysUnavailable};
pub use rows::SessionRow;
pub(crate) use rows::put_all;
use rows::{CLASS, CLASS_BY_MEMBER, Waiting, row};

#[cfg(test)]
pub(crate) mod tests;

/// Bodies of sessions that are too large for a token.
const CLASS_BODY: &str = "session_body";

/// Changes whose ended streams are kept until somebody waits for them; most changes are never asked about.
const CLOSINGS_MAX: usize = 256;

/// Largest page of sessions.
pub const PAGE_MAX: usize = 1000;

/// Why a token gives no session. Display is safe for the caller.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Reject {
    /// Its time is over.
    #[error("the session ended at {at}: sign in again")]
    Expired {
        /// When.
        at: Timestamp,
    },
    /// An epoch was raised.
    #[error("the session was cut at {}: access was taken away or a new sign-in is needed", .by.epoch.at)]
    Cut {
        /// What cut it.
        by: CutBy,
    },
    /// It is not a token of this installation, or it was altered.
    #[error("the session token is not valid")]
    Malformed,
    /// The token belongs to another access key.
    #[error("the session token does not belong to this access key")]
    Mismatch,
    /// Keys or records cannot be had now.
    #[error("sessions cannot be checked now: retry later")]
    Unavailable,
}

impl Reject {
    /// The error code of the AWS edges.
    pub const fn aws_code(&self) -> &'static str {
        match self {
            Self::Expired { .. } | Self::Cut { .. } => "ExpiredToken",
            Self::Malformed | Self::Mismatch => "InvalidToken",
            Self::Unavailable => "ServiceUnavailable",
        }
    }

    /// What it means.
    pub const fn kind(&self) -> base::ErrorKind {
        match self {
            Self::Unavailable => base::ErrorKind::Unavailable,
            _ => base::ErrorKind::Unauthenticated,
        }
    }
}

/// Why no session could be made.
#[derive(Debug, thiserror::Error)]
pub enum IssueError {
    /// The permit is for another role, name or source identity than the session.
    #[error("the permit is not for this session")]
    WrongPermit,
    /// There is no key, or the library refused.
    #[error("the session cannot be sealed now")]
    Seal(#[source] crypto::Error),
    /// The keys cannot be had now.
    #[error("the session cannot be sealed now")]
    Keys(#[source] KeysUnavailable),
    /// The record could not be written.
    #[error("the session could not be recorded")]
    Record(#[source] crate::Error),
}

/// New credentials. The secrets leave once.
pub struct Issued {
    /// The session.
    pub session: Arc<Session>,
    /// Its derived secret.
    pub secret_access_key: Secret<String>,
    /// Its token.
    pub session_token: Secret<String>,
    /// How much of the room for policies and tags is used, in percent.
    pub packed_percent: u32,
}

/// What sessions stand on.
pub struct SessionDeps {
    /// Where they are recorded.
    pub store: Store,
    /// The keys that seal them.
    pub keys: Arc<dyn KeySource>,
    /// Randomness for keys and nonces.
    pub crypto: Crypto,
    /// The clock.
    pub effects: Effects,
}

struct Inner {
    store: Store,
    keys: Arc<dyn KeySource>,
    crypto: Crypto,
    effects: Effects,
    epochs: Epochs,
    leases: Leases,
    opened: cache::Opened,
    waiting: Waiting,
    closings: Mutex<VecDeque<(ChangeId, Closing)>>,
}

/// Role sessions of one node; cheap to clone.
#[derive(Clone)]
pub struct Sessions(Arc<Inner>);

impl Sessions {
    /// Joins the parts. The epochs must be loaded before the first token is opened ([`Epochs::load`]).
    pub fn new(deps: SessionDeps, epochs: Epochs, leases: Leases) -> Self {
        let SessionDeps { store, keys, crypto, effects } = deps;
        Self(Arc::new(Inner {
            store,
            keys,
            crypto,
            effects,
            epochs,
            leases,
            opened: cache::Opened::default(),
            waiting: Waiting::default(),
            closings: Mutex::default(),
        }))
    }

    /// The epochs that cut sessions.
    pub fn epochs(&self) -> &Epochs {
        &self.0.epochs
    }

    /// The open streams.
    pub fn leases(&self) -> &Leases {
        &self.0.leases
    }

    /// The secret of an access key, derived and not looked up; `None` for an id that is malformed or whose key is gone.
    /// A secret says nothing about the session: the token must be opened too.
    pub fn secret_for(&self, access_key_id: &str) -> Option<Secret<String>> {
        let id = AccessKeyId::from_str(access_key_id).ok()?;
        self.0.keys.keys().ok()?.secret_of(&id)
    }

    /// An unused access key id for a session that is being made.
    ///
    /// # Errors
    /// [`IssueError::Keys`].
    pub fn access_key(&self) -> Result<AccessKeyId, IssueError> {
        let keys = self.0.keys.keys().map_err(IssueError::Keys)?;
        keys.access_key(&self.0.crypto).ok_or(IssueError::Keys(KeysUnavailable))
    }

    /// Seals and records a session that the gate has permitted: the entry of the decision, which holds the session's row, is
    /// durable when it returns; the row goes to the store soon after. The permit's entitling groups become the session's.
    ///
    /// # Errors
    /// [`IssueError`]; then nothing was issued.
    pub async fn issue(&self, permit: Permit<sts::AssumeRole>, mut session: Session) -> Result<Issued, IssueError> {
        let asked = permit.action();
        let same = permit.resource().0 == session.role
            && asked.source_identity == session.source_identity
            && asked.session_name == session.name.as_str();
        if !same {
            return Err(IssueError::WrongPermit);
        }
        session.via = entitling(permit.reasons());
        let issued = self.seal(session, permit.recorder().cloned()).await?;
        permit.finish(Outcome { status: 200, bytes: 0 });
        Ok(issued)
    }

    async fn seal(&self, session: Session, decision: Option<ChangeRecorder>) -> Result<Issued, IssueError> {
        let keys = self.0.keys.keys().map_err(IssueError::Keys)?;
        let sealed = token::seal(&keys, &self.0.crypto, &session).map_err(IssueError::Seal)?;
        let secret = keys.secret_of(&session.access_key_id).ok_or(IssueError::Keys(KeysUnavailable))?;
        self.record(&session, sealed.record, decision).await.map_err(IssueError::Record)?;
        Ok(Issued {
            packed_percent: token::packed_percent(&session),
            session: Arc::new(session),
            secret_access_key: secret,
            session_token: sealed.token,
        })
    }

    async fn record(
        &self,
        session: &Session,
        body: Option<Vec<u8>>,
        decision: Option<ChangeRecorder>,
    ) -> Result<(), crate::Error> {
        self.put_texts(session, body).await?;
        let row = SessionRow::of(session);
        let many = match &decision {
            Some(decision) => {
                let (waits, sessions) = (row.clone(), self.clone());
                let wait = move |owed| sessions.0.waiting.push(waits, Some(owed));
                decision.append(&row.made(), session.kind == SessionKind::Management, wait).await?
            }
            None => self.0.waiting.push(row, None),
        };
        if many { self.keep().await.map_err(crate::Error::Store) } else { Ok(()) }
    }

    /// What is too large for a token, and the session policies, are in the store before anything names them.
    async fn put_texts(&self, session: &Session, body: Option<Vec<u8>>) -> Result<(), crate::Error> {
        let policies = canonical_policies(session);
        if body.is_none() && policies.is_empty() {
            return Ok(());
        }
        let (key, expires) = (*session.id.bytes(), session.expires);
        let write = move |txn: &mut store::WriteTxn<'_>| {
            if let Some(body) = &body {
                txn.record_put(CLASS_BODY, &key, body, Some(expires))?;
            }
            policies.iter().try_for_each(|(digest, text)| txn.document_put(*digest, text.as_bytes()))
        };
        self.0.store.write(session.actor(), write).await.map(drop).map_err(crate::Error::Store)
    }

    /// Puts the rows of sessions that are in the ledger into the store.
    ///
    /// # Errors
    /// [`store::Error`]; what could not be put still waits.
    pub(crate) async fn keep(&self) -> Result<(), store::Error> {
        self.0.waiting.keep(&self.0.store).await
    }

    /// Opens a token. `access_key_id` is the key that signed the request; the token must belong to it.
    ///
    /// # Errors
    /// [`Reject`].
    pub async fn open(&self, session_token: &str, access_key_id: Option<&str>) -> Result<Arc<Session>, Reject> {
        self.open_for(&Trace::default(), session_token, access_key_id).await
    }

    /// As [`Sessions::open`], for a request whose trace then tells the sender: also one whose session is over.
    ///
    /// # Errors
    /// [`Reject`].
    pub async fn open_for(
        &self,
        trace: &Trace,
        session_token: &str,
        access_key_id: Option<&str>,
    ) -> Result<Arc<Session>, Reject> {
        let digest = crypto::sha256(session_token.as_bytes());
        let session = match self.0.opened.get(&digest) {
            Some(session) => session,
            None => {
                let unsealed = self.unseal(session_token).await;
                let over = |reject: &Reject| {
                    if matches!(reject, Reject::Expired { .. }) {
                        trace.over(None)
                    }
                };
                let session = Arc::new(unsealed.inspect_err(over)?);
                self.0.opened.put(digest, &session);
                session
            }
        };
        if access_key_id.is_some_and(|id| id != session.access_key_id.as_str()) {
            return Err(Reject::Mismatch);
        }
        let live = self.0.epochs.check(&session, self.0.effects.now());
        match &live {
            Ok(()) => trace.believe(&session),
            Err(_) => trace.over(Some(&session)),
        }
        match live {
            Ok(()) => Ok(session),
            Err(Cut::Expired { at }) => Err(Reject::Expired { at }),
            Err(Cut::Raised(by)) => Err(Reject::Cut { by }),
        }
    }

    async fn unseal(&self, session_token: &str) -> Result<Session, Reject> {
        let keys = self.0.keys.keys().map_err(|_| Reject::Unavailable)?;
        match token::open(&keys, session_token).map_err(bad)? {
            Opened::Session(session) => Ok(*session),
            Opened::Pointer(pointer) => self.fetch(&keys, pointer).await,
        }
    }

    async fn fetch(&self, keys: &SealKeys, pointer: token::Pointer) -> Result<Session, Reject> {
        if self.0.effects.now() >= pointer.expires {
            return Err(Reject::Expired { at: pointer.expires });
        }
        let key = *pointer.session.bytes();
        let record = self.0.store.read(move |txn| txn.record_get(CLASS_BODY, &key)).await;
        let record = record.map_err(|_| Reject::Unavailable)?.ok_or(Reject::Malformed)?;
        token::open_record(keys, &pointer, &record.value).map_err(bad)
    }

    /// What is kept of one session.
    ///
    /// # Errors
    /// [`store::Error`].
    pub async fn find(&self, session: SessionId) -> Result<Option<SessionRow>, store::Error> {
        self.keep().await?;
        let record = self.0.store.read(move |txn| txn.record_get(CLASS, session.bytes())).await?;
        record.map(|record| row(&record.value)).transpose()
    }

    /// Sessions that still count, of one member or of all, in the order of their making, at most [`PAGE_MAX`].
    ///
    /// # Errors
    /// [`store::Error`].
    pub async fn live(
        &self,
        of: Option<crate::Member>,
        after: Option<SessionId>,
        limit: usize,
    ) -> Result<Vec<SessionRow>, store::Error> {
        self.keep().await?;
        let limit = limit.min(PAGE_MAX);
        let prefix = of.map_or_else(Vec::new, |member| member.uuid().as_bytes().to_vec());
        let mut after = after.map(|id| [&prefix, &id.bytes()[..]].concat());
        let mut live = Vec::new();
        loop {
            let (rows, last) = self.page(prefix.clone(), after, limit).await?;
            let now = self.0.effects.now();
            live.extend(rows.into_iter().filter(|row| row.expires > now && !self.is_cut(row)));
            if last.is_none() || live.len() >= limit {
                live.truncate(limit);
                return Ok(live);
            }
            after = last;
        }
    }

    /// The next `limit` sessions of a member, or of all where the prefix is empty, live or not, and the key of the last one
    /// where there may be more.
    async fn page(
        &self,
        prefix: Vec<u8>,
        after: Option<Vec<u8>>,
        limit: usize,
    ) -> Result<(Vec<SessionRow>, Option<Vec<u8>>), store::Error> {
        let read = self.0.store.read(move |txn| {
            let class = if prefix.is_empty() { CLASS } else { CLASS_BY_MEMBER };
            let mut page = txn.record_prefix(class, &prefix, after.as_deref(), limit)?;
            let mut rows = Vec::with_capacity(page.len());
            for (key, record) in &page {
                if prefix.is_empty() {
                    rows.push(row(&record.value)?);
                } else if let Some(found) = txn.record_get(CLASS, key.get(prefix.len()..).unwrap_or_default())? {
                    rows.push(row(&found.value)?);
                }
            }
            let more = page.len() == limit;
            Ok::<_, store::Error>((rows, page.pop().filter(|_| more).map(|(key, _)| key)))
        });
        read.await
    }

    fn is_cut(&self, row: &SessionRow) -> bool {
        use crate::EpochKey;
        let position = crate::AuthPosition { auth_time: row.auth_time, seq: row.seq, amr: Vec::new(), acr: None };
        let sessions = row.lineage.iter().chain([&row.id]).map(|id| EpochKey::Session { session: *id });
        let person = row.person.map(|person| EpochKey::Person { person });
        let service = row.service.map(|service| EpochKey::Service { service });
        let sign_in = row.sign_in.map(|sign_in| EpochKey::SignIn { sign_in });
        let mut keys = sessions.chain(person).chain(service).chain(sign_in).chain([EpochKey::Role { role: row.role }]);
        keys.any(|key| self.0.epochs.cut_of(key, &position).is_some())
    }

    /// Ends the streams that a change takes away. Called in commit order, after the index and the epochs took the
    /// change and before it is acknowledged.
    pub fn after_commit(&self, facts: &[Fact]) {
        let Some(first) = facts.first() else { return };
        let now = self.0.effects.now();
        let leases = &self.0.leases;
        let closing = facts.iter().filter_map(effect).fold(Closing::none(), |closing, effect| {
            closing.and(match effect {
                Effect::Cut(key) => leases.cut(key, Ended::Cut),
                Effect::Recheck(key) => leases.recheck(key, now),
                Effect::Sweep => leases.sweep(now),
            })
        });
        if closing.streams() > 0 {
            let mut kept = self.0.closings.lock().unwrap_or_else(PoisonError::into_inner);
            if kept.len() >= CLOSINGS_MAX {
                kept.pop_front();
            }
            kept.push_back((first.change, closing));
        }
    }

    /// The streams that a change ended, to wait for. Whoever made the change asks once.
    pub fn closing(&self, change: ChangeId) -> Closing {
        let mut kept = self.0.closings.lock().unwrap_or_else(PoisonError::into_inner);
        let at = kept.iter().position(|(of, _)| *of == change);
        at.and_then(|at| kept.remove(at)).map_or_else(Closing::none, |(_, closing)| closing)
    }
}

/// The session policies as documents, so that a replay finds them by digest.
fn canonical_policies(session: &Session) -> Vec<(crypto::Sha256Digest, String)> {
    let parse = |policy: &crate::SessionPolicy| policy::Document::parse(&policy.text, policy::DocumentKind::Session);
    let documents = session.policies.iter().filter_map(|policy| parse(policy).ok());
    documents.map(|it| (crypto::sha256(it.canonical().as_bytes()), it.canonical().to_owned())).collect()
}

fn bad(bad: BadToken) -> Reject {
    tracing::debug!(%bad, "a session token was refused");
    Reject::Malformed
}

fn entitling(reasons: &[Reason]) -> Vec<base::GroupId> {
    let groups = reasons.iter().filter_map(|reason| match reason {
        Reason::Entitlement { group, .. } => Some(*group),
        _ => None,
    });
    groups.collect()
}

/// What a fact does to open streams.
enum Effect {
    Cut(LeaseKey),
    Recheck(LeaseKey),
    Sweep,
}

fn effect(fact: &Fact) -> Option<Effect> {
    use crate::epoch::{EpochKey, raised};
    use crate::facts::{MembershipRemoved, kind};
    if let Some((key, _)) = raised(fact) {
        // A person, service, role or membership epoch spares what signed in later, so those streams are re-checked; a
        // session's and a sign-in's are final.
        return Some(match key {
            EpochKey::Session { session } => Effect::Cut(LeaseKey::Session(session)),
            EpochKey::Person { person } | EpochKey::Membership { person, .. } => {
                Effect::Recheck(LeaseKey::Person(person))
            }
            EpochKey::Role { role } => Effect::Recheck(LeaseKey::Role(role)),
            EpochKey::Service { .. } | EpochKey::SignIn { .. } => Effect::Sweep,
        });
    }
    match fact.kind.as_str() {
        kind::GRANT_ENDED => Some(Effect::Recheck(LeaseKey::Grant(base::GrantId::from_uuid(fact.subject)))),
        kind::MEMBERSHIP_REMOVED => Some(match MembershipRemoved::deserialize(&fact.body) {
            Ok(MembershipRemoved { member: crate::Member::Person(person), .. }) => {
                Effect::Recheck(LeaseKey::Person(person))
            }
            _ => Effect::Sweep,
        }),
        kind::ENTITLEMENT_ENDED
        | kind::ROLE_CHANGED
        | kind::ROLE_ENDED
        | kind::LOCATION_PUT
        | kind::LOCATION_ENDED
        | kind::GUARDRAIL_PUT
        | kind::CLIENT_ENDED
        | kind::SERVICE_ENDED => Some(Effect::Sweep),
        _ => None,
    }
}
