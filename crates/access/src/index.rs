//! The index: what decisions read, in memory, in time that does not grow with the number of grants.
//!
//! An immutable base with a small delta over it, swapped whole at each commit before the commit is acknowledged, and
//! merged in the background. It selects candidates; `gate` evaluates each fully. It must not decide, and it holds no
//! name of a person. INVARIANT: after a commit is acknowledged every later decision sees it.

mod apply;
mod intern;
mod keyed;
mod load;
mod places;
mod reach;
mod report;

use arc_swap::ArcSwap;
use base::{AccountId, ClientId, DatasetId, EntitlementId, GrantId, GroupId, RoleId, ServiceId};
use hashbrown::HashMap;
use policy::{Compiled, DocumentKind};
use std::sync::{Arc, Mutex, PoisonError};
use uuid::Uuid;

pub(crate) use load::ran_whole;
pub use report::MemoryReport;

use crate::documents::Given;
use crate::facts::{Client, DatasetLocation, Guardrail, Level, Role, Scope, Service};
use crate::permit::EvaluationFault;
use crypto::Sha256Digest;
use intern::Interner;
use keyed::Keyed;
use places::Places;

#[cfg(test)]
mod tests;

/// One live membership: the group, and 32 bits of the add's id to tell adds of one edge apart. 8 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct EdgeRow {
    pub(crate) group: u32,
    pub(crate) tag: u32,
}

/// One grant that has not been ended; its times are checked at evaluation. 48 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct GrantRow {
    /// Microseconds since 1970.
    pub(crate) start: i64,
    /// Microseconds since 1970.
    pub(crate) expiry: i64,
    pub(crate) id: GrantId,
    pub(crate) group: u32,
    pub(crate) scope: u32,
    pub(crate) level: Level,
}

/// One live entitlement of a role.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct EntitledRow {
    pub(crate) id: EntitlementId,
    pub(crate) group: u32,
    pub(crate) client: Option<ClientId>,
}

/// A role with its documents compiled.
#[derive(Debug)]
pub(crate) struct RoleState {
    pub(crate) role: Arc<Role>,
    pub(crate) policies: Vec<Arc<Compiled>>,
    pub(crate) boundary: Option<Arc<Compiled>>,
    /// Set when a document is missing or malformed: every evaluation of the role is then a deny.
    pub(crate) fault: Option<EvaluationFault>,
}

/// A dataset's location with its policy compiled.
#[derive(Debug)]
pub(crate) struct LocationState {
    pub(crate) location: Arc<DatasetLocation>,
    pub(crate) policy: Option<Arc<Compiled>>,
    pub(crate) fault: Option<EvaluationFault>,
}

/// An account's guardrails compiled.
#[derive(Debug)]
pub(crate) struct GuardrailState {
    pub(crate) guardrail: Arc<Guardrail>,
    pub(crate) levels: Vec<Vec<Arc<Compiled>>>,
    pub(crate) fault: Option<EvaluationFault>,
}

/// Brings a document by digest; the digest of the bytes is checked.
pub(crate) trait Documents {
    /// The compiled document, or why there is none.
    fn compiled(&self, digest: &Sha256Digest, kind: DocumentKind) -> Result<Arc<Compiled>, EvaluationFault>;
}

/// Everything that decisions read, at one position of the store. Cloning it costs the delta.
#[derive(Clone, Default)]
pub(crate) struct World {
    groups: Arc<Interner<GroupId>>,
    scopes: Arc<Interner<Scope>>,
    members: Keyed<EdgeRow>,
    grants: Keyed<GrantRow>,
    roles: Arc<HashMap<RoleId, Arc<RoleState>>>,
    role_names: Arc<HashMap<String, RoleId>>,
    entitlements: Arc<HashMap<RoleId, Arc<[EntitledRow]>>>,
    locations: Arc<HashMap<DatasetId, Arc<LocationState>>>,
    buckets: Arc<HashMap<String, Arc<Places>>>,
    guardrails: Arc<HashMap<AccountId, Arc<GuardrailState>>>,
    clients: Arc<HashMap<ClientId, Arc<Client>>>,
    audiences: Arc<HashMap<String, ClientId>>,
    services: Arc<HashMap<ServiceId, Arc<Service>>>,
    trusts: Trusts,
    /// Microseconds of the newest fact that is in: what "as known at" means for a decision made here.
    known: i64,
    /// The number of the newest fact that is in: the hooks see them in their order.
    newest: u64,
}

/// The trusts of roles, compiled when they are first asked for. Every other world has its own.
#[derive(Default)]
struct Trusts(Mutex<HashMap<RoleId, Given>>);

impl Clone for Trusts {
    fn clone(&self) -> Self {
        Self::default()
    }
}

