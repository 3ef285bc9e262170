//! Names for evidence, joined from the parts that know them: people, services, groups and clients from the directory, datasets from
//! governance, roles from access.

use access::Access;
use async_trait::async_trait;
use base::{ClientId, DatasetId, GrantId, GroupId, PersonId, RoleId, ServiceId};
use directory::Directory;
use evidence::{Granted, Name, Named, Names};
use governance::Governance;

/// The parts that know names.
pub(crate) struct KnownNames {
    pub(crate) access: Access,
    pub(crate) directory: Directory,
    pub(crate) governance: Governance,
}

fn known(name: Option<String>) -> Name {
    name.map_or(Name::Unknown, Name::Known)
}

#[async_trait]
impl Names for KnownNames {
    async fn person(&self, person: PersonId) -> Name {
        match self.directory.personal_of(person).await {
            Ok(Some(personal)) => Name::Known(personal.username.as_str().to_owned()),
            Ok(None) => Name::Erased,
            Err(_) => Name::Unknown,
        }
    }
    async fn service(&self, service: ServiceId) -> Name {
        known(self.directory.service_name(service).await.ok().flatten())
    }
    async fn group(&self, group: GroupId) -> Name {
        known(self.directory.group(group).await.ok().flatten().map(|group| group.name.to_string()))
    }
    async fn role(&self, role: RoleId) -> Name {
        known(self.access.role(role).map(|role| role.name.clone()))
    }
    async fn client(&self, client: ClientId) -> Name {
        known(self.access.client(client).map(|client| client.name.clone()))
    }
    async fn domain_of(&self, dataset: DatasetId) -> Option<Named> {
        let (dataset, _) = self.governance.dataset(dataset).await.ok()?;
        let domain = self.governance.domain(dataset.domain).await.ok()?;
        Some(Named::new(domain.id, Name::Known(domain.name)))
    }
    async fn owner_of(&self, dataset: DatasetId) -> Option<Named> {
        let owner = self.access.location(dataset)?.owner;
        Some(Named::new(owner, self.group(owner).await))
    }
    async fn dataset(&self, dataset: DatasetId) -> Name {
        known(self.governance.dataset(dataset).await.ok().map(|(dataset, _)| dataset.name))
    }
    async fn grant(&self, grant: GrantId) -> Option<Granted> {
        let grant = self.governance.grant(grant).await.ok()?.grant;
        Some(Granted { dataset: grant.dataset, group: grant.group, level: grant.level.as_str() })
    }
}
