//! What a caller claims by its signature, and the judgement of it.

use base::{Secret, Timestamp};
use crypto::{constant_time_eq, sha256};
use http::HeaderMap;
use jiff::{SignedDuration, civil::DateTime, tz::TimeZone};

use super::canonical::{canonical_request, signature, signing_key};
use super::error::Error;

/// How far the client's clock may be from ours, in seconds (AWS: 15 minutes).
pub const SKEW_SECONDS_MAX: i64 = 900;
/// Longest life of a presigned request, in seconds (AWS: seven days).
pub const EXPIRES_SECONDS_MAX: u32 = 604_800;
/// Most signed headers that are looked at; real clients sign about ten.
const SIGNED_HEADERS_MAX: usize = 100;
/// Longest access key that is looked at (AWS: 16 to 128).
const ACCESS_KEY_CHARS_MAX: usize = 128;

/// The request as it came on the wire; nothing decoded.
#[derive(Clone, Copy)]
pub struct Parts<'a> {
    /// `GET`, `POST`.
    pub method: &'a str,
    /// The path, still percent-encoded.
    pub path: &'a str,
    /// The query without its question mark, still percent-encoded; empty when there is none.
    pub query: &'a str,
    /// All headers.
    pub headers: &'a HeaderMap,
    /// HTTP/2's `:authority`, which stands for `host` when that header is absent.
    pub authority: Option<&'a str>,
}

/// A signature that is well formed and not yet believed.
pub struct Presented {
    /// The access key that the caller names.
    pub access_key_id: String,
    /// The region of the scope.
    pub region: String,
    /// The service of the scope.
    pub service: String,
    /// The session token that came with the request; it is covered by the signature.
    pub session_token: Option<Secret<String>>,
    /// Whether the signature came in the query (a presigned request).
    pub presigned: bool,
    day: String,
    amz_date: String,
    signed_at: Timestamp,
    expires_seconds: Option<u32>,
    signed_headers: Vec<String>,
    signature: [u8; 32],
}

/// The text of the credential scope, wherever the request carries one: `ACCESSKEY/DAY/REGION/SERVICE/aws4_request`.
/// For routing only: nothing in it is believed.
pub fn credential_scope(parts: &Parts<'_>) -> Option<String> {
    if let Some(value) = parts.headers.get(http::header::AUTHORIZATION) {
        let value = value.to_str().ok()?;
        let fields = value.strip_prefix("AWS4-")?.split_once(' ')?.1;
        return field(fields, "Credential").map(str::to_owned);
    }
    query_value(parts.query, "X-Amz-Credential").ok().flatten()
}

impl Presented {
    /// Reads the signature from the `Authorization` header or the query.
    ///
    /// # Errors
    /// [`Error::Missing`], [`Error::Incomplete`], [`Error::Algorithm`], [`Error::Expires`], [`Error::Scope`],
    /// [`Error::NotSigned`].
    pub fn parse(parts: &Parts<'_>) -> Result<Self, Error> {
        let header = unique_header(parts, "authorization")?;
        let in_query = query_value(parts.query, "X-Amz-Signature")?.is_some()
            || query_value(parts.query, "X-Amz-Algorithm")?.is_some();
        let presented = match (header, in_query) {
            (Some(_), true) => {
                return Err(Error::Incomplete { what: "sign in the header or in the query, not in both" });
            }
            (Some(header), false) => Self::from_header(parts, header)?,
            (None, true) => Self::from_query(parts)?,
            (None, false) if query_value(parts.query, "AWSAccessKeyId")?.is_some() => return Err(Error::Algorithm),
            (None, false) => return Err(Error::Missing),
        };
        presented.check_signed_headers(parts)?;
        Ok(presented)
    }

    fn from_header(parts: &Parts<'_>, header: &str) -> Result<Self, Error> {
        let (algorithm, fields) = header.split_once(' ').ok_or(Error::Algorithm)?;
        if algorithm != "AWS4-HMAC-SHA256" {
            return Err(Error::Algorithm);
        }
        let need = |name, what| field(fields, name).ok_or(Error::Incomplete { what });
        let credential = need("Credential", "`Credential` is missing from the header `Authorization`")?;
        let signed = need("SignedHeaders", "`SignedHeaders` is missing from the header `Authorization`")?;
        let signature = need("Signature", "`Signature` is missing from the header `Authorization`")?;
        let date = unique_header(parts, "x-amz-date")?
            .ok_or(Error::Incomplete { what: "the header `X-Amz-Date` is missing" })?;
        let token = unique_header(parts, "x-amz-security-token")?;
        Self::build(credential, signed, signature, date, None, token.map(str::to_owned))
    }

