//! Signing in with a password, and the browser's sign-in that follows from it.
//!
//! A sign-in is a record under the hash of its cookie. INVARIANT: whoever can read the store cannot sign in with it.

use access::{AtTheDoor, AuthPosition, Changed, EpochKey, Member, OpContext, ResourceRef};
use base::{Actor, DecisionId, Ids, PersonId, Secret, SignInId, Timestamp};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use crypto::sha256;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::time::Duration;
use store::{ReadTxn, WriteTxn, prefix_end};

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

/// An act at a door, for its entry in the ledger; see [`Directory::record`].
pub(crate) struct Act<'a> {
    pub(crate) name: &'static str,
    /// Who did it; Galen itself where somebody unknown was the cause.
    pub(crate) actor: Actor,
    /// Whom it concerns.
    pub(crate) member: Option<Member>,
    /// What it was done to, where that is not whom it concerns.
    pub(crate) object: Option<ResourceRef>,
    pub(crate) parameters: Option<Value>,
    /// What it changed beside facts.
    pub(crate) changed: &'a [Changed],
}

impl<'a> Act<'a> {
    /// What a person does to what is theirs.
    pub(crate) const fn of(name: &'static str, person: PersonId, changed: &'a [Changed]) -> Self {
        let member = Some(Member::Person(person));
        Self { name, actor: Actor::Person(person), member, object: None, parameters: None, changed }
    }
}

/// A sign-in as a change shows it.
fn changed_sign_in(sign_in: &SignIn, old: Option<Value>, new: Option<Value>) -> Changed {
    Changed { kind: "sign_in", subject: sign_in.id.uuid(), old, new }
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
        let (directory, op) = (self.clone(), op.clone());
        let set = self.0.store.write(Actor::Person(person), move |txn| {
            people::put_password(txn, person, &sealed, &name, Some("chosen by the person"))?;
            directory.record(txn, &op, Act::of("PasswordChosen", person, &[]))
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
        let (directory, op) = (self.clone(), op.clone());
        let counted = self.0.store.write(Actor::System, move |txn| -> Result<Attempt, Error> {
            let attempt = lockout::attempt(txn, &name, op.source_ip)?;
            if let Attempt::Refused { just_now: true, until } = attempt {
                // Security learns of it at once (SIG-07): the outbox is what notifications are sent from.
                let person = people::person_by_hash(txn, &name)?;
                txn.outbox("sign_in.locked", &json!({"person": person, "until": until}))?;
                let subject = person.map_or(uuid::Uuid::nil(), PersonId::uuid);
                let new = Some(json!({"lockedUntil": until}));
                let changed = [Changed { kind: "sign_in_lock", subject, old: Some(json!({"lockedUntil": null})), new }];
                let object = person.is_none().then_some(ResourceRef::Installation);
                let (name, actor, parameters) = ("SignInLocked", Actor::System, None);
                let member = person.map(Member::Person);
                directory.record(txn, &op, Act { name, actor, member, object, parameters, changed: &changed })?;
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
        let (value, expires) = (facts::bytes(&sign_in)?, Some(after(now, SIGN_IN_LASTS)));
        let (directory, op, made) = (self.clone(), op.clone(), sign_in.clone());
        self.0
            .store
            .write(Actor::Person(person), move |txn| -> Result<(), Error> {
                txn.record_put(CLASS, &cookie, &value, expires)?;
                txn.record_put(BY_PERSON, &index_key(person, &cookie), &[], expires)?;
                let auth = &made.auth;
                let new = json!({"amr": auth.amr, "acr": auth.acr, "position": auth.seq, "expires": expires});
                let changed = [changed_sign_in(&made, None, Some(new))];
                let parameters = Some(json!({"signIn": made.id, "amr": auth.amr, "acr": auth.acr}));
                let act = Act { parameters, ..Act::of("SignIn", person, &changed) };
                directory.record_as(txn, &op, DecisionId::from_uuid(made.id.uuid()), act)
            })
            .await?;
        Ok((sign_in, Secret::new(secret)))
    }

    /// Puts the entry of an act at a door into its transaction; call it last.
    pub(crate) fn record(&self, txn: &mut WriteTxn<'_>, op: &OpContext, act: Act<'_>) -> Result<(), Error> {
        self.record_as(txn, op, DecisionId::from_uuid(self.0.effects.uuid()), act)
    }

    pub(crate) fn record_as(
        &self,
        txn: &mut WriteTxn<'_>,
        op: &OpContext,
        id: DecisionId,
        act: Act<'_>,
    ) -> Result<(), Error> {
        let Act { name, actor, member, object, parameters, changed } = act;
        let source_identity = match member {
            Some(Member::Person(person)) => self.handle_in(txn, person)?,
            Some(Member::Service(service)) => Some(crate::services::handle(service)?),
            None => None,
        };
        let object = object.or(member.map(ResourceRef::from)).unwrap_or(ResourceRef::Installation);
        let actor = Some(actor);
        let act = AtTheDoor { id, name, actor, member, source_identity, object, parameters, changed };
        Ok(self.0.access.record_at_the_door(txn, op, act)?)
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
    pub async fn end_sign_in(&self, op: &OpContext, cookie: &Secret<String>) -> Result<(), Error> {
        self.forget(op, cookie, "SignInReplaced", |_, _| Ok(())).await
    }

    /// Signs out: ends the sign-in behind a cookie, and cuts everything that came of it.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn sign_out(&self, op: &OpContext, cookie: &Secret<String>) -> Result<(), Error> {
        let cut = |txn: &mut WriteTxn<'_>, sign_in: SignInId| {
            access::epoch::raise(txn, EpochKey::SignIn { sign_in }, Some("signed out".to_owned()))?;
            Ok(())
        };
        self.forget(op, cookie, "SignOut", cut).await
    }

    /// Takes the sign-in behind a cookie out of the store, does what goes with it, and leaves an entry.
    async fn forget(
        &self,
        op: &OpContext,
        cookie: &Secret<String>,
        name: &'static str,
        mut then: impl FnMut(&mut WriteTxn<'_>, SignInId) -> Result<(), Error> + Send + 'static,
    ) -> Result<(), Error> {
        let cookie = sha256(cookie.expose().as_bytes()).0;
        let (directory, op) = (self.clone(), op.clone());
        let done = self.0.store.write(Actor::System, move |txn| -> Result<(), Error> {
            let Some(sign_in) = forget(txn, &cookie)? else { return Ok(()) };
            then(txn, sign_in.id)?;
            let changed = [changed_sign_in(&sign_in, Some(json!({"seen": sign_in.seen})), None)];
            let parameters = Some(json!({"signIn": sign_in.id}));
            directory.record(txn, &op, Act { parameters, ..Act::of(name, sign_in.person, &changed) })
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
