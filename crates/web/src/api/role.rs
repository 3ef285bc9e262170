//! `/roles`: what sessions are made from, and who may.

use access::{
    Carry, documents,
    roles::{Management, NewRole, RolePolicy, RoleView},
};
use base::{ClientId, GroupId, RoleId};
use serde_json::Value;

use super::common::*;

pub(super) fn routes() -> OpenApiRouter<State> {
    OpenApiRouter::new()
        .routes(routes!(create, list))
        .routes(routes!(mine))
        .routes(routes!(show, change))
        .routes(routes!(entitle))
        .routes(routes!(unentitle))
        .routes(routes!(end))
}

/// A role.
#[derive(Serialize, ToSchema)]
struct RoleRow {
    /// Its id.
    id: String,
    /// Its ARN.
    arn: String,
    /// Its name.
    name: String,
    /// `entitling`: its sessions carry the groups that entitle to it; `all`: every group of the person.
    carries: String,
    /// Whether it is for the portal and the command line.
    management: bool,
    /// Longest session, in seconds.
    max_session_secs: u32,
    /// Names of its policies.
    policies: Vec<String>,
    /// The documents of these policies, in their order; where one role is shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<Object>>)]
    documents: Option<Vec<Value>>,
    /// Ids of the groups that may assume it.
    groups: Vec<String>,
    /// Their names.
    group_names: Vec<String>,
}

impl Row for RoleRow {
    type Of = RoleView;
    async fn of(names: &Names<'_>, view: RoleView) -> Self {
        let role = view.role;
        Self {
            id: role.id.to_string(),
            arn: role.arn(),
            name: role.name.clone(),
            carries: carries(role.carry).to_owned(),
            management: role.management,
            max_session_secs: role.session_secs_max,
            policies: role.policies.iter().map(|policy| policy.name.clone()).collect(),
            documents: None,
            groups: view.groups.iter().map(ToString::to_string).collect(),
            group_names: names.groups(&view.groups).await,
        }
    }
    fn key(&self) -> String {
        self.id.clone()
    }
}

const fn carries(carry: Carry) -> &'static str {
    match carry {
        Carry::Entitling => "entitling",
        Carry::All => "all",
    }
}

/// A role to make.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct CreateRole {
    /// Its name: 1 to 64 letters, digits and `_+=,.@-`.
    name: String,
    /// Ids or names of the groups that may assume it.
    groups: Vec<String>,
    /// Id or audience of the client that its people sign in with: by default `galen-aws`; `any` for every registered one.
    #[serde(default)]
    client: Option<String>,
    /// `entitling` (the default) or `all`.
    #[serde(default)]
    carries: Option<String>,
    /// Policies: names of managed ones, or documents; without one, the managed policy `GalenDataAccess`.
    #[serde(default)]
    #[schema(value_type = Vec<Object>)]
    policies: Vec<Value>,
    /// Longest session, in seconds: 3,600 (the default) to 43,200.
    #[serde(default)]
    max_session_secs: Option<u32>,
}

/// What changes; what is absent stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ChangedRole {
    /// The new policies: names of managed ones, or documents.
    #[serde(default)]
    #[schema(value_type = Option<Vec<Object>>)]
    policies: Option<Vec<Value>>,
    /// Longest session, in seconds.
    #[serde(default)]
    max_session_secs: Option<u32>,
}

/// The client of the command line's credentials; a role does not trust every registered client unless it is said so.
const CLIENT_DEFAULT: &str = directory::AWS_CLIENT;

/// A session lasts an hour unless the role says otherwise (AWS IAM's default).
const SESSION_SECS_DEFAULT: u32 = 3_600;

/// The client that a role trusts.
async fn client(caller: &Caller, named: Option<&str>) -> Result<Option<ClientId>, Problem> {
    match named.unwrap_or(CLIENT_DEFAULT) {
        "any" => Ok(None),
        client => ClientId::named(caller, client).await.map(Some),
    }
}

/// A string names a managed policy; anything else is a document.
fn role_policies(policies: &[Value]) -> Vec<RolePolicy> {
    let named = |(number, policy): (usize, &Value)| match policy {
        Value::String(name) => RolePolicy::Managed(name.clone()),
        document => RolePolicy::Inline(format!("policy-{}", number + 1), document.to_string()),
    };
    policies.iter().enumerate().map(named).collect()
}

/// Make a tool role
#[utoipa::path(post, path = "/roles", tag = "role", request_body = CreateRole, responses((status = 201, body = RoleRow)))]
async fn create(caller: Caller, Body(body): Body<CreateRole>) -> Result<Shown<RoleRow>, Problem> {
    let carry = match body.carries.as_deref() {
        None | Some("entitling") => Carry::Entitling,
        Some("all") => Carry::All,
        Some(_) => return Err(Problem::invalid("`carries` is `entitling` or `all`")),
    };
    let policies = match body.policies.as_slice() {
        [] => vec![RolePolicy::Managed(documents::DATA_ACCESS.to_owned())],
        policies => role_policies(policies),
    };
    let new = NewRole {
        account: caller.state.about.account,
        name: body.name,
        carry,
        session_secs_max: body.max_session_secs.unwrap_or(SESSION_SECS_DEFAULT),
        policies,
        groups: resolve::groups(&caller, &body.groups).await?,
        client: client(&caller, body.client.as_deref()).await?,
        management: Management::No,
    };
    let permit = caller.may(api::CreateRole, Installation).await?;
    let role = caller.state.access.create_role(permit, new).await?;
    row(&caller, role.id).await.map(Shown::made)
}

