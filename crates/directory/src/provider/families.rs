//! Families of tokens: everything that came of one code. Refresh tokens rotate; a reused one cuts the whole family.

use access::{AuthPosition, Changed, EpochKey, OpContext};
use base::{Actor, ClientId, PersonId, Secret, SignInId, Timestamp};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use crypto::{Sha256Digest, sha256};
use protocols::oidc::{ErrorCode, OAuthError, Scopes};
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::{ReadTxn, Record, WriteTxn};
use uuid::Uuid;

use super::{ID_TOKEN_LASTS, Provider, REFRESH_LASTS, Tokens, failed, limits::after};
use crate::{Client, Directory, Error, facts, signin::Act};

const CLASS: &str = "oidc_family";
/// What every refresh token begins with, so that a leaked one is recognised: `grt_FAMILY.SHARED.RANDOM`. ID tokens name the
/// family to whoever reads them; the shared secret is in refresh tokens alone.
const PREFIX: &str = "grt_";

/// What all tokens of a family share.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Family {
    pub(super) client: ClientId,
    pub(super) person: PersonId,
    pub(super) auth: AuthPosition,
    pub(super) sign_in: SignInId,
    pub(super) scopes: String,
    /// The hash of the secret that all its refresh tokens share: only what was given out can be used twice.
    #[serde(default)]
    shared: Option<Sha256Digest>,
    /// The hash of the only refresh token that works.
    current: Option<Sha256Digest>,
    /// Until when refresh tokens work.
    pub(super) expires: Timestamp,
    /// Why nothing of it works any more.
    cut: Option<String>,
}

impl Family {
    pub(super) fn new(
        auth: &AuthPosition,
        client: ClientId,
        person: PersonId,
        sign_in: SignInId,
        scopes: &str,
    ) -> Self {
        let expires = after(auth.auth_time, REFRESH_LASTS);
        let (auth, scopes) = (auth.clone(), scopes.to_owned());
        Self { client, person, auth, sign_in, scopes, shared: None, current: None, expires, cut: None }
    }
}

fn family(record: &Record) -> Result<Family, Error> {
    facts::record(&record.value, "token family")
}

fn get(txn: &ReadTxn<'_>, id: Uuid) -> Result<Option<Family>, Error> {
    txn.record_get(CLASS, id.as_bytes())?.as_ref().map(family).transpose()
}

/// Writes a family; it is remembered until its last ID token has expired.
pub(super) fn put(txn: &mut WriteTxn<'_>, id: Uuid, family: &Family) -> Result<(), Error> {
    let expires = after(family.expires, ID_TOKEN_LASTS);
    txn.record_put(CLASS, id.as_bytes(), &facts::bytes(family)?, Some(expires))?;
    Ok(())
}

/// Cuts a family: none of its tokens works from the commit on.
pub(super) fn cut(txn: &mut WriteTxn<'_>, id: Uuid, why: &str) -> Result<(), Error> {
    let Some(mut family) = get(txn, id)? else { return Ok(()) };
    if family.cut.is_none() {
        family.cut = Some(why.to_owned());
        family.current = None;
        put(txn, id, &family)?;
    }
    Ok(())
}

/// Cuts a family and the sign-in that it came from: a code or token of it was stolen, so nothing that came of the sign-in
/// counts any more, role sessions and management sessions included.
pub(super) fn cut_sign_in(
    txn: &mut WriteTxn<'_>,
    (directory, op): (&Directory, &OpContext),
    id: Uuid,
    why: &str,
) -> Result<(), Error> {
    let Some(family) = get(txn, id)? else { return Ok(()) };
    cut(txn, id, why)?;
    access::epoch::raise(txn, EpochKey::SignIn { sign_in: family.sign_in }, Some(why.to_owned()))?;
    let parameters = Some(json!({"signIn": family.sign_in, "client": family.client}));
    let act = Act::of("SignInCut", family.person, &[]);
    directory.record(txn, op, Act { actor: Actor::System, parameters, ..act })
}

/// The family a refresh token names, and its shared secret.
fn parts_of(token: &Secret<String>) -> Option<(Uuid, &str)> {
    let (family, rest) = token.expose().strip_prefix(PREFIX)?.split_once('.')?;
    let (shared, _) = rest.split_once('.')?;
    Some((Uuid::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(family).ok()?).ok()?, shared))
}

fn digest(token: &Secret<String>) -> Sha256Digest {
    sha256(token.expose().as_bytes())
}

enum Rotated {
    Good(Box<Family>),
    Refused(&'static str),
}

fn rotate(
    txn: &mut WriteTxn<'_>,
    by: (&Directory, &OpContext),
    (id, shared): (Uuid, Sha256Digest),
    (given, next): (Sha256Digest, Sha256Digest),
    client: ClientId,
) -> Result<Rotated, Error> {
    let Some(mut family) = get(txn, id)?.filter(|family| family.shared == Some(shared)) else {
        return Ok(Rotated::Refused("the refresh token is not known"));
    };
    if family.client != client {
        return Ok(Rotated::Refused("the refresh token was given to another client"));
    }
    if family.cut.is_some() {
        return Ok(Rotated::Refused("the refresh token was cut: sign in again"));
    }
    if family.current != Some(given) {
        cut_sign_in(txn, by, id, "a refresh token was used twice")?;
        txn.outbox("oidc.refresh_reused", &json!({"person": family.person, "client": family.client}))?;
        return Ok(Rotated::Refused("the refresh token was used before: the sign-in is cut, sign in again"));
    }
    if family.expires <= txn.now() {
        return Ok(Rotated::Refused("the refresh token has expired: sign in again"));
    }
    family.current = Some(next);
    put(txn, id, &family)?;
    Ok(Rotated::Good(Box::new(family)))
}

impl Provider {
    fn refresh_token(&self, family: Uuid, shared: &str) -> Secret<String> {
        let family = BASE64_URL_SAFE_NO_PAD.encode(family.as_bytes());
        Secret::new(format!("{PREFIX}{family}.{shared}.{}", self.random()))
    }

