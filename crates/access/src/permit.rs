//! The proof that the gate said yes. Not cloneable, made only here, and the only source of the resource it names.
//!
//! It owns the permit's life: from the durable intent to its outcome. It must not know how a decision is computed.
//! Invariant: a permit that is dropped without an outcome leaves the outcome "unknown" in the ledger.

use base::{
    AccountId, Actor, ClientId, DatasetId, DecisionId, GrantId, GroupId, RequestId, RoleId, SessionId, Timestamp,
};
use crypto::Sha256Digest;
pub use ledger::Shown;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crate::action::Class;
use crate::facts::DatasetLocation;
use crate::recorder::ChangeRecorder;
use crate::resource::{Member, ResourceRef};
use crate::{Action, Edge, Lease, OpContext, Session};

/// A statement of a document, so that "why" can quote it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatementRef {
    /// Which document.
    pub document: DocumentRef,
    /// The statement's place in it, from 0.
    pub statement: usize,
    /// Its `Sid`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sid: Option<String>,
}

/// A document as a decision used it: its part in the evaluation and the digest of its bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DocumentRef {
    /// Its part.
    pub slot: Slot,
    /// SHA-256 of its text, under which the store keeps it.
    pub digest: Sha256Digest,
}

/// The part that a document plays (authorisation.md section 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Slot {
    /// The guardrail of the principal's account.
    Guardrail(u8),
    /// The role's boundary.
    Boundary,
    /// A policy of the role.
    Role(u8),
    /// A session policy.
    Session(u8),
    /// The dataset's own policy.
    Dataset,
    /// A role's compiled trust.
    Trust,
}

impl std::fmt::Display for Slot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Guardrail(n) => write!(f, "guardrail {n}"),
            Self::Boundary => f.write_str("boundary"),
            Self::Role(n) => write!(f, "role policy {n}"),
            Self::Session(n) => write!(f, "session policy {n}"),
            Self::Dataset => f.write_str("dataset policy"),
            Self::Trust => f.write_str("trust policy"),
        }
    }
}

/// One ground of an allow. Ids only: names are joined when it is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "because", rename_all = "snake_case")]
pub enum Reason {
    /// The session that asked, and its role.
    Session {
        /// The session.
        session: SessionId,
        /// Its role.
        role: RoleId,
    },
    /// A statement allows.
    Statement(StatementRef),
    /// The member is in the group now.
    Membership {
        /// Who.
        member: Member,
        /// In which group.
        group: GroupId,
    },
    /// A live grant covers the resource.
    Grant {
        /// The grant.
        grant: GrantId,
        /// To which group.
        group: GroupId,
        /// Of which dataset.
        dataset: DatasetId,
    },
    /// The caller is in the dataset's owner group, or in a steward group.
    Owner {
        /// The dataset.
        dataset: DatasetId,
        /// Through which group.
        group: GroupId,
    },
    /// The group entitles the role through this client.
    Entitlement {
        /// The role.
        role: RoleId,
        /// The entitling group.
        group: GroupId,
        /// Through which client; `None` when the entitlement names none.
        client: Option<ClientId>,
    },
    /// Galen itself acts.
    System,
    /// The action needs no permission.
    Free,
}

/// What the edge must do with the data it serves. An obligation that it cannot discharge is a deny.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Obligations {
    /// A row filter to apply, when every covering grant carries one (several are a union).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub row_filters: Vec<String>,
    /// Columns that may be seen, when every covering grant limits them; empty means all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub columns: Vec<String>,
    /// How the access is recorded.
    pub audit: AuditClass,
    /// The change is not made before somebody else approves it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub approval: bool,
}

/// How durable the record of an access is before its data flows (house.md section 4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AuditClass {
    /// The intent is durable first.
    #[default]
    Strict,
    /// At most 100 ms of intents may be lost in a crash.
    Batched,
}

impl AuditClass {
    /// The word in API and messages.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Strict => "strict",
            Self::Batched => "batched",
        }
    }
}

impl std::str::FromStr for AuditClass {
    type Err = base::BadName;
    fn from_str(text: &str) -> Result<Self, base::BadName> {
        match text {
            "strict" => Ok(Self::Strict),
            "batched" => Ok(Self::Batched),
            _ => Err(base::BadName::new("audit class", text, "strict or batched")),
        }
    }
}

/// What came of a permitted operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// The HTTP status that was answered, or 0 where there is none.
    pub status: u16,
    /// Bytes of data that were sent or stored.
    pub bytes: u64,
}

