//! The authorization endpoint's logic: who asks, where the answer may go, and whether the person must show themselves.

use protocols::oidc::{AuthorizeParams, AuthorizeRequest, ErrorCode, OAuthError, Prompt};
use url::Url;

use super::{Provider, failed};
use crate::{Client, SignIn};

/// A request whose client is known and whose redirect URI is that client's.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Who asks.
    pub client: Client,
    /// What it asks.
    pub request: AuthorizeRequest,
    params: AuthorizeParams,
}

/// A request that cannot go on.
#[derive(Clone, Debug, PartialEq)]
pub enum Refused {
    /// To be shown to the person: the client or its redirect URI is not known, so the answer goes nowhere else.
    Page(OAuthError),
    /// To be sent to the client: the URL with the error.
    Redirect(String),
}

/// What to do with a request.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// Show the sign-in page, with this user name filled in.
    SignIn {
        /// `login_hint`.
        username: Option<String>,
    },
    /// Ask the person whether the client may have tokens that speak for them, or whether it was them who just started it.
    Agree,
    /// Send the browser there.
    Redirect(String),
}

/// Adds parameters to a redirect URI, `iss` always among them (RFC 9207).
fn answer_url(redirect_uri: &str, state: Option<&str>, issuer: &str, pairs: &[(&str, &str)]) -> Option<String> {
    let mut url = Url::parse(redirect_uri).ok()?;
    {
        let mut query = url.query_pairs_mut();
        for (name, value) in pairs {
            query.append_pair(name, value);
        }
        if let Some(state) = state {
            query.append_pair("state", state);
        }
        query.append_pair("iss", issuer);
    }
    Some(url.into())
}

impl Asked {
    /// Where the answer goes.
    pub fn redirect_uri(&self) -> &str {
        &self.params.redirect_uri
    }

    /// The port on which a program of the person's own computer waits for the answer, where it is one.
    pub fn local_port(&self) -> Option<u16> {
        let url = Url::parse(self.redirect_uri()).ok().filter(|url| url.scheme() == "http")?;
        url.port_or_known_default()
    }
}

impl Provider {
    /// Reads an authorization request and finds its client.
    ///
    /// # Errors
    /// [`Refused`] says whether the person or the client is told.
    pub async fn ask(&self, query: &[u8]) -> Result<Asked, Refused> {
        let params = AuthorizeParams::parse(query).map_err(Refused::Page)?;
        let client = self.0.directory.client_named(&params.client_id).await;
        let client = client.map_err(|error| Refused::Page(failed(error)))?.ok_or_else(|| {
            let sentence = format!("no client `{}` is registered here", params.client_id);
            Refused::Page(OAuthError::new(ErrorCode::UnauthorizedClient, sentence))
        })?;
        if !client.redirects_to(&params.redirect_uri) {
            let sentence = "the redirect URI is not one that the client registered: register it exactly as it is sent";
            return Err(Refused::Page(OAuthError::new(ErrorCode::InvalidRequest, sentence)));
        }
        match params.request() {
            Ok(request) => Ok(Asked { client, request, params }),
            Err(error) => Err(self.refuse(&params, &error)),
        }
    }

    fn refuse(&self, params: &AuthorizeParams, error: &OAuthError) -> Refused {
        let description = error.description();
        let pairs = [("error", error.code.as_str()), ("error_description", description.as_str())];
        match answer_url(&params.redirect_uri, params.state.as_deref(), self.issuer(), &pairs) {
            Some(url) => Refused::Redirect(url),
            None => Refused::Page(error.clone()),
        }
    }

    /// The answer of a person who does not agree.
    pub fn disagree(&self, asked: &Asked) -> Refused {
        self.refuse(&asked.params, &OAuthError::new(ErrorCode::AccessDenied, "the person did not agree"))
    }

    fn is_fresh(&self, asked: &Asked, sign_in: &SignIn) -> bool {
        let age = self.now().as_second() - sign_in.auth.auth_time.as_second();
        asked.request.max_age_secs.is_none_or(|max| age <= i64::from(max))
    }

    /// Answers a request of a person with this sign-in (or none): a page, or the redirect.
    ///
    /// # Errors
    /// [`Refused`], as `login_required` or `consent_required` for `prompt=none`.
    pub async fn answer(&self, asked: &Asked, sign_in: Option<&SignIn>) -> Result<Answer, Refused> {
        let usable = sign_in.filter(|sign_in| self.is_fresh(asked, sign_in)).filter(|_| !wants_sign_in(asked));
        let asks = asked.client.asks_each_time(asked.redirect_uri());
        match (usable, asked.request.prompt) {
            (Some(sign_in), prompt) => match if asks { Answer::Agree } else { self.grant(asked, sign_in).await? } {
                Answer::Agree if prompt == Prompt::None => {
                    let sentence = "the person has not agreed to this client now, and no page may be shown";
                    Err(self.refuse(&asked.params, &OAuthError::new(ErrorCode::ConsentRequired, sentence)))
                }
                answer => Ok(answer),
            },
            (None, Prompt::None) => {
                let sentence = "nobody is signed in, or too long ago, and no page may be shown";
                Err(self.refuse(&asked.params, &OAuthError::new(ErrorCode::LoginRequired, sentence)))
            }
            (None, _) => Ok(Answer::SignIn { username: asked.request.login_hint.clone() }),
        }
    }

    /// The redirect with a code, for a person who has just signed in for this request or whose sign-in is good enough; or the
    /// question whether they agree to the client.
    ///
    /// # Errors
    /// [`Refused`] when no code can be made.
    pub async fn grant(&self, asked: &Asked, sign_in: &SignIn) -> Result<Answer, Refused> {
        if asked.request.consent { Ok(Answer::Agree) } else { self.grant_agreed(asked, sign_in).await }
    }

    /// As [`Provider::grant`], for a person who has just answered the question: `prompt=consent` does not ask twice.
    ///
    /// # Errors
    /// [`Refused`] when no code can be made.
    pub async fn grant_agreed(&self, asked: &Asked, sign_in: &SignIn) -> Result<Answer, Refused> {
        let refuse = |error| self.refuse(&asked.params, &failed(error));
        if !self.agreed(&asked.client, sign_in.person).await.map_err(refuse)? {
            return Ok(Answer::Agree);
        }
        let code = self.new_code(asked, sign_in).await.map_err(refuse)?;
        let state = asked.params.state.as_deref();
        let url = answer_url(asked.redirect_uri(), state, self.issuer(), &[("code", &code)]);
        url.map(Answer::Redirect).ok_or_else(|| {
            Refused::Page(OAuthError::new(ErrorCode::InvalidRequest, "the redirect URI cannot carry the answer"))
        })
    }
}

/// Whether no earlier sign-in will do: `max_age=0` is `prompt=login` (OpenID Connect Core, section 15.1, errata set 2).
fn wants_sign_in(asked: &Asked) -> bool {
    asked.request.prompt == Prompt::Login || asked.request.max_age_secs == Some(0)
}
