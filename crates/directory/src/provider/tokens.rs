//! The token endpoint's answers: ID tokens with what the scopes allow, access tokens for user-info.

use access::OpContext;
use base::{Secret, Timestamp};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use crypto::sha256;
use protocols::{
    jwt::{self, Kind, Signing},
    oidc::{AwsClaims, ClientAuth, Endpoints, Grant, OAuthError, Scopes, TokenRequest},
};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::{
    ACCESS_TOKEN_LASTS, ID_TOKEN_LASTS, Provider,
    codes::HandedIn,
    failed,
    families::Family,
    keys::Signer,
    limits::{after, seconds},
};
use crate::{Client, Error, GroupClaim, Personal};

/// Largest number of groups that a token names; with more it names none, and says so by leaving the claim out. A token
/// with 200 ids stays under half of what STS reads.
pub const GROUPS_MAX: usize = 200;

/// What the token endpoint gives.
pub struct Tokens {
    /// The ID token; a machine gets none.
    pub id_token: Option<Secret<String>>,
    /// For user-info; a machine's is for the audience that it asked for.
    pub access_token: Secret<String>,
    /// For the next tokens, if `offline_access` was granted.
    pub refresh_token: Option<Secret<String>>,
    /// Seconds that the access token lasts.
    pub expires_in: i64,
    /// What was granted.
    pub scope: String,
}

impl Tokens {
    /// The answer of the token endpoint (RFC 6749, section 5.1).
    pub fn to_json(&self) -> Value {
        let mut out = json!({
            "access_token": self.access_token.expose(),
            "token_type": "Bearer",
            "expires_in": self.expires_in,
        });
        let refresh = self.refresh_token.as_ref().map(|token| token.expose().as_str());
        let id_token = self.id_token.as_ref().map(|token| token.expose().as_str());
        let scope = Some(self.scope.as_str()).filter(|scope| !scope.is_empty());
        for (name, value) in [("id_token", id_token), ("refresh_token", refresh), ("scope", scope)] {
            if let (Some(map), Some(value)) = (out.as_object_mut(), value) {
                map.insert(name.to_owned(), json!(value));
            }
        }
        out
    }
}

impl Provider {
    /// Answers a token request.
    ///
    /// # Errors
    /// [`OAuthError`] with the code of the standard.
    pub async fn token(&self, op: &OpContext, request: TokenRequest) -> Result<Tokens, OAuthError> {
        let by = &request.client;
        match request.grant {
            Grant::Code { code, redirect_uri, verifier } => {
                let handed_in = HandedIn { code, redirect_uri, verifier };
                self.exchange_code(op, &self.proven(by).await?, handed_in).await
            }
            Grant::Refresh { token, scopes, audience } => {
                self.refresh(op, &self.proven(by).await?, token, scopes, audience.as_deref()).await
            }
            Grant::Device { code } => self.exchange_device(&self.proven(by).await?, &code).await,
            Grant::Machine { audience } => self.machine_token(op, by, audience.as_deref()).await,
        }
    }

    /// The client that asks, after it proved itself, where the state here is young enough. That is asked for first: what is refused for
    /// its age must not use a code or a refresh token up.
    async fn proven(&self, auth: &ClientAuth) -> Result<Client, OAuthError> {
        let client = self.client(auth).await?;
        if self.0.entitlements.fresh().await { Ok(client) } else { Err(failed(Error::Stale)) }
    }

    /// Signs the tokens of a family for `target`, at the wish of `client`.
    #[expect(clippy::too_many_arguments, reason = "one call site a grant type; each argument is another fact of it")]
    pub(super) async fn tokens(
        &self,
        client: &Client,
        target: &Client,
        id: Uuid,
        family: &Family,
        scopes: Scopes,
        nonce: Option<&str>,
        refresh_token: Option<Secret<String>>,
    ) -> Result<Tokens, OAuthError> {
        let keys = self.keys().await.map_err(failed)?;
        let now = self.now();
        let access = self.access_claims(client, id, family, scopes, now);
        let access_token = self.signed(&keys.rs256, Kind::Access, &access).map_err(failed)?;
        let mut claims = self.id_claims(client, target, id, family, now);
        if let Some(nonce) = nonce {
            claims.insert("nonce".to_owned(), json!(nonce));
        }
        let digest = sha256(access_token.expose().as_bytes());
        let half = digest.0.get(..16).unwrap_or_default();
        claims.insert("at_hash".to_owned(), json!(BASE64_URL_SAFE_NO_PAD.encode(half)));
        let personal = self.0.directory.personal_of(family.person).await.map_err(failed)?;
        if let Some(personal) = personal {
            self.personal_claims(&mut claims, target, family, scopes, &personal).await.map_err(failed)?;
        }
        let signer = if target.registered.es256 { &keys.es256 } else { &keys.rs256 };
        let id_token = self.signed(signer, Kind::Id, &claims).map_err(failed)?;
        let expires_in = seconds(ACCESS_TOKEN_LASTS);
        Ok(Tokens { id_token: Some(id_token), access_token, refresh_token, expires_in, scope: scopes.text() })
    }

