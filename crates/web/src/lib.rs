//! The HTTP edge: sign-in and OpenID Connect, and the management API. Bytes to values and back; it decides nothing.
//!
//! It does not know sockets: `app` gives it requests with the [`protocols::peer::Peer`] in their extensions.

pub mod api;
mod limits;
pub mod oidc;

pub use limits::Rates;

mod body;

use axum::{Router, body::Body};
use directory::Provider;
use http::{Request, Response};
use limits::Limiter;
use std::sync::Arc;
use tower::ServiceExt as _;

/// The body of an answer.
pub type AnswerBody = Body;

/// The HTTP edge; cheap to clone.
#[derive(Clone)]
pub struct Web {
    router: Router,
}

impl Web {
    /// Joins the management API and the provider's pages.
    pub fn new(api: api::Deps, provider: Provider, rates: Rates) -> Self {
        let failures = Arc::new(api.access.clone());
        let (effects, proxies) = (api.effects.clone(), api.proxies.clone());
        let oidc = oidc::router(oidc::Deps { provider, failures, effects, proxies });
        Self { router: api::router(api, Arc::new(Limiter::new(rates))).merge(oidc) }
    }

    /// Answers one request; a failure is an answer too.
    pub fn answer<B>(&self, request: Request<B>) -> impl Future<Output = Response<AnswerBody>> + Send + 'static + use<B>
    where
        B: http_body::Body<Data = bytes::Bytes, Error: Into<axum::BoxError>> + Send + 'static,
    {
        let answered = self.router.clone().oneshot(request.map(body::in_time));
        async move {
            match answered.await {
                Ok(response) => response,
                Err(never) => match never {},
            }
        }
    }
}
