//! The management API as the command line calls it: a session that is renewed when it ends, and the verbs on nouns.

use anyhow::{Context, Result, bail};
use base::{Effects, Secret};
use serde_json::{Value, json};
use std::{
    path::{self, Path},
    time::Duration,
};
use ureq::Agent;

use crate::{
    creds, http,
    profile::{By, Person, Profile, Service, SignedIn},
    signin,
};

/// A session that ends sooner than this is renewed before it is used, so that it does not end on the way.
const RENEW_BEFORE: Duration = Duration::from_secs(60);
/// Rows asked for in one page; the server's own maximum.
const PAGE_SIZE: usize = 200;

/// One management session: the URL and the bearer token.
pub(crate) struct Api {
    agent: Agent,
    web: String,
    token: String,
}

/// Whoever is signed in at an endpoint: a person, or the service of this machine.
pub(crate) struct Caller {
    agent: Agent,
    profile: Profile,
    signed_in: SignedIn,
}

/// Signs in with tokens that were just got, and keeps the result.
///
/// # Errors
/// When the API refuses the ID token or the role.
pub(crate) fn sign_in(
    agent: &Agent,
    profile: &Profile,
    web: &str,
    tokens: signin::Tokens,
    role: Option<String>,
) -> Result<SignedIn> {
    let session = session(agent, web, &tokens.id_token, role.as_deref())?;
    let text = |key: &str| {
        let value = session.get(key).and_then(Value::as_str);
        value.map(str::to_owned).with_context(|| format!("the management API gave no `{key}`"))
    };
    let signed_in = SignedIn {
        endpoint: web.to_owned(),
        aws: text("aws")?,
        region: text("region")?,
        username: text("username")?,
        by: By::Person(Person {
            refresh_token: tokens.refresh_token,
            session_token: text("token")?,
            session_expires: text("expires")?.parse()?,
            role,
        }),
    };
    profile.keep(&signed_in)?;
    Ok(signed_in)
}

fn session(agent: &Agent, web: &str, id_token: &Secret<String>, role: Option<&str>) -> Result<Value> {
    let body = json!({"id_token": id_token.expose(), "role": role});
    http::json(agent.post(format!("{web}/api/v1/session")).send_json(body)?)
}

/// Signs in as a service, and keeps where its secret is.
///
/// # Errors
/// When the secret is refused.
pub(crate) fn sign_in_service(
    agent: &Agent,
    profile: &Profile,
    web: &str,
    name: &str,
    file: &Path,
) -> Result<SignedIn> {
    let secret_file = path::absolute(file)?;
    let token = signin::with_secret(agent, web, name, &secret_file, creds::AUDIENCE)?;
    let subject = signin::claims(&token)?.get("sub").and_then(Value::as_str).map(str::to_owned);
    let service = subject.context("the token names no service")?;
    let about = http::json(agent.get(format!("{web}/api/v1/about")).call()?)?;
    let text = |key: &str| {
        let value = about.get(key).and_then(Value::as_str);
        value.map(str::to_owned).with_context(|| format!("the management API gave no `{key}`"))
    };
    let signed_in = SignedIn {
        endpoint: web.to_owned(),
        aws: text("aws")?,
        region: text("region")?,
        username: name.to_owned(),
        by: By::Service(Service { service, secret_file }),
    };
    profile.keep(&signed_in)?;
    Ok(signed_in)
}

impl Caller {
    /// Whoever signed in at `endpoint`, or at the last one.
    ///
    /// # Errors
    /// When nobody is signed in there.
    pub(crate) fn open(endpoint: Option<&str>) -> Result<Self> {
        let profile = Profile::of_user()?;
        let signed_in = profile.signed_in(endpoint.map(http::endpoint).transpose()?.as_deref())?;
        Ok(Self { agent: http::agent(), profile, signed_in })
    }

    /// What is kept of the sign-in.
    pub(crate) const fn signed_in(&self) -> &SignedIn {
        &self.signed_in
    }
    /// The HTTP client.
    pub(crate) const fn agent(&self) -> &Agent {
        &self.agent
    }
    /// The state of this user.
    pub(crate) const fn profile(&self) -> &Profile {
        &self.profile
    }

    /// The sign-in of a person, read again.
    fn person(&mut self) -> Result<Person> {
        self.signed_in = self.profile.signed_in(Some(&self.signed_in.endpoint))?;
        match &self.signed_in.by {
            By::Person(person) => Ok(person.clone()),
            By::Service(_) => bail!(
                "the service `{}` is signed in at {}, and services manage nothing: sign in as a person",
                self.signed_in.username,
                self.signed_in.endpoint
            ),
        }
    }

    /// A management session that is live.
    ///
    /// # Errors
    /// When a service is signed in, or the sign-in is no longer valid.
    pub(crate) fn session(&mut self, effects: &Effects) -> Result<Api> {
        let ends = |person: &Person| effects.now() + RENEW_BEFORE > person.session_expires;
        let mut person = self.person()?;
        if ends(&person) {
            let _lock = self.profile.lock()?;
            person = self.person()?;
            if ends(&person) {
                let web = self.signed_in.endpoint.clone();
                let tokens = signin::refresh(&self.agent, &web, &person.refresh_token, None)?;
                // The used refresh token is dead: keep its successor even if the session is refused.
                person.refresh_token.clone_from(&tokens.refresh_token);
                self.keep(person.clone())?;
                self.signed_in = sign_in(&self.agent, &self.profile, &web, tokens, person.role)?;
                person = self.person()?;
            }
        }
        Ok(Api { agent: self.agent.clone(), web: self.signed_in.endpoint.clone(), token: person.session_token })
    }

