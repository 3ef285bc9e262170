//! The command line's HTTP client: bounded, strict about TLS, and never following a redirect by itself.

use anyhow::{Context, Result};
use serde_json::Value;
use std::{
    sync::{Arc, LazyLock},
    time::Duration,
};
use ureq::{
    Agent, Body, SendBody,
    http::{Response, StatusCode},
    middleware::MiddlewareNext,
    tls::{Certificate, RootCerts, TlsConfig, TlsProvider},
};

use crate::output::Problem;

/// Largest answer that is read, in bytes. Pages of the management API stay far below it.
const BODY_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// Longest wait for a whole call. Revocation waits for streams to close, which takes about a second at most.
const CALL_TIMEOUT: Duration = Duration::from_secs(60);

/// How often a call is made again that came too soon after others from this address.
const BUSY_TRIES: usize = 5;
/// Longest wait before it.
const BUSY_WAIT_MAX: Duration = Duration::from_secs(5);

/// The authorities that this machine trusts, or those of `SSL_CERT_FILE` and `SSL_CERT_DIR` where they are set.
static AUTHORITIES: LazyLock<RootCerts> = LazyLock::new(|| {
    let found = rustls_native_certs::load_native_certs();
    RootCerts::new_with_certs(&found.certs.iter().map(|it| Certificate::from_der(it).to_owned()).collect::<Vec<_>>())
});

/// A client with the limits of this file.
pub(crate) fn agent() -> Agent {
    let tls = TlsConfig::builder()
        .provider(TlsProvider::Rustls)
        .root_certs(AUTHORITIES.clone())
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .build();
    Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .timeout_global(Some(CALL_TIMEOUT))
        .user_agent(concat!("galen/", env!("CARGO_PKG_VERSION")))
        .tls_config(tls)
        .middleware(named)
        .build()
        .new_agent()
}

/// Calls again while the server says that this address asks too often: it answers so before it does anything.
///
/// # Errors
/// Those of the call.
pub(crate) fn patiently(
    mut call: impl FnMut() -> Result<Response<Body>, ureq::Error>,
) -> Result<Response<Body>, ureq::Error> {
    for _ in 0..BUSY_TRIES {
        let answer = call()?;
        if answer.status() != StatusCode::TOO_MANY_REQUESTS {
            return Ok(answer);
        }
        let asked = answer.headers().get("retry-after").and_then(|value| value.to_str().ok()?.parse().ok());
        std::thread::sleep(Duration::from_secs(asked.unwrap_or(1)).min(BUSY_WAIT_MAX));
    }
    call()
}

/// No answer came.
#[derive(Debug, thiserror::Error)]
#[error("no answer from {address}: {cause}; {}", advice(.cause))]
struct NoAnswer {
    address: String,
    cause: ureq::Error,
}

/// What to do about a failure of the network.
fn advice(cause: &ureq::Error) -> &'static str {
    let inner = match cause {
        ureq::Error::Rustls(error) => Some(error),
        ureq::Error::Io(error) => error.get_ref().and_then(|inner| inner.downcast_ref()),
        _ => None,
    };
    match inner {
        Some(rustls::Error::InvalidCertificate(_)) => {
            "this machine does not trust its certificate: install the authority that signed it, or name the file of the \
             authority in SSL_CERT_FILE"
        }
        _ => "see that Galen runs there and that the address (--endpoint, GALEN_ENDPOINT) is right",
    }
}

/// A failure of the network says which address it was.
fn named(request: ureq::http::Request<SendBody<'_>>, next: MiddlewareNext<'_>) -> Result<Response<Body>, ureq::Error> {
    let (scheme, authority) = (request.uri().scheme_str(), request.uri().authority());
    let address = format!("{}://{}", scheme.unwrap_or_default(), authority.map_or("", |it| it.as_str()));
    next.handle(request).map_err(|cause| ureq::Error::Other(Box::new(NoAnswer { address, cause })))
}

/// What a failure says, in its own words where it is of the network.
pub(crate) fn told(error: &anyhow::Error) -> String {
    match error.downcast_ref() {
        Some(ureq::Error::Other(own)) if own.is::<NoAnswer>() => own.to_string(),
        _ => format!("{error:#}"),
    }
}

/// An endpoint's URL without a slash at its end; plain HTTP is for loopback alone.
///
/// # Errors
/// When the URL is malformed, or plain HTTP leaves this machine.
pub(crate) fn endpoint(url: &str) -> Result<String> {
    let parsed =
        url::Url::parse(url).with_context(|| format!("`{url}` is not a URL such as https://galen.example.com"))?;
    anyhow::ensure!(
        parsed.scheme() == "https" || (parsed.scheme() == "http" && is_loopback(&parsed)),
        "`{url}` is neither https nor on this machine; passwords and tokens are not sent over plain HTTP"
    );
    Ok(url.trim_end_matches('/').to_owned())
}

/// Whether a URL names this machine itself.
pub(crate) fn is_loopback(url: &url::Url) -> bool {
    match url.host() {
        Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
        Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
        Some(url::Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

/// The body as text.
///
/// # Errors
/// When the connection breaks, the body is too large, or it is not UTF-8.
pub(crate) fn text(response: &mut Response<Body>) -> Result<String> {
    Ok(response.body_mut().with_config().limit(BODY_BYTES_MAX).read_to_string()?)
}

/// The body as JSON when the call succeeded, else the problem that the server described.
///
/// # Errors
/// [`Problem`] for an answer of 400 and above; otherwise when the body cannot be read or is not JSON.
pub(crate) fn json(mut response: Response<Body>) -> Result<Value> {
    let status = response.status().as_u16();
    let body = text(&mut response)?;
    let value = if body.is_empty() { Ok(Value::Null) } else { serde_json::from_str(&body) };
    if status >= 400 {
        return Err(Problem::remote(status, value.unwrap_or(Value::Null)).into());
    }
    value.with_context(|| format!("the server answered {status} with a body that is not JSON"))
}

#[cfg(test)]
mod tests;
