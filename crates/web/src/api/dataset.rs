//! `/datasets`: governed collections of data.

use access::facts::{DatasetLocation, Place};
use base::{DatasetId, ErrorKind, GroupId};
use governance::{ChangeDataset, Dataset, Domain, NewDataset};
use serde_json::Value;
use std::sync::Arc;

use super::{common::*, domain::target};

pub(super) fn routes() -> OpenApiRouter<State> {
    OpenApiRouter::new()
        .routes(routes!(create, list))
        .routes(routes!(show, change))
        .routes(routes!(show_policy, put_policy, delete_policy))
        .routes(routes!(rotate_key))
        .routes(routes!(end))
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
    /// Its domain's name.
    domain_name: Option<String>,
    /// The bucket.
    bucket: String,
    /// The prefix in the bucket; empty for the whole bucket.
    prefix: String,
    /// Id of the group that owns it.
    owner: String,
    /// That group's name.
    owner_name: Option<String>,
    /// Ids of the groups that may look after it.
    stewards: Vec<String>,
    /// Their names.
    steward_names: Vec<String>,
    /// public, internal, confidential or restricted.
    classification: String,
    /// Whether it is GxP data.
    gxp: bool,
    /// Whether it holds personal data.
    personal: bool,
    /// How its accesses are recorded: `strict` (durable before data flows) or `batched` (at most 100 ms may be lost in a crash).
    audit: String,
    /// Whether it has a policy of its own.
    policy: bool,
    /// The key, with its version, under which new objects are sealed.
    key: String,
    /// What it is.
    description: String,
    /// When it was registered.
    created: String,
}

