//! `/groups` and `/memberships`: groups, and who is in them.

use access::{Member, MembershipEdge};
use base::{GroupId, MembershipId, PersonId, ServiceId};
use directory::{Group, Made, MembershipRow as Membership};

use super::{
    approval::{ApprovalRow, waits},
    common::*,
    extract::Named as _,
    revocation::{ReceiptRow, revoke_membership},
};

pub(super) fn routes() -> OpenApiRouter<State> {
    OpenApiRouter::new()
        .routes(routes!(create, list))
        .routes(routes!(show, change))
        .routes(routes!(end))
        .routes(routes!(add_member, list_memberships))
        .routes(routes!(show_membership))
        .routes(routes!(end_membership))
}

/// A group.
#[derive(Serialize, ToSchema)]
struct GroupRow {
    /// Its id, for ever.
    id: String,
    /// Its name.
    name: String,
    /// When it was made.
    created: String,
}

impl Row for GroupRow {
    type Of = Group;
    async fn of(_: &Names<'_>, group: Group) -> Self {
        Self { id: group.id.to_string(), name: group.name.to_string(), created: group.created.to_string() }
    }
    fn key(&self) -> String {
        self.id.clone()
    }
}

/// A group's name.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Named {
    /// The name, unique among live groups.
    name: String,
}

/// Make a group
#[utoipa::path(post, path = "/groups", tag = "group", request_body = Named, responses((status = 201, body = GroupRow)))]
async fn create(caller: Caller, Body(body): Body<Named>) -> Result<Shown<GroupRow>, Problem> {
    let name = parse(&body.name)?;
    let permit = caller.may(api::CreateGroup, Installation).await?;
    let id = caller.state.directory.create_group(permit, name, None).await?;
    row(&caller, id).await.map(Shown::made)
}

/// List groups
#[utoipa::path(get, path = "/groups", tag = "group", params(PageQuery), responses((status = 200, body = Page<GroupRow>)))]
async fn list(caller: Caller, page: PageRequest) -> Result<Json<Page<GroupRow>>, Problem> {
    let permit = caller.may(api::ListGroups, Installation).await?;
    let groups = caller.state.directory.list_groups(permit, page.after_id()?, page.limit + 1).await?;
    Ok(Page::of(&Names::of_things(&caller), groups, page.limit).await)
}

/// Show one group
#[utoipa::path(get, path = "/groups/{id}", tag = "group", params(("id" = String, Path)), responses((status = 200, body = GroupRow)))]
async fn show(At(caller, id): At<GroupId>) -> Result<Shown<GroupRow>, Problem> {
    caller.see(api::ShowGroup, id).await?;
    row(&caller, id).await
}

/// Rename a group
#[utoipa::path(patch, path = "/groups/{id}", tag = "group", params(("id" = String, Path)), request_body = Named, responses((status = 200, body = GroupRow)))]
async fn change(At(caller, id): At<GroupId>, Body(body): Body<Named>) -> Result<Shown<GroupRow>, Problem> {
    let name = parse(&body.name)?;
    let permit = caller.may(api::ChangeGroup, id).await?;
    caller.state.directory.rename_group(permit, name, None).await?;
    row(&caller, id).await
}

/// End a group: every membership in it ends
#[utoipa::path(post, path = "/groups/{id}/end", tag = "group", params(("id" = String, Path)), request_body = End, responses((status = 204)))]
async fn end(At(caller, id): At<GroupId>, Body(body): Body<End>) -> Result<StatusCode, Problem> {
    let permit = caller.may(api::EndGroup, id).await?;
    caller.state.directory.end_group(permit, Some(body.reason()?)).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn row(caller: &Caller, id: GroupId) -> Result<Shown<GroupRow>, Problem> {
    let group = async {
        let group = caller.state.directory.group(id).await?;
        group.ok_or_else(|| Problem::not_found("group", &id.to_string()))
    };
    caller.shown(id, group).await
}

/// A membership.
#[derive(Serialize, ToSchema)]
struct MembershipRow {
    /// Its id.
    id: String,
    /// Id of the group.
    group: String,
    /// Its name.
    group_name: Option<String>,
    /// Id of the person; absent for a machine.
    person: Option<String>,
    /// Their user name, for a caller who may see them.
    person_name: Option<String>,
    /// Id of the service, for a machine.
    service: Option<String>,
    /// The service's name.
    service_name: Option<String>,
    /// Since when.
    since: String,
}

impl Row for MembershipRow {
    type Of = Membership;
    async fn of(names: &Names<'_>, row: Membership) -> Self {
        let (person, service) = split(row.member);
        Self {
            id: row.id.to_string(),
            group: row.group.to_string(),
            group_name: names.group(row.group).await,
            person: person.map(|id| id.to_string()),
            person_name: names.person(person).await,
            service: service.map(|id| id.to_string()),
            service_name: names.service(service).await,
            since: row.since.to_string(),
        }
    }
    fn key(&self) -> String {
        let member = self.person.as_deref().or(self.service.as_deref()).unwrap_or_default();
        format!("{member}/{}", self.group)
    }
}

const fn split(member: Member) -> (Option<PersonId>, Option<ServiceId>) {
    match member {
        Member::Person(id) => (Some(id), None),
        Member::Service(id) => (None, Some(id)),
    }
}

/// A membership to make.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct AddMember {
    /// Id or name of the group.
    group: String,
    /// Id or user name of the person; else name a service.
    #[serde(default)]
    person: Option<String>,
    /// Id or name of the service; else name a person.
    #[serde(default)]
    service: Option<String>,
    /// Why, for the record.
    #[serde(default)]
    reason: Option<String>,
}

