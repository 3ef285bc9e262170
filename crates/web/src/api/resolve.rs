//! Names that people use become ids: groups, people, roles, clients, domains and datasets may be named by either.

use access::{Action, Installation, action::api};
use base::{ClientId, DatasetId, DomainId, ErrorKind, GroupId, PersonId, RoleId};
use governance::{Dataset, Domain};

use super::{extract::Caller, problem::Problem};

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

/// The group with this id or name.
pub(super) async fn group(caller: &Caller, text: &str) -> Result<GroupId, Problem> {
    let found = caller.state.directory.resolve_group(text).await.map_err(Problem::from);
    told(caller, api::ListGroups, found).await
}

/// The groups with these ids or names.
pub(super) async fn groups(caller: &Caller, texts: &[String]) -> Result<Vec<GroupId>, Problem> {
    let mut ids = Vec::with_capacity(texts.len());
    for text in texts {
        ids.push(group(caller, text).await?);
    }
    Ok(ids)
}

/// The group that a change names, if it names one.
pub(super) async fn group_if(caller: &Caller, text: Option<&String>) -> Result<Option<GroupId>, Problem> {
    match text {
        Some(text) => group(caller, text).await.map(Some),
        None => Ok(None),
    }
}

/// The groups that a change names, if it names any list of them.
pub(super) async fn groups_if(caller: &Caller, texts: Option<&Vec<String>>) -> Result<Option<Vec<GroupId>>, Problem> {
    match texts {
        Some(texts) => groups(caller, texts).await.map(Some),
        None => Ok(None),
    }
}

/// The person with this id or user name.
pub(super) async fn person(caller: &Caller, text: &str) -> Result<PersonId, Problem> {
    let found = caller.state.directory.resolve_person(text).await.map_err(Problem::from);
    told(caller, api::ListPeople, found).await
}

/// The role with this id, ARN or name.
pub(super) async fn role(caller: &Caller, text: &str) -> Result<RoleId, Problem> {
    if let Ok(id) = text.parse() {
        return Ok(id);
    }
    let access = &caller.state.access;
    let role = access.role_by_arn(text).or_else(|| access.roles().into_iter().find(|role| role.name == text));
    let found = role.map(|role| role.id).ok_or_else(|| Problem::not_found("role", text));
    told(caller, api::ListRoles, found).await
}

/// The client with this id or client id.
pub(super) async fn client(caller: &Caller, text: &str) -> Result<ClientId, Problem> {
    let found = caller.state.directory.resolve_client(text).await.map(|client| client.id).map_err(Problem::from);
    told(caller, api::ListClients, found).await
}

/// The domain with this id or name.
pub(super) async fn domain(caller: &Caller, text: &str) -> Result<Domain, Problem> {
    let found = match text.parse::<DomainId>() {
        Ok(id) => caller.state.governance.domain(id).await.map_err(Problem::from),
        Err(_) => {
            let found = caller.state.governance.domain_by_name(text).await?;
            found.ok_or_else(|| Problem::not_found("domain", text))
        }
    };
    told(caller, api::ListDomains, found).await
}

/// The dataset with this id or name.
pub(super) async fn dataset(caller: &Caller, text: &str) -> Result<Dataset, Problem> {
    let found = match text.parse::<DatasetId>() {
        Ok(id) => caller.state.governance.dataset(id).await.map(|(dataset, _)| dataset).map_err(Problem::from),
        Err(_) => {
            let found = caller.state.governance.dataset_by_name(text).await?;
            found.ok_or_else(|| Problem::not_found("dataset", text))
        }
    };
    told(caller, api::ListDatasets, found).await
}
