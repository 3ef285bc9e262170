//! Revocation: a person, a service, a session, a membership or a grant is taken away, the streams that stood on it are closed,
//! and a signed receipt says since when.
//!
//! It owns the order of these steps. It must not decide who may revoke: each use case takes its permit. INVARIANT: the
//! change is in force before the receipt exists, and a failed receipt never undoes the change.

use base::{Actor, ChangeId, DecisionId, ErrorKind, Ids as _, ReceiptId, Timestamp};
use std::time::Duration;
use store::{Fact, WriteTxn};

use crate::facts;
use crate::receipt::{self, NodeAck, Receipt, SignError, Statement, What};
use crate::{Access, Action, EpochKey, Permit, api, epoch};

#[cfg(test)]
mod tests;

/// How long a node may take to close the streams: the freshness lease (authorisation.md section 5). After it the receipt
/// says that they were still open; they get no further part anyway.
pub const CLOSE_WAIT: Duration = Duration::from_secs(1);

/// Receipts by id.
const CLASS: &str = "receipt";

/// Why something could not be taken away, or could not be attested.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no such session.
    #[error("there is no session {session}, or it ended long ago")]
    NoSession {
        /// The session.
        session: base::SessionId,
    },
    /// The change was refused: nothing live to take away, or the store or ledger failed.
    #[error("nothing was revoked")]
    Change(#[source] crate::Error),
    /// The store refused.
    #[error("the store failed; whether the revocation holds can be seen at `galen session list` and `galen why`")]
    Store(#[source] store::Error),
    /// It holds, but the receipt could not be made.
    #[error("the revocation holds, but its receipt could not be signed: ask for the change `{change}`")]
    Unsigned {
        /// The change that holds.
        change: base::ChangeId,
        /// Why.
        #[source]
        source: SignError,
    },
}

impl From<store::Error> for Error {
    fn from(source: store::Error) -> Self {
        Self::Store(source)
    }
}

impl From<crate::Error> for Error {
    fn from(source: crate::Error) -> Self {
        Self::Change(source)
    }
}

impl Error {
    /// What it means to the caller.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::NoSession { .. } => ErrorKind::NotFound,
            Self::Change(source) => source.kind(),
            Self::Store(source) => source.kind(),
            Self::Unsigned { .. } => ErrorKind::Unavailable,
        }
    }
}

/// What a revocation is about, apart from the change itself.
struct Plan {
    what: What,
    epoch: Option<EpochKey>,
    reason: String,
}

/// Cuts everything that a person signed in to before now: sessions, refresh tokens, cookies and identity tokens.
///
/// # Errors
/// [`Error`].
pub async fn person(access: &Access, permit: Permit<api::RevokePerson>, reason: String) -> Result<Receipt, Error> {
    let person = *permit.resource();
    let key = EpochKey::Person { person };
    let plan = Plan { what: What::Person { person }, epoch: Some(key), reason };
    run(access, permit, plan, move |txn, reason| Ok(epoch::raise(txn, key, Some(reason.to_owned()))?)).await
}

/// Cuts everything that a service signed in to before now: its sessions and its tokens. Its secret stays good.
///
/// # Errors
/// [`Error`].
pub async fn service(access: &Access, permit: Permit<api::RevokeService>, reason: String) -> Result<Receipt, Error> {
    let service = *permit.resource();
    let key = EpochKey::Service { service };
    let plan = Plan { what: What::Service { service }, epoch: Some(key), reason };
    let cut = move |txn: &mut WriteTxn<'_>, reason: &str| {
        facts::service(txn, service)?.ok_or(crate::Error::Missing { what: "service" })?;
        Ok(epoch::raise(txn, key, Some(reason.to_owned()))?)
    };
    run(access, permit, plan, cut).await
}

/// Cuts one session and what was made from it.
///
/// # Errors
/// [`Error::NoSession`] when nothing is kept of such a session.
pub async fn session(access: &Access, permit: Permit<api::EndSession>, reason: String) -> Result<Receipt, Error> {
    let session = permit.resource().session;
    let row = access.sessions().find(session).await?.ok_or(Error::NoSession { session })?;
    let key = EpochKey::Session { session };
    let plan = Plan { what: What::Session { session, person: row.person }, epoch: Some(key), reason };
    run(access, permit, plan, move |txn, reason| Ok(epoch::raise(txn, key, Some(reason.to_owned()))?)).await
}

/// Ends a membership: all adds of the member to the group that are seen now.
///
/// # Errors
/// [`Error::Change`] when the member is not in the group.
pub async fn membership(
    access: &Access,
    permit: Permit<api::RemoveMember>,
    remains: facts::Remains,
    reason: String,
) -> Result<Receipt, Error> {
    let edge = *permit.resource();
    let plan = Plan { what: What::Membership { member: edge.member, group: edge.group }, epoch: None, reason };
    let end = move |txn: &mut WriteTxn<'_>, reason: &str| {
        facts::end_membership(txn, edge.member, edge.group, remains, Some(reason))
    };
    run(access, permit, plan, end).await
}

/// Ends a grant before its expiry.
///
/// # Errors
/// [`Error::Change`] when the grant is over or does not exist.
pub async fn grant(access: &Access, permit: Permit<api::EndGrant>, reason: String) -> Result<Receipt, Error> {
    let target = *permit.resource();
    let plan = Plan { what: What::Grant { grant: target.grant, dataset: target.dataset }, epoch: None, reason };
    run(access, permit, plan, move |txn, reason| facts::end_grant(txn, target.grant, Some(reason))).await
}

