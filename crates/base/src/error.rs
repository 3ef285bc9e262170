//! The kinds of failure every crate's `Error` maps onto, and the one error for a malformed name.

use std::fmt;

/// What a failure means to the caller. Each crate's `Error` has `fn kind(&self) -> ErrorKind`; only the
/// edges map a kind to a code of their protocol (HTTP problem, S3 XML, STS XML).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The request is malformed or breaks a documented limit; the same request can never succeed.
    Invalid,
    /// Nobody is signed in, or the credential is wrong or expired.
    Unauthenticated,
    /// The caller is known and may not.
    Forbidden,
    /// The thing does not exist, or the caller may not know that it does.
    NotFound,
    /// It exists already, or two changes met; reading again and retrying may succeed.
    Conflict,
    /// A precondition of the request (`If-Match`, `If-None-Match`) does not hold.
    PreconditionFailed,
    /// A named size limit is exceeded.
    TooLarge,
    /// A named rate limit is exceeded; retry later.
    RateLimited,
    /// A part that is needed cannot answer now; nothing was changed.
    Unavailable,
    /// Stored bytes are not what was written; an operator must look.
    Corrupt,
    /// The operation is known and not offered.
    NotImplemented,
    /// A defect of Galen.
    Internal,
}

impl ErrorKind {
    /// The HTTP status of this kind: what an HTTP edge answers, and what the record of an operation that failed holds.
    pub const fn http_status(self) -> u16 {
        match self {
            Self::Invalid => 400,
            Self::Unauthenticated => 401,
            Self::Forbidden => 403,
            Self::NotFound => 404,
            Self::Conflict => 409,
            Self::PreconditionFailed => 412,
            Self::TooLarge => 413,
            Self::RateLimited => 429,
            Self::Corrupt | Self::Internal => 500,
            Self::NotImplemented => 501,
            Self::Unavailable => 503,
        }
    }
}

/// Text that is not a valid name of its kind: says what was expected and what came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadName {
    what: &'static str,
    got: Option<String>,
    expected: &'static str,
}

impl BadName {
    /// Characters of the offending text that are repeated in the message; the rest is cut, so that a message is never large.
    const SHOWN_CHARS_MAX: usize = 80;

    /// `what` reads after "not" (for example "an ARN"), `expected` after "expected".
    pub fn new(what: &'static str, got: &str, expected: &'static str) -> Self {
        Self { what, got: Some(got.chars().take(Self::SHOWN_CHARS_MAX).collect()), expected }
    }

    /// As [`BadName::new`], without the text: that of a person must not come into a log with a message.
    pub const fn hidden(what: &'static str, expected: &'static str) -> Self {
        Self { what, got: None, expected }
    }
}

/// Whether a name would mislead where names are matched, joined to paths or shown: wildcards, `..`, `//`, control characters, and
/// characters that nobody sees or that turn the direction of what stands beside them. The joiners U+200C and U+200D belong to names of
/// some languages and stay. Nor may it look like another name: people approve changes by the names that they read.
pub fn misleads(name: &str) -> bool {
    let unseen = |c: char| matches!(c, '\u{61c}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}');
    name.contains(|c: char| c.is_control() || matches!(c, '*' | '?') || unseen(c))
        || name.contains("..")
        || name.contains("//")
        || imitates(name)
}

/// Greek letters that are drawn as Latin ones.
const GREEK_ALIKE: &str =
    "\u{391}\u{392}\u{395}\u{396}\u{397}\u{399}\u{39a}\u{39c}\u{39d}\u{39f}\u{3a1}\u{3a4}\u{3a5}\u{3a7}\u{3bd}\u{3bf}";

/// Whether a name can be made to look like one of other letters: Latin letters beside Cyrillic, Armenian or Cherokee ones, or beside the
/// Greek ones that are drawn alike (`NF-κB` and `TGF-β` stay); wide and mathematical letters and ligatures; and a mark on the letter
/// before it, because one code point says the same.
fn imitates(name: &str) -> bool {
    let latin = |c: char| c.is_alphabetic() && c < '\u{250}';
    let alike = |c: char| matches!(c, '\u{400}'..='\u{58f}' | '\u{13a0}'..='\u{13ff}' | '\u{1c80}'..='\u{1c8f}' | '\u{a640}'..='\u{a69f}' | '\u{ab70}'..='\u{abbf}');
    let redrawn = |c: char| matches!(c, '\u{300}'..='\u{36f}' | '\u{fb00}'..='\u{fb06}' | '\u{ff01}'..='\u{ff5e}' | '\u{1d400}'..='\u{1d7ff}');
    name.contains(redrawn) || name.contains(latin) && name.contains(|c| alike(c) || GREEK_ALIKE.contains(c))
}

impl fmt::Display for BadName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.got {
            Some(got) => write!(f, "`{}` is not {}: expected {}", got.escape_debug(), self.what, self.expected),
            None => write!(f, "this is not {}: expected {}", self.what, self.expected),
        }
    }
}

impl std::error::Error for BadName {}
