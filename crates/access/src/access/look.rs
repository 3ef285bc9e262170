//! Looking things up in the index: no decision, no record.

use base::{ClientId, DatasetId, GroupId, PersonId, RoleId, ServiceId};
use hashbrown::HashSet;
use std::sync::Arc;

use super::{Access, Inner};
use crate::action::{Class, Need};
use crate::facts::{Client, DatasetLocation, Entitlement, Role, Service};
use crate::gate::{Ask, Subject};
use crate::resource::{Bucket, Member};
use crate::{OpContext, Visible};

/// Where a key belongs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Located {
    /// The dataset with its places, kind, classification and key.
    pub location: Arc<DatasetLocation>,
    /// The prefix of the place that holds the key; the rest of the key is inside the dataset.
    pub prefix: String,
}

/// The datasets that a caller may know of.
#[derive(Debug)]
pub struct Catalogue(Shown);

#[derive(Debug)]
enum Shown {
    All,
    Some(HashSet<DatasetId>),
}

impl Catalogue {
    /// Whether the caller may know that this dataset exists.
    pub fn shows(&self, dataset: DatasetId) -> bool {
        match &self.0 {
            Shown::All => true,
            Shown::Some(known) => known.contains(&dataset),
        }
    }
}

impl Access {
    /// The areas of `bucket` that the session may list now, for LIST and for the 404-or-403 rule. Not a permit; the
    /// LIST itself is authorised.
    pub fn visible(&self, op: &OpContext, bucket: &str) -> Visible {
        self.0.areas(op, bucket)
    }

    /// The buckets in which the session can see something, sorted.
    pub fn visible_buckets(&self, op: &OpContext) -> Vec<String> {
        let mut buckets: Vec<String> = self.0.index.world().buckets().map(str::to_owned).collect();
        buckets.sort_unstable();
        let op = OpContext { keys: crate::RequestKeys::default(), ..op.clone() };
        buckets.retain(|bucket| !self.0.areas(&op, bucket).is_empty());
        buckets
    }

    /// The datasets that the session may know of: for lists and search. Not a permit; the listing itself is authorised.
    pub fn catalogue(&self, op: &OpContext) -> Catalogue {
        let world = self.0.index.world();
        let Some(session) = op.session.as_deref() else { return Catalogue(Shown::All) };
        match Subject::of(&world, session) {
            Ok(subject) if subject.reads_catalogue() => Catalogue(Shown::All),
            Ok(subject) => {
                let known = world.locations().filter(|state| subject.knows_of(&world, state, op.at));
                Catalogue(Shown::Some(known.map(|state| state.location.dataset).collect()))
            }
            Err(_) => Catalogue(Shown::Some(HashSet::new())),
        }
    }

    /// Whether the session may know of one dataset. Not a permit: for what a refusal may name.
    pub fn knows_of(&self, op: &OpContext, dataset: DatasetId) -> bool {
        let world = self.0.index.world();
        let Some(state) = world.location(dataset) else { return false };
        let subject = op.session.as_deref().and_then(|session| Subject::of(&world, session).ok());
        subject.is_some_and(|subject| subject.reads_catalogue() || subject.knows_of(&world, state, op.at))
    }

    /// The dataset to which `bucket/key` belongs, by longest prefix.
    pub fn locate(&self, bucket: &str, key: &str) -> Option<Located> {
        let world = self.0.index.world();
        let (state, prefix) = world.locate(bucket, key)?;
        Some(Located { location: Arc::clone(&state.location), prefix: prefix.to_owned() })
    }

    /// Every dataset with a place in `bucket`, each once, by prefix.
    pub fn locations_in(&self, bucket: &str) -> Vec<Arc<DatasetLocation>> {
        let world = self.0.index.world();
        let mut found: Vec<Arc<DatasetLocation>> = Vec::new();
        for (_, dataset) in world.places(bucket) {
            if !found.iter().any(|location| location.dataset == dataset) {
                found.extend(world.location(dataset).map(|state| Arc::clone(&state.location)));
            }
        }
        found
    }

    /// The location of a dataset.
    pub fn location(&self, dataset: DatasetId) -> Option<Arc<DatasetLocation>> {
        self.0.index.world().location(dataset).map(|state| Arc::clone(&state.location))
    }

    /// A live role.
    pub fn role(&self, role: RoleId) -> Option<Arc<Role>> {
        self.0.index.world().role(role).map(|state| Arc::clone(&state.role))
    }