async fn membership(caller: &Caller, id: MembershipId) -> Result<Membership, Problem> {
    let found = caller.state.directory.membership(id).await?;
    found.ok_or_else(|| Problem::not_found("live membership", &id.to_string()))
}

async fn membership_row(caller: &Caller, it: Membership) -> Result<Shown<MembershipRow>, Problem> {
    let version = caller.version(MembershipEdge { member: it.member, group: it.group }).await?;
    let names = Names::of_row(caller, split(it.member).0).await;
    Ok(Shown::of(version, MembershipRow::of(&names, it).await))
}

/// Put a person or a service into a group; where the group reaches data or runs the installation, ask for it: a second person approves
#[utoipa::path(post, path = "/memberships", tag = "membership", request_body = AddMember, responses((status = 201, body = MembershipRow), (status = 202, body = ApprovalRow)))]
async fn add_member(caller: Caller, Body(body): Body<AddMember>) -> Result<Response, Problem> {
    let group = GroupId::named(&caller, &body.group).await?;
    let member = resolve::member_if(&caller, body.person.as_ref(), body.service.as_ref()).await?;
    let member = member.ok_or_else(|| Problem::invalid("name a `person` or a `service`"))?;
    let permit = caller.may(api::AddMember, MembershipEdge { member, group }).await?;
    Ok(match caller.state.directory.add_member(permit, body.reason).await? {
        Made::Now(id) => membership_row(&caller, membership(&caller, id).await?).await?.made().into_response(),
        Made::Waits(waiting) => waits(&caller, *waiting).await,
    })
}

/// Which memberships.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct MembershipsOf {
    /// Only those of this person (id or user name).
    #[serde(default)]
    person: Option<String>,
    /// Only those of this service (id or name).
    #[serde(default)]
    service: Option<String>,
    /// Only those in this group (id or name).
    #[serde(default)]
    group: Option<String>,
}

impl Filter for MembershipsOf {
    const NAMES: &'static [&'static str] = &["person", "service", "group"];
}

/// List memberships
#[utoipa::path(get, path = "/memberships", tag = "membership", params(PageQuery, MembershipsOf), responses((status = 200, body = Page<MembershipRow>)))]
async fn list_memberships(
    caller: Caller,
    page: PageRequest<MembershipsOf>,
) -> Result<Json<Page<MembershipRow>>, Problem> {
    let member = resolve::member_if(&caller, page.of.person.as_ref(), page.of.service.as_ref()).await?;
    let group = resolve::one_if(&caller, page.of.group.as_ref()).await?;
    let permit = caller.may(api::ListGroups, Installation).await?;
    let of = (member, group);
    let found = caller.state.directory.list_memberships(permit, of, page.after.clone(), page.limit + 1).await?;
    Ok(Page::of(&Names::of_list(&caller).await, found, page.limit).await)
}

/// Show one membership
#[utoipa::path(get, path = "/memberships/{id}", tag = "membership", params(("id" = String, Path)), responses((status = 200, body = MembershipRow)))]
async fn show_membership(caller: Caller, Path(id): Path<String>) -> Result<Shown<MembershipRow>, Problem> {
    let found = membership(&caller, parse(&id)?).await?;
    caller.see(api::ShowGroup, found.group).await?;
    membership_row(&caller, found).await
}

/// Take a person or a service out of a group: open streams close at once; the answer is the signed receipt
#[utoipa::path(post, path = "/memberships/{id}/end", tag = "membership", params(("id" = String, Path)), request_body = End, responses((status = 200, body = ReceiptRow)))]
async fn end_membership(
    caller: Caller,
    Path(id): Path<String>,
    Body(body): Body<End>,
) -> Result<Json<ReceiptRow>, Problem> {
    revoke_membership(&caller, &id, body.reason()?).await.map(Json)
}
