//! One fact into the world. It follows the same rules as the folds: an end wins, a remove takes what it names.

use base::{EntitlementId, GrantId, GroupId, MembershipId, RoleId, ServiceId};
use policy::{Compiled, DocumentKind};
use serde::de::DeserializeOwned;
use std::collections::BTreeSet;
use std::sync::Arc;
use store::Fact;
use uuid::Uuid;

use super::{Documents, EdgeRow, EntitledRow, GrantRow, GuardrailState, LocationState, Places, RoleState, World};
use crate::facts::{
    Client, DatasetLocation, Entitlement, Grant, GrantEnded, Guardrail, Membership, MembershipRemoved, NamedDocument,
    Place, Role, Service, kind,
};
use crate::permit::EvaluationFault;
use base::{AccountId, ClientId, DatasetId};

fn body<T: DeserializeOwned>(fact: &Fact) -> Option<T> {
    // The folds have refused any body that does not parse, in the same commit.
    T::deserialize(&fact.body).ok()
}

/// 32 bits of a membership's id, from its random end.
pub(crate) fn tag(id: MembershipId) -> u32 {
    let [.., a, b, c, d] = *id.bytes();
    u32::from_be_bytes([a, b, c, d])
}

impl World {
    /// Takes in one fact; kinds of other crates change nothing.
    pub(crate) fn apply(&mut self, fact: &Fact, documents: &dyn Documents) {
        self.known = self.known.max(fact.recorded.micros());
        self.newest = self.newest.max(fact.seq);
        let done = self.put(fact, documents);
        match fact.kind.as_str() {
            kind::ROLE_ENDED => self.role_end(RoleId::from_uuid(fact.subject)),
            kind::LOCATION_ENDED => self.location_end(DatasetId::from_uuid(fact.subject)),
            kind::CLIENT_ENDED => self.client_end(ClientId::from_uuid(fact.subject)),
            kind::SERVICE_ENDED => self.service_end(ServiceId::from_uuid(fact.subject)),
            _ => {}
        }
        if done.is_none() {
            tracing::error!(kind = %fact.kind, fact = %fact.id, "a stored fact does not parse: run `galen state verify`");
        }
    }

    /// What a body changes; `None` for a body that does not parse.
    fn put(&mut self, fact: &Fact, documents: &dyn Documents) -> Option<()> {
        match fact.kind.as_str() {
            kind::MEMBERSHIP_ADDED => body(fact).map(|add: Membership| self.member_add(&add)),
            kind::MEMBERSHIP_REMOVED => body(fact).map(|remove: MembershipRemoved| self.member_remove(&remove)),
            kind::GRANT_CREATED => body(fact).map(|grant: Grant| self.grant_add(&grant)),
            kind::GRANT_ENDED => body(fact).map(|ended: GrantEnded| self.grant_end(ended.dataset, ended.id)),
            kind::ENTITLEMENT_CREATED => body(fact).map(|it: Entitlement| self.entitle(&it)),
            kind::ENTITLEMENT_ENDED => body(fact).map(|it: Entitlement| self.entitlement_end(it.role, it.id)),
            kind::ROLE_CREATED | kind::ROLE_CHANGED => body(fact).map(|role: Role| self.role_put(role, documents)),
            kind::LOCATION_PUT => body(fact).map(|it: DatasetLocation| self.location_put(it, documents)),
            kind::GUARDRAIL_PUT => body(fact).map(|it: Guardrail| self.guardrail_put(it, documents)),
            kind::CLIENT_PUT => body(fact).map(|client: Client| self.client_put(client)),
            kind::SERVICE_PUT => body(fact).map(|service: Service| self.service_put(service)),
            _ => Some(()),
        }
    }

    /// The number of a group; groups are counted in 32 bits, far beyond any directory.
    pub(crate) fn group_give(&mut self, group: GroupId) -> u32 {
        if let Some(found) = self.groups.find(&group) {
            return found;
        }
        Arc::make_mut(&mut self.groups).give(&group).unwrap_or(u32::MAX)
    }

