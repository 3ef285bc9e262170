//! The gate: what authorisation.md section 2 fixes, computed over one world, with its reasons.
//!
//! Pure but for reading compiled documents: no I/O, no clock. It must not record and must not know an edge's wire
//! format. INVARIANT: whatever is in doubt is a deny that says so; every allow names what allowed it.

mod context;
mod data;
mod manage;
mod sentence;
mod trust;

use base::{AccountId, Actor, Region, Timestamp};
use policy::{Compiled, Context, Determining, Inputs, PolicyRef, Principal, SideResult};
use std::sync::Arc;

use crate::action::{Class, Need, sts};
use crate::documents::Given;
use crate::epoch::CutBy;
use crate::facts::{Classification, DatasetLocation, Duty};
use crate::index::{GroupSet, GuardrailState, LocationState, RoleState, World};
use crate::permit::{DocumentRef, EvaluationFault, Obligations, Reason, Slot, StatementRef};
use crate::resource::Member;
use crate::{DenyReason, OpContext, ResourceRef, Session};

pub(crate) use manage::dataset as dataset_of;
pub(crate) use sentence::sentence;
pub(crate) use trust::trust_document;

/// Raised whenever the same inputs may give another answer; each decision stores it.
pub const EVALUATOR: &str = concat!("galen-access/2+policy/", env!("CARGO_PKG_VERSION"));

/// What is asked.
pub(crate) struct Ask<'a> {
    pub(crate) action: &'a str,
    pub(crate) class: Class,
    pub(crate) need: Need,
    pub(crate) resource: &'a ResourceRef,
    pub(crate) trust: Option<&'a sts::AssumeRole>,
}

/// Everything a decision is made from, beside the world.
pub(crate) struct Scene<'a> {
    pub(crate) op: &'a OpContext,
    /// The moment that times are compared with.
    pub(crate) now: Timestamp,
    pub(crate) region: &'a Region,
    pub(crate) account: AccountId,
    /// The epoch that cuts the session, if one does.
    pub(crate) cut: Option<CutBy>,
    /// The session's own policies, in order.
    pub(crate) session_policies: &'a [Given],
    /// A context that was recorded: a replay evaluates with it and derives nothing anew.
    pub(crate) recorded: Option<&'a Context>,
}

/// The answer, with everything that is recorded of it.
#[derive(Default)]
pub(crate) struct Verdict {
    pub(crate) deny: Option<DenyReason>,
    pub(crate) reasons: Vec<Reason>,
    pub(crate) documents: Vec<DocumentRef>,
    pub(crate) obligations: Obligations,
    pub(crate) location: Option<Arc<DatasetLocation>>,
    /// What the documents could read of the request; `None` where nothing was evaluated.
    pub(crate) context: Option<Context>,
    /// Canonical texts of documents that are not in the store yet (session policies, a compiled trust).
    pub(crate) texts: Vec<(crypto::Sha256Digest, Arc<str>)>,
    /// Microseconds of the newest fact that the world held.
    pub(crate) known: i64,
    /// The number of that fact; `None` where no world was asked.
    pub(crate) newest: Option<u64>,
    /// The readable areas of a listing.
    pub(crate) visible: crate::Visible,
}

impl Verdict {
    fn no(mut self, reason: DenyReason) -> Self {
        self.deny = Some(reason);
        self
    }
    pub(crate) const fn allowed(&self) -> bool {
        self.deny.is_none()
    }
}

/// A session as the formula sees it.
pub(crate) struct Subject<'a> {
    pub(crate) session: &'a Session,
    pub(crate) member: Member,
    pub(crate) role: &'a RoleState,
    pub(crate) groups: GroupSet<'a>,
    pub(crate) guardrail: Option<&'a GuardrailState>,
}

/// Decides.
pub(crate) fn decide(world: &World, scene: &Scene<'_>, ask: &Ask<'_>) -> Verdict {
    let verdict = Verdict::default();
    if let Some(assume) = ask.trust {
        return trust::decide(world, scene, ask, assume, verdict);
    }
    let Some(session) = scene.op.session.as_deref() else { return without_session(world, scene, ask, verdict) };
    if let Some(reason) = not_live(scene, session) {
        return verdict.no(reason);
    }
    let mut verdict = verdict;
    if ask.need == Need::Nothing {
        // Whoever is proven hears who they are, whatever they have lost since: tools ask this first.
        verdict.reasons.extend([Reason::Session { session: session.id, role: session.role }, Reason::Free]);
        return verdict;
    }
    let subject = match Subject::of(world, session) {
        Ok(subject) => subject,
        Err(reason) => return verdict.no(reason),
    };
    verdict.reasons.push(Reason::Session { session: session.id, role: session.role });
    match ask.need {
        Need::Iam => manage::decide(world, scene, ask, &subject, verdict),
        Need::Nothing | Need::Trust => verdict.no(DenyReason::Evaluation { what: EvaluationFault::Evaluator }),
        Need::List => data::list(world, scene, ask, &subject, verdict),
        Need::Read | Need::Write | Need::Discover | Need::Owner | Need::Policy | Need::Retention => {
            data::decide(world, scene, ask, &subject, verdict)
        }
    }
}

