//! Signing in with a password, and the browser's sign-in that follows from it.
//!
//! A sign-in is a record under the hash of its cookie. INVARIANT: whoever can read the store cannot sign in with it.

use access::{AuthPosition, ChangeRecorder, EpochKey, OpContext};
use base::{Actor, DecisionId, Ids, PersonId, Secret, SignInId, Timestamp};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use crypto::sha256;
use ledger::{Entry, EventType, Phase, Sealed, UserIdentity};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::time::Duration;
use store::{PendingEntry, ReadTxn, WriteTxn, prefix_end};

use crate::{
    Directory, Error, PersonStatus, Username, facts,
    lockout::{self, Attempt},
    password::Chosen,
    people::{self, Attribute},
};
use std::ops::Bound;

/// How long a sign-in lasts at most: one working day, after which the password is asked for again.
pub const SIGN_IN_LASTS: Duration = Duration::from_secs(12 * 3600);
/// How long a sign-in lasts without use.
pub const SIGN_IN_IDLE: Duration = Duration::from_secs(3600);
/// Use is written down at most this often, so that reading pages does not write each time.
const SEEN_EVERY: Duration = Duration::from_secs(60);
/// Most sign-ins of one person that one change ends; more than a person has devices.
const SIGN_INS_MAX: usize = 1000;
/// Longest user name that is looked at; longer ones are nobody's.
const NAME_CHARS_MAX: usize = 128;

/// Characters of the program's name that are kept.
const AGENT_CHARS_MAX: usize = 256;

/// Authentication context of a password alone.
pub const ACR_PASSWORD: &str = "urn:galen:acr:password";

const CLASS: &str = "sign_in";
const BY_PERSON: &str = "sign_in_by_person";

/// A person who has shown who they are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SignIn {
    /// This sign-in; ID tokens carry it as `sid`.
    pub id: SignInId,
    /// Who.
    pub person: PersonId,
    /// When and how, and where the line of epochs was.
    pub auth: AuthPosition,
    /// Last use that was written down.
    seen: Timestamp,
}

fn after(now: Timestamp, lasts: Duration) -> Timestamp {
    now.checked_add(lasts).unwrap_or(Timestamp::MAX)
}

fn index_key(person: PersonId, cookie: &[u8; 32]) -> Vec<u8> {
    [person.bytes().as_slice(), cookie].concat()
}

/// An entry of the ledger about signing in.
pub(crate) fn note(id: DecisionId, now: Timestamp, name: &str, who: UserIdentity) -> Entry {
    let mut entry = Entry::new(Phase::Note, id, now, "galen.directory", name, who);
    entry.event_type = EventType::GalenSignIn;
    entry
}

/// An entry as it waits in its change.
pub(crate) fn pending(entry: &Entry) -> Result<PendingEntry, Error> {
    let bytes = entry.encode().map_err(|_| Error::Damaged { what: "ledger entry" })?;
    Ok(PendingEntry { id: entry.event_id.uuid(), bytes })
}

struct Account {
    person: PersonId,
    active: bool,
    hash: Option<Secret<Vec<u8>>>,
}

impl Directory {
    /// Checks a user name and a password. Unknown users cost the same work and lock in the same way.
    ///
    /// # Errors
    /// [`Error::WrongCredentials`], [`Error::Locked`], [`Error::Busy`]; [`Error::FirstPassword`] for one that somebody else chose.
    pub async fn authenticate(
        &self,
        op: &OpContext,
        username: &str,
        password: &Secret<String>,
    ) -> Result<PersonId, Error> {
        match self.check(op, username, password).await? {
            (person, Chosen::ByThemself) => Ok(person),
            (_, Chosen::ByAnother) => Err(Error::FirstPassword),
        }
    }

    /// Sets an own password by the old one: all that a password is good for that somebody else chose.
    ///
    /// # Errors
    /// [`Error::WrongCredentials`], [`Error::Locked`], [`Error::Busy`], [`Error::BadPassword`], [`Error::SamePassword`].
    pub async fn choose_password(
        &self,
        op: &OpContext,
        username: &str,
        old: &Secret<String>,
        new: &Secret<String>,
    ) -> Result<(), Error> {
        let (person, _) = self.check(op, username, old).await?;
        if old.expose() == new.expose() {
            return Err(Error::SamePassword);
        }
        let hash = self.0.passwords.hash(new, Chosen::ByThemself).await?;
        let sealed = self.subject_key(person).await?.seal(Attribute::Password.name(), hash.expose())?;
        let name = self.username_of(person).await?.ok_or_else(|| facts::no_person(person))?;
        let (id, now) = (DecisionId::from_uuid(self.0.effects.uuid()), self.0.effects.now());
        let mut note = note(id, now, "PasswordChosen", UserIdentity::new(Actor::Person(person)));
        note.request_id = Some(op.request);
        let recorder = ChangeRecorder::at_the_door(note);
        let set = self.0.store.write(Actor::Person(person), move |txn| {
            people::put_password(txn, person, &sealed, &name, Some("chosen by the person"))?;
            Ok::<_, Error>(recorder.record(txn)?)
        });
        set.await.map(drop)
    }

