//! `/domains`: business areas that own datasets.

use access::DomainTarget;
use base::{DomainId, GroupId};
use governance::{ChangeDomain, Domain, NewDomain};

use super::common::*;

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
    /// That group's name.
    owner_name: Option<String>,
    /// Ids of the groups that look after it.
    stewards: Vec<String>,
    /// Their names.
    steward_names: Vec<String>,
}

impl Row for DomainRow {
    type Of = Domain;
    async fn of(names: &Names<'_>, domain: Domain) -> Self {
        Self {
            id: domain.id.to_string(),
            name: domain.name,
            owner: domain.owner.to_string(),
            owner_name: names.group(domain.owner).await,
            stewards: domain.stewards.iter().map(ToString::to_string).collect(),
            steward_names: names.groups(&domain.stewards).await,
        }
    }
    fn key(&self) -> String {
        self.id.clone()
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
async fn create(caller: Caller, Body(body): Body<CreateDomain>) -> Result<Shown<DomainRow>, Problem> {
    let owner = GroupId::named(&caller, &body.owner).await?;
    let stewards = resolve::groups(&caller, &body.stewards).await?;
    let permit = caller.may(api::CreateDomain, Installation).await?;
    let made = caller.state.governance.create_domain(permit, NewDomain { name: body.name, owner, stewards }).await?;
    row(&caller, made.id).await.map(Shown::made)
}

/// List domains
#[utoipa::path(get, path = "/domains", tag = "domain", params(PageQuery), responses((status = 200, body = Page<DomainRow>)))]
async fn list(caller: Caller, page: PageRequest) -> Result<Json<Page<DomainRow>>, Problem> {
    let permit = caller.may(api::ListDomains, Installation).await?;
    let domains = caller.state.governance.domains(permit, page.after_id()?, page.limit + 1).await?;
    Ok(Page::of(&Names::of_things(&caller), domains, page.limit).await)
}

/// Show one domain
#[utoipa::path(get, path = "/domains/{id}", tag = "domain", params(("id" = String, Path)), responses((status = 200, body = DomainRow)))]
async fn show(At(caller, domain): At<Domain>) -> Result<Shown<DomainRow>, Problem> {
    caller.see(api::ShowDomain, target(&domain)).await?;
    row(&caller, domain.id).await
}

/// Change a domain
#[utoipa::path(patch, path = "/domains/{id}", tag = "domain", params(("id" = String, Path)), request_body = ChangedDomain, responses((status = 200, body = DomainRow)))]
async fn change(At(caller, domain): At<Domain>, Body(body): Body<ChangedDomain>) -> Result<Shown<DomainRow>, Problem> {
    let owner = resolve::one_if(&caller, body.owner.as_ref()).await?;
    let stewards = resolve::groups_if(&caller, body.stewards.as_ref()).await?;
    let permit = caller.may(api::ChangeDomain, target(&domain)).await?;
    caller.state.governance.change_domain(permit, ChangeDomain { name: body.name, owner, stewards }).await?;
    row(&caller, domain.id).await
}

/// End a domain
#[utoipa::path(post, path = "/domains/{id}/end", tag = "domain", params(("id" = String, Path)), request_body = End, responses((status = 204)))]
async fn end(At(caller, domain): At<Domain>, Body(body): Body<End>) -> Result<StatusCode, Problem> {
    let permit = caller.may(api::EndDomain, target(&domain)).await?;
    caller.state.governance.end_domain(permit, body.reason()?).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn row(caller: &Caller, id: DomainId) -> Result<Shown<DomainRow>, Problem> {
    let governance = &caller.state.governance;
    caller.shown(target(&governance.domain(id).await?), governance.domain(id)).await
}

/// A domain as the gate's resource.
pub(super) fn target(domain: &Domain) -> DomainTarget {
    DomainTarget { domain: domain.id, owner: domain.owner, stewards: domain.stewards.clone() }
}
