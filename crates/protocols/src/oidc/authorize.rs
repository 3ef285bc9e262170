//! The authorization request (OpenID Connect Core, 3.1.2.1): the code flow with PKCE and nothing else.
//!
//! It is read in two steps, because errors may go to the redirect URI only once that is known to be the client's.

use super::{Challenge, ErrorCode, Form, OAuthError};

/// Longest `state` and `nonce`: they are repeated in URLs and tokens.
const STATE_LEN_MAX: usize = 1024;
/// Longest `client_id`, `login_hint`, and any scope list.
const NAME_LEN_MAX: usize = 256;
/// Largest `max_age`, one year: later sign-ins do not exist.
const MAX_AGE_SECS_MAX: u32 = 31_536_000;

/// What the request says about itself, before the client is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthorizeParams {
    form: Form,
    /// `client_id`.
    pub client_id: String,
    /// `redirect_uri`, not yet compared with what the client registered.
    pub redirect_uri: String,
    /// `state`, repeated in every answer.
    pub state: Option<String>,
}

/// Scopes that were asked for and are known; unknown ones are left out (OpenID Connect Core, 3.1.2.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Scopes {
    /// `openid`; without it there is no ID token.
    pub openid: bool,
    /// `profile`: the name.
    pub profile: bool,
    /// `email`: the address.
    pub email: bool,
    /// `groups`: the groups.
    pub groups: bool,
    /// `offline_access`: a refresh token.
    pub offline_access: bool,
}

impl Scopes {
    /// The names of all scopes, for discovery.
    pub const NAMES: [&'static str; 5] = ["openid", "profile", "email", "groups", "offline_access"];

    /// Reads a list separated by spaces.
    pub fn parse(text: &str) -> Self {
        let has = |name: &str| text.split(' ').any(|scope| scope == name);
        Self {
            openid: has("openid"),
            profile: has("profile"),
            email: has("email"),
            groups: has("groups"),
            offline_access: has("offline_access"),
        }
    }

    /// Only what both have.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self {
            openid: self.openid && other.openid,
            profile: self.profile && other.profile,
            email: self.email && other.email,
            groups: self.groups && other.groups,
            offline_access: self.offline_access && other.offline_access,
        }
    }

    /// The list separated by spaces.
    pub fn text(self) -> String {
        let on = [self.openid, self.profile, self.email, self.groups, self.offline_access];
        let names = Self::NAMES.iter().zip(on).filter(|(_, on)| *on).map(|(name, _)| *name);
        names.collect::<Vec<_>>().join(" ")
    }
}

/// Whether a page may be shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Prompt {
    /// As needed.
    #[default]
    AsNeeded,
    /// `none`: answer at once or fail.
    None,
    /// `login`: ask for the credentials again (also for `select_account`).
    Login,
}

/// A complete authorization request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthorizeRequest {
    /// `scope`.
    pub scopes: Scopes,
    /// `nonce`, repeated in the ID token.
    pub nonce: Option<String>,
    /// `code_challenge` with `code_challenge_method=S256`.
    pub challenge: Challenge,
    /// `prompt`.
    pub prompt: Prompt,
    /// `prompt` has `consent`: the person is asked whether they let the client in, whatever they answered before.
    pub consent: bool,
    /// `max_age` in seconds: the sign-in may not be older.
    pub max_age_secs: Option<u32>,
    /// `login_hint`: fills in the user name.
    pub login_hint: Option<String>,
}

fn invalid(sentence: &'static str) -> OAuthError {
    OAuthError::new(ErrorCode::InvalidRequest, sentence)
}

impl AuthorizeParams {
    /// Reads who asks and where the answer would go. Errors here are shown to the person, never sent to `redirect_uri`.
    ///
    /// # Errors
    /// [`OAuthError`] with `invalid_request`.
    pub fn parse(bytes: &[u8]) -> Result<Self, OAuthError> {
        let form = Form::parse(bytes)?;
        let client_id = form.value("client_id").ok_or_else(|| invalid("`client_id` is missing"))?;
        let redirect_uri = form.value("redirect_uri").ok_or_else(|| invalid("`redirect_uri` is missing"))?;
        if client_id.len() > NAME_LEN_MAX {
            return Err(invalid("`client_id` is longer than 256 bytes"));
        }
        let state = form.value("state").map(str::to_owned);
        if state.as_ref().is_some_and(|state| state.len() > STATE_LEN_MAX) {
            return Err(invalid("`state` is longer than 1024 bytes"));
        }
        Ok(Self { client_id: client_id.to_owned(), redirect_uri: redirect_uri.to_owned(), state, form })
    }