    /// The person whose user name and password these are, and who chose the password.
    async fn check(
        &self,
        op: &OpContext,
        username: &str,
        password: &Secret<String>,
    ) -> Result<(PersonId, Chosen), Error> {
        let username: String = username.trim().chars().take(NAME_CHARS_MAX).collect();
        let parsed = username.parse::<Username>().ok();
        let folded = parsed.as_ref().map_or_else(|| username.to_lowercase(), Username::folded);
        let name = self.0.custody.index_hash("username", folded.as_bytes())?;
        self.count_attempt(op, name).await?;
        let account = self.account(name).await?;
        let hash = account.as_ref().and_then(|account| account.hash.as_ref());
        let chosen = self.0.passwords.verify(password, hash).await?;
        match account.filter(|account| account.active).zip(chosen) {
            Some((account, chosen)) => {
                let source = op.source_ip;
                self.0.store.write(Actor::System, move |txn| lockout::succeeded(txn, &name, source)).await?;
                Ok((account.person, chosen))
            }
            None => Err(Error::WrongCredentials),
        }
    }

    async fn count_attempt(&self, op: &OpContext, name: [u8; 32]) -> Result<(), Error> {
        let (entry, request, now) = (DecisionId::from_uuid(self.0.effects.uuid()), op.request, self.0.effects.now());
        let source = op.source_ip;
        let counted = self.0.store.write(Actor::System, move |txn| -> Result<Attempt, Error> {
            let attempt = lockout::attempt(txn, &name, source)?;
            if let Attempt::Refused { just_now: true, until } = attempt {
                // Security learns of it at once (SIG-07): the outbox is what notifications are sent from.
                let person = people::person_by_hash(txn, &name)?;
                txn.outbox("sign_in.locked", &json!({"person": person, "until": until}))?;
                let who = person.map_or(UserIdentity::anonymous(), |person| UserIdentity::new(Actor::Person(person)));
                let mut note = note(entry, now, "SignInLocked", who);
                note.request_id = Some(request);
                txn.pending(&pending(&note)?)?;
            }
            Ok(attempt)
        });
        match counted.await?.value {
            Attempt::Allowed => Ok(()),
            Attempt::Refused { until, .. } => Err(Error::Locked { until }),
        }
    }

    async fn account(&self, name: [u8; 32]) -> Result<Option<Account>, Error> {
        let directory = self.clone();
        self.0
            .store
            .read(move |txn| {
                let Some(person) = people::person_by_hash(txn, &name)? else { return Ok(None) };
                let active = people::status_in(txn, person)? == PersonStatus::Active;
                let hash = directory.password_in(txn, person)?;
                Ok(Some(Account { person, active, hash }))
            })
            .await
    }

    fn password_in(&self, txn: &ReadTxn<'_>, person: PersonId) -> Result<Option<Secret<Vec<u8>>>, Error> {
        let name = Attribute::Password.name();
        let Some(key) = self.0.custody.subject_key_in(txn, person)? else { return Ok(None) };
        let Some(sealed) = txn.sealed_get(person.uuid(), name)? else { return Ok(None) };
        Ok(Some(key.open(name, &sealed)?))
    }

