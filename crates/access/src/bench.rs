//! Worlds of any size for `cargo xtask bench`: the gate's own index and formula, without a store and without a record.
//!
//! Only behind the feature `bench` (and in tests). It must not be a second way to decide: it calls the gate.

use base::{
    AccountId, Clock, DatasetId, Effects, EntitlementId, Entropy, GrantId, GroupId, MembershipId, PersonId, Region,
    RoleId, SessionId, Timestamp,
};
use policy::{Compiled, Document, DocumentKind};
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

use crate::action::{Class, Need};
use crate::documents::{self, compile};
use crate::facts::{
    Approver, Classification, DatasetKind, DatasetLocation, Entitlement, Grant, Level, Membership, NamedDocument,
    Place, Role, Scope,
};
use crate::gate::{self, Ask, Scene};
use crate::index::{Documents, MemoryReport, World};
use crate::permit::{AuditClass, EvaluationFault};
use crate::session::{AuthPosition, SessionKind, role_unique_id, session_arn};
use crate::{AccessKeyId, Carry, Edge, Member, Object, OpContext, ResourceRef, Session, SessionName};

/// Grants that each dataset has.
const GRANTS_PER_DATASET: usize = 10;
/// People whose requests are asked in turn.
const PEOPLE: usize = 64;
/// Questions that are prepared of each kind.
const QUESTIONS: usize = 1024;

struct Still;
impl Clock for Still {
    fn now(&self) -> Timestamp {
        Timestamp::from_second(1_795_000_000).unwrap_or(Timestamp::UNIX_EPOCH)
    }
    fn monotonic(&self) -> Duration {
        Duration::ZERO
    }
}
impl Entropy for Still {
    fn fill(&self, out: &mut [u8]) {
        out.fill(7);
    }
}

struct DataAccess(crypto::Sha256Digest, Arc<str>);
impl Documents for DataAccess {
    fn compiled(&self, digest: &crypto::Sha256Digest, kind: DocumentKind) -> Result<Arc<Compiled>, EvaluationFault> {
        if *digest != self.0 {
            return Err(EvaluationFault::DocumentMissing);
        }
        compile(self.1.as_bytes(), digest, kind)
    }
}

/// A world with its prepared questions.
pub struct BenchWorld {
    world: World,
    region: Region,
    account: AccountId,
    allowed: Vec<(OpContext, ResourceRef)>,
    refused: Vec<(OpContext, ResourceRef)>,
    plain: Plain,
}

/// The same world and questions as numbers, for another evaluator: a person may read a dataset when one of their groups
/// has a grant of it.
#[derive(Default)]
pub struct Plain {
    /// The groups of each person.
    pub memberships: Vec<Vec<usize>>,
    /// The groups that each dataset is granted to.
    pub grants: Vec<Vec<usize>>,
    /// Person and dataset of each question that is allowed.
    pub allowed: Vec<(usize, usize)>,
    /// Person and dataset of each question that is refused.
    pub refused: Vec<(usize, usize)>,
}

impl Plain {
    /// The answer by definition, without index and gate.
    pub fn answer(&self, person: usize, dataset: usize) -> bool {
        let own = self.memberships.get(person).map_or(&[][..], |own| own);
        self.grants.get(dataset).is_some_and(|groups| groups.iter().any(|group| own.contains(group)))
    }
}

/// The same numbers at each run.
struct Random(u64);
impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap_or(0) % bound.max(1)
    }
}

