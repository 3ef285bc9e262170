//! What is kept of a session: its row, in the entry of the decision that made it first, then in the store.
//!
//! It must not know tokens. INVARIANT: a session whose entry is durable has its row in the store, or the ledger's low-water mark
//! stands before that entry, so that the next start puts it there.

use base::{Actor, ClientId, PersonId, RoleId, ServiceId, SessionId, SignInId, Timestamp};
use ledger::{Entry, Phase};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use store::{Store, WriteTxn};

use crate::recorder::{Made, Owed};
use crate::{AccessKeyId, Session, SessionKind};

/// Sessions by id.
pub(super) const CLASS: &str = "session";
/// Sessions by person (or service): key is the member's id and the session's.
pub(super) const CLASS_BY_MEMBER: &str = "session_by_member";
/// What an entry calls a session.
const KIND: &str = "session";

/// How long a session stays listed after its end, so that "why" can go from a decision to the sign-in.
const KEPT_AFTER_END: Duration = Duration::from_secs(30 * 24 * 3600);

/// Rows of one change: some milliseconds of the store's writer.
const PUT_MANY: usize = 256;
/// Rows that may wait for the store; past it whoever makes a session puts them there.
const WAITING_MAX: usize = 1024;

/// What is kept of a session: ids and times, no name and no tag.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionRow {
    /// The session.
    pub id: SessionId,
    /// What kind.
    pub kind: SessionKind,
    /// Whose, when a person's.
    pub person: Option<PersonId>,
    /// Whose, when a machine's.
    pub service: Option<ServiceId>,
    /// In which role.
    pub role: RoleId,
    /// Its access key.
    pub access_key_id: AccessKeyId,
    /// The sign-in it goes back to.
    pub sign_in: Option<SignInId>,
    /// The client it came through.
    pub client: Option<ClientId>,
    /// The session that made it.
    pub parent: Option<SessionId>,
    /// Every session that it goes back to, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lineage: Vec<SessionId>,
    /// When the person authenticated.
    pub auth_time: Timestamp,
    /// The issuer's number at that moment.
    pub seq: Option<u64>,
    /// When it was issued.
    pub issued: Timestamp,
    /// When it ends by itself.
    pub expires: Timestamp,
}

impl SessionRow {
    /// The session as the entry of its making shows it: whole, so that a start after a crash can put it into the store.
    pub(super) fn made(&self) -> Made<'_, Self> {
        Made { kind: KIND, subject: self.id.uuid(), old: None, new: self }
    }

    /// The session that an entry says was made.
    pub(crate) fn of_entry(entry: &Entry) -> Option<Self> {
        #[derive(Deserialize)]
        struct Shown {
            #[serde(default)]
            values: Vec<Value>,
        }
        if entry.phase != Phase::Change || entry.event_source != "sts.amazonaws.com" {
            return None;
        }
        let shown: Shown = entry.additional_event_data.as_ref()?.read().ok()?;
        let made = shown.values.into_iter().find(|value| value.get("kind").is_some_and(|kind| kind == KIND))?;
        // An entry of an earlier release shows less of it; its row was committed with it.
        serde_json::from_value(made.get("new")?.clone()).ok()
    }

    fn put(&self, txn: &mut WriteTxn<'_>) -> Result<(), store::Error> {
        let value = serde_json::to_vec(self).map_err(|_| store::Error::Corrupt { what: "session" })?;
        let listed = self.expires.checked_add(KEPT_AFTER_END).unwrap_or(self.expires);
        let key = self.id.bytes();
        txn.record_insert(CLASS, key, &value, Some(listed))?;
        if let Some(member) = self.person.map(|p| *p.bytes()).or(self.service.map(|s| *s.bytes())) {
            txn.record_insert(CLASS_BY_MEMBER, &[&member[..], &key[..]].concat(), &[], Some(listed))?;
        }
        Ok(())
    }

    pub(super) fn of(session: &Session) -> Self {
        Self {
            id: session.id,
            kind: session.kind,
            person: session.person,
            service: session.service,
            role: session.role,
            access_key_id: session.access_key_id.clone(),
            sign_in: session.sign_in,
            client: session.client,
            parent: session.lineage.last().map(|ancestor| ancestor.session),
            lineage: session.lineage.iter().map(|ancestor| ancestor.session).collect(),
            auth_time: session.auth.auth_time,
            seq: session.auth.seq,
            issued: session.issued,
            expires: session.expires,
        }
    }
}

pub(super) fn row(value: &[u8]) -> Result<SessionRow, store::Error> {
    serde_json::from_slice(value).map_err(|_| store::Error::Corrupt { what: "session" })
}

/// Puts rows into the store; one that is there already stays as it is.
pub(crate) async fn put_all(store: &Store, rows: &[SessionRow]) -> Result<(), store::Error> {
    for page in rows.chunks(PUT_MANY) {
        let page = page.to_vec();
        store.write(Actor::System, move |txn| page.iter().try_for_each(|row| row.put(txn))).await?;
    }
    Ok(())
}

/// Rows whose entry is in the ledger and that are not in the store yet, in the order of their making.
#[derive(Default)]
pub(super) struct Waiting {
    rows: Mutex<Vec<(SessionRow, Option<Owed>)>>,
    /// Held by whoever puts them there, so that the next one finds them there.
    turn: tokio::sync::Mutex<()>,
}

impl Waiting {
    fn rows(&self) -> MutexGuard<'_, Vec<(SessionRow, Option<Owed>)>> {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a row; whether it must be put into the store before anything is built on it: because no entry holds it, or
    /// because too many wait.
    pub(super) fn push(&self, row: SessionRow, owed: Option<Owed>) -> bool {
        let alone = owed.is_none();
        let mut rows = self.rows();
        rows.push((row, owed));
        alone || rows.len() > WAITING_MAX
    }

    pub(super) async fn keep(&self, store: &Store) -> Result<(), store::Error> {
        if self.rows().is_empty() {
            return Ok(());
        }
        let _turn = self.turn.lock().await;
        let page: Vec<SessionRow> = self.rows().iter().map(|(row, _)| row.clone()).collect();
        put_all(store, &page).await?;
        // What they owe is paid.
        self.rows().drain(..page.len());
        Ok(())
    }
}