    /// Begins a sign-in of a person who was authenticated just now; gives it with the secret for its cookie.
    /// `position` is the issuer's sequence number. The ledger has an entry of it under the sign-in's id; the address and the
    /// program it came from are sealed in it.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn begin_sign_in(
        &self,
        op: &OpContext,
        person: PersonId,
        position: u64,
    ) -> Result<(SignIn, Secret<String>), Error> {
        let secret = BASE64_URL_SAFE_NO_PAD.encode(self.0.crypto.bytes::<32>());
        let cookie = sha256(secret.as_bytes()).0;
        let now = self.0.effects.now();
        // Rounded down to a second, as the tokens carry it.
        let auth_time = Timestamp::from_second(now.as_second()).unwrap_or(now);
        let auth = AuthPosition {
            auth_time,
            seq: Some(position),
            amr: vec!["pwd".to_owned()],
            acr: Some(ACR_PASSWORD.to_owned()),
        };
        let sign_in = SignIn { id: SignInId::from_uuid(self.0.effects.uuid()), person, auth, seen: now };
        let entry = pending(&self.sign_in_note(op, &sign_in, now).await?)?;
        let (value, expires) = (facts::bytes(&sign_in)?, Some(after(now, SIGN_IN_LASTS)));
        self.0
            .store
            .write(Actor::Person(person), move |txn| -> Result<(), Error> {
                txn.record_put(CLASS, &cookie, &value, expires)?;
                txn.record_put(BY_PERSON, &index_key(person, &cookie), &[], expires)?;
                txn.pending(&entry)?;
                Ok(())
            })
            .await?;
        Ok((sign_in, Secret::new(secret)))
    }

    async fn sign_in_note(&self, op: &OpContext, sign_in: &SignIn, now: Timestamp) -> Result<Entry, Error> {
        let id = DecisionId::from_uuid(sign_in.id.uuid());
        let mut entry = note(id, now, "SignIn", UserIdentity::new(Actor::Person(sign_in.person)));
        entry.request_id = Some(op.request);
        entry.request_parameters = Some(
            json!({"signIn": sign_in.id, "amr": sign_in.auth.amr, "acr": sign_in.auth.acr, "position": sign_in.auth.seq}),
        );
        let agent: Option<String> = op.user_agent.as_ref().map(|agent| agent.chars().take(AGENT_CHARS_MAX).collect());
        let personal = json!({"sourceIPAddress": op.source_ip, "userAgent": agent}).to_string();
        if let Some(blob) = self.0.custody.seal_blob(sign_in.person, personal.as_bytes()).await? {
            entry.sealed.push(Sealed { subject: sign_in.person.to_string(), blob });
        }
        Ok(entry)
    }

    /// The sign-in behind a cookie, if it still lasts. Whether an epoch cut it is the caller's question.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn sign_in(&self, cookie: &Secret<String>) -> Result<Option<SignIn>, Error> {
        let cookie = sha256(cookie.expose().as_bytes()).0;
        let found = self.0.store.read(move |txn| -> Result<_, Error> { Ok(txn.record_get(CLASS, &cookie)?) }).await?;
        let Some(record) = found else { return Ok(None) };
        let mut sign_in: SignIn = facts::record(&record.value, "sign-in")?;
        let now = self.0.effects.now();
        if after(sign_in.seen, SIGN_IN_IDLE) <= now {
            return Ok(None);
        }
        if after(sign_in.seen, SEEN_EVERY) <= now {
            sign_in.seen = now;
            let (value, revision, expires) = (facts::bytes(&sign_in)?, record.revision, record.expires);
            let seen = move |txn: &mut WriteTxn<'_>| -> Result<bool, Error> {
                Ok(txn.record_update(CLASS, &cookie, revision, &value, expires)?)
            };
            self.0.store.write(Actor::Person(sign_in.person), seen).await?;
        }
        Ok(Some(sign_in))
    }

    /// Ends the sign-in behind a cookie: another one took its place. What came of it lasts.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn end_sign_in(&self, cookie: &Secret<String>) -> Result<(), Error> {
        let cookie = sha256(cookie.expose().as_bytes()).0;
        self.0.store.write(Actor::System, move |txn| forget(txn, &cookie).map(drop)).await.map(drop)
    }

    /// Signs out: ends the sign-in behind a cookie, and cuts everything that came of it.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn sign_out(&self, cookie: &Secret<String>) -> Result<(), Error> {
        let cookie = sha256(cookie.expose().as_bytes()).0;
        let done = self.0.store.write(Actor::System, move |txn| -> Result<(), Error> {
            if let Some(sign_in) = forget(txn, &cookie)? {
                access::epoch::raise(txn, EpochKey::SignIn { sign_in: sign_in.id }, Some("signed out".to_owned()))?;
            }
            Ok(())
        });
        done.await.map(drop)
    }
}

/// Takes a sign-in out of the store.
fn forget(txn: &mut WriteTxn<'_>, cookie: &[u8; 32]) -> Result<Option<SignIn>, Error> {
    let Some(record) = txn.record_get(CLASS, cookie)? else { return Ok(None) };
    let sign_in: SignIn = facts::record(&record.value, "sign-in")?;
    txn.record_delete(BY_PERSON, &index_key(sign_in.person, cookie))?;
    txn.record_delete(CLASS, cookie)?;
    Ok(Some(sign_in))
}

/// Ends every sign-in of a person.
pub(crate) fn end_all_of(txn: &mut WriteTxn<'_>, person: PersonId) -> Result<(), Error> {
    let from = person.bytes().as_slice();
    let end = prefix_end(from);
    let to = end.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
    let rows = txn.record_scan(BY_PERSON, Bound::Included(from), to, SIGN_INS_MAX, store::Direction::Forward)?;
    for (key, _) in rows {
        if let Some(cookie) = key.get(from.len()..) {
            txn.record_delete(CLASS, cookie)?;
        }
        txn.record_delete(BY_PERSON, &key)?;
    }
    Ok(())
}
