//! The endpoints that programs call: discovery, keys, tokens, revocation, device codes, user-info. JSON in every answer.

use axum::{
    body::{Body, Bytes},
    extract::State as Extract,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::Response,
};
use base::Secret;
use protocols::oidc::{DeviceRequest, ErrorCode, Form, OAuthError, TokenRequest};
use serde_json::{Value, json};

use super::{State, caller::Caller, pages};

/// How long clients may keep discovery and keys: rotation is announced by publishing, so minutes are enough.
const PUBLIC_CACHE: HeaderValue = HeaderValue::from_static("public, max-age=300");

fn answer(status: StatusCode, body: &Value) -> Response {
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    pages::guard(headers, None);
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::PRAGMA, HeaderValue::from_static("no-cache"));
    response
}

/// An answer that anybody may read, from any origin.
fn public(body: &Value) -> Response {
    let mut response = answer(StatusCode::OK, body);
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, PUBLIC_CACHE);
    headers.remove(header::PRAGMA);
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    response
}

/// The error answer of RFC 6749, section 5.2.
fn refused(error: &OAuthError) -> Response {
    let status = match error.code {
        ErrorCode::InvalidClient | ErrorCode::InvalidToken => StatusCode::UNAUTHORIZED,
        ErrorCode::ServerError => StatusCode::INTERNAL_SERVER_ERROR,
        ErrorCode::TemporarilyUnavailable => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::BAD_REQUEST,
    };
    let mut response = answer(status, &json!({"error": error.code.as_str(), "error_description": error.description()}));
    let challenge = match error.code {
        ErrorCode::InvalidClient => Some("Basic realm=\"galen\"".to_owned()),
        ErrorCode::InvalidToken => {
            Some(format!("Bearer error=\"invalid_token\", error_description=\"{}\"", error.description()))
        }
        _ => None,
    };
    if let Some(challenge) = challenge.and_then(|text| HeaderValue::from_str(&text).ok()) {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
    }
    response
}

/// As the page of a flood, for programs (RFC 6749 has no code of its own for it).
pub(super) fn too_many() -> Response {
    let sentence = "too many requests came from your address: wait a second and try again";
    let error = OAuthError::new(ErrorCode::TemporarilyUnavailable, sentence);
    let mut response = refused(&error);
    *response.status_mut() = StatusCode::TOO_MANY_REQUESTS;
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    response
}

fn invalid(sentence: &'static str) -> OAuthError {
    OAuthError::new(ErrorCode::InvalidRequest, sentence)
}

fn authorization(headers: &HeaderMap) -> Result<Option<&str>, OAuthError> {
    let text = headers.get(header::AUTHORIZATION).map(HeaderValue::to_str).transpose();
    text.map_err(|_| OAuthError::new(ErrorCode::InvalidClient, "the `Authorization` header is not plain text"))
}

/// Refuses a body that is not a form (RFC 6749, section 4.1.3).
fn is_form(headers: &HeaderMap) -> Result<(), OAuthError> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    match kind.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        true => Ok(()),
        false => Err(invalid("send the parameters as `application/x-www-form-urlencoded`")),
    }
}

pub(super) async fn discovery(Extract(state): Extract<State>) -> Response {
    public(&state.provider.endpoints().discovery())
}

pub(super) async fn jwks(Extract(state): Extract<State>) -> Response {
    match state.provider.jwks().await {
        Ok(keys) => public(&keys.to_json()),
        Err(error) => {
            tracing::error!(error = &error as &dyn std::error::Error, "the key set could not be read");
            refused(&OAuthError::new(ErrorCode::ServerError, "the key set cannot be read now"))
        }
    }
}

pub(super) async fn token(Extract(state): Extract<State>, caller: Caller, body: Bytes) -> Response {
    let given = async {
        is_form(&caller.headers)?;
        let request = TokenRequest::parse(&body, authorization(&caller.headers)?)?;
        state.provider.token(&caller.op, request).await
    };
    match given.await {
        Ok(tokens) => answer(StatusCode::OK, &tokens.to_json()),
        Err(error) => {
            match error.code {
                ErrorCode::InvalidClient | ErrorCode::InvalidGrant => state.failures.failed(&caller.op),
                // A device that waits for its person is told to go on.
                ErrorCode::AuthorizationPending => caller.op.trace.settle(),
                _ => {}
            }
            refused(&error)
        }
    }
}

pub(super) async fn revoke(Extract(state): Extract<State>, caller: Caller, body: Bytes) -> Response {
    let done = async {
        is_form(&caller.headers)?;
        let form = Form::parse(&body)?;
        let token = form.value("token").ok_or_else(|| invalid("`token` is missing"))?;
        let client = protocols::oidc::ClientAuth::read(&form, authorization(&caller.headers)?)?;
        state.provider.revoke(&caller.op, &client, &Secret::new(token.to_owned())).await
    };
    match done.await {
        Ok(()) => answer(StatusCode::OK, &json!({})),
        Err(error) => refused(&error),
    }
}

pub(super) async fn device(Extract(state): Extract<State>, caller: Caller, body: Bytes) -> Response {
    let given = async {
        is_form(&caller.headers)?;
        state.provider.device(DeviceRequest::parse(&body, authorization(&caller.headers)?)?).await
    };
    match given.await {
        Ok(codes) => answer(StatusCode::OK, &codes.to_json()),
        Err(error) => refused(&error),
    }
}

pub(super) async fn userinfo(Extract(state): Extract<State>, caller: Caller) -> Response {
    let bearer = authorization(&caller.headers).ok().flatten().and_then(|text| text.split_once(' '));
    let token = bearer.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer")).map(|(_, token)| token.trim());
    let Some(token) = token else {
        return refused(&OAuthError::new(ErrorCode::InvalidToken, "send the access token as `Authorization: Bearer`"));
    };
    match state.provider.userinfo(token).await {
        Ok(claims) => answer(StatusCode::OK, &claims),
        Err(error) => refused(&error),
    }
}