    /// Gives a new family its first refresh token.
    pub(super) async fn first_refresh(&self, id: Uuid) -> Result<Secret<String>, Error> {
        let shared = self.random();
        let token = self.refresh_token(id, &shared);
        let (hash, shared) = (digest(&token), sha256(shared.as_bytes()));
        let store = &self.0.directory.0.store;
        let put = store.write(Actor::System, move |txn| {
            let mut family = get(txn, id)?.ok_or(Error::Damaged { what: "token family" })?;
            family.current = family.cut.is_none().then_some(hash);
            family.shared = Some(shared);
            put(txn, id, &family)
        });
        put.await?;
        Ok(token)
    }

    pub(super) async fn new_family(&self, id: Uuid, family: Family) -> Result<(), Error> {
        self.0.directory.0.store.write(Actor::Person(family.person), move |txn| put(txn, id, &family)).await.map(drop)
    }

    pub(super) async fn refresh(
        &self,
        op: &OpContext,
        client: &Client,
        token: Secret<String>,
        scopes: Option<Scopes>,
        audience: Option<&str>,
    ) -> Result<Tokens, OAuthError> {
        let invalid = |sentence: &'static str| OAuthError::new(ErrorCode::InvalidGrant, sentence);
        // The target is checked first: asking for a wrong audience must not use the token up.
        let target = self.target(client, audience).await?;
        let (id, shared) = parts_of(&token).ok_or_else(|| invalid("the refresh token is not known"))?;
        if target.id != client.id
            && let Some(family) = self.live_family(id).await.map_err(failed)?
            && !self.agreed(client, family.person).await.map_err(failed)?
        {
            let sentence = "the client is not what the person agreed to: send them through the sign-in again";
            return Err(OAuthError::new(ErrorCode::InvalidTarget, sentence));
        }
        let next = self.refresh_token(id, shared);
        let (named, used, client_id) = ((id, sha256(shared.as_bytes())), (digest(&token), digest(&next)), client.id);
        let (directory, op) = (self.0.directory.clone(), op.clone());
        let rotate = move |txn: &mut WriteTxn<'_>| rotate(txn, (&directory, &op), named, used, client_id);
        let rotated = self.0.directory.0.store.write(Actor::System, rotate);
        let family = match rotated.await.map_err(failed)?.value {
            Rotated::Good(family) => family,
            Rotated::Refused(sentence) => return Err(invalid(sentence)),
        };
        if !self.still_good(family.person, family.sign_in, &family.auth).await.map_err(failed)? {
            self.cut_family(id, "the person or the sign-in was cut").await.map_err(failed)?;
            return Err(invalid("the sign-in was cut: sign in again"));
        }
        let granted = Scopes::parse(&family.scopes);
        let scopes = scopes.map_or(granted, |asked| granted.and(Scopes { openid: true, ..asked }));
        self.tokens(client, &target, id, &family, scopes, None, Some(next)).await
    }

    /// The client whose audience is asked for, if this client may ask for it.
    async fn target(&self, client: &Client, audience: Option<&str>) -> Result<Client, OAuthError> {
        let Some(audience) = audience.filter(|audience| *audience != client.registered.client_id) else {
            return Ok(client.clone());
        };
        let refused = || {
            let sentence = "this client may not ask for tokens of that audience: add it to the client's `audiences`";
            OAuthError::new(ErrorCode::InvalidTarget, sentence)
        };
        if !client.may_ask_for(audience) {
            return Err(refused());
        }
        self.0.directory.client_named(audience).await.map_err(failed)?.ok_or_else(refused)
    }

    async fn cut_family(&self, id: Uuid, why: &'static str) -> Result<(), Error> {
        self.0.directory.0.store.write(Actor::System, move |txn| cut(txn, id, why)).await.map(drop)
    }

    /// A family that is known and not cut.
    pub(super) async fn live_family(&self, id: Uuid) -> Result<Option<Family>, Error> {
        let found = self.0.directory.0.store.record_prefix(CLASS, id.into_bytes().to_vec(), 1).await?;
        let known = found.first().map(|(_, record)| family(record)).transpose()?;
        Ok(known.filter(|family| family.cut.is_none()))
    }

    /// Revokes a refresh token and everything of its family (RFC 7009). Unknown tokens are revoked already.
    ///
    /// # Errors
    /// [`OAuthError`] when the client does not prove itself.
    pub async fn revoke(
        &self,
        op: &OpContext,
        client: &protocols::oidc::ClientAuth,
        token: &Secret<String>,
    ) -> Result<(), OAuthError> {
        let client = self.client(client).await?;
        let Some((id, _)) = parts_of(token) else { return Ok(()) };
        let (given, mine) = (digest(token), client.id);
        let (directory, op) = (self.0.directory.clone(), op.clone());
        let done = self.0.directory.0.store.write(Actor::System, move |txn| match get(txn, id)? {
            Some(family) if family.client == mine && family.current == Some(given) => {
                cut(txn, id, "the client revoked it")?;
                let (old, new) = (Some(json!({"cut": null})), Some(json!({"cut": "the client revoked it"})));
                let changed = [Changed { kind: "tokens", subject: id, old, new }];
                let parameters = Some(json!({"signIn": family.sign_in, "client": family.client}));
                let act = Act::of("TokensRevoked", family.person, &changed);
                directory.record(txn, &op, Act { actor: Actor::System, parameters, ..act })
            }
            _ => Ok(()),
        });
        done.await.map(drop).map_err(failed)
    }
}
