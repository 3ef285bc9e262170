//! The error document of STS: a code that SDKs match on, the HTTP status that goes with it, and a sentence.

use base::ErrorKind;

use super::response::NAMESPACE;
use crate::xml;

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $text:literal, $status:literal, $kind:ident;)*) => {
        /// The codes that the STS edge answers with (AWS STS API reference, "Common Errors" and each operation's errors).
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Code {
            $($(#[$doc])* $name,)*
        }
        impl Code {
            /// Every code, for tests and tables.
            pub const ALL: &[Self] = &[$(Self::$name),*];
            /// The text inside `<Code>`.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }
            /// The HTTP status that AWS sends with it.
            pub const fn status(self) -> u16 {
                match self { $(Self::$name => $status,)* }
            }
            /// What it means inside Galen.
            pub const fn kind(self) -> ErrorKind {
                match self { $(Self::$name => ErrorKind::$kind,)* }
            }
        }
    };
}

codes! {
    /// The gate or a trust policy refuses.
    AccessDenied = "AccessDenied", 403, Forbidden;
    /// The operation does not exist here, or the version is not the one spoken.
    InvalidAction = "InvalidAction", 400, NotImplemented;
    /// A parameter is missing, malformed or beyond a limit.
    ValidationError = "ValidationError", 400, Invalid;
    /// The session policy is not a policy document.
    MalformedPolicyDocument = "MalformedPolicyDocument", 400, Invalid;
    /// Session policies and tags together are larger than the session may carry.
    PackedPolicyTooLarge = "PackedPolicyTooLarge", 400, TooLarge;
    /// The web identity token or assertion does not verify.
    InvalidIdentityToken = "InvalidIdentityToken", 400, Unauthenticated;
    /// The web identity token or assertion has expired.
    ExpiredTokenException = "ExpiredTokenException", 400, Unauthenticated;
    /// The identity provider's keys cannot be had now.
    IdpCommunicationError = "IDPCommunicationError", 400, Unavailable;
    /// The identity provider's claim is refused.
    IdpRejectedClaim = "IDPRejectedClaim", 403, Forbidden;
    /// Sessions cannot be made in this region.
    RegionDisabledException = "RegionDisabledException", 403, Forbidden;
    /// The signed session's credentials have expired or were cut.
    ExpiredToken = "ExpiredToken", 403, Unauthenticated;
    /// The request was not signed.
    MissingAuthenticationToken = "MissingAuthenticationToken", 403, Unauthenticated;
    /// The access key or session token is not known.
    InvalidClientTokenId = "InvalidClientTokenId", 403, Unauthenticated;
    /// The signature is not the one that the secret gives.
    SignatureDoesNotMatch = "SignatureDoesNotMatch", 403, Unauthenticated;
    /// Part of the signature is missing or malformed.
    IncompleteSignature = "IncompleteSignature", 400, Invalid;
    /// The request's time is too far from this server's, or a presigned request is too old.
    RequestExpired = "RequestExpired", 400, Unauthenticated;
    /// The form or query cannot be read.
    MalformedQueryString = "MalformedQueryString", 400, Invalid;
    /// The request is larger than the bound.
    RequestEntityTooLarge = "RequestEntityTooLarge", 413, TooLarge;
    /// Too many requests; retry later.
    Throttling = "Throttling", 400, RateLimited;
    /// A part that is needed cannot answer now.
    ServiceUnavailable = "ServiceUnavailable", 503, Unavailable;
    /// A defect of Galen.
    InternalFailure = "InternalFailure", 500, Internal;
}

/// An STS failure as it goes on the wire: `code`, and a sentence that says what, where and what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: {message}", code.as_str())]
pub struct Fault {
    /// What SDKs match on.
    pub code: Code,
    /// What people read. It may repeat input; [`Fault::to_xml`] escapes it.
    pub message: String,
}

impl Fault {
    /// A failure with this code and sentence.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    /// A [`Code::ValidationError`].
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(Code::ValidationError, message)
    }

    /// What the failure means inside Galen.
    pub const fn kind(&self) -> ErrorKind {
        self.code.kind()
    }

    /// The error document. `request_id` is sent back so that a caller can name the request.
    pub fn to_xml(&self, request_id: &str) -> String {
        let side = if self.code.status() >= 500 { "Receiver" } else { "Sender" };
        let mut out = String::with_capacity(320 + self.message.len());
        xml::root(&mut out, "ErrorResponse", NAMESPACE, |out| {
            xml::nested(out, "Error", |out| {
                xml::element(out, "Type", side);
                xml::element(out, "Code", self.code.as_str());
                xml::element(out, "Message", &self.message);
            });
            xml::element(out, "RequestId", request_id);
        });
        out
    }
}
