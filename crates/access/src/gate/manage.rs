//! Management actions: ordinary IAM evaluation with the built-in Denies that no policy can lift.

use policy::{Effect, Request, evaluate};

use super::{Ask, Ownership, Scene, Side, Subject, Verdict, context, documents, membership, silent, statement};
use crate::action::Class;
use crate::facts::Duty;
use crate::index::{LocationState, World};
use crate::permit::{DenyReason, EvaluationFault, Reason};
use crate::resource::Member;
use crate::{ResourceRef, api};
use base::DatasetId;

/// Seconds since the sign-in beyond which nothing is signed and no own password is set: both are an act of the person now
/// (21 CFR 11.200).
pub(crate) const SIGNATURE_AUTH_AGE_SECS_MAX: u64 = 900;

/// Actions that count as an electronic signature.
const SIGNATURES: &[&str] = &[<api::ApproveChange as crate::Action>::NAME];
/// Approvals, which neither their requester nor whom they concern may give.
const APPROVALS: &[&str] = &[<api::ApproveChange as crate::Action>::NAME];
/// What only an owner or a steward of the dataset or domain does, whatever a policy allows. A change of them is among it:
/// who could make themself its owner could grant it to themself. So is the end of a dataset, which nobody can take back.
const OWNERS_ACTS: &[&str] = &[
    <api::CreateGrant as crate::Action>::NAME,
    <api::PutDatasetPolicy as crate::Action>::NAME,
    <api::ChangeDataset as crate::Action>::NAME,
    <api::EndDataset as crate::Action>::NAME,
    <api::ChangeDomain as crate::Action>::NAME,
];
/// What every management action's name begins with.
const MANAGEMENT_PREFIX: &str = "galen:";

pub(super) fn decide(
    world: &World,
    scene: &Scene<'_>,
    ask: &Ask<'_>,
    subject: &Subject<'_>,
    mut verdict: Verdict,
) -> Verdict {
    let state = dataset(ask.resource).and_then(|dataset| world.location(dataset)).map(|state| &**state);
    let ownership = match ask.resource {
        ResourceRef::Domain(target) => {
            let holds = |group: &base::GroupId| world.group_number(*group).is_some_and(|n| subject.groups.contains(n));
            let steward = target.stewards.iter().find(|group| holds(group)).copied();
            Ownership { owner: Some(target.owner).filter(|group| holds(group)), steward }
        }
        ResourceRef::Proposal(target) => {
            target.group.map(|group| of_everything(world, scene, subject, group)).unwrap_or_default()
        }
        _ => state.map(|state| subject.ownership(world, &state.location)).unwrap_or_default(),
    };
    verdict.location = state.map(|state| std::sync::Arc::clone(&state.location));
    verdict.documents = documents(scene, subject, None);
    let side = Side::of(scene, subject, None);
    let context = context::build(world, scene, ask, subject, state, ownership, &side);
    if let Some(reason) = built_in(world, scene, ask, subject, state, ownership) {
        verdict.context = Some(context);
        return verdict.no(reason);
    }
    let resource = ask.resource.arn(scene.region, scene.account);
    // Without a resource policy the account of the resource is the principal's own: nothing is delegated across.
    let account = subject.role.role.account.to_string();
    let request = Request::new(subject.principal(), ask.action, resource, account, context);
    let decision = evaluate(&side.inputs(), &request);
    verdict.context = Some(request.context);
    if decision.effect == Effect::Allow {
        let allowed = decision.determined_by.iter().filter_map(|at| statement(at, subject, &verdict.documents));
        let allowed: Vec<Reason> = allowed.map(Reason::Statement).collect();
        verdict.reasons.extend(allowed);
        verdict.reasons.extend(owner_reasons(subject, state, ownership));
        verdict.obligations.approval = needs_approval(world, scene, ask, subject);
        return verdict;
    }
    let reason = match (decision.effect, decision.determined_by.first(), decision.missing.first()) {
        (Effect::ExplicitDeny, Some(at), _) => statement(at, subject, &verdict.documents).map(DenyReason::Denied),
        (_, _, Some(missing)) => Some(silent(*missing, subject)),
        _ => None,
    };
    verdict.no(reason.unwrap_or(DenyReason::Evaluation { what: EvaluationFault::Evaluator }))
}

/// Through which groups a session owns, or looks after, all the data that a group reaches; nothing for a group that runs the
/// installation.
fn of_everything(world: &World, scene: &Scene<'_>, subject: &Subject<'_>, group: base::GroupId) -> Ownership {
    let reach = world.reach(group, scene.now);
    if reach.manages {
        return Ownership::default();
    }
    let mut all = reach.datasets.iter().map(|state| subject.ownership(world, &state.location));
    let first = all.next().unwrap_or_default();
    let owned = |one: &Ownership| one.owner.or(one.steward).is_some();
    if owned(&first) && all.all(|one| owned(&one)) { first } else { Ownership::default() }
}

