//! `/services`: machines that sign in with a secret of their own, each with a person who answers for it.

use access::ResourceRef;
use base::{PersonId, ServiceId};
use directory::{Made, Service, ServiceChange};

use super::{
    approval::{ApprovalRow, waits_with},
    common::*,
};

pub(super) fn routes() -> OpenApiRouter<State> {
    OpenApiRouter::new()
        .routes(routes!(create, list))
        .routes(routes!(show, change))
        .routes(routes!(renew_secret))
        .routes(routes!(end))
}

/// A service.
#[derive(Serialize, ToSchema)]
struct ServiceRow {
    /// Its id, for ever; also its client id, the subject of its tokens and the source identity of its sessions.
    id: String,
    /// Its name.
    name: String,
    /// Id of the person who answers for it.
    owner: String,
    /// Their user name, for a caller who may see them.
    owner_name: Option<String>,
    /// Whether that person may still sign in; where not, give it another owner.
    owner_active: bool,
    /// The secret; shown once, when it is made.
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<String>,
}

impl Row for ServiceRow {
    type Of = Service;
    async fn of(names: &Names<'_>, it: Service) -> Self {
        Self {
            id: it.id.to_string(),
            name: it.name,
            owner: it.owner.to_string(),
            owner_name: names.person(Some(it.owner)).await,
            owner_active: it.owner_active,
            secret: None,
        }
    }
    fn key(&self) -> String {
        self.id.clone()
    }
}

/// A service to register.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct CreateService {
    /// Its name, unique among live services: 2 to 64 lower-case letters, digits and `._-`, a letter first.
    name: String,
    /// Id or user name of the person who answers for it.
    owner: String,
}

/// What changes; what is absent stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ChangedService {
    /// The new name.
    #[serde(default)]
    name: Option<String>,
    /// Id or user name of the new owner.
    #[serde(default)]
    owner: Option<String>,
}

async fn row(caller: &Caller, id: ServiceId) -> Result<Shown<ServiceRow>, Problem> {
    let version = caller.version(ResourceRef::Service(id)).await?;
    let it = caller.state.directory.resolve_service(&id.to_string()).await?;
    let names = Names::of_row(caller, Some(it.owner)).await;
    Ok(Shown::of(version, ServiceRow::of(&names, it).await))
}

/// Register a service: the answer has its secret, which is shown this once
#[utoipa::path(post, path = "/services", tag = "service", request_body = CreateService, responses((status = 201, body = ServiceRow)))]
async fn create(caller: Caller, Body(body): Body<CreateService>) -> Result<Shown<ServiceRow>, Problem> {
    let name = parse(&body.name)?;
    let owner = <PersonId as Named>::named(&caller, &body.owner).await?;
    let permit = caller.may(api::CreateService, Installation).await?;
    let (id, secret) = caller.state.directory.create_service(permit, name, owner).await?;
    let mut made = row(&caller, id).await?;
    made.row_mut().secret = Some(secret.expose().clone());
    Ok(made.made())
}

/// List services
#[utoipa::path(get, path = "/services", tag = "service", params(PageQuery), responses((status = 200, body = Page<ServiceRow>)))]
async fn list(caller: Caller, page: PageRequest) -> Result<Json<Page<ServiceRow>>, Problem> {
    let permit = caller.may(api::ListServices, Installation).await?;
    let services = caller.state.directory.list_services(permit, page.after_id()?, page.limit + 1).await?;
    Ok(Page::of(&Names::of_list(&caller).await, services, page.limit).await)
}

/// Show one service
#[utoipa::path(get, path = "/services/{id}", tag = "service", params(("id" = String, Path)), responses((status = 200, body = ServiceRow)))]
async fn show(At(caller, id): At<ServiceId>) -> Result<Shown<ServiceRow>, Problem> {
    caller.see(api::ShowService, id).await?;
    row(&caller, id).await
}

/// Change a service's name or owner
#[utoipa::path(patch, path = "/services/{id}", tag = "service", params(("id" = String, Path)), request_body = ChangedService, responses((status = 200, body = ServiceRow)))]
async fn change(At(caller, id): At<ServiceId>, Body(body): Body<ChangedService>) -> Result<Shown<ServiceRow>, Problem> {
    let name = body.name.as_deref().map(parse).transpose()?;
    let owner = resolve::one_if(&caller, body.owner.as_ref()).await?;
    let permit = caller.may(api::ChangeService, id).await?;
    caller.state.directory.change_service(permit, ServiceChange { name, owner }).await?;
    row(&caller, id).await
}

/// Give a service another secret: the old one stops and its sessions are cut; where the service reaches data, ask for it: a second person approves
#[utoipa::path(post, path = "/services/{id}/renew-secret", tag = "service", params(("id" = String, Path)), request_body = End, responses((status = 200, body = ServiceRow), (status = 202, body = ApprovalRow)))]
async fn renew_secret(At(caller, id): At<ServiceId>, Body(body): Body<End>) -> Result<Response, Problem> {
    let reason = body.reason()?;
    let permit = caller.may(api::RenewServiceSecret, id).await?;
    let (secret, made) = caller.state.directory.renew_service_secret(permit, Some(reason)).await?;
    let secret = Some(secret.expose().clone());
    Ok(match made {
        Made::Now(()) => {
            let mut shown = row(&caller, id).await?;
            shown.row_mut().secret = secret;
            shown.into_response()
        }
        Made::Waits(waiting) => waits_with(&caller, *waiting, secret).await,
    })
}

/// End a service: its secret and its sessions are refused, and it is in no group any more
#[utoipa::path(post, path = "/services/{id}/end", tag = "service", params(("id" = String, Path)), request_body = End, responses((status = 204)))]
async fn end(At(caller, id): At<ServiceId>, Body(body): Body<End>) -> Result<StatusCode, Problem> {
    let reason = body.reason()?;
    let permit = caller.may(api::EndService, id).await?;
    caller.state.directory.end_service(permit, Some(reason)).await?;
    Ok(StatusCode::NO_CONTENT)
}
