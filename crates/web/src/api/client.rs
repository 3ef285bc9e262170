//! `/clients`: OpenID Connect clients, which are also what roles trust.

use base::ClientId;
use directory::{Client, ClientChange, ClientKind, GroupClaim, NewClient};

use super::common::*;

pub(super) fn routes() -> OpenApiRouter<State> {
    OpenApiRouter::new()
        .routes(routes!(create, list))
        .routes(routes!(show, change))
        .routes(routes!(renew_secret))
        .routes(routes!(end))
}

/// A client.
#[derive(Serialize, ToSchema)]
struct ClientRow {
    /// Its id.
    id: String,
    /// Its client id, which is the audience of its tokens.
    client_id: String,
    /// What people call it.
    name: String,
    /// Whether it has a secret.
    confidential: bool,
    /// Where it may be redirected to.
    redirect_uris: Vec<String>,
    /// Where a browser may be sent after signing out.
    post_logout_uris: Vec<String>,
    /// Client ids for which it may ask tokens too.
    audiences: Vec<String>,
    /// Whether it may use the device code.
    device: bool,
    /// The secret; shown once, when it is made.
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<String>,
}

impl Row for ClientRow {
    type Of = Client;
    async fn of(_: &Names<'_>, client: Client) -> Self {
        let it = client.registered;
        Self {
            id: client.id.to_string(),
            client_id: it.client_id,
            name: it.name,
            confidential: it.kind == ClientKind::Confidential,
            redirect_uris: it.redirect_uris,
            post_logout_uris: it.post_logout_uris,
            audiences: it.audiences,
            device: it.device,
            secret: None,
        }
    }
    fn key(&self) -> String {
        self.id.clone()
    }
}

/// A client to register.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct CreateClient {
    /// Its name, which is also its client id: 2 to 128 letters, digits and `._~:/-`.
    name: String,
    /// Where it may be redirected to.
    #[serde(default)]
    redirect_uris: Vec<String>,
    /// Give it a secret.
    #[serde(default)]
    confidential: bool,
    /// Client ids for which it may ask tokens too.
    #[serde(default)]
    audiences: Vec<String>,
    /// Where a browser may be sent after signing out.
    #[serde(default)]
    post_logout_uris: Vec<String>,
    /// Whether it may use the device code.
    #[serde(default)]
    device: bool,
}

async fn row(caller: &Caller, id: ClientId) -> Result<Shown<ClientRow>, Problem> {
    caller.shown(id, caller.state.directory.resolve_client(&id.to_string())).await
}

/// What changes; what is absent stays. The client id and the kind never change.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ChangedClient {
    /// The new name to show.
    #[serde(default)]
    name: Option<String>,
    /// Where it may be redirected to, in place of all old addresses.
    #[serde(default)]
    redirect_uris: Option<Vec<String>>,
    /// Where a browser may be sent after signing out, in place of all old addresses.
    #[serde(default)]
    post_logout_uris: Option<Vec<String>>,
    /// Client ids for which it may ask tokens too, in place of all old ones.
    #[serde(default)]
    audiences: Option<Vec<String>>,
    /// Whether it may use the device code.
    #[serde(default)]
    device: Option<bool>,
}

/// Register a client
#[utoipa::path(post, path = "/clients", tag = "client", request_body = CreateClient, responses((status = 201, body = ClientRow)))]
async fn create(caller: Caller, Body(body): Body<CreateClient>) -> Result<Shown<ClientRow>, Problem> {
    let new = NewClient {
        client_id: body.name.clone(),
        name: body.name,
        kind: if body.confidential { ClientKind::Confidential } else { ClientKind::Public },
        redirect_uris: body.redirect_uris,
        post_logout_uris: body.post_logout_uris,
        audiences: body.audiences,
        es256: false,
        groups: GroupClaim::Ids,
        aws: true,
        device: body.device,
    };
    let permit = caller.may(api::CreateClient, Installation).await?;
    let (id, secret) = caller.state.directory.register_client(permit, new).await?;
    let mut made = row(&caller, id).await?;
    made.row_mut().secret = secret.map(|secret| secret.expose().clone());
    Ok(made.made())
}

/// List clients
#[utoipa::path(get, path = "/clients", tag = "client", params(PageQuery), responses((status = 200, body = Page<ClientRow>)))]
async fn list(caller: Caller, page: PageRequest) -> Result<Json<Page<ClientRow>>, Problem> {
    let permit = caller.may(api::ListClients, Installation).await?;
    let clients = caller.state.directory.list_clients(permit, page.after_id()?, page.limit + 1).await?;
    Ok(Page::of(&Names::of_things(&caller), clients, page.limit).await)
}

/// Show one client
#[utoipa::path(get, path = "/clients/{id}", tag = "client", params(("id" = String, Path)), responses((status = 200, body = ClientRow)))]
async fn show(At(caller, id): At<ClientId>) -> Result<Shown<ClientRow>, Problem> {
    caller.see(api::ShowClient, id).await?;
    row(&caller, id).await
}

/// Change a client
#[utoipa::path(patch, path = "/clients/{id}", tag = "client", params(("id" = String, Path)), request_body = ChangedClient, responses((status = 200, body = ClientRow)))]
async fn change(At(caller, id): At<ClientId>, Body(body): Body<ChangedClient>) -> Result<Shown<ClientRow>, Problem> {
    let ChangedClient { name, redirect_uris, post_logout_uris, audiences, device } = body;
    let change = ClientChange { name, redirect_uris, post_logout_uris, audiences, device };
    let permit = caller.may(api::ChangeClient, id).await?;
    caller.state.directory.change_client(permit, change).await?;
    row(&caller, id).await
}

/// Give a confidential client another secret: the old one stops working at once
#[utoipa::path(post, path = "/clients/{id}/renew-secret", tag = "client", params(("id" = String, Path)), responses((status = 200, body = ClientRow)))]
async fn renew_secret(At(caller, id): At<ClientId>) -> Result<Shown<ClientRow>, Problem> {
    let permit = caller.may(api::ChangeClient, id).await?;
    let secret = caller.state.directory.renew_client_secret(permit).await?;
    let mut shown = row(&caller, id).await?;
    shown.row_mut().secret = Some(secret.expose().clone());
    Ok(shown)
}

/// End a client: no tokens for it, and no role trusts it any more
#[utoipa::path(post, path = "/clients/{id}/end", tag = "client", params(("id" = String, Path)), request_body = End, responses((status = 204)))]
async fn end(At(caller, id): At<ClientId>, Body(body): Body<End>) -> Result<StatusCode, Problem> {
    let permit = caller.may(api::EndClient, id).await?;
    caller.state.directory.end_client(permit, Some(body.reason()?)).await?;
    Ok(StatusCode::NO_CONTENT)
}