    /// The live role of this ARN.
    pub fn role_by_arn(&self, arn: &str) -> Option<Arc<Role>> {
        self.0.index.world().role_by_arn(arn).map(|state| Arc::clone(&state.role))
    }

    /// Every live role, by name.
    pub fn roles(&self) -> Vec<Arc<Role>> {
        let mut roles: Vec<Arc<Role>> = self.0.index.world().roles().map(|state| Arc::clone(&state.role)).collect();
        roles.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        roles
    }

    /// The live entitlements of a role, by id.
    pub fn entitlements_of(&self, role: RoleId) -> Vec<Entitlement> {
        let world = self.0.index.world();
        let rows = world.entitlements(role).iter();
        let mut all: Vec<Entitlement> = rows
            .filter_map(|row| {
                Some(Entitlement { id: row.id, group: world.group(row.group)?, role, client: row.client })
            })
            .collect();
        all.sort_unstable_by_key(|it| it.id);
        all
    }

    /// The trust policy of a role, as compiled from its entitlements and clients now.
    pub fn trust_document(&self, role: RoleId) -> Option<String> {
        let world = self.0.index.world();
        let account = world.role(role)?.role.account;
        Some(crate::gate::trust_document(&world, role, account))
    }

    /// The live OIDC client whose tokens have this audience.
    pub fn client_by_audience(&self, audience: &str) -> Option<Arc<Client>> {
        self.0.index.world().client_by_audience(audience).cloned()
    }

    /// A live OIDC client.
    pub fn client(&self, client: ClientId) -> Option<Arc<Client>> {
        self.0.index.world().client(client).cloned()
    }

    /// A live service.
    pub fn service(&self, service: ServiceId) -> Option<Arc<Service>> {
        self.0.index.world().service(service).cloned()
    }

    /// The live groups of a person, sorted.
    pub fn groups_of(&self, person: PersonId) -> Vec<GroupId> {
        let world = self.0.index.world();
        let mut groups: Vec<GroupId> =
            world.edges(person.uuid()).iter().filter_map(|edge| world.group(edge.group)).collect();
        groups.sort_unstable();
        groups.dedup();
        groups
    }

    /// Whether a group owns or looks after a dataset.
    pub fn owns(&self, group: GroupId) -> bool {
        let world = self.0.index.world();
        world.locations().any(|state| state.location.owner == group || state.location.stewards.contains(&group))
    }

    /// The live groups that entitle `member` to `role` through `client` now, sorted; empty: not entitled.
    pub fn entitling(&self, member: Member, role: RoleId, client: Option<ClientId>) -> Vec<GroupId> {
        let world = self.0.index.world();
        let numbers = world.entitling(world.edges(member.uuid()), role, client);
        let mut groups: Vec<GroupId> = numbers.into_iter().filter_map(|n| world.group(n)).collect();
        groups.sort_unstable();
        groups
    }

    /// The groups that entitle to `role`, through whatever client, sorted.
    pub fn entitled_groups(&self, role: RoleId) -> Vec<GroupId> {
        let world = self.0.index.world();
        let mut groups: Vec<GroupId> =
            world.entitlements(role).iter().filter_map(|row| world.group(row.group)).collect();
        groups.sort_unstable();
        groups.dedup();
        groups
    }

    /// The groups that entitle to a management role, each once.
    pub fn managing_groups(&self) -> Vec<GroupId> {
        let management = self.roles().into_iter().filter(|role| role.management);
        let mut groups: Vec<GroupId> = management.flat_map(|role| self.entitled_groups(role.id)).collect();
        groups.sort_unstable();
        groups.dedup();
        groups
    }

    /// The roles that `member` is entitled to through `client` now, by name.
    pub fn entitled_roles(&self, member: Member, client: Option<ClientId>) -> Vec<Arc<Role>> {
        let mut roles = self.roles();
        roles.retain(|role| !self.entitling(member, role.id, client).is_empty());
        roles
    }
}

impl Inner {
    fn areas(&self, op: &OpContext, bucket: &str) -> Visible {
        let resource = Bucket::new(bucket).into();
        let ask = Ask {
            action: <crate::s3::ListBucket as crate::Action>::NAME,
            class: Class::View,
            need: Need::List,
            resource: &resource,
            trust: None,
        };
        let verdict = self.evaluate(op, &ask, op.at);
        if verdict.allowed() { verdict.visible } else { Visible::default() }
    }
}
