//! The front of the edge: what happens to every request before and after the service that it is for.

use access::assume::IdentityTokens;
use access::bodies::Bodies;
use access::{Access, Door, Refusal};
use base::{Effects, Ids, RequestId};
use bytes::Bytes;
use governance::Buckets;
use governance::objects::Objects;
use http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode, Version, header, request};
use http_body_util::{BodyExt as _, Full, combinators::UnsyncBoxBody};
use prometheus_client::registry::Registry;
use protocols::peer::Peer;
use protocols::sts::{Code, Fault};
use protocols::xml;
use s3s::{S3Error, S3ErrorCode};
use std::sync::Arc;

use crate::arrival::Arrival;
use crate::authorization;
use crate::cors::{self, Ask};
use crate::direct;
use crate::document::{self, Document};
use crate::limit::Limits;
use crate::metrics::Metrics;
use crate::options::Options;
use crate::rest::Rest;
use crate::router::{self, Probe, Route};
use crate::s3::{self, refuse};
use crate::sts;
use crate::words;

/// Any failure of a body.
type BoxError = Box<dyn std::error::Error + Send + Sync>;
/// The body of an answer.
pub type AnswerBody = UnsyncBoxBody<Bytes, BoxError>;

/// Most bytes of header names and values together. Session tokens (4 KiB) and user metadata (2 KiB) fit twice over.
const HEADER_BYTES_MAX: usize = 32 * 1024;
/// Most headers.
const HEADERS_MAX: usize = 128;
/// Longest path and query: a key of 1,024 bytes, escaped, and a presigned query with its token.
const TARGET_BYTES_MAX: usize = 16 * 1024;

/// What the edge stands on.
pub struct Deps {
    /// The gate and the sessions.
    pub access: Access,
    /// Objects.
    pub objects: Objects,
    /// Buckets: workspaces, cross-origin rules, dataset policies.
    pub buckets: Buckets,
    /// Names for refusals.
    pub names: Arc<dyn evidence::Names>,
    /// The verifier of web identity tokens.
    pub identity: Arc<dyn IdentityTokens>,
    /// Clock and entropy.
    pub effects: Effects,
    /// What is not ready, by name; nothing when all is.
    pub waiting: Waiting,
}

/// Names the parts of the process that are not ready.
type Waiting = Arc<dyn Fn() -> Vec<&'static str> + Send + Sync>;

/// Why the edge cannot be built.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The codec does not take the region's name.
    #[error("the region `{region}` cannot be used by S3 clients")]
    Region {
        /// The region.
        region: base::Region,
    },
}

impl Error {
    /// What the failure means.
    pub const fn kind(&self) -> base::ErrorKind {
        base::ErrorKind::Invalid
    }
}

/// The AWS-compatible edge; cheap to clone.
#[derive(Clone)]
pub struct Aws(Arc<Inner>);

struct Inner {
    access: Access,
    effects: Effects,
    options: Options,
    limits: Arc<Limits>,
    bodies: Bodies,
    /// Signed chunks of callers who are known: strangers cannot use their room up.
    chunks: Bodies,
    metrics: Metrics,
    waiting: Waiting,
    sts: sts::Sts,
    s3: s3::Service,
}

impl Aws {
    /// Joins the parts and registers the counters.
    ///
    /// # Errors
    /// [`Error::Region`].
    pub fn new(deps: Deps, options: Options, registry: &mut Registry) -> Result<Self, Error> {
        let limits = Arc::new(Limits::new(&deps.effects, options.rates));
        let metrics = Metrics::register(registry);
        let s3 = s3::Service::new(s3::Parts {
            access: deps.access.clone(),
            objects: deps.objects,
            buckets: deps.buckets,
            names: deps.names,
            effects: deps.effects.clone(),
            region: options.region.clone(),
            account: options.account,
            domains: options.domains.clone(),
            limits: Arc::clone(&limits),
            metrics: metrics.clone(),
        })
        .map_err(|_| Error::Region { region: options.region.clone() })?;
        let sts = sts::Sts {
            access: deps.access.clone(),
            identity: deps.identity,
            effects: deps.effects.clone(),
            region: options.region.clone(),
            limits: Arc::clone(&limits),
        };
        Ok(Self(Arc::new(Inner {
            access: deps.access,
            effects: deps.effects,
            options,
            limits,
            bodies: Bodies::default(),
            chunks: Bodies::default(),
            metrics,
            waiting: deps.waiting,
            sts,
            s3,
        })))
    }

