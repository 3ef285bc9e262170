//! What a caller says about an object and gets back unchanged: system headers, user metadata, tags, ETags.

use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, fmt};

use crate::Error;

/// Bytes of all user metadata names and values together (S3: 2 KB).
pub const USER_METADATA_BYTES_MAX: usize = 2048;
/// Tags of one object (S3: 10).
pub const TAGS_MAX: usize = 10;
/// Characters of a tag's key (S3: 128).
pub const TAG_KEY_CHARS_MAX: usize = 128;
/// Characters of a tag's value (S3: 256).
pub const TAG_VALUE_CHARS_MAX: usize = 256;
/// Bytes of one system header: far above any real one, small enough for a metadata record.
pub const HEADER_BYTES_MAX: usize = 1024;

/// The headers that S3 stores and gives back.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "each field is the HTTP header of its name")]
pub struct SystemMetadata {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache_control: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_disposition: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_encoding: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_language: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires: Option<String>,
}

/// Everything a writer says about an object besides its bytes and tags.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Metadata {
    /// Headers of HTTP.
    pub system: SystemMetadata,
    /// `x-amz-meta-*`, names in lower case without the prefix.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub user: BTreeMap<String, String>,
}

impl Metadata {
    /// Checks the bounds.
    ///
    /// # Errors
    /// [`Error::MetadataTooLarge`] naming the bound.
    pub fn check(&self) -> Result<(), Error> {
        let user: usize = self.user.iter().map(|(name, value)| name.len() + value.len()).sum();
        if user > USER_METADATA_BYTES_MAX {
            return Err(Error::MetadataTooLarge { got: user, most: USER_METADATA_BYTES_MAX });
        }
        let s = &self.system;
        let headers = [
            &s.content_type,
            &s.cache_control,
            &s.content_disposition,
            &s.content_encoding,
            &s.content_language,
            &s.expires,
        ];
        match headers.into_iter().flatten().map(String::len).find(|len| *len > HEADER_BYTES_MAX) {
            Some(got) => Err(Error::MetadataTooLarge { got, most: HEADER_BYTES_MAX }),
            None => Ok(()),
        }
    }
}

/// The tags of an object version; keys are unique.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Tags(BTreeMap<String, String>);

impl Tags {
    /// Checks S3's rules: at most 10, keys of 1 to 128 and values of 0 to 256 characters, no key twice, none in AWS's own
    /// name space.
    ///
    /// # Errors
    /// [`Error::InvalidTag`] naming the rule.
    pub fn new(pairs: impl IntoIterator<Item = (String, String)>) -> Result<Self, Error> {
        let allowed = |c: char| c.is_alphanumeric() || c.is_whitespace() || "_.:/=+-@".contains(c);
        let mut tags = BTreeMap::new();
        for (key, value) in pairs {
            let invalid = |rule| Error::InvalidTag { key: key.chars().take(TAG_KEY_CHARS_MAX).collect(), rule };
            if key.is_empty() || key.chars().count() > TAG_KEY_CHARS_MAX {
                return Err(invalid("a key has 1 to 128 characters"));
            }
            if value.chars().count() > TAG_VALUE_CHARS_MAX {
                return Err(invalid("a value has at most 256 characters"));
            }
            if key.starts_with("aws:") {
                return Err(invalid("keys beginning with `aws:` are reserved"));
            }
            if !key.chars().chain(value.chars()).all(allowed) {
                return Err(invalid("letters, digits, spaces and _.:/=+-@ are allowed"));
            }
            if tags.contains_key(&key) {
                return Err(invalid("a key may occur once"));
            }
            tags.insert(key, value);
        }
        if tags.len() > TAGS_MAX {
            return Err(Error::TooManyTags { got: tags.len(), most: TAGS_MAX });
        }
        Ok(Self(tags))
    }

    /// In the order of the keys.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }
    /// How many.
    pub fn len(&self) -> usize {
        self.0.len()
    }
    /// True without tags.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// An entity tag without its quotes: opaque, never a digest of the content (as with SSE-KMS); `-N` at the end of a
/// multipart object's.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ETag(String);

impl ETag {
    /// Tools take 32 hexadecimal digits for the MD5 of the content and find every object damaged or changed. What ends in a
    /// number of parts is none to any of them.
    pub(crate) fn of(random: [u8; 16], parts: usize) -> Self {
        let hex = u128::from_be_bytes(random);
        Self(format!("{hex:032x}-{parts}"))
    }
    /// From a request header: with or without quotes; a weak tag (`W/`) matches nothing that Galen gives out.
    pub fn from_header(text: &str) -> Self {
        let text = text.trim();
        Self(text.strip_prefix('"').and_then(|t| t.strip_suffix('"')).unwrap_or(text).to_owned())
    }
    /// Without quotes.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ETag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
