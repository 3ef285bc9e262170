//! What machines that watch Galen ask: is it alive, is it ready, what are its counters. Liveness and readiness say nothing of the
//! installation; counters are for this machine, or for a session that may see the system.

use access::{Installation, Outcome, action::api};
use axum::{
    Router,
    extract::{FromRequestParts, State as Shared},
    http::{HeaderMap, StatusCode, header, request::Parts},
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

/// Ready when every part says so; otherwise the parts that are not, by name. Where other nodes change the state too, how old this
/// node's may be.
async fn ready(Shared(state): Shared<State>) -> Response {
    let (waiting, age) = ((state.waiting)(), state.store.age());
    let age = if age.is_zero() { String::new() } else { format!("state: {} ms old\n", age.as_millis()) };
    if waiting.is_empty() {
        format!("ready\n{age}").into_response()
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, format!("waiting for: {}\n{age}", waiting.join(", "))).into_response()
    }
}

/// Whether a request comes from this machine. Where the issuer is a public address and the edge listens on loopback, a proxy
/// that nobody listed as trusted makes every caller look local: then none is.
fn is_this_machine(state: &State, peer: Peer, headers: &HeaderMap) -> bool {
    let behind_unlisted = !peer.tls && !is_loopback(&state.about.issuer) && !state.proxies.trusts(peer.address.ip());
    !behind_unlisted && state.proxies.source(peer, headers).address.is_loopback()
}

/// Whether a URL names this machine itself.
fn is_loopback(url: &str) -> bool {
    match url::Url::parse(url).ok().as_ref().and_then(url::Url::host) {
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        Some(url::Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

async fn metrics(Shared(state): Shared<State>, mut parts: Parts) -> Result<Response, Problem> {
    let peer = parts.extensions.get::<Peer>().copied();
    if !peer.is_some_and(|peer| is_this_machine(&state, peer, &parts.headers)) {
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

#[cfg(test)]
mod tests {
    //! Who counts as this machine.

    use super::is_loopback;

    #[test]
    fn an_issuer_is_this_machine_only_by_a_loopback_name() {
        for url in ["http://127.0.0.1:8080", "http://localhost:1", "https://[::1]:9"] {
            assert!(is_loopback(url), "{url}");
        }
        for url in ["https://galen.example.com", "https://10.0.0.1", "http://127.0.0.1.example.com", "nonsense"] {
            assert!(!is_loopback(url), "{url}");
        }
    }
}
