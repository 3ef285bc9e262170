//! Assuming a role: the trust that entitlements and clients compile to, evaluated as a policy.
//!
//! No API takes a trust policy by hand. Groups come from the live index (`galen:Groups`), never from a token's claims.

use base::{AccountId, Actor, ClientId, RoleId};
use policy::{AssumeInputs, DocumentKind, Effect, Principal, Request, evaluate_assume};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

use super::context::{self, Keys};
use super::{Ask, Ownership, Scene, Side, Subject, Verdict, documents, not_live, statement};
use crate::action::sts::{AssumeRole, Via, WebIdentity};
use crate::documents::given;
use crate::index::World;
use crate::permit::{DenyReason, DocumentRef, EvaluationFault, Reason, Slot, StatementRef};
use crate::resource::Member;
use crate::{ResourceRef, Session};

pub(super) fn decide(
    world: &World,
    scene: &Scene<'_>,
    ask: &Ask<'_>,
    assume: &AssumeRole,
    mut verdict: Verdict,
) -> Verdict {
    let ResourceRef::AssumableRole(target) = ask.resource else {
        return verdict.no(DenyReason::Evaluation { what: EvaluationFault::Evaluator });
    };
    let Some(state) = world.role(target.0) else { return verdict.no(DenyReason::RoleEnded { role: target.0 }) };
    let caller = match Caller::of(world, scene, assume) {
        Ok(caller) => caller,
        Err(reason) => return verdict.no(reason),
    };
    if let Caller::Session(subject) = &caller {
        verdict.reasons.push(Reason::Session { session: subject.session.id, role: subject.session.role });
    }
    let Some(entitled) = entitled(world, &caller, target.0) else {
        return verdict.no(DenyReason::NotEntitled { role: target.0 });
    };
    verdict.reasons.extend(entitled);
    evaluate(world, scene, ask, assume, &state.role, &caller, verdict)
}

