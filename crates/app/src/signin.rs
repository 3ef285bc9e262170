//! Signing in from the command line: authorization code with PKCE (RFC 7636) on a loopback redirect (RFC 8252), the same
//! flow posted without a browser, the device code (RFC 8628), and the secret of a service.

use anyhow::{Context, Result, bail};
use base::{Effects, Secret};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::Value;
use std::{
    io::{Read, Write},
    net::TcpListener,
    path::Path,
    time::Duration,
};
use ureq::Agent;

use crate::{http, nouns, output};

/// The command line's own client id; its ID tokens are for the management API.
pub(crate) const CLIENT: &str = "galen-cli";
/// What is asked for: an ID token, the names, and a refresh token.
const SCOPE: &str = "openid profile email groups offline_access";
/// Where the form goes on which a person chooses an own password.
const OWN_PASSWORD: &str = "/signin/password";
/// Longest request line of the browser's redirect, in bytes.
const REDIRECT_BYTES_MAX: usize = 8 * 1024;
/// Least time between two questions about a device code, in seconds, when the server names none (RFC 8628, section 3.5).
const DEVICE_INTERVAL_SECS: u64 = 5;

/// What the token endpoint gives.
pub(crate) struct Tokens {
    pub(crate) id_token: Secret<String>,
    pub(crate) refresh_token: String,
}

/// A user name and its password.
pub(crate) struct Password {
    pub(crate) username: String,
    pub(crate) password: Secret<String>,
    /// An own password, where the other was chosen by somebody else.
    pub(crate) new: Option<Secret<String>>,
}

/// What the token endpoint refuses (RFC 6749, section 5.2).
#[derive(Debug, thiserror::Error)]
#[error("{code}: {detail}")]
struct Refused {
    code: String,
    detail: String,
}

struct Pkce {
    verifier: String,
    challenge: String,
    state: String,
}

impl Pkce {
    fn new(effects: &Effects) -> Self {
        let verifier = URL_SAFE_NO_PAD.encode(effects.bytes::<32>());
        let challenge = URL_SAFE_NO_PAD.encode(crypto::sha256(verifier.as_bytes()).bytes());
        Self { verifier, challenge, state: URL_SAFE_NO_PAD.encode(effects.bytes::<16>()) }
    }
    fn authorize_url(&self, web: &str, redirect: &str) -> Result<String> {
        let mut url = url::Url::parse(&format!("{web}/oidc/authorize"))?;
        url.query_pairs_mut()
            .append_pair("response_type", "code")
            .append_pair("client_id", CLIENT)
            .append_pair("redirect_uri", redirect)
            .append_pair("scope", SCOPE)
            .append_pair("state", &self.state)
            .append_pair("nonce", &self.state)
            .append_pair("code_challenge", &self.challenge)
            .append_pair("code_challenge_method", "S256");
        Ok(url.into())
    }
}

/// The code flow without a browser: fetches the sign-in page, posts its form, reads the code from the redirect.
///
/// # Errors
/// When the password is refused or the server breaks the flow.
pub(crate) fn with_password(agent: &Agent, effects: &Effects, web: &str, who: &Password) -> Result<Tokens> {
    const REDIRECT: &str = "http://127.0.0.1/callback";
    let pkce = Pkce::new(effects);
    let url = pkce.authorize_url(web, REDIRECT)?;
    let mut page = http::patiently(|| agent.get(&url).call())?;
    let cookies = cookies(&page);
    let html = http::text(&mut page)?;
    let form = Form::first(&html).with_context(|| format!("{web} did not show a sign-in form: {}", heading(&html)))?;
    let password = who.password.expose().as_str();
    let mut posted = form.post(agent, web, &cookies, &[("username", &who.username), ("password", password)])?;
    if let (Posted::Page(html), Some(new)) = (&posted, &who.new)
        && let Some(form) = Form::first(html).filter(|form| form.action == OWN_PASSWORD)
    {
        let new = new.expose().as_str();
        let fields = [("password", password), ("new_password", new), ("again", new)];
        posted = form.post(agent, web, &cookies, &fields)?;
    }
    let location = match posted {
        Posted::Redirect(location) => location,
        Posted::Page(html) if html.contains(&format!("action=\"{OWN_PASSWORD}\"")) && who.new.is_none() => {
            bail!(
                "somebody else chose this password: choose an own one in a browser, or give it with --new-password-file"
            )
        }
        Posted::Page(html) => bail!("sign-in was refused: {}", heading(&html)),
    };
    let code = code_of(&url::Url::parse(&location)?, &pkce.state)?;
    exchange(agent, web, &code, REDIRECT, &pkce)
}