/// Which groups count for a session: sorted, by number.
pub(crate) enum GroupSet<'a> {
    /// Every live group of the member.
    All(&'a [EdgeRow]),
    /// Some of them.
    Some(Vec<u32>),
}

impl GroupSet<'_> {
    pub(crate) fn contains(&self, group: u32) -> bool {
        match self {
            Self::All(edges) => edges.binary_search_by_key(&group, |edge| edge.group).is_ok(),
            Self::Some(groups) => groups.binary_search(&group).is_ok(),
        }
    }
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::All(edges) => edges.len(),
            Self::Some(groups) => groups.len(),
        }
    }
    fn at(&self, n: usize) -> Option<u32> {
        match self {
            Self::All(edges) => edges.get(n).map(|edge| edge.group),
            Self::Some(groups) => groups.get(n).copied(),
        }
    }
    /// The groups in order, each once.
    pub(crate) fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        let mut last = None;
        (0..self.len()).filter_map(|n| self.at(n)).filter(move |group| last.replace(*group) != Some(*group))
    }
}

impl World {
    /// The live memberships of a person or service, sorted by group.
    pub(crate) fn edges(&self, member: Uuid) -> &[EdgeRow] {
        self.members.of(member)
    }

    /// The grants of a dataset that are not ended, sorted by group.
    pub(crate) fn grants(&self, dataset: DatasetId) -> &[GrantRow] {
        self.grants.of(dataset.uuid())
    }

    /// The grants of a dataset that go to one of `groups`: the smaller side leads.
    pub(crate) fn candidates<'w>(
        &'w self,
        dataset: DatasetId,
        groups: &GroupSet<'_>,
        mut each: impl FnMut(&'w GrantRow),
    ) {
        let rows = self.grants(dataset);
        if rows.len() <= groups.len() {
            rows.iter().filter(|row| groups.contains(row.group)).for_each(each);
            return;
        }
        for group in groups.iter() {
            let from = rows.partition_point(|row| row.group < group);
            rows.iter().skip(from).take_while(|row| row.group == group).for_each(&mut each);
        }
    }

