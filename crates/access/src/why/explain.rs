//! What would be decided for somebody now, or would have been at some time: the same formula without an act.

use base::{ClientId, Ids, RoleId, Timestamp};

use super::past::Part;
use crate::action::{self, Need};
use crate::gate::{self, Ask, Scene, Verdict};
use crate::index::World;
use crate::permit::Reason;
use crate::resource::Member;
use crate::session::{AuthPosition, SessionKind, session_arn};
use crate::{Access, AccessKeyId, DenyReason, Edge, Error, OpContext, ResourceRef, Session};

/// For whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Who {
    /// The person or service.
    pub member: Member,
    /// In which role; `None`: in whichever role serves best.
    pub role: Option<RoleId>,
}

/// What one role would have given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tried {
    /// The role.
    pub role: RoleId,
    /// Through which client.
    pub client: Option<ClientId>,
    /// Why not; `None` when it would be allowed.
    pub deny: Option<DenyReason>,
}

/// The answer to "may they?".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// For whom.
    pub who: Who,
    /// To do what.
    pub action: String,
    /// To what, as an ARN.
    pub resource: String,
    /// At which moment.
    pub at: Timestamp,
    /// The role that the answer is about.
    pub role: Option<RoleId>,
    /// The grounds, as far as they were found.
    pub reasons: Vec<Reason>,
    /// Why not; `None` when it would be allowed.
    pub deny: Option<DenyReason>,
    /// The reason in a sentence; `None` when it would be allowed.
    pub sentence: Option<String>,
    /// Every role that was tried.
    pub tried: Vec<Tried>,
}

impl Explanation {
    /// Whether it would be allowed.
    pub const fn allowed(&self) -> bool {
        self.deny.is_none()
    }
}

impl Access {
    /// What the gate would say now: over the live index, without a session's narrowing, from no particular place.
    /// Nothing is recorded.
    pub fn explain(&self, who: Who, action: &str, resource: &ResourceRef) -> Explanation {
        let world = self.world();
        self.explain_in(&world, who, action, resource, self.now())
    }

