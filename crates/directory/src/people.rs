//! People: made, shown, changed, deactivated. Their attributes are sealed under a key of their own.

mod attributes;

use access::{EpochKey, Member, Permit, api};
use base::{Actor, Ids, PersonId, Secret, SourceIdentity, Timestamp};
use store::{ReadTxn, ViewedRow, WriteTxn};

pub(crate) use attributes::{Attribute, Names, USERNAME_CLASS};

use crate::{
    Directory, DisplayName, Email, Error, Made, Proposed, Username,
    approval::{self, Route},
    facts,
    password::{self, Chosen},
};
use serde::{Deserialize, Serialize};

/// A person to be made.
pub struct NewPerson {
    /// What they type to sign in.
    pub username: Username,
    /// What is shown.
    pub display_name: DisplayName,
    /// Where mail goes; nobody else's who is not erased.
    pub email: Email,
    /// The source identity; `None` takes the user name or mail address if it was never anybody's, else derives one.
    pub handle: Option<SourceIdentity>,
    /// The first password; `None`: cannot sign in until one is set. What another person chose only sets an own one.
    pub password: Option<Secret<String>>,
    /// That the password only sets an own one, also where Galen itself makes the person: its operator knows it.
    pub one_time: bool,
}

/// What may be changed of a person; the source identity never is.
#[derive(Default)]
pub struct PersonChange {
    /// Another user name.
    pub username: Option<Username>,
    /// Another name.
    pub display_name: Option<DisplayName>,
    /// Another mail address.
    pub email: Option<Email>,
}

/// Whether a person may sign in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PersonStatus {
    /// May sign in.
    Active,
    /// May not, and can be let in again.
    Deactivated,
    /// Attributes are destroyed; only the id remains.
    Erased,
}

impl PersonStatus {
    /// The word in API and messages.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Deactivated => "deactivated",
            Self::Erased => "erased",
        }
    }
}

/// A person as the directory shows them.
#[derive(Clone, Debug, PartialEq)]
pub struct Person {
    /// The id, for ever.
    pub id: PersonId,
    /// Whether they may sign in.
    pub status: PersonStatus,
    /// When they were made.
    pub created: Timestamp,
    /// What is sealed; `None` after an erasure.
    pub personal: Option<Personal>,
}

/// The sealed attributes of a person.
#[derive(Clone, Debug, PartialEq)]
pub struct Personal {
    /// What they type to sign in.
    pub username: Username,
    /// What is shown.
    pub display_name: DisplayName,
    /// Where mail goes.
    pub email: Email,
    /// The source identity of all their sessions.
    pub handle: SourceIdentity,
}

#[derive(Deserialize)]
struct Row {
    status: PersonStatus,
    created: Timestamp,
}

impl Directory {
    /// Makes a person; the user name, the mail address and the source identity are reserved in the same change.
    ///
    /// # Errors
    /// [`Error::UsernameTaken`], [`Error::EmailTaken`], [`Error::HandleTaken`], [`Error::BadPassword`].
    pub async fn create_person(&self, permit: Permit<api::CreatePerson>, new: NewPerson) -> Result<PersonId, Error> {
        let id = PersonId::from_uuid(self.0.effects.uuid());
        let chosen = if new.one_time { Chosen::ByAnother } else { chosen_by(permit.actor(), id) };
        let prepared = self.prepare(id, &new, chosen).await?;
        self.change(permit, move |txn| prepared.write(txn)).await?;
        Ok(id)
    }

