//! Problem documents (RFC 9457): the only shape in which the management API says no. The one table from error kinds to HTTP
//! status codes is here.

use access::{Denied, DenyReason};
use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use base::{DecisionId, ErrorKind};
use serde::Serialize;
use utoipa::ToSchema;

/// Why a request failed and what to do. `type` is a name, and its last word a heading of the page "Problems" of the documentation.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Problem {
    /// What kind of problem: `urn:galen:problem:` and a word.
    #[serde(rename = "type")]
    kind: String,
    /// The kind in words.
    title: String,
    /// The HTTP status code.
    status: u16,
    /// What happened here, and what to do.
    #[serde(skip_serializing_if = "String::is_empty")]
    detail: String,
    /// The recorded decision, when the gate said no: `galen why --decision ID` tells more.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    decision: Option<DecisionId>,
}

const fn words(kind: ErrorKind) -> (&'static str, &'static str) {
    match kind {
        ErrorKind::Invalid => ("invalid", "The request is not valid"),
        ErrorKind::Unauthenticated => ("unauthenticated", "Sign in first"),
        ErrorKind::Forbidden => ("forbidden", "Not allowed"),
        ErrorKind::NotFound => ("not-found", "Not found"),
        ErrorKind::Conflict => ("conflict", "It conflicts with what is there"),
        ErrorKind::PreconditionFailed => ("precondition-failed", "It has changed since it was read"),
        ErrorKind::TooLarge => ("too-large", "Too large"),
        ErrorKind::RateLimited => ("rate-limited", "Too many requests"),
        ErrorKind::Unavailable => ("unavailable", "Not available now"),
        ErrorKind::NotImplemented => ("not-implemented", "Not offered"),
        ErrorKind::Corrupt => ("corrupt", "Stored data is damaged"),
        ErrorKind::Internal => ("internal", "Galen failed"),
    }
}

impl Problem {
    /// A problem of this kind; `detail` is a sentence for the caller.
    pub(crate) fn new(kind: ErrorKind, detail: impl Into<String>) -> Self {
        let (word, title) = words(kind);
        Self {
            kind: format!("urn:galen:problem:{word}"),
            title: title.to_owned(),
            status: kind.http_status(),
            detail: detail.into(),
            decision: None,
        }
    }

    /// Whether it is of this kind.
    pub(crate) fn is(&self, kind: ErrorKind) -> bool {
        self.status == kind.http_status()
    }

    /// A malformed request.
    pub(crate) fn invalid(detail: impl Into<String>) -> Self {
        Self::new(ErrorKind::Invalid, detail)
    }

    /// A method that a resource does not take.
    pub(crate) fn wrong_method() -> Self {
        let problem = Self::invalid("this resource does not take that method");
        Self { status: StatusCode::METHOD_NOT_ALLOWED.as_u16(), ..problem }
    }

    /// More headers than a request may have.
    pub(crate) fn large_headers(bytes: usize, most: usize) -> Self {
        let detail = format!("a request has at most {most} headers of {bytes} bytes together");
        let problem = Self::new(ErrorKind::TooLarge, detail);
        Self { status: StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE.as_u16(), ..problem }
    }

    /// Something that is not there.
    pub(crate) fn not_found(what: &str, name: &str) -> Self {
        Self::new(ErrorKind::NotFound, format!("there is no {what} `{}`", name.escape_debug()))
    }

    /// The problem of a crate's error: what the caller may know is shown, the rest is logged under the request.
    pub(crate) fn of(kind: ErrorKind, error: &(dyn std::error::Error + 'static)) -> Self {
        match kind {
            ErrorKind::Internal | ErrorKind::Corrupt => {
                tracing::error!(error, "a request failed by our own fault");
                Self::new(kind, "the fault is ours and is in the log under the request id of this answer")
            }
            ErrorKind::Unavailable => {
                tracing::warn!(error, "a request was refused because a part is not available");
                Self::new(kind, format!("{error}; nothing was changed, try again"))
            }
            _ => Self::new(kind, chain(error)),
        }
    }
}

/// An error with what caused it, as far as each says more than the one before.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut told = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let more = cause.to_string();
        if !told.contains(&more) {
            told = format!("{told}: {more}");
        }
        source = cause.source();
    }
    told
}

impl From<Denied> for Problem {
    fn from(denied: Denied) -> Self {
        let todo = match denied.reason {
            DenyReason::RoleSilent { .. } | DenyReason::Denied(_) | DenyReason::AuditorWrites => {
                ": ask an administrator, or act in another of your roles with `galen login --as ROLE`"
            }
            _ => "",
        };
        Self { decision: Some(denied.decision), ..Self::new(denied.kind(), format!("{}{todo}", denied.sentence)) }
    }
}

/// Errors of the kernel become problems by their kind.
macro_rules! problems {
    ($($error:ty),* $(,)?) => {$(
        impl From<$error> for Problem {
            fn from(error: $error) -> Self {
                Self::of(error.kind(), &error)
            }
        }
    )*};
}

problems! { store::Error, access::Error, access::revoke::Error, directory::Error, governance::Error, evidence::Error }

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, Json(self)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"galen\""));
        }
        if matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}
