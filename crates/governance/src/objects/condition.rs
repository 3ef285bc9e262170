//! Conditional requests (RFC 9110, section 13) and byte ranges (section 14), decided from values alone.

use base::Timestamp;
use std::ops::Range;

use super::metadata::ETag;
use crate::Error;

/// The tags of an `If-Match` or `If-None-Match` header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Match {
    /// `*`: any existing object.
    Any,
    /// One of these.
    Tags(Vec<ETag>),
}

impl Match {
    /// Parses a header value.
    pub fn from_header(text: &str) -> Self {
        if text.trim() == "*" { Self::Any } else { Self::Tags(text.split(',').map(ETag::from_header).collect()) }
    }
    fn holds(&self, current: Option<&ETag>) -> bool {
        match (self, current) {
            (_, None) => false,
            (Self::Any, Some(_)) => true,
            (Self::Tags(tags), Some(current)) => tags.contains(current),
        }
    }
}

/// The four conditions a request may carry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Conditions {
    /// Succeed only if the tag matches.
    pub if_match: Option<Match>,
    /// Succeed only if it does not.
    pub if_none_match: Option<Match>,
    /// Succeed only if changed after this time; ignored where `if_none_match` is given.
    pub if_modified_since: Option<Timestamp>,
    /// Succeed only if not changed after this time; ignored where `if_match` is given.
    pub if_unmodified_since: Option<Timestamp>,
}

impl Conditions {
    /// For a read of an existing version, in the order of RFC 9110, section 13.2.2. Times compare in whole seconds, as
    /// the headers carry them.
    ///
    /// # Errors
    /// [`Error::PreconditionFailed`] (412) or [`Error::NotModified`] (304).
    pub fn check_read(&self, etag: &ETag, modified: Timestamp) -> Result<(), Error> {
        match (&self.if_match, self.if_unmodified_since) {
            (Some(tags), _) if !tags.holds(Some(etag)) => return Err(failed("If-Match")),
            (None, Some(time)) if modified.as_second() > time.as_second() => {
                return Err(failed("If-Unmodified-Since"));
            }
            _ => {}
        }
        match (&self.if_none_match, self.if_modified_since) {
            (Some(tags), _) if tags.holds(Some(etag)) => Err(Error::NotModified { etag: etag.clone(), modified }),
            (None, Some(time)) if modified.as_second() <= time.as_second() => {
                Err(Error::NotModified { etag: etag.clone(), modified })
            }
            _ => Ok(()),
        }
    }

    /// For a write over `current` (none: absent or deleted), decided inside the transaction that writes.
    ///
    /// # Errors
    /// [`Error::PreconditionFailed`]; [`Error::NoSuchKey`] for `If-Match` on an absent key, as S3 answers.
    pub fn check_write(&self, current: Option<(&ETag, Timestamp)>) -> Result<(), Error> {
        let etag = current.map(|(etag, _)| etag);
        match &self.if_match {
            Some(_) if etag.is_none() => return Err(Error::NoSuchKey),
            Some(tags) if !tags.holds(etag) => return Err(failed("If-Match")),
            _ => {}
        }
        match &self.if_none_match {
            Some(tags) if tags.holds(etag) => return Err(failed("If-None-Match")),
            _ => {}
        }
        match (self.if_unmodified_since, current) {
            (Some(time), Some((_, modified))) if modified.as_second() > time.as_second() => {
                Err(failed("If-Unmodified-Since"))
            }
            _ => Ok(()),
        }
    }

    /// For the source of a copy, where a failed `If-None-Match` or `If-Modified-Since` is 412, never 304.
    ///
    /// # Errors
    /// [`Error::PreconditionFailed`].
    pub fn check_source(&self, etag: &ETag, modified: Timestamp) -> Result<(), Error> {
        self.check_read(etag, modified).map_err(|error| match error {
            Error::NotModified { .. } if self.if_none_match.is_some() => failed("x-amz-copy-source-if-none-match"),
            Error::NotModified { .. } => failed("x-amz-copy-source-if-modified-since"),
            Error::PreconditionFailed { condition: "If-Match" } => failed("x-amz-copy-source-if-match"),
            Error::PreconditionFailed { condition: "If-Unmodified-Since" } => {
                failed("x-amz-copy-source-if-unmodified-since")
            }
            other => other,
        })
    }
}

fn failed(condition: &'static str) -> Error {
    Error::PreconditionFailed { condition }
}

/// What `If-Range` says that the caller has the beginning of (RFC 9110, section 13.1.5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IfRange {
    /// The object with this tag.
    Tag(ETag),
    /// The object that was modified in this second.
    Modified(Timestamp),
    /// Nothing that can be known again: a weak tag, or neither a tag nor a date.
    Unknown,
}

impl IfRange {
    /// Whether the object is that one: tags are compared strongly, and a date must be the very one that was told.
    pub fn holds(&self, etag: &ETag, modified: Timestamp) -> bool {
        match self {
            Self::Tag(tag) => tag == etag,
            Self::Modified(at) => at.as_second() == modified.as_second(),
            Self::Unknown => false,
        }
    }
}

/// One byte range of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ByteRange {
    /// `bytes=a-b`: both ends included.
    Inclusive(u64, u64),
    /// `bytes=a-`.
    From(u64),
    /// `bytes=-n`.
    Last(u64),
}

impl ByteRange {
    /// Parses a `Range` header. A unit other than bytes or a malformed range is ignored (`None`), as RFC 9110 section
    /// 14.2 allows and S3 does.
    ///
    /// # Errors
    /// [`Error::ManyRanges`] for more than one range: S3 serves one.
    pub fn from_header(text: &str) -> Result<Option<Self>, Error> {
        let Some(list) = text.trim().strip_prefix("bytes=") else { return Ok(None) };
        if list.contains(',') {
            return Err(Error::ManyRanges);
        }
        let number =
            |t: &str| (!t.is_empty() && t.bytes().all(|b| b.is_ascii_digit())).then(|| t.parse().unwrap_or(u64::MAX));
        let Some((first, last)) = list.trim().split_once('-') else { return Ok(None) };
        Ok(match (first.is_empty(), number(first), last.is_empty(), number(last)) {
            (false, Some(a), false, Some(b)) if a <= b => Some(Self::Inclusive(a, b)),
            (false, Some(a), true, None) => Some(Self::From(a)),
            (true, None, false, Some(n)) => Some(Self::Last(n)),
            _ => None,
        })
    }

    /// The bytes meant in an object of `size` bytes.
    ///
    /// # Errors
    /// [`Error::RangeNotSatisfiable`] when no byte of the object is meant.
    pub fn resolve(self, size: u64) -> Result<Range<u64>, Error> {
        let range = match self {
            Self::Inclusive(a, b) => a..b.saturating_add(1).min(size),
            Self::From(a) => a..size,
            Self::Last(n) => size.saturating_sub(n)..size,
        };
        if range.start < range.end { Ok(range) } else { Err(Error::RangeNotSatisfiable { size }) }
    }
}
