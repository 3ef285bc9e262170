//! `/datasets`: governed collections of data.

use access::{
    AuditClass, Installation, Outcome,
    action::api,
    facts::{DatasetLocation, Place},
};
use axum::{
    Json,
    extract::{Path, State as Shared},
    http::StatusCode,
};
use governance::{ChangeDataset, Dataset, NewDataset};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    Problem, State,
    domain::target,
    extract::{Body, Caller, End, Page, PageQuery, PageRequest, parse},
    resolve,
};

pub(super) fn routes() -> OpenApiRouter<State> {
    OpenApiRouter::new().routes(routes!(create, list)).routes(routes!(show, change)).routes(routes!(end))
}

/// A dataset with its location.
#[derive(Serialize, ToSchema)]
struct DatasetRow {
    /// Its id.
    id: String,
    /// Its name.
    name: String,
    /// Id of its domain.
    domain: String,
    /// The bucket.
    bucket: String,
    /// The prefix in the bucket; empty for the whole bucket.
    prefix: String,
    /// Id of the group that owns it.
    owner: String,
    /// Ids of the groups that may look after it.
    stewards: Vec<String>,
    /// public, internal, confidential or restricted.
    classification: String,
    /// Whether it is GxP data.
    gxp: bool,
    /// Whether it holds personal data.
    personal: bool,
    /// How its accesses are recorded: `strict` (durable before data flows) or `batched` (at most 100 ms may be lost in a crash).
    audit: String,
    /// What it is.
    description: String,
    /// When it was registered.
    created: String,
}

fn row(dataset: Dataset, location: &DatasetLocation) -> DatasetRow {
    let place = location.places.first();
    DatasetRow {
        id: dataset.id.to_string(),
        name: dataset.name,
        domain: dataset.domain.to_string(),
        bucket: place.map(|place| place.bucket.clone()).unwrap_or_default(),
        prefix: place.map(|place| place.prefix.clone()).unwrap_or_default(),
        owner: location.owner.to_string(),
        stewards: location.stewards.iter().map(ToString::to_string).collect(),
        classification: location.classification.as_str().to_owned(),
        gxp: location.gxp,
        personal: location.personal,
        audit: match location.audit {
            AuditClass::Strict => "strict".to_owned(),
            AuditClass::Batched => "batched".to_owned(),
        },
        description: dataset.description,
        created: dataset.created.to_string(),
    }
}

/// A dataset to register.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct CreateDataset {
    /// Its name.
    name: String,
    /// Id or name of its domain.
    domain: String,
    /// The bucket.
    bucket: String,
    /// The prefix in the bucket, ending in `/`; empty for the whole bucket.
    #[serde(default)]
    prefix: String,
    /// Id or name of the group that owns it.
    owner: String,
    /// Ids or names of the groups that may look after it.
    #[serde(default)]
    stewards: Vec<String>,
    /// public, internal, confidential or restricted; by default internal.
    #[serde(default)]
    classification: Option<String>,
    /// Whether it is GxP data.
    #[serde(default)]
    gxp: bool,
    /// Whether it holds personal data.
    #[serde(default)]
    personal: bool,
    /// What it is.
    #[serde(default)]
    description: String,
    /// Who makes the data.
    #[serde(default)]
    producer: String,
}

/// What changes; what is absent stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ChangedDataset {
    /// The new name.
    #[serde(default)]
    name: Option<String>,
    /// The new description.
    #[serde(default)]
    description: Option<String>,
    /// The new classification.
    #[serde(default)]
    classification: Option<String>,
    /// Id or name of the new owner group.
    #[serde(default)]
    owner: Option<String>,
    /// Ids or names of the new steward groups.
    #[serde(default)]
    stewards: Option<Vec<String>>,
    /// Why; needed for a dataset under GxP.
    #[serde(default)]
    reason: Option<String>,
}

