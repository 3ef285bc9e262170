//! What every request passes, before and after its handler: an id, a rate, the headers that browsers heed.

use axum::{
    body::Body,
    extract::{Request, State as Shared},
    http::{HeaderValue, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use base::{ErrorKind, Ids, RequestId};
use protocols::peer::Peer;

use super::{BODY_BYTES_MAX, Problem, State, extract::Request_};

/// Gives the request its id, counts it, and dresses the answer.
pub(super) async fn each(Shared(state): Shared<State>, mut request: Request, next: Next) -> Response {
    let id = RequestId::from_uuid(state.effects.uuid());
    request.extensions_mut().insert(Request_(id));
    let counted = match request.extensions().get::<Peer>() {
        Some(peer) => state.rates.source(state.proxies.source(*peer, request.headers()).address),
        None => Ok(()),
    };
    let mut response = match counted {
        Ok(()) => match whole(request).await {
            Ok(request) => next.run(request).await,
            Err(problem) => problem.into_response(),
        },
        Err(problem) => problem.into_response(),
    };
    let headers = response.headers_mut();
    if let Ok(value) = HeaderValue::from_str(&id.to_string()) {
        headers.insert("x-request-id", value);
    }
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"),
    );
    response
}

/// The request with its body read. A refusal that left a body unread would end the connection under a client that sends its next
/// request on it; bodies of this API are small, and what is larger may end it.
async fn whole(request: Request) -> Result<Request, Problem> {
    let (parts, body) = request.into_parts();
    let bytes = axum::body::to_bytes(body, BODY_BYTES_MAX).await.map_err(|_| {
        let detail = format!("a body has at most {BODY_BYTES_MAX} bytes and arrives within half a minute");
        Problem::new(ErrorKind::TooLarge, detail)
    })?;
    Ok(Request::from_parts(parts, Body::from(bytes)))
}
