//! The HTTP edge of the built-in OpenID provider: its endpoints, and the few pages on which people sign in.
//!
//! It decides nothing: requests go to `directory::Provider`, answers come back. INVARIANTS: every page has a strict content
//! policy without inline script or style; every form checks the origin and a token; no answer is stored by a cache.

mod agree;
mod authorize;
mod caller;
mod cookies;
mod device;
mod pages;
mod sign_out;
mod token;

use access::rates::Table;
use access::{Access, DenyReason, Installation, OpContext};
use axum::{
    Router,
    extract::DefaultBodyLimit,
    routing::{get, post},
};
use base::Effects;
use directory::Provider;
use protocols::{
    oidc::{Endpoints, FORM_BYTES_MAX},
    peer::{TrustedProxies, network},
};
use std::{net::IpAddr, num::NonZeroU32, sync::Arc};

/// Requests a second that one address may make to the provider: a person makes two, a notebook server behind one address
/// some dozens.
const PER_SOURCE: NonZeroU32 = NonZeroU32::MIN.saturating_add(49);

/// Takes note of failed sign-ins, so that they reach the record (gxp.md AUD-11).
pub trait SignInFailures: Send + Sync + 'static {
    /// Somebody failed to show who they are.
    fn failed(&self, op: &OpContext);
}

impl SignInFailures for Access {
    fn failed(&self, op: &OpContext) {
        self.record_refusal(op, "galen:SignIn", &Installation.into(), DenyReason::NotSignedIn);
    }
}

/// What the endpoints answer from; built once by `app`.
pub struct Deps {
    /// The provider.
    pub provider: Provider,
    /// Where failed sign-ins are recorded: the gate.
    pub failures: Arc<dyn SignInFailures>,
    /// Time and randomness.
    pub effects: Effects,
    /// Whose forwarding headers are believed.
    pub proxies: TrustedProxies,
}

/// Shared by all handlers.
#[derive(Clone)]
struct State(Arc<Shared>);

struct Shared {
    provider: Provider,
    failures: Arc<dyn SignInFailures>,
    effects: Effects,
    proxies: TrustedProxies,
    /// The issuer's origin: what `Origin` must be on every form.
    origin: String,
    /// Whether the issuer is https, so that cookies are `Secure` and carry the `__Host-` prefix.
    secure: bool,
    sources: Table<IpAddr>,
}

impl std::ops::Deref for State {
    type Target = Shared;
    fn deref(&self) -> &Shared {
        &self.0
    }
}

impl Shared {
    /// Whether this address may make another request now.
    fn admits(&self, source: Option<IpAddr>) -> bool {
        source.is_none_or(|source| self.sources.take(&network(source)).is_ok())
    }
}

/// Every route of the provider.
pub fn router(deps: Deps) -> Router {
    let Deps { provider, failures, effects, proxies } = deps;
    let origin = url::Url::parse(provider.issuer()).map(|url| url.origin().ascii_serialization()).unwrap_or_default();
    let secure = origin.starts_with("https://");
    let sources = Table::new(effects.clone(), PER_SOURCE, PER_SOURCE);
    let state = State(Arc::new(Shared { provider, failures, effects, proxies, origin, secure, sources }));
    Router::new()
        .route(Endpoints::DISCOVERY, get(token::discovery))
        .route(Endpoints::JWKS, get(token::jwks))
        .route(Endpoints::AUTHORIZE, get(authorize::get).post(authorize::post))
        .route("/signin", get(authorize::alone).post(authorize::sign_in))
        .route("/signin/password", get(authorize::alone).post(authorize::choose))
        .route("/agree", post(agree::decided))
        .route("/agreements", get(agree::list).post(agree::take_back))
        .route(Endpoints::TOKEN, post(token::token))
        .route(Endpoints::REVOKE, post(token::revoke))
        .route(Endpoints::DEVICE, post(token::device))
        .route(Endpoints::USERINFO, get(token::userinfo).post(token::userinfo))
        .route(Endpoints::DEVICE_PAGE, get(device::page).post(device::entered))
        .route("/device/decide", post(device::decided))
        .route(Endpoints::END_SESSION, get(sign_out::end_session).post(sign_out::end_session_posted))
        .route("/signout", post(sign_out::sign_out))
        .route("/oidc/style.css", get(pages::style))
        .layer(DefaultBodyLimit::max(FORM_BYTES_MAX))
        .with_state(state)
}

#[cfg(test)]
mod tests;
