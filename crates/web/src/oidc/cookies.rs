//! Two cookies: the sign-in, and the token that forms repeat. Both `HttpOnly`, `SameSite=Lax`, for this host alone.

use axum::http::{HeaderMap, HeaderValue, header};
use base::{Effects, Secret};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use std::time::Duration;

/// The sign-in.
pub(super) const SIGN_IN: &str = "galen_signin";
/// The token of forms.
pub(super) const CSRF: &str = "galen_csrf";
/// Longest cookie value that is looked at; ours have 43 characters.
const VALUE_LEN_MAX: usize = 128;
/// Characters of a form token: base64url of 32 bytes.
const TOKEN_CHARS: usize = 43;

/// The name as it is sent: behind TLS with the prefix that binds it to this host (RFC 6265bis, 4.1.3.2).
pub(super) fn name(name: &str, secure: bool) -> String {
    if secure { format!("__Host-{name}") } else { name.to_owned() }
}

/// The value of a cookie; a name that comes twice counts as absent.
pub(super) fn read(headers: &HeaderMap, name: &str) -> Option<String> {
    let values = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let pairs = values.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let mut found = pairs.filter(|(other, value)| *other == name && value.len() <= VALUE_LEN_MAX);
    match (found.next(), found.next()) {
        (Some((_, value)), None) => Some(value.to_owned()),
        _ => None,
    }
}

/// A fresh form token.
pub(super) fn new_token(effects: &Effects) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(effects.bytes::<32>())
}

/// Whether a cookie's text can be a form token.
pub(super) fn is_token(text: &str) -> bool {
    text.len() == TOKEN_CHARS && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

fn header(name: &str, value: &str, secure: bool, lasts: Duration) -> Option<HeaderValue> {
    let end = if secure { "; Secure" } else { "" };
    let full = self::name(name, secure);
    let text = format!("{full}={value}; Path=/; HttpOnly; SameSite=Lax; Max-Age={}{end}", lasts.as_secs());
    HeaderValue::from_str(&text).ok()
}

/// Sets the sign-in cookie.
pub(super) fn set_sign_in(headers: &mut HeaderMap, secret: &Secret<String>, secure: bool) {
    if let Some(value) = header(SIGN_IN, secret.expose(), secure, directory::SIGN_IN_LASTS) {
        headers.append(header::SET_COOKIE, value);
    }
}

/// Sets the cookie of the form token.
pub(super) fn set_csrf(headers: &mut HeaderMap, token: &str, secure: bool) {
    if let Some(value) = header(CSRF, token, secure, directory::SIGN_IN_LASTS) {
        headers.append(header::SET_COOKIE, value);
    }
}

/// Takes the sign-in cookie away.
pub(super) fn clear_sign_in(headers: &mut HeaderMap, secure: bool) {
    if let Some(value) = header(SIGN_IN, "", secure, Duration::ZERO) {
        headers.append(header::SET_COOKIE, value);
    }
}
