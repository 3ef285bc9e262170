//! Authorization codes: one minute, one use. A second use cuts the tokens of the first.

use access::{AuthPosition, OpContext};
use base::{Actor, ClientId, Ids, PersonId, Secret, SignInId, Timestamp};
use crypto::sha256;
use protocols::oidc::{Challenge, ErrorCode, OAuthError, Scopes};
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::WriteTxn;
use uuid::Uuid;

use super::{
    Asked, CODE_LASTS, CODE_REMEMBERED, Provider, Tokens, failed,
    families::{self, Family},
    limits::after,
};
use crate::{Client, Directory, Error, SignIn, facts};

const CLASS: &str = "oidc_code";

#[derive(Clone, Serialize, Deserialize)]
struct Code {
    client: ClientId,
    redirect_uri: String,
    challenge: String,
    scopes: String,
    nonce: Option<String>,
    person: PersonId,
    auth: AuthPosition,
    sign_in: SignInId,
    /// The family of tokens that this code begins.
    family: Uuid,
    expires: Timestamp,
    used: bool,
}

/// What came of handing in a code. Every case is committed: a wrong use burns the code.
enum Handed {
    Good(Box<Code>),
    Refused(&'static str),
}

/// What a client hands in with a code.
pub(super) struct HandedIn {
    pub(super) code: Secret<String>,
    pub(super) redirect_uri: String,
    pub(super) verifier: Secret<String>,
}

fn use_code(
    txn: &mut WriteTxn<'_>,
    by: (&Directory, &OpContext),
    hash: &[u8; 32],
    client: &Client,
    redirect_uri: &str,
    verifier: &Secret<String>,
) -> Result<Handed, Error> {
    let Some(record) = txn.record_get(CLASS, hash)? else {
        return Ok(Handed::Refused("the code is not known, or was used up long ago"));
    };
    let mut code: Code = facts::record(&record.value, "code")?;
    if code.used {
        families::cut_sign_in(txn, by, code.family, "its code was used twice")?;
        txn.outbox("oidc.code_replayed", &json!({"person": code.person, "client": code.client}))?;
        return Ok(Handed::Refused("the code was used before: everything that came of it is cut, sign in again"));
    }
    code.used = true;
    txn.record_put(CLASS, hash, &facts::bytes(&code)?, record.expires)?;
    let challenge = Challenge::parse(&code.challenge);
    let refused = if code.client != client.id {
        "the code was given to another client"
    } else if code.expires <= txn.now() {
        "the code has expired: it is good for one minute"
    } else if code.redirect_uri != redirect_uri {
        "`redirect_uri` is not the one of the authorization request"
    } else if !challenge.is_some_and(|challenge| challenge.is_met_by(verifier.expose())) {
        "`code_verifier` does not belong to the code's challenge (PKCE)"
    } else {
        let family = Family::new(&code.auth, code.client, code.person, code.sign_in, &code.scopes);
        families::put(txn, code.family, &family)?;
        return Ok(Handed::Good(Box::new(code)));
    };
    Ok(Handed::Refused(refused))
}

impl Provider {
    pub(super) async fn new_code(&self, asked: &Asked, sign_in: &SignIn) -> Result<String, Error> {
        let text = self.random();
        let hash = sha256(text.as_bytes()).0;
        let now = self.now();
        let code = Code {
            client: asked.client.id,
            redirect_uri: asked.redirect_uri().to_owned(),
            challenge: asked.request.challenge.as_str().to_owned(),
            scopes: asked.request.scopes.text(),
            nonce: asked.request.nonce.clone(),
            person: sign_in.person,
            auth: sign_in.auth.clone(),
            sign_in: sign_in.id,
            family: self.0.directory.0.effects.uuid(),
            expires: after(now, CODE_LASTS),
            used: false,
        };
        let (value, expires) = (facts::bytes(&code)?, Some(after(now, CODE_REMEMBERED)));
        let put =
            move |txn: &mut WriteTxn<'_>| -> Result<u64, Error> { Ok(txn.record_put(CLASS, &hash, &value, expires)?) };
        self.0.directory.0.store.write(Actor::Person(sign_in.person), put).await?;
        Ok(text)
    }

    pub(super) async fn exchange_code(
        &self,
        op: &OpContext,
        client: &Client,
        handed: HandedIn,
    ) -> Result<Tokens, OAuthError> {
        let hash = sha256(handed.code.expose().as_bytes()).0;
        let (mine, directory, op) = (client.clone(), self.0.directory.clone(), op.clone());
        let used = self.0.directory.0.store.write(Actor::System, move |txn| {
            use_code(txn, (&directory, &op), &hash, &mine, &handed.redirect_uri, &handed.verifier)
        });
        let invalid = |sentence: &'static str| OAuthError::new(ErrorCode::InvalidGrant, sentence);
        let code = match used.await.map_err(failed)?.value {
            Handed::Good(code) => code,
            Handed::Refused(sentence) => return Err(invalid(sentence)),
        };
        if !self.still_good(code.person, code.sign_in, &code.auth).await.map_err(failed)? {
            return Err(invalid("the sign-in was cut meanwhile: sign in again"));
        }
        let family = Family::new(&code.auth, code.client, code.person, code.sign_in, &code.scopes);
        let scopes = Scopes::parse(&code.scopes);
        let refresh = match scopes.offline_access {
            true => Some(self.first_refresh(code.family).await.map_err(failed)?),
            false => None,
        };
        self.tokens(client, client, code.family, &family, scopes, code.nonce.as_deref(), refresh).await
    }
}
