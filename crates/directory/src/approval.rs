//! Two approvals: a change that one person asks for, and that is made only when another person approves it, both signed in.
//!
//! It owns what waits, and the facts that name both people and their sessions. It must not decide what needs a second
//! approval (the gate says so in the permit's obligations) nor who may give it.
//! A membership that was approved has the id of its approval, so that either leads to the other.
//! INVARIANT: nothing of a change is done before the second approval; what waits holds no secret in clear.

mod history;

use access::{Action, EpochKey, Member, Permit, Proposal, api};
use base::{ApprovalId, GroupId, Ids, MembershipId, PersonId, ServiceId, SessionId, Timestamp};
use serde::{Deserialize, Serialize};
use std::time::Duration;
use store::{ReadTxn, WriteTxn};

use crate::{
    Directory, Error, erasure,
    facts::{self, ApprovalBody, Asked},
    groups, membership, people, services,
};
pub use history::{Decision, History, State};

/// How long a change waits for its second approval; after it the change must be asked for again.
pub const APPROVAL_WAITS: Duration = Duration::from_secs(7 * 24 * 3600);
/// Changes that wait at once in one installation: far more than people can judge in a week.
const WAITING_MAX: usize = 1000;

const CLASS: &str = "approval";

/// One approval: who, in which session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Approval {
    /// Who approves.
    pub(crate) by: PersonId,
    /// In which session they are signed in.
    pub(crate) session: SessionId,
}

impl Approval {
    /// The approval that the permit's signed-in person gives.
    pub(crate) fn of<A: Action>(permit: &Permit<A>) -> Result<Self, Error> {
        let session = permit.session().ok_or(Error::ApproverNotAPerson)?;
        Ok(Self { by: facts::person_of(permit.actor())?, session: session.id })
    }

    fn at(self, at: Timestamp) -> ApprovalBody {
        ApprovalBody { by: self.by, session: self.session, at }
    }
}

/// A change that needs two approvals.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "change", rename_all = "snake_case")]
pub enum Proposed {
    /// Destroy a person's attributes.
    ErasePerson {
        /// Whose.
        person: PersonId,
    },
    /// Put somebody into a group that reaches data or runs the installation.
    AddMember {
        /// Whom.
        member: Member,
        /// Into which group.
        group: GroupId,
    },
    /// Give a person another password.
    SetPassword {
        /// Whom.
        person: PersonId,
        /// The hash of the password, sealed under the person's key.
        sealed: Vec<u8>,
    },
    /// Let a deactivated person in again who reaches data or runs the installation.
    ReactivatePerson {
        /// Whom.
        person: PersonId,
    },
    /// Give a service another secret.
    RenewServiceSecret {
        /// Which.
        service: ServiceId,
        /// The hash of the secret, sealed under the service's key.
        sealed: Vec<u8>,
    },
}

impl Proposed {
    /// The word in API and facts.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::ErasePerson { .. } => "erase_person",
            Self::AddMember { .. } => "add_member",
            Self::SetPassword { .. } => "set_password",
            Self::ReactivatePerson { .. } => "reactivate_person",
            Self::RenewServiceSecret { .. } => "renew_service_secret",
        }
    }

    /// The person whom it concerns.
    pub const fn person(&self) -> Option<PersonId> {
        match self {
            Self::ErasePerson { person } | Self::ReactivatePerson { person } | Self::SetPassword { person, .. } => {
                Some(*person)
            }
            Self::AddMember { member: Member::Person(person), .. } => Some(*person),
            Self::AddMember { member: Member::Service(_), .. } | Self::RenewServiceSecret { .. } => None,
        }
    }

    /// The service that it concerns.
    pub const fn service(&self) -> Option<ServiceId> {
        match self {
            Self::AddMember { member: Member::Service(service), .. } | Self::RenewServiceSecret { service, .. } => {
                Some(*service)
            }
            Self::AddMember { member: Member::Person(_), .. }
            | Self::ErasePerson { .. }
            | Self::ReactivatePerson { .. }
            | Self::SetPassword { .. } => None,
        }
    }

    /// The group that gets a member.
    pub const fn group(&self) -> Option<GroupId> {
        match self {
            Self::AddMember { group, .. } => Some(*group),
            Self::ErasePerson { .. }
            | Self::ReactivatePerson { .. }
            | Self::SetPassword { .. }
            | Self::RenewServiceSecret { .. } => None,
        }
    }

    fn asked(&self) -> Asked {
        let change = self.as_str().to_owned();
        Asked { change, person: self.person(), service: self.service(), group: self.group() }
    }
}

