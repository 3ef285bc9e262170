//! Who signs, and with what session: the two hooks of the codec.
//!
//! The secret is derived from the access key, so that every node knows it without a lookup; it proves nothing alone. The
//! session token makes the caller: it is required, covered by the signature, bound to the access key, and opened before
//! an operation's input is read. INVARIANT: an operation that is not `Done` in the table is refused here.

use access::{Access, Edge, OpContext, Refusal, RequestKeys, SignatureKeys};
use base::{Effects, Region, Secret};
use http::{HeaderMap, Uri, request};
use s3s::access::{S3Access, S3AccessContext};
use s3s::auth::{S3Auth, SecretKey};
use s3s::dto;
use s3s::{S3Error, S3ErrorCode, S3Result};
use std::sync::Arc;

use super::error::refuse;
use super::table::{self, Row, State};
use super::{error, headers};
use crate::arrival::Arrival;
use crate::document::{Document, shape};
use crate::limit::Limits;
use crate::metrics::Metrics;

/// Derives the secret of an access key.
pub(super) struct Secrets(pub(super) Access);

#[async_trait::async_trait]
impl S3Auth for Secrets {
    async fn get_secret_key(&self, access_key: &str) -> S3Result<SecretKey> {
        let secret: Option<Secret<String>> = self.0.sessions().secret_for(access_key);
        secret.map(|secret| SecretKey::from(secret.expose().as_str())).ok_or_else(|| {
            let message = "the access key is not one of a session of this installation: get credentials by `galen creds` or AssumeRoleWithWebIdentity";
            refuse(S3ErrorCode::InvalidAccessKeyId, message)
        })
    }
}

/// The caller of an operation, made by [`Gatekeeper`] and handed to the operation in the request's extensions; with the row of
/// the operation.
#[derive(Clone)]
struct Caller(OpContext, &'static Row);

/// Refuses by default; lets a signed request with a live session through to an operation that is offered.
pub(super) struct Gatekeeper {
    pub(super) access: Access,
    pub(super) effects: Effects,
    pub(super) region: Region,
    pub(super) limits: Arc<Limits>,
    pub(super) metrics: Metrics,
}

#[async_trait::async_trait]
impl S3Access for Gatekeeper {
    async fn check(&self, cx: &mut S3AccessContext<'_>) -> S3Result<()> {
        let checked = self.judge(cx).await;
        if let Err(error) = &checked {
            let reason = match error.code() {
                S3ErrorCode::NotImplemented => "unsupported",
                S3ErrorCode::SlowDown => "rate_principal",
                S3ErrorCode::ExpiredToken | S3ErrorCode::InvalidToken => "token",
                S3ErrorCode::MalformedXML | S3ErrorCode::MissingRequestBodyError => "document",
                _ => "signature",
            };
            self.metrics.refused(reason);
        }
        checked
    }
}

impl Gatekeeper {
    /// Milliseconds since the signature was made; the codec has already bounded it. The date is read where the codec read
    /// it: in the query of a presigned request, else in the header.
    fn signature_age(&self, presigned: bool, headers: &HeaderMap, uri: &Uri) -> u64 {
        let date = if presigned {
            query(uri).find(|(name, _)| name == "X-Amz-Date").map(|(_, value)| value)
        } else {
            headers.get("x-amz-date").and_then(|value| value.to_str().ok()).map(str::to_owned)
        };
        let signed = date.as_deref().and_then(protocols::sigv4::amz_date);
        let age = signed.map(|signed| self.effects.now().duration_since(signed).as_millis());
        age.and_then(|age| u64::try_from(age).ok()).unwrap_or(0)
    }

    async fn judge(&self, cx: &mut S3AccessContext<'_>) -> S3Result<()> {
        let Some(credentials) = cx.credentials() else {
            let message = "anonymous requests are not served: sign the request with AWS Signature Version 4";
            return Err(refuse(S3ErrorCode::AccessDenied, message));
        };
        let access_key = credentials.access_key.clone();
        let arrival = cx.extensions_mut().get::<Arrival>().cloned();
        // INVARIANT: the service puts an `Arrival` into every request; without one nothing is known of its source.
        let Some(arrival) = arrival else { return Err(S3Error::new(S3ErrorCode::InternalError)) };
        if !is_signed(cx.headers(), cx.uri(), "host") {
            let message = "the header `host` must be among the signed headers";
            return Err(refuse(S3ErrorCode::SignatureDoesNotMatch, message));
        }
        let token = session_token(cx.headers(), cx.uri())?;
        // Before anything that is refused: the record then tells whose request it was.
        let session = self.access.sessions().open_for(&arrival.trace, &token, Some(&access_key)).await;
        let session = session.map_err(|reject| {
            let code = match reject.aws_code() {
                "ExpiredToken" => S3ErrorCode::ExpiredToken,
                _ => S3ErrorCode::InvalidToken,
            };
            refuse(code, reject.to_string())
        })?;
        let row = operation(cx.s3_op().name())?;
        self.limits.principal(session.actor()).map_err(|_| {
            arrival.trace.because(Refusal::TooMany);
            slow_down()
        })?;
        headers::check(row, cx.uri(), cx.headers())?;
        let presigned = is_presigned(cx.uri());
        arrival.name(row.name);
        let keys = RequestKeys {
            amz: amz_keys(cx.headers()),
            signature: Some(SignatureKeys { presigned, age_ms: self.signature_age(presigned, cx.headers(), cx.uri()) }),
            ..RequestKeys::default()
        };
        let mut op = OpContext::anonymous(&self.effects, Edge::S3)
            .with_transport(
                arrival.source.map(|source| source.address),
                arrival.source.is_some_and(|source| source.secure),
            )
            .with_session(session)
            .with_keys(keys)
            .with_trace(arrival.trace.clone());
        op.request = arrival.request;
        op.region = Some(self.region.clone());
        if let Some(agent) = cx.headers().get(http::header::USER_AGENT).and_then(|value| value.to_str().ok()) {
            op = op.with_user_agent(agent);
        }
        cx.extensions_mut().insert(Caller(op, row));
        match cx.extensions_mut().get::<Document>() {
            Some(Document(bytes)) => shape::check(row.name, bytes),
            None => Ok(()),
        }
    }
}

/// The row of an operation that is offered.
///
/// # Errors
/// `NotImplemented`, or the reason why it is refused.
fn operation(name: &str) -> S3Result<&'static Row> {
    let absent = || refuse(S3ErrorCode::NotImplemented, format!("the operation `{name}` is not implemented"));
    let row = table::find(name).ok_or_else(absent)?;
    match row.state {
        State::Done { .. } => Ok(row),
        State::Absent => Err(absent()),
        State::Refused(why) => Err(refuse(S3ErrorCode::NotImplemented, format!("`{name}` is refused: {why}"))),
    }
}