/// The code flow in the user's browser.
///
/// # Errors
/// When no browser can be opened, or the sign-in fails.
pub(crate) fn with_browser(agent: &Agent, effects: &Effects, web: &str) -> Result<Tokens> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).context("could not listen on loopback for the redirect")?;
    let port = listener.local_addr()?.port();
    let redirect = format!("http://127.0.0.1:{port}/callback");
    let pkce = Pkce::new(effects);
    let url = pkce.authorize_url(web, &redirect)?;
    output::note(&format!("Open this address to sign in; the page names port {port}:\n  {url}"));
    let _opened = std::process::Command::new("xdg-open").arg(&url).spawn();
    let (mut stream, _) = listener.accept()?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    let mut request = Vec::new();
    let mut buffer = [0u8; 1024];
    while !request.contains(&b'\n') && request.len() < REDIRECT_BYTES_MAX {
        let read = stream.read(&mut buffer)?;
        if read == 0 {
            break;
        }
        request.extend_from_slice(buffer.get(..read).unwrap_or_default());
    }
    let line = String::from_utf8_lossy(&request);
    let path = line.split(' ').nth(1).context("the browser sent no request")?;
    let code = code_of(&url::Url::parse("http://127.0.0.1/")?.join(path)?, &pkce.state);
    let text = if code.is_ok() { "Signed in. You can close this page." } else { "Sign-in failed; see the terminal." };
    write!(
        stream,
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{text}",
        text.len()
    )?;
    exchange(agent, web, &code?, &redirect, &pkce)
}

/// The device code: the user signs in anywhere and types the code that is printed.
///
/// # Errors
/// When the code expires or is refused.
pub(crate) fn with_device(agent: &Agent, web: &str) -> Result<Tokens> {
    let asked = agent.post(format!("{web}/oidc/device")).send_form([("client_id", CLIENT), ("scope", SCOPE)])?;
    let device = http::json(asked)?;
    let text = |key: &str| device.get(key).and_then(Value::as_str).unwrap_or_default();
    output::note(&format!("Open {} and enter the code {}", text("verification_uri"), text("user_code")));
    let mut interval = device.get("interval").and_then(Value::as_u64).unwrap_or(DEVICE_INTERVAL_SECS);
    loop {
        std::thread::sleep(Duration::from_secs(interval));
        let form = [
            ("grant_type", "urn:ietf:params:oauth:grant-type:device_code"),
            ("device_code", text("device_code")),
            ("client_id", CLIENT),
        ];
        let mut answer = http::patiently(|| agent.post(format!("{web}/oidc/token")).send_form(form))?;
        let body: Value = serde_json::from_str(&http::text(&mut answer)?)?;
        match body.get("error").and_then(Value::as_str) {
            None => return tokens(&body),
            Some("authorization_pending") => {}
            Some("slow_down") => interval += DEVICE_INTERVAL_SECS,
            Some(code) => bail!("the device code was refused: {code}"),
        }
    }
}

/// Uses a refresh token; `audience` asks for an ID token of another client.
///
/// # Errors
/// When the refresh token is expired, cut or used twice.
pub(crate) fn refresh(agent: &Agent, web: &str, refresh_token: &str, audience: Option<&str>) -> Result<Tokens> {
    let mut form = vec![("grant_type", "refresh_token"), ("refresh_token", refresh_token), ("client_id", CLIENT)];
    form.extend(audience.map(|audience| ("audience", audience)));
    ask(agent, web, form).map_err(|error| match error.downcast_ref() {
        Some(Refused { code, .. }) if code == "invalid_grant" => {
            error.context("the sign-in is no longer valid; run `galen login`")
        }
        _ => error,
    })
}

fn exchange(agent: &Agent, web: &str, code: &str, redirect: &str, pkce: &Pkce) -> Result<Tokens> {
    let form = vec![
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", redirect),
        ("client_id", CLIENT),
        ("code_verifier", &pkce.verifier),
    ];
    ask(agent, web, form)
}

/// The token of a service for `audience`, by its secret (RFC 6749, section 4.4).
///
/// # Errors
/// When the file cannot be read, the secret is refused, or the audience is not allowed.
pub(crate) fn with_secret(
    agent: &Agent,
    web: &str,
    service: &str,
    secret_file: &Path,
    audience: &str,
) -> Result<Secret<String>> {
    let secret = Secret::new(nouns::secret(secret_file)?);
    let form = vec![
        ("grant_type", "client_credentials"),
        ("client_id", service),
        ("client_secret", secret.expose()),
        ("audience", audience),
    ];
    let answer = post(agent, web, form).map_err(|error| match error.downcast_ref() {
        Some(Refused { code, .. }) if code == "invalid_client" => error
            .context(format!("service `{service}` could not sign in with the secret in `{}`", secret_file.display())),
        _ => error,
    })?;
    let token = answer.get("access_token").and_then(Value::as_str);
    Ok(Secret::new(token.context("the token endpoint gave no access_token")?.to_owned()))
}

/// What a token says. It is believed for what is shown alone: whoever gets the token checks it.
///
/// # Errors
/// When it is no JWT.
pub(crate) fn claims(token: &Secret<String>) -> Result<Value> {
    let payload = token.expose().split('.').nth(1).and_then(|part| URL_SAFE_NO_PAD.decode(part).ok());
    let claims = payload.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    claims.context("the token endpoint gave a token that cannot be read")
}

