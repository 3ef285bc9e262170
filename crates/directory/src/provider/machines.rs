//! Tokens of services: the client-credentials grant (RFC 6749, section 4.4). A service is no OIDC client: it has no redirects, no scopes
//! and no refresh tokens, and nothing but its own secret gives it a token.

use access::{Member, OpContext, assume::MANAGEMENT_AUDIENCE};
use base::{Actor, DecisionId, Ids};
use protocols::{
    jwt::Kind,
    oidc::{AwsClaims, ClientAuth, ErrorCode, OAuthError},
};
use serde_json::{Map, Value, json};

use super::{
    ID_TOKEN_LASTS, Provider, Tokens, failed,
    limits::{SERVICE_REFUSED_AFTER, after, seconds},
    tokens::into_map,
};
use crate::{AWS_CLIENT, Client, Error, Service, services, signin::Act};

/// The claim that says of which kind a subject is; a person's tokens have none.
pub(super) const KIND: &str = "galen_kind";
/// What it says of a service.
pub(super) const SERVICE: &str = "service";
/// How a service proves itself, in `amr`, and the authentication context that this is.
const AMR: &str = "client_secret";
const ACR: &str = "urn:galen:acr:client-secret";

impl Provider {
    /// A token for a service that proved itself, for the audience that it asks for.
    pub(super) async fn machine_token(
        &self,
        op: &OpContext,
        auth: &ClientAuth,
        audience: Option<&str>,
    ) -> Result<Tokens, OAuthError> {
        // The position is taken before the secret is checked: a cut that comes between cuts this token too.
        let position = self.0.entitlements.position();
        let service = self.service(auth).await?;
        if !self.0.entitlements.fresh().await {
            return Err(failed(Error::Stale));
        }
        let target = self.audience(audience.unwrap_or(AWS_CLIENT)).await?;
        let keys = self.keys().await.map_err(failed)?;
        let id = DecisionId::from_uuid(self.0.directory.0.effects.uuid());
        let claims = self.machine_claims(&service, &target, position, id).map_err(failed)?;
        let signer = if target.registered.es256 { &keys.es256 } else { &keys.rs256 };
        // Of the kind of an ID token: an access token proper would be for user-info.
        let access_token = self.signed(signer, Kind::Id, &claims).map_err(failed)?;
        self.note_sign_in(op, &service, &target, id).await.map_err(failed)?;
        let expires_in = seconds(ID_TOKEN_LASTS);
        Ok(Tokens { id_token: None, access_token, refresh_token: None, expires_in, scope: String::new() })
    }

    /// The service that a request names by its id or name, after it proved itself. Guesses are limited by address alone: no number of
    /// them finds 32 random bytes, and a lockout would let anybody stop a machine whose name they know.
    async fn service(&self, auth: &ClientAuth) -> Result<Service, OAuthError> {
        let effects = &self.0.directory.0.effects;
        let begun = effects.monotonic();
        let proved = self.proved(auth).await;
        if proved.is_err() {
            let took = effects.monotonic().saturating_sub(begun);
            tokio::time::sleep(SERVICE_REFUSED_AFTER.saturating_sub(took)).await;
        }
        proved
    }

    async fn proved(&self, auth: &ClientAuth) -> Result<Service, OAuthError> {
        let wrong = || OAuthError::new(ErrorCode::InvalidClient, "there is no such service, or its secret is wrong");
        let service = match self.0.directory.resolve_service(&auth.client_id).await {
            Err(Error::NotFound { .. }) => return Err(wrong()),
            found => found.map_err(failed)?,
        };
        let secret = auth.secret.as_ref().ok_or_else(wrong)?;
        let fits = self.0.directory.secret_fits(service.id, secret).await.map_err(failed)?;
        if fits { Ok(service) } else { Err(wrong()) }
    }

    /// The client whose audience a service may have a token for: one that roles trust, and never the one whose tokens manage the
    /// installation.
    async fn audience(&self, audience: &str) -> Result<Client, OAuthError> {
        let client = self.0.directory.client_named(audience).await.map_err(failed)?;
        let trusted = client.filter(|client| client.registered.aws && audience != MANAGEMENT_AUDIENCE);
        let sentence =
            "a service gets tokens for registered clients that roles trust, and never for the command line's";
        trusted.ok_or_else(|| OAuthError::new(ErrorCode::InvalidTarget, sentence))
    }

    fn machine_claims(
        &self,
        service: &Service,
        target: &Client,
        position: u64,
        id: DecisionId,
    ) -> Result<Map<String, Value>, Error> {
        let now = self.now();
        let mut claims = into_map(json!({
            "iss": self.issuer(),
            "sub": service.id,
            KIND: SERVICE,
            "aud": target.registered.client_id,
            "azp": service.id,
            "iat": now.as_second(),
            "exp": after(now, ID_TOKEN_LASTS).as_second(),
            "auth_time": now.as_second(),
            "amr": [AMR],
            "acr": ACR,
            "jti": id,
            "galen_seq": position,
        }));
        let aws = AwsClaims {
            source_identity: services::handle(service.id)?.as_str().to_owned(),
            principal_tags: vec![("ServiceId".to_owned(), service.id.to_string())],
            transitive_tag_keys: vec!["ServiceId".to_owned()],
            roles: Some(self.0.entitlements.roles_of(service.id.into(), target.id)),
        };
        aws.write(&mut claims);
        Ok(claims)
    }

    /// Puts the sign-in into the ledger, under the id that the token carries, before the token is given.
    async fn note_sign_in(
        &self,
        op: &OpContext,
        service: &Service,
        target: &Client,
        id: DecisionId,
    ) -> Result<(), Error> {
        let (directory, op, service) = (self.0.directory.clone(), op.clone(), service.id);
        let parameters = json!({"client": target.id, "amr": [AMR], "acr": ACR});
        let noted = self.0.directory.0.store.write(Actor::Service(service), move |txn| {
            let (actor, member) = (Actor::Service(service), Some(Member::Service(service)));
            let parameters = Some(parameters.clone());
            let act = Act { name: "ServiceSignIn", actor, member, object: None, parameters, changed: &[] };
            directory.record_as(txn, &op, id, act)
        });
        noted.await.map(drop)
    }
}