/// What the change left behind.
struct Done {
    change: ChangeId,
    facts: Vec<Fact>,
}

/// Who asked, and when: the permit is spent by the change.
struct Asked {
    actor: Actor,
    at: Timestamp,
}

async fn run<A: Action>(
    access: &Access,
    permit: Permit<A>,
    plan: Plan,
    mut write: impl FnMut(&mut WriteTxn<'_>, &str) -> Result<Fact, crate::Error> + Send + 'static,
) -> Result<Receipt, Error> {
    let asked = Asked { actor: permit.actor(), at: permit.at() };
    let timer = Timer::start(access, asked.at);
    let reason = plan.reason.clone();
    let change = move |txn: &mut WriteTxn<'_>| {
        write(txn, &reason)?;
        Ok::<_, crate::Error>(Done { change: txn.change(), facts: txn.added().to_vec() })
    };
    let done = access.change(permit, change).await?;
    let ack = close(access, &done, &timer).await;
    let receipt = attest(access, &asked, plan, &done, ack)?;
    keep(access, &asked, &receipt).await?;
    Ok(receipt)
}

/// Waits until the streams that the change took away are closed. The commit hook has ended them already, before the
/// change was acknowledged.
async fn close(access: &Access, done: &Done, timer: &Timer) -> NodeAck {
    let closing = access.sessions().closing(done.change);
    let streams = count(closing.streams());
    let still_open = count(closing.wait(CLOSE_WAIT).await);
    let (at, micros) = timer.elapsed(access);
    let acknowledged = (still_open == 0).then_some(at);
    let (node, region) = (access.store().node(), access.store().region().clone());
    NodeAck { node, region, acknowledged, micros, streams, still_open }
}

fn attest(access: &Access, asked: &Asked, plan: Plan, done: &Done, ack: NodeAck) -> Result<Receipt, Error> {
    let statement = Statement {
        version: receipt::VERSION,
        id: ReceiptId::from_uuid(access.effects().uuid()),
        what: plan.what,
        actor: asked.actor,
        reason: Some(plan.reason),
        change: done.change,
        facts: done.facts.iter().map(|fact| fact.id).collect(),
        region: access.store().region().clone(),
        position: done.facts.iter().map(|fact| fact.seq).max().unwrap_or(0),
        epoch: plan.epoch,
        requested: asked.at,
        effective: ack.acknowledged.unwrap_or_else(|| access.now()),
        micros: ack.micros,
        nodes: vec![ack],
    };
    receipt::sign(access.custody(), statement).map_err(|source| Error::Unsigned { change: done.change, source })
}

/// Keeps the receipt as a record and notes it in the ledger, in one transaction.
async fn keep(access: &Access, asked: &Asked, receipt: &Receipt) -> Result<(), Error> {
    let id = receipt.statement.id;
    let corrupt = store::Error::Corrupt { what: "receipt" };
    let bytes = base::canonical::to_vec(receipt).map_err(|_| corrupt.clone())?;
    let note = note(asked, receipt, &bytes).and_then(|note| note.encode()).map_err(|_| corrupt)?;
    let write = move |txn: &mut WriteTxn<'_>| {
        txn.record_put(CLASS, id.bytes(), &bytes, None)?;
        txn.pending(&store::PendingEntry { id: id.uuid(), bytes: note.clone() })
    };
    access.store().write(asked.actor, write).await?;
    Ok(())
}

/// The ledger's entry of a receipt: its digest, and what it is about.
fn note(asked: &Asked, receipt: &Receipt, bytes: &[u8]) -> Result<ledger::Entry, ledger::Error> {
    let statement = &receipt.statement;
    let id = DecisionId::from_uuid(statement.id.uuid());
    let who = ledger::UserIdentity::new(asked.actor);
    let mut entry = ledger::Entry::new(ledger::Phase::Note, id, statement.effective, "galen.access", "Receipt", who);
    let data = serde_json::json!({
        "receipt": statement.id,
        "digest": crypto::sha256(bytes),
        "what": statement.what,
        "change": statement.change,
        "micros": statement.micros,
    });
    entry.additional_event_data = Some(ledger::Data::new(&data)?);
    Ok(entry)
}

/// The receipt with this id, as it was issued.
///
/// # Errors
/// [`store::Error`].
pub async fn find(access: &Access, id: ReceiptId) -> Result<Option<Vec<u8>>, store::Error> {
    let record = access.store().read(move |txn| txn.record_get(CLASS, id.bytes())).await?;
    Ok(record.map(|record| record.value))
}

/// From the request to now, by a clock that does not go back: what was spent before the use case began is taken from
/// the wall clock.
struct Timer {
    before: Duration,
    begun: Duration,
}

impl Timer {
    fn start(access: &Access, requested: Timestamp) -> Self {
        let before = access.now().duration_since(requested).try_into().unwrap_or_default();
        Self { before, begun: access.effects().monotonic() }
    }

    fn elapsed(&self, access: &Access) -> (Timestamp, u64) {
        let since = access.effects().monotonic().saturating_sub(self.begun);
        let micros = u64::try_from((self.before + since).as_micros()).unwrap_or(u64::MAX);
        (access.now(), micros)
    }
}

fn count(streams: usize) -> u64 {
    u64::try_from(streams).unwrap_or(u64::MAX)
}