/// Register a dataset
#[utoipa::path(post, path = "/datasets", tag = "dataset", request_body = CreateDataset, responses((status = 201, body = DatasetRow)))]
async fn create(
    Shared(state): Shared<State>,
    caller: Caller,
    Body(body): Body<CreateDataset>,
) -> Result<(StatusCode, Json<DatasetRow>), Problem> {
    let domain = resolve::domain(&state, &caller.op, &body.domain).await?;
    let new = NewDataset {
        name: body.name,
        description: body.description,
        producer: body.producer,
        place: Place { bucket: body.bucket, prefix: body.prefix },
        owner: resolve::group(&state, &caller.op, &body.owner).await?,
        stewards: resolve::groups(&state, &caller.op, &body.stewards).await?,
        classification: parse(body.classification.as_deref().unwrap_or("internal"))?,
        gxp: body.gxp,
        personal: body.personal,
        audit: AuditClass::Strict,
    };
    let permit = state.access.authorize(&caller.op, api::CreateDataset, target(&domain)).await?;
    let made = state.governance.create_dataset(permit, new).await?;
    let (dataset, location) = state.governance.dataset(made.id).await?;
    Ok((StatusCode::CREATED, Json(row(dataset, &location))))
}

/// List datasets
#[utoipa::path(get, path = "/datasets", tag = "dataset", params(PageQuery), responses((status = 200, body = Page<DatasetRow>)))]
async fn list(
    Shared(state): Shared<State>,
    caller: Caller,
    page: PageRequest,
) -> Result<Json<Page<DatasetRow>>, Problem> {
    let permit = state.access.authorize(&caller.op, api::ListDatasets, Installation).await?;
    let datasets = state.governance.datasets(permit, page.after_id()?, page.limit + 1).await?;
    let rows = datasets.into_iter().map(|(dataset, location)| row(dataset, &location)).collect();
    Ok(Json(Page::of(rows, page.limit, |row| row.id.clone())))
}

/// Show one dataset
#[utoipa::path(get, path = "/datasets/{id}", tag = "dataset", params(("id" = String, Path)), responses((status = 200, body = DatasetRow)))]
async fn show(
    Shared(state): Shared<State>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<DatasetRow>, Problem> {
    let id = resolve::dataset(&state, &caller.op, &id).await?.id;
    let permit = state.access.authorize(&caller.op, api::ShowDataset, id).await?;
    let (dataset, location) = state.governance.dataset(id).await?;
    permit.finish(Outcome::DONE);
    Ok(Json(row(dataset, &location)))
}

/// Change a dataset
#[utoipa::path(patch, path = "/datasets/{id}", tag = "dataset", params(("id" = String, Path)), request_body = ChangedDataset, responses((status = 200, body = DatasetRow)))]
async fn change(
    Shared(state): Shared<State>,
    caller: Caller,
    Path(id): Path<String>,
    Body(body): Body<ChangedDataset>,
) -> Result<Json<DatasetRow>, Problem> {
    let id = resolve::dataset(&state, &caller.op, &id).await?.id;
    let mut change = ChangeDataset {
        name: body.name,
        description: body.description,
        reason: body.reason,
        ..ChangeDataset::default()
    };
    if let Some(classification) = &body.classification {
        change.classification = Some(parse(classification)?);
    }
    if let Some(owner) = &body.owner {
        change.owner = Some(resolve::group(&state, &caller.op, owner).await?);
    }
    if let Some(stewards) = &body.stewards {
        change.stewards = Some(resolve::groups(&state, &caller.op, stewards).await?);
    }
    let permit = state.access.authorize(&caller.op, api::ChangeDataset, id).await?;
    state.governance.change_dataset(permit, change).await?;
    let (dataset, location) = state.governance.dataset(id).await?;
    Ok(Json(row(dataset, &location)))
}

/// End a dataset
#[utoipa::path(post, path = "/datasets/{id}/end", tag = "dataset", params(("id" = String, Path)), request_body = End, responses((status = 204)))]
async fn end(
    Shared(state): Shared<State>,
    caller: Caller,
    Path(id): Path<String>,
    Body(body): Body<End>,
) -> Result<StatusCode, Problem> {
    let id = resolve::dataset(&state, &caller.op, &id).await?.id;
    let permit = state.access.authorize(&caller.op, api::EndDataset, id).await?;
    state.governance.end_dataset(permit, body.reason()?).await?;
    Ok(StatusCode::NO_CONTENT)
}
