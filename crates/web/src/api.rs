//! The management API, `/api/v1`: bytes to typed requests, the gate, a use case, and back. It decides nothing itself.
//!
//! Every handler has the same rhythm: read, authorise, act, answer. The OpenAPI 3.1 document is made from this code and served
//! at `/api/v1/openapi.json`.

mod common;
mod description;
mod etag;
mod extract;
mod guard;
mod idempotency;
mod names;
mod problem;

mod approval;
mod client;
mod dataset;
mod domain;
mod grant;
mod group;
mod key;
mod person;
mod resolve;
mod revocation;
mod role;
mod service;
mod session;
mod system;
mod why;

pub(crate) use extract::bearer;
pub use problem::Problem;

use access::Access;
use axum::{Json, Router, extract::DefaultBodyLimit, middleware, routing::get};
use base::{AccountId, Effects, ErrorKind, Region};
use directory::{Directory, Provider};
use governance::Governance;
use prometheus_client::registry::Registry;
use protocols::peer::TrustedProxies;
use std::{ops::Deref, sync::Arc};
use store::Store;
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;

use crate::limits::Limiter;

/// Largest request body, in bytes: a policy document is at most 20 KiB, everything else is smaller.
const BODY_BYTES_MAX: usize = 256 * 1024;

/// What the API answers from; built once by `app`.
pub struct Deps {
    /// The gate and the sessions.
    pub access: Access,
    /// People, groups, clients.
    pub directory: Directory,
    /// Domains, datasets, grants.
    pub governance: Governance,
    /// The built-in provider: it checks identity tokens, and its keys are rotated here.
    pub provider: Provider,
    /// For idempotency records.
    pub store: Store,
    /// Time and randomness.
    pub effects: Effects,
    /// Whose forwarding headers are believed.
    pub proxies: TrustedProxies,
    /// What clients need to know of this installation.
    pub about: About,
    /// Names for evidence.
    pub names: Arc<dyn evidence::Names>,
    /// The counters of every part.
    pub registry: Arc<Registry>,
    /// The parts that are not ready, by name; empty when all are.
    pub waiting: Arc<dyn Fn() -> Vec<&'static str> + Send + Sync>,
}

/// What clients need to know of this installation.
#[derive(Clone, Debug)]
pub struct About {
    /// The account in every ARN.
    pub account: AccountId,
    /// The region in every ARN.
    pub region: Region,
    /// The OpenID issuer.
    pub issuer: String,
    /// URL of the AWS edge.
    pub aws: String,
    /// Version of the program.
    pub version: &'static str,
}

/// Shared by all handlers.
#[derive(Clone)]
pub(crate) struct State(Arc<Shared>);

pub(crate) struct Shared {
    pub(crate) access: Access,
    pub(crate) directory: Directory,
    pub(crate) governance: Governance,
    pub(crate) provider: Provider,
    pub(crate) store: Store,
    pub(crate) effects: Effects,
    pub(crate) proxies: TrustedProxies,
    pub(crate) rates: Arc<Limiter>,
    pub(crate) about: About,
    pub(crate) names: Arc<dyn evidence::Names>,
    pub(crate) registry: Arc<Registry>,
    pub(crate) waiting: Arc<dyn Fn() -> Vec<&'static str> + Send + Sync>,
}

impl Deref for State {
    type Target = Shared;
    fn deref(&self) -> &Shared {
        &self.0
    }
}

/// The description of the API, completed by its routes.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Galen management API",
        description = "People, groups, services, roles, datasets, grants, why and revoke."
    ),
    components(schemas(Problem, grant::GrantState))
)]
struct Document;

/// Everything below `/api/v1`, with its description: a nested router would lose its own.
fn api() -> OpenApiRouter<State> {
    OpenApiRouter::with_openapi(Document::openapi()).nest("/api/v1", routes())
}

fn routes() -> OpenApiRouter<State> {
    OpenApiRouter::new()
        .merge(session::routes())
        .merge(person::routes())
        .merge(group::routes())
        .merge(approval::routes())
        .merge(role::routes())
        .merge(client::routes())
        .merge(service::routes())
        .merge(domain::routes())
        .merge(dataset::routes())
        .merge(grant::routes())
        .merge(key::routes())
        .merge(revocation::routes())
        .merge(why::routes())
}

/// The OpenAPI 3.1 document.
pub fn openapi() -> utoipa::openapi::OpenApi {
    let mut document = api().to_openapi();
    etag::describe(&mut document);
    description::complete(&mut document);
    document
}

/// Every route of the API, with its guards: request ids, rates, body limits, idempotency.
pub(crate) fn router(deps: Deps, limiter: Arc<Limiter>) -> Router {
    let Deps { access, directory, governance, provider, store, effects, proxies, about, names, registry, waiting } =
        deps;
    let rates = limiter;
    let state = State(Arc::new(Shared {
        access,
        directory,
        governance,
        provider,
        store,
        effects,
        proxies,
        rates,
        about,
        names,
        registry,
        waiting,
    }));
    let (router, _) = api().split_for_parts();
    let document = Arc::new(openapi());
    router
        .merge(system::routes())
        .route("/api/v1/openapi.json", get(move || std::future::ready(Json(Arc::clone(&document)))))
        .layer(middleware::from_fn_with_state(state.clone(), idempotency::replay))
        .layer(middleware::from_fn(etag::not_modified))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .fallback(|| async { Problem::new(ErrorKind::NotFound, "there is no such resource in this API") })
        .method_not_allowed_fallback(|| async { Problem::wrong_method() })
        .layer(middleware::from_fn_with_state(state.clone(), guard::each))
        .with_state(state)
}

#[cfg(test)]
mod tests;
