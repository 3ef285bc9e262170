//! The security token service: reads the Query protocol, checks the signature where one is needed, calls `access::assume`.
//!
//! AssumeRoleWithWebIdentity carries its own credential and is unsigned; a signature that comes with it proves nothing and
//! is not looked at. Every other operation is signed with a live session. Nothing is decided here.

use access::assume::{self, IdentityTokens};
use access::bodies::{Share, Spent};
use access::{Access, Edge, OpContext, Refusal, Session};
use base::{Effects, Region, RequestId};
use bytes::Bytes;
use http::{HeaderValue, Method, Response, StatusCode, header, request};
use protocols::sigv4::{self, Presented};
use protocols::sts::{self, BODY_BYTES_MAX, Code, Fault, Form};
use std::sync::Arc;
use std::time::Duration;

use crate::arrival::Arrival;
use crate::limit::Limits;
use crate::router;
use crate::service::{AnswerBody, plain};
use crate::whole::{self, Unread};

/// Longest wait for the form of a request; it is a few kilobytes.
const READ_TIMEOUT: Duration = Duration::from_secs(15);

/// The token service.
pub(crate) struct Sts {
    pub(crate) access: Access,
    pub(crate) identity: Arc<dyn IdentityTokens>,
    pub(crate) effects: Effects,
    pub(crate) region: Region,
    pub(crate) limits: Arc<Limits>,
}

/// Reads a form of bounded size in bounded time.
///
/// # Errors
/// `RequestEntityTooLarge`, `ValidationError`, `ServiceUnavailable`.
pub(crate) async fn read<B>(body: B, held: &Share) -> Result<Bytes, Fault>
where
    B: http_body::Body<Data = Bytes, Error: Into<Box<dyn std::error::Error + Send + Sync>>> + Send + 'static,
{
    whole::read(body, BODY_BYTES_MAX, READ_TIMEOUT, held).await.map_err(|unread| match unread {
        Unread::TooLarge => {
            let message = format!("the form is larger than {BODY_BYTES_MAX} bytes");
            Fault::new(Code::RequestEntityTooLarge, message)
        }
        Unread::Cut => Fault::invalid("the body did not arrive whole"),
        Unread::Late => Fault::invalid("the body did not arrive in time"),
        Unread::Spent => Fault::new(Code::ServiceUnavailable, Spent.to_string()),
    })
}

/// Whether a form is one of this service.
pub(crate) fn names_an_action(form: &[u8]) -> bool {
    std::str::from_utf8(form).is_ok_and(router::names_an_action)
}

/// The error document as an answer.
pub(crate) fn refused(fault: &Fault, id: RequestId) -> Response<AnswerBody> {
    let status = StatusCode::from_u16(fault.code.status()).unwrap_or(StatusCode::BAD_REQUEST);
    answer_xml(status, fault.to_xml(&id.to_string()))
}

