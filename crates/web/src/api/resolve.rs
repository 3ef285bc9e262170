//! Names that people use become ids: groups, people, roles, clients, domains and datasets may be named by either.

use base::{ClientId, DatasetId, DomainId, GroupId, PersonId, RoleId};
use governance::{Dataset, Domain};

use super::{State, problem::Problem};

/// The group with this id or name.
pub(super) async fn group(state: &State, text: &str) -> Result<GroupId, Problem> {
    Ok(state.directory.resolve_group(text).await?)
}

/// The groups with these ids or names.
pub(super) async fn groups(state: &State, texts: &[String]) -> Result<Vec<GroupId>, Problem> {
    let mut ids = Vec::with_capacity(texts.len());
    for text in texts {
        ids.push(group(state, text).await?);
    }
    Ok(ids)
}

/// The person with this id or user name.
pub(super) async fn person(state: &State, text: &str) -> Result<PersonId, Problem> {
    Ok(state.directory.resolve_person(text).await?)
}

/// The role with this id, ARN or name.
pub(super) fn role(state: &State, text: &str) -> Result<RoleId, Problem> {
    if let Ok(id) = text.parse() {
        return Ok(id);
    }
    let role = state.access.role_by_arn(text);
    let role = role.or_else(|| state.access.roles().into_iter().find(|role| role.name == text));
    role.map(|role| role.id).ok_or_else(|| Problem::not_found("role", text))
}

/// The client with this id or client id.
pub(super) async fn client(state: &State, text: &str) -> Result<ClientId, Problem> {
    Ok(state.directory.resolve_client(text).await?.id)
}

/// The domain with this id or name.
pub(super) async fn domain(state: &State, text: &str) -> Result<Domain, Problem> {
    match text.parse::<DomainId>() {
        Ok(id) => Ok(state.governance.domain(id).await?),
        Err(_) => {
            let found = state.governance.domain_by_name(text).await?;
            found.ok_or_else(|| Problem::not_found("domain", text))
        }
    }
}

/// The dataset with this id or name.
pub(super) async fn dataset(state: &State, text: &str) -> Result<Dataset, Problem> {
    match text.parse::<DatasetId>() {
        Ok(id) => Ok(state.governance.dataset(id).await?.0),
        Err(_) => {
            let found = state.governance.dataset_by_name(text).await?;
            found.ok_or_else(|| Problem::not_found("dataset", text))
        }
    }
}