    /// Answers one request; a failure is an answer too. The listener puts the [`Peer`] into the request's extensions; without
    /// one the source is unknown.
    pub fn answer<B>(&self, request: Request<B>) -> impl Future<Output = Response<AnswerBody>> + Send + 'static + use<B>
    where
        B: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + Unpin + 'static,
    {
        let inner = Arc::clone(&self.0);
        async move {
            inner.metrics.in_flight.inc();
            let waits = request.headers().contains_key(header::EXPECT);
            // A stream of HTTP/2 ends alone.
            let shared = request.version() < Version::HTTP_2;
            let (parts, body) = request.into_parts();
            let rest = Rest::new(body);
            let mut response = inner.answer(Request::from_parts(parts, rest.clone())).await;
            if shared {
                rest.settle(waits, response.headers_mut()).await;
            }
            inner.metrics.in_flight.dec();
            response
        }
    }
}

impl Inner {
    async fn answer<B>(&self, request: Request<B>) -> Response<AnswerBody>
    where
        B: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
    {
        let (mut parts, body) = request.into_parts();
        let source =
            parts.extensions.get::<Peer>().map(|peer| self.options.trusted_proxies.source(*peer, &parts.headers));
        let arrival = Arrival::new(RequestId::from_uuid(self.effects.uuid()), source, self.bodies.share());
        let id = arrival.request;
        let head = parts.method == Method::HEAD;
        let route = router::route(&parts, &self.options.domains);
        if let Err(error) = self.admit(&parts, &arrival) {
            let (service, response) = told_by(&route, error, id);
            self.count_refusal(service, &response, &arrival);
            return finish((response, head), id, self, service, "none");
        }
        parts.extensions.insert(arrival.clone());
        let (service, response) = match route {
            Route::Sts => ("sts", self.sts.answer(&parts, body, &arrival).await),
            Route::Form => match sts::read(body, &arrival.held).await {
                Err(fault) => ("sts", sts::refused(&fault, id)),
                Ok(form) if sts::names_an_action(&form) => ("sts", self.sts.answer_form(&parts, &form, &arrival).await),
                Ok(form) => ("s3", self.s3(parts, Full::new(form), &arrival).await),
            },
            Route::Unsupported { service, json } => {
                self.metrics.refused("unsupported");
                arrival.trace.because(Refusal::NotOffered);
                ("other", unsupported(&service, json, id))
            }
            Route::Preflight => ("cors", self.preflight(&parts, &arrival).await),
            Route::Watch(probe) => ("watch", self.watched(probe)),
            Route::S3 => ("s3", self.s3(parts, body, &arrival).await),
        };
        self.count_refusal(service, &response, &arrival);
        finish((response, head), id, self, service, arrival.operation())
    }

    /// The one place where a refusal that has no entry of its own is counted, whoever was refused and why.
    fn count_refusal(&self, service: &'static str, response: &Response<AnswerBody>, arrival: &Arrival) {
        let door = match service {
            "s3" => Door::S3,
            "sts" => Door::Sts,
            "cors" => Door::Cors,
            _ => Door::Aws,
        };
        let source = arrival.source.map(|source| source.address);
        self.access.count_refusal(&arrival.trace, door, response.status().as_u16(), source);
    }

