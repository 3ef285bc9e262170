//! What handlers receive: the caller with an open session, a bounded JSON body, a page request. Every refusal is a problem.

use access::{Action, Class, Edge, OpContext, Outcome, Permit, ResourceRef, Session, Trace, Version};
use axum::{
    Json,
    body::Bytes,
    extract::{FromRequest, FromRequestParts, MatchedPath, Path, Request},
    http::{HeaderMap, header, request::Parts},
};
use base::{ErrorKind, RequestId, Timestamp};
use evidence::KnownTo;
use protocols::peer::Peer;
use serde::{Deserialize, de::DeserializeOwned};
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};

use super::{
    State,
    etag::{self, Shown},
    names::Names,
    problem::Problem,
};

/// The id of a request, made before anything else and sent back in `x-request-id`.
#[derive(Clone, Copy)]
pub(crate) struct Request_(pub(crate) RequestId);

/// Who calls: a live management session, the context that goes first in every operation, and what they may do.
pub(crate) struct Caller {
    pub(crate) state: State,
    pub(crate) op: OpContext,
    pub(crate) session: Arc<Session>,
    /// The versions that `If-Match` names.
    expected: Option<Vec<Version>>,
}

impl Caller {
    /// Asks the gate. A change is allowed of the resource in the version that `If-Match` names.
    pub(crate) async fn may<A: Action>(&self, action: A, resource: A::Resource) -> Result<Permit<A>, Problem> {
        let thing = resource.clone();
        self.may_while(thing, action, resource).await
    }

    /// As [`Self::may`], where the path names another thing than the one that the gate is asked about.
    pub(crate) async fn may_while<A: Action>(
        &self,
        thing: impl Into<ResourceRef>,
        action: A,
        resource: A::Resource,
    ) -> Result<Permit<A>, Problem> {
        let permit = match self.state.access.authorize(&self.op, action, resource).await {
            Ok(permit) => permit,
            Err(denied) => return Err(evidence::refusal::named(&self.known_names(), denied).await.into()),
        };
        Ok(match &self.expected {
            Some(versions) if A::CLASS == Class::Change => permit.expecting(thing, versions.clone()),
            _ => permit,
        })
    }

    /// The names that the caller may be told in an explanation.
    pub(crate) fn known_names(&self) -> KnownTo<'_> {
        KnownTo { names: self.state.names.as_ref(), access: &self.state.access, op: &self.op }
    }

    /// Asks the gate whether this may be seen, and records that it was.
    pub(crate) async fn see<A: Action>(&self, action: A, resource: A::Resource) -> Result<(), Problem> {
        self.may(action, resource).await?.finish(Outcome::DONE);
        Ok(())
    }

    /// Whether this may be shown beside what was asked for; that it was is recorded.
    pub(crate) async fn sees<A: Action + Copy>(&self, action: A, resource: A::Resource) -> bool {
        self.state.access.would_allow(&self.op, action, resource.clone()).await
            && self.see(action, resource).await.is_ok()
    }

    /// A thing as a row, with its version.
    pub(super) async fn shown<R, E>(
        &self,
        resource: impl Into<ResourceRef>,
        thing: impl Future<Output = Result<R::Of, E>>,
    ) -> Result<Shown<R>, Problem>
    where
        R: Row + serde::Serialize,
        Problem: From<E>,
    {
        let version = self.version(resource).await?;
        Ok(Shown::of(version, R::of(&Names::of_things(self), thing.await?).await))
    }

    /// The version of a thing, to be read before the thing.
    pub(crate) async fn version(&self, resource: impl Into<ResourceRef>) -> Result<Version, Problem> {
        Ok(self.state.access.version(resource).await?)
    }
}

/// The caller, and the thing that the path names.
pub(super) struct At<T>(pub(super) Caller, pub(super) T);

/// A thing that has an id or a name in a path or a body.
pub(super) trait Named: Send + Sized {
    /// Finds it, as far as the caller may know of it.
    fn named(caller: &Caller, text: &str) -> impl Future<Output = Result<Self, Problem>> + Send;
}

impl<T: Named> FromRequestParts<State> for At<T> {
    type Rejection = Problem;
    async fn from_request_parts(parts: &mut Parts, state: &State) -> Result<Self, Problem> {
        let caller = Caller::from_request_parts(parts, state).await?;
        let path = Path::<String>::from_request_parts(parts, state).await;
        let Path(text) = path.map_err(|error| Problem::invalid(error.body_text()))?;
        let thing = T::named(&caller, &text).await?;
        Ok(Self(caller, thing))
    }
}