    fn from_query(parts: &Parts<'_>) -> Result<Self, Error> {
        let need = |name, what| query_value(parts.query, name)?.ok_or(Error::Incomplete { what });
        if need("X-Amz-Algorithm", "`X-Amz-Algorithm` is missing from the query")? != "AWS4-HMAC-SHA256" {
            return Err(Error::Algorithm);
        }
        if parts.headers.contains_key("x-amz-security-token") {
            return Err(Error::Incomplete { what: "a presigned request carries its session token in the query" });
        }
        let credential = need("X-Amz-Credential", "`X-Amz-Credential` is missing from the query")?;
        let signed = need("X-Amz-SignedHeaders", "`X-Amz-SignedHeaders` is missing from the query")?;
        let signature = need("X-Amz-Signature", "`X-Amz-Signature` is missing from the query")?;
        let date = need("X-Amz-Date", "`X-Amz-Date` is missing from the query")?;
        let expires = need("X-Amz-Expires", "`X-Amz-Expires` is missing from the query")?;
        let digits = (1..=6).contains(&expires.len()) && expires.bytes().all(|b| b.is_ascii_digit());
        let expires: u32 =
            if digits { expires.parse().map_err(|_| Error::Expires)? } else { return Err(Error::Expires) };
        if !(1..=EXPIRES_SECONDS_MAX).contains(&expires) {
            return Err(Error::Expires);
        }
        let token = query_value(parts.query, "X-Amz-Security-Token")?;
        Self::build(&credential, &signed, &signature, &date, Some(expires), token)
    }

    fn build(
        credential: &str,
        signed: &str,
        signature: &str,
        date: &str,
        expires_seconds: Option<u32>,
        token: Option<String>,
    ) -> Result<Self, Error> {
        let mut scope = credential.split('/');
        let mut next = || scope.next().unwrap_or_default().to_owned();
        let (access_key_id, day, region, service, end) = (next(), next(), next(), next(), next());
        if scope.next().is_some() || end != "aws4_request" || region.is_empty() || service.is_empty() {
            return Err(Error::Incomplete { what: "the credential must be ACCESSKEY/DAY/REGION/SERVICE/aws4_request" });
        }
        let key_chars = (16..=ACCESS_KEY_CHARS_MAX).contains(&access_key_id.len());
        if !key_chars || !access_key_id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
            return Err(Error::Incomplete { what: "the access key must be 16 to 128 letters and digits" });
        }
        let signed_at =
            amz_date(date).ok_or(Error::Incomplete { what: "the date must be YYYYMMDDThhmmssZ, in UTC" })?;
        if date.get(..8) != Some(day.as_str()) {
            return Err(Error::Scope { what: "its day is not the day of `X-Amz-Date`" });
        }
        let mut bytes = [0; 32];
        if !lower_hex(signature) || hex::decode_to_slice(signature, &mut bytes).is_err() {
            return Err(Error::Incomplete { what: "the signature must be 64 lower-case hexadecimal digits" });
        }
        Ok(Self {
            access_key_id,
            region,
            service,
            session_token: token.map(Secret::new),
            presigned: expires_seconds.is_some(),
            day,
            amz_date: date.to_owned(),
            signed_at,
            expires_seconds,
            signed_headers: signed_list(signed)?,
            signature: bytes,
        })
    }

    /// `host` and every `x-amz-*` header must be covered: what is not covered can be changed on the way.
    fn check_signed_headers(&self, parts: &Parts<'_>) -> Result<(), Error> {
        let signed = |name: &str| self.signed_headers.iter().any(|known| known == name);
        let unsigned = std::iter::once("host")
            .chain(parts.headers.keys().map(http::HeaderName::as_str).filter(|name| name.starts_with("x-amz-")))
            .find(|name| !signed(name));
        match unsigned {
            None => Ok(()),
            Some(name) => Err(Error::NotSigned { name: name.chars().take(64).collect() }),
        }
    }

    /// Believes the caller or not. The time is judged first, so that an old capture is not worth a guess.
    ///
    /// # Errors
    /// [`Error::Scope`], [`Error::Skewed`], [`Error::Expired`], [`Error::Mismatch`].
    pub fn verify(
        &self,
        parts: &Parts<'_>,
        body: &[u8],
        expected: (&str, &[&str]),
        secret: &Secret<String>,
        now: Timestamp,
    ) -> Result<(), Error> {
        let (service, regions) = expected;
        if self.service != service {
            return Err(Error::Scope { what: "it names another service" });
        }
        if !regions.contains(&self.region.as_str()) {
            return Err(Error::Scope {
                what: "it names another region; set the client's region to the one of this installation",
            });
        }
        self.check_time(now)?;
        let payload = hex::encode(sha256(body).0);
        if let Some(declared) = unique_header(parts, "x-amz-content-sha256")?
            && declared != payload
        {
            return Err(Error::Incomplete { what: "`X-Amz-Content-Sha256` must be the digest of the body" });
        }
        let headers: Vec<&str> = self.signed_headers.iter().map(String::as_str).collect();
        let canonical = canonical_request(parts, &headers, &payload)?;
        let scope = format!("{}/{}/{}/aws4_request", self.day, self.region, self.service);
        let key = signing_key(secret, &self.day, &self.region, &self.service);
        let wanted = signature(&key, &self.amz_date, &scope, &canonical);
        if constant_time_eq(&wanted, &self.signature) { Ok(()) } else { Err(Error::Mismatch) }
    }

    fn check_time(&self, now: Timestamp) -> Result<(), Error> {
        let skew = SignedDuration::from_secs(SKEW_SECONDS_MAX);
        let age = now.duration_since(self.signed_at);
        let skewed = Error::Skewed { signed: self.signed_at, now };
        match self.expires_seconds {
            None if age.abs() > skew => Err(skewed),
            Some(_) if age < -skew => Err(skewed),
            Some(seconds) => {
                let life = SignedDuration::from_secs(i64::from(seconds));
                if age <= life {
                    return Ok(());
                }
                let ended = self.signed_at.checked_add(life).unwrap_or(self.signed_at);
                Err(Error::Expired { ended })
            }
            None => Ok(()),
        }
    }
}

