//! The pages on which a person lets a device in (RFC 8628, section 3.3).

use axum::{
    body::Bytes,
    extract::{RawQuery, State as Extract},
    http::StatusCode,
    response::Response,
};
use directory::{Error, SignIn};
use protocols::oidc::Form;

use super::{State, authorize::SignInForm, caller::Caller, pages};

const WRONG: &str = "No device waits with this code. Check it, or start again on the device: a code lasts ten minutes.";
const TOO_MANY: &str = "Too many wrong codes. Wait ten minutes, then start again on the device.";

/// The form for the code; with `?user_code=` it is filled in.
pub(super) async fn page(Extract(state): Extract<State>, caller: Caller, RawQuery(query): RawQuery) -> Response {
    let form = Form::parse(query.unwrap_or_default().as_bytes()).unwrap_or_default();
    let user_code = form.value("user_code").unwrap_or_default();
    match caller.signed_in(&state).await {
        Ok(Some(_)) => enter(&state, &caller, StatusCode::OK, user_code, None),
        Ok(None) => SignInForm { asked: None, request: "", user_code }.page(&state, &caller, StatusCode::OK, "", None),
        Err(error) => pages::failed(&error),
    }
}

fn enter(state: &State, caller: &Caller, status: StatusCode, user_code: &str, alert: Option<&str>) -> Response {
    let csrf = caller.csrf(state);
    pages::form(state, status, &pages::DevicePage { alert, csrf: &csrf, user_code }, &csrf, None)
}

/// The form of a signed-in person from one of our pages, or the page to answer with.
async fn read(state: &State, caller: &Caller, body: &[u8]) -> Result<(Form, SignIn), Box<Response>> {
    let form = Form::parse(body).unwrap_or_default();
    if !caller.is_own_form(state, form.value("csrf")) {
        return Err(Box::new(pages::foreign_form(state)));
    }
    match caller.signed_in(state).await {
        Ok(Some(sign_in)) => Ok((form, sign_in)),
        Ok(None) => {
            let user_code = form.value("user_code").unwrap_or_default();
            let again = SignInForm { asked: None, request: "", user_code };
            Err(Box::new(again.page(state, caller, StatusCode::OK, "", None)))
        }
        Err(error) => Err(Box::new(pages::failed(&error))),
    }
}

fn wrong(state: &State, caller: &Caller, user_code: &str, error: &Error) -> Response {
    match error {
        Error::NotFound { .. } => enter(state, caller, StatusCode::NOT_FOUND, user_code, Some(WRONG)),
        Error::Busy => enter(state, caller, StatusCode::TOO_MANY_REQUESTS, user_code, Some(TOO_MANY)),
        error => pages::failed(error),
    }
}

/// The entered code: shows what it stands for.
pub(super) async fn entered(Extract(state): Extract<State>, caller: Caller, body: Bytes) -> Response {
    let (form, sign_in) = match read(&state, &caller, &body).await {
        Ok(read) => read,
        Err(response) => return *response,
    };
    let user_code = form.value("user_code").unwrap_or_default();
    let asked = match state.provider.device_asked(&sign_in, user_code).await {
        Ok(asked) => asked,
        Err(error) => return wrong(&state, &caller, user_code, &error),
    };
    let personal = match state.provider.directory().personal_of(sign_in.person).await {
        Ok(personal) => personal,
        Err(error) => return pages::failed(&error),
    };
    let csrf = caller.csrf(&state);
    let template = pages::DeviceConfirmPage {
        client: &asked.client,
        user_code: &asked.user_code,
        username: personal.as_ref().map_or("", |personal| personal.username.as_str()),
        csrf: &csrf,
    };
    pages::form(&state, StatusCode::OK, &template, &csrf, None)
}

/// The person's answer.
pub(super) async fn decided(Extract(state): Extract<State>, caller: Caller, body: Bytes) -> Response {
    let (form, sign_in) = match read(&state, &caller, &body).await {
        Ok(read) => read,
        Err(response) => return *response,
    };
    let user_code = form.value("user_code").unwrap_or_default();
    let yes = form.value("answer") == Some("yes");
    match state.provider.device_decide(&caller.op, &sign_in, user_code, yes).await {
        Ok(()) if yes => pages::done("Connected", "The device is signed in.", "You can close this page."),
        Ok(()) => pages::done("Refused", "The device was not let in.", "You can close this page."),
        Err(error) => wrong(&state, &caller, user_code, &error),
    }
}