/// A change that waits for its second approval.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    /// By which it is approved or refused.
    pub id: ApprovalId,
    /// What would be done.
    pub proposed: Proposed,
    /// Who asked.
    pub requested_by: PersonId,
    /// In which session.
    pub(crate) session: SessionId,
    /// When.
    pub at: Timestamp,
    /// Until when it can be approved.
    pub expires: Timestamp,
    /// Why.
    pub reason: Option<String>,
    /// The groups by which who asked might ask.
    #[serde(default)]
    via: Vec<GroupId>,
    /// What it concerned was called so: the second person judges by these names.
    #[serde(default)]
    called: Option<Called>,
}

/// The names of a change: the keyed hash of the person's user name, the service's and the group's name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Called {
    username: Option<[u8; 32]>,
    /// The name of a service, with the person who answers for it.
    #[serde(default)]
    service: Option<(String, PersonId)>,
    group: Option<String>,
}

impl Called {
    fn of(txn: &ReadTxn<'_>, proposed: &Proposed, username: Option<[u8; 32]>) -> Result<Self, Error> {
        let group = match proposed.group() {
            Some(group) => Some(groups::live_in(txn, group)?.name.to_string()),
            None => None,
        };
        let service = match proposed.service() {
            Some(service) => services::live_in(txn, service).map(|it| Some((it.name, it.owner)))?,
            None => None,
        };
        Ok(Self { username, service, group })
    }
}

impl Waiting {
    /// What the gate is asked about.
    pub fn proposal(&self) -> Proposal {
        let (approval, requested_by) = (self.id, self.requested_by);
        Proposal { approval, requested_by, about: self.proposed.person(), group: self.proposed.group() }
    }

    /// The first approval, as facts name it.
    pub(crate) fn first(&self) -> ApprovalBody {
        Approval { by: self.requested_by, session: self.session }.at(self.at)
    }
}

/// What came of a change that may need a second approval.
#[derive(Debug)]
pub enum Made<T> {
    /// It is done.
    Now(T),
    /// It waits.
    Waits(Box<Waiting>),
}

/// The first approval, as it is kept until the second.
pub(crate) struct First {
    id: ApprovalId,
    by: Approval,
    via: Vec<GroupId>,
    username: Option<[u8; 32]>,
}

/// How a change goes on, as it stands in its transaction.
pub(crate) enum Route {
    /// One person suffices.
    Alone,
    /// A second person is needed; this is the first approval.
    Second(First),
    /// A second person would be needed, but the installation is set to one administrator.
    Waived(Approval),
}

/// What the second approval does, prepared outside of the transaction.
struct Prepared {
    /// The keyed hashes of the person's names, where they have any.
    names: Option<people::Names>,
    /// Whether who asked could still ask.
    asks: bool,
}

impl Directory {
    /// How a permitted change goes on when a second approval is `needed`; `username` is the hash of whom it concerns.
    pub(crate) fn route<A: Action>(
        &self,
        permit: &Permit<A>,
        needed: bool,
        username: Option<[u8; 32]>,
    ) -> Result<Route, Error> {
        Ok(match (needed, self.0.second_approval) {
            (false, _) => Route::Alone,
            (true, true) => Route::Second(self.first(permit, username)?),
            (true, false) => Route::Waived(Approval::of(permit)?),
        })
    }

    fn first<A: Action>(&self, permit: &Permit<A>, username: Option<[u8; 32]>) -> Result<First, Error> {
        let via = permit.session().map(|session| session.via.clone()).unwrap_or_default();
        Ok(First { id: ApprovalId::from_uuid(self.0.effects.uuid()), by: Approval::of(permit)?, via, username })
    }

    /// Whether what somebody asked with still counts: nothing of theirs was cut since, and they are still in the groups by
    /// which they might ask. Signing out takes nothing back.
    fn still_asks(&self, asked: &Waiting) -> bool {
        let epochs = self.0.access.epochs();
        let person = EpochKey::Person { person: asked.requested_by };
        let cut = epochs.of(person).is_some_and(|epoch| epoch.at > asked.at)
            || epochs.of(EpochKey::Session { session: asked.session }).is_some();
        let groups = self.0.access.groups_of(asked.requested_by);
        !cut && asked.via.iter().all(|group| groups.contains(group))
    }

