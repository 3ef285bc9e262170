//! Names of what ids stand for, joined at display time and never stored in a story's evidence.

use access::{Access, OpContext};
use async_trait::async_trait;
use base::{Actor, ClientId, DatasetId, GrantId, GroupId, PersonId, RoleId, ServiceId};
use serde::{Deserialize, Serialize};
use std::fmt;

/// What something is called.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Name {
    /// This.
    Known(String),
    /// It had a name; the person was erased.
    Erased,
    /// Nothing is known under the id.
    Unknown,
}

/// Gives names; what an implementation does not give is not known. The directory knows people, groups, services and clients; governance knows datasets; access knows roles.
#[async_trait]
pub trait Names: Send + Sync {
    /// A person's name.
    async fn person(&self, _person: PersonId) -> Name {
        Name::Unknown
    }
    /// A machine's name.
    async fn service(&self, _service: ServiceId) -> Name {
        Name::Unknown
    }
    /// A group's name.
    async fn group(&self, _group: GroupId) -> Name {
        Name::Unknown
    }
    /// A role's name.
    async fn role(&self, _role: RoleId) -> Name {
        Name::Unknown
    }
    /// A client's name.
    async fn client(&self, _client: ClientId) -> Name {
        Name::Unknown
    }
    /// A dataset's name.
    async fn dataset(&self, _dataset: DatasetId) -> Name {
        Name::Unknown
    }
    /// Whether whoever reads may know of a dataset, and so of who was granted it.
    async fn knows_of(&self, _dataset: DatasetId) -> bool {
        true
    }
    /// The domain of a dataset, where it is known.
    async fn domain_of(&self, _dataset: DatasetId) -> Option<Named> {
        None
    }
    /// The group that owns a dataset, where it is known.
    async fn owner_of(&self, _dataset: DatasetId) -> Option<Named> {
        None
    }
    /// What a grant opens and to whom, where it is known.
    async fn grant(&self, _grant: GrantId) -> Option<Granted> {
        None
    }
}

/// The names that a caller may know: those of datasets alone are not for everybody.
pub struct KnownTo<'a> {
    /// All names.
    pub names: &'a dyn Names,
    /// Who knows of what.
    pub access: &'a Access,
    /// The caller.
    pub op: &'a OpContext,
}

#[async_trait]
impl Names for KnownTo<'_> {
    async fn person(&self, person: PersonId) -> Name {
        self.names.person(person).await
    }
    async fn service(&self, service: ServiceId) -> Name {
        self.names.service(service).await
    }
    async fn group(&self, group: GroupId) -> Name {
        self.names.group(group).await
    }
    async fn role(&self, role: RoleId) -> Name {
        self.names.role(role).await
    }
    async fn client(&self, client: ClientId) -> Name {
        self.names.client(client).await
    }
    async fn dataset(&self, dataset: DatasetId) -> Name {
        if self.access.knows_of(self.op, dataset) { self.names.dataset(dataset).await } else { Name::Unknown }
    }
    async fn knows_of(&self, dataset: DatasetId) -> bool {
        self.access.knows_of(self.op, dataset)
    }
    async fn domain_of(&self, dataset: DatasetId) -> Option<Named> {
        if self.access.knows_of(self.op, dataset) { self.names.domain_of(dataset).await } else { None }
    }
    async fn owner_of(&self, dataset: DatasetId) -> Option<Named> {
        if self.access.knows_of(self.op, dataset) { self.names.owner_of(dataset).await } else { None }
    }
    async fn grant(&self, grant: GrantId) -> Option<Granted> {
        self.names.grant(grant).await
    }
}

/// What people know a grant by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Granted {
    /// The dataset that it opens.
    pub dataset: DatasetId,
    /// The group that it goes to.
    pub group: GroupId,
    /// How much it allows.
    pub level: &'static str,
}

/// An id with its name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Named {
    /// The id, as text.
    pub id: String,
    /// The name.
    pub name: Name,
}

impl Named {
    /// An id with what it is called.
    pub fn new(id: impl fmt::Display, name: Name) -> Self {
        Self { id: id.to_string(), name }
    }

    pub(crate) async fn actor(names: &dyn Names, actor: Actor) -> Self {
        let name = match actor {
            Actor::Person(person) => names.person(person).await,
            Actor::Service(service) => names.service(service).await,
            Actor::System => Name::Known("Galen itself".to_owned()),
        };
        Self::new(actor, name)
    }

    pub(crate) async fn group(names: &dyn Names, group: GroupId) -> Self {
        Self::new(group, names.group(group).await)
    }

    pub(crate) async fn role(names: &dyn Names, role: RoleId) -> Self {
        Self::new(role, names.role(role).await)
    }

    pub(crate) async fn dataset(names: &dyn Names, dataset: DatasetId) -> Self {
        Self::new(dataset, names.dataset(dataset).await)
    }

    pub(crate) async fn client(names: &dyn Names, client: ClientId) -> Self {
        Self::new(client, names.client(client).await)
    }
}

impl fmt::Display for Named {
    /// The name; where there is none, the id and why.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Name::Known(name) => f.write_str(name),
            Name::Erased => write!(f, "{} (erased)", self.id),
            Name::Unknown => f.write_str(&self.id),
        }
    }
}
