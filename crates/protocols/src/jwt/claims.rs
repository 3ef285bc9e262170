//! The claims of a verified token, the registered ones typed.

use serde_json::{Map, Value};

use super::{Audience, Error, Expected, Kind, SKEW_SECS_MAX, strict};

/// The last second that is taken as a time (9999-12-31T23:59:59Z); later numbers are milliseconds by mistake.
const SECONDS_MAX: i64 = 253_402_300_799;

/// Claims (RFC 7519, section 4). A value of this type comes out of a verified token only, or out of nothing.
#[derive(Clone, Debug, PartialEq)]
pub struct Claims {
    issuer: String,
    subject: String,
    audience: Vec<String>,
    expires: i64,
    issued: Option<i64>,
    not_before: Option<i64>,
    all: Map<String, Value>,
}

impl Claims {
    pub(crate) fn read(payload: &[u8]) -> Result<Self, Error> {
        let all = strict::object("payload", payload)?;
        Ok(Self {
            issuer: text(&all, "iss")?,
            subject: text(&all, "sub")?,
            audience: audience(&all)?,
            expires: seconds(&all, "exp")?.ok_or(Error::MissingClaim { name: "exp" })?,
            issued: seconds(&all, "iat")?,
            not_before: seconds(&all, "nbf")?,
            all,
        })
    }

    pub(super) fn check(&self, expected: &Expected<'_>) -> Result<(), Error> {
        if self.issuer != expected.issuer {
            return Err(Error::WrongIssuer { expected: expected.issuer.to_owned() });
        }
        if let Audience::OneOf(audiences) = expected.audience
            && !self.audience.iter().any(|aud| audiences.contains(&aud.as_str()))
        {
            return Err(Error::WrongAudience { expected: audiences.join(" or ") });
        }
        let now = expected.now.as_second();
        for (name, at) in [("nbf", self.not_before), ("iat", self.issued)] {
            let ahead = at.map_or(0, |at| at - now);
            if ahead > SKEW_SECS_MAX {
                return Err(Error::NotYet { name, seconds: ahead });
            }
        }
        let expired = self.expires <= now && expected.kind != Kind::Hint;
        if expired { Err(Error::Expired { seconds_ago: now - self.expires }) } else { Ok(()) }
    }

    /// `iss`.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }
    /// `sub`.
    pub fn subject(&self) -> &str {
        &self.subject
    }
    /// `aud`, one or several.
    pub fn audience(&self) -> &[String] {
        &self.audience
    }
    /// `exp`, seconds since 1970.
    pub const fn expires(&self) -> i64 {
        self.expires
    }
    /// `iat`, seconds since 1970.
    pub const fn issued(&self) -> Option<i64> {
        self.issued
    }
    /// `auth_time`: when the person last showed who they are, seconds since 1970. A value that is not an integer is `None`.
    pub fn auth_time(&self) -> Option<i64> {
        self.all.get("auth_time").and_then(Value::as_i64)
    }
    /// Any claim.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.all.get(name)
    }
    /// A claim that is a string.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.all.get(name).and_then(Value::as_str)
    }
    /// A claim that is a string or a list of strings; other members are left out.
    pub fn texts(&self, name: &str) -> Vec<&str> {
        match self.all.get(name) {
            Some(Value::String(text)) => vec![text],
            Some(Value::Array(list)) => list.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        }
    }
    /// All claims, in the order of the token.
    pub const fn all(&self) -> &Map<String, Value> {
        &self.all
    }
    /// All claims, in the order of the token.
    pub fn into_all(self) -> Map<String, Value> {
        self.all
    }
}

fn text(all: &Map<String, Value>, name: &'static str) -> Result<String, Error> {
    match all.get(name) {
        None => Err(Error::MissingClaim { name }),
        Some(Value::String(text)) if !text.is_empty() => Ok(text.clone()),
        Some(_) => Err(Error::BadClaim { name, expected: "a non-empty string" }),
    }
}

fn audience(all: &Map<String, Value>) -> Result<Vec<String>, Error> {
    let bad = Error::BadClaim { name: "aud", expected: "a string or a list of strings" };
    match all.get("aud") {
        None => Err(Error::MissingClaim { name: "aud" }),
        Some(Value::String(one)) => Ok(vec![one.clone()]),
        Some(Value::Array(list)) => {
            list.iter().map(|aud| aud.as_str().map(str::to_owned)).collect::<Option<_>>().ok_or(bad)
        }
        Some(_) => Err(bad),
    }
}

/// Integers only: a string-typed or fractional time is refused, as AWS refuses it.
fn seconds(all: &Map<String, Value>, name: &'static str) -> Result<Option<i64>, Error> {
    let Some(value) = all.get(name) else { return Ok(None) };
    let seconds = value.as_i64().filter(|seconds| (0..=SECONDS_MAX).contains(seconds));
    seconds.map(Some).ok_or(Error::BadClaim { name, expected: "an integer number of seconds since 1970" })
}
