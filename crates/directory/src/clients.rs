//! OIDC clients: who may ask for tokens, where the answers go, and what their tokens say.
//!
//! A registration is a fact of its own and, in the same change, a trust anchor among `access`'s facts. The secret is
//! shown once; its hash is sealed.

use access::{Permit, api, assume::MANAGEMENT_AUDIENCE};
use base::{AccountId, ClientId, Ids, Secret};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use crypto::sha256;
use custody::Subject;
use protocols::oidc::RedirectUri;
use serde::{Deserialize, Serialize};
use store::{ReadTxn, ViewedRow, WriteTxn};

use crate::{Directory, Error, facts};

/// Most redirect URIs, post-logout URIs or audiences of one client.
const LIST_MAX: usize = 32;
/// Name of the sealed row with the hash of a client's or service's secret.
pub(crate) const SECRET: &str = "secret";
/// What the secret of a client begins with, so that a leaked one is recognised.
const PREFIX: &str = "gcs_";

/// The client whose ID tokens STS takes for AWS tools.
pub const AWS_CLIENT: &str = "galen-aws";
/// Galen's own clients. Where their tokens go is the program's, not an administrator's: whoever could send them elsewhere would
/// sign in as everybody who follows a link.
const OWN: &[&str] = &[MANAGEMENT_AUDIENCE, AWS_CLIENT];

/// Whether a client can keep a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClientKind {
    /// It cannot (command line, desktop, browser): PKCE alone proves it; loopback redirects may use any port.
    Public,
    /// It can (a server): it proves itself with a secret as well.
    Confidential,
}

/// How tokens for this client name groups.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GroupClaim {
    /// By id, which never changes.
    #[default]
    Ids,
    /// By name, for tools that can do no better.
    Names,
}

/// What is registered about a client.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NewClient {
    /// The id on the wire and the audience of its tokens: 2 to 128 of letters, digits and `._~:/-`.
    pub client_id: String,
    /// What people call it.
    pub name: String,
    /// Whether it can keep a secret.
    pub kind: ClientKind,
    /// Where codes may be sent.
    #[serde(default)]
    pub redirect_uris: Vec<String>,
    /// Where a browser may be sent after signing out.
    #[serde(default)]
    pub post_logout_uris: Vec<String>,
    /// Other clients for whose audience it may ask ID tokens with its refresh token.
    #[serde(default)]
    pub audiences: Vec<String>,
    /// Whether its ID tokens are signed with ES256 instead of RS256.
    #[serde(default)]
    pub es256: bool,
    /// How groups are named in its tokens.
    #[serde(default)]
    pub groups: GroupClaim,
    /// Whether its tokens carry the claims that AWS STS reads.
    #[serde(default)]
    pub aws: bool,
    /// Whether it may use the device code.
    #[serde(default)]
    pub device: bool,
}

/// What changes of a registration; `None` stays.
#[derive(Clone, Debug, Default)]
pub struct ClientChange {
    /// What people call it.
    pub name: Option<String>,
    /// Where codes may be sent.
    pub redirect_uris: Option<Vec<String>>,
    /// Where a browser may be sent after signing out.
    pub post_logout_uris: Option<Vec<String>>,
    /// Other clients for whose audience it may ask ID tokens.
    pub audiences: Option<Vec<String>>,
    /// Whether it may use the device code.
    pub device: Option<bool>,
}

/// A registered client.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Client {
    /// Its id inside Galen.
    pub id: ClientId,
    /// Its registration.
    #[serde(flatten)]
    pub registered: NewClient,
    /// Set once it is over.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub ended: bool,
}

impl Client {
    /// Whether `uri` is one of its redirect URIs: the exact text, or another port on loopback for a public client.
    pub fn redirects_to(&self, uri: &str) -> bool {
        let any_port = self.registered.kind == ClientKind::Public;
        let registered = self.registered.redirect_uris.iter();
        registered.filter_map(|text| RedirectUri::parse(text).ok()).any(|one| one.matches(uri, any_port))
    }

    /// Whether a sign-in that is open already is not enough for an answer to `uri`. Nothing there proves that the client listens:
    /// any program of the computer takes a loopback port or a private scheme (RFC 8252, section 8.6).
    pub fn asks_each_time(&self, uri: &str) -> bool {
        self.registered.kind == ClientKind::Public && !uri.starts_with("https://")
    }

    /// Whether it is one of Galen's own.
    pub fn is_own(&self) -> bool {
        OWN.contains(&self.registered.client_id.as_str())
    }

    /// Whether it may ask for an ID token of this audience.
    pub fn may_ask_for(&self, audience: &str) -> bool {
        audience == self.registered.client_id || self.registered.audiences.iter().any(|one| one == audience)
    }
}