/// Who assumes: a verified identity without a session, or a live session.
enum Caller<'a> {
    Identity { member: Member, identity: &'a WebIdentity },
    Session(Box<Subject<'a>>),
}

impl<'a> Caller<'a> {
    fn of(world: &'a World, scene: &Scene<'a>, assume: &'a AssumeRole) -> Result<Self, DenyReason> {
        match &assume.via {
            Via::WebIdentity(identity) => {
                let member = match scene.op.actor {
                    Some(Actor::Person(person)) => Member::Person(person),
                    Some(Actor::Service(service)) => Member::Service(service),
                    Some(Actor::System) | None => return Err(DenyReason::NotSignedIn),
                };
                Ok(Self::Identity { member, identity })
            }
            Via::Session => {
                let session: &Session = scene.op.session.as_deref().ok_or(DenyReason::NotSignedIn)?;
                if let Some(reason) = not_live(scene, session) {
                    return Err(reason);
                }
                Subject::of(world, session).map(|subject| Self::Session(Box::new(subject)))
            }
        }
    }

    fn member(&self) -> Member {
        match self {
            Self::Identity { member, .. } => *member,
            Self::Session(subject) => subject.member,
        }
    }

    fn client(&self) -> Option<ClientId> {
        match self {
            Self::Identity { identity, .. } => Some(identity.client),
            Self::Session(subject) => subject.session.client,
        }
    }
}

/// The entitlements that open the role to the caller now.
fn entitled(world: &World, caller: &Caller<'_>, role: RoleId) -> Option<Vec<Reason>> {
    let (member, client) = (caller.member(), caller.client());
    // Who verified its token looked before; a service that ended since is nobody, also where a membership of it was not seen to end.
    if let Member::Service(service) = member {
        world.service(service)?;
    }
    let groups = world.entitling(world.edges(member.uuid()), role, client);
    if groups.is_empty() {
        return None;
    }
    let mut reasons = Vec::new();
    for group in groups.iter().filter_map(|n| world.group(*n)) {
        reasons.push(Reason::Membership { member, group });
        reasons.push(Reason::Entitlement { role, group, client });
    }
    Some(reasons)
}

fn evaluate(
    world: &World,
    scene: &Scene<'_>,
    ask: &Ask<'_>,
    assume: &AssumeRole,
    role: &crate::facts::Role,
    caller: &Caller<'_>,
    mut verdict: Verdict,
) -> Verdict {
    let trust = match world.trust(role.id, || given(&trust_document(world, role.id, role.account), DocumentKind::Trust))
    {
        Ok(trust) => trust,
        Err(what) => return verdict.no(DenyReason::Evaluation { what }),
    };
    let digest = trust.digest;
    verdict.texts.push((digest, trust.canonical));
    let subject = match caller {
        Caller::Session(subject) => Some(&**subject),
        Caller::Identity { .. } => None,
    };
    verdict.documents = subject.map(|subject| documents(scene, subject, None)).unwrap_or_default();
    verdict.documents.push(DocumentRef { slot: Slot::Trust, digest });
    let principal = match caller {
        Caller::Session(subject) => subject.principal(),
        Caller::Identity { identity, .. } => Principal::parse(&provider_arn(role.account, &identity.provider)),
    };
    let context = trust_context(world, scene, ask, assume, caller);
    let request = Request::new(principal, ask.action, role.arn(), role.account.to_string(), context);
    let side = subject.map(|subject| Side::of(scene, subject, None));
    let inputs = AssumeInputs {
        trust: &trust.compiled,
        identity: side.as_ref().map_or(&[], |side| side.identity),
        boundary: side.as_ref().and_then(|side| side.boundary),
        session: side.as_ref().map_or(&[], |side| &side.session),
        scps: side.as_ref().map_or(&[], |side| side.scps),
        tags: !assume.tags.is_empty(),
        source_identity: assume.sets_source_identity,
    };
    let decision = evaluate_assume(&inputs, &request);
    verdict.context = Some(request.context);
    let named = |at: &policy::Determining| match (at.policy, subject) {
        (policy::PolicyRef::Resource, _) => Some(StatementRef {
            document: DocumentRef { slot: Slot::Trust, digest },
            statement: at.statement,
            sid: at.sid.as_deref().map(str::to_owned),
        }),
        (_, Some(subject)) => statement(at, subject, &verdict.documents),
        _ => None,
    };
    if decision.effect() == Effect::Allow {
        let statements = decision.actions.first().map(|(_, first)| &first.determined_by[..]).unwrap_or_default();
        let statements: Vec<Reason> = statements.iter().filter_map(named).map(Reason::Statement).collect();
        verdict.reasons.extend(statements);
        return verdict;
    }
    let refused = decision.refused();
    let denied = refused.and_then(|(_, decision)| decision.determined_by.first()).and_then(named);
    let action = refused.map_or(ask.action, |(action, _)| action).to_owned();
    let missing_identity =
        refused.is_some_and(|(_, decision)| decision.missing.contains(&policy::Missing::Identity)) && subject.is_some();
    let reason = match (denied, subject) {
        (Some(at), _) => DenyReason::Denied(at),
        (None, Some(subject)) if missing_identity => DenyReason::RoleSilent { role: subject.session.role },
        (None, _) => DenyReason::TrustSilent { role: role.id, action },
    };
    verdict.no(reason)
}

fn provider_arn(account: AccountId, provider: &str) -> String {
    format!("arn:aws:iam::{account}:oidc-provider/{provider}")
}

/// Every key that a trust policy may read (wire.md 2.2: one context for all three actions).
fn trust_context(
    world: &World,
    scene: &Scene<'_>,
    ask: &Ask<'_>,
    assume: &AssumeRole,
    caller: &Caller<'_>,
) -> policy::Context {
    if let Some(recorded) = scene.recorded {
        return recorded.clone();
    }
    let mut keys = Keys::read_by(&|_| true);
    context::of_request(&mut keys, scene);
    match caller {
        Caller::Session(subject) => {
            context::of_principal(&mut keys, scene, ask, subject, Ownership::default());
        }
        Caller::Identity { identity, .. } => {
            let provider = identity.provider.to_lowercase();
            keys.put(&format!("{provider}:aud"), || identity.audience.as_str());
            keys.put(&format!("{provider}:sub"), || identity.subject.as_str());
            keys.put_all(&format!("{provider}:amr"), identity.amr.iter().map(String::as_str));
            keys.put("aws:federatedprovider", || provider_arn(scene.account, &identity.provider));
            if let Some(authorized) = identity.authorized_by_idp {
                keys.put("sts:roleauthorizedbyidp", || authorized.to_string());
            }
        }
    }
    keys.put("sts:rolesessionname", || assume.session_name.as_str());
    keys.put("sts:sourceidentity", || assume.source_identity.as_str());
    if let Some(id) = &assume.external_id {
        keys.put("sts:externalid", || id.as_str());
    }
    if let Some(seconds) = assume.duration_secs {
        keys.put("sts:durationseconds", || seconds.to_string());
    }
    keys.put_tags("aws:requesttag", assume.tags.iter().map(|(key, value)| (key, value)));
    if !assume.tags.is_empty() {
        keys.put_all("aws:tagkeys", assume.tags.iter().map(|(key, _)| key.as_str()));
    }
    if !assume.transitive.is_empty() {
        keys.put_all("sts:transitivetagkeys", assume.transitive.iter().map(String::as_str));
    }
    if let Some(client) = caller.client() {
        keys.put("galen:client", || client.to_string());
    }
    let edges = world.edges(caller.member().uuid());
    let groups: BTreeSet<String> =
        edges.iter().filter_map(|edge| world.group(edge.group)).map(|group| group.to_string()).collect();
    keys.put_all("galen:groups", groups);
    keys.into_context()
}

/// The trust policy of `role`, compiled from its entitlements and the clients that live now: one statement per client
/// for identity tokens, one for role chaining. It always asks for a source identity.
pub(crate) fn trust_document(world: &World, role: RoleId, account: AccountId) -> String {
    // By client, sorted, so that one state has one text; `None` stands for every client.
    let mut by_client: BTreeMap<Option<ClientId>, BTreeSet<String>> = BTreeMap::new();
    for row in world.entitlements(role) {
        if let Some(group) = world.group(row.group) {
            by_client.entry(row.client).or_default().insert(group.to_string());
        }
    }
    let mut statements = Vec::new();
    for client in world.clients_sorted() {
        let of = |wanted| by_client.get(&wanted).into_iter().flatten();
        let groups: BTreeSet<&String> = of(Some(client.id)).chain(of(None)).collect();
        if groups.is_empty() {
            continue;
        }
        statements.push(json!({
            "Sid": format!("Client{}", client.id.uuid().simple()),
            "Effect": "Allow",
            "Principal": { "Federated": provider_arn(account, &client.provider) },
            "Action": ["sts:AssumeRoleWithWebIdentity", "sts:TagSession", "sts:SetSourceIdentity"],
            "Condition": {
                "StringEquals": { format!("{}:aud", client.provider): client.audience },
                "Null": { "sts:SourceIdentity": "false" },
                "ForAnyValue:StringEquals": { "galen:Groups": groups },
            },
        }));
    }
    let groups: BTreeSet<&String> = by_client.values().flatten().collect();
    if !groups.is_empty() {
        statements.push(json!({
            "Sid": "Chained",
            "Effect": "Allow",
            "Principal": { "AWS": format!("arn:aws:iam::{account}:root") },
            "Action": ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"],
            "Condition": {
                "Null": { "sts:SourceIdentity": "false" },
                "ForAnyValue:StringEquals": { "galen:Groups": groups },
            },
        }));
    }
    if statements.is_empty() {
        statements.push(json!({
            "Sid": "Nobody", "Effect": "Deny", "Principal": "*", "Action": "sts:*",
        }));
    }
    let document: Value = json!({ "Version": "2012-10-17", "Statement": statements });
    document.to_string()
}