    /// What the gate would have said at `at`, as that moment is known now.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn explain_at(
        &self,
        who: Who,
        action: &str,
        resource: &ResourceRef,
        at: Timestamp,
    ) -> Result<Explanation, Error> {
        let part = Part {
            at,
            known: self.now().max(at),
            member: Some(who.member.uuid()),
            service: match who.member {
                Member::Service(service) => Some(service),
                Member::Person(_) => None,
            },
            roles: who.role.into_iter().collect(),
            bucket: resource.place().map(|(bucket, _)| bucket.to_owned()),
            datasets: gate::dataset_of(resource).into_iter().collect(),
            ..Part::default()
        };
        let world = self.store().read(move |txn| {
            let known = part.known.max(txn.now());
            Part { known, ..part }.world(txn)
        });
        let world = world.await.map_err(Error::Store)?;
        Ok(self.explain_in(&world, who, action, resource, at))
    }

    fn explain_in(&self, world: &World, who: Who, action: &str, resource: &ResourceRef, at: Timestamp) -> Explanation {
        let mut answer = Explanation {
            who,
            action: action.to_owned(),
            resource: self.arn(resource),
            at,
            role: who.role,
            reasons: Vec::new(),
            deny: None,
            sentence: None,
            tried: Vec::new(),
        };
        let best = match action::find(action) {
            Some(spec) if spec.need != Need::Trust => self.best(world, who, spec, resource, at, &mut answer.tried),
            _ => Some((None, Verdict { deny: Some(DenyReason::UnknownAction), ..Verdict::default() })),
        };
        let (role, verdict) = best.unwrap_or_else(|| {
            let deny = match who.role {
                Some(role) => DenyReason::NotEntitled { role },
                None => DenyReason::NoRole,
            };
            (who.role, Verdict { deny: Some(deny), ..Verdict::default() })
        });
        answer.role = role.or(answer.role);
        answer.reasons = verdict.reasons;
        answer.reasons.retain(|reason| !matches!(reason, Reason::Session { .. }));
        answer.sentence = verdict.deny.as_ref().map(gate::sentence);
        answer.deny = verdict.deny;
        answer
    }

    /// The best verdict among the roles that the member is entitled to: an allow, else the deny that came furthest.
    fn best(
        &self,
        world: &World,
        who: Who,
        spec: &'static action::Spec,
        resource: &ResourceRef,
        at: Timestamp,
        tried: &mut Vec<Tried>,
    ) -> Option<(Option<RoleId>, Verdict)> {
        let edges = world.edges(who.member.uuid());
        let mut roles: Vec<RoleId> = world.roles().map(|state| state.role.id).collect();
        roles.sort_unstable();
        let mut best: Option<(Option<RoleId>, Verdict)> = None;
        for role in roles.into_iter().filter(|role| who.role.is_none_or(|wanted| wanted == *role)) {
            let mut clients: Vec<Option<ClientId>> = world.entitlements(role).iter().map(|row| row.client).collect();
            clients.sort_unstable();
            clients.dedup();
            clients.retain(|client| !world.entitling(edges, role, *client).is_empty());
            for client in clients {
                let Some(session) = self.imagined(world, who.member, role, client, at) else { continue };
                let verdict = self.imagine(world, session, spec, resource, at);
                tried.push(Tried { role, client, deny: verdict.deny.clone() });
                let further = |old: &(Option<RoleId>, Verdict)| rank(&old.1) < rank(&verdict);
                if best.as_ref().is_none_or(further) {
                    best = Some((Some(role), verdict));
                }
            }
        }
        best
    }

    fn imagine(
        &self,
        world: &World,
        session: Session,
        spec: &'static action::Spec,
        resource: &ResourceRef,
        at: Timestamp,
    ) -> Verdict {
        let mut op = OpContext::anonymous(self.effects(), Edge::Internal).with_session(std::sync::Arc::new(session));
        op.secure_transport = true;
        op.at = at;
        let ask = Ask { action: spec.name, class: spec.class, need: spec.need, resource, trust: None };
        let scene = Scene {
            op: &op,
            now: at,
            region: self.region(),
            account: self.account(),
            cut: None,
            session_policies: &[],
            recorded: None,
        };
        gate::decide(world, &scene, &ask)
    }

    /// A session as the member would have it: just signed in, without tags and without a narrowing policy.
    fn imagined(
        &self,
        world: &World,
        member: Member,
        role: RoleId,
        client: Option<ClientId>,
        at: Timestamp,
    ) -> Option<Session> {
        let state = world.role(role)?;
        let (person, service) = match member {
            Member::Person(person) => (Some(person), None),
            Member::Service(service) => (None, Some(service)),
        };
        let role_arn: base::Arn = state.role.arn().parse().ok()?;
        let name: crate::SessionName = "explained".parse().ok()?;
        Some(Session {
            id: base::SessionId::from_uuid(self.effects().uuid()),
            kind: if state.role.management { SessionKind::Management } else { SessionKind::Tool },
            person,
            service,
            source_identity: member.uuid().hyphenated().to_string().parse().ok()?,
            account: state.role.account,
            role,
            role_unique_id: state.role.unique_id.clone(),
            arn: session_arn(state.role.account, &role_arn, &name).ok()?,
            role_arn,
            name,
            access_key_id: AccessKeyId::from_entropy(0, [0; AccessKeyId::ENTROPY_BYTES]),
            tags: Vec::new(),
            transitive: Vec::new(),
            carry: state.role.carry,
            via: Vec::new(),
            policies: Vec::new(),
            issued: at,
            expires: Timestamp::MAX,
            auth: AuthPosition { auth_time: at, seq: None, amr: Vec::new(), acr: None },
            sign_in: None,
            chained: false,
            lineage: Vec::new(),
            client,
            federated: None,
        })
    }
}

/// How far a verdict came: the further, the more it tells.
fn rank(verdict: &Verdict) -> u8 {
    match &verdict.deny {
        None => 9,
        Some(DenyReason::Denied(_)) => 8,
        Some(
            DenyReason::SessionPolicySilent | DenyReason::BoundarySilent { .. } | DenyReason::GuardrailSilent { .. },
        ) => 7,
        Some(DenyReason::RoleSilent { .. }) => 6,
        Some(DenyReason::GrantExpired { .. } | DenyReason::GrantNotBegun { .. }) => 5,
        Some(DenyReason::OutOfScope { .. } | DenyReason::LevelTooLow { .. } | DenyReason::Undischargeable { .. }) => 4,
        Some(DenyReason::NoGrant { .. } | DenyReason::NothingVisible | DenyReason::NotOwner { .. }) => 3,
        Some(_) => 1,
    }
}
