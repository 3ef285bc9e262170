//! JSON Web Tokens in the compact form (RFC 7515, RFC 7519), read strictly and written plainly.
//!
//! It knows nothing of who the issuer is or what a claim grants. INVARIANT: claims come out of [`Unverified::verify`]
//! only, and only from the bytes whose signature was checked. There is no `none` and no shared-key algorithm.

mod claims;
mod error;
mod keys;
mod strict;

use base::Timestamp;
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use crypto::SignatureScheme;
use serde_json::{Map, Value, json};
use std::ops::Deref;

pub use claims::Claims;
pub use error::Error;
pub use keys::{Jwk, KEYS_MAX, KeySet};

/// Longest token that is read, in characters (AWS STS: `WebIdentityToken` has at most 20,000).
pub const TOKEN_CHARS_MAX: usize = 20_000;
/// Largest difference between two clocks that is forgiven for `nbf` and `iat`, in seconds. `exp` is never stretched.
pub const SKEW_SECS_MAX: i64 = 60;
/// Longest key id that is read; ours have 43 characters.
const KEY_ID_CHARS_MAX: usize = 256;

/// The schemes that a token may be signed with.
const SCHEMES: [SignatureScheme; 5] = [
    SignatureScheme::Rs256,
    SignatureScheme::Rs384,
    SignatureScheme::Rs512,
    SignatureScheme::Es256,
    SignatureScheme::Es384,
];

/// What kind of token is expected, so that one kind is never taken for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An ID token or a foreign web-identity token: `typ` absent or `JWT`.
    Id,
    /// An ID token that only hints at a sign-in (OpenID Connect RP-Initiated Logout 1.0, section 2): it may have expired.
    Hint,
    /// An access token of RFC 9068: `typ` is `at+jwt`.
    Access,
}

impl Kind {
    const fn typ(self) -> &'static str {
        match self {
            Self::Id | Self::Hint => "JWT",
            Self::Access => "at+jwt",
        }
    }
}

/// Whom a token must be meant for.
#[derive(Clone, Copy, Debug)]
pub enum Audience<'a> {
    /// At least one of these must be in `aud`; an empty list accepts none.
    OneOf(&'a [&'a str]),
    /// Any: the caller looks the verified `aud` up among what it trusts.
    LookedUp,
}

/// Whom a token must come from and be meant for.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    /// The exact `iss`.
    pub issuer: &'a str,
    /// Whom it must be meant for.
    pub audience: Audience<'a>,
    /// The kind of token.
    pub kind: Kind,
    /// The present.
    pub now: Timestamp,
}

/// A value whose origin has been proven.
#[derive(Clone, Debug, PartialEq)]
pub struct Verified<T>(T);

impl<T> Deref for Verified<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> Verified<T> {
    /// Gives up the mark.
    pub fn into_inner(self) -> T {
        self.0
    }
}

/// A token that parses. It has no claims: only its signature can bring them out.
#[derive(Debug)]
pub struct Unverified<'a> {
    signed: &'a str,
    payload: Vec<u8>,
    signature: Vec<u8>,
    scheme: SignatureScheme,
    key_id: Option<String>,
    typ: Option<String>,
}

impl<'a> Unverified<'a> {
    /// Parses the three parts and the header; the payload stays closed.
    ///
    /// # Errors
    /// [`Error`] says which part is at fault.
    pub fn parse(token: &'a str) -> Result<Self, Error> {
        if token.len() > TOKEN_CHARS_MAX {
            return Err(Error::TooLong { chars: token.len(), max: TOKEN_CHARS_MAX });
        }
        let (signed, signature) = token.rsplit_once('.').ok_or(Error::NotCompact)?;
        let (header, payload) = signed.split_once('.').ok_or(Error::NotCompact)?;
        if payload.contains('.') {
            return Err(Error::NotCompact);
        }
        let decode =
            |part: &'static str, text: &str| BASE64_URL_SAFE_NO_PAD.decode(text).map_err(|_| Error::NotBase64 { part });
        let header = decode("header", header)?;
        let (payload, signature) = (decode("payload", payload)?, decode("signature", signature)?);
        let header = strict::object("header", &header)?;
        let (scheme, key_id, typ) = read_header(&header)?;
        Ok(Self { signed, payload, signature, scheme, key_id, typ })
    }