/// List roles
#[utoipa::path(get, path = "/roles", tag = "role", params(PageQuery), responses((status = 200, body = Page<RoleRow>)))]
async fn list(caller: Caller, page: PageRequest) -> Result<Json<Page<RoleRow>>, Problem> {
    let permit = caller.may(api::ListRoles, Installation).await?;
    let roles = caller.state.access.list_roles(permit, page.after_id()?, page.limit + 1);
    Ok(Page::of(&Names::of_things(&caller), roles, page.limit).await)
}

/// List the tool roles that the caller may assume
#[utoipa::path(get, path = "/roles/mine", tag = "role", responses((status = 200, body = Page<RoleRow>)))]
async fn mine(caller: Caller) -> Json<Page<RoleRow>> {
    let roles = caller.session.actor().person().map(|person| caller.state.access.roles_of(person)).unwrap_or_default();
    let all = roles.len();
    Page::of(&Names::of_things(&caller), roles, all).await
}

/// Show one role
#[utoipa::path(get, path = "/roles/{id}", tag = "role", params(("id" = String, Path)), responses((status = 200, body = RoleRow)))]
async fn show(At(caller, role): At<RoleId>) -> Result<Shown<RoleRow>, Problem> {
    caller.see(api::ShowRole, role).await?;
    row(&caller, role).await
}

/// Change a role
#[utoipa::path(patch, path = "/roles/{id}", tag = "role", params(("id" = String, Path)), request_body = ChangedRole, responses((status = 200, body = RoleRow)))]
async fn change(At(caller, role): At<RoleId>, Body(body): Body<ChangedRole>) -> Result<Shown<RoleRow>, Problem> {
    let permit = caller.may(api::ChangeRole, role).await?;
    caller.state.access.change_role(permit, body.policies.as_deref().map(role_policies), body.max_session_secs).await?;
    row(&caller, role).await
}

/// A group that may assume a role.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Entitle {
    /// Id or name of the group.
    group: String,
    /// Id or audience of the client that its people sign in with: by default `galen-aws`; `any` for every registered one.
    #[serde(default)]
    client: Option<String>,
}

/// A group that may assume a role no more.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Unentitle {
    /// Id or name of the group.
    group: String,
    /// The reason, in a sentence.
    reason: String,
}

/// Let a group assume a role
#[utoipa::path(post, path = "/roles/{id}/entitle", tag = "role", params(("id" = String, Path)), request_body = Entitle, responses((status = 200, body = RoleRow)))]
async fn entitle(At(caller, role): At<RoleId>, Body(body): Body<Entitle>) -> Result<Shown<RoleRow>, Problem> {
    let group = GroupId::named(&caller, &body.group).await?;
    let client = client(&caller, body.client.as_deref()).await?;
    let permit = caller.may(api::CreateEntitlement, role).await?;
    caller.state.access.create_entitlement(permit, group, client).await?;
    row(&caller, role).await
}

/// Let a group assume a role no more, through whatever client: its sessions stop working at once
#[utoipa::path(post, path = "/roles/{id}/unentitle", tag = "role", params(("id" = String, Path)), request_body = Unentitle, responses((status = 200, body = RoleRow)))]
async fn unentitle(At(caller, role): At<RoleId>, Body(body): Body<Unentitle>) -> Result<Shown<RoleRow>, Problem> {
    let group = GroupId::named(&caller, &body.group).await?;
    let reason = End::of(body.reason).reason()?;
    let permit = caller.may(api::EndEntitlement, role).await?;
    caller.state.access.end_entitlements(permit, group, reason).await?;
    row(&caller, role).await
}

/// End a role: its sessions stop working at once
#[utoipa::path(post, path = "/roles/{id}/end", tag = "role", params(("id" = String, Path)), request_body = End, responses((status = 204)))]
async fn end(caller: Caller, Path(id): Path<String>, Body(body): Body<End>) -> Result<StatusCode, Problem> {
    let permit = caller.may(api::EndRole, RoleId::named(&caller, &id).await?).await?;
    caller.state.access.end_role(permit, body.reason()?).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn row(caller: &Caller, id: RoleId) -> Result<Shown<RoleRow>, Problem> {
    let version = caller.version(id).await?;
    let access = &caller.state.access;
    let role = access.role(id).ok_or_else(|| Problem::not_found("role", &id.to_string()))?;
    let documents = access.policies_of(std::sync::Arc::clone(&role)).await?;
    let documents = Some(documents.iter().map(|text| serde_json::from_str(text).unwrap_or_default()).collect());
    let row = RoleRow::of(&Names::of_things(caller), access.viewed(role)).await;
    Ok(Shown::of(version, RoleRow { documents, ..row }))
}