fn id(kind: u64, n: usize) -> Uuid {
    let n = u64::try_from(n).unwrap_or(u64::MAX);
    let mixed = (n ^ (kind << 56)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    Uuid::from_u64_pair(mixed.rotate_left(17) ^ kind, mixed)
}

/// A world of `grants` grants, in which each person is in `groups_per_person` groups. `None` when a name does not parse,
/// which would be a defect.
pub fn bench_world(grants: usize, groups_per_person: usize) -> Option<BenchWorld> {
    let region: Region = "eu-north-1".parse().ok()?;
    let account: AccountId = "123456789012".parse().ok()?;
    let effects = Effects { clock: Arc::new(Still), entropy: Arc::new(Still) };
    let now = effects.now();
    let text = Document::parse(documents::managed(documents::DATA_ACCESS)?, DocumentKind::Identity).ok()?;
    let digest = crypto::sha256(text.canonical().as_bytes());
    let documents = DataAccess(digest, text.canonical().into());
    let groups = (grants / 20).max(groups_per_person * 4).max(1);
    let datasets = (grants / GRANTS_PER_DATASET).max(1);
    let mut random = Random(42);
    let mut world = World::default();
    let role = role(account, digest);
    let role_id = role.id;
    world.role_put(role.clone(), &documents);
    let everyone = GroupId::from_uuid(id(1, usize::MAX));
    let entitlement = EntitlementId::from_uuid(id(6, 1));
    world.entitle(&Entitlement { id: entitlement, group: everyone, role: role_id, client: None });
    world.locations_put((0..datasets).map(|n| location(account, n, everyone)).collect(), &documents);
    let mut by_group: Vec<Vec<usize>> = vec![Vec::new(); groups];
    let mut plain = Plain { grants: vec![Vec::new(); datasets], ..Plain::default() };
    let mut rows = Vec::with_capacity(grants);
    for n in 0..grants {
        let (group, dataset) = (random.below(groups), n % datasets);
        by_group.get_mut(group)?.push(dataset);
        plain.grants.get_mut(dataset)?.push(group);
        rows.push(grant(n, group, dataset, now));
    }
    world.grants_put(&rows);
    let mut memberships = Vec::new();
    let mut of = Vec::new();
    for person in 0..PEOPLE {
        let mut own: Vec<usize> = (0..groups_per_person.saturating_sub(1)).map(|_| random.below(groups)).collect();
        own.sort_unstable();
        own.dedup();
        let member = Member::Person(PersonId::from_uuid(id(3, person)));
        let add = |n: usize, group: GroupId| Membership { id: MembershipId::from_uuid(id(5, n)), member, group };
        memberships.push(add(person, everyone));
        memberships
            .extend(own.iter().map(|group| add(PEOPLE + person * groups + group, GroupId::from_uuid(id(1, *group)))));
        of.push(own);
    }
    plain.memberships.clone_from(&of);
    memberships.iter().for_each(|membership| world.member_add(membership));
    let mut built = BenchWorld { world, region, account, allowed: Vec::new(), refused: Vec::new(), plain };
    built.prepare(&effects, &role, &of, &by_group, datasets, &mut random)?;
    Some(built)
}

fn role(account: AccountId, digest: crypto::Sha256Digest) -> Role {
    let id = RoleId::from_uuid(id(2, 1));
    Role {
        id,
        account,
        name: "analyst".to_owned(),
        unique_id: role_unique_id(id),
        session_secs_max: 43_200,
        carry: Carry::All,
        policies: vec![NamedDocument { name: documents::DATA_ACCESS.to_owned(), digest }],
        boundary: None,
        management: false,
        duty: None,
        tags: Vec::new(),
    }
}

fn location(account: AccountId, n: usize, owner: GroupId) -> DatasetLocation {
    DatasetLocation {
        dataset: DatasetId::from_uuid(id(4, n)),
        account,
        places: vec![Place { bucket: format!("bucket-{}", n % 100), prefix: format!("area-{n}/") }],
        owner,
        stewards: Vec::new(),
        policy: None,
        classification: Classification::Internal,
        gxp: false,
        personal: false,
        kind: DatasetKind::Dataset,
        audit: AuditClass::Strict,
        key: "bench".to_owned(),
    }
}

fn grant(n: usize, group: usize, dataset: usize, now: Timestamp) -> Grant {
    Grant {
        id: GrantId::from_uuid(id(7, n)),
        group: GroupId::from_uuid(id(1, group)),
        dataset: DatasetId::from_uuid(id(4, dataset)),
        level: if n.is_multiple_of(3) { Level::Write } else { Level::Read },
        scope: Scope {
            prefixes: if n.is_multiple_of(5) { vec!["part/".to_owned()] } else { Vec::new() },
            ..Scope::default()
        },
        purpose: "bench".to_owned(),
        start: now,
        expiry: now.saturating_add(Duration::from_secs(3600)).unwrap_or(now),
        approver: Approver::Person(PersonId::from_uuid(id(3, 0))),
        request: "direct".to_owned(),
    }
}

impl BenchWorld {
    fn prepare(
        &mut self,
        effects: &Effects,
        role: &Role,
        of: &[Vec<usize>],
        by_group: &[Vec<usize>],
        datasets: usize,
        random: &mut Random,
    ) -> Option<()> {
        let ops: Vec<OpContext> =
            (0..PEOPLE).map(|person| op(effects, self.account, role, person)).collect::<Option<_>>()?;
        for n in 0..QUESTIONS * 64 {
            if self.allowed.len() >= QUESTIONS && self.refused.len() >= QUESTIONS {
                break;
            }
            let person = n % PEOPLE;
            let (op, own) = (ops.get(person)?, of.get(person)?);
            let granted = own.get(random.below(own.len())).and_then(|group| by_group.get(*group));
            let near = granted.and_then(|datasets| datasets.get(random.below(datasets.len()))).copied();
            let any = random.below(datasets);
            for dataset in near.into_iter().chain([any]) {
                let key = format!("area-{dataset}/part/file-{n}.parquet");
                let resource: ResourceRef = Object::new(format!("bucket-{}", dataset % 100), key).into();
                let (list, numbers) = if self.ask(op, &resource) {
                    (&mut self.allowed, &mut self.plain.allowed)
                } else {
                    (&mut self.refused, &mut self.plain.refused)
                };
                if list.len() < QUESTIONS {
                    list.push((op.clone(), resource));
                    numbers.push((person, dataset));
                }
            }
        }
        Some(())
    }

    fn ask(&self, op: &OpContext, resource: &ResourceRef) -> bool {
        let ask = Ask { action: "s3:GetObject", class: Class::Read, need: Need::Read, resource, trust: None };
        let scene = Scene {
            op,
            now: op.at,
            region: &self.region,
            account: self.account,
            cut: None,
            session_policies: &[],
            recorded: None,
        };
        gate::decide(&self.world, &scene, &ask).allowed()
    }

    /// Decides the `n`th question that is allowed; the answer, so that it cannot be optimised away.
    pub fn allow(&self, n: usize) -> bool {
        let question = n.checked_rem(self.allowed.len()).and_then(|n| self.allowed.get(n));
        question.is_some_and(|(op, resource)| self.ask(op, resource))
    }

    /// Decides the `n`th question that is refused; whether it was allowed.
    pub fn deny(&self, n: usize) -> bool {
        let question = n.checked_rem(self.refused.len()).and_then(|n| self.refused.get(n));
        question.is_some_and(|(op, resource)| self.ask(op, resource))
    }

    /// The same world as numbers; its questions have the order of [`BenchWorld::allow`] and [`BenchWorld::deny`].
    pub const fn plain(&self) -> &Plain {
        &self.plain
    }

    /// How many questions of each kind there are.
    pub fn questions(&self) -> (usize, usize) {
        (self.allowed.len(), self.refused.len())
    }

    /// How much memory the index holds.
    pub fn memory(&self) -> MemoryReport {
        self.world.memory()
    }
}

fn op(effects: &Effects, account: AccountId, role: &Role, person: usize) -> Option<OpContext> {
    let role_arn: base::Arn = role.arn().parse().ok()?;
    let name: SessionName = format!("person-{person}").parse().ok()?;
    let session = Session {
        id: SessionId::from_uuid(id(8, person)),
        kind: SessionKind::Tool,
        person: Some(PersonId::from_uuid(id(3, person))),
        service: None,
        source_identity: format!("person-{person}@example.com").parse().ok()?,
        account,
        role: role.id,
        role_unique_id: role.unique_id.clone(),
        arn: session_arn(account, &role_arn, &name).ok()?,
        role_arn,
        name,
        access_key_id: AccessKeyId::from_entropy(1, [7; AccessKeyId::ENTROPY_BYTES]),
        tags: Vec::new(),
        transitive: Vec::new(),
        carry: role.carry,
        via: Vec::new(),
        policies: Vec::new(),
        issued: effects.now(),
        expires: Timestamp::MAX,
        auth: AuthPosition { auth_time: effects.now(), seq: Some(1), amr: vec!["pwd".to_owned()], acr: None },
        sign_in: None,
        chained: false,
        lineage: Vec::new(),
        client: None,
        federated: None,
    };
    let op = OpContext::anonymous(effects, Edge::S3).with_session(Arc::new(session));
    let op = op.with_transport("192.0.2.7".parse().ok(), true).with_user_agent("bench");
    Some(op)
}

#[cfg(test)]
mod tests;
