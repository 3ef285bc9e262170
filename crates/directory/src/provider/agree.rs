//! What people agreed to: which clients beside Galen's own get tokens that speak for them.
//!
//! An agreement is to what the client is then: its name, where its answers go, whose audience it may ask for. Another registration
//! asks again. A question is about one request, one sign-in and one state of the client, and its answer too: the page carries a
//! seal over them. It must not know pages. INVARIANT: Galen's own clients alone get codes of people who did not agree.

use access::{Changed, EpochKey, OpContext, ResourceRef};
use base::{Actor, ClientId, PersonId};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use crypto::{Sha256Digest, sha256};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use store::{ReadTxn, WriteTxn};

use super::{Provider, authorize::Asked};
use crate::{Client, Error, SignIn, clients, facts, signin::Act};

const CLASS: &str = "oidc_agreement";
/// How long a person may think about a question; `max_age` of the request counts until it is asked.
const QUESTION_SECS: i64 = 600;
/// Agreements of one person that are listed; more than anybody has applications.
const LISTED_MAX: usize = 200;

#[derive(Serialize, Deserialize)]
struct Agreement {
    terms: Sha256Digest,
}

fn key(person: PersonId, client: ClientId) -> Vec<u8> {
    [person.bytes().as_slice(), client.bytes()].concat()
}

/// What an agreement is to.
fn terms(client: &Client) -> Result<Sha256Digest, Error> {
    let it = &client.registered;
    Ok(sha256(&facts::bytes(&(&it.name, &it.redirect_uris, &it.audiences))?))
}

/// What a person agreed to of a client, as the ledger shows it.
fn standing(txn: &ReadTxn<'_>, person: PersonId, client: ClientId) -> Result<Option<Value>, Error> {
    let record = txn.record_get(CLASS, &key(person, client))?;
    record.map(|record| facts::record(&record.value, "agreement")).transpose()
}

/// Keeps the agreement of a person to what a client is now; what that changed.
pub(super) fn put(txn: &mut WriteTxn<'_>, person: PersonId, client: &Client) -> Result<Option<Changed>, Error> {
    if client.is_own() {
        return Ok(None);
    }
    let old = standing(txn, person, client.id)?;
    let agreement = Agreement { terms: terms(client)? };
    txn.record_put(CLASS, &key(person, client.id), &facts::bytes(&agreement)?, None)?;
    Ok(Some(changed(client.id, old, Some(json!(agreement)))))
}

const fn changed(client: ClientId, old: Option<Value>, new: Option<Value>) -> Changed {
    Changed { kind: "agreement", subject: client.uuid(), old, new }
}

impl Provider {
    /// The question whether a person agrees, as its page carries it to the answer: when it was asked, and a seal over that, the
    /// request, the sign-in that answered the request then, and what the client is.
    ///
    /// # Errors
    /// [`Error::Custody`].
    pub fn question(&self, asked: &Asked, request: &str, sign_in: &SignIn) -> Result<String, Error> {
        self.question_of(self.now().as_second(), asked, request, sign_in)
    }

    fn question_of(&self, at: i64, asked: &Asked, request: &str, sign_in: &SignIn) -> Result<String, Error> {
        let sealed = facts::bytes(&(at, request, sign_in.id, terms(&asked.client)?))?;
        let seal = self.0.directory.0.custody.index_hash("agreement question", &sealed)?;
        Ok(format!("{at}.{}", BASE64_URL_SAFE_NO_PAD.encode(seal)))
    }

    /// Whether this is a question that was asked about this request and this sign-in at most ten minutes ago, of a client that
    /// is what it was then. Its answer then needs no fresher sign-in, whatever `max_age` says.
    ///
    /// # Errors
    /// [`Error::Custody`].
    pub fn was_asked(&self, question: &str, asked: &Asked, request: &str, sign_in: &SignIn) -> Result<bool, Error> {
        let at = question.split_once('.').and_then(|(at, _)| at.parse::<i64>().ok());
        let now = self.now().as_second();
        let Some(at) = at.filter(|at| (0..=QUESTION_SECS).contains(&now.saturating_sub(*at))) else { return Ok(false) };
        let ours = self.question_of(at, asked, request, sign_in)?;
        Ok(crypto::constant_time_eq(ours.as_bytes(), question.as_bytes()))
    }

    /// Whether a person agreed to what a client is now.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn agreed(&self, client: &Client, person: PersonId) -> Result<bool, Error> {
        if client.is_own() {
            return Ok(true);
        }
        let (key, terms) = (key(person, client.id), terms(client)?);
        let read = self.0.directory.0.store.read(move |txn| Ok::<_, Error>(txn.record_get(CLASS, &key)?));
        let Some(record) = read.await? else { return Ok(false) };
        Ok(facts::record::<Agreement>(&record.value, "agreement")?.terms == terms)
    }

    /// Remembers that a person agrees to a client.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn agree(&self, op: &OpContext, client: &Client, sign_in: &SignIn) -> Result<(), Error> {
        let (person, client) = (sign_in.person, client.clone());
        self.noted(op, "ClientAgreed", sign_in, client.id, move |txn| put(txn, person, &client)).await
    }

    /// Takes an agreement back, and cuts everything that the person has open: what the client made of its tokens is among it.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn take_back(&self, op: &OpContext, client: ClientId, sign_in: &SignIn) -> Result<(), Error> {
        let person = sign_in.person;
        let change = move |txn: &mut WriteTxn<'_>| {
            let Some(old) = standing(txn, person, client)? else { return Ok(None) };
            txn.record_delete(CLASS, &key(person, client))?;
            let why = "an agreement to a client was taken back".to_owned();
            access::epoch::raise(txn, EpochKey::Person { person }, Some(why))?;
            Ok(Some(changed(client, Some(old), None)))
        };
        self.noted(op, "ClientAgreementTakenBack", sign_in, client, change).await
    }

    /// The live clients that a person agreed to.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn agreements(&self, person: PersonId) -> Result<Vec<Client>, Error> {
        let read = self.0.directory.0.store.read(move |txn| -> Result<_, Error> {
            let mut found = Vec::new();
            for (key, _) in txn.record_prefix(CLASS, person.bytes(), None, LISTED_MAX)? {
                let id = key.get(person.bytes().len()..).and_then(|id| uuid::Uuid::from_slice(id).ok());
                let id = id.ok_or(Error::Damaged { what: "agreement" })?;
                found.extend(clients::client_in(txn, ClientId::from_uuid(id)).ok());
            }
            Ok(found)
        });
        read.await
    }

    async fn noted(
        &self,
        op: &OpContext,
        name: &'static str,
        sign_in: &SignIn,
        client: ClientId,
        mut change: impl FnMut(&mut WriteTxn<'_>) -> Result<Option<Changed>, Error> + Send + 'static,
    ) -> Result<(), Error> {
        let (directory, op, person) = (self.0.directory.clone(), op.clone(), sign_in.person);
        let parameters = json!({"signIn": sign_in.id, "client": client});
        let done = self.0.directory.0.store.write(Actor::Person(person), move |txn| {
            let changed = change(txn)?;
            let (object, parameters) = (Some(ResourceRef::Client(client)), Some(parameters.clone()));
            directory.record(txn, &op, Act { object, parameters, ..Act::of(name, person, changed.as_slice()) })
        });
        done.await.map(drop)
    }
}
