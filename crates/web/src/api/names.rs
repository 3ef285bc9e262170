//! Names beside the ids of rows, joined when a row is shown. A person's user name is a personal attribute: it is joined only
//! for a caller who may see people, and that it was shown is recorded; whoever may not has asked for no name and leaves no refusal.

use access::{Installation, action::api};
use base::{DatasetId, DomainId, GroupId, PersonId, RoleId, ServiceId};
use evidence::Name;

use super::extract::Caller;

/// Gives the names that one caller may see.
pub(super) struct Names<'a> {
    caller: &'a Caller,
    people: bool,
}

impl<'a> Names<'a> {
    /// For rows without people.
    pub(super) const fn of_things(caller: &'a Caller) -> Self {
        Self { caller, people: false }
    }

    /// For a list: with people, if the caller may list them.
    pub(super) async fn of_list(caller: &'a Caller) -> Self {
        Self { caller, people: caller.sees(api::ListPeople, Installation).await }
    }

    /// For one row: with its person, if the caller may see that person.
    pub(super) async fn of_row(caller: &'a Caller, person: Option<PersonId>) -> Self {
        let people = match person {
            Some(person) => caller.sees(api::ShowPerson, person).await,
            None => false,
        };
        Self { caller, people }
    }

    pub(super) async fn person(&self, person: Option<PersonId>) -> Option<String> {
        let person = person.filter(|_| self.people)?;
        known(self.caller.state.names.person(person).await)
    }

    pub(super) async fn service(&self, service: Option<ServiceId>) -> Option<String> {
        known(self.caller.state.names.service(service?).await)
    }

    pub(super) async fn group(&self, group: GroupId) -> Option<String> {
        known(self.caller.state.names.group(group).await)
    }

    /// The names of groups, in their order; the id stands for one without a name.
    pub(super) async fn groups(&self, groups: &[GroupId]) -> Vec<String> {
        let mut names = Vec::with_capacity(groups.len());
        for group in groups {
            names.push(self.group(*group).await.unwrap_or_else(|| group.to_string()));
        }
        names
    }

    pub(super) async fn role(&self, role: RoleId) -> Option<String> {
        known(self.caller.state.names.role(role).await)
    }

    pub(super) async fn dataset(&self, dataset: DatasetId) -> Option<String> {
        known(self.caller.state.names.dataset(dataset).await)
    }

    pub(super) async fn domain(&self, domain: DomainId) -> Option<String> {
        self.caller.state.governance.domain(domain).await.ok().map(|domain| domain.name)
    }
}

fn known(name: Name) -> Option<String> {
    match name {
        Name::Known(name) => Some(name),
        Name::Erased | Name::Unknown => None,
    }
}