    pub(super) fn signed(
        &self,
        signer: &Signer,
        kind: Kind,
        claims: &Map<String, Value>,
    ) -> Result<Secret<String>, Error> {
        let signing = Signing { key_id: &signer.key_id, scheme: signer.scheme, kind };
        let custody = &self.0.directory.0.custody;
        Ok(Secret::new(jwt::sign(&signing, claims, |input| custody.sign(&signer.key, input))?))
    }

    fn access_claims(
        &self,
        client: &Client,
        id: Uuid,
        family: &Family,
        scopes: Scopes,
        now: Timestamp,
    ) -> Map<String, Value> {
        let claims = json!({
            "iss": self.issuer(),
            "sub": family.person,
            "aud": self.endpoints().url(Endpoints::USERINFO),
            "client_id": client.registered.client_id,
            "iat": now.as_second(),
            "exp": after(now, ACCESS_TOKEN_LASTS).as_second(),
            "auth_time": family.auth.auth_time.as_second(),
            "scope": scopes.text(),
            "galen_family": id,
            "galen_seq": family.auth.seq,
            "jti": self.random(),
        });
        into_map(claims)
    }

    fn id_claims(
        &self,
        client: &Client,
        target: &Client,
        id: Uuid,
        family: &Family,
        now: Timestamp,
    ) -> Map<String, Value> {
        let claims = json!({
            "iss": self.issuer(),
            "sub": family.person,
            "aud": target.registered.client_id,
            "azp": client.registered.client_id,
            "iat": now.as_second(),
            "exp": after(now, ID_TOKEN_LASTS).as_second(),
            "auth_time": family.auth.auth_time.as_second(),
            "amr": family.auth.amr,
            "acr": family.auth.acr,
            "sid": family.sign_in,
            "galen_family": id,
            "galen_seq": family.auth.seq,
        });
        into_map(claims)
    }

    async fn personal_claims(
        &self,
        claims: &mut Map<String, Value>,
        target: &Client,
        family: &Family,
        scopes: Scopes,
        personal: &Personal,
    ) -> Result<(), Error> {
        let groups = match scopes.groups {
            true => Some(self.group_claim(family, target.registered.groups).await?),
            false => None,
        };
        scoped_claims(claims, scopes, personal, groups.flatten());
        if target.registered.aws {
            let aws = AwsClaims {
                source_identity: personal.handle.as_str().to_owned(),
                principal_tags: vec![("PersonId".to_owned(), family.person.to_string())],
                transitive_tag_keys: vec!["PersonId".to_owned()],
                roles: Some(self.0.entitlements.roles_of(family.person.into(), target.id)),
            };
            aws.write(claims);
        }
        Ok(())
    }

    async fn group_claim(&self, family: &Family, by: GroupClaim) -> Result<Option<Vec<String>>, Error> {
        let ids = self.0.entitlements.groups_of(family.person);
        if ids.len() > GROUPS_MAX {
            return Ok(None);
        }
        match by {
            GroupClaim::Ids => Ok(Some(ids.iter().map(ToString::to_string).collect())),
            GroupClaim::Names => {
                let mut names = Vec::with_capacity(ids.len());
                for id in ids {
                    let group = self.0.directory.group(id).await?;
                    names.extend(group.map(|group| group.name.to_string()));
                }
                Ok(Some(names))
            }
        }
    }

    /// The claims of the person behind an access token (OpenID Connect Core, 5.3).
    ///
    /// # Errors
    /// [`OAuthError`] with `invalid_token`.
    pub async fn userinfo(&self, access_token: &str) -> Result<Value, OAuthError> {
        let (family, scopes, client) = self.open_access_token(access_token).await?;
        let mut claims = Map::new();
        claims.insert("sub".to_owned(), json!(family.person));
        let personal = self.0.directory.personal_of(family.person).await.map_err(failed)?;
        if let Some(personal) = personal {
            let groups = match scopes.groups {
                true => self.group_claim(&family, client.registered.groups).await.map_err(failed)?,
                false => None,
            };
            scoped_claims(&mut claims, scopes, &personal, groups);
        }
        Ok(Value::Object(claims))
    }
}

fn scoped_claims(claims: &mut Map<String, Value>, scopes: Scopes, personal: &Personal, groups: Option<Vec<String>>) {
    let mut put = |name: &str, value: Value| claims.insert(name.to_owned(), value);
    if scopes.profile {
        put("name", json!(personal.display_name.as_str()));
        put("preferred_username", json!(personal.username.as_str()));
    }
    if scopes.email {
        put("email", json!(personal.email.as_str()));
    }
    if let Some(groups) = groups {
        put("groups", json!(groups));
    }
}

pub(super) fn into_map(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map.into_iter().filter(|(_, value)| !value.is_null()).collect(),
        _ => Map::new(),
    }
}
