//! Names that people use become ids: groups, people, services, roles, clients, domains and datasets may be named by either.

use access::{Action, Installation, Member, action::api};
use base::{ClientId, DatasetId, DomainId, ErrorKind, GroupId, PersonId, RoleId, ServiceId};
use governance::Domain;

use super::{
    extract::{Caller, Named},
    problem::Problem,
};

/// What was found, or the refusal. That something is absent is told only to a caller who may list its kind; anybody else
/// gets the gate's refusal, as for something that is there, so that names cannot be probed.
async fn told<A, T>(caller: &Caller, list: A, found: Result<T, Problem>) -> Result<T, Problem>
where
    A: Action<Resource = Installation>,
{
    match found {
        Err(problem) if problem.is(ErrorKind::NotFound) => {
            caller.see(list, Installation).await?;
            Err(problem)
        }
        found => found,
    }
}

impl Named for GroupId {
    /// The group with this id or name.
    async fn named(caller: &Caller, text: &str) -> Result<Self, Problem> {
        let found = caller.state.directory.resolve_group(text).await.map_err(Problem::from);
        told(caller, api::ListGroups, found).await
    }
}

/// The groups with these ids or names.
pub(super) async fn groups(caller: &Caller, texts: &[String]) -> Result<Vec<GroupId>, Problem> {
    let mut ids = Vec::with_capacity(texts.len());
    for text in texts {
        ids.push(GroupId::named(caller, text).await?);
    }
    Ok(ids)
}

/// What a request names, if it names one.
pub(super) async fn one_if<T: Named>(caller: &Caller, text: Option<&String>) -> Result<Option<T>, Problem> {
    match text {
        Some(text) => T::named(caller, text).await.map(Some),
        None => Ok(None),
    }
}

/// The person or the service that a request names, if it names one.
pub(super) async fn member_if(
    caller: &Caller,
    person: Option<&String>,
    service: Option<&String>,
) -> Result<Option<Member>, Problem> {
    Ok(match (person, service) {
        (Some(_), Some(_)) => return Err(Problem::invalid("name a `person` or a `service`, not both")),
        (person, None) => one_if::<PersonId>(caller, person).await?.map(Member::Person),
        (None, service) => one_if::<ServiceId>(caller, service).await?.map(Member::Service),
    })
}

/// The groups that a change names, if it names any list of them.
pub(super) async fn groups_if(caller: &Caller, texts: Option<&Vec<String>>) -> Result<Option<Vec<GroupId>>, Problem> {
    match texts {
        Some(texts) => groups(caller, texts).await.map(Some),
        None => Ok(None),
    }
}

impl Named for PersonId {
    /// The person with this id or user name.
    async fn named(caller: &Caller, text: &str) -> Result<Self, Problem> {
        let found = caller.state.directory.resolve_person(text).await.map_err(Problem::from);
        told(caller, api::ListPeople, found).await
    }
}

impl Named for RoleId {
    /// The role with this id, ARN or name.
    async fn named(caller: &Caller, text: &str) -> Result<Self, Problem> {
        if let Ok(id) = text.parse() {
            return Ok(id);
        }
        let access = &caller.state.access;
        let role = access.role_by_arn(text).or_else(|| access.roles().into_iter().find(|role| role.name == text));
        let found = role.map(|role| role.id).ok_or_else(|| Problem::not_found("role", text));
        told(caller, api::ListRoles, found).await
    }
}

impl Named for ClientId {
    /// The client with this id or client id.
    async fn named(caller: &Caller, text: &str) -> Result<Self, Problem> {
        let found = caller.state.directory.resolve_client(text).await.map(|client| client.id).map_err(Problem::from);
        told(caller, api::ListClients, found).await
    }
}

impl Named for ServiceId {
    /// The service with this id, also one that has ended: it can be asked about. Or the live one with this name.
    async fn named(caller: &Caller, text: &str) -> Result<Self, Problem> {
        let directory = &caller.state.directory;
        let found = match text.parse::<Self>() {
            Ok(id) => directory.service_name(id).await?.map(|_| id).ok_or_else(|| Problem::not_found("service", text)),
            Err(_) => directory.resolve_service(text).await.map(|it| it.id).map_err(Problem::from),
        };
        told(caller, api::ListServices, found).await
    }
}

impl Named for Domain {
    /// The domain with this id or name.
    async fn named(caller: &Caller, text: &str) -> Result<Self, Problem> {
        let found = match text.parse::<DomainId>() {
            Ok(id) => caller.state.governance.domain(id).await.map_err(Problem::from),
            Err(_) => {
                let found = caller.state.governance.domain_by_name(text).await?;
                found.ok_or_else(|| Problem::not_found("domain", text))
            }
        };
        told(caller, api::ListDomains, found).await
    }
}

impl Named for DatasetId {
    /// The dataset with this id or name. One that the caller may not know of has no name to them.
    async fn named(caller: &Caller, text: &str) -> Result<Self, Problem> {
        let found = match text.parse::<Self>() {
            Ok(id) => caller.state.governance.dataset(id).await.map(|_| id).map_err(Problem::from),
            Err(_) => {
                let found = caller.state.governance.dataset_by_name(text).await?.map(|dataset| dataset.id);
                let known = found.filter(|dataset| caller.state.access.knows_of(&caller.op, *dataset));
                known.ok_or_else(|| Problem::not_found("dataset", text))
            }
        };
        told(caller, api::ListDatasets, found).await
    }
}
