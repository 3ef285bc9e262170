//! Why a token or a key set is refused.

use base::ErrorKind;

/// A refused token or key set. Messages may be shown to whoever sent it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Longer than any token that is read.
    #[error("the token has {chars} characters: at most {max} are read")]
    TooLong {
        /// Characters that came.
        chars: usize,
        /// Characters that are read.
        max: usize,
    },
    /// Not `header.payload.signature`.
    #[error("the token is not in the compact form `header.payload.signature` (RFC 7515)")]
    NotCompact,
    /// A part is not base64url without padding.
    #[error("the token's {part} is not base64url without padding")]
    NotBase64 {
        /// Which part.
        part: &'static str,
    },
    /// A part is not one JSON object, or repeats a key.
    #[error("the {part} is not a JSON object: {reason}")]
    NotJson {
        /// Which part.
        part: &'static str,
        /// What is wrong.
        reason: &'static str,
    },
    /// A header is missing or has the wrong type.
    #[error("the token's header `{name}` is missing or not a short string")]
    BadHeader {
        /// Its name.
        name: &'static str,
    },
    /// A critical header, none of which is supported.
    #[error("the token has a `crit` header, and no critical extension is supported")]
    CriticalHeader,
    /// The algorithm is not on the list.
    #[error("the token's algorithm `{name}` is refused: use RS256, RS384, RS512, ES256 or ES384")]
    RefusedAlgorithm {
        /// The name, cut to a few characters.
        name: String,
    },
    /// The algorithm does not belong to the key.
    #[error("the token is signed with {scheme}, but its key is for {key}")]
    AlgorithmOfOtherKey {
        /// The scheme of the header.
        scheme: &'static str,
        /// What the key is for.
        key: &'static str,
    },
    /// The key set has no such key.
    #[error("the token's key `{key_id}` is not among the issuer's keys: get a new token")]
    UnknownKey {
        /// The key id, cut to a few characters.
        key_id: String,
    },
    /// No key id, and several keys to choose from.
    #[error("the token names no key (`kid`), and the issuer has {keys}")]
    NoKeyId {
        /// How many keys there are.
        keys: usize,
    },
    /// The signature is not that of the key.
    #[error("the token's signature does not match")]
    BadSignature,
    /// Another kind of token.
    #[error("the token is of another kind: its `typ` must be `{expected}`")]
    WrongKind {
        /// The expected `typ`.
        expected: &'static str,
    },
    /// A claim is missing.
    #[error("the token has no `{name}` claim")]
    MissingClaim {
        /// Its name.
        name: &'static str,
    },
    /// A claim has the wrong type.
    #[error("the token's `{name}` claim must be {expected}")]
    BadClaim {
        /// Its name.
        name: &'static str,
        /// What it must be.
        expected: &'static str,
    },
    /// Another issuer.
    #[error("the token comes from another issuer than `{expected}`")]
    WrongIssuer {
        /// The expected issuer.
        expected: String,
    },
    /// Meant for somebody else.
    #[error("the token is for another audience: expected {expected}")]
    WrongAudience {
        /// The audiences that are accepted.
        expected: String,
    },
    /// It was valid until some seconds ago.
    #[error("the token expired {seconds_ago} s ago")]
    Expired {
        /// Seconds since `exp`.
        seconds_ago: i64,
    },
    /// It is not valid yet.
    #[error("the token is not valid yet: its `{name}` lies {seconds} s ahead; check both clocks")]
    NotYet {
        /// `nbf` or `iat`.
        name: &'static str,
        /// Seconds from now.
        seconds: i64,
    },
    /// A key of a key set cannot be used.
    #[error("key number {index} of the key set is refused: {reason}")]
    BadKey {
        /// Counted from 0.
        index: usize,
        /// What is wrong.
        reason: &'static str,
    },
    /// Too many keys.
    #[error("the key set has {keys} keys: at most {max} are read")]
    TooManyKeys {
        /// Keys that came.
        keys: usize,
        /// Keys that are read.
        max: usize,
    },
}

/// Characters of a foreign name that are repeated in a message.
const SHOWN_CHARS_MAX: usize = 64;

pub(super) fn shown(text: &str) -> String {
    text.chars().take(SHOWN_CHARS_MAX).flat_map(char::escape_debug).collect()
}

impl Error {
    pub(super) fn refused_algorithm(name: &str) -> Self {
        Self::RefusedAlgorithm { name: shown(name) }
    }

    /// What the failure means to a caller.
    pub const fn kind(&self) -> ErrorKind {
        match self {
            Self::TooLong { .. }
            | Self::NotCompact
            | Self::NotBase64 { .. }
            | Self::NotJson { .. }
            | Self::BadHeader { .. }
            | Self::CriticalHeader
            | Self::BadClaim { .. }
            | Self::MissingClaim { .. }
            | Self::BadKey { .. }
            | Self::TooManyKeys { .. } => ErrorKind::Invalid,
            _ => ErrorKind::Unauthenticated,
        }
    }
}