    /// Asks that a person be erased: the first approval.
    ///
    /// # Errors
    /// [`Error::ApproverNotAPerson`], [`Error::OwnCase`], [`Error::NotFound`], [`Error::NotActive`] when erased already.
    pub async fn request_erasure(&self, permit: Permit<api::RequestErasure>, reason: String) -> Result<Waiting, Error> {
        let person = *permit.resource();
        let username = self.username_of(person).await?;
        let first = self.first(&permit, username)?;
        self.change(permit, move |txn| {
            people::not_erased(txn, person)?;
            request(txn, &first, Proposed::ErasePerson { person }, Some(&reason))
        })
        .await
    }

    /// Approves a change that somebody else asked for, and makes it.
    ///
    /// # Errors
    /// [`Error::NoApproval`], [`Error::SameApprover`], [`Error::OwnCase`]; [`Error::NotActive`] or [`Error::RequesterCut`] when who
    /// asked for it could not ask any more, [`Error::RenamedMeanwhile`]; and those of the change.
    pub async fn approve(&self, permit: Permit<api::ApproveChange>, reason: Option<String>) -> Result<(), Error> {
        let (id, second) = (permit.resource().approval, Approval::of(&permit)?);
        let asked = self.approval(id).await?.ok_or(Error::NoApproval { approval: id })?;
        let names = match asked.proposed.person() {
            Some(person) => self.names_of(person).await?,
            None => None,
        };
        let prepared = Prepared { names, asks: self.still_asks(&asked) };
        self.change(permit, move |txn| approve(txn, id, second, &prepared, reason.as_deref())).await?;
        if let Proposed::ErasePerson { person } = asked.proposed {
            self.0.custody.subject_forget(person);
        }
        Ok(())
    }

    /// Refuses a change that waits, or takes one's own request back.
    ///
    /// # Errors
    /// [`Error::NoApproval`].
    pub async fn refuse(&self, permit: Permit<api::RefuseChange>, reason: Option<String>) -> Result<(), Error> {
        let (id, by) = (permit.resource().approval, Approval::of(&permit)?);
        self.change(permit, move |txn| {
            let asked = waiting(txn, id)?;
            txn.record_delete(CLASS, id.bytes())?;
            let body =
                facts::Refused { asked: asked.proposed.asked(), requested: asked.first(), refused: by.at(txn.now()) };
            facts::add(txn, facts::APPROVAL_REFUSED, id.uuid(), &body, reason.as_deref())?;
            Ok(())
        })
        .await
    }

    /// One change that waits: the edge needs it to name the permit's resource.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn approval(&self, id: ApprovalId) -> Result<Option<Waiting>, Error> {
        self.0.store.read(move |txn| find(txn, id)).await
    }

    /// The changes that wait, oldest first, at most `limit` after `after`.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn list_approvals(
        &self,
        permit: Permit<api::ListApprovals>,
        after: Option<ApprovalId>,
        limit: usize,
    ) -> Result<Vec<Waiting>, Error> {
        let listed = self.0.store.read(move |txn| all(txn, after, limit)).await;
        permit.finish(crate::outcome(listed.is_ok()));
        listed
    }

    /// The erasure of a person that waits, if one does.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn erasure_request(&self, person: PersonId) -> Result<Option<Waiting>, Error> {
        let all = self.0.store.read(|txn| all(txn, None, WAITING_MAX)).await?;
        Ok(all.into_iter().find(|one| one.proposed == Proposed::ErasePerson { person }))
    }

    pub(crate) async fn username_of(&self, person: PersonId) -> Result<Option<[u8; 32]>, Error> {
        Ok(self.names_of(person).await?.map(|names| names.username))
    }
}

fn find(txn: &ReadTxn<'_>, id: ApprovalId) -> Result<Option<Waiting>, Error> {
    let Some(record) = txn.record_get(CLASS, id.bytes())? else { return Ok(None) };
    let waiting: Waiting = facts::record(&record.value, "waiting change")?;
    Ok(Some(waiting).filter(|waiting| txn.now() < waiting.expires))
}

fn waiting(txn: &ReadTxn<'_>, id: ApprovalId) -> Result<Waiting, Error> {
    find(txn, id)?.ok_or(Error::NoApproval { approval: id })
}