    /// The bounds that hold for every request.
    fn admit(&self, parts: &request::Parts, arrival: &Arrival) -> Result<(), Unadmitted> {
        let address = arrival.source.map(|source| source.address);
        if let Err(wait) = self.limits.source(address) {
            self.metrics.refused("rate_source");
            arrival.trace.because(Refusal::TooMany);
            return Err(Unadmitted::TooMany { retry_secs: wait.retry_after.as_secs().max(1) });
        }
        let bytes: usize = parts.headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
        if bytes > HEADER_BYTES_MAX || parts.headers.len() > HEADERS_MAX {
            self.metrics.refused("header");
            arrival.trace.because(Refusal::Oversized);
            return Err(Unadmitted::Headers);
        }
        let target = parts.uri.path_and_query().map_or(0, |target| target.as_str().len());
        if target > TARGET_BYTES_MAX {
            self.metrics.refused("header");
            arrival.trace.because(Refusal::Oversized);
            return Err(Unadmitted::Target);
        }
        Ok(())
    }

    async fn s3<B>(&self, mut parts: request::Parts, body: B, arrival: &Arrival) -> Response<AnswerBody>
    where
        B: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
    {
        let id = arrival.request;
        if let Some(error) = authorization::unreadable(&parts, &self.options.region)
            .or_else(|| browser_form(&parts))
            .or_else(|| unwritable(parts.uri.query()))
        {
            self.metrics.refused("signature");
            return s3_error(error, id);
        }
        s3::without_unreadable_range(&mut parts);
        let body = if let Some(carries) = document::carried(&parts, self.names_a_bucket(&parts)) {
            match document::read(carries, &parts.headers, body, &arrival.held).await {
                Ok(bytes) => {
                    parts.extensions.insert(Document(bytes.clone()));
                    s3s::Body::from(bytes)
                }
                Err(error) => return s3_error(error, id),
            }
        } else {
            direct::aside(&mut parts, body, &self.chunks)
        };
        // Only a browser's page has an origin; everybody else pays nothing for it.
        let page = parts.headers.contains_key(header::ORIGIN).then(|| parts.headers.clone());
        let asked = page.and_then(|headers| Some((bucket_of(&parts, &self.options.domains)?, headers)));
        let method = parts.method.clone();
        let mut response = match self.s3.codec.call(Request::from_parts(parts, body)).await {
            Ok(response) => completed(response, id),
            Err(error) => {
                let error: BoxError = error.into_std_error();
                tracing::error!(
                    error = error.as_ref() as &dyn std::error::Error,
                    "the S3 codec could not write its answer"
                );
                return plain(StatusCode::INTERNAL_SERVER_ERROR, "application/xml", String::new());
            }
        };
        if let Some((bucket, headers)) = asked
            && let Some(ask) = Ask::simple(&headers, method.as_str())
        {
            let rules = self.s3.cors_rules(&bucket).await;
            if let Some(rule) = cors::find(&rules, &ask) {
                cors::allow(rule, &ask, response.headers_mut());
            }
        }
        response
    }

    /// Whether the path names a bucket and no object in it.
    fn names_a_bucket(&self, parts: &request::Parts) -> bool {
        let path = parts.uri.path();
        match router::host(parts).and_then(|host| router::bucket_in_host(host, &self.options.domains)) {
            Some(_) => path == "/",
            None => !path.trim_matches('/').contains('/'),
        }
    }

    /// The answers of the web edge, for a process that runs without it.
    fn watched(&self, probe: Probe) -> Response<AnswerBody> {
        let waiting = if probe == Probe::Ready { (self.waiting)() } else { Vec::new() };
        let (status, text) = match (probe, waiting.is_empty()) {
            (Probe::Live, _) => (StatusCode::OK, "alive\n".to_owned()),
            (Probe::Ready, true) => (StatusCode::OK, "ready\n".to_owned()),
            (Probe::Ready, false) => {
                (StatusCode::SERVICE_UNAVAILABLE, format!("waiting for: {}\n", waiting.join(", ")))
            }
        };
        plain(status, "text/plain; charset=utf-8", text)
    }