/// The context of a request about whose caller nothing is proven.
pub(crate) fn anonymous(state: &State, parts: &Parts) -> OpContext {
    let mut op = OpContext::anonymous(&state.effects, Edge::Api);
    if let Some(request) = parts.extensions.get::<Request_>() {
        op.request = request.0;
    }
    op.trace = trace(parts);
    if let Some(peer) = parts.extensions.get::<Peer>() {
        let source = state.proxies.source(*peer, &parts.headers);
        op = op.with_transport(Some(source.address), source.secure);
    }
    match parts.headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok()) {
        Some(agent) => op.with_user_agent(agent),
        None => op,
    }
}

impl FromRequestParts<State> for Caller {
    type Rejection = Problem;
    async fn from_request_parts(parts: &mut Parts, state: &State) -> Result<Self, Problem> {
        let op = anonymous(state, parts);
        // Nobody is known yet, so there is no decision: a refusal is counted with all others.
        let session = open(state, &parts.headers, &op.trace).await?;
        state.rates.principal(session.id)?;
        let op = op.with_session(Arc::clone(&session));
        Ok(Self { state: state.clone(), op, session, expected: expected(parts)? })
    }
}

/// The versions that `If-Match` names of the thing that the path names; elsewhere there is none that could be meant.
fn expected(parts: &Parts) -> Result<Option<Vec<Version>>, Problem> {
    let versions = etag::expected(&parts.headers)?;
    let one = parts.extensions.get::<MatchedPath>().is_some_and(|path| etag::is_one(path.as_str()));
    if versions.is_some() && !one {
        return Err(Problem::invalid("this request is about no one version of a thing: send no If-Match"));
    }
    Ok(versions)
}

/// What the record holds of a request.
pub(super) fn trace(parts: &Parts) -> Trace {
    parts.extensions.get::<Trace>().cloned().unwrap_or_default()
}

/// The live session whose token the request carries.
pub(super) async fn open(state: &State, headers: &HeaderMap, trace: &Trace) -> Result<Arc<Session>, Problem> {
    let opened = state.access.sessions().open_for(trace, bearer(headers)?, None).await;
    opened.map_err(|reject| Problem::new(ErrorKind::Unauthenticated, reject.to_string()))
}

/// The token that a request carries.
pub(crate) fn bearer(headers: &HeaderMap) -> Result<&str, Problem> {
    let missing =
        || Problem::new(ErrorKind::Unauthenticated, "send `Authorization: Bearer TOKEN`; `galen login` gets one");
    let value = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).ok_or_else(missing)?;
    let (scheme, token) = value.split_once(' ').ok_or_else(missing)?;
    if scheme.eq_ignore_ascii_case("bearer") { Ok(token.trim()) } else { Err(missing()) }
}

/// A JSON body; its size was limited before it is read here.
pub(crate) struct Body<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest<State> for Body<T> {
    type Rejection = Problem;
    async fn from_request(request: Request, state: &State) -> Result<Self, Problem> {
        let json = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        if !json.is_some_and(|kind| kind.starts_with("application/json")) {
            return Err(Problem::invalid("send the body as `Content-Type: application/json`"));
        }
        let bytes = Bytes::from_request(request, state).await.map_err(|error| Problem::invalid(error.body_text()))?;
        object(&bytes).map(Self)
    }
}

/// Reads a JSON object. A derived reader would take its fields from a list, too.
pub(super) fn object<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let expected = |what: &dyn std::fmt::Display| Problem::invalid(format!("the body is not what is expected: {what}"));
    if bytes.trim_ascii_start().first() != Some(&b'{') {
        return Err(expected(&"a JSON object"));
    }
    serde_json::from_slice(bytes).map_err(|error| expected(&error))
}

/// The parameters of a query; what is wrong with them is a problem as everything else is.
pub(crate) struct Query<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequestParts<State> for Query<T> {
    type Rejection = Problem;
    async fn from_request_parts(parts: &mut Parts, state: &State) -> Result<Self, Problem> {
        let read = axum::extract::Query::from_request_parts(parts, state).await;
        read.map(|axum::extract::Query(value)| Self(value)).map_err(|error| Problem::invalid(error.body_text()))
    }
}

/// A page of a list: rows after a token, oldest first.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct PageQuery {
    /// Rows in the page: 1 to 200, by default 50.
    #[serde(default)]
    page_size: Option<usize>,
    /// The token of the page before.
    #[serde(default)]
    page_token: Option<String>,
}

/// Which rows a list is of: its own query parameters.
pub(crate) trait Filter: DeserializeOwned + Send {
    /// Their names.
    const NAMES: &'static [&'static str];
}

/// No filter.
#[derive(Deserialize)]
pub(crate) struct All {}

impl Filter for All {
    const NAMES: &'static [&'static str] = &[];
}

