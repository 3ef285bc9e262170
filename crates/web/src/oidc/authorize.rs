//! The authorization endpoint and the sign-in form.
//!
//! A program without a browser does what a browser does: it fetches the page, posts its only form with the hidden fields,
//! `username` and `password`, the page's cookies and `Origin`, and reads the code from `Location`.

use axum::{
    body::Bytes,
    extract::{RawQuery, State as Extract},
    http::StatusCode,
    response::Response,
};
use base::Secret;
use directory::{
    Error, SignIn,
    provider::{Answer, Asked, Refused},
};
use protocols::oidc::Form;

use super::{State, agree, caller::Caller, cookies, pages};

/// Longest authorization request, so that it fits into the form three times encoded.
const REQUEST_BYTES_MAX: usize = 8 * 1024;

pub(super) async fn get(Extract(state): Extract<State>, caller: Caller, RawQuery(query): RawQuery) -> Response {
    answer(&state, &caller, &query.unwrap_or_default()).await
}

pub(super) async fn post(Extract(state): Extract<State>, caller: Caller, body: Bytes) -> Response {
    match std::str::from_utf8(&body) {
        Ok(query) => answer(&state, &caller, query).await,
        Err(_) => bad_request("the request is not text"),
    }
}

pub(super) fn bad_request(what: &str) -> Response {
    let next = "Go back to the application and start again; if it stays, tell the people who run it.";
    pages::problem(StatusCode::BAD_REQUEST, "The application's request is wrong", what, next)
}

pub(super) fn refused(refused: Refused) -> Response {
    match refused {
        Refused::Page(error) => bad_request(&error.sentence),
        Refused::Redirect(to) => pages::redirect(&to),
    }
}

/// Answers an authorization request: a page, or the redirect.
pub(super) async fn answer(state: &State, caller: &Caller, query: &str) -> Response {
    if query.len() > REQUEST_BYTES_MAX {
        return bad_request("the request is longer than 8 KiB");
    }
    let asked = match state.provider.ask(query.as_bytes()).await {
        Ok(asked) => asked,
        Err(refusal) => return refused(refusal),
    };
    let sign_in = match caller.signed_in(state).await {
        Ok(sign_in) => sign_in,
        Err(error) => return pages::failed(&error),
    };
    match state.provider.answer(&asked, sign_in.as_ref()).await {
        Ok(answer) => answered(state, caller, &asked, query, (answer, sign_in.as_ref())).await,
        Err(refusal) => refused(refusal),
    }
}

/// Gives the provider's answer as a page or a redirect.
async fn answered(
    state: &State,
    caller: &Caller,
    asked: &Asked,
    request: &str,
    (answer, sign_in): (Answer, Option<&SignIn>),
) -> Response {
    match (answer, sign_in) {
        (Answer::Redirect(to), _) => pages::redirect(&to),
        (Answer::Agree, Some(sign_in)) => agree::page(state, caller, asked, request, sign_in).await,
        (Answer::Agree, None) => SignInForm { asked: Some(asked), request, user_code: "" }.ask(state, caller, ""),
        (Answer::SignIn { username }, _) => {
            let form = SignInForm { asked: Some(asked), request, user_code: "" };
            form.ask(state, caller, &username.unwrap_or_default())
        }
    }
}

/// What the sign-in form leads on to: an authorization request, or a device's code.
pub(super) struct SignInForm<'a> {
    pub(super) asked: Option<&'a Asked>,
    pub(super) request: &'a str,
    pub(super) user_code: &'a str,
}

impl SignInForm<'_> {
    fn ask(&self, state: &State, caller: &Caller, username: &str) -> Response {
        self.page(state, caller, StatusCode::OK, username, None)
    }

    /// The page on which a person whose password somebody else chose chooses an own one.
    fn own_password(
        &self,
        state: &State,
        caller: &Caller,
        status: StatusCode,
        username: &str,
        alert: Option<String>,
    ) -> Response {
        let csrf = caller.csrf(state);
        let (request, user_code, min) = (self.request, self.user_code, directory::PASSWORD_CHARS_MIN);
        let template = pages::OwnPasswordPage { alert, csrf: &csrf, request, user_code, username, min };
        pages::form(state, status, &template, &csrf, self.asked.map(Asked::redirect_uri))
    }

    pub(super) fn page(
        &self,
        state: &State,
        caller: &Caller,
        status: StatusCode,
        username: &str,
        alert: Option<String>,
    ) -> Response {
        let csrf = caller.csrf(state);
        let template = pages::SignInPage {
            client: self.asked.map(|asked| asked.client.registered.name.as_str()),
            port: self.asked.and_then(Asked::local_port),
            alert,
            csrf: &csrf,
            request: self.request,
            user_code: self.user_code,
            username,
        };
        pages::form(state, status, &template, &csrf, self.asked.map(Asked::redirect_uri))
    }
}

/// The form's address without a form: somebody reloaded or bookmarked it.
pub(super) async fn alone(_caller: Caller) -> Response {
    let next = "Open the application that you want to use; it brings you back here.";
    pages::problem(StatusCode::NOT_FOUND, "Nothing to sign in to", "No application asked you to sign in.", next)
}

