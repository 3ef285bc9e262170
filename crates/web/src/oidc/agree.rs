//! The pages on which a person lets another application in, and takes that back.

use axum::{body::Bytes, extract::State as Extract, http::StatusCode, response::Response};
use directory::{
    SignIn,
    provider::{Answer, Asked},
};
use protocols::oidc::Form;

use super::{
    State,
    authorize::{self, bad_request, refused},
    caller::Caller,
    cookies, pages,
};

/// Asks a person whether the client of a request may have tokens that speak for them; or, where they agreed to it before, whether
/// they started it themselves.
pub(super) async fn page(state: &State, caller: &Caller, asked: &Asked, request: &str, sign_in: &SignIn) -> Response {
    let personal = match state.provider.directory().personal_of(sign_in.person).await {
        Ok(personal) => personal,
        Err(error) => return pages::failed(&error),
    };
    let agreed = match state.provider.agreed(&asked.client, sign_in.person).await {
        Ok(agreed) => agreed,
        Err(error) => return pages::failed(&error),
    };
    let question = match state.provider.question(asked, request, sign_in) {
        Ok(question) => question,
        Err(error) => return pages::failed(&error),
    };
    let (client, csrf) = (&asked.client.registered, caller.csrf(state));
    let username = personal.as_ref().map_or("", |personal| personal.username.as_str());
    let goes_to = asked.redirect_uri();
    if agreed && asked.client.asks_each_time(goes_to) {
        let (client, port) = (client.name.as_str(), asked.local_port());
        let template =
            pages::ContinuePage { client, username, port, goes_to, csrf: &csrf, request, question: &question };
        return pages::form(state, StatusCode::OK, &template, &csrf, Some(goes_to));
    }
    let template = pages::AgreePage {
        client: &client.name,
        client_id: &client.client_id,
        username,
        goes_to,
        audiences: &client.audiences,
        csrf: &csrf,
        request,
        question: &question,
    };
    pages::form(state, StatusCode::OK, &template, &csrf, Some(goes_to))
}

/// The person's answer. One to another question, or to one that was asked too long ago, is no answer: the request begins anew.
pub(super) async fn decided(Extract(state): Extract<State>, caller: Caller, body: Bytes) -> Response {
    let form = Form::parse(&body).unwrap_or_default();
    if !caller.is_own_form(&state, form.value("csrf")) {
        return pages::foreign_form(&state);
    }
    let request = form.value("request").unwrap_or_default();
    let asked = match state.provider.ask(request.as_bytes()).await {
        Ok(asked) => asked,
        Err(refusal) => return refused(refusal),
    };
    let sign_in = match caller.signed_in(&state).await {
        Ok(sign_in) => sign_in,
        Err(error) => return pages::failed(&error),
    };
    let question = form.value("question").unwrap_or_default();
    let was_asked = |sign_in: &SignIn| state.provider.was_asked(question, &asked, request, sign_in);
    let answers = match sign_in.as_ref().map(was_asked).transpose() {
        Ok(was_asked) => was_asked == Some(true),
        Err(error) => return pages::failed(&error),
    };
    let Some(sign_in) = sign_in.filter(|_| answers) else {
        return authorize::answer(&state, &caller, request).await;
    };
    if form.value("answer") != Some("yes") {
        return refused(state.provider.disagree(&asked));
    }
    if let Err(error) = state.provider.agree(&caller.op, &asked.client, &sign_in).await {
        return pages::failed(&error);
    }
    match state.provider.grant_agreed(&asked, &sign_in).await {
        Ok(Answer::Redirect(to)) => pages::redirect(&to),
        Ok(Answer::Agree | Answer::SignIn { .. }) => bad_request("the application was changed at this moment"),
        Err(refusal) => refused(refusal),
    }
}

fn nobody() -> Response {
    let next = "Open an application, sign in, and come back to this page.";
    pages::problem(StatusCode::UNAUTHORIZED, "Not signed in", "This page is for who is signed in.", next)
}

/// The applications that the person let in.
pub(super) async fn list(Extract(state): Extract<State>, caller: Caller) -> Response {
    let clients = match caller.signed_in(&state).await {
        Ok(Some(sign_in)) => state.provider.agreements(sign_in.person).await,
        Ok(None) => return nobody(),
        Err(error) => Err(error),
    };
    match clients {
        Ok(clients) => {
            let csrf = caller.csrf(&state);
            pages::form(&state, StatusCode::OK, &pages::AgreementsPage { clients: &clients, csrf: &csrf }, &csrf, None)
        }
        Err(error) => pages::failed(&error),
    }
}

/// Takes one back.
pub(super) async fn take_back(Extract(state): Extract<State>, caller: Caller, body: Bytes) -> Response {
    let form = Form::parse(&body).unwrap_or_default();
    if !caller.is_own_form(&state, form.value("csrf")) {
        return pages::foreign_form(&state);
    }
    let Some(client) = form.value("client").and_then(|id| id.parse().ok()) else {
        return bad_request("it names no application");
    };
    let taken = match caller.signed_in(&state).await {
        Ok(Some(sign_in)) => state.provider.take_back(&caller.op, client, &sign_in).await,
        Ok(None) => return nobody(),
        Err(error) => Err(error),
    };
    match taken {
        Ok(()) => {
            let next = "Sign in again where you want to go on. The application asks you anew.";
            let mut response = pages::done("Taken back", "You are signed out everywhere.", next);
            cookies::clear_sign_in(response.headers_mut(), state.secure);
            response
        }
        Err(error) => pages::failed(&error),
    }
}
