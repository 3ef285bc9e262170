//! Which service a request is for, decided before any codec reads it.
//!
//! In this order: the host names a bucket; the credential scope names the service; `X-Amz-Target` does; an unsigned
//! form POST to `/` (or a GET of `/` with `Action`) is the token service; an unsigned GET of `/livez` or `/readyz` is a watcher's;
//! `OPTIONS` is a browser's preflight; the rest is S3. Nothing here is believed: each service verifies for itself that the signature was made for it.

use http::{HeaderMap, Method, Version, header, request};
use protocols::sigv4;

/// Where a request goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    /// The S3 codec.
    S3,
    /// The token service.
    Sts,
    /// An unsigned form POST to `/`: the token service if the body names an `Action`, else S3.
    Form,
    /// A service that is not offered.
    Unsupported {
        /// Its signing name, or what stands before the dot of `X-Amz-Target`.
        service: String,
        /// Whether its clients read JSON.
        json: bool,
    },
    /// A browser's preflight.
    Preflight,
    /// Whatever watches the process asks whether it is alive, or ready.
    Watch(Probe),
}

/// What a watcher asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Probe {
    /// `/livez`.
    Live,
    /// `/readyz`.
    Ready,
}

/// Services whose wire protocol is not JSON; everything else is answered in JSON.
const XML_SERVICES: &[&str] = &["iam", "ec2", "sqs", "sns", "s3express", "s3-outposts", "s3-object-lambda", "rds"];

/// Where this request goes. `domains` are those under which a label in front is a bucket.
pub(crate) fn route(parts: &request::Parts, domains: &[String]) -> Route {
    if host(parts).is_some_and(|host| bucket_in_host(host, domains).is_some()) {
        return preflight_or(parts, Route::S3);
    }
    let signed = sigv4::Parts {
        method: parts.method.as_str(),
        path: parts.uri.path(),
        query: parts.uri.query().unwrap_or_default(),
        headers: &parts.headers,
        authority: None,
    };
    if let Some(scope) = sigv4::credential_scope(&signed) {
        return match service(&scope) {
            Some("s3") | None => Route::S3,
            Some("sts") => Route::Sts,
            Some(service) => Route::Unsupported { service: short(service), json: !XML_SERVICES.contains(&service) },
        };
    }
    if let Some(target) = parts.headers.get("x-amz-target").and_then(|value| value.to_str().ok()) {
        return Route::Unsupported { service: short(target.split('.').next().unwrap_or(target)), json: true };
    }
    if parts.uri.path() == "/" && !parts.headers.contains_key(header::AUTHORIZATION) {
        if parts.method == Method::POST && is_form(&parts.headers) {
            return Route::Form;
        }
        if parts.method == Method::GET && names_an_action(signed.query) {
            return Route::Sts;
        }
    }
    if let Some(probe) = probe(parts) {
        return Route::Watch(probe);
    }
    preflight_or(parts, Route::S3)
}

/// What a watcher asks. The paths could be buckets; without a signature nothing is answered about those.
fn probe(parts: &request::Parts) -> Option<Probe> {
    let reads = matches!(parts.method, Method::GET | Method::HEAD);
    if !reads || parts.uri.query().is_some() || parts.headers.contains_key(header::AUTHORIZATION) {
        return None;
    }
    match parts.uri.path() {
        "/livez" => Some(Probe::Live),
        "/readyz" => Some(Probe::Ready),
        _ => None,
    }
}

/// The service that a credential is for: `KEY/DAY/REGION/SERVICE/aws4_request`, or without a region in version 4A.
fn service(scope: &str) -> Option<&str> {
    match scope.split('/').nth(3) {
        Some("aws4_request") => scope.split('/').nth(2),
        named => named,
    }
}

fn preflight_or(parts: &request::Parts, route: Route) -> Route {
    if parts.method == Method::OPTIONS { Route::Preflight } else { route }
}

/// The host that the client asked for, with its port.
pub(crate) fn host(parts: &request::Parts) -> Option<&str> {
    match parts.headers.get(header::HOST) {
        Some(value) => value.to_str().ok(),
        None if parts.version >= Version::HTTP_2 => parts.uri.authority().map(http::uri::Authority::as_str),
        None => None,
    }
}

/// The bucket that a host names: `bucket.DOMAIN` for one of the domains, any port.
pub(crate) fn bucket_in_host<'a>(host: &'a str, domains: &[String]) -> Option<&'a str> {
    let bare = match host.rsplit_once(':') {
        Some((name, port)) if !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => host,
    };
    domains.iter().find_map(|domain| {
        let split = bare.len().checked_sub(domain.len())?;
        let (front, back) = (bare.get(..split)?, bare.get(split..)?);
        if back.eq_ignore_ascii_case(domain) { front.strip_suffix('.').filter(|name| !name.is_empty()) } else { None }
    })
}

fn is_form(headers: &HeaderMap) -> bool {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = value.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("application/x-www-form-urlencoded")
}

/// Whether the query has a parameter `Action`.
pub(crate) fn names_an_action(query: &str) -> bool {
    query.split('&').any(|pair| pair.split('=').next() == Some("Action"))
}

fn short(text: &str) -> String {
    text.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-' || *c == '_').take(64).collect()
}

#[cfg(test)]
mod tests;