    fn keep(&mut self, person: Person) -> Result<()> {
        self.signed_in.by = By::Person(person);
        self.profile.keep(&self.signed_in)
    }

    /// A fresh token for `audience`: a person's by the refresh token, which is replaced, a service's by its secret.
    ///
    /// # Errors
    /// When the sign-in is no longer valid or the audience is not allowed.
    pub(crate) fn id_token(&mut self, audience: &str) -> Result<Secret<String>> {
        let web = self.signed_in.endpoint.clone();
        if let By::Service(Service { service, secret_file }) = &self.signed_in.by {
            return signin::with_secret(&self.agent, &web, service, secret_file, audience);
        }
        let _lock = self.profile.lock()?;
        let mut person = self.person()?;
        let tokens = signin::refresh(&self.agent, &web, &person.refresh_token, Some(audience))?;
        person.refresh_token = tokens.refresh_token;
        self.keep(person)?;
        Ok(tokens.id_token)
    }
}

impl Api {
    /// The caller who signed in at `endpoint` (or at the last one), with a session that is live.
    ///
    /// # Errors
    /// When nobody is signed in, or the sign-in is no longer valid.
    pub(crate) fn open(effects: &Effects, endpoint: Option<&str>) -> Result<Self> {
        Caller::open(endpoint)?.session(effects)
    }

    /// A session of a person of the demonstration, who signs in with a password and keeps nothing.
    ///
    /// # Errors
    /// When the password or the role is refused.
    pub(crate) fn sign_in(effects: &Effects, web: &str, who: &signin::Password) -> Result<Self> {
        let agent = http::agent();
        let tokens = signin::with_password(&agent, effects, web, who)?;
        let opened = session(&agent, web, &tokens.id_token, None)?;
        let token = opened.get("token").and_then(Value::as_str).context("the management API gave no token")?.to_owned();
        Ok(Self { agent, web: web.to_owned(), token })
    }

    /// GET below `/api/v1/`.
    ///
    /// # Errors
    /// The server's problem, or a broken connection.
    pub(crate) fn get(&self, path: &str, query: &[(&str, &str)]) -> Result<Value> {
        let call = self.agent.get(self.url(path)).header("authorization", self.bearer());
        http::json(call.query_pairs(query.iter().copied()).call()?)
    }

    /// POST below `/api/v1/`.
    ///
    /// # Errors
    /// The server's problem, or a broken connection.
    pub(crate) fn post(&self, path: &str, body: &Value) -> Result<Value> {
        self.change("POST", path, Some(body), None)
    }

    /// GET of one row, with its ETag.
    ///
    /// # Errors
    /// The server's problem, or a broken connection.
    pub(crate) fn tagged(&self, path: &str) -> Result<(Value, Option<String>)> {
        let answer = self.agent.get(self.url(path)).header("authorization", self.bearer()).call()?;
        let tag = answer.headers().get("etag").and_then(|tag| tag.to_str().ok()).map(str::to_owned);
        Ok((http::json(answer)?, tag))
    }

    /// A change below `/api/v1/`, of the version that `tag` names if there is one.
    ///
    /// # Errors
    /// The server's problem, or a broken connection.
    pub(crate) fn change(&self, method: &str, path: &str, body: Option<&Value>, tag: Option<String>) -> Result<Value> {
        let mut request = ureq::http::Request::builder().method(method).uri(self.url(path));
        request = request.header("authorization", self.bearer());
        if let Some(tag) = tag {
            request = request.header("if-match", tag);
        }
        http::json(match body {
            Some(body) => self.agent.run(request.header("content-type", "application/json").body(body.to_string())?)?,
            None => self.agent.run(request.body(())?)?,
        })
    }

    /// Every row of a list that `query` selects, page by page, up to `limit`.
    ///
    /// # Errors
    /// The server's problem, or a broken connection.
    pub(crate) fn list(&self, path: &str, query: &[(&str, &str)], limit: Option<usize>) -> Result<Value> {
        let limit = limit.unwrap_or(usize::MAX);
        let mut rows = Vec::new();
        let mut after = String::new();
        while rows.len() < limit {
            let size = PAGE_SIZE.min(limit - rows.len()).to_string();
            let mut query = query.to_vec();
            query.push(("page_size", size.as_str()));
            if !after.is_empty() {
                query.push(("page_token", after.as_str()));
            }
            let mut page = self.get(path, &query)?;
            if let Some(Value::Array(items)) = page.get_mut("items").map(Value::take) {
                rows.extend(items);
            }
            match page.get("next_page_token").and_then(Value::as_str) {
                Some(token) => token.clone_into(&mut after),
                None => break,
            }
        }
        Ok(Value::Array(rows))
    }

    fn url(&self, path: &str) -> String {
        format!("{}/api/v1/{path}", self.web)
    }
    fn bearer(&self) -> String {
        format!("Bearer {}", self.token)
    }
}
