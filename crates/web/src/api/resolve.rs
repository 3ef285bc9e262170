//! Names that people use become ids: groups, people, roles, clients, domains and datasets may be named by either.

use access::{Action, Installation, OpContext, Outcome, action::api};
use base::{ClientId, DatasetId, DomainId, ErrorKind, GroupId, PersonId, RoleId};
use governance::{Dataset, Domain};

use super::{State, problem::Problem};

/// What was found, or the refusal. That something is absent is told only to a caller who may list its kind; anybody else
/// gets the gate's refusal, as for something that is there, so that names cannot be probed.
async fn told<A, T>(state: &State, op: &OpContext, list: A, found: Result<T, Problem>) -> Result<T, Problem>
where
    A: Action<Resource = Installation>,
{
    match found {
        Err(problem) if problem.is(ErrorKind::NotFound) => {
            let permit = state.access.authorize(op, list, Installation).await?;
            permit.finish(Outcome::DONE);
            Err(problem)
        }
        found => found,
    }
}

/// The group with this id or name.
pub(super) async fn group(state: &State, op: &OpContext, text: &str) -> Result<GroupId, Problem> {
    let found = state.directory.resolve_group(text).await.map_err(Problem::from);
    told(state, op, api::ListGroups, found).await
}

/// The groups with these ids or names.
pub(super) async fn groups(state: &State, op: &OpContext, texts: &[String]) -> Result<Vec<GroupId>, Problem> {
    let mut ids = Vec::with_capacity(texts.len());
    for text in texts {
        ids.push(group(state, op, text).await?);
    }
    Ok(ids)
}

/// The person with this id or user name.
pub(super) async fn person(state: &State, op: &OpContext, text: &str) -> Result<PersonId, Problem> {
    let found = state.directory.resolve_person(text).await.map_err(Problem::from);
    told(state, op, api::ListPeople, found).await
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
pub(super) async fn client(state: &State, op: &OpContext, text: &str) -> Result<ClientId, Problem> {
    let found = state.directory.resolve_client(text).await.map(|client| client.id).map_err(Problem::from);
    told(state, op, api::ListClients, found).await
}

/// The domain with this id or name.
pub(super) async fn domain(state: &State, op: &OpContext, text: &str) -> Result<Domain, Problem> {
    let found = match text.parse::<DomainId>() {
        Ok(id) => state.governance.domain(id).await.map_err(Problem::from),
        Err(_) => {
            let found = state.governance.domain_by_name(text).await?;
            found.ok_or_else(|| Problem::not_found("domain", text))
        }
    };
    told(state, op, api::ListDomains, found).await
}

/// The dataset with this id or name.
pub(super) async fn dataset(state: &State, op: &OpContext, text: &str) -> Result<Dataset, Problem> {
    let found = match text.parse::<DatasetId>() {
        Ok(id) => state.governance.dataset(id).await.map(|(dataset, _)| dataset).map_err(Problem::from),
        Err(_) => {
            let found = state.governance.dataset_by_name(text).await?;
            found.ok_or_else(|| Problem::not_found("dataset", text))
        }
    };
    told(state, op, api::ListDatasets, found).await
}