    /// Shows one person.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn show_person(&self, permit: Permit<api::ShowPerson>) -> Result<Person, Error> {
        let id = *permit.resource();
        let shown = self.person(id).await;
        permit.finish(crate::outcome(shown.is_ok()));
        shown?.ok_or_else(|| facts::no_person(id))
    }

    /// Lists people after an id, at most `limit`, in the order of their making.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn list_people(
        &self,
        permit: Permit<api::ListPeople>,
        after: Option<PersonId>,
        limit: usize,
    ) -> Result<Vec<Person>, Error> {
        let after = after.map(|id| id.to_string());
        let directory = self.clone();
        let read = self.0.store.read(move |txn| {
            let now = txn.now();
            let live = |row: &ViewedRow| row.valid.contains(now).then(|| directory.person_of_row(txn, row));
            txn.view_page(facts::VIEW_PERSON, None, after.as_deref(), limit, live)?.into_iter().collect()
        });
        let listed: Result<Vec<Person>, Error> = read.await;
        permit.finish(crate::outcome(listed.is_ok()));
        listed
    }

    /// Changes attributes of a person.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::NotActive`] after an erasure, [`Error::UsernameTaken`], [`Error::EmailTaken`].
    pub async fn change_person(
        &self,
        permit: Permit<api::ChangePerson>,
        change: PersonChange,
        reason: Option<String>,
    ) -> Result<(), Error> {
        let id = *permit.resource();
        let prepared = self.prepare_change(id, &change).await?;
        self.change(permit, move |txn| prepared.write(txn, reason.as_deref())).await
    }

    /// Sets a password, ends the lockout, and cuts everything that the person has open. The password of somebody else waits
    /// for a second approval where the permit obliges to it, or where they have one already.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::NotActive`] after an erasure, [`Error::BadPassword`].
    pub async fn set_password(
        &self,
        permit: Permit<api::SetPassword>,
        password: &Secret<String>,
        reason: Option<String>,
    ) -> Result<Made<()>, Error> {
        let id = *permit.resource();
        let hash = self.0.passwords.hash(password, chosen_by(permit.actor(), id)).await?;
        let key = self.subject_key(id).await?;
        let sealed = key.seal(Attribute::Password.name(), hash.expose())?;
        let personal = self.personal_of(id).await?.ok_or_else(|| facts::no_person(id))?;
        let name = self.username_hash(&personal.username)?;
        let others = chosen_by(permit.actor(), id) == Chosen::ByAnother;
        let needed = permit.obligations().approval || others && self.has_password(id).await?;
        let route = self.route(&permit, needed, Some(name))?;
        self.change(permit, move |txn| {
            let reason = reason.as_deref();
            let proposed = Proposed::SetPassword { person: id, sealed: sealed.clone() };
            match &route {
                Route::Second(first) => {
                    not_erased(txn, id)?;
                    return approval::request(txn, first, proposed, reason).map(Box::new).map(Made::Waits);
                }
                Route::Waived(by) => approval::waive(txn, *by, &proposed, reason)?,
                Route::Alone => {}
            }
            put_password(txn, id, &sealed, &name, reason).map(Made::Now)
        })
        .await
    }

    async fn has_password(&self, id: PersonId) -> Result<bool, Error> {
        let name = Attribute::Password.name();
        self.0.store.read(move |txn| Ok(txn.sealed_get(id.uuid(), name)?.is_some())).await
    }

    /// Deactivates a person and cuts everything that they have open. Their memberships stay, for whom it is undone.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::NotActive`] when they are not; [`Error::Access`] for the last administrator.
    pub async fn deactivate(&self, permit: Permit<api::DeactivatePerson>, reason: Option<String>) -> Result<(), Error> {
        let id = *permit.resource();
        self.change(permit, move |txn| {
            active(txn, id)?;
            facts::add(txn, facts::PERSON_DEACTIVATED, id.uuid(), &serde_json::json!({}), reason.as_deref())?;
            let member = Member::Person(id);
            for group in access::facts::groups(txn, member)? {
                access::facts::keep_administrator(txn, member, group, may_sign_in)?;
            }
            access::epoch::raise(txn, EpochKey::Person { person: id }, reason.clone())?;
            Ok(())
        })
        .await
    }

    /// Lets a deactivated person in again, with the memberships that they had. It waits for a second approval where the permit
    /// obliges to it.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::NotActive`] when they are active or erased.
    pub async fn reactivate(
        &self,
        permit: Permit<api::ReactivatePerson>,
        reason: Option<String>,
    ) -> Result<Made<()>, Error> {
        let id = *permit.resource();
        let username = self.username_of(id).await?;
        let route = self.route(&permit, permit.obligations().approval, username)?;
        self.change(permit, move |txn| {
            let (reason, proposed) = (reason.as_deref(), Proposed::ReactivatePerson { person: id });
            match &route {
                Route::Second(first) => {
                    deactivated(txn, id)?;
                    return approval::request(txn, first, proposed, reason).map(Box::new).map(Made::Waits);
                }
                Route::Waived(by) => approval::waive(txn, *by, &proposed, reason)?,
                Route::Alone => {}
            }
            let_in(txn, id, reason).map(Made::Now)
        })
        .await
    }

    /// Finds a person by id or user name, for edges that resolve names before they ask the gate.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn resolve_person(&self, name: &str) -> Result<PersonId, Error> {
        let not_found = || Error::NotFound { what: "person", name: name.chars().take(80).collect() };
        if let Ok(id) = name.parse::<PersonId>() {
            return Ok(id);
        }
        let username: Username = name.parse().map_err(|_| not_found())?;
        self.person_by_username(&username).await?.ok_or_else(not_found)
    }

    /// The person with this user name.
    ///
    /// # Errors
    /// [`Error::Store`], [`Error::Custody`].
    pub async fn person_by_username(&self, username: &Username) -> Result<Option<PersonId>, Error> {
        let hash = self.username_hash(username)?;
        self.0.store.read(move |txn| person_by_hash(txn, &hash)).await
    }

    /// Joins names to ids for display; an erased or unknown person has none.
    ///
    /// # Errors
    /// [`Error::Store`], [`Error::Custody`].
    pub async fn personal_of(&self, person: PersonId) -> Result<Option<Personal>, Error> {
        let directory = self.clone();
        self.0.store.read(move |txn| directory.personal_in(txn, person)).await
    }

    /// What nobody else may be called while this person lives.
    pub(crate) async fn names_of(&self, person: PersonId) -> Result<Option<Names>, Error> {
        let personal = self.personal_of(person).await?;
        personal.map(|personal| self.names(&personal.username, &personal.email)).transpose()
    }

    pub(crate) async fn person(&self, id: PersonId) -> Result<Option<Person>, Error> {
        let directory = self.clone();
        self.0.store.read(move |txn| directory.person_in(txn, id)).await
    }

    pub(crate) fn person_in(&self, txn: &ReadTxn<'_>, id: PersonId) -> Result<Option<Person>, Error> {
        let rows = txn.view_current(facts::VIEW_PERSON, &id.to_string())?;
        rows.first().map(|row| self.person_of_row(txn, row)).transpose()
    }

    /// Whether a person may act and under which source identity: what a token needs, without what is only shown.
    pub(crate) fn standing_in(
        &self,
        txn: &ReadTxn<'_>,
        id: PersonId,
    ) -> Result<Option<(PersonStatus, Option<SourceIdentity>)>, Error> {
        let rows = txn.view_current(facts::VIEW_PERSON, &id.to_string())?;
        let Some(row) = rows.first() else { return Ok(None) };
        let Row { status, .. } = facts::read(&row.body, "person")?;
        Ok(Some((status, self.handle_in(txn, id)?)))
    }

    fn person_of_row(&self, txn: &ReadTxn<'_>, row: &ViewedRow) -> Result<Person, Error> {
        let id = facts::id(&row.aggregate, "person")?;
        let Row { status, created } = facts::read(&row.body, "person")?;
        Ok(Person { id, status, created, personal: self.personal_in(txn, id)? })
    }
}

