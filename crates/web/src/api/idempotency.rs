//! `Idempotency-Key` on POST: the same key with the same request is answered once and replayed for a day; with another request it
//! is refused. The answer of a failure of ours (5xx) and the refusals of the moment (401, 429) are not kept, so that the request
//! can be tried again. Routes whose requests or answers hold secrets or personal attributes take no part, because a digest and the
//! answer are stored in the clear; for the same reason an answer is kept without the names of what its ids stand for.

use axum::{
    body::{Body, Bytes},
    extract::{Request, State as Shared},
    http::{HeaderValue, Method, StatusCode, header, request::Parts},
    middleware::Next,
    response::{IntoResponse, Response},
};
use base::{Actor, ErrorKind, Timestamp};
use crypto::{Sha256Digest, sha256};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::time::Duration;

use super::{BODY_BYTES_MAX, Problem, State, extract};

const CLASS: &str = "idempotency";
/// Routes whose answers hold a secret that is shown once.
const SECRET_ANSWERS: &[&str] = &["/api/v1/session", "/api/v1/clients", "/api/v1/services"];
/// What is about people, whose attributes are stored sealed or not at all. (A digest of a request with a password would also be a
/// quicker way to guess it than its own hash.)
const PEOPLE: &str = "/api/v1/persons";
/// The end of a field that holds the name of what an id beside it stands for.
const NAME: &str = "_name";
/// How long an answer is replayed: longer than any client retries.
const KEPT: Duration = Duration::from_secs(24 * 60 * 60);
/// How long a key stays taken by a request that never ended (a crash); then the key is free again.
const CLAIMED: Duration = Duration::from_secs(120);
/// Longest key, in bytes: a UUID with room.
pub(super) const KEY_BYTES_MAX: usize = 255;

#[derive(Serialize, Deserialize)]
struct Kept {
    request: Sha256Digest,
    /// Absent while the first request is under way.
    answer: Option<Answer>,
}

#[derive(Serialize, Deserialize)]
struct Answer {
    status: u16,
    #[serde(default)]
    etag: Option<String>,
    body: String,
}

/// Replays or keeps the answer of a POST that carries a key; lets everything else through.
pub(super) async fn replay(Shared(state): Shared<State>, request: Request, next: Next) -> Response {
    let key = request.headers().get("idempotency-key").cloned();
    match key {
        Some(_) if holds_secrets(request.uri().path()) => Problem::invalid(
            "this resource takes no Idempotency-Key, because it is about secrets or personal attributes",
        )
        .into_response(),
        Some(key) if request.method() == Method::POST => {
            keyed(&state, &key, request, next).await.unwrap_or_else(IntoResponse::into_response)
        }
        _ => next.run(request).await,
    }
}

/// Whether a POST there takes a key.
pub(super) fn takes_key(path: &str) -> bool {
    !holds_secrets(path)
}

fn holds_secrets(path: &str) -> bool {
    SECRET_ANSWERS.contains(&path) || path.starts_with(PEOPLE) || path.ends_with("/renew-secret")
}

/// An answer as it is kept: without the names of people, of whom some are to be erased.
fn without_names(body: &str) -> String {
    let Ok(Value::Object(mut row)) = serde_json::from_str::<Value>(body) else { return body.to_owned() };
    for (field, value) in &mut row {
        if field.ends_with(NAME) {
            *value = Value::Null;
        }
    }
    Value::Object(row).to_string()
}

async fn keyed(state: &State, key: &HeaderValue, request: Request, next: Next) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    let bytes = axum::body::to_bytes(body, BODY_BYTES_MAX)
        .await
        .map_err(|_| Problem::new(ErrorKind::TooLarge, format!("a body has at most {BODY_BYTES_MAX} bytes")))?;
    let name = record_key(state, key, &parts).await?;
    let expected = parts.headers.get(header::IF_MATCH).map(HeaderValue::as_bytes).unwrap_or_default();
    let digest = sha256(&[parts.uri.path().as_bytes(), b"\0", expected, b"\0", &bytes].concat());
    if let Some(answer) = claim(state, &name, digest).await? {
        return Ok(answer);
    }
    let response = next.run(Request::from_parts(parts, Body::from(bytes))).await;
    keep(state, name, digest, response).await
}