/// Galen's own acts need no session, and only from inside; anybody else needs one.
fn without_session(world: &World, scene: &Scene<'_>, ask: &Ask<'_>, mut verdict: Verdict) -> Verdict {
    let inside = matches!(scene.op.edge, crate::Edge::Internal | crate::Edge::Cli);
    if scene.op.actor != Some(Actor::System) || !inside {
        return verdict.no(DenyReason::NotSignedIn);
    }
    if ask.need == Need::Retention {
        return verdict.no(DenyReason::Retention);
    }
    if let Some((bucket, key)) = ask.resource.place().filter(|_| ask.need != Need::Iam) {
        let Some((state, _)) = world.locate(bucket, key) else { return verdict.no(DenyReason::NoDataset) };
        verdict.location = Some(Arc::clone(&state.location));
        verdict.obligations.audit = state.location.audit;
    }
    verdict.reasons.push(Reason::System);
    verdict
}

fn not_live(scene: &Scene<'_>, session: &Session) -> Option<DenyReason> {
    if session.expires <= scene.now {
        return Some(DenyReason::SessionExpired { at: session.expires });
    }
    scene.cut.map(|cut| DenyReason::SessionCut { epoch: cut.key.aggregate() })
}

impl<'a> Subject<'a> {
    pub(crate) fn of(world: &'a World, session: &'a Session) -> Result<Self, DenyReason> {
        // A role that was made anew under the same id would be another principal (wire.md 2.1 (4)).
        let role = world.role(session.role).filter(|state| state.role.unique_id == session.role_unique_id);
        let role = role.ok_or(DenyReason::RoleEnded { role: session.role })?;
        let member = match (session.person, session.service) {
            (Some(person), _) => Member::Person(person),
            (None, Some(service)) => Member::Service(service),
            (None, None) => return Err(DenyReason::NotSignedIn),
        };
        let service_gone = session.person.is_none() && session.service.is_some_and(|id| world.service(id).is_none());
        let groups = world
            .carried(member.uuid(), &role.role, session.client, role.role.carry)
            .filter(|_| !service_gone)
            .ok_or(DenyReason::NotEntitled { role: session.role })?;
        let guardrail = world.guardrail(role.role.account).map(|state| &**state);
        if let Some(what) = role.fault.or_else(|| guardrail.and_then(|guardrail| guardrail.fault)) {
            return Err(DenyReason::Evaluation { what });
        }
        Ok(Self { session, member, role, groups, guardrail })
    }

    /// The group among the session's that owns the dataset, and the one that looks after it.
    fn ownership(&self, world: &World, location: &DatasetLocation) -> Ownership {
        let holds = |group: &base::GroupId| world.group_number(*group).is_some_and(|n| self.groups.contains(n));
        Ownership {
            owner: Some(location.owner).filter(|group| holds(group)),
            steward: location.stewards.iter().find(|group| holds(group)).copied(),
        }
    }

    /// Whether the role reads the whole catalogue by its duty: who runs the installation, and who audits it.
    pub(crate) fn reads_catalogue(&self) -> bool {
        matches!(self.role.role.duty, Some(Duty::Administrator | Duty::Auditor))
    }

    /// Whether the session may know of a dataset: by a live grant of any level, by ownership, or by a classification that is
    /// for everybody of the company.
    pub(crate) fn knows_of(&self, world: &World, state: &LocationState, now: Timestamp) -> bool {
        let location = &state.location;
        let mut known = matches!(location.classification, Classification::Public | Classification::Internal);
        let Ownership { owner, steward } = self.ownership(world, location);
        known |= owner.or(steward).is_some();
        let now = now.as_microsecond();
        world.candidates(location.dataset, &self.groups, |row| known |= row.start <= now && now < row.expiry);
        known
    }

    /// The role's principal, as policies name it.
    fn principal(&self) -> Principal {
        Principal::parse(self.session.arn.as_str())
            .with_role_arn(self.session.role_arn.as_str())
            .with_unique_id(self.role.role.unique_id.as_str())
    }
}

/// Through which groups a session owns a dataset or looks after it.
#[derive(Clone, Copy, Default)]
pub(crate) struct Ownership {
    pub(crate) owner: Option<base::GroupId>,
    pub(crate) steward: Option<base::GroupId>,
}

/// The documents of one evaluation, in the order of `Inputs`.
struct Side<'a> {
    identity: &'a [Arc<Compiled>],
    boundary: Option<&'a Compiled>,
    session: Vec<Arc<Compiled>>,
    scps: &'a [Vec<Arc<Compiled>>],
    resource: Option<&'a Compiled>,
}

