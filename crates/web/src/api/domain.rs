//! `/domains`: business areas that own datasets.

use access::{DomainTarget, Installation, Outcome, action::api};
use axum::{
    Json,
    extract::{Path, State as Shared},
    http::StatusCode,
};
use governance::{ChangeDomain, Domain, NewDomain};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    Problem, State,
    extract::{Body, Caller, End, Page, PageQuery, PageRequest},
    resolve,
};

pub(super) fn routes() -> OpenApiRouter<State> {
    OpenApiRouter::new().routes(routes!(create, list)).routes(routes!(show, change)).routes(routes!(end))
}

/// A domain.
#[derive(Serialize, ToSchema)]
struct DomainRow {
    /// Its id.
    id: String,
    /// Its name.
    name: String,
    /// Id of the group that owns it.
    owner: String,
    /// Ids of the groups that look after it.
    stewards: Vec<String>,
}

impl From<Domain> for DomainRow {
    fn from(domain: Domain) -> Self {
        Self {
            id: domain.id.to_string(),
            name: domain.name,
            owner: domain.owner.to_string(),
            stewards: domain.stewards.iter().map(ToString::to_string).collect(),
        }
    }
}

/// A domain to make.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct CreateDomain {
    /// Its name.
    name: String,
    /// Id or name of the group that owns it.
    owner: String,
    /// Ids or names of the groups that look after it.
    #[serde(default)]
    stewards: Vec<String>,
}

/// What changes; what is absent stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ChangedDomain {
    /// The new name.
    #[serde(default)]
    name: Option<String>,
    /// Id or name of the new owner group.
    #[serde(default)]
    owner: Option<String>,
    /// Ids or names of the new steward groups.
    #[serde(default)]
    stewards: Option<Vec<String>>,
}

/// Make a domain
#[utoipa::path(post, path = "/domains", tag = "domain", request_body = CreateDomain, responses((status = 201, body = DomainRow)))]
async fn create(
    Shared(state): Shared<State>,
    caller: Caller,
    Body(body): Body<CreateDomain>,
) -> Result<(StatusCode, Json<DomainRow>), Problem> {
    let owner = resolve::group(&state, &caller.op, &body.owner).await?;
    let stewards = resolve::groups(&state, &caller.op, &body.stewards).await?;
    let permit = state.access.authorize(&caller.op, api::CreateDomain, Installation).await?;
    let domain = state.governance.create_domain(permit, NewDomain { name: body.name, owner, stewards }).await?;
    Ok((StatusCode::CREATED, Json(domain.into())))
}

/// List domains
#[utoipa::path(get, path = "/domains", tag = "domain", params(PageQuery), responses((status = 200, body = Page<DomainRow>)))]
async fn list(
    Shared(state): Shared<State>,
    caller: Caller,
    page: PageRequest,
) -> Result<Json<Page<DomainRow>>, Problem> {
    let permit = state.access.authorize(&caller.op, api::ListDomains, Installation).await?;
    let domains = state.governance.domains(permit, page.after_id()?, page.limit + 1).await?;
    let rows = domains.into_iter().map(DomainRow::from).collect();
    Ok(Json(Page::of(rows, page.limit, |row| row.id.clone())))
}

/// Show one domain
#[utoipa::path(get, path = "/domains/{id}", tag = "domain", params(("id" = String, Path)), responses((status = 200, body = DomainRow)))]
async fn show(
    Shared(state): Shared<State>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<DomainRow>, Problem> {
    let domain = resolve::domain(&state, &caller.op, &id).await?;
    let permit = state.access.authorize(&caller.op, api::ShowDomain, target(&domain)).await?;
    permit.finish(Outcome::DONE);
    Ok(Json(domain.into()))
}

/// Change a domain
#[utoipa::path(patch, path = "/domains/{id}", tag = "domain", params(("id" = String, Path)), request_body = ChangedDomain, responses((status = 200, body = DomainRow)))]
async fn change(
    Shared(state): Shared<State>,
    caller: Caller,
    Path(id): Path<String>,
    Body(body): Body<ChangedDomain>,
) -> Result<Json<DomainRow>, Problem> {
    let domain = resolve::domain(&state, &caller.op, &id).await?;
    let owner = match &body.owner {
        Some(owner) => Some(resolve::group(&state, &caller.op, owner).await?),
        None => None,
    };
    let stewards = match &body.stewards {
        Some(stewards) => Some(resolve::groups(&state, &caller.op, stewards).await?),
        None => None,
    };
    let permit = state.access.authorize(&caller.op, api::ChangeDomain, target(&domain)).await?;
    let changed = state.governance.change_domain(permit, ChangeDomain { name: body.name, owner, stewards }).await?;
    Ok(Json(changed.into()))
}

/// End a domain
#[utoipa::path(post, path = "/domains/{id}/end", tag = "domain", params(("id" = String, Path)), request_body = End, responses((status = 204)))]
async fn end(
    Shared(state): Shared<State>,
    caller: Caller,
    Path(id): Path<String>,
    Body(body): Body<End>,
) -> Result<StatusCode, Problem> {
    let domain = resolve::domain(&state, &caller.op, &id).await?;
    let permit = state.access.authorize(&caller.op, api::EndDomain, target(&domain)).await?;
    state.governance.end_domain(permit, body.reason()?).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A domain as the gate's resource.
pub(super) fn target(domain: &Domain) -> DomainTarget {
    DomainTarget { domain: domain.id, owner: domain.owner, stewards: domain.stewards.clone() }
}