/// The record of a key: it belongs to the actor whose session sent it, so that two callers never share one.
async fn record_key(state: &State, key: &HeaderValue, parts: &Parts) -> Result<Vec<u8>, Problem> {
    if key.len() > KEY_BYTES_MAX || key.is_empty() {
        return Err(Problem::invalid(format!("Idempotency-Key has 1 to {KEY_BYTES_MAX} characters")));
    }
    let session = extract::open(state, &parts.headers, &extract::trace(parts)).await?;
    Ok([session.actor().to_string().as_bytes(), b"\0", key.as_bytes()].concat())
}

async fn claim(state: &State, name: &[u8], digest: Sha256Digest) -> Result<Option<Response>, Problem> {
    let name = name.to_vec();
    let claimed = state.store.write(Actor::System, move |txn| {
        let now = txn.now();
        let found = txn.record_get(CLASS, &name)?.filter(|record| record.expires.is_none_or(|at| at > now));
        if let Some(record) = found {
            return Ok::<_, store::Error>(serde_json::from_slice::<Kept>(&record.value).ok());
        }
        let kept = serde_json::to_vec(&Kept { request: digest, answer: None }).unwrap_or_default();
        txn.record_put(CLASS, &name, &kept, Some(later(now, CLAIMED)))?;
        Ok(None)
    });
    let Some(kept) = claimed.await?.value else { return Ok(None) };
    if kept.request != digest {
        return Err(Problem::new(ErrorKind::Conflict, "this Idempotency-Key was used with another request"));
    }
    match kept.answer {
        None => {
            Err(Problem::new(ErrorKind::Conflict, "the first request with this Idempotency-Key is still under way"))
        }
        Some(answer) => {
            let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::OK);
            let headers = [("content-type", "application/json"), ("idempotency-replayed", "true")];
            let mut response = (status, headers, answer.body).into_response();
            if let Some(etag) = answer.etag.and_then(|etag| HeaderValue::try_from(etag).ok()) {
                response.headers_mut().insert(header::ETAG, etag);
            }
            Ok(Some(response))
        }
    }
}

async fn keep(state: &State, name: Vec<u8>, digest: Sha256Digest, response: Response) -> Result<Response, Problem> {
    let (parts, body) = response.into_parts();
    let bytes: Bytes = axum::body::to_bytes(body, usize::MAX).await.unwrap_or_default();
    let text = String::from_utf8(bytes.to_vec()).ok().filter(|_| is_final(parts.status));
    let etag = parts.headers.get(header::ETAG).and_then(|etag| etag.to_str().ok()).map(str::to_owned);
    let answer = text.map(|body| Answer { status: parts.status.as_u16(), etag, body: without_names(&body) });
    let kept =
        answer.map(|answer| serde_json::to_vec(&Kept { request: digest, answer: Some(answer) }).unwrap_or_default());
    let written = state.store.write(Actor::System, move |txn| match &kept {
        Some(kept) => txn.record_put(CLASS, &name, kept, Some(later(txn.now(), KEPT))).map(drop),
        None => txn.record_delete(CLASS, &name).map(drop),
    });
    written.await?;
    Ok(Response::from_parts(parts, Body::from(bytes)))
}

/// Whether the same request would be answered so again.
fn is_final(status: StatusCode) -> bool {
    !status.is_server_error() && ![StatusCode::UNAUTHORIZED, StatusCode::TOO_MANY_REQUESTS].contains(&status)
}

fn later(now: Timestamp, by: Duration) -> Timestamp {
    now.checked_add(by).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    //! Which answers a key keeps.

    use super::*;

    /// The user name of who is erased stood in the clear for a day in what was kept of a request about them.
    #[test]
    fn finding_kept_answers_hold_no_names_of_people() {
        for path in ["/api/v1/persons", "/api/v1/persons/01/erase", "/api/v1/services/01/renew-secret"] {
            assert!(holds_secrets(path), "{path}");
        }
        assert!(!holds_secrets("/api/v1/approvals/01/approve"));
        let kept =
            without_names(r#"{"id":"01","person":"02","person_name":"ann","decided_by_name":"bob","level":"read"}"#);
        assert!(!kept.contains("ann") && !kept.contains("bob"), "{kept}");
        assert!(kept.contains("\"person\":\"02\"") && kept.contains("read"), "{kept}");
    }

    #[test]
    fn a_refusal_of_the_moment_is_not_kept_for_a_day() {
        for passing in [401, 429, 500, 503] {
            assert!(!is_final(StatusCode::from_u16(passing).unwrap()), "{passing}");
        }
        for settled in [200, 201, 202, 400, 403, 404, 409] {
            assert!(is_final(StatusCode::from_u16(settled).unwrap()), "{settled}");
        }
    }
}
