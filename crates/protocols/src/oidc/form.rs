//! `application/x-www-form-urlencoded`, strictly: bounded, UTF-8, no control characters, no parameter twice.

use percent_encoding::percent_decode;

/// Longest query or body that is read: the longest parameters together, with room for those that are ignored.
pub const FORM_BYTES_MAX: usize = 32 * 1024;
/// Most parameters of one request; OpenID Connect defines about twenty.
const PARAMETERS_MAX: usize = 64;

/// Why a form is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FormError {
    /// Longer than is read.
    #[error("the request has {bytes} bytes of parameters: at most {max} are read")]
    TooLarge {
        /// Bytes that came.
        bytes: usize,
        /// Bytes that are read.
        max: usize,
    },
    /// More parameters than are read.
    #[error("the request has more than {max} parameters")]
    TooMany {
        /// Parameters that are read.
        max: usize,
    },
    /// A name or value is not UTF-8 text, or holds a control character.
    #[error("parameter number {index} is not plain UTF-8 text")]
    NotText {
        /// Counted from 1.
        index: usize,
    },
    /// A parameter comes twice.
    #[error("parameter `{name}` comes more than once")]
    Repeated {
        /// Its name, cut to a few characters.
        name: String,
    },
}

/// The parameters of one request, each at most once. Empty values count as absent (RFC 6749, section 3.1).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Form(Vec<(String, String)>);

impl Form {
    /// Reads a query string or a form body.
    ///
    /// # Errors
    /// [`FormError`].
    pub fn parse(bytes: &[u8]) -> Result<Self, FormError> {
        if bytes.len() > FORM_BYTES_MAX {
            return Err(FormError::TooLarge { bytes: bytes.len(), max: FORM_BYTES_MAX });
        }
        let mut out: Vec<(String, String)> = Vec::new();
        for (index, pair) in bytes.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()).enumerate() {
            if index >= PARAMETERS_MAX {
                return Err(FormError::TooMany { max: PARAMETERS_MAX });
            }
            let mut halves = pair.splitn(2, |byte| *byte == b'=');
            let mut next = || text(halves.next().unwrap_or_default()).ok_or(FormError::NotText { index: index + 1 });
            let (name, value) = (next()?, next()?);
            if out.iter().any(|(other, _)| *other == name) {
                return Err(FormError::Repeated { name: name.chars().take(64).collect() });
            }
            out.push((name, value));
        }
        Ok(Self(out))
    }

    /// A parameter that is there and not empty.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(other, _)| other == name)
            .map(|(_, value)| value.as_str())
            .filter(|value| !value.is_empty())
    }

    /// All parameters in the order in which they came.
    pub fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

fn text(encoded: &[u8]) -> Option<String> {
    let spaced: Vec<u8> = encoded.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect();
    let decoded = String::from_utf8(percent_decode(&spaced).collect()).ok()?;
    (!decoded.chars().any(char::is_control)).then_some(decoded)
}