    pub(crate) fn member_add(&mut self, add: &Membership) {
        let row = EdgeRow { group: self.group_give(add.group), tag: tag(add.id) };
        let member = add.member.uuid();
        let mut list = self.members.of(member).to_vec();
        if !list.contains(&row) {
            let at = list.partition_point(|edge| edge.group < row.group);
            list.insert(at, row);
            self.members.put(member, list);
        }
    }

    fn member_remove(&mut self, remove: &MembershipRemoved) {
        let Some(group) = self.groups.find(&remove.group) else { return };
        let tags: Vec<u32> = remove.removes.iter().map(|id| tag(*id)).collect();
        let member = remove.member.uuid();
        let mut list = self.members.of(member).to_vec();
        list.retain(|edge| edge.group != group || !tags.contains(&edge.tag));
        self.members.put(member, list);
    }

    pub(crate) fn grant_row(&mut self, grant: &Grant) -> GrantRow {
        let group = self.group_give(grant.group);
        let scope = match self.scopes.find(&grant.scope) {
            Some(found) => found,
            // A scope that has no number matches nothing: see `World::scope`.
            None => Arc::make_mut(&mut self.scopes).give(&grant.scope).unwrap_or(u32::MAX),
        };
        GrantRow {
            start: grant.start.as_microsecond(),
            expiry: grant.expiry.as_microsecond(),
            id: grant.id,
            group,
            scope,
            level: grant.level,
        }
    }

    pub(crate) fn grant_add(&mut self, grant: &Grant) {
        let row = self.grant_row(grant);
        let key = grant.dataset.uuid();
        let mut list = self.grants.of(key).to_vec();
        if !list.iter().any(|other| other.id == row.id) {
            let at = list.partition_point(|other| other.group < row.group);
            list.insert(at, row);
            self.grants.put(key, list);
        }
    }

    /// Many grants at once, into the base.
    #[cfg(any(test, feature = "bench"))]
    pub(crate) fn grants_put(&mut self, grants: &[Grant]) {
        let mut lists = hashbrown::HashMap::<Uuid, Vec<GrantRow>>::new();
        for grant in grants {
            let row = self.grant_row(grant);
            lists.entry(grant.dataset.uuid()).or_default().push(row);
        }
        lists.values_mut().for_each(|list| list.sort_by_key(|row| row.group));
        self.grants = super::Keyed::build(lists.into_iter(), grants.len());
    }

    fn grant_end(&mut self, dataset: DatasetId, grant: GrantId) {
        let mut list = self.grants.of(dataset.uuid()).to_vec();
        list.retain(|row| row.id != grant);
        self.grants.put(dataset.uuid(), list);
    }

    pub(crate) fn entitle(&mut self, it: &Entitlement) {
        let row = EntitledRow { id: it.id, group: self.group_give(it.group), client: it.client };
        self.entitlement_rows(it.role, |rows| {
            if !rows.iter().any(|other| other.id == row.id) {
                rows.push(row);
            }
        });
    }

    fn entitlement_end(&mut self, role: RoleId, id: EntitlementId) {
        self.entitlement_rows(role, |rows| rows.retain(|row| row.id != id));
    }

    fn entitlement_rows(&mut self, role: RoleId, change: impl FnOnce(&mut Vec<EntitledRow>)) {
        let all = Arc::make_mut(&mut self.entitlements);
        let mut rows = all.get(&role).map_or_else(Vec::new, |rows| rows.to_vec());
        change(&mut rows);
        all.insert(role, rows.into());
    }

    pub(crate) fn role_put(&mut self, role: Role, documents: &dyn Documents) {
        if let Some(before) = self.roles.get(&role.id) {
            Arc::make_mut(&mut self.role_names).remove(&before.role.arn());
        }
        Arc::make_mut(&mut self.role_names).insert(role.arn(), role.id);
        let state = role_state(role, documents);
        Arc::make_mut(&mut self.roles).insert(state.role.id, Arc::new(state));
    }

