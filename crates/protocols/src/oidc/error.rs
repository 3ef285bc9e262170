//! OAuth's error codes and the one error type that goes on the wire.

use base::ErrorKind;
use std::borrow::Cow;

use super::FormError;

/// The registered codes that the provider uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorCode {
    /// RFC 6749: malformed, or a parameter is missing, repeated or wrong.
    InvalidRequest,
    /// RFC 6749: the client is unknown or did not prove itself.
    InvalidClient,
    /// RFC 6749: the code or token is wrong, expired, used or another client's.
    InvalidGrant,
    /// RFC 6749: the client may not use this.
    UnauthorizedClient,
    /// RFC 6749: the grant type is not offered.
    UnsupportedGrantType,
    /// RFC 6749: the response type is not offered.
    UnsupportedResponseType,
    /// RFC 6749: the scope is unknown or too wide.
    InvalidScope,
    /// RFC 6749: the person or the provider said no.
    AccessDenied,
    /// RFC 6749: a defect.
    ServerError,
    /// RFC 6749: overloaded; retry later.
    TemporarilyUnavailable,
    /// OpenID Connect Core, 3.1.2.6: `prompt=none`, but nobody is signed in.
    LoginRequired,
    /// OpenID Connect Core, 3.1.2.6: `prompt=none`, but a page would be needed.
    InteractionRequired,
    /// OpenID Connect Core, 3.1.2.6: `prompt=none`, but the person has not agreed to the client.
    ConsentRequired,
    /// OpenID Connect Core: `request` is not supported.
    RequestNotSupported,
    /// OpenID Connect Core: `request_uri` is not supported.
    RequestUriNotSupported,
    /// RFC 8628: the person has not answered yet.
    AuthorizationPending,
    /// RFC 8628: asked too often.
    SlowDown,
    /// RFC 8628: the device code ran out.
    ExpiredToken,
    /// RFC 8693: the audience may not be asked for.
    InvalidTarget,
    /// RFC 6750: the access token is missing, expired or wrong.
    InvalidToken,
}

impl ErrorCode {
    /// The code as it stands on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InvalidRequest => "invalid_request",
            Self::InvalidClient => "invalid_client",
            Self::InvalidGrant => "invalid_grant",
            Self::UnauthorizedClient => "unauthorized_client",
            Self::UnsupportedGrantType => "unsupported_grant_type",
            Self::UnsupportedResponseType => "unsupported_response_type",
            Self::InvalidScope => "invalid_scope",
            Self::AccessDenied => "access_denied",
            Self::ServerError => "server_error",
            Self::TemporarilyUnavailable => "temporarily_unavailable",
            Self::LoginRequired => "login_required",
            Self::InteractionRequired => "interaction_required",
            Self::ConsentRequired => "consent_required",
            Self::RequestNotSupported => "request_not_supported",
            Self::RequestUriNotSupported => "request_uri_not_supported",
            Self::AuthorizationPending => "authorization_pending",
            Self::SlowDown => "slow_down",
            Self::ExpiredToken => "expired_token",
            Self::InvalidTarget => "invalid_target",
            Self::InvalidToken => "invalid_token",
        }
    }
}

/// A refusal as the protocol spells it: a code, and a sentence for the developer who reads it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: {sentence}", code.as_str())]
pub struct OAuthError {
    /// The code.
    pub code: ErrorCode,
    /// What is wrong and what to do; no secret and no personal attribute.
    pub sentence: Cow<'static, str>,
}

impl OAuthError {
    /// A refusal with a fixed or a composed sentence.
    pub fn new(code: ErrorCode, sentence: impl Into<Cow<'static, str>>) -> Self {
        Self { code, sentence: sentence.into() }
    }

    /// `error_description` on the wire: printable ASCII without `"` and `\` (RFC 6749, section 5.2).
    pub fn description(&self) -> String {
        let allowed = |c: char| matches!(c, ' '..='~') && c != '"' && c != '\\';
        self.sentence.chars().map(|c| if allowed(c) { c } else { '\'' }).collect()
    }

    /// What the failure means to a caller.
    pub const fn kind(&self) -> ErrorKind {
        match self.code {
            ErrorCode::InvalidClient
            | ErrorCode::InvalidGrant
            | ErrorCode::InvalidToken
            | ErrorCode::ExpiredToken
            | ErrorCode::LoginRequired
            | ErrorCode::InteractionRequired
            | ErrorCode::ConsentRequired => ErrorKind::Unauthenticated,
            ErrorCode::AccessDenied | ErrorCode::UnauthorizedClient | ErrorCode::InvalidTarget => ErrorKind::Forbidden,
            ErrorCode::ServerError => ErrorKind::Internal,
            ErrorCode::TemporarilyUnavailable => ErrorKind::Unavailable,
            ErrorCode::SlowDown => ErrorKind::RateLimited,
            _ => ErrorKind::Invalid,
        }
    }
}

impl From<FormError> for OAuthError {
    fn from(error: FormError) -> Self {
        Self::new(ErrorCode::InvalidRequest, error.to_string())
    }
}