impl Outcome {
    /// Done, with no data to count.
    pub const DONE: Self = Self { status: 200, bytes: 0 };
}

/// Why the gate said no.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "because", rename_all = "snake_case")]
pub enum DenyReason {
    /// Nobody is proven.
    NotSignedIn,
    /// The session's time is over.
    SessionExpired {
        /// When it ended.
        at: Timestamp,
    },
    /// An epoch was raised: the session is cut.
    SessionCut {
        /// Which epoch, as `person/ID`, `session/ID`, `role/ID` or `membership/ID/ID`.
        epoch: String,
    },
    /// The session's role has ended.
    RoleEnded {
        /// The role.
        role: RoleId,
    },
    /// No group of the person or service entitles any role.
    NoRole,
    /// The person or service is no longer entitled to the role.
    NotEntitled {
        /// The role.
        role: RoleId,
    },
    /// A statement denies.
    Denied(StatementRef),
    /// The role's policies do not allow the action.
    RoleSilent {
        /// The role.
        role: RoleId,
    },
    /// The boundary does not allow it.
    BoundarySilent {
        /// The role.
        role: RoleId,
    },
    /// A session policy does not allow it.
    SessionPolicySilent,
    /// The guardrail of the account does not allow it.
    GuardrailSilent {
        /// The account.
        account: AccountId,
    },
    /// The trust of the role does not allow it.
    TrustSilent {
        /// The role.
        role: RoleId,
        /// The call that was missing: `sts:AssumeRole...`, `sts:TagSession` or `sts:SetSourceIdentity`.
        action: String,
    },
    /// The place belongs to no dataset.
    NoDataset,
    /// No grant of the dataset goes to a group of the session.
    NoGrant {
        /// The dataset.
        dataset: DatasetId,
    },
    /// The nearest grant does not cover the key or prefix.
    OutOfScope {
        /// The grant.
        grant: GrantId,
    },
    /// The nearest grant is of too low a level.
    LevelTooLow {
        /// The grant.
        grant: GrantId,
    },
    /// The nearest grant has not begun.
    GrantNotBegun {
        /// The grant.
        grant: GrantId,
        /// When it begins.
        start: Timestamp,
    },
    /// The nearest grant is over.
    GrantExpired {
        /// The grant.
        grant: GrantId,
        /// When it ended.
        expiry: Timestamp,
    },
    /// The nearest grant carries an obligation that this edge cannot discharge.
    Undischargeable {
        /// The grant.
        grant: GrantId,
    },
    /// Nothing under the listed prefix is readable.
    NothingVisible,
    /// Only the owner, or a steward, of the dataset may.
    NotOwner {
        /// The dataset.
        dataset: DatasetId,
    },
    /// Only the owner, or a steward, of the domain may.
    NotDomainOwner {
        /// The domain.
        domain: base::DomainId,
    },
    /// Permanent deletion is retention's alone.
    Retention,
    /// Public access is always blocked.
    PublicAccess,
    /// The caller expects another account to own the bucket.
    OtherAccount,
    /// Who asked for it cannot approve it.
    SelfApproval,
    /// Nobody puts themself into a group.
    SelfMembership,
    /// The session's role is for tools and data: management needs a session of a management role.
    NotManagement {
        /// The role.
        role: RoleId,
    },
    /// An auditor never writes.
    AuditorWrites,
    /// The sign-in is too old for a signature.
    AuthTooOld {
        /// Seconds since the authentication.
        age_secs: u64,
        /// The bound in seconds.
        max_secs: u64,
    },
    /// The action is not in the catalogue.
    UnknownAction,
    /// State is older than the declared bound; Galen fails closed.
    Stale,
    /// Too many streams are open on this node.
    TooManyStreams,
    /// The decision could not be recorded, so it is not given.
    NotRecorded,
    /// The evaluation itself failed; any error is a deny.
    Evaluation {
        /// What failed.
        what: EvaluationFault,
    },
}

/// What made an evaluation fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EvaluationFault {
    /// A document that a role names is not in the store, or its bytes do not match its digest.
    DocumentMissing,
    /// A document does not compile.
    DocumentMalformed,
    /// The evaluator gave up (a limit or a malformed request value).
    Evaluator,
}