    fn role_end(&mut self, role: RoleId) {
        if let Some(state) = Arc::make_mut(&mut self.roles).remove(&role) {
            let names = Arc::make_mut(&mut self.role_names);
            if names.get(&state.role.arn()) == Some(&role) {
                names.remove(&state.role.arn());
            }
        }
    }

    pub(crate) fn location_put(&mut self, location: DatasetLocation, documents: &dyn Documents) {
        let state = Arc::new(location_state(location, documents));
        let dataset = state.location.dataset;
        let before = Arc::make_mut(&mut self.locations).insert(dataset, Arc::clone(&state));
        let before = before.iter().flat_map(|before| &before.location.places);
        self.places_change(dataset, before.chain(&state.location.places), Some(&state));
    }

    /// Many locations at once, where there is none yet: the places of a bucket are built once.
    pub(crate) fn locations_put(&mut self, locations: Vec<DatasetLocation>, documents: &dyn Documents) {
        let mut by_bucket: hashbrown::HashMap<String, Vec<_>> = hashbrown::HashMap::new();
        let all = Arc::make_mut(&mut self.locations);
        for location in locations {
            let state = Arc::new(location_state(location, documents));
            for place in &state.location.places {
                let places = by_bucket.entry_ref(place.bucket.as_str()).or_default();
                places.push((Arc::from(place.prefix.as_str()), Arc::clone(&state)));
            }
            all.insert(state.location.dataset, state);
        }
        let built = by_bucket.into_iter().map(|(bucket, places)| (bucket, Arc::new(Places::new(places))));
        self.buckets = Arc::new(built.collect());
    }

    fn location_end(&mut self, dataset: DatasetId) {
        if let Some(state) = Arc::make_mut(&mut self.locations).remove(&dataset) {
            self.places_change(dataset, state.location.places.iter(), None);
        }
    }