/// Rows after `after`, at most `limit`, of those that the filter names.
pub(crate) struct PageRequest<F = All> {
    pub(crate) after: Option<String>,
    pub(crate) limit: usize,
    pub(crate) of: F,
}

/// Most rows in a page: what a client can show and a server can make in a few milliseconds.
pub(crate) const PAGE_SIZE_MAX: usize = 200;
const PAGE_SIZE_DEFAULT: usize = 50;
/// Parameters of every list. One that is not known would be ignored, and the list not the one that was meant.
const LIST_PARAMETERS: &[&str] = &["page_size", "page_token"];

impl<F: Filter> FromRequestParts<State> for PageRequest<F> {
    type Rejection = Problem;
    async fn from_request_parts(parts: &mut Parts, state: &State) -> Result<Self, Problem> {
        let known = || LIST_PARAMETERS.iter().chain(F::NAMES);
        let mut names = parts.uri.query().unwrap_or_default().split('&').filter_map(|pair| pair.split('=').next());
        if let Some(unknown) = names.find(|name| !name.is_empty() && !known().any(|it| it == name)) {
            let known = known().copied().collect::<Vec<_>>().join("`, `");
            let unknown = unknown.escape_debug();
            return Err(Problem::invalid(format!("`{unknown}` is not a parameter of this list: expected `{known}`")));
        }
        let Query(query) = Query::<PageQuery>::from_request_parts(parts, state).await?;
        let Query(of) = Query::<F>::from_request_parts(parts, state).await?;
        let limit = query.page_size.unwrap_or(PAGE_SIZE_DEFAULT);
        if !(1..=PAGE_SIZE_MAX).contains(&limit) {
            return Err(Problem::invalid(format!("page_size is 1 to {PAGE_SIZE_MAX}")));
        }
        Ok(Self { after: query.page_token, limit, of })
    }
}

/// A page of rows as it is sent.
#[derive(serde::Serialize, ToSchema)]
pub(crate) struct Page<T: ToSchema> {
    /// The rows.
    pub(crate) items: Vec<T>,
    /// Where the next page begins; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) next_page_token: Option<String>,
}

/// What is shown of a thing, with the names that the caller may see.
pub(super) trait Row: ToSchema + Sized {
    /// What it is made from.
    type Of;
    /// Makes it.
    async fn of(names: &Names<'_>, thing: Self::Of) -> Self;
    /// Its place in a list.
    fn key(&self) -> String;
}

impl<T: Row> Page<T> {
    /// A page of things that were read with one more than the limit. Those that share a place in the list stay together, as
    /// the next page begins after it.
    pub(super) async fn of(names: &Names<'_>, things: Vec<T::Of>, limit: usize) -> Json<Self> {
        let mut items: Vec<T> = Vec::with_capacity(things.len());
        for thing in things {
            let item = T::of(names, thing).await;
            let last = items.last().map(T::key);
            if items.len() >= limit && last != Some(item.key()) {
                return Json(Self { items, next_page_token: last });
            }
            items.push(item);
        }
        Json(Self { items, next_page_token: None })
    }
}

impl<F> PageRequest<F> {
    /// The token as the id that it is.
    pub(crate) fn after_id<T: std::str::FromStr<Err = base::BadName>>(&self) -> Result<Option<T>, Problem> {
        let parse =
            |text: &str| text.parse().map_err(|_| Problem::invalid("page_token is not one that this list gave"));
        self.after.as_deref().map(parse).transpose()
    }
}

/// Why something ends; the record needs it.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct End {
    /// The reason, in a sentence.
    reason: String,
}

/// Most characters of a reason.
const REASON_CHARS_MAX: usize = 1_000;

impl End {
    /// A reason that came in another body.
    pub(crate) const fn of(reason: String) -> Self {
        Self { reason }
    }

    /// The reason.
    ///
    /// # Errors
    /// When it is empty or too long.
    pub(crate) fn reason(self) -> Result<String, Problem> {
        let reason = self.reason.trim();
        if reason.is_empty() || reason.chars().count() > REASON_CHARS_MAX {
            return Err(Problem::invalid(format!("a reason has 1 to {REASON_CHARS_MAX} characters; it is recorded")));
        }
        Ok(reason.to_owned())
    }
}

/// Reads the time that a field or parameter names.
pub(crate) fn time(field: &str, text: &str) -> Result<Timestamp, Problem> {
    text.parse().map_err(|_| Problem::invalid(format!("`{field}` is a time such as 2026-11-21T09:30:00Z")))
}

/// Reads an id or a word of a closed list, saying what was expected.
pub(crate) fn parse<T: std::str::FromStr<Err = base::BadName>>(text: &str) -> Result<T, Problem> {
    text.parse().map_err(|error: base::BadName| Problem::invalid(error.to_string()))
}
