//! `/approvals`: the changes that wait for a second person, what that person decides, and what became of each.

use access::{Proposal, Version};
use base::ApprovalId;
use directory::{History, Waiting};

use super::common::*;

pub(super) fn routes() -> OpenApiRouter<State> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(show)).routes(routes!(approve)).routes(routes!(refuse))
}

/// A change that needs two approvals.
#[derive(Serialize, ToSchema)]
pub(super) struct ApprovalRow {
    /// Its id; a membership that is approved has it, too.
    id: String,
    /// `waiting`, `approved`, `refused` or `expired`.
    state: &'static str,
    /// `add_member`, `set_password`, `reactivate_person`, `renew_service_secret` or `erase_person`.
    change: String,
    /// Id of the person whom it concerns.
    person: Option<String>,
    /// Their user name, for a caller who may see people.
    person_name: Option<String>,
    /// Id of the service that it concerns.
    service: Option<String>,
    /// Its name.
    service_name: Option<String>,
    /// Id of the group that would get a member.
    group: Option<String>,
    /// Its name.
    group_name: Option<String>,
    /// Id of the person who asked for it; somebody else approves.
    requested_by: String,
    /// Their user name, for a caller who may see people.
    requested_by_name: Option<String>,
    /// When it was asked for.
    requested: String,
    /// Until when it can be approved.
    expires: String,
    /// Why it was asked for.
    reason: Option<String>,
    /// Id of the person who approved or refused it.
    decided_by: Option<String>,
    /// Their user name, for a caller who may see people.
    decided_by_name: Option<String>,
    /// When.
    decided: Option<String>,
    /// Why.
    decision_reason: Option<String>,
    /// The new secret of a service, shown once to who asked for it; it works from the approval on.
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<String>,
}

impl Row for ApprovalRow {
    type Of = History;
    async fn of(names: &Names<'_>, of: History) -> Self {
        let Proposal { approval, requested_by, about: person, group } = of.proposal;
        let decided_by = of.decision.as_ref().and_then(|decision| decision.by);
        let group_name = match group {
            Some(group) => names.group(group).await,
            None => None,
        };
        Self {
            id: approval.to_string(),
            state: of.state.as_str(),
            change: of.change,
            person: person.map(|id| id.to_string()),
            person_name: names.person(person).await,
            service: of.service.map(|id| id.to_string()),
            service_name: names.service(of.service).await,
            group: group.map(|id| id.to_string()),
            group_name,
            requested_by: requested_by.to_string(),
            requested_by_name: names.person(Some(requested_by)).await,
            requested: of.requested.to_string(),
            expires: of.expires.to_string(),
            reason: of.reason,
            decided_by: decided_by.map(|id| id.to_string()),
            decided_by_name: names.person(decided_by).await,
            decided: of.decision.as_ref().map(|decision| decision.at.to_string()),
            decision_reason: of.decision.and_then(|decision| decision.reason),
            secret: None,
        }
    }
    fn key(&self) -> String {
        self.id.clone()
    }
}

/// The answer to a change that waits: accepted, not done.
pub(super) async fn waits(caller: &Caller, waiting: Waiting) -> Response {
    waits_with(caller, waiting, None).await
}

/// The same answer, with a secret that will work from the approval on.
pub(super) async fn waits_with(caller: &Caller, waiting: Waiting, secret: Option<String>) -> Response {
    let row = ApprovalRow { secret, ..ApprovalRow::of(&Names::of_list(caller).await, waiting.into()).await };
    (StatusCode::ACCEPTED, Json(row)).into_response()
}

/// List the changes that wait for a second approval
#[utoipa::path(get, path = "/approvals", tag = "approval", params(PageQuery), responses((status = 200, body = Page<ApprovalRow>)))]
async fn list(caller: Caller, page: PageRequest) -> Result<Json<Page<ApprovalRow>>, Problem> {
    let permit = caller.may(api::ListApprovals, Installation).await?;
    let waiting = caller.state.directory.list_approvals(permit, page.after_id()?, page.limit + 1).await?;
    let waiting = waiting.into_iter().map(History::from).collect();
    Ok(Page::of(&Names::of_list(&caller).await, waiting, page.limit).await)
}

/// Show one change that waits, or what became of it: who asked, who decided, and why
#[utoipa::path(get, path = "/approvals/{id}", tag = "approval", params(("id" = String, Path)), responses((status = 200, body = ApprovalRow)))]
async fn show(caller: Caller, Path(id): Path<String>) -> Result<Shown<ApprovalRow>, Problem> {
    let found = history(&caller, &id).await?;
    let version = caller.version(found.proposal).await?;
    caller.see(api::ShowApproval, found.proposal).await?;
    Ok(Shown::of(version, ApprovalRow::of(&Names::of_list(&caller).await, found).await))
}

/// Approve a change that somebody else asked for, which makes it; needs a sign-in of at most 15 minutes
#[utoipa::path(post, path = "/approvals/{id}/approve", tag = "approval", params(("id" = String, Path)), request_body = End, responses((status = 200, body = ApprovalRow)))]
async fn approve(caller: Caller, Path(id): Path<String>, Body(body): Body<End>) -> Result<Json<ApprovalRow>, Problem> {
    let (_, waiting) = find(&caller, &id).await?;
    let reason = body.reason()?;
    let permit = caller.may(api::ApproveChange, waiting.proposal()).await?;
    caller.state.directory.approve(permit, Some(reason)).await?;
    decided(&caller, &id).await
}

/// Refuse a change that waits, or take one's own request back
#[utoipa::path(post, path = "/approvals/{id}/refuse", tag = "approval", params(("id" = String, Path)), request_body = End, responses((status = 200, body = ApprovalRow)))]
async fn refuse(caller: Caller, Path(id): Path<String>, Body(body): Body<End>) -> Result<Json<ApprovalRow>, Problem> {
    let (_, waiting) = find(&caller, &id).await?;
    let reason = body.reason()?;
    let permit = caller.may(api::RefuseChange, waiting.proposal()).await?;
    caller.state.directory.refuse(permit, Some(reason)).await?;
    decided(&caller, &id).await
}

async fn history(caller: &Caller, id: &str) -> Result<History, Problem> {
    let found = caller.state.directory.approval_history(parse::<ApprovalId>(id)?).await?;
    found.ok_or_else(|| Problem::not_found("change that somebody asked for", id))
}

/// What a person has just decided.
async fn decided(caller: &Caller, id: &str) -> Result<Json<ApprovalRow>, Problem> {
    let found = history(caller, id).await?;
    Ok(Json(ApprovalRow::of(&Names::of_list(caller).await, found).await))
}

/// The change that waits under this id. Ids are random, so that absence tells a stranger nothing.
async fn find(caller: &Caller, id: &str) -> Result<(Version, Waiting), Problem> {
    let found = caller.state.directory.approval(parse::<ApprovalId>(id)?).await?;
    let waiting = found.ok_or_else(|| Problem::not_found("waiting change", id))?;
    Ok((caller.version(waiting.proposal()).await?, waiting))
}