fn all(txn: &ReadTxn<'_>, after: Option<ApprovalId>, limit: usize) -> Result<Vec<Waiting>, Error> {
    let rows = txn.record_prefix(CLASS, &[], after.as_ref().map(|id| id.bytes().as_slice()), limit.min(WAITING_MAX))?;
    let now = txn.now();
    let rows = rows.iter().map(|(_, record)| facts::record::<Waiting>(&record.value, "waiting change"));
    rows.filter(|row| row.as_ref().map_or(true, |waiting| now < waiting.expires)).collect()
}

/// The first approval: the change waits.
pub(crate) fn request(
    txn: &mut WriteTxn<'_>,
    first: &First,
    proposed: Proposed,
    reason: Option<&str>,
) -> Result<Waiting, Error> {
    let (id, by) = (first.id, first.by);
    if proposed.person() == Some(by.by) {
        return Err(Error::OwnCase);
    }
    if all(txn, None, WAITING_MAX)?.len() >= WAITING_MAX {
        return Err(Error::TooManyWaiting { max: WAITING_MAX });
    }
    let at = txn.now();
    let expires = at.checked_add(APPROVAL_WAITS).unwrap_or(Timestamp::MAX);
    let body = facts::Requested { asked: proposed.asked(), requested: by.at(at) };
    facts::add(txn, facts::APPROVAL_REQUESTED, id.uuid(), &body, reason)?;
    let (via, called) = (first.via.clone(), Some(Called::of(txn, &proposed, first.username)?));
    let (Approval { by: requested_by, session }, reason) = (by, reason.map(str::to_owned));
    let waiting = Waiting { id, proposed, requested_by, session, at, expires, reason, via, called };
    txn.record_put(CLASS, id.bytes(), &facts::bytes(&waiting)?, Some(expires))?;
    Ok(waiting)
}

/// Notes that one administrator alone made a change that elsewhere needs two.
pub(crate) fn waive(
    txn: &mut WriteTxn<'_>,
    by: Approval,
    proposed: &Proposed,
    reason: Option<&str>,
) -> Result<(), Error> {
    let body = facts::Requested { asked: proposed.asked(), requested: by.at(txn.now()) };
    facts::add(txn, facts::APPROVAL_WAIVED, by.by.uuid(), &body, reason).map(drop)
}

/// The second approval: the change is made.
fn approve(
    txn: &mut WriteTxn<'_>,
    id: ApprovalId,
    second: Approval,
    prepared: &Prepared,
    reason: Option<&str>,
) -> Result<(), Error> {
    let asked = waiting(txn, id)?;
    if asked.proposed.person() == Some(second.by) {
        return Err(Error::OwnCase);
    }
    if second.by == asked.requested_by || second.session == asked.session {
        return Err(Error::SameApprover);
    }
    for person in [asked.requested_by, second.by] {
        people::active(txn, person)?;
    }
    if !prepared.asks {
        return Err(Error::RequesterCut { person: asked.requested_by });
    }
    let called = Called::of(txn, &asked.proposed, prepared.names.map(|names| names.username))?;
    if asked.called.as_ref().is_some_and(|then| *then != called) {
        return Err(Error::RenamedMeanwhile);
    }
    let approved = second.at(txn.now());
    let body = facts::Approved { asked: asked.proposed.asked(), requested: asked.first(), approved: approved.clone() };
    facts::add(txn, facts::APPROVAL_GIVEN, id.uuid(), &body, reason)?;
    let why = asked.reason.as_deref().or(reason);
    match &asked.proposed {
        Proposed::ErasePerson { person } => {
            erasure::perform(txn, *person, (asked.first(), approved), prepared.names.as_ref(), why)?;
        }
        Proposed::AddMember { member, group } => {
            membership::add(txn, MembershipId::from_uuid(id.uuid()), *member, *group, why)?;
        }
        Proposed::SetPassword { person, sealed } => {
            let names = prepared.names.ok_or_else(|| facts::no_person(*person))?;
            people::put_password(txn, *person, sealed, &names.username, why)?;
        }
        Proposed::ReactivatePerson { person } => people::let_in(txn, *person, why)?,
        Proposed::RenewServiceSecret { service, sealed } => services::put_secret(txn, *service, sealed, why)?,
    }
    txn.record_delete(CLASS, id.bytes())?;
    Ok(())
}
