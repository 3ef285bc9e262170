//! The built-in OpenID provider: who may have which token, and the records that make codes and refresh tokens single-use.
//!
//! It must not know HTTP or pages. INVARIANTS: a code and a refresh token work once, and their reuse cuts everything
//! that came of them; every token carries the authentication position of its sign-in; secrets are stored as hashes only.

mod agree;
mod authorize;
mod codes;
mod device;
mod families;
mod keys;
mod known;
mod limits;
mod machines;
mod tokens;
mod verify;

use access::OpContext;
use base::{PersonId, Secret, SignInId};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use protocols::oidc::{ClientAuth, Endpoints, ErrorCode, OAuthError};
use std::sync::Arc;

use crate::{Client, ClientKind, Directory, Entitlements, Error, PersonStatus, SignIn};
pub use authorize::{Answer, Asked, Refused};
pub use device::{DeviceAsked, DeviceCodes};
pub use limits::*;
pub use tokens::{GROUPS_MAX, Tokens};

/// The provider of one installation. Cheap to clone.
#[derive(Clone)]
pub struct Provider(Arc<Inner>);

struct Inner {
    directory: Directory,
    entitlements: Arc<dyn Entitlements>,
    keys: keys::Keys,
    known: Arc<known::Subjects>,
}

/// Logs a failure and gives the refusal that says nothing about it.
pub(crate) fn failed(error: Error) -> OAuthError {
    match error {
        Error::Busy => OAuthError::new(ErrorCode::TemporarilyUnavailable, "too many requests at once: try again soon"),
        Error::Stale => OAuthError::new(ErrorCode::TemporarilyUnavailable, "the state here is too old: try again soon"),
        error => {
            tracing::error!(error = &error as &dyn std::error::Error, "the OpenID provider failed");
            OAuthError::new(
                ErrorCode::ServerError,
                "the provider failed: try again, and tell an administrator if it stays",
            )
        }
    }
}

impl Provider {
    /// Puts a provider before a directory.
    pub fn new(directory: Directory, entitlements: Arc<dyn Entitlements>) -> Self {
        let known = Arc::<known::Subjects>::default();
        directory.0.store.on_commit(Arc::clone(&known) as _);
        Self(Arc::new(Inner { directory, entitlements, keys: keys::Keys::default(), known }))
    }

    /// The directory behind it.
    pub fn directory(&self) -> &Directory {
        &self.0.directory
    }

    /// The issuer: `iss` of every token.
    pub fn issuer(&self) -> &str {
        &self.0.directory.0.issuer
    }

    /// The endpoints, for discovery and for pages.
    pub fn endpoints(&self) -> Endpoints {
        Endpoints { issuer: self.issuer().to_owned(), signing_algorithms: vec!["RS256", "ES256"] }
    }

    /// Signs a person in with a password; gives the sign-in and the secret for its cookie.
    ///
    /// # Errors
    /// As [`Directory::authenticate`].
    pub async fn sign_in(
        &self,
        op: &OpContext,
        username: &str,
        password: &Secret<String>,
    ) -> Result<(SignIn, Secret<String>), Error> {
        // The position is taken before the password is checked: a cut that comes between cuts this sign-in too.
        let position = self.0.entitlements.position();
        let person = self.0.directory.authenticate(op, username, password).await?;
        self.0.directory.begin_sign_in(op, person, position).await
    }

    /// Sets an own password in place of `old`, and signs in with it.
    ///
    /// # Errors
    /// As [`Directory::choose_password`].
    pub async fn choose_password(
        &self,
        op: &OpContext,
        username: &str,
        old: &Secret<String>,
        new: &Secret<String>,
    ) -> Result<(SignIn, Secret<String>), Error> {
        self.0.directory.choose_password(op, username, old, new).await?;
        self.sign_in(op, username, new).await
    }

    /// The sign-in behind a cookie, if it lasts, was not cut, and its person may sign in.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn signed_in(&self, cookie: &Secret<String>) -> Result<Option<SignIn>, Error> {
        let Some(sign_in) = self.0.directory.sign_in(cookie).await? else { return Ok(None) };
        Ok(self.still_good(sign_in.person, sign_in.id, &sign_in.auth).await?.then_some(sign_in))
    }

    /// Whether a person may still use what came of a sign-in of this position, by a state that is not older than the gate's
    /// bound: a token that names groups and roles must not say more than the gate would.
    async fn still_good(
        &self,
        person: PersonId,
        sign_in: SignInId,
        auth: &access::AuthPosition,
    ) -> Result<bool, Error> {
        if !self.0.entitlements.fresh().await {
            return Err(Error::Stale);
        }
        if self.0.entitlements.cut(person, sign_in, auth).is_some() {
            return Ok(false);
        }
        let found = self.0.directory.person(person).await?;
        Ok(found.is_some_and(|person| person.status == PersonStatus::Active))
    }

    /// The client that a request names, after it proved itself where it can.
    async fn client(&self, auth: &ClientAuth) -> Result<Client, OAuthError> {
        let refused = |sentence: &'static str| OAuthError::new(ErrorCode::InvalidClient, sentence);
        let client = self.0.directory.client_named(&auth.client_id).await.map_err(failed)?;
        let client = client.ok_or_else(|| refused("no such client is registered"))?;
        match (client.registered.kind, &auth.secret) {
            (ClientKind::Public, None) => Ok(client),
            (ClientKind::Public, Some(_)) => Err(refused("this client is public and has no secret: send none")),
            (ClientKind::Confidential, None) => Err(refused("this client must send its secret")),
            (ClientKind::Confidential, Some(secret)) => {
                let fits = self.0.directory.secret_fits(client.id, secret).await.map_err(failed)?;
                if fits { Ok(client) } else { Err(refused("the client's secret is wrong")) }
            }
        }
    }

    /// An unpredictable text of 32 bytes.
    fn random(&self) -> String {
        BASE64_URL_SAFE_NO_PAD.encode(self.0.directory.0.crypto.bytes::<32>())
    }

    fn now(&self) -> base::Timestamp {
        self.0.directory.0.effects.now()
    }
}
