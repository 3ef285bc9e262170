//! What every handler knows of the caller: the address, the cookies, the origin; and the refusal of floods.

use access::{Edge, OpContext, Trace};
use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, header, request::Parts},
    response::Response,
};
use base::Secret;
use directory::SignIn;
use protocols::{oidc::Endpoints, peer::Peer};

use super::{State, cookies, pages, token};

/// What programs ask, which read no pages.
const OF_PROGRAMS: [&str; 4] = [Endpoints::TOKEN, Endpoints::REVOKE, Endpoints::DEVICE, Endpoints::USERINFO];

/// The caller of one request.
pub(super) struct Caller {
    pub(super) headers: HeaderMap,
    pub(super) op: OpContext,
}

impl FromRequestParts<State> for Caller {
    type Rejection = Response;
    async fn from_request_parts(parts: &mut Parts, state: &State) -> Result<Self, Response> {
        let trace = parts.extensions.get::<Trace>().cloned().unwrap_or_default();
        let mut op = OpContext::anonymous(&state.effects, Edge::Api).with_trace(trace);
        if let Some(peer) = parts.extensions.get::<Peer>() {
            let source = state.proxies.source(*peer, &parts.headers);
            op = op.with_transport(Some(source.address), source.secure);
        }
        if let Some(agent) = parts.headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok()) {
            op = op.with_user_agent(agent);
        }
        if state.admits(op.source_ip) {
            Ok(Self { headers: parts.headers.clone(), op })
        } else {
            let by_program = OF_PROGRAMS.contains(&parts.uri.path());
            Err(if by_program { token::too_many() } else { pages::too_many() })
        }
    }
}

impl Caller {
    /// The secret of the sign-in cookie.
    pub(super) fn sign_in_cookie(&self, state: &State) -> Option<Secret<String>> {
        cookies::read(&self.headers, &cookies::name(cookies::SIGN_IN, state.secure)).map(Secret::new)
    }

    /// The sign-in behind the cookie, if it is still good.
    pub(super) async fn signed_in(&self, state: &State) -> Result<Option<SignIn>, directory::Error> {
        match self.sign_in_cookie(state) {
            Some(cookie) => state.provider.signed_in(&cookie).await,
            None => Ok(None),
        }
    }

    /// The token that forms carry: the one of the cookie, or a new one that the page's answer sets.
    pub(super) fn csrf(&self, state: &State) -> String {
        let cookie = cookies::read(&self.headers, &cookies::name(cookies::CSRF, state.secure));
        cookie.filter(|text| cookies::is_token(text)).unwrap_or_else(|| cookies::new_token(&state.effects))
    }

    /// Whether a form came from one of this issuer's own pages: `Origin` is the issuer's, and the token in the form is the
    /// one in the cookie.
    pub(super) fn is_own_form(&self, state: &State, csrf: Option<&str>) -> bool {
        let origin = self.headers.get(header::ORIGIN).and_then(|value| value.to_str().ok());
        let cookie = cookies::read(&self.headers, &cookies::name(cookies::CSRF, state.secure));
        let same = match (cookie, csrf) {
            (Some(cookie), Some(csrf)) => {
                cookies::is_token(&cookie) && crypto::constant_time_eq(cookie.as_bytes(), csrf.as_bytes())
            }
            _ => false,
        };
        same && origin == Some(state.origin.as_str())
    }
}