fn check(new: &NewClient) -> Result<(), Error> {
    let bad = |reason| Err(Error::BadClient { reason });
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"._~:/-".contains(&b);
    if !(2..=128).contains(&new.client_id.len()) || !new.client_id.bytes().all(allowed) {
        return bad("the client id has 2 to 128 letters, digits and ._~:/-");
    }
    if new.name.is_empty() || new.name.chars().count() > 128 || new.name.chars().any(char::is_control) {
        return bad("the name has 1 to 128 characters");
    }
    if new.audiences.iter().any(|audience| audience == MANAGEMENT_AUDIENCE) {
        return bad("tokens of the command line, which manage the installation, are given to no other client");
    }
    if [&new.redirect_uris, &new.post_logout_uris, &new.audiences].iter().any(|list| list.len() > LIST_MAX) {
        return bad("at most 32 redirect URIs, post-logout URIs and audiences");
    }
    for uri in new.redirect_uris.iter().chain(&new.post_logout_uris) {
        RedirectUri::parse(uri).map_err(|source| Error::BadRedirect { source })?;
    }
    Ok(())
}

fn client_of(row: &ViewedRow) -> Result<Client, Error> {
    facts::read(&row.body, "client")
}

/// The live client with this id on the wire.
pub(crate) fn by_client_id(txn: &ReadTxn<'_>, client_id: &str) -> Result<Option<Client>, Error> {
    txn.view_lookup(facts::VIEW_OIDC_CLIENT, facts::BY_NAME, client_id)?.first().map(client_of).transpose()
}

/// A live client.
pub(crate) fn client_in(txn: &ReadTxn<'_>, id: ClientId) -> Result<Client, Error> {
    let rows = txn.view_current(facts::VIEW_OIDC_CLIENT, &id.to_string())?;
    let not_found = || Error::NotFound { what: "client", name: id.to_string() };
    rows.first().map(client_of).transpose()?.filter(|client| !client.ended).ok_or_else(not_found)
}

/// A live client that somebody registered.
fn foreign_in(txn: &ReadTxn<'_>, id: ClientId) -> Result<Client, Error> {
    let client = client_in(txn, id)?;
    if client.is_own() { Err(Error::OwnClient { client_id: client.registered.client_id }) } else { Ok(client) }
}

fn put(txn: &mut WriteTxn<'_>, client: &Client, (account, issuer): (AccountId, &str)) -> Result<(), Error> {
    let anchor = access::facts::Client {
        id: client.id,
        account,
        provider: issuer.split_once("://").map_or(issuer, |(_, rest)| rest).to_owned(),
        audience: client.registered.client_id.clone(),
        name: client.registered.name.clone(),
    };
    access::facts::put_client(txn, &anchor, None)?;
    facts::add(txn, facts::OIDC_CLIENT_PUT, client.id.uuid(), client, None).map(drop)
}

impl Directory {
    /// Registers a client; a confidential one gets its secret here and never again.
    ///
    /// # Errors
    /// [`Error::BadClient`], [`Error::BadRedirect`], [`Error::ClientTaken`].
    pub async fn register_client(
        &self,
        permit: Permit<api::CreateClient>,
        new: NewClient,
    ) -> Result<(ClientId, Option<Secret<String>>), Error> {
        check(&new)?;
        let id = ClientId::from_uuid(self.0.effects.uuid());
        let (key, wrapped) = self.0.custody.subject_key_new(id)?;
        let secret = (new.kind == ClientKind::Confidential).then(|| self.new_secret(PREFIX));
        let sealed =
            secret.as_ref().map(|secret| key.seal(SECRET, &sha256(secret.expose().as_bytes()).0)).transpose()?;
        let (account, issuer) = (self.0.account, self.0.issuer.clone());
        let client = Client { id, registered: new, ended: false };
        self.change(permit, move |txn| {
            if by_client_id(txn, &client.registered.client_id)?.is_some() {
                return Err(Error::ClientTaken { client_id: client.registered.client_id.clone() });
            }
            txn.subject_key_put(id.uuid(), &wrapped)?;
            if let Some(sealed) = &sealed {
                txn.sealed_put(id.uuid(), SECRET, sealed)?;
            }
            put(txn, &client, (account, &issuer))
        })
        .await?;
        Ok((id, secret))
    }

    /// Changes a registration; client id and kind stay.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::BadClient`], [`Error::BadRedirect`], [`Error::OwnClient`].
    pub async fn change_client(&self, permit: Permit<api::ChangeClient>, change: ClientChange) -> Result<(), Error> {
        let id = *permit.resource();
        let (account, issuer) = (self.0.account, self.0.issuer.clone());
        self.change(permit, move |txn| {
            let old = foreign_in(txn, id)?.registered;
            let registered = NewClient {
                name: change.name.clone().unwrap_or(old.name),
                redirect_uris: change.redirect_uris.clone().unwrap_or(old.redirect_uris),
                post_logout_uris: change.post_logout_uris.clone().unwrap_or(old.post_logout_uris),
                audiences: change.audiences.clone().unwrap_or(old.audiences),
                device: change.device.unwrap_or(old.device),
                ..old
            };
            check(&registered)?;
            put(txn, &Client { id, registered, ended: false }, (account, &issuer))
        })
        .await
    }

