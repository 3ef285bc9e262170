//! Cross-origin rules of a bucket, matched as S3 documents ("How does Amazon S3 evaluate the CORS configuration").
//!
//! A rule never grants access: it only tells a browser that a page of that origin may read the answer of a request that
//! was signed and authorised like any other.

use http::{HeaderMap, HeaderName, HeaderValue, header};
use serde::{Deserialize, Serialize};

/// Most rules of one bucket (S3: 100).
pub(crate) const RULES_MAX: usize = 100;
/// Most origins, methods or headers in one rule; far above any real rule.
pub(crate) const ENTRIES_MAX: usize = 100;
/// Longest preflight that a browser may keep, in seconds.
pub(crate) const MAX_AGE_SECONDS_MAX: i32 = 86_400;

/// One cross-origin rule.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Rule {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) id: Option<String>,
    pub(crate) origins: Vec<String>,
    pub(crate) methods: Vec<String>,
    #[serde(default)]
    pub(crate) headers: Vec<String>,
    #[serde(default)]
    pub(crate) expose: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) max_age_seconds: Option<i32>,
}

/// What a rule breaks, in words.
pub(crate) fn check(rules: &[Rule]) -> Result<(), &'static str> {
    if rules.is_empty() || rules.len() > RULES_MAX {
        return Err("a configuration has 1 to 100 rules");
    }
    for rule in rules {
        if rule.origins.is_empty() || rule.methods.is_empty() {
            return Err("a rule needs at least one origin and one method");
        }
        let lists = [&rule.origins, &rule.methods, &rule.headers, &rule.expose];
        if lists.iter().any(|list| list.len() > ENTRIES_MAX || list.iter().any(|entry| entry.len() > 512)) {
            return Err("a rule has at most 100 entries of each kind, each of at most 512 characters");
        }
        if !rule.methods.iter().all(|method| ["GET", "PUT", "HEAD", "POST", "DELETE"].contains(&method.as_str())) {
            return Err("the methods are GET, PUT, HEAD, POST and DELETE");
        }
        if rule.origins.iter().chain(&rule.headers).any(|entry| entry.matches('*').count() > 1) {
            return Err("an origin or header has at most one `*`");
        }
        if rule.expose.iter().any(|name| name.contains('*') || name.parse::<HeaderName>().is_err()) {
            return Err("an exposed header is a header's name, without `*`");
        }
        if rule.max_age_seconds.is_some_and(|age| !(0..=MAX_AGE_SECONDS_MAX).contains(&age)) {
            return Err("the age of a preflight is 0 to 86400 seconds");
        }
    }
    Ok(())
}

/// What a page asks through its browser.
pub(crate) struct Ask<'a> {
    pub(crate) origin: &'a str,
    pub(crate) method: &'a str,
    pub(crate) headers: Vec<String>,
}

impl<'a> Ask<'a> {
    /// From a preflight; `None` when it is none.
    pub(crate) fn preflight(headers: &'a HeaderMap) -> Option<Self> {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let asked = text("access-control-request-headers").unwrap_or_default();
        Some(Self {
            origin: text("origin")?,
            method: text("access-control-request-method")?,
            headers: asked.split(',').map(|name| name.trim().to_ascii_lowercase()).filter(|n| !n.is_empty()).collect(),
        })
    }

    /// From an ordinary request; `None` when no page made it.
    pub(crate) fn simple(headers: &'a HeaderMap, method: &'a str) -> Option<Self> {
        let origin = headers.get(header::ORIGIN).and_then(|value| value.to_str().ok())?;
        Some(Self { origin, method, headers: Vec::new() })
    }
}

/// The first rule that allows it.
pub(crate) fn find<'r>(rules: &'r [Rule], ask: &Ask<'_>) -> Option<&'r Rule> {
    rules.iter().find(|rule| {
        rule.origins.iter().any(|origin| one_star(origin, ask.origin))
            && rule.methods.iter().any(|method| method == ask.method)
            && ask
                .headers
                .iter()
                .all(|name| rule.headers.iter().any(|known| one_star(&known.to_ascii_lowercase(), name)))
    })
}

/// `pattern` with at most one `*`.
fn one_star(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((front, back)) => {
            text.len() >= front.len() + back.len() && text.starts_with(front) && text.ends_with(back)
        }
    }
}

/// Adds what the browser looks for.
pub(crate) fn allow(rule: &Rule, ask: &Ask<'_>, out: &mut HeaderMap) {
    let mut put = |name: &'static str, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            out.insert(HeaderName::from_static(name), value);
        }
    };
    let any = rule.origins.iter().any(|origin| origin == "*");
    put("access-control-allow-origin", if any { "*" } else { ask.origin });
    put("access-control-allow-methods", &rule.methods.join(", "));
    if !ask.headers.is_empty() {
        put("access-control-allow-headers", &ask.headers.join(", "));
    }
    if !rule.expose.is_empty() {
        put("access-control-expose-headers", &rule.expose.join(", "));
    }
    if let Some(age) = rule.max_age_seconds {
        put("access-control-max-age", &age.to_string());
    }
    put("vary", "Origin, Access-Control-Request-Headers, Access-Control-Request-Method");
}

#[cfg(test)]
mod tests;
