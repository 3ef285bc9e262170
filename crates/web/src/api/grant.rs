//! `/grants`: a dataset opened to a group, by its owner or a steward.

use access::{
    GrantTarget,
    facts::{Approver, Scope},
};
use base::{DatasetId, GrantId, GroupId, PersonId};
use governance::{GrantView, GrantsOf, NewGrant};

use super::{
    common::*,
    revocation::{ReceiptRow, revoke_grant},
};

pub(super) fn routes() -> OpenApiRouter<State> {
    OpenApiRouter::new().routes(routes!(create, list)).routes(routes!(show)).routes(routes!(end))
}

/// A grant.
#[derive(Serialize, ToSchema)]
struct GrantRow {
    /// Its id.
    id: String,
    /// Id of the dataset.
    dataset: String,
    /// Its name.
    dataset_name: Option<String>,
    /// Id of the group.
    group: String,
    /// Its name.
    group_name: Option<String>,
    /// discover, read or write.
    level: String,
    /// Prefixes inside the dataset; none means all of it.
    prefixes: Vec<String>,
    /// For what purpose.
    purpose: String,
    /// From when.
    start: String,
    /// Until when.
    expiry: String,
    /// Who approved it: `person/ID`, or `policy/ACCOUNT` for a workspace.
    approver: String,
    /// The approver's user name, for a caller who may see them.
    approver_name: Option<String>,
    /// upcoming, live or ended.
    state: String,
    /// Why it was made; where one grant is shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// When it was ended before its expiry; where one grant is shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    ended: Option<String>,
    /// Id of the person who ended it.
    #[serde(skip_serializing_if = "Option::is_none")]
    ended_by: Option<String>,
    /// Their user name, for a caller who may see people.
    #[serde(skip_serializing_if = "Option::is_none")]
    ended_by_name: Option<String>,
    /// Why it was ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    end_reason: Option<String>,
}

impl Row for GrantRow {
    type Of = GrantView;
    async fn of(names: &Names<'_>, view: GrantView) -> Self {
        let GrantView { grant, state, story } = view;
        let (reason, end) = story.map_or((None, None), |story| (story.reason, story.ended));
        let ended_by = end.as_ref().and_then(|end| end.by.person());
        Self {
            id: grant.id.to_string(),
            dataset: grant.dataset.to_string(),
            dataset_name: names.dataset(grant.dataset).await,
            group: grant.group.to_string(),
            group_name: names.group(grant.group).await,
            level: grant.level.as_str().to_owned(),
            prefixes: grant.scope.prefixes,
            purpose: grant.purpose,
            start: grant.start.to_string(),
            expiry: grant.expiry.to_string(),
            approver: match grant.approver {
                Approver::Person(person) => format!("person/{person}"),
                Approver::AccountPolicy(account) => format!("policy/{account}"),
            },
            approver_name: names.person(approver(&grant.approver)).await,
            state: state.as_str().to_owned(),
            reason,
            ended: end.as_ref().map(|end| end.at.to_string()),
            ended_by: ended_by.map(|id| id.to_string()),
            ended_by_name: names.person(ended_by).await,
            end_reason: end.and_then(|end| end.reason),
        }
    }
    fn key(&self) -> String {
        self.id.clone()
    }
}

const fn approver(approver: &Approver) -> Option<PersonId> {
    match approver {
        Approver::Person(person) => Some(*person),
        Approver::AccountPolicy(_) => None,
    }
}

/// A grant to make: request and approval in one, by an owner or steward of the dataset.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct CreateGrant {
    /// Id or name of the dataset.
    dataset: String,
    /// Id or name of the group.
    group: String,
    /// discover, read or write; by default read.
    #[serde(default)]
    level: Option<String>,
    /// Prefixes inside the dataset, each ending in `/`; none means all of it.
    #[serde(default)]
    prefixes: Vec<String>,
    /// For what purpose.
    purpose: String,
    /// From when, such as 2026-11-21T09:30:00Z, and not in the past; by default now.
    #[serde(default)]
    start: Option<String>,
    /// For how many days from then: 1 to 366, by default 90; the end is at most 366 days from now.
    #[serde(default)]
    days: Option<u32>,
    /// Why, for the record.
    #[serde(default)]
    reason: Option<String>,
}