    /// The groups that `carry` leaves of a member's, for a role assumed through `client`; `None` when no live group
    /// of the member entitles the role.
    pub(crate) fn carried(
        &self,
        member: Uuid,
        role: &Role,
        client: Option<ClientId>,
        carry: crate::Carry,
    ) -> Option<GroupSet<'_>> {
        let edges = self.edges(member);
        let entitling = self.entitling(edges, role.id, client);
        if entitling.is_empty() {
            return None;
        }
        Some(match carry {
            crate::Carry::All => GroupSet::All(edges),
            crate::Carry::Entitling => GroupSet::Some(entitling),
        })
    }

    /// Those of `edges` that entitle `role` through `client`, sorted.
    pub(crate) fn entitling(&self, edges: &[EdgeRow], role: RoleId, client: Option<ClientId>) -> Vec<u32> {
        let rows = self.entitlements.get(&role).map_or(&[][..], |rows| rows);
        let live = |row: &&EntitledRow| {
            let through = row.client.is_none_or(|wanted| client == Some(wanted));
            let trusted = client.is_none_or(|client| self.clients.contains_key(&client));
            through && trusted && edges.binary_search_by_key(&row.group, |edge| edge.group).is_ok()
        };
        let mut groups: Vec<u32> = rows.iter().filter(live).map(|row| row.group).collect();
        groups.sort_unstable();
        groups.dedup();
        groups
    }

    /// The live entitlements of a role.
    pub(crate) fn entitlements(&self, role: RoleId) -> &[EntitledRow] {
        self.entitlements.get(&role).map_or(&[], |rows| rows)
    }

    /// The trust of a role: `make` compiles it from this world, once.
    pub(crate) fn trust(
        &self,
        role: RoleId,
        make: impl FnOnce() -> Result<Given, EvaluationFault>,
    ) -> Result<Given, EvaluationFault> {
        let mut made = self.trusts.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(trust) = made.get(&role) {
            return Ok(trust.clone());
        }
        let trust = make()?;
        made.insert(role, trust.clone());
        Ok(trust)
    }

    /// The number of a group, if any fact named it.
    pub(crate) fn group_number(&self, group: GroupId) -> Option<u32> {
        self.groups.find(&group)
    }

    /// The group of a number.
    pub(crate) fn group(&self, number: u32) -> Option<GroupId> {
        self.groups.value(number).copied()
    }

    /// The scope of a number.
    pub(crate) fn scope(&self, number: u32) -> Option<&Scope> {
        self.scopes.value(number)
    }

    pub(crate) fn role(&self, role: RoleId) -> Option<&Arc<RoleState>> {
        self.roles.get(&role)
    }

    pub(crate) fn role_by_arn(&self, arn: &str) -> Option<&Arc<RoleState>> {
        self.role_names.get(arn).and_then(|id| self.roles.get(id))
    }

    pub(crate) fn roles(&self) -> impl Iterator<Item = &Arc<RoleState>> {
        self.roles.values()
    }

    pub(crate) fn location(&self, dataset: DatasetId) -> Option<&Arc<LocationState>> {
        self.locations.get(&dataset)
    }

    pub(crate) fn locations(&self) -> impl Iterator<Item = &Arc<LocationState>> {
        self.locations.values()
    }

    /// The dataset of `bucket/key` and the prefix of its place.
    pub(crate) fn locate(&self, bucket: &str, key: &str) -> Option<(&Arc<LocationState>, &str)> {
        self.buckets.get(bucket)?.find(key)
    }

    /// The places of a bucket, sorted by prefix.
    pub(crate) fn places(&self, bucket: &str) -> impl Iterator<Item = (&str, DatasetId)> {
        self.buckets.get(bucket).into_iter().flat_map(|places| places.iter())
    }

    /// The places of a bucket that contain `prefix` or lie under it, sorted.
    pub(crate) fn places_meeting<'a>(
        &'a self,
        bucket: &str,
        prefix: &'a str,
    ) -> impl Iterator<Item = (&'a str, DatasetId)> {
        self.buckets.get(bucket).into_iter().flat_map(move |places| places.meeting(prefix))
    }

    /// Every bucket in which a dataset has a place.
    pub(crate) fn buckets(&self) -> impl Iterator<Item = &str> {
        self.buckets.keys().map(String::as_str)
    }

    pub(crate) fn guardrail(&self, account: AccountId) -> Option<&Arc<GuardrailState>> {
        self.guardrails.get(&account)
    }

    pub(crate) fn client(&self, client: ClientId) -> Option<&Arc<Client>> {
        self.clients.get(&client)
    }

    pub(crate) fn client_by_audience(&self, audience: &str) -> Option<&Arc<Client>> {
        self.audiences.get(audience).and_then(|id| self.clients.get(id))
    }

    /// The live clients, by id.
    pub(crate) fn clients_sorted(&self) -> Vec<&Arc<Client>> {
        let mut all: Vec<_> = self.clients.values().collect();
        all.sort_unstable_by_key(|client| client.id);
        all
    }

    pub(crate) fn service(&self, service: ServiceId) -> Option<&Arc<Service>> {
        self.services.get(&service)
    }

    /// Microseconds of the newest fact that is in.
    pub(crate) const fn known(&self) -> i64 {
        self.known
    }

    /// The number of the newest fact that is in.
    pub(crate) const fn newest(&self) -> u64 {
        self.newest
    }
}

/// The index of this process.
pub(crate) struct Index {
    world: ArcSwap<World>,
    writer: Mutex<()>,
}

impl Index {
    pub(crate) fn new(world: World) -> Self {
        Self { world: ArcSwap::from_pointee(world), writer: Mutex::new(()) }
    }

    /// The world of this moment; a decision reads one world from beginning to end.
    pub(crate) fn world(&self) -> arc_swap::Guard<Arc<World>> {
        self.world.load()
    }

    /// Takes the loaded world.
    pub(crate) fn begin(&self, world: World) {
        let _one_writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        self.world.store(Arc::new(world));
    }

    /// Takes in the facts of one commit, all at once.
    pub(crate) fn apply(&self, facts: &[store::Fact], documents: &dyn Documents) {
        let _one_writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let mut world = World::clone(&self.world.load());
        for fact in facts {
            world.apply(fact, documents);
        }
        self.world.store(Arc::new(world));
    }

    /// Compiles again what had a fault: its documents may be there now.
    pub(crate) fn heal(&self, documents: &dyn Documents) {
        let _one_writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let mut world = World::clone(&self.world.load());
        world.heal(documents);
        self.world.store(Arc::new(world));
    }

    /// Merges the delta into a new base when that pays. The build runs beside writes; the swap is short.
    pub(crate) fn merge(&self) -> bool {
        let older = self.world.load_full();
        let (members, grants) = (older.members.wants_merge(), older.grants.wants_merge());
        if !members && !grants {
            return false;
        }
        let merged_members = members.then(|| older.members.merged());
        let merged_grants = grants.then(|| older.grants.merged());
        let _one_writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let mut world = World::clone(&self.world.load());
        if let Some(merged) = merged_members {
            world.members.rebase(&merged, &older.members);
        }
        if let Some(merged) = merged_grants {
            world.grants.rebase(&merged, &older.grants);
        }
        self.world.store(Arc::new(world));
        true
    }
}