/// Whether a change gives somebody access that no owner chose for them, so that one person must not make it alone: a member
/// of a group that reaches data or runs the installation, the password or secret of such a member, or their return.
fn needs_approval(world: &World, scene: &Scene<'_>, ask: &Ask<'_>, subject: &Subject<'_>) -> bool {
    let reaches = |group| !world.reach(group, scene.now).is_nothing();
    let member_reaches = |member: Member| {
        let mut groups = world.edges(member.uuid()).iter().filter_map(|edge| world.group(edge.group));
        groups.any(reaches)
    };
    match ask.resource {
        ResourceRef::Edge(edge) if ask.action == <api::AddMember as crate::Action>::NAME => reaches(edge.group),
        ResourceRef::Person(person) if ask.action == <api::SetPassword as crate::Action>::NAME => {
            let member = Member::Person(*person);
            member != subject.member && member_reaches(member)
        }
        ResourceRef::Person(person) if ask.action == <api::ReactivatePerson as crate::Action>::NAME => {
            member_reaches(Member::Person(*person))
        }
        ResourceRef::Service(service) if ask.action == <api::RenewServiceSecret as crate::Action>::NAME => {
            member_reaches(Member::Service(*service))
        }
        _ => false,
    }
}

fn owner_reasons(subject: &Subject<'_>, state: Option<&LocationState>, ownership: Ownership) -> Vec<Reason> {
    let Some(group) = ownership.owner.or(ownership.steward) else { return Vec::new() };
    let owner = state.map(|state| Reason::Owner { dataset: state.location.dataset, group });
    [membership(subject, group)].into_iter().chain(owner).collect()
}

/// The dataset that a management resource concerns.
pub(crate) const fn dataset(resource: &ResourceRef) -> Option<DatasetId> {
    match resource {
        ResourceRef::Dataset(dataset) => Some(*dataset),
        ResourceRef::Grant(target) => Some(target.dataset),
        _ => None,
    }
}

/// The person whose own thing the resource is.
pub(super) fn requester_or_self(resource: &ResourceRef) -> (Option<Member>, Option<Member>) {
    match resource {
        ResourceRef::Person(person) => (None, Some(Member::Person(*person))),
        ResourceRef::Proposal(it) => (Some(Member::Person(it.requested_by)), it.about.map(Member::Person)),
        ResourceRef::Session(target) => (None, target.person.map(Member::Person)),
        ResourceRef::Decision(target) => (None, target.member),
        ResourceRef::Edge(edge) => (None, Some(edge.member)),
        _ => (None, None),
    }
}

/// Separation of duties (IAM-02): Denies that no document can lift.
fn built_in(
    world: &World,
    scene: &Scene<'_>,
    ask: &Ask<'_>,
    subject: &Subject<'_>,
    state: Option<&LocationState>,
    ownership: Ownership,
) -> Option<DenyReason> {
    // The token of a tool's session travels in presigned URLs; a wide data policy must not make it an administrator's.
    if ask.action.starts_with(MANAGEMENT_PREFIX) && !subject.role.role.management {
        return Some(DenyReason::NotManagement { role: subject.session.role });
    }
    if subject.role.role.duty == Some(Duty::Auditor) && matches!(ask.class, Class::Write | Class::Change) {
        return Some(DenyReason::AuditorWrites);
    }
    let (requester, own) = requester_or_self(ask.resource);
    if APPROVALS.contains(&ask.action) && [requester, own].contains(&Some(subject.member)) {
        return Some(DenyReason::SelfApproval);
    }
    if ask.action == <api::AddMember as crate::Action>::NAME && own == Some(subject.member) {
        return Some(DenyReason::SelfMembership);
    }
    if OWNERS_ACTS.contains(&ask.action) && ownership.owner.or(ownership.steward).is_none() {
        return Some(match ask.resource {
            ResourceRef::Domain(target) => DenyReason::NotDomainOwner { domain: target.domain },
            resource => DenyReason::NotOwner { dataset: dataset(resource)? },
        });
    }
    if ask.action == <api::ShowDataset as crate::Action>::NAME
        && !subject.reads_catalogue()
        && let Some(state) = state
        && !subject.knows_of(world, state, scene.now)
    {
        return Some(DenyReason::NoGrant { dataset: state.location.dataset });
    }
    // Who holds a token for a while must not be able to keep the account by a password of their own.
    let own_password = ask.action == <api::SetPassword as crate::Action>::NAME && own == Some(subject.member);
    if SIGNATURES.contains(&ask.action) || own_password {
        let age_secs = auth_age_secs(scene, subject);
        if age_secs > SIGNATURE_AUTH_AGE_SECS_MAX {
            return Some(DenyReason::AuthTooOld { age_secs, max_secs: SIGNATURE_AUTH_AGE_SECS_MAX });
        }
    }
    None
}

/// Whole seconds since the authentication that the session goes back to; a clock that is behind makes it 0.
pub(super) fn auth_age_secs(scene: &Scene<'_>, subject: &Subject<'_>) -> u64 {
    u64::try_from(scene.now.as_second() - subject.session.auth.auth_time.as_second()).unwrap_or(0)
}
