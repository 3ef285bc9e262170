//! Verifying the provider's own tokens: for STS and the management API (ID tokens), and for user-info (access tokens).

use access::{
    AuthPosition, Member,
    assume::{IdentityTokens, TokenFault, VerifiedToken},
};
use base::{PersonId, ServiceId, Timestamp};
use protocols::{
    jwt::{self, Audience, Claims, Expected, Kind, Unverified, Verified},
    oidc::{Endpoints, ErrorCode, OAuthError, Scopes},
};
use uuid::Uuid;

use super::{Provider, failed, families::Family, machines};
use crate::{Client, Error, PersonStatus};

/// Why a token is not taken, as the port says it.
fn fault(error: &jwt::Error, now: Timestamp) -> TokenFault {
    match error {
        jwt::Error::Expired { seconds_ago } => {
            TokenFault::Expired { at: Timestamp::from_second(now.as_second() - seconds_ago).unwrap_or(now), now }
        }
        jwt::Error::NotYet { .. } => TokenFault::NotYetValid,
        jwt::Error::WrongIssuer { .. } => TokenFault::UnknownIssuer,
        jwt::Error::WrongAudience { .. } => TokenFault::Audience,
        jwt::Error::BadSignature | jwt::Error::UnknownKey { .. } | jwt::Error::NoKeyId { .. } => TokenFault::Signature,
        jwt::Error::RefusedAlgorithm { .. } | jwt::Error::AlgorithmOfOtherKey { .. } => TokenFault::Malformed {
            what: "its algorithm is refused; RS256, RS384, RS512, ES256 and ES384 are accepted",
        },
        jwt::Error::TooLong { .. } => TokenFault::Malformed { what: "it has more than 20000 characters" },
        jwt::Error::NotCompact => TokenFault::Malformed { what: "it is not `header.payload.signature`" },
        jwt::Error::NotBase64 { .. } => TokenFault::Malformed { what: "a part is not base64url" },
        jwt::Error::NotJson { .. } => TokenFault::Malformed { what: "a part is not a JSON object with unique keys" },
        jwt::Error::CriticalHeader => TokenFault::Malformed { what: "it has a critical header" },
        jwt::Error::BadHeader { .. } => {
            TokenFault::Malformed { what: "its header lacks `alg`, or a header is no string" }
        }
        jwt::Error::WrongKind { .. } => TokenFault::Malformed { what: "it is not an ID token" },
        jwt::Error::MissingClaim { .. } => TokenFault::Malformed { what: "`iss`, `sub`, `aud` or `exp` is missing" },
        jwt::Error::BadClaim { .. } => {
            TokenFault::Malformed { what: "a claim has another type: `exp`, `iat` and `nbf` are integers" }
        }
        jwt::Error::BadKey { .. } | jwt::Error::TooManyKeys { .. } => TokenFault::IssuerUnreachable,
    }
}

fn family_claim(claims: &Claims) -> Option<Uuid> {
    claims.text("galen_family").and_then(|text| Uuid::try_parse(text).ok())
}

fn position(claims: &Claims) -> Option<AuthPosition> {
    Some(AuthPosition {
        auth_time: Timestamp::from_second(claims.auth_time()?).ok()?,
        seq: claims.get("galen_seq").and_then(serde_json::Value::as_u64),
        amr: claims.texts("amr").into_iter().map(str::to_owned).collect(),
        acr: claims.text("acr").map(str::to_owned),
    })
}

/// Whom a token of this provider is about. Its own claim says of which kind, so that an id is looked for among its kind alone.
fn member(claims: &Claims) -> Option<Member> {
    let subject = claims.subject();
    match claims.text(machines::KIND) {
        None => subject.parse::<PersonId>().ok().map(Member::Person),
        Some(machines::SERVICE) => subject.parse::<ServiceId>().ok().map(Member::Service),
        Some(_) => None,
    }
}

impl Provider {
    async fn claims(
        &self,
        token: &str,
        kind: Kind,
        audience: Audience<'_>,
        now: Timestamp,
    ) -> Result<Result<Verified<Claims>, jwt::Error>, Error> {
        let keys = self.keys().await?;
        let expected = Expected { issuer: self.issuer(), audience, kind, now };
        Ok(Unverified::parse(token).and_then(|token| token.verify(&keys.set, &expected)))
    }