fn ask(agent: &Agent, web: &str, form: Vec<(&str, &str)>) -> Result<Tokens> {
    tokens(&post(agent, web, form)?)
}

/// What the token endpoint answers.
fn post(agent: &Agent, web: &str, form: Vec<(&str, &str)>) -> Result<Value> {
    let url = format!("{web}/oidc/token");
    let mut answer = http::patiently(|| agent.post(&url).send_form(form.iter().copied()))?;
    let body: Value =
        serde_json::from_str(&http::text(&mut answer)?).context("the token endpoint did not answer with JSON")?;
    if let Some(code) = body.get("error").and_then(Value::as_str) {
        let detail = body.get("error_description").and_then(Value::as_str).unwrap_or_default();
        return Err(Refused { code: code.to_owned(), detail: detail.to_owned() }.into());
    }
    Ok(body)
}

fn tokens(body: &Value) -> Result<Tokens> {
    let text = |key: &str| {
        let value = body.get(key).and_then(Value::as_str);
        value.map(str::to_owned).with_context(|| format!("the token endpoint gave no {key}"))
    };
    Ok(Tokens { id_token: Secret::new(text("id_token")?), refresh_token: text("refresh_token")? })
}

/// The code of a redirect, after its state was compared.
fn code_of(redirect: &url::Url, state: &str) -> Result<String> {
    let value = |name: &str| redirect.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned());
    if let Some(error) = value("error") {
        bail!("sign-in was refused: {error}: {}", value("error_description").unwrap_or_default());
    }
    anyhow::ensure!(value("state").as_deref() == Some(state), "the redirect does not belong to this sign-in");
    value("code").context("the redirect carries no code")
}

/// The cookies that a response sets, as a request sends them.
fn cookies(response: &ureq::http::Response<ureq::Body>) -> String {
    let set = response.headers().get_all("set-cookie").iter().filter_map(|value| value.to_str().ok());
    set.filter_map(|cookie| cookie.split(';').next()).collect::<Vec<_>>().join("; ")
}

/// A form of one of Galen's own pages: where it goes and what it carries hidden.
struct Form {
    action: String,
    hidden: Vec<(String, String)>,
}

/// What came of posting a form.
enum Posted {
    Redirect(String),
    Page(String),
}

impl Form {
    /// Posts the form with its hidden fields and these, as a browser does.
    fn post(self, agent: &Agent, web: &str, cookies: &str, fields: &[(&str, &str)]) -> Result<Posted> {
        let action = url::Url::parse(web)?.join(&self.action)?;
        anyhow::ensure!(action.origin() == url::Url::parse(web)?.origin(), "the form points away from {web}");
        let hidden = self.hidden.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let pairs: Vec<(&str, &str)> = hidden.chain(fields.iter().copied()).collect();
        let post = || agent.post(action.as_str()).header("cookie", cookies).header("origin", web);
        let mut answer = http::patiently(|| post().send_form(pairs.iter().copied()))?;
        let location = answer.headers().get("location").and_then(|v| v.to_str().ok()).map(str::to_owned);
        Ok(match location {
            Some(location) => Posted::Redirect(location),
            None => Posted::Page(http::text(&mut answer)?),
        })
    }

    fn first(html: &str) -> Option<Self> {
        let form = html.split("<form").nth(1)?;
        let (head, rest) = form.split_once('>')?;
        let body = rest.split("</form").next()?;
        let inputs = body.split("<input").skip(1).filter_map(|tag| tag.split('>').next());
        let hidden = inputs.filter(|tag| attribute(tag, "type").as_deref() == Some("hidden"));
        let pair = |tag: &str| Some((attribute(tag, "name")?, attribute(tag, "value").unwrap_or_default()));
        Some(Self { action: attribute(head, "action")?, hidden: hidden.filter_map(pair).collect() })
    }
}

fn attribute(tag: &str, name: &str) -> Option<String> {
    let value = tag.split_once(&format!(" {name}=\""))?.1.split('"').next()?;
    Some(unescape(value))
}

/// Undoes the five escapes that the sign-in pages use.
fn unescape(text: &str) -> String {
    let numeric = text.replace("&#38;", "&amp;").replace("&#60;", "<").replace("&#62;", ">");
    let numeric = numeric.replace("&#34;", "\"").replace("&#39;", "'").replace("&#x27;", "'");
    numeric.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&amp;", "&")
}

/// What an error page says: its alert, else its title.
fn heading(html: &str) -> String {
    let between = |open: &str, close: &str| {
        let inner = html.split_once(open)?.1;
        let inner = inner.split_once('>')?.1;
        Some(inner.split(close).next()?.to_owned())
    };
    let found = between("role=\"alert\"", "</").or_else(|| between("<title", "</title"));
    unescape(found.as_deref().unwrap_or("an unknown page").trim())
}