fn deactivated(txn: &ReadTxn<'_>, id: PersonId) -> Result<(), Error> {
    match status_in(txn, id)? {
        PersonStatus::Deactivated => Ok(()),
        status => Err(Error::NotActive { person: id, status: status.as_str() }),
    }
}

/// Lets a deactivated person in again.
pub(crate) fn let_in(txn: &mut WriteTxn<'_>, id: PersonId, reason: Option<&str>) -> Result<(), Error> {
    deactivated(txn, id)?;
    facts::add(txn, facts::PERSON_REACTIVATED, id.uuid(), &serde_json::json!({}), reason).map(drop)
}

/// Who chose a password that `actor` sets for a person; what Galen itself sets (`galen init`) was given by its operator.
fn chosen_by(actor: Actor, person: PersonId) -> Chosen {
    if actor.person().is_some_and(|by| by != person) { Chosen::ByAnother } else { Chosen::ByThemself }
}

/// Keeps a sealed password, ends the lockout of the name with this hash, and cuts everything that the person has open.
pub(crate) fn put_password(
    txn: &mut WriteTxn<'_>,
    id: PersonId,
    sealed: &[u8],
    name: &[u8; 32],
    reason: Option<&str>,
) -> Result<(), Error> {
    not_erased(txn, id)?;
    txn.sealed_put(id.uuid(), Attribute::Password.name(), sealed)?;
    crate::lockout::forgive(txn, name)?;
    let changed = facts::PersonChanged { attributes: vec![("password".to_owned(), String::new())] };
    facts::add(txn, facts::PERSON_CHANGED, id.uuid(), &changed, reason)?;
    access::epoch::raise(txn, EpochKey::Person { person: id }, reason.map(str::to_owned))?;
    Ok(())
}

/// The person whose user name has this hash.
pub(crate) fn person_by_hash(txn: &ReadTxn<'_>, hash: &[u8; 32]) -> Result<Option<PersonId>, Error> {
    attributes::person_in(txn, USERNAME_CLASS, hash)
}

/// The status of a person inside a transaction.
pub(crate) fn status_in(txn: &ReadTxn<'_>, id: PersonId) -> Result<PersonStatus, Error> {
    let rows = txn.view_current(facts::VIEW_PERSON, &id.to_string())?;
    let row = rows.first().ok_or_else(|| facts::no_person(id))?;
    facts::read::<Row>(&row.body, "person").map(|row| row.status)
}

/// Refuses a person who may not sign in.
pub(crate) fn active(txn: &ReadTxn<'_>, person: PersonId) -> Result<(), Error> {
    match status_in(txn, person)? {
        PersonStatus::Active => Ok(()),
        status => Err(Error::NotActive { person, status: status.as_str() }),
    }
}

/// Whether a member can act at all: a person who may sign in.
pub fn may_sign_in(txn: &ReadTxn<'_>, member: Member) -> bool {
    matches!(member, Member::Person(person) if status_in(txn, person).is_ok_and(|it| it == PersonStatus::Active))
}

/// Refuses a change of an erased person.
pub(crate) fn not_erased(txn: &WriteTxn<'_>, id: PersonId) -> Result<(), Error> {
    match status_in(txn, id)? {
        PersonStatus::Erased => Err(Error::NotActive { person: id, status: "erased" }),
        PersonStatus::Active | PersonStatus::Deactivated => Ok(()),
    }
}

/// Checks a first password before anything else is done.
pub(crate) fn check_password(password: Option<&Secret<String>>) -> Result<(), Error> {
    password.map_or(Ok(()), password::check)
}
