//! What machines that watch Galen ask: is it alive, is it ready, what are its counters. Liveness and readiness say nothing of the
//! installation; counters are for this machine, or for a session that may see the system.

use access::{Installation, Outcome, action::api};
use axum::{
    Router,
    extract::{FromRequestParts, State as Shared},
    http::{StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
    routing::get,
};
use base::ErrorKind;
use protocols::peer::Peer;

use super::{Problem, State, extract::Caller};

pub(super) fn routes() -> Router<State> {
    Router::new()
        .route("/livez", get(|| async { "alive\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
}

/// Ready when every part says so; otherwise the parts that are not, by name.
async fn ready(Shared(state): Shared<State>) -> Response {
    let waiting = (state.waiting)();
    if waiting.is_empty() {
        "ready\n".into_response()
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, format!("waiting for: {}\n", waiting.join(", "))).into_response()
    }
}

async fn metrics(Shared(state): Shared<State>, mut parts: Parts) -> Result<Response, Problem> {
    let peer = parts.extensions.get::<Peer>().copied();
    let local = peer.is_some_and(|peer| state.proxies.source(peer, &parts.headers).address.is_loopback());
    if !local {
        let caller = Caller::from_request_parts(&mut parts, &state).await?;
        let permit = state.access.authorize(&caller.op, api::ShowSystem, Installation).await?;
        permit.finish(Outcome::DONE);
    }
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &state.registry)
        .map_err(|_| Problem::new(ErrorKind::Internal, "the counters could not be written"))?;
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    Ok(([(header::CONTENT_TYPE, kind)], text).into_response())
}