fn slow_down() -> S3Error {
    refuse(S3ErrorCode::SlowDown, "this person or service has made too many requests: reduce the rate and retry")
}

/// The session token, from the header or the query but never from both.
fn session_token(headers: &HeaderMap, uri: &Uri) -> S3Result<String> {
    let mut in_header = headers.get_all("x-amz-security-token").iter();
    let first = in_header.next().map(|value| value.to_str().unwrap_or_default().to_owned());
    let again = in_header.next().is_some();
    let mut in_query = query(uri).filter(|(name, _)| name.eq_ignore_ascii_case("x-amz-security-token"));
    let query_first = in_query.next().map(|(_, value)| value);
    let bad = |message: &str| refuse(S3ErrorCode::InvalidToken, message);
    if again || in_query.next().is_some() {
        return Err(bad("the session token is given twice"));
    }
    // A header counts for a request signed in its header, a parameter for a presigned one: only there is it signed.
    match (first, query_first, is_presigned(uri)) {
        (Some(token), None, false) | (None, Some(token), true) if !token.is_empty() => Ok(token),
        (None, None, _) => Err(bad(
            "the session token is missing: these are temporary credentials, so set the session token too (AWS_SESSION_TOKEN)",
        )),
        _ => Err(bad("the session token must come where the signature is: in the header or in the query, not in both")),
    }
}

fn query(uri: &Uri) -> impl Iterator<Item = (String, String)> {
    form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes()).into_owned()
}

pub(super) fn is_presigned(uri: &Uri) -> bool {
    query(uri).any(|(name, _)| name.eq_ignore_ascii_case("x-amz-signature"))
}

/// Whether the caller declares a header as signed, which the codec verifies; that the host is among them is for us to demand.
fn is_signed(headers: &HeaderMap, uri: &Uri, name: &str) -> bool {
    let listed = |list: &str| list.split(';').any(|signed| signed == name);
    if let Some((_, list)) = query(uri).find(|(name, _)| name == "X-Amz-SignedHeaders") {
        return listed(&list);
    }
    let authorization =
        headers.get(http::header::AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
    authorization.split([',', ' ']).filter_map(|field| field.trim().strip_prefix("SignedHeaders=")).any(listed)
}

/// Sets a `Range` aside that S3 passes over: one that is malformed, has its end before its beginning, or names several
/// ranges. The whole object is served then. A header that is covered by the signature cannot be taken away; it is refused.
pub(crate) fn without_unreadable_range(parts: &mut request::Parts) {
    let mut given = parts.headers.get_all(http::header::RANGE).iter();
    let (Some(first), again) = (given.next(), given.next().is_some()) else { return };
    let readable = !again && first.to_str().is_ok_and(|text| dto::Range::parse(text).is_ok());
    if !readable && !is_signed(&parts.headers, &parts.uri, "range") {
        parts.headers.remove(http::header::RANGE);
    }
}

/// Headers that policies may test as `s3:x-amz-*`.
const CONDITION_HEADERS: &[&str] = &[
    "x-amz-acl",
    "x-amz-content-sha256",
    "x-amz-copy-source",
    "x-amz-metadata-directive",
    "x-amz-server-side-encryption",
    "x-amz-storage-class",
];

fn amz_keys(headers: &HeaderMap) -> Vec<(String, String)> {
    let one = |name: &&str| {
        let value = headers.get(*name)?.to_str().ok()?;
        Some(((*name).to_owned(), value.to_owned()))
    };
    CONDITION_HEADERS.iter().filter_map(one).collect()
}

/// The caller that [`Gatekeeper`] let through.
///
/// # Errors
/// `InternalError` when an operation is reached without it: the codec was built without its hooks.
pub(super) fn caller(extensions: &http::Extensions) -> S3Result<OpContext> {
    match extensions.get::<Caller>() {
        Some(Caller(op, _)) => Ok(op.clone()),
        None => Err(S3Error::new(S3ErrorCode::InternalError)),
    }
}

/// The action by which a refusal that this edge makes itself is recorded: the first that the operation needs.
pub(super) fn action(extensions: &http::Extensions) -> Option<&'static str> {
    let Caller(_, row) = extensions.get::<Caller>()?;
    let State::Done { actions, .. } = row.state else { return None };
    let name = actions.split([' ', ',']).next()?;
    access::action::find(&format!("s3:{name}")).map(|spec| spec.name)
}

/// As [`error::denied`], for `map_err`.
pub(super) fn no(refusal: access::Denied) -> S3Error {
    error::denied(&refusal)
}
