//! The HTTP edge: sign-in and OpenID Connect, and the management API. Bytes to values and back; it decides nothing.
//!
//! It does not know sockets: `app` gives it requests with the [`protocols::peer::Peer`] in their extensions.

pub mod api;
mod limits;
pub mod oidc;

pub use limits::Rates;

mod body;
mod record;

use access::bodies::{Bodies, Spent};
use axum::{Router, body::Body, extract::Request as Asked, middleware::Next, response::IntoResponse as _};
use base::ErrorKind;
use directory::Provider;
use http::{HeaderValue, Request, Response, header};
use limits::Limiter;
use protocols::peer::{Peer, TrustedProxies};
use std::sync::Arc;
use tower::ServiceExt as _;

/// How long browsers keep to TLS after an answer that came over it: a year.
const STRICT: HeaderValue = HeaderValue::from_static("max-age=31536000");

/// Answers over TLS say that this host is reached by TLS alone; over plain HTTP they must not (RFC 6797, section 7.2).
fn strict(router: Router, proxies: TrustedProxies) -> Router {
    let proxies = Arc::new(proxies);
    router.layer(axum::middleware::from_fn(move |request: Asked, next: Next| {
        let peer = request.extensions().get::<Peer>();
        let secure = peer.is_some_and(|peer| proxies.source(*peer, request.headers()).secure);
        async move {
            let mut response = next.run(request).await;
            if secure {
                response.headers_mut().insert(header::STRICT_TRANSPORT_SECURITY, STRICT);
            }
            response
        }
    }))
}

/// The body of an answer.
pub type AnswerBody = Body;

/// The HTTP edge; cheap to clone.
#[derive(Clone)]
pub struct Web {
    router: Router,
    bodies: Arc<Bodies>,
}

impl Web {
    /// Joins the management API and the provider's pages.
    pub fn new(api: api::Deps, provider: Provider, rates: Rates) -> Self {
        let failures = Arc::new(api.access.clone());
        let (effects, proxies) = (api.effects.clone(), api.proxies.clone());
        let oidc = oidc::router(oidc::Deps { provider, failures, effects, proxies });
        let limits = Arc::new(Limiter::new(&api.effects, rates));
        let (access, transport) = (api.access.clone(), api.proxies.clone());
        let router = record::counted(api::router(api, limits).merge(oidc), access, transport.clone());
        Self { router: strict(router, transport), bodies: Arc::default() }
    }

    /// Answers one request; a failure is an answer too.
    pub fn answer<B>(&self, request: Request<B>) -> impl Future<Output = Response<AnswerBody>> + Send + 'static + use<B>
    where
        B: http_body::Body<Data = bytes::Bytes, Error: Into<axum::BoxError>> + Send + 'static,
    {
        let share = Arc::new(self.bodies.share());
        let answered = self.router.clone().oneshot(request.map(|body| body::bounded(body, Arc::clone(&share))));
        async move {
            match answered.await {
                Ok(_) if share.refused() => {
                    api::Problem::new(ErrorKind::Unavailable, Spent.to_string()).into_response()
                }
                Ok(response) => response,
                Err(never) => match never {},
            }
        }
    }
}

#[cfg(test)]
mod tests;