impl Row for DatasetRow {
    type Of = (Dataset, Arc<DatasetLocation>);
    async fn of(names: &Names<'_>, (dataset, location): Self::Of) -> Self {
        let place = location.places.first();
        Self {
            id: dataset.id.to_string(),
            name: dataset.name,
            domain: dataset.domain.to_string(),
            domain_name: names.domain(dataset.domain).await,
            bucket: place.map(|place| place.bucket.clone()).unwrap_or_default(),
            prefix: place.map(|place| place.prefix.clone()).unwrap_or_default(),
            owner: location.owner.to_string(),
            owner_name: names.group(location.owner).await,
            stewards: location.stewards.iter().map(ToString::to_string).collect(),
            steward_names: names.groups(&location.stewards).await,
            classification: location.classification.as_str().to_owned(),
            gxp: location.gxp,
            personal: location.personal,
            audit: location.audit.as_str().to_owned(),
            policy: location.policy.is_some(),
            key: location.key.clone(),
            description: dataset.description,
            created: dataset.created.to_string(),
        }
    }
    fn key(&self) -> String {
        self.id.clone()
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
    /// `strict` (the default) or `batched`; GxP data is strict.
    #[serde(default)]
    audit: Option<String>,
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
    /// The new audit class.
    #[serde(default)]
    audit: Option<String>,
    /// Why; needed for a dataset under GxP.
    #[serde(default)]
    reason: Option<String>,
}

async fn shown(caller: &Caller, id: DatasetId) -> Result<Shown<DatasetRow>, Problem> {
    caller.shown(id, caller.state.governance.dataset(id)).await
}

/// Register a dataset
#[utoipa::path(post, path = "/datasets", tag = "dataset", request_body = CreateDataset, responses((status = 201, body = DatasetRow)))]
async fn create(caller: Caller, Body(body): Body<CreateDataset>) -> Result<Shown<DatasetRow>, Problem> {
    let domain = Domain::named(&caller, &body.domain).await?;
    let new = NewDataset {
        name: body.name,
        description: body.description,
        producer: body.producer,
        place: Place { bucket: body.bucket, prefix: body.prefix },
        owner: GroupId::named(&caller, &body.owner).await?,
        stewards: resolve::groups(&caller, &body.stewards).await?,
        classification: parse(body.classification.as_deref().unwrap_or("internal"))?,
        gxp: body.gxp,
        personal: body.personal,
        audit: parse(body.audit.as_deref().unwrap_or("strict"))?,
    };
    let permit = caller.may(api::CreateDataset, target(&domain)).await?;
    let made = caller.state.governance.create_dataset(permit, new).await?;
    shown(&caller, made.id).await.map(Shown::made)
}

/// List datasets
#[utoipa::path(get, path = "/datasets", tag = "dataset", params(PageQuery), responses((status = 200, body = Page<DatasetRow>)))]
async fn list(caller: Caller, page: PageRequest) -> Result<Json<Page<DatasetRow>>, Problem> {
    let permit = caller.may(api::ListDatasets, Installation).await?;
    let datasets = caller.state.governance.datasets(&caller.op, permit, page.after_id()?, page.limit + 1).await?;
    Ok(Page::of(&Names::of_things(&caller), datasets, page.limit).await)
}

/// Show one dataset
#[utoipa::path(get, path = "/datasets/{id}", tag = "dataset", params(("id" = String, Path)), responses((status = 200, body = DatasetRow)))]
async fn show(At(caller, id): At<DatasetId>) -> Result<Shown<DatasetRow>, Problem> {
    caller.see(api::ShowDataset, id).await?;
    shown(&caller, id).await
}

/// Change a dataset
#[utoipa::path(patch, path = "/datasets/{id}", tag = "dataset", params(("id" = String, Path)), request_body = ChangedDataset, responses((status = 200, body = DatasetRow)))]
async fn change(At(caller, id): At<DatasetId>, Body(body): Body<ChangedDataset>) -> Result<Shown<DatasetRow>, Problem> {
    let change = ChangeDataset {
        name: body.name,
        description: body.description,
        classification: body.classification.as_deref().map(parse).transpose()?,
        owner: resolve::one_if(&caller, body.owner.as_ref()).await?,
        stewards: resolve::groups_if(&caller, body.stewards.as_ref()).await?,
        audit: body.audit.as_deref().map(parse).transpose()?,
        reason: body.reason,
    };
    let permit = caller.may(api::ChangeDataset, id).await?;
    caller.state.governance.change_dataset(permit, change).await?;
    shown(&caller, id).await
}

/// End a dataset
#[utoipa::path(post, path = "/datasets/{id}/end", tag = "dataset", params(("id" = String, Path)), request_body = End, responses((status = 204)))]
async fn end(At(caller, id): At<DatasetId>, Body(body): Body<End>) -> Result<StatusCode, Problem> {
    let permit = caller.may(api::EndDataset, id).await?;
    caller.state.governance.end_dataset(permit, body.reason()?).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The policy of a dataset.
#[derive(Serialize, ToSchema)]
struct PolicyRow {
    /// The document; absent when there is none.
    #[schema(value_type = Option<Object>)]
    policy: Option<Value>,
}

async fn policy(caller: &Caller, id: DatasetId) -> Result<Shown<PolicyRow>, Problem> {
    let permit = caller.may(api::ShowDatasetPolicy, id).await?;
    let version = caller.version(id).await?;
    let text = caller.state.governance.dataset_policy(permit).await?;
    let read = text.as_deref().map(serde_json::from_str).transpose();
    let policy = read.map_err(|error| Problem::of(ErrorKind::Corrupt, &error))?;
    Ok(Shown::of(version, PolicyRow { policy }))
}

/// Show the policy of a dataset
#[utoipa::path(get, path = "/datasets/{id}/policy", tag = "dataset", params(("id" = String, Path)), responses((status = 200, body = PolicyRow)))]
async fn show_policy(At(caller, id): At<DatasetId>) -> Result<Shown<PolicyRow>, Problem> {
    policy(&caller, id).await
}

/// Why a policy changes.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct Why {
    /// The reason; needed for a dataset under GxP. The body is the policy itself, so it stands here.
    #[serde(default)]
    reason: Option<String>,
}

/// Set the policy of a dataset: Deny statements alone, which narrow what grants allow
#[utoipa::path(put, path = "/datasets/{id}/policy", tag = "dataset", params(("id" = String, Path), Why), request_body = Object, responses((status = 200, body = PolicyRow)))]
async fn put_policy(
    At(caller, id): At<DatasetId>,
    Query(why): Query<Why>,
    Body(document): Body<Value>,
) -> Result<Shown<PolicyRow>, Problem> {
    let permit = caller.may(api::PutDatasetPolicy, id).await?;
    caller.state.governance.put_dataset_policy(permit, Some(document.to_string()), why.reason.as_deref()).await?;
    policy(&caller, id).await
}

/// Remove the policy of a dataset
#[utoipa::path(delete, path = "/datasets/{id}/policy", tag = "dataset", params(("id" = String, Path), Why), responses((status = 204)))]
async fn delete_policy(At(caller, id): At<DatasetId>, Query(why): Query<Why>) -> Result<StatusCode, Problem> {
    let permit = caller.may(api::PutDatasetPolicy, id).await?;
    caller.state.governance.put_dataset_policy(permit, None, why.reason.as_deref()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Give a dataset a new version of its key: new objects are sealed under it, old ones stay readable
#[utoipa::path(post, path = "/datasets/{id}/rotate-key", tag = "dataset", params(("id" = String, Path)), request_body = End, responses((status = 200, body = DatasetRow)))]
async fn rotate_key(At(caller, id): At<DatasetId>, Body(body): Body<End>) -> Result<Shown<DatasetRow>, Problem> {
    let reason = body.reason()?;
    let permit = caller.may(api::RotateDatasetKey, id).await?;
    caller.state.governance.rotate_dataset_key(permit, reason).await?;
    shown(&caller, id).await
}
