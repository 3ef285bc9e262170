//! The pages: templates, and the headers that every one of them carries.

use askama::Template;
use axum::{
    body::Body,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use directory::Error;
use url::Url;

use super::{State, cookies};

const STYLE: &str = include_str!("../../templates/oidc/style.css");

/// The sign-in form.
#[derive(Template)]
#[template(path = "oidc/sign_in.html")]
pub(super) struct SignInPage<'a> {
    pub(super) client: Option<&'a str>,
    pub(super) port: Option<u16>,
    pub(super) alert: Option<String>,
    pub(super) csrf: &'a str,
    pub(super) request: &'a str,
    pub(super) user_code: &'a str,
    pub(super) username: &'a str,
}

/// Where a person chooses a password that nobody else knows.
#[derive(Template)]
#[template(path = "oidc/own_password.html")]
pub(super) struct OwnPasswordPage<'a> {
    pub(super) alert: Option<String>,
    pub(super) csrf: &'a str,
    pub(super) request: &'a str,
    pub(super) user_code: &'a str,
    pub(super) username: &'a str,
    pub(super) min: usize,
}

/// Where a person lets another application in.
#[derive(Template)]
#[template(path = "oidc/agree.html")]
pub(super) struct AgreePage<'a> {
    pub(super) client: &'a str,
    pub(super) client_id: &'a str,
    pub(super) username: &'a str,
    pub(super) goes_to: &'a str,
    pub(super) audiences: &'a [String],
    pub(super) csrf: &'a str,
    pub(super) request: &'a str,
    pub(super) question: &'a str,
}

/// Where a person who is signed in says that they started a program themselves.
#[derive(Template)]
#[template(path = "oidc/continue.html")]
pub(super) struct ContinuePage<'a> {
    pub(super) client: &'a str,
    pub(super) username: &'a str,
    pub(super) port: Option<u16>,
    pub(super) goes_to: &'a str,
    pub(super) csrf: &'a str,
    pub(super) request: &'a str,
    pub(super) question: &'a str,
}

/// Where a person sees which applications they let in.
#[derive(Template)]
#[template(path = "oidc/agreements.html")]
pub(super) struct AgreementsPage<'a> {
    pub(super) clients: &'a [directory::Client],
    pub(super) csrf: &'a str,
}

/// What happened and what to do.
#[derive(Template)]
#[template(path = "oidc/message.html")]
struct MessagePage<'a> {
    title: &'a str,
    problem: bool,
    what: &'a str,
    next: &'a str,
}

/// Where a device's code is entered.
#[derive(Template)]
#[template(path = "oidc/device.html")]
pub(super) struct DevicePage<'a> {
    pub(super) alert: Option<&'a str>,
    pub(super) csrf: &'a str,
    pub(super) user_code: &'a str,
}

/// Where a device is let in.
#[derive(Template)]
#[template(path = "oidc/device_confirm.html")]
pub(super) struct DeviceConfirmPage<'a> {
    pub(super) client: &'a str,
    pub(super) user_code: &'a str,
    pub(super) username: &'a str,
    pub(super) csrf: &'a str,
}

/// Where a person signs out.
#[derive(Template)]
#[template(path = "oidc/sign_out.html")]
pub(super) struct SignOutPage<'a> {
    pub(super) username: &'a str,
    pub(super) csrf: &'a str,
}

/// What a form on a page may lead to besides this origin: browsers hold the redirect after a form to `form-action` too.
fn form_target(redirect_uri: &str) -> Option<String> {
    let url = Url::parse(redirect_uri).ok()?;
    let target = match url.has_host() && matches!(url.scheme(), "http" | "https") {
        true => url.origin().ascii_serialization(),
        false => format!("{}:", url.scheme()),
    };
    let plain = |c: char| c.is_ascii_alphanumeric() || ".:/-+[]".contains(c);
    target.chars().all(plain).then_some(target)
}

/// Puts the headers of every answer on it.
pub(super) fn guard(headers: &mut HeaderMap, form_to: Option<&str>) {
    let target = form_to.and_then(form_target).map_or_else(String::new, |target| format!(" {target}"));
    let policy = format!(
        "default-src 'none'; style-src 'self'; form-action 'self'{target}; base-uri 'none'; frame-ancestors 'none'"
    );
    let mut put = |name: HeaderName, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name, value);
        }
    };
    put(header::CONTENT_SECURITY_POLICY, &policy);
    put(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    put(header::X_FRAME_OPTIONS, "DENY");
    // Not `no-referrer`: browsers would then send `Origin: null` with our own forms, which are held to it.
    put(header::REFERRER_POLICY, "same-origin");
    put(header::CACHE_CONTROL, "no-store");
}

/// A page, with the form token's cookie if it has a form.
pub(super) fn page(status: StatusCode, template: &impl Template, form_to: Option<&str>) -> Response {
    match template.render() {
        Ok(html) => {
            let mut response = Response::new(Body::from(html));
            *response.status_mut() = status;
            let headers = response.headers_mut();
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
            guard(headers, form_to);
            response
        }
        Err(error) => {
            tracing::error!(%error, "a page could not be rendered");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// A page with a form.
pub(super) fn form(
    state: &State,
    status: StatusCode,
    template: &impl Template,
    csrf: &str,
    to: Option<&str>,
) -> Response {
    let mut response = page(status, template, to);
    cookies::set_csrf(response.headers_mut(), csrf, state.secure);
    response
}

/// A page that says what went wrong and what to do.
pub(super) fn problem(status: StatusCode, title: &str, what: &str, next: &str) -> Response {
    page(status, &MessagePage { title, problem: true, what, next }, None)
}

/// A page that says what was done.
pub(super) fn done(title: &str, what: &str, next: &str) -> Response {
    page(StatusCode::OK, &MessagePage { title, problem: false, what, next }, None)
}

/// A form that did not come from one of our pages.
pub(super) fn foreign_form(state: &State) -> Response {
    let next = format!("Open the page again under {} and use the form there; cookies must be allowed.", state.origin);
    let what = "This form did not come from a page of this site, or the page was too old.";
    problem(StatusCode::FORBIDDEN, "Not accepted", what, &next)
}

/// A flood.
pub(super) fn too_many() -> Response {
    let mut response = problem(
        StatusCode::TOO_MANY_REQUESTS,
        "Too many requests",
        "Too many requests came from your address.",
        "Wait a second and try again.",
    );
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    response
}

/// A failure of the directory that no person can mend.
pub(super) fn failed(error: &Error) -> Response {
    tracing::error!(error = error as &dyn std::error::Error, "a sign-in page failed");
    let next = "Try again. If it stays, tell an administrator the time at which it happened.";
    problem(StatusCode::INTERNAL_SERVER_ERROR, "Something failed", "The request could not be completed.", next)
}

/// Sends the browser somewhere.
pub(super) fn redirect(to: &str) -> Response {
    let mut response = StatusCode::SEE_OTHER.into_response();
    guard(response.headers_mut(), None);
    match HeaderValue::from_str(to) {
        Ok(value) => {
            response.headers_mut().insert(header::LOCATION, value);
            response
        }
        Err(_) => problem(
            StatusCode::BAD_REQUEST,
            "Not accepted",
            "The address to go back to cannot be sent.",
            "Tell the people who run the application.",
        ),
    }
}

/// The style sheet.
pub(super) async fn style() -> Response {
    let mut response = Response::new(Body::from(STYLE));
    let headers = response.headers_mut();
    guard(headers, None);
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/css; charset=utf-8"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=300"));
    response
}
