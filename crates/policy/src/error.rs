//! What can be wrong with a document or a simulation input, told with the place and what to write instead.

use base::ErrorKind;

/// A document that is refused. `path` is where, in the form `Statement[2].Condition.StringLike`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The text is longer than any document may be.
    #[error("the document has {bytes} bytes; write at most {max}")]
    TooLarge {
        /// Bytes of the text.
        bytes: usize,
        /// Bytes that are accepted.
        max: usize,
    },
    /// The bytes are not UTF-8.
    #[error("the document is not UTF-8: the first wrong byte is at offset {offset}")]
    NotUtf8 {
        /// Offset of the first wrong byte.
        offset: usize,
    },
    /// The text is not JSON.
    #[error("not JSON at line {line} column {column}: {problem}")]
    Json {
        /// Line, from 1.
        line: u32,
        /// Column in characters, from 1.
        column: u32,
        /// What was expected or is wrong.
        problem: &'static str,
    },
    /// A key stands twice in one object.
    #[error("the key `{key}` stands twice in one object, at line {line} column {column}: merge the two")]
    DuplicateKey {
        /// The key.
        key: String,
        /// Line, from 1.
        line: u32,
        /// Column, from 1.
        column: u32,
    },
    /// The element is not part of the language.
    #[error("unknown element `{element}` in {path}: expected one of {expected}")]
    UnknownElement {
        /// Where.
        path: String,
        /// What stands there.
        element: String,
        /// What may stand there.
        expected: &'static str,
    },
    /// An element that must be there is not.
    #[error("{path} has no `{element}`")]
    MissingElement {
        /// Where.
        path: String,
        /// What is missing.
        element: &'static str,
    },
    /// Two elements exclude one another.
    #[error("{path} has both `{first}` and `{second}`: keep one")]
    Exclusive {
        /// Where.
        path: String,
        /// The one.
        first: &'static str,
        /// The other.
        second: &'static str,
    },
    /// The element may not stand in a document of this kind.
    #[error("{path} has `{element}`, which {kind} may not have")]
    NotAllowedHere {
        /// Where.
        path: String,
        /// The element.
        element: &'static str,
        /// The kind of document, with its article.
        kind: &'static str,
    },
    /// A value is not of the form that stands there.
    #[error("{path} is `{got}`: expected {expected}")]
    BadValue {
        /// Where.
        path: String,
        /// What stands there, cut to a readable length.
        got: String,
        /// What may stand there.
        expected: &'static str,
    },
    /// One of several documents of an input is refused.
    #[error("{document}: {problem}")]
    InDocument {
        /// Which document, as `identity_policies[0]`.
        document: String,
        /// What is wrong in it.
        problem: Box<Error>,
    },
    /// A list is longer than any list may be.
    #[error("{path} has {count} entries; write at most {max}")]
    TooMany {
        /// Where.
        path: String,
        /// Entries found.
        count: usize,
        /// Entries accepted.
        max: usize,
    },
}

impl Error {
    /// The kind of failure, for the edges.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::TooLarge { .. } | Self::TooMany { .. } => ErrorKind::TooLarge,
            Self::InDocument { problem, .. } => problem.kind(),
            _ => ErrorKind::Invalid,
        }
    }
}

/// Characters of an offending value that a message repeats; the rest is cut, so that no message is large.
const SHOWN_CHARS_MAX: usize = 80;

/// `text`, cut and escaped for a message.
pub(crate) fn shown(text: &str) -> String {
    let mut out: String = text.chars().take(SHOWN_CHARS_MAX).flat_map(char::escape_debug).collect();
    if text.chars().nth(SHOWN_CHARS_MAX).is_some() {
        out.push('…');
    }
    out
}