    /// The family behind an access token, its scopes and its client.
    pub(super) async fn open_access_token(&self, token: &str) -> Result<(Family, Scopes, Client), OAuthError> {
        let refused = |sentence: String| OAuthError::new(ErrorCode::InvalidToken, sentence);
        let audience = self.endpoints().url(Endpoints::USERINFO);
        let one = [audience.as_str()];
        let read = self.claims(token, Kind::Access, Audience::OneOf(&one), self.now()).await.map_err(failed)?;
        let claims = read.map_err(|error| refused(error.to_string()))?;
        let odd = || refused("the token was not made by this release: get a new one".to_owned());
        let (id, auth) = (family_claim(&claims).ok_or_else(odd)?, position(&claims).ok_or_else(odd)?);
        let person: PersonId = claims.subject().parse().map_err(|_| odd())?;
        let client =
            self.0.directory.client_named(claims.text("client_id").unwrap_or_default()).await.map_err(failed)?;
        let client = client.ok_or_else(|| refused("the token's client is over".to_owned()))?;
        let cut = || refused("the sign-in behind the token was cut: sign in again".to_owned());
        let sign_in = self.live_family(id).await.map_err(failed)?.ok_or_else(cut)?.sign_in;
        if !self.still_good(person, sign_in, &auth).await.map_err(failed)? {
            return Err(cut());
        }
        let scope = claims.text("scope").unwrap_or_default().to_owned();
        let family = Family::new(&auth, client.id, person, sign_in, &scope);
        Ok((family, Scopes::parse(&scope), client))
    }

    /// The sign-in and client of an ID token that is given as a hint; it may have expired.
    pub(crate) async fn hinted(&self, token: &str) -> Result<Option<(String, String)>, Error> {
        let read = self.claims(token, Kind::Hint, Audience::LookedUp, self.now()).await?;
        let hint = |claims: &Claims| {
            let client = claims.audience().first()?.clone();
            Some((claims.text("sid")?.to_owned(), client))
        };
        Ok(read.ok().and_then(|claims| hint(&claims)))
    }

    /// Where the browser may go after signing out, and which sign-in the hint is of: `uri` if the hinted client registered
    /// it and is the one that `client_id` names, if that is given. The caller ends that sign-in alone: a hint of somebody
    /// else's must not sign this person out.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn after_sign_out(
        &self,
        id_token_hint: &str,
        client_id: Option<&str>,
        uri: &str,
    ) -> Result<Option<(String, String)>, Error> {
        let hinted = self.hinted(id_token_hint).await?;
        let Some((sign_in, client)) = hinted.filter(|(_, client)| client_id.is_none_or(|named| named == client)) else {
            return Ok(None);
        };
        let client = self.0.directory.client_named(&client).await?;
        let registered = client.is_some_and(|client| client.registered.post_logout_uris.iter().any(|one| one == uri));
        Ok(registered.then(|| (uri.to_owned(), sign_in)))
    }

    /// Whom a verified token is about: its person or service, and its client, if its family was not cut.
    async fn resolve(&self, claims: Verified<Claims>, now: Timestamp) -> Result<VerifiedToken, TokenFault> {
        let malformed = |what| TokenFault::Malformed { what };
        let rejected = |why| TokenFault::Rejected { why };
        let audience = match claims.audience() {
            [one] => one.clone(),
            _ => return Err(TokenFault::Audience),
        };
        let auth = position(&claims).ok_or_else(|| malformed("`auth_time` is missing"))?;
        let unknown = || rejected("its subject is not a person or service of this directory");
        let member = member(&claims).ok_or_else(unknown)?;
        let live = match family_claim(&claims) {
            Some(family) => self.live_family(family).await.map_err(|_| TokenFault::IssuerUnreachable)?.is_some(),
            None => true,
        };
        if !live {
            return Err(rejected("the sign-in that it came from was cut: sign in again"));
        }
        let known = self.known(member, &audience).await.map_err(|_| TokenFault::IssuerUnreachable)?;
        let handle = match known.standing.ok_or_else(unknown)? {
            (PersonStatus::Active, Some(handle)) => handle,
            _ => return Err(rejected("its subject may not sign in any more")),
        };
        let time = |seconds: i64| Timestamp::from_second(seconds).unwrap_or(now);
        Ok(VerifiedToken {
            issuer: claims.issuer().to_owned(),
            subject: claims.subject().to_owned(),
            audience,
            client: known.client,
            person: if let Member::Person(person) = member { Some(person) } else { None },
            service: if let Member::Service(service) = member { Some(service) } else { None },
            handle,
            issued: time(claims.issued().unwrap_or_else(|| now.as_second())),
            expires: time(claims.expires()),
            auth,
            sign_in: claims.text("sid").and_then(|sid| sid.parse().ok()),
            claims: claims.into_inner().into_all(),
        })
    }
}

#[async_trait::async_trait]
impl IdentityTokens for Provider {
    async fn verify(&self, token: &str, now: Timestamp) -> Result<VerifiedToken, TokenFault> {
        let read = self.claims(token, Kind::Id, Audience::LookedUp, now).await;
        let read = read.map_err(|_| TokenFault::IssuerUnreachable)?;
        let claims = read.map_err(|error| fault(&error, now))?;
        self.resolve(claims, now).await
    }
}