/// The gate's no. `Display` is safe to show to the caller: it names ids of what the caller asked for and nothing else.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{sentence}")]
pub struct Denied {
    /// The recorded decision; `galen why --decision` tells more to whoever may ask.
    pub decision: DecisionId,
    /// The deciding reason.
    pub reason: DenyReason,
    /// One sentence for the caller.
    pub sentence: String,
}

impl Denied {
    /// What it means to the caller.
    pub fn kind(&self) -> base::ErrorKind {
        use base::ErrorKind::{Forbidden, Unauthenticated, Unavailable};
        match self.reason {
            DenyReason::NotSignedIn | DenyReason::SessionExpired { .. } | DenyReason::SessionCut { .. } => {
                Unauthenticated
            }
            DenyReason::Stale | DenyReason::NotRecorded | DenyReason::TooManyStreams => Unavailable,
            _ => Forbidden,
        }
    }

    /// Whether the session itself is over, which the AWS edges say as `ExpiredToken`.
    pub const fn session_is_over(&self) -> bool {
        matches!(self.reason, DenyReason::SessionExpired { .. } | DenyReason::SessionCut { .. })
    }
}

/// What the recorder needs to write the outcome of a permit.
pub(crate) trait Outcomes: Send + Sync {
    /// Writes the outcome of `decision`; `None` when the permit was dropped without one.
    fn outcome(&self, ticket: &Ticket, outcome: Option<Outcome>);
}

/// The identity of a recorded decision.
#[derive(Clone)]
pub(crate) struct Ticket {
    pub(crate) decision: DecisionId,
    pub(crate) request: RequestId,
    pub(crate) actor: Option<Actor>,
    pub(crate) session: Option<Arc<Session>>,
    pub(crate) edge: Edge,
    pub(crate) action: &'static str,
    pub(crate) class: Class,
    pub(crate) at: Timestamp,
    /// The entry of a read that an earlier intent covers: it is written with its outcome.
    pub(crate) covered: Option<Arc<ledger::Entry>>,
    /// Set when the change was recorded in a transaction.
    pub(crate) change: Option<Arc<AtomicBool>>,
    /// What a list showed.
    pub(crate) shown: Option<Shown>,
}

impl Ticket {
    pub(crate) fn of(op: &OpContext, decision: DecisionId, action: &'static str, class: Class) -> Self {
        Self {
            decision,
            request: op.request,
            actor: op.actor,
            session: op.session.clone(),
            edge: op.edge,
            action,
            class,
            at: op.at,
            covered: None,
            change: None,
            shown: None,
        }
    }

    /// Who, as an outcome entry names it.
    pub(crate) fn context(&self) -> OpContext {
        OpContext {
            request: self.request,
            actor: self.actor,
            session: self.session.clone(),
            at: self.at,
            source_ip: None,
            edge: self.edge,
            secure_transport: false,
            user_agent: None,
            region: None,
            keys: crate::RequestKeys::default(),
            trace: crate::Trace::default(),
        }
    }
}

/// Proof that `authorize` said yes to action `A` on one resource, and that this is recorded.
#[must_use = "a permit that is dropped records the outcome `unknown`: hand it to the operation that it permits"]
pub struct Permit<A: Action> {
    pub(crate) action: A,
    pub(crate) resource: A::Resource,
    pub(crate) ticket: Ticket,
    pub(crate) reasons: Arc<[Reason]>,
    pub(crate) newest: Option<u64>,
    pub(crate) obligations: Obligations,
    pub(crate) location: Option<Arc<DatasetLocation>>,
    pub(crate) lease: Option<Lease>,
    pub(crate) visible: crate::Visible,
    pub(crate) recorder: Option<ChangeRecorder>,
    /// The thing and its versions in which the change may be made; `None`: whichever it has.
    pub(crate) expected: Option<(ResourceRef, Vec<crate::Version>)>,
    pub(crate) outcomes: Option<Arc<dyn Outcomes>>,
}

