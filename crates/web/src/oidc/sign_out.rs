//! Signing out, asked for by a client (OpenID Connect RP-Initiated Logout 1.0) or by the person.

use axum::{
    body::Bytes,
    extract::{RawQuery, State as Extract},
    http::StatusCode,
    response::Response,
};
use protocols::oidc::{Endpoints, Form};
use url::Url;

use super::{State, caller::Caller, cookies, pages};

/// Ends the sign-in behind the cookie and takes the cookie away.
async fn end(state: &State, caller: &Caller, mut response: Response) -> Response {
    if let Some(cookie) = caller.sign_in_cookie(state)
        && let Err(error) = state.provider.directory().sign_out(&caller.op, &cookie).await
    {
        return pages::failed(&error);
    }
    cookies::clear_sign_in(response.headers_mut(), state.secure);
    response
}

fn signed_out() -> Response {
    let next = "Applications that you opened may stay signed in until their own sessions end. You can close this page.";
    pages::done("Signed out", "You are signed out here.", next)
}

/// With an ID token of this very sign-in and a registered address, signs out and goes there; else asks the person, so that
/// no other page can sign somebody out (OWASP ASVS 5.0, 10.6.2: a confirmed hint stands for the person's yes).
pub(super) async fn end_session(Extract(state): Extract<State>, caller: Caller, RawQuery(query): RawQuery) -> Response {
    let form = Form::parse(query.unwrap_or_default().as_bytes()).unwrap_or_default();
    let sign_in = match caller.signed_in(&state).await {
        Ok(sign_in) => sign_in,
        Err(error) => return pages::failed(&error),
    };
    if let (Some(hint), Some(uri)) = (form.value("id_token_hint"), form.value("post_logout_redirect_uri")) {
        match state.provider.after_sign_out(hint, form.value("client_id"), uri).await {
            Ok(Some((to, hinted))) if sign_in.as_ref().is_none_or(|it| it.id.to_string() == hinted) => {
                let to = match (Url::parse(&to), form.value("state")) {
                    (Ok(mut url), Some(text)) => {
                        url.query_pairs_mut().append_pair("state", text);
                        url.into()
                    }
                    _ => to,
                };
                return end(&state, &caller, pages::redirect(&to)).await;
            }
            Ok(_) => {}
            Err(error) => return pages::failed(&error),
        }
    }
    let Some(sign_in) = sign_in else { return signed_out() };
    match state.provider.directory().personal_of(sign_in.person).await {
        Ok(personal) => {
            let csrf = caller.csrf(&state);
            let username = personal.as_ref().map_or("", |personal| personal.username.as_str());
            pages::form(&state, StatusCode::OK, &pages::SignOutPage { username, csrf: &csrf }, &csrf, None)
        }
        Err(error) => pages::failed(&error),
    }
}

/// The same, posted: goes on by GET, because a form of another site comes without the sign-in's cookie.
pub(super) async fn end_session_posted(_caller: Caller, body: Bytes) -> Response {
    let form = Form::parse(&body).unwrap_or_default();
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(form.pairs());
    pages::redirect(&format!("{}?{}", Endpoints::END_SESSION, query.finish()))
}

/// The posted sign-out form.
pub(super) async fn sign_out(Extract(state): Extract<State>, caller: Caller, body: Bytes) -> Response {
    let form = Form::parse(&body).unwrap_or_default();
    if !caller.is_own_form(&state, form.value("csrf")) {
        return pages::foreign_form(&state);
    }
    end(&state, &caller, signed_out()).await
}