    /// A browser asks whether a page may send a request. It is answered from the bucket's rules alone, the same way
    /// whether there is no such bucket, no rule, or none that fits.
    async fn preflight(&self, parts: &request::Parts, arrival: &Arrival) -> Response<AnswerBody> {
        let id = arrival.request;
        let Some(ask) = Ask::preflight(&parts.headers) else {
            let mut error = refuse(
                S3ErrorCode::Custom("BadRequest".into()),
                "a preflight says its `Origin` and its `Access-Control-Request-Method`",
            );
            error.set_status_code(StatusCode::BAD_REQUEST);
            return s3_error(error, id);
        };
        if let Some(bucket) = bucket_of(parts, &self.options.domains) {
            let rules = self.s3.cors_rules(&bucket).await;
            if let Some(rule) = cors::find(&rules, &ask) {
                let mut response = plain(StatusCode::OK, "application/xml", String::new());
                cors::allow(rule, &ask, response.headers_mut());
                return response;
            }
        }
        arrival.trace.because(Refusal::Refused);
        s3_error(refuse(S3ErrorCode::AccessDenied, "this cross-origin request is not allowed"), id)
    }
}

/// A parameter with a control character, which an error that names it could not hold. Lists take them in what is compared with keys.
fn unwritable(query: Option<&str>) -> Option<S3Error> {
    const COMPARED: &[&str] = &["prefix", "delimiter", "marker", "start-after", "key-marker"];
    let control = |text: &str| percent_encoding::percent_decode_str(text).any(|byte| byte.is_ascii_control());
    let mut pairs = query.unwrap_or_default().split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    pairs
        .any(|(name, value)| control(name) || (control(value) && !COMPARED.contains(&name)))
        .then(|| refuse(S3ErrorCode::InvalidURI, "a parameter of the request holds a control character"))
}

/// An answer of the codec, with what it does not know: the id of the request in an error, and that the head of a range is partial.
fn completed(mut response: Response<s3s::Body>, id: RequestId) -> Response<AnswerBody> {
    const END: &str = "</Error>";
    if response.status() == StatusCode::OK && response.headers().contains_key(header::CONTENT_RANGE) {
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
    }
    let whole = (!response.status().is_success()).then(|| response.body().bytes()).flatten();
    let text =
        whole.as_deref().and_then(|bytes| std::str::from_utf8(bytes).ok()).and_then(|text| text.strip_suffix(END));
    let Some(text) = text else { return response.map(boxed) };
    let mut text = words::better(text);
    s3::name_argument(response.headers_mut(), &mut text);
    xml::element(&mut text, "RequestId", &id.to_string());
    text.push_str(END);
    let mut response = response.map(|_| boxed(Full::new(Bytes::from(text))));
    response.headers_mut().remove(header::CONTENT_LENGTH);
    response
}

/// Browser forms carry their policy inside the body, unsigned as a request: refused before a byte of it is read.
fn browser_form(parts: &request::Parts) -> Option<S3Error> {
    let post_form = parts.method == Method::POST
        && parts.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).is_some_and(|value| {
            value.trim_start().get(..19).is_some_and(|start| start.eq_ignore_ascii_case("multipart/form-data"))
        });
    post_form.then(|| refuse(S3ErrorCode::NotImplemented, "browser form uploads are not offered: use a presigned PUT"))
}

/// The bucket that a request is for.
fn bucket_of(parts: &request::Parts, domains: &[String]) -> Option<String> {
    if let Some(bucket) = router::host(parts).and_then(|host| router::bucket_in_host(host, domains)) {
        return Some(bucket.to_ascii_lowercase());
    }
    let first = parts.uri.path().strip_prefix('/')?.split('/').next()?;
    let sound =
        (3..=63).contains(&first.len()) && first.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'.');
    sound.then(|| first.to_owned())
}

/// A request that breaks a bound which holds at every door.
enum Unadmitted {
    TooMany { retry_secs: u64 },
    Headers,
    Target,
}

impl std::fmt::Display for Unadmitted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::TooMany { .. } => f.write_str("too many requests from this address: reduce the rate and retry"),
            Self::Headers => {
                write!(f, "the headers are larger than {HEADER_BYTES_MAX} bytes or more than {HEADERS_MAX}")
            }
            Self::Target => write!(f, "the request target is longer than {TARGET_BYTES_MAX} bytes"),
        }
    }
}

