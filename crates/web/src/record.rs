//! What is refused on this edge without an entry of the ledger is counted here, after everything else; and what no handler should
//! see, requests with too large headers, is refused here. It decides nothing.

use access::{Access, Door, Trace};
use axum::{
    Router,
    extract::Request,
    middleware::{self, Next},
    response::{IntoResponse as _, Response},
};
use http::HeaderMap;
use protocols::peer::{Peer, TrustedProxies};
use std::sync::Arc;

use crate::api::{Problem, bearer};

/// Largest header block of a request, in bytes, as on the AWS edge: tokens fit, floods do not.
const HEADER_BYTES_MAX: usize = 64 * 1024;
/// Most headers of a request, as on the AWS edge.
const HEADERS_MAX: usize = 128;

/// The router with a trace of each request, and its refusals counted by reason, and by session or source.
pub(crate) fn counted(router: Router, access: Access, proxies: TrustedProxies) -> Router {
    let deps = Arc::new((access, proxies));
    router.layer(middleware::from_fn(bounded)).layer(middleware::from_fn(move |request: Request, next: Next| {
        let deps = Arc::clone(&deps);
        async move { each(&deps, request, next).await }
    }))
}

async fn each((access, proxies): &(Access, TrustedProxies), mut request: Request, next: Next) -> Response {
    let trace = Trace::default();
    request.extensions_mut().insert(trace.clone());
    let peer = request.extensions().get::<Peer>();
    let source = peer.map(|peer| proxies.source(*peer, request.headers()).address);
    let door = if request.uri().path().starts_with("/api/") { Door::Api } else { Door::Web };
    let token = bearer(request.headers()).ok().map(str::to_owned);
    let response = next.run(request).await;
    let status = response.status();
    // No handler looked who it is: a path that is nowhere, headers that are too large.
    if status.is_client_error()
        && !trace.is_recorded()
        && !trace.has_sender()
        && let Some(token) = token
    {
        // The trace takes note; the answer stands.
        drop(access.sessions().open_for(&trace, &token, None).await);
    }
    access.count_refusal(&trace, door, status.as_u16(), source);
    response
}

async fn bounded(request: Request, next: Next) -> Response {
    match fits(request.headers()) {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    }
}

fn fits(headers: &HeaderMap) -> Result<(), Problem> {
    let bytes: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    if bytes > HEADER_BYTES_MAX || headers.len() > HEADERS_MAX {
        return Err(Problem::large_headers(HEADER_BYTES_MAX, HEADERS_MAX));
    }
    Ok(())
}