    /// Reads the rest. Errors here go to the redirect URI.
    ///
    /// # Errors
    /// [`OAuthError`] with the code that fits.
    pub fn request(&self) -> Result<AuthorizeRequest, OAuthError> {
        let form = &self.form;
        if form.value("request").is_some() {
            return Err(OAuthError::new(ErrorCode::RequestNotSupported, "`request` objects are not supported"));
        }
        if form.value("request_uri").is_some() {
            return Err(OAuthError::new(ErrorCode::RequestUriNotSupported, "`request_uri` is not supported"));
        }
        match form.value("response_type") {
            Some("code") => {}
            None => return Err(invalid("`response_type` is missing")),
            Some(_) => {
                let sentence = "only `response_type=code` is offered";
                return Err(OAuthError::new(ErrorCode::UnsupportedResponseType, sentence));
            }
        }
        if form.value("response_mode").is_some_and(|mode| mode != "query") {
            return Err(invalid("only `response_mode=query` is offered"));
        }
        Ok(AuthorizeRequest {
            scopes: self.scopes()?,
            nonce: self.bounded("nonce", STATE_LEN_MAX, "`nonce` is longer than 1024 bytes")?,
            challenge: self.challenge()?,
            prompt: self.prompt()?,
            consent: self.form.value("prompt").is_some_and(|text| text.split(' ').any(|value| value == "consent")),
            max_age_secs: self.max_age()?,
            login_hint: self.bounded("login_hint", NAME_LEN_MAX, "`login_hint` is longer than 256 bytes")?,
        })
    }

    fn bounded(&self, name: &str, max: usize, sentence: &'static str) -> Result<Option<String>, OAuthError> {
        let value = self.form.value(name);
        if value.is_some_and(|value| value.len() > max) { Err(invalid(sentence)) } else { Ok(value.map(str::to_owned)) }
    }

    fn scopes(&self) -> Result<Scopes, OAuthError> {
        let text = self.form.value("scope").unwrap_or("openid");
        let scopes = Scopes::parse(text);
        if text.len() <= NAME_LEN_MAX && scopes.openid {
            Ok(scopes)
        } else {
            Err(OAuthError::new(ErrorCode::InvalidScope, "`scope` must contain `openid`"))
        }
    }

    fn challenge(&self) -> Result<Challenge, OAuthError> {
        if self.form.value("code_challenge_method") != Some("S256") {
            return Err(invalid(
                "PKCE is required: send `code_challenge` with `code_challenge_method=S256` (RFC 7636)",
            ));
        }
        let text = self.form.value("code_challenge").ok_or_else(|| invalid("`code_challenge` is missing"))?;
        Challenge::parse(text).ok_or_else(|| invalid("`code_challenge` must be the base64url of a SHA-256 digest"))
    }

    fn prompt(&self) -> Result<Prompt, OAuthError> {
        let Some(text) = self.form.value("prompt") else { return Ok(Prompt::AsNeeded) };
        let values: Vec<&str> = text.split(' ').collect();
        if values.contains(&"none") {
            let alone = values.len() == 1;
            return if alone { Ok(Prompt::None) } else { Err(invalid("`prompt=none` cannot be combined")) };
        }
        match values.iter().all(|value| ["login", "consent", "select_account"].contains(value)) {
            true if values.contains(&"login") || values.contains(&"select_account") => Ok(Prompt::Login),
            true => Ok(Prompt::AsNeeded),
            false => Err(invalid("`prompt` must be `none`, `login`, `consent` or `select_account`")),
        }
    }

    fn max_age(&self) -> Result<Option<u32>, OAuthError> {
        let Some(text) = self.form.value("max_age") else { return Ok(None) };
        let plain = text.bytes().all(|b| b.is_ascii_digit());
        let age = text.parse().ok().filter(|age| plain && *age <= MAX_AGE_SECS_MAX);
        age.map(Some).ok_or_else(|| invalid("`max_age` must be a whole number of seconds, at most a year"))
    }
}