/// The answer to such a request in the form of the service that it is for, and that service.
fn told_by(route: &Route, refused: Unadmitted, id: RequestId) -> (&'static str, Response<AnswerBody>) {
    let message = refused.to_string();
    let (service, mut response) = match route {
        Route::Sts | Route::Form => {
            let code = match refused {
                Unadmitted::TooMany { .. } => Code::Throttling,
                Unadmitted::Headers => Code::RequestEntityTooLarge,
                Unadmitted::Target => Code::ValidationError,
            };
            ("sts", sts::refused(&Fault::new(code, message), id))
        }
        Route::Unsupported { json, .. } => {
            let code = if matches!(refused, Unadmitted::TooMany { .. }) { "Throttling" } else { "ValidationError" };
            ("other", of_another_service(code, &message, *json, id))
        }
        Route::S3 | Route::Preflight | Route::Watch(_) => {
            let code = match refused {
                Unadmitted::TooMany { .. } => S3ErrorCode::SlowDown,
                Unadmitted::Headers => S3ErrorCode::RequestHeaderSectionTooLarge,
                Unadmitted::Target => S3ErrorCode::InvalidURI,
            };
            ("s3", s3_error(refuse(code, message), id))
        }
    };
    if let Unadmitted::TooMany { retry_secs } = refused {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(retry_secs));
    }
    (service, response)
}

pub(crate) fn plain(status: StatusCode, content_type: &'static str, text: String) -> Response<AnswerBody> {
    let mut response = Response::new(boxed(Full::new(Bytes::from(text))));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

fn boxed<B>(body: B) -> AnswerBody
where
    B: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    body.map_err(Into::into).boxed_unsync()
}

fn s3_error(error: S3Error, id: RequestId) -> Response<AnswerBody> {
    let Ok(response) = error.to_http_response() else {
        return plain(StatusCode::INTERNAL_SERVER_ERROR, "application/xml", String::new());
    };
    completed(response, id)
}

/// Another AWS service's client gets an error that it can read.
fn unsupported(service: &str, json: bool, id: RequestId) -> Response<AnswerBody> {
    let message = format!("the service `{service}` is not offered by this installation; S3 and STS are");
    let code = if json { "UnknownOperationException" } else { "InvalidAction" };
    of_another_service(code, &message, json, id)
}

fn of_another_service(code: &'static str, message: &str, json: bool, id: RequestId) -> Response<AnswerBody> {
    if json {
        let body = serde_json::json!({"__type": code, "message": message});
        let mut response = plain(StatusCode::BAD_REQUEST, "application/x-amz-json-1.1", body.to_string());
        response.headers_mut().insert("x-amzn-errortype", HeaderValue::from_static(code));
        return response;
    }
    let mut out = String::new();
    xml::nested(&mut out, "ErrorResponse", |out| {
        xml::nested(out, "Error", |out| {
            xml::element(out, "Type", "Sender");
            xml::element(out, "Code", code);
            xml::element(out, "Message", message);
        });
        xml::element(out, "RequestId", &id.to_string());
    });
    plain(StatusCode::BAD_REQUEST, "text/xml", out)
}

/// Headers that every answer carries, and the counters. The answer to a HEAD has no body: HTTP/1.1 leaves it out by itself, HTTP/2
/// would send it.
fn finish(
    (mut response, head): (Response<AnswerBody>, bool),
    id: RequestId,
    inner: &Inner,
    service: &'static str,
    operation: &'static str,
) -> Response<AnswerBody> {
    inner.metrics.answered(service, operation, response.status().as_u16());
    let name = if service == "s3" || service == "cors" { "x-amz-request-id" } else { "x-amzn-requestid" };
    if let Ok(value) = HeaderValue::from_str(&id.to_string()) {
        response.headers_mut().insert(HeaderName::from_static(name), value);
    }
    response.headers_mut().insert(header::SERVER, HeaderValue::from_static("Galen"));
    response.headers_mut().insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if head { response.map(|_| boxed(Full::new(Bytes::new()))) } else { response }
}