impl<A: Action> Permit<A> {
    /// The action with what it carries.
    pub const fn action(&self) -> &A {
        &self.action
    }
    /// What may be touched: operations take their resource from here and from nowhere else.
    pub const fn resource(&self) -> &A::Resource {
        &self.resource
    }
    /// The recorded decision.
    pub const fn decision(&self) -> DecisionId {
        self.ticket.decision
    }
    /// The request.
    pub const fn request(&self) -> RequestId {
        self.ticket.request
    }
    /// Who acts.
    pub fn actor(&self) -> Actor {
        self.ticket.actor.unwrap_or(Actor::System)
    }
    /// The session, where there is one.
    pub const fn session(&self) -> Option<&Arc<Session>> {
        self.ticket.session.as_ref()
    }
    /// What a permitted change is recorded with, in its own transaction; `None` for other classes. An owned handle.
    pub const fn recorder(&self) -> Option<&ChangeRecorder> {
        self.recorder.as_ref()
    }
    /// The readable areas of a permitted listing, as far as they meet the asked prefix.
    pub const fn visible(&self) -> &crate::Visible {
        &self.visible
    }
    /// The groups that entitled a permitted assumption of a role.
    pub fn entitled_by(&self) -> Vec<GroupId> {
        let groups = self.reasons.iter().filter_map(|reason| match reason {
            Reason::Entitlement { group, .. } => Some(*group),
            _ => None,
        });
        groups.collect()
    }
    /// When it was decided.
    pub const fn at(&self) -> Timestamp {
        self.ticket.at
    }
    /// Why it was allowed, as ids.
    pub fn reasons(&self) -> &[Reason] {
        &self.reasons
    }
    /// The number of the newest fact that the decision knew: while it is the store's newest ([`store::ReadTxn::newest_seq`]),
    /// nothing has changed that the decision rests on. `None` for a permit that no decision gave.
    pub const fn newest_fact(&self) -> Option<u64> {
        self.newest
    }
    /// What must be done with the data.
    pub const fn obligations(&self) -> &Obligations {
        &self.obligations
    }
    /// The dataset that the resource resolves to, when it is governed data.
    pub fn dataset(&self) -> Option<DatasetId> {
        self.location.as_ref().map(|location| location.dataset)
    }
    /// The dataset's location as the decision saw it.
    pub const fn location(&self) -> Option<&Arc<DatasetLocation>> {
        self.location.as_ref()
    }
    /// The lease of a read or write by a session: check it at each part, select on its end. `None` for other classes.
    pub const fn lease(&self) -> Option<&Lease> {
        self.lease.as_ref()
    }
    /// Records what came of it. Never blocks, so that it can be called from a `Drop`.
    pub fn finish(mut self, outcome: Outcome) {
        self.close(Some(outcome));
    }

    /// As [`Permit::finish`], of a list that was shown: the record holds how much of it.
    pub fn finish_list(mut self, outcome: Outcome, shown: Shown) {
        self.ticket.shown = Some(shown);
        self.close(Some(outcome));
    }

    fn close(&mut self, outcome: Option<Outcome>) {
        if let Some(outcomes) = self.outcomes.take() {
            outcomes.outcome(&self.ticket, outcome);
        }
    }
}

impl<A: Action> Drop for Permit<A> {
    fn drop(&mut self) {
        self.close(None);
    }
}

impl<A: Action> std::fmt::Debug for Permit<A> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Permit({}, {})", self.action.name(), self.ticket.decision)
    }
}

#[cfg(any(test, feature = "test-permits"))]
impl<A: Action> Permit<A> {
    /// A permit that nothing decided, for tests of the operations that consume permits. The feature is for
    /// dev-dependencies alone.
    pub fn for_test(
        action: A,
        resource: A::Resource,
        location: Option<DatasetLocation>,
        lease: Option<Lease>,
        now: Timestamp,
    ) -> Self {
        let id = uuid::Uuid::from_u128(1);
        Self {
            ticket: Ticket {
                decision: DecisionId::from_uuid(id),
                request: RequestId::from_uuid(id),
                actor: Some(Actor::System),
                session: None,
                edge: Edge::Internal,
                action: action.name(),
                class: A::CLASS,
                at: now,
                covered: None,
                change: None,
                shown: None,
            },
            action,
            resource,
            reasons: Arc::from([Reason::System]),
            newest: None,
            obligations: Obligations::default(),
            location: location.map(Arc::new),
            lease,
            visible: crate::Visible::default(),
            recorder: None,
            expected: None,
            outcomes: None,
        }
    }

    /// The same permit, of a decision that knew the facts up to number `newest`.
    pub const fn knowing(mut self, newest: u64) -> Self {
        self.newest = Some(newest);
        self
    }

    /// The same permit, given to a session, and with the obligation of a second approval.
    pub fn given_to(mut self, session: Arc<Session>, approval: bool) -> Self {
        self.ticket.actor = Some(session.actor());
        self.ticket.session = Some(session);
        self.obligations.approval = approval;
        self
    }
}
