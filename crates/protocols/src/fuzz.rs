//! The rules that a parser of bytes from outside keeps, for the fuzz targets and for the replay of their corpora in the tests: each
//! function takes any bytes, and panics when a rule is broken.

use base::{Secret, Timestamp};
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::jwt::{Audience, Claims, Expected, KeySet, Kind, Unverified};
use crate::oidc::{AuthorizeParams, DeviceRequest, RedirectUri, TokenRequest};
use crate::sigv4::{Parts, Presented, credential_scope};
use crate::sts::{Form, Request, TAGS_MAX, check_tag};

#[cfg(test)]
mod tests;

/// The key of RFC 7515, appendix A.3, which signed no seed.
const KEYS: &str = r#"{"keys":[{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]}"#;
/// A time within the bounds of every seed.
const NOW: Timestamp = Timestamp::constant(1_440_938_160, 0);

/// A token: nothing verifies that nobody signed.
pub fn jwt(bytes: &[u8]) {
    let (Ok(text), Ok(keys)) = (std::str::from_utf8(bytes), KeySet::parse(KEYS.as_bytes())) else { return };
    let expected =
        Expected { issuer: "https://issuer.example", audience: Audience::LookedUp, kind: Kind::Id, now: NOW };
    assert!(Unverified::parse(text).and_then(|token| token.verify(&keys, &expected)).is_err());
}

/// The payload of a token that an issuer signed: its claims are what any reader of JSON reads.
pub fn jwt_claims(payload: &[u8]) {
    if let Ok(claims) = Claims::read(payload) {
        assert!(
            serde_json::from_slice(payload).is_ok_and(|read: serde_json::Value| read.as_object() == Some(claims.all()))
        );
    }
}

/// A set of keys: what is read is written and read the same way again.
pub fn jwks(bytes: &[u8]) {
    if let Ok(set) = KeySet::parse(bytes) {
        assert_eq!(KeySet::parse(set.to_json().to_string().as_bytes()).ok(), Some(set));
    }
}

/// An authorisation request.
pub fn oidc_authorize(bytes: &[u8]) {
    if let Ok(params) = AuthorizeParams::parse(bytes) {
        let _refused = params.request().map_err(|error| error.description());
        if let Ok(uri) = RedirectUri::parse(&params.redirect_uri) {
            assert!(uri.matches(&params.redirect_uri, true));
        }
    }
}

/// A token request, and a device request with the bytes as its credentials too.
pub fn oidc_token(bytes: &[u8]) {
    let _refused = TokenRequest::parse(bytes, None).map_err(|error| error.description());
    let _refused = DeviceRequest::parse(bytes, std::str::from_utf8(bytes).ok());
}

/// A signed request as lines (method, path, query, then a header each): nothing is believed that nobody signed.
pub fn sigv4_request(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let mut lines = text.split('\n');
    let (Some(method), Some(path), Some(query)) = (lines.next(), lines.next(), lines.next()) else { return };
    let mut headers = HeaderMap::new();
    for (name, value) in lines.filter_map(|line| line.split_once(':')) {
        if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), HeaderValue::from_str(value)) {
            headers.append(name, value);
        }
    }
    not_believed(&Parts { method, path, query, headers: &headers, authority: Some("sts.example") });
}

/// The header `Authorization` of a request that is otherwise sound.
pub fn sigv4_header(bytes: &[u8]) {
    let Ok(value) = HeaderValue::from_bytes(bytes) else { return };
    let mut headers = HeaderMap::new();
    headers.insert("host", HeaderValue::from_static("sts.example"));
    headers.insert("x-amz-date", HeaderValue::from_static("20150830T123600Z"));
    headers.insert("authorization", value);
    not_believed(&Parts { method: "POST", path: "/", query: "", headers: &headers, authority: None });
}

fn not_believed(parts: &Parts<'_>) {
    let _scope = credential_scope(parts);
    let secret = Secret::new("a secret that no seed was signed with".to_owned());
    let presented = Presented::parse(parts);
    assert!(presented.and_then(|it| it.verify(parts, b"", ("sts", &["us-east-1"]), &secret, NOW)).is_err());
}

/// A form of STS: what parses keeps the limits, and what does not has an answer.
pub fn sts_form(bytes: &[u8]) {
    let Ok(form) = Form::parse(bytes) else { return };
    match Request::parse(form) {
        Ok(Request::AssumeRole(request)) => {
            assert!((2..=64).contains(&request.role_session_name.len()));
            assert!(request.session.duration_seconds.is_none_or(|n| (900..=43_200).contains(&n)));
            assert!(request.tags.len() <= TAGS_MAX && request.session.policy_arns.len() <= 10);
            assert!(request.tags.iter().all(|tag| check_tag(&tag.key, &tag.value).is_ok()));
        }
        Ok(Request::AssumeRoleWithWebIdentity(request)) => assert!((4..=20_000).contains(&request.token.len())),
        Ok(_) => {}
        Err(fault) => assert!(!fault.to_xml("r").contains('\0')),
    }
}