    /// Rebuilds the buckets of `touched` with the places of `after` for those that the dataset had.
    fn places_change<'p>(
        &mut self,
        dataset: DatasetId,
        touched: impl Iterator<Item = &'p Place>,
        after: Option<&Arc<LocationState>>,
    ) {
        let touched: BTreeSet<&str> = touched.map(|place| place.bucket.as_str()).collect();
        let buckets = Arc::make_mut(&mut self.buckets);
        for bucket in touched {
            let others = buckets.get(bucket).into_iter().flat_map(|places| places.rows());
            let others = others.filter(|(_, state)| state.location.dataset != dataset);
            let own = after.into_iter().flat_map(|state| state.location.places.iter().map(move |place| (place, state)));
            let own = own.filter(|(place, _)| place.bucket == bucket);
            let own = own.map(|(place, state)| (Arc::from(place.prefix.as_str()), Arc::clone(state)));
            let places = Places::new(others.map(|(prefix, state)| (Arc::clone(prefix), Arc::clone(state))).chain(own));
            if places.is_empty() {
                buckets.remove(bucket);
            } else {
                buckets.insert(bucket.to_owned(), Arc::new(places));
            }
        }
    }

    pub(crate) fn guardrail_put(&mut self, guardrail: Guardrail, documents: &dyn Documents) {
        let account: AccountId = guardrail.account;
        let level = |named: &Vec<NamedDocument>| compile(named, DocumentKind::ServiceControl, documents);
        let levels = guardrail.levels.iter().map(level).collect::<Result<Vec<_>, _>>();
        let (levels, fault) = levels.map_or_else(|what| (Vec::new(), Some(what)), |levels| (levels, None));
        let all = Arc::make_mut(&mut self.guardrails);
        if guardrail.levels.is_empty() {
            all.remove(&account);
        } else {
            all.insert(account, Arc::new(GuardrailState { guardrail: Arc::new(guardrail), levels, fault }));
        }
    }

    pub(crate) fn client_put(&mut self, client: Client) {
        let audiences = Arc::make_mut(&mut self.audiences);
        if let Some(before) = self.clients.get(&client.id) {
            audiences.remove(&before.audience);
        }
        audiences.insert(client.audience.clone(), client.id);
        Arc::make_mut(&mut self.clients).insert(client.id, Arc::new(client));
    }

    fn client_end(&mut self, client: ClientId) {
        if let Some(gone) = Arc::make_mut(&mut self.clients).remove(&client) {
            Arc::make_mut(&mut self.audiences).remove(&gone.audience);
        }
    }

    pub(crate) fn service_put(&mut self, service: Service) {
        Arc::make_mut(&mut self.services).insert(service.id, Arc::new(service));
    }

    fn service_end(&mut self, service: ServiceId) {
        Arc::make_mut(&mut self.services).remove(&service);
    }

    /// Compiles again every role, location and guardrail that has a fault.
    pub(crate) fn heal(&mut self, documents: &dyn Documents) {
        let roles: Vec<Role> =
            self.roles.values().filter(|state| state.fault.is_some()).map(|state| Role::clone(&state.role)).collect();
        roles.into_iter().for_each(|role| self.role_put(role, documents));
        let faulty = self.locations.values().filter(|state| state.fault.is_some());
        let locations: Vec<DatasetLocation> = faulty.map(|state| DatasetLocation::clone(&state.location)).collect();
        locations.into_iter().for_each(|location| self.location_put(location, documents));
        let faulty = self.guardrails.values().filter(|state| state.fault.is_some());
        let guardrails: Vec<Guardrail> = faulty.map(|state| Guardrail::clone(&state.guardrail)).collect();
        guardrails.into_iter().for_each(|guardrail| self.guardrail_put(guardrail, documents));
    }

    /// The lists of one member or dataset, for loading.
    pub(crate) fn load_lists(
        &mut self,
        members: impl Iterator<Item = (Uuid, Vec<EdgeRow>)>,
        edges: usize,
        grants: impl Iterator<Item = (Uuid, Vec<GrantRow>)>,
        rows: usize,
        known: i64,
    ) {
        let sorted_edges = |(key, mut list): (Uuid, Vec<EdgeRow>)| {
            list.sort_unstable_by_key(|edge| (edge.group, edge.tag));
            (key, list)
        };
        let sorted_grants = |(key, mut list): (Uuid, Vec<GrantRow>)| {
            list.sort_by_key(|row| row.group);
            (key, list)
        };
        self.members = super::Keyed::build(members.map(sorted_edges), edges);
        self.grants = super::Keyed::build(grants.map(sorted_grants), rows);
        self.known = known;
    }
}

fn compile(
    named: &[NamedDocument],
    kind: DocumentKind,
    documents: &dyn Documents,
) -> Result<Vec<Arc<Compiled>>, EvaluationFault> {
    named.iter().map(|document| documents.compiled(&document.digest, kind)).collect()
}

fn location_state(location: DatasetLocation, documents: &dyn Documents) -> LocationState {
    let policy = location.policy.map(|digest| documents.compiled(&digest, DocumentKind::Resource)).transpose();
    let (policy, fault) = policy.map_or_else(|fault| (None, Some(fault)), |policy| (policy, None));
    LocationState { location: Arc::new(location), policy, fault }
}

fn role_state(role: Role, documents: &dyn Documents) -> RoleState {
    let policies = compile(&role.policies, DocumentKind::Identity, documents);
    let boundary = role.boundary.as_ref().map(|b| documents.compiled(&b.digest, DocumentKind::Boundary)).transpose();
    let role = Arc::new(role);
    match (policies, boundary) {
        (Ok(policies), Ok(boundary)) => RoleState { role, policies, boundary, fault: None },
        (Err(fault), _) | (_, Err(fault)) => {
            RoleState { role, policies: Vec::new(), boundary: None, fault: Some(fault) }
        }
    }
}