/// `name=value` among fields that commas separate.
fn field<'a>(fields: &'a str, name: &str) -> Option<&'a str> {
    let mut found = fields.split(',').filter_map(|pair| pair.trim().split_once('=')).filter(|(key, _)| *key == name);
    match (found.next(), found.next()) {
        (Some((_, value)), None) => Some(value.trim()),
        _ => None,
    }
}

fn unique_header<'a>(parts: &Parts<'a>, name: &str) -> Result<Option<&'a str>, Error> {
    let mut values = parts.headers.get_all(name).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(Error::Incomplete { what: "a header of the signature is given twice" });
    }
    value.to_str().map(Some).map_err(|_| Error::Incomplete { what: "a header of the signature is not ASCII" })
}

/// The decoded value of a query parameter; given twice is an error.
fn query_value(query: &str, name: &str) -> Result<Option<String>, Error> {
    let decoded = |text: &str| {
        let spaced = text.replace('+', " ");
        percent_encoding::percent_decode_str(&spaced)
            .decode_utf8()
            .map(std::borrow::Cow::into_owned)
            .map_err(|_| Error::Incomplete { what: "the query is not UTF-8" })
    };
    let mut found = None;
    for pair in query.split('&') {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        let spelled = if key.contains('%') { decoded(key)? } else { key.to_owned() };
        if !spelled.eq_ignore_ascii_case(name) {
            continue;
        }
        if key != name || found.is_some() {
            return Err(Error::Incomplete { what: "a parameter of the signature is given twice or misspelled" });
        }
        found = Some(decoded(value)?);
    }
    Ok(found)
}

fn signed_list(text: &str) -> Result<Vec<String>, Error> {
    let names: Vec<String> = text.split(';').take(SIGNED_HEADERS_MAX + 1).map(str::to_owned).collect();
    let lower = |name: &String| !name.is_empty() && !name.bytes().any(|b| b.is_ascii_uppercase() || b == b' ');
    if names.len() > SIGNED_HEADERS_MAX || !names.iter().all(lower) || !names.is_sorted_by(|a, b| a < b) {
        return Err(Error::Incomplete { what: "the signed headers must be lower-case, in order, each once" });
    }
    Ok(names)
}

fn lower_hex(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

/// A time in the form of `X-Amz-Date`, `YYYYMMDDThhmmssZ`, in UTC.
pub fn amz_date(text: &str) -> Option<Timestamp> {
    if text.len() != 16 || text.as_bytes().get(8) != Some(&b'T') || text.as_bytes().get(15) != Some(&b'Z') {
        return None;
    }
    let number = |from: usize, to: usize| -> Option<i16> {
        let part = text.get(from..to)?;
        if part.bytes().all(|b| b.is_ascii_digit()) { part.parse().ok() } else { None }
    };
    let small = |from: usize, to: usize| number(from, to).and_then(|n| i8::try_from(n).ok());
    let civil =
        DateTime::new(number(0, 4)?, small(4, 6)?, small(6, 8)?, small(9, 11)?, small(11, 13)?, small(13, 15)?, 0)
            .ok()?;
    civil.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
}