impl<'a> Side<'a> {
    fn of(scene: &Scene<'_>, subject: &'a Subject<'_>, location: Option<&'a LocationState>) -> Self {
        Self {
            identity: &subject.role.policies,
            boundary: subject.role.boundary.as_deref(),
            session: scene.session_policies.iter().map(|given| Arc::clone(&given.compiled)).collect(),
            scps: subject.guardrail.map_or(&[], |guardrail| &guardrail.levels),
            resource: location.and_then(|state| state.policy.as_deref()),
        }
    }

    /// Every document of the evaluation.
    fn documents(&self) -> impl Iterator<Item = &Compiled> {
        let lists =
            std::iter::once(self.identity).chain([&self.session[..]]).chain(self.scps.iter().map(|level| &level[..]));
        lists.flatten().map(|document| &**document).chain(self.boundary).chain(self.resource)
    }

    fn inputs(&self) -> Inputs<'_> {
        Inputs {
            identity: self.identity,
            resource: self.resource,
            boundary: self.boundary,
            session: &self.session,
            scps: self.scps,
        }
    }
}

/// The digests of every document that took part, in the order of the evaluation.
fn documents(scene: &Scene<'_>, subject: &Subject<'_>, location: Option<&LocationState>) -> Vec<DocumentRef> {
    let number = |n: usize| u8::try_from(n).unwrap_or(u8::MAX);
    let role = &subject.role.role;
    let mut out = Vec::with_capacity(role.policies.len() + 4);
    let named = role.policies.iter().enumerate();
    out.extend(named.map(|(n, document)| DocumentRef { slot: Slot::Role(number(n)), digest: document.digest }));
    out.extend(role.boundary.iter().map(|document| DocumentRef { slot: Slot::Boundary, digest: document.digest }));
    let given = scene.session_policies.iter().enumerate();
    out.extend(given.map(|(n, given)| DocumentRef { slot: Slot::Session(number(n)), digest: given.digest }));
    let guardrails =
        subject.guardrail.into_iter().flat_map(|state| state.guardrail.levels.iter().flatten()).enumerate();
    out.extend(
        guardrails.map(|(n, document)| DocumentRef { slot: Slot::Guardrail(number(n)), digest: document.digest }),
    );
    let dataset = location.and_then(|state| state.location.policy);
    out.extend(dataset.map(|digest| DocumentRef { slot: Slot::Dataset, digest }));
    out
}

/// The statement that an evaluation names, as a decision records it.
fn statement(at: &Determining, subject: &Subject<'_>, documents: &[DocumentRef]) -> Option<StatementRef> {
    let number = |n: usize| u8::try_from(n).unwrap_or(u8::MAX);
    let slot = match at.policy {
        PolicyRef::Identity(n) => Slot::Role(number(n)),
        PolicyRef::Resource => Slot::Dataset,
        PolicyRef::Boundary => Slot::Boundary,
        PolicyRef::Session(n) => Slot::Session(number(n)),
        PolicyRef::ServiceControl(level, n) => {
            let levels = subject.guardrail.map_or(&[][..], |state| &state.guardrail.levels);
            let before: usize = levels.iter().take(level).map(Vec::len).sum();
            Slot::Guardrail(number(before + n))
        }
    };
    let document = documents.iter().find(|document| document.slot == slot)?.clone();
    Some(StatementRef { document, statement: at.statement, sid: at.sid.as_deref().map(str::to_owned) })
}

/// Why the role side does not allow, if it does not: a Deny first, then what is silent.
fn refused(side: &SideResult, subject: &Subject<'_>, documents: &[DocumentRef]) -> Option<DenyReason> {
    if let Some(at) = side.denied_by.first() {
        let denied = statement(at, subject, documents).map(DenyReason::Denied);
        return Some(denied.unwrap_or(DenyReason::Evaluation { what: EvaluationFault::Evaluator }));
    }
    if !side.errors.is_empty() {
        return Some(DenyReason::Evaluation { what: EvaluationFault::Evaluator });
    }
    side.missing.first().map(|missing| silent(*missing, subject))
}

fn silent(missing: policy::Missing, subject: &Subject<'_>) -> DenyReason {
    use policy::Missing;
    let role = subject.session.role;
    match missing {
        Missing::Boundary => DenyReason::BoundarySilent { role },
        Missing::Session => DenyReason::SessionPolicySilent,
        Missing::ServiceControl(_) => DenyReason::GuardrailSilent { account: subject.role.role.account },
        _ => DenyReason::RoleSilent { role },
    }
}

/// The live membership that makes `group` count, as a reason.
fn membership(subject: &Subject<'_>, group: base::GroupId) -> Reason {
    Reason::Membership { member: subject.member, group }
}
