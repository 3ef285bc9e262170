//! Redirect URIs: what may be registered, and what counts as the registered one.

use std::fmt;
use url::{Host, Url};

/// Longest redirect URI.
const LEN_MAX: usize = 2048;

/// Why a redirect URI cannot be registered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{uri}` cannot be a redirect URI: {reason}")]
pub struct BadRedirect {
    /// The text, cut to a few characters.
    pub uri: String,
    /// What is wrong.
    pub reason: &'static str,
}

/// A registered redirect URI.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RedirectUri(String);

impl RedirectUri {
    /// Takes `https` URIs, `http` on a numeric loopback address or `localhost`, and private schemes with a dot
    /// (RFC 8252, section 7.1); nothing with a fragment, a wildcard or a user name.
    ///
    /// # Errors
    /// [`BadRedirect`].
    pub fn parse(text: &str) -> Result<Self, BadRedirect> {
        let bad = |reason| BadRedirect { uri: text.chars().take(128).collect(), reason };
        if text.len() > LEN_MAX || !text.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(bad("it is too long or not printable ASCII"));
        }
        let url = Url::parse(text).map_err(|_| bad("it is not an absolute URI"))?;
        if url.fragment().is_some() || text.contains('*') || !url.username().is_empty() || url.password().is_some() {
            return Err(bad("it has a fragment, a wildcard or a user name"));
        }
        let local = matches!(url.host(), Some(Host::Domain("localhost"))) || is_loopback(&url);
        match url.scheme() {
            "https" if url.has_host() => Ok(Self(text.to_owned())),
            "http" if local => Ok(Self(text.to_owned())),
            "http" => Err(bad("http is for loopback addresses only; use https")),
            scheme if scheme.contains('.') => Ok(Self(text.to_owned())),
            _ => Err(bad("use https, http on a loopback address, or a private scheme such as com.example.app")),
        }
    }

    /// The URI as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether `given` is this URI: the same text, or, where `any_port` and both are `http` on the same numeric loopback
    /// address, the same but for the port (RFC 8252, section 7.3).
    pub fn matches(&self, given: &str, any_port: bool) -> bool {
        given == self.0 || (any_port && self.matches_loopback(given))
    }

    fn matches_loopback(&self, given: &str) -> bool {
        if given.len() > LEN_MAX || !given.bytes().all(|b| b.is_ascii_graphic()) || given.contains('#') {
            return false;
        }
        let (Ok(registered), Ok(url)) = (Url::parse(&self.0), Url::parse(given)) else { return false };
        let plain = |url: &Url| url.scheme() == "http" && url.username().is_empty() && url.password().is_none();
        plain(&registered)
            && plain(&url)
            && is_loopback(&registered)
            && registered.host() == url.host()
            && registered.path() == url.path()
            && registered.query() == url.query()
            // The text itself must spell the address plainly: `http://0x7f.1/` and `..` segments are not taken.
            && url.as_str().trim_end_matches('/') == given.trim_end_matches('/')
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(_)) | None => false,
    }
}

impl fmt::Display for RedirectUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
