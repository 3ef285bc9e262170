//! Erasing a person: two approvals by two different people who are signed in. The second performs it.
//!
//! The person's key is destroyed, so that everything sealed under it is noise; memberships end; everything open is cut.
//! Facts and ledger entries stay as they are and still verify. The source identity stays reserved for ever.

use access::{EpochKey, OpContext, Permit, api, facts::view};
use base::{PersonId, SessionId, Timestamp};
use serde::{Deserialize, Serialize};
use std::time::Duration;
use store::WriteTxn;

use crate::{
    Directory, Error,
    facts::{self, ApprovalBody},
    membership, people, signin,
};

/// How long a request waits for its second approval; after it the first must be given again.
pub const ERASURE_WAITS: Duration = Duration::from_secs(7 * 24 * 3600);

const CLASS: &str = "erasure_request";

/// One approval: who, in which session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Approval {
    /// Who approves.
    pub by: PersonId,
    /// In which session they are signed in.
    pub session: SessionId,
}

/// A request that waits for its second approval.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ErasureRequest {
    /// Who asked.
    pub requested_by: PersonId,
    /// In which session.
    pub session: SessionId,
    /// When.
    pub at: Timestamp,
    /// Why.
    pub reason: String,
}

impl Approval {
    /// The approval that a signed-in person gives in this operation.
    fn of(op: &OpContext) -> Result<Self, Error> {
        let session = op.session.as_ref().ok_or(Error::ApproverNotAPerson)?;
        Ok(Self { by: facts::person_of(op.by())?, session: session.id })
    }
}

impl Directory {
    /// Asks that a person be erased: the first approval.
    ///
    /// # Errors
    /// [`Error::ApproverNotAPerson`], [`Error::OwnErasure`], [`Error::NotFound`], [`Error::NotActive`] when erased already.
    pub async fn request_erasure(
        &self,
        op: &OpContext,
        permit: Permit<api::RequestErasure>,
        reason: String,
    ) -> Result<(), Error> {
        let (person, first) = (*permit.resource(), Approval::of(op)?);
        self.change(permit, move |txn| request(txn, person, first, &reason)).await
    }

    /// Approves an erasure that somebody else asked for, and performs it.
    ///
    /// # Errors
    /// [`Error::SameApprover`], [`Error::OwnErasure`], [`Error::NoErasureRequested`], [`Error::ErasureChanged`].
    pub async fn approve_erasure(
        &self,
        op: &OpContext,
        permit: Permit<api::ApproveErasure>,
        reason: String,
    ) -> Result<(), Error> {
        let (erasure, second) = (*permit.resource(), Approval::of(op)?);
        let username = self.username_of(erasure.person).await?;
        let done = self.change(permit, move |txn| {
            let asked = waiting(txn, erasure.person)?;
            if asked.requested_by != erasure.requested_by {
                return Err(Error::ErasureChanged);
            }
            perform(txn, erasure.person, &asked, second, username.as_ref(), &reason)
        });
        done.await?;
        self.0.custody.subject_forget(erasure.person);
        Ok(())
    }

    /// The request that waits for its second approval, if there is one: the edge needs it to name the permit's resource.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn erasure_request(&self, person: PersonId) -> Result<Option<ErasureRequest>, Error> {
        self.0
            .store
            .read(move |txn| match txn.record_get(CLASS, person.bytes())? {
                Some(record) => facts::record(&record.value, "erasure request").map(Some),
                None => Ok(None),
            })
            .await
    }

    async fn username_of(&self, person: PersonId) -> Result<Option<[u8; 32]>, Error> {
        match self.personal_of(person).await? {
            Some(personal) => self.username_hash(&personal.username).map(Some),
            None => Ok(None),
        }
    }
}

pub(crate) fn request(txn: &mut WriteTxn<'_>, person: PersonId, first: Approval, reason: &str) -> Result<(), Error> {
    people::not_erased(txn, person)?;
    if first.by == person {
        return Err(Error::OwnErasure);
    }
    let now = txn.now();
    let asked = ErasureRequest { requested_by: first.by, session: first.session, at: now, reason: reason.to_owned() };
    let expires = now.checked_add(ERASURE_WAITS).unwrap_or(Timestamp::MAX);
    txn.record_put(CLASS, person.bytes(), &facts::bytes(&asked)?, Some(expires))?;
    Ok(())
}

pub(crate) fn waiting(txn: &WriteTxn<'_>, person: PersonId) -> Result<ErasureRequest, Error> {
    let record = txn.record_get(CLASS, person.bytes())?.ok_or(Error::NoErasureRequested { person })?;
    facts::record(&record.value, "erasure request")
}

pub(crate) fn perform(
    txn: &mut WriteTxn<'_>,
    person: PersonId,
    asked: &ErasureRequest,
    second: Approval,
    username: Option<&[u8; 32]>,
    reason: &str,
) -> Result<(), Error> {
    people::not_erased(txn, person)?;
    if second.by == person {
        return Err(Error::OwnErasure);
    }
    if second.by == asked.requested_by || second.session == asked.session {
        return Err(Error::SameApprover);
    }
    let erased = facts::PersonErased {
        requested: ApprovalBody { by: asked.requested_by, session: asked.session, at: asked.at },
        approved: ApprovalBody { by: second.by, session: second.session, at: txn.now() },
    };
    membership::end_all(txn, view::BY_MEMBER, &person.to_string(), Some(reason))?;
    facts::add(txn, facts::PERSON_ERASED, person.uuid(), &erased, Some(reason))?;
    access::epoch::raise(txn, EpochKey::Person { person }, Some(reason.to_owned()))?;
    if let Some(hash) = username {
        if !txn.record_delete(people::USERNAME_CLASS, hash)? {
            return Err(Error::ChangedMeanwhile { person });
        }
        crate::lockout::forgive(txn, hash)?;
    }
    signin::end_all_of(txn, person)?;
    txn.subject_key_destroy(person.uuid())?;
    txn.record_delete(CLASS, person.bytes())?;
    Ok(())
}
