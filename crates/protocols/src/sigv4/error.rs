//! Why a signature is not believed, in words that say what to set.

use base::{ErrorKind, Timestamp};

use super::presented::{EXPIRES_SECONDS_MAX, SKEW_SECONDS_MAX};
use crate::sts;

/// Why a signature is not believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// No signature at all.
    #[error("the request is not signed; sign it with AWS Signature Version 4")]
    Missing,
    /// A part of the signature is absent or cannot be read.
    #[error("the signature is incomplete: {what}")]
    Incomplete {
        /// Which part, and what it should be.
        what: &'static str,
    },
    /// Signature Version 2, or another algorithm.
    #[error(
        "only AWS4-HMAC-SHA256 is accepted; set the client's signature version to 4 (for botocore `signature_version=\"v4\"`)"
    )]
    Algorithm,
    /// The credential scope names another service, region or day.
    #[error("the credential scope is wrong: {what}")]
    Scope {
        /// Which part, and what it should be.
        what: &'static str,
    },
    /// The request is too old or from the future.
    #[error(
        "the request was signed at {signed} and this server's time is {now}; at most {SKEW_SECONDS_MAX} seconds apart are accepted, so set the client's clock"
    )]
    Skewed {
        /// When the client says it signed.
        signed: Timestamp,
        /// This server's time.
        now: Timestamp,
    },
    /// A presigned request is used after its end.
    #[error("the presigned request expired at {ended}")]
    Expired {
        /// Its end.
        ended: Timestamp,
    },
    /// `X-Amz-Expires` is out of bounds.
    #[error("`X-Amz-Expires` must be a number of seconds from 1 to {EXPIRES_SECONDS_MAX}")]
    Expires,
    /// A header that must be signed is not.
    #[error("the header `{name}` must be among the signed headers")]
    NotSigned {
        /// The header's name; at most 64 characters of it.
        name: String,
    },
    /// The signature is not the one that the secret gives.
    #[error(
        "the signature does not match; check the secret access key, the session token and what changes the request on its way"
    )]
    Mismatch,
}

impl Error {
    /// The code that STS answers with.
    pub const fn code(&self) -> sts::Code {
        match self {
            Self::Missing => sts::Code::MissingAuthenticationToken,
            Self::Incomplete { .. } | Self::Algorithm | Self::Expires => sts::Code::IncompleteSignature,
            Self::Skewed { .. } | Self::Expired { .. } => sts::Code::RequestExpired,
            Self::Scope { .. } | Self::NotSigned { .. } | Self::Mismatch => sts::Code::SignatureDoesNotMatch,
        }
    }

    /// What it means inside Galen.
    pub const fn kind(&self) -> ErrorKind {
        self.code().kind()
    }
}

impl From<Error> for sts::Fault {
    fn from(error: Error) -> Self {
        Self::new(error.code(), error.to_string())
    }
}