fn answer_xml(status: StatusCode, text: String) -> Response<AnswerBody> {
    let mut response = plain(status, "text/xml", text);
    // Answers hold credentials.
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

impl Sts {
    pub(crate) async fn answer<B>(&self, parts: &request::Parts, body: B, arrival: &Arrival) -> Response<AnswerBody>
    where
        B: http_body::Body<Data = Bytes, Error: Into<Box<dyn std::error::Error + Send + Sync>>> + Send + 'static,
    {
        match read(body, &arrival.held).await {
            Ok(form) => self.answer_form(parts, &form, arrival).await,
            Err(fault) => refused(&fault, arrival.request),
        }
    }

    pub(crate) async fn answer_form(
        &self,
        parts: &request::Parts,
        body: &Bytes,
        arrival: &Arrival,
    ) -> Response<AnswerBody> {
        match self.run(parts, body, arrival).await {
            Ok(response) => answer_xml(StatusCode::OK, response.to_xml(&arrival.request.to_string())),
            Err(fault) => {
                // Some of these are 400 in this protocol.
                if fault.kind() == base::ErrorKind::Unauthenticated {
                    arrival.trace.because(Refusal::Unauthenticated);
                }
                refused(&fault, arrival.request)
            }
        }
    }

    async fn run(&self, parts: &request::Parts, body: &Bytes, arrival: &Arrival) -> Result<sts::Response, Fault> {
        let read = form(parts, body).and_then(|form| Ok((sts::operation(&form)?, form)));
        let (operation, form) = match read {
            Ok(read) => read,
            Err(fault) => {
                // What cannot be read may come from somebody known: the record then tells from whom. The fault is the answer.
                if parts.headers.contains_key(header::AUTHORIZATION) {
                    drop(self.session(parts, body, arrival).await);
                }
                return Err(fault);
            }
        };
        arrival.name(operation.name());
        let mut op = self.context(parts, arrival);
        if operation.is_signed() {
            let session = self.session(parts, body, arrival).await?;
            let slow = |_| {
                arrival.trace.because(Refusal::TooMany);
                Fault::new(
                    Code::Throttling,
                    "this person or service has made too many requests: reduce the rate and retry",
                )
            };
            self.limits.principal(session.actor()).map_err(slow)?;
            op = op.with_session(session);
        }
        match sts::Request::parse(form)? {
            sts::Request::GetCallerIdentity => {
                assume::get_caller_identity(&self.access, &op).await.map(sts::Response::CallerIdentity)
            }
            sts::Request::AssumeRole(request) => {
                whole_token(request.session.token_bytes_min)?;
                assume::assume_role(&self.access, &op, request).await.map(sts::Response::AssumeRole)
            }
            sts::Request::AssumeRoleWithWebIdentity(request) => {
                whole_token(request.session.token_bytes_min)?;
                let identity = self.identity.as_ref();
                let done = assume::assume_role_with_web_identity(&self.access, identity, &op, request).await;
                done.map(sts::Response::AssumeRoleWithWebIdentity)
            }
            sts::Request::AssumeRoleWithSaml(_) => {
                let message = "SAML identity providers are not offered yet: sign in at the OpenID provider and use AssumeRoleWithWebIdentity";
                Err(Fault::new(Code::AccessDenied, message))
            }
        }
    }

    fn context(&self, parts: &request::Parts, arrival: &Arrival) -> OpContext {
        let mut op = OpContext::anonymous(&self.effects, Edge::Sts).with_transport(
            arrival.source.map(|source| source.address),
            arrival.source.is_some_and(|source| source.secure),
        );
        op.request = arrival.request;
        op.trace = arrival.trace.clone();
        op.region = Some(self.region.clone());
        match parts.headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok()) {
            Some(agent) => op.with_user_agent(agent),
            None => op,
        }
    }

    /// Believes the signature, then opens the session that it must carry.
    async fn session(&self, parts: &request::Parts, body: &Bytes, arrival: &Arrival) -> Result<Arc<Session>, Fault> {
        let signed = sigv4::Parts {
            method: parts.method.as_str(),
            path: parts.uri.path(),
            query: parts.uri.query().unwrap_or_default(),
            headers: &parts.headers,
            authority: parts.uri.authority().map(http::uri::Authority::as_str),
        };
        let presented = Presented::parse(&signed)?;
        let unknown = || {
            let message = "the security token included in the request is invalid: the access key or session token is not one of this installation";
            Fault::new(Code::InvalidClientTokenId, message)
        };
        let sessions = self.access.sessions();
        let secret = sessions.secret_for(&presented.access_key_id).ok_or_else(unknown)?;
        // Clients without a region sign for the global endpoint, which is `us-east-1`.
        let regions = [self.region.as_str(), "us-east-1"];
        presented.verify(&signed, body, ("sts", &regions), &secret, self.effects.now())?;
        let Some(token) = &presented.session_token else {
            let message = "the session token is missing: these are temporary credentials, so set the session token too (AWS_SESSION_TOKEN)";
            return Err(Fault::new(Code::InvalidClientTokenId, message));
        };
        let opened = sessions.open_for(&arrival.trace, token.expose(), Some(&presented.access_key_id)).await;
        opened.map_err(|reject| match reject.aws_code() {
            "ExpiredToken" => Fault::new(Code::ExpiredToken, reject.to_string()),
            "ServiceUnavailable" => Fault::new(Code::ServiceUnavailable, reject.to_string()),
            _ => unknown(),
        })
    }
}

/// The parameters, from the body of a POST or the query of a GET, never from both.
fn form(parts: &request::Parts, body: &Bytes) -> Result<Form, Fault> {
    let query = parts.uri.query().unwrap_or_default();
    if parts.uri.path() != "/" {
        return Err(Fault::new(Code::InvalidAction, "STS answers at the path `/`"));
    }
    if parts.method == Method::GET {
        if !body.is_empty() {
            return Err(Fault::invalid("a GET carries its parameters in the query, not in a body"));
        }
        return Form::parse_presigned(query.as_bytes());
    }
    if parts.method != Method::POST {
        return Err(Fault::new(Code::InvalidAction, "STS answers POST and GET"));
    }
    match (body.is_empty(), router::names_an_action(query)) {
        // What SDKs presign: a POST whose parameters went into the query, to be signed there.
        (true, true) => Form::parse_presigned(query.as_bytes()),
        (false, true) => Err(Fault::invalid("a POST carries its parameters in the body or in the query, not in both")),
        (_, false) => Form::parse(body),
    }
}

/// A longer token than needed is not made.
fn whole_token(bytes_min: u32) -> Result<(), Fault> {
    if bytes_min == 0 {
        return Ok(());
    }
    Err(Fault::invalid("`MinimumSessionTokenSize` is not supported: leave it out"))
}