/// What was posted from one of the two forms of signing in.
struct Posted {
    form: Form,
    asked: Option<Asked>,
    password: Secret<String>,
}

impl Posted {
    /// Reads the form of one of our own pages, or says with what page to answer.
    async fn read(state: &State, caller: &Caller, body: &[u8]) -> Result<Self, Box<Response>> {
        let form = Form::parse(body).map_err(|error| bad_request(&error.to_string()))?;
        if !caller.is_own_form(state, form.value("csrf")) {
            return Err(Box::new(pages::foreign_form(state)));
        }
        let asked = match form.value("request").unwrap_or_default() {
            "" => None,
            query => Some(state.provider.ask(query.as_bytes()).await.map_err(refused)?),
        };
        let password = Secret::new(form.value("password").unwrap_or_default().to_owned());
        Ok(Self { form, asked, password })
    }

    fn value(&self, name: &str) -> &str {
        self.form.value(name).unwrap_or_default()
    }

    /// The same form again.
    fn again(&self) -> SignInForm<'_> {
        SignInForm { asked: self.asked.as_ref(), request: self.value("request"), user_code: self.value("user_code") }
    }

    /// Goes on to what asked for the sign-in, with its cookie in place of an older one.
    async fn go_on(&self, state: &State, caller: &Caller, (sign_in, cookie): (SignIn, Secret<String>)) -> Response {
        if let Some(old) = caller.sign_in_cookie(state)
            && let Err(error) = state.provider.directory().end_sign_in(&caller.op, &old).await
        {
            return pages::failed(&error);
        }
        let mut response = match &self.asked {
            Some(asked) => match state.provider.grant(asked, &sign_in).await {
                Ok(answer) => answered(state, caller, asked, self.value("request"), (answer, Some(&sign_in))).await,
                Err(refusal) => refused(refusal),
            },
            None => pages::redirect(&format!("/device?user_code={}", percent(self.value("user_code")))),
        };
        cookies::set_sign_in(response.headers_mut(), &cookie, state.secure);
        response
    }
}

/// The posted sign-in form.
pub(super) async fn sign_in(Extract(state): Extract<State>, caller: Caller, body: Bytes) -> Response {
    let posted = match Posted::read(&state, &caller, &body).await {
        Ok(posted) => posted,
        Err(response) => return *response,
    };
    let username = posted.value("username");
    match state.provider.sign_in(&caller.op, username, &posted.password).await {
        Ok(signed_in) => posted.go_on(&state, &caller, signed_in).await,
        Err(Error::FirstPassword) => posted.again().own_password(&state, &caller, StatusCode::OK, username, None),
        Err(error) => match told(&state, &caller, &error) {
            Ok((status, alert)) => posted.again().page(&state, &caller, status, username, Some(alert)),
            Err(response) => *response,
        },
    }
}

/// The posted form of an own password.
pub(super) async fn choose(Extract(state): Extract<State>, caller: Caller, body: Bytes) -> Response {
    let posted = match Posted::read(&state, &caller, &body).await {
        Ok(posted) => posted,
        Err(response) => return *response,
    };
    let (username, new) = (posted.value("username"), Secret::new(posted.value("new_password").to_owned()));
    let again = |status, alert| posted.again().own_password(&state, &caller, status, username, Some(alert));
    if new.expose() != posted.value("again") {
        return again(StatusCode::BAD_REQUEST, "The two own passwords differ. Type the same twice.".to_owned());
    }
    match state.provider.choose_password(&caller.op, username, &posted.password, &new).await {
        Ok(signed_in) => posted.go_on(&state, &caller, signed_in).await,
        Err(error) => match told(&state, &caller, &error) {
            Ok((status, alert)) => again(status, alert),
            Err(response) => *response,
        },
    }
}

fn percent(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

/// What a person is told whose sign-in failed, which is counted; or the page of a failure of ours.
fn told(state: &State, caller: &Caller, error: &Error) -> Result<(StatusCode, String), Box<Response>> {
    let (status, alert) = match error {
        Error::WrongCredentials => {
            (StatusCode::UNAUTHORIZED, "The user name or password is wrong. Check both and try again.".to_owned())
        }
        Error::Locked { until } => {
            let until = until.strftime("%H:%M UTC");
            let alert = format!(
                "Too many attempts failed. Try again after {until}, or ask an administrator for a new password."
            );
            (StatusCode::TOO_MANY_REQUESTS, alert)
        }
        Error::Busy => {
            let alert = "Too many people are signing in at this moment. Try again in a few seconds.";
            (StatusCode::SERVICE_UNAVAILABLE, alert.to_owned())
        }
        Error::SamePassword => {
            return Ok((StatusCode::BAD_REQUEST, "That is the password you were given. Choose another.".to_owned()));
        }
        Error::BadPassword { min, max, .. } => {
            return Ok((StatusCode::BAD_REQUEST, format!("Your own password has {min} to {max} characters.")));
        }
        error => return Err(Box::new(pages::failed(error))),
    };
    state.failures.failed(&caller.op);
    Ok((status, alert))
}