/// Which grants.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Of {
    /// Only those of this dataset (id or name).
    #[serde(default)]
    dataset: Option<String>,
    /// Only those to this group (id or name).
    #[serde(default)]
    group: Option<String>,
    /// Only those that are `upcoming`, `live`, or `ended`; all of them by default.
    #[serde(default)]
    state: Option<GrantState>,
}

/// Where a grant is in its life: not begun, open, or over.
#[derive(Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum GrantState {
    Upcoming,
    Live,
    Ended,
}

impl From<GrantState> for governance::GrantState {
    fn from(state: GrantState) -> Self {
        match state {
            GrantState::Upcoming => Self::Upcoming,
            GrantState::Live => Self::Live,
            GrantState::Ended => Self::Ended,
        }
    }
}

impl Filter for Of {
    const NAMES: &'static [&'static str] = &["dataset", "group", "state"];
}

/// Days of a grant when none are named: a quarter, so that somebody looks again.
const DAYS_DEFAULT: u32 = 90;

/// A grant as the gate's resource.
pub(super) async fn target(caller: &Caller, id: GrantId) -> Result<GrantTarget, Problem> {
    let grant = caller.state.governance.grant(id).await?.grant;
    Ok(GrantTarget { grant: id, dataset: grant.dataset })
}

async fn row(caller: &Caller, id: GrantId) -> Result<Shown<GrantRow>, Problem> {
    let version = caller.version(target(caller, id).await?).await?;
    let view = caller.state.governance.grant(id).await?;
    let names = Names::of_row(caller, approver(&view.grant.approver)).await;
    Ok(Shown::of(version, GrantRow::of(&names, view).await))
}

/// Grant a dataset to a group
#[utoipa::path(post, path = "/grants", tag = "grant", request_body = CreateGrant, responses((status = 201, body = GrantRow)))]
async fn create(caller: Caller, Body(body): Body<CreateGrant>) -> Result<Shown<GrantRow>, Problem> {
    let dataset = DatasetId::named(&caller, &body.dataset).await?;
    let new = NewGrant {
        group: GroupId::named(&caller, &body.group).await?,
        level: parse(body.level.as_deref().unwrap_or("read"))?,
        scope: Scope { prefixes: body.prefixes, ..Scope::default() },
        purpose: body.purpose,
        start: body.start.as_deref().map(|text| time("start", text)).transpose()?,
        days: body.days.unwrap_or(DAYS_DEFAULT),
        reason: body.reason,
    };
    let permit = caller.may(api::CreateGrant, dataset).await?;
    let grant = caller.state.governance.create_grant(permit, new).await?;
    row(&caller, grant.id).await.map(Shown::made)
}

/// List grants
#[utoipa::path(get, path = "/grants", tag = "grant", params(PageQuery, Of), responses((status = 200, body = Page<GrantRow>)))]
async fn list(caller: Caller, page: PageRequest<Of>) -> Result<Json<Page<GrantRow>>, Problem> {
    let of = GrantsOf {
        dataset: resolve::one_if(&caller, page.of.dataset.as_ref()).await?,
        group: resolve::one_if(&caller, page.of.group.as_ref()).await?,
        state: page.of.state.map(Into::into),
    };
    let permit = caller.may(api::ListGrants, Installation).await?;
    let grants = caller.state.governance.grants(permit, of, page.after_id()?, page.limit + 1).await?;
    Ok(Page::of(&Names::of_list(&caller).await, grants, page.limit).await)
}

/// Show one grant
#[utoipa::path(get, path = "/grants/{id}", tag = "grant", params(("id" = String, Path)), responses((status = 200, body = GrantRow)))]
async fn show(caller: Caller, Path(id): Path<String>) -> Result<Shown<GrantRow>, Problem> {
    let id = parse::<GrantId>(&id)?;
    let target = target(&caller, id).await?;
    caller.see(api::ShowGrant, target).await?;
    row(&caller, id).await
}

/// End a grant: open streams close at once; the answer is the signed receipt
#[utoipa::path(post, path = "/grants/{id}/end", tag = "grant", params(("id" = String, Path)), request_body = End, responses((status = 200, body = ReceiptRow)))]
async fn end(caller: Caller, Path(id): Path<String>, Body(body): Body<End>) -> Result<Json<ReceiptRow>, Problem> {
    revoke_grant(&caller, &id, body.reason()?).await.map(Json)
}
