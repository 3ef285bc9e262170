//! Revocation: a person, a session, a membership or a grant is taken away, the streams that stood on it are closed,
//! and a signed receipt says since when.
//!
//! It owns the order of these steps. It must not decide who may revoke: each use case takes its permit. INVARIANT: the
//! change is in force before the receipt exists, and a failed receipt never undoes the change.

use base::{ErrorKind, GrantId, Ids as _, MembershipId, ReceiptId, Timestamp};
use std::time::Duration;
use store::{Committed, Fact, WriteTxn};

use crate::facts::{self, MembershipRemoved};
use crate::receipt::{self, NodeAck, Receipt, SignError, Statement, What};
use crate::{Access, Action, EpochKey, Outcome, Permit, api, epoch};

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
    /// There is no such live thing.
    #[error("there is no live {what} to revoke")]
    NotFound {
        /// What.
        what: &'static str,
    },
    /// The store refused.
    #[error("the revocation could not be written")]
    Store(#[source] store::Error),
    /// A fact could not be written.
    #[error("the revocation could not be written")]
    Facts(#[source] facts::Error),
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

impl From<facts::Error> for Error {
    fn from(source: facts::Error) -> Self {
        Self::Facts(source)
    }
}

impl Error {
    /// What it means to the caller.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::NotFound { .. } => ErrorKind::NotFound,
            Self::Store(source) => source.kind(),
            Self::Facts(source) => source.kind(),
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
    run(access, permit, plan, move |txn, reason| Ok(vec![epoch::raise(txn, key, reason)?])).await
}

/// Cuts one session and what was made from it.
///
/// # Errors
/// [`Error::NotFound`] when there is no such session.
pub async fn session(access: &Access, permit: Permit<api::EndSession>, reason: String) -> Result<Receipt, Error> {
    let session = permit.resource().session;
    let row = access.sessions().find(session).await?.ok_or(Error::NotFound { what: "session" })?;
    let key = EpochKey::Session { session };
    let plan = Plan { what: What::Session { session, person: row.person }, epoch: Some(key), reason };
    run(access, permit, plan, move |txn, reason| Ok(vec![epoch::raise(txn, key, reason)?])).await
}

/// Ends a membership: all adds of the member to the group that are seen now.
///
/// # Errors
/// [`Error::NotFound`] when the member is not in the group.
pub async fn membership(access: &Access, permit: Permit<api::RemoveMember>, reason: String) -> Result<Receipt, Error> {
    let edge = *permit.resource();
    let plan = Plan { what: What::Membership { member: edge.member, group: edge.group }, epoch: None, reason };
    run(access, permit, plan, move |txn, reason| {
        let fact = facts::end_membership(txn, edge.member, edge.group, reason)?;
        fact.map(|fact| vec![fact]).ok_or(Error::NotFound { what: "membership" })
    })
    .await
}

/// Ends a grant before its expiry.
///
/// # Errors
/// [`Error::NotFound`] when the grant is not live.
pub async fn grant(access: &Access, permit: Permit<api::EndGrant>, reason: String) -> Result<Receipt, Error> {
    let target = *permit.resource();
    let plan = Plan { what: What::Grant { grant: target.grant, dataset: target.dataset }, epoch: None, reason };
    run(access, permit, plan, move |txn, reason| {
        let fact = facts::end_grant(txn, target.grant, reason)?;
        fact.map(|fact| vec![fact]).ok_or(Error::NotFound { what: "grant" })
    })
    .await
}

async fn run<A: Action>(
    access: &Access,
    permit: Permit<A>,
    plan: Plan,
    write: impl Fn(&mut WriteTxn<'_>, Option<String>) -> Result<Vec<Fact>, Error> + Send + 'static,
) -> Result<Receipt, Error> {
    let timer = Timer::start(access, permit.at());
    let (store, reason) = (access.store(), plan.reason.clone());
    let record = permit.recorder();
    let change = move |txn: &mut WriteTxn<'_>| {
        let facts = write(txn, Some(reason.clone()))?;
        record.changed(txn, &facts)?;
        Ok::<_, Error>(())
    };
    let committed = store.write(permit.actor(), change).await?;
    let ack = close(access, &committed, &timer).await;
    let receipt = attest(access, &permit, plan, &committed, ack)?;
    keep(access, &permit, &receipt).await?;
    permit.finish(Outcome { status: 200, bytes: 0 });
    Ok(receipt)
}

/// Waits until the streams that the change took away are closed. The commit hook has ended them already, before the
/// change was acknowledged; asking again gives the set to wait for.
async fn close(access: &Access, committed: &Committed<()>, timer: &Timer) -> NodeAck {
    let closing = access.sessions().after_commit(&committed.facts);
    let streams = count(closing.streams());
    let still_open = count(closing.wait(CLOSE_WAIT).await);
    let (at, micros) = timer.elapsed(access);
    let acknowledged = (still_open == 0).then_some(at);
    NodeAck { node: access.node(), region: access.region().clone(), acknowledged, micros, streams, still_open }
}

fn attest<A: Action>(
    access: &Access,
    permit: &Permit<A>,
    plan: Plan,
    committed: &Committed<()>,
    ack: NodeAck,
) -> Result<Receipt, Error> {
    let statement = Statement {
        version: receipt::VERSION,
        id: ReceiptId::from_uuid(access.effects().uuid()),
        what: plan.what,
        actor: permit.actor(),
        reason: Some(plan.reason),
        change: committed.change,
        facts: committed.facts.iter().map(|fact| fact.id).collect(),
        region: access.region().clone(),
        position: committed.facts.iter().map(|fact| fact.seq).max().unwrap_or(0),
        epoch: plan.epoch,
        requested: permit.at(),
        effective: ack.acknowledged.unwrap_or_else(|| access.now()),
        micros: ack.micros,
        nodes: vec![ack],
    };
    let unsigned = |source| Error::Unsigned { change: committed.change, source };
    receipt::sign(access.custody(), statement).map_err(unsigned)
}

/// Keeps the receipt as a record and in the ledger.
async fn keep<A: Action>(access: &Access, permit: &Permit<A>, receipt: &Receipt) -> Result<(), Error> {
    let id = receipt.statement.id;
    let corrupt = store::Error::Corrupt { what: "receipt" };
    let bytes = base::canonical::to_vec(receipt).map_err(|_| corrupt)?;
    let write = move |txn: &mut WriteTxn<'_>| {
        txn.record_put(CLASS, id.bytes(), &bytes, None)?;
        txn.pending(&store::PendingEntry { id: id.uuid(), bytes: bytes.clone() })
    };
    access.store().write(permit.actor(), write).await?;
    Ok(())
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