    /// Gives a confidential client another secret; the old one stops working at once.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::BadClient`] for a public client.
    pub async fn renew_client_secret(&self, permit: Permit<api::ChangeClient>) -> Result<Secret<String>, Error> {
        let id = *permit.resource();
        let key = self.0.custody.subject_key(id).await?;
        let key = key.ok_or_else(|| Error::NotFound { what: "client", name: id.to_string() })?;
        let secret = self.new_secret(PREFIX);
        let sealed = key.seal(SECRET, &sha256(secret.expose().as_bytes()).0)?;
        self.change(permit, move |txn| {
            if client_in(txn, id)?.registered.kind == ClientKind::Public {
                return Err(Error::BadClient { reason: "a public client has no secret" });
            }
            facts::add(txn, facts::OIDC_CLIENT_SECRET_RENEWED, id.uuid(), &serde_json::json!({}), None)?;
            Ok(txn.sealed_put(id.uuid(), SECRET, &sealed)?)
        })
        .await?;
        Ok(secret)
    }

    /// Ends a client: no tokens for it, and no role trusts it any more.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::OwnClient`].
    pub async fn end_client(&self, permit: Permit<api::EndClient>, reason: Option<String>) -> Result<(), Error> {
        let id = *permit.resource();
        self.change(permit, move |txn| {
            foreign_in(txn, id)?;
            let nothing = serde_json::json!({});
            access::facts::end_client(txn, id, reason.as_deref())?;
            facts::add(txn, facts::OIDC_CLIENT_ENDED, id.uuid(), &nothing, reason.as_deref())?;
            txn.subject_key_destroy(id.uuid())?;
            Ok(())
        })
        .await
    }

    /// Lists live clients after an id, at most `limit`.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn list_clients(
        &self,
        permit: Permit<api::ListClients>,
        after: Option<ClientId>,
        limit: usize,
    ) -> Result<Vec<Client>, Error> {
        let after = after.map(|id| id.to_string());
        let read = self.0.store.read(move |txn| {
            let now = txn.now();
            let live = |row: &ViewedRow| {
                let client = row.valid.contains(now).then(|| client_of(row))?;
                Some(client).filter(|client| client.as_ref().map_or(true, |client| !client.ended))
            };
            txn.view_page(facts::VIEW_OIDC_CLIENT, None, after.as_deref(), limit, live)?.into_iter().collect()
        });
        let listed: Result<Vec<Client>, Error> = read.await;
        permit.finish(crate::outcome(listed.is_ok()));
        listed
    }

    /// Finds a client by its id inside Galen or on the wire.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn resolve_client(&self, name: &str) -> Result<Client, Error> {
        let (text, shown) = (name.to_owned(), name.chars().take(128).collect());
        let found = self.0.store.read(move |txn| match text.parse::<ClientId>() {
            Ok(id) => client_in(txn, id).map(Some),
            Err(_) => by_client_id(txn, &text),
        });
        found.await?.ok_or(Error::NotFound { what: "client", name: shown })
    }

    /// The live client with this id on the wire.
    pub(crate) async fn client_named(&self, client_id: &str) -> Result<Option<Client>, Error> {
        let client_id = client_id.to_owned();
        self.0.store.read(move |txn| by_client_id(txn, &client_id)).await
    }

    /// Whether this is the secret of a confidential client or of a service.
    pub(crate) async fn secret_fits(&self, whose: impl Into<Subject>, given: &Secret<String>) -> Result<bool, Error> {
        let (directory, whose) = (self.clone(), whose.into());
        let stored = self.0.store.read(move |txn| -> Result<Option<Secret<Vec<u8>>>, Error> {
            let Some(key) = directory.0.custody.subject_key_in(txn, whose)? else { return Ok(None) };
            let Some(sealed) = txn.sealed_get(whose.uuid(), SECRET)? else { return Ok(None) };
            Ok(Some(key.open(SECRET, &sealed)?))
        });
        let digest = sha256(given.expose().as_bytes());
        Ok(stored.await?.is_some_and(|stored| crypto::constant_time_eq(stored.expose(), &digest.0)))
    }

    pub(crate) fn new_secret(&self, prefix: &str) -> Secret<String> {
        Secret::new(format!("{prefix}{}", BASE64_URL_SAFE_NO_PAD.encode(self.0.crypto.bytes::<32>())))
    }
}