    /// The key that the token says it was signed with.
    pub fn key_id(&self) -> Option<&str> {
        self.key_id.as_deref()
    }

    /// Checks signature, issuer, audience, kind and times, and gives the claims.
    ///
    /// # Errors
    /// [`Error`] says which check failed; [`Error::Expired`] only for a token that was otherwise sound.
    pub fn verify(self, keys: &KeySet, expected: &Expected<'_>) -> Result<Verified<Claims>, Error> {
        keys.select(self.key_id.as_deref())?.verify(self.scheme, self.signed.as_bytes(), &self.signature)?;
        // From here on the payload is the issuer's word.
        self.check_kind(expected.kind)?;
        let claims = Claims::read(&self.payload)?;
        claims.check(expected)?;
        Ok(Verified(claims))
    }

    fn check_kind(&self, kind: Kind) -> Result<(), Error> {
        let fits = match (&self.typ, kind) {
            (None, Kind::Id | Kind::Hint) => true,
            (None, Kind::Access) => false,
            (Some(typ), kind) => {
                typ.eq_ignore_ascii_case(kind.typ())
                    || typ.to_ascii_lowercase() == format!("application/{}", kind.typ())
            }
        };
        if fits { Ok(()) } else { Err(Error::WrongKind { expected: kind.typ() }) }
    }
}

type Header = (SignatureScheme, Option<String>, Option<String>);

fn read_header(header: &Map<String, Value>) -> Result<Header, Error> {
    if header.contains_key("crit") {
        // RFC 7515, 4.1.11: an extension that is not understood makes the token invalid, and none is understood here.
        return Err(Error::CriticalHeader);
    }
    let text = |name: &'static str| match header.get(name) {
        None => Ok(None),
        Some(Value::String(text)) if text.len() <= KEY_ID_CHARS_MAX => Ok(Some(text.clone())),
        Some(_) => Err(Error::BadHeader { name }),
    };
    let name = text("alg")?.ok_or(Error::BadHeader { name: "alg" })?;
    let scheme = SignatureScheme::from_name(&name).filter(|scheme| SCHEMES.contains(scheme));
    let scheme = scheme.ok_or_else(|| Error::refused_algorithm(&name))?;
    Ok((scheme, text("kid")?, text("typ")?))
}

/// How a token is to be signed.
#[derive(Clone, Copy, Debug)]
pub struct Signing<'a> {
    /// The key id that goes into the header.
    pub key_id: &'a str,
    /// The scheme of the key.
    pub scheme: SignatureScheme,
    /// The kind of token.
    pub kind: Kind,
}

/// Writes a token. `signer` gets the signing input and gives the signature in JOSE form; its failure comes back as it is.
///
/// # Errors
/// Those of `signer`.
pub fn sign<E>(
    signing: &Signing<'_>,
    claims: &Map<String, Value>,
    signer: impl FnOnce(&[u8]) -> Result<Vec<u8>, E>,
) -> Result<String, E> {
    let header = json!({"alg": signing.scheme.name(), "typ": signing.kind.typ(), "kid": signing.key_id});
    let mut token = BASE64_URL_SAFE_NO_PAD.encode(header.to_string());
    token.push('.');
    BASE64_URL_SAFE_NO_PAD.encode_string(Value::Object(claims.clone()).to_string(), &mut token);
    let signature = signer(token.as_bytes())?;
    token.push('.');
    BASE64_URL_SAFE_NO_PAD.encode_string(signature, &mut token);
    Ok(token)
}

#[cfg(test)]
mod tests;
