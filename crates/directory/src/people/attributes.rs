//! Sealed attributes: sealed before a transaction begins, written inside it, found again by keyed hash.
//!
//! INVARIANT: the reservation of a source identity is never deleted, not even by an erasure.

use base::{PersonId, SourceIdentity};
use custody::SubjectKey;
use std::sync::Arc;
use store::{ReadTxn, WriteTxn};

use super::{NewPerson, PersonChange, Personal, check_password, not_erased};
use crate::{Directory, Email, Error, Username, facts, password::Chosen};

/// Records: keyed hash of a user name -> person.
pub(crate) const USERNAME_CLASS: &str = "person_by_username";
/// Records: keyed hash of a mail address -> person.
pub(crate) const EMAIL_CLASS: &str = "person_by_email";
/// Records: keyed hash of a source identity -> person, for ever.
pub(crate) const HANDLE_CLASS: &str = "person_by_source_identity";

/// The attributes that are sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Attribute {
    Username,
    DisplayName,
    Email,
    Handle,
    Password,
}

impl Attribute {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Username => "username",
            Self::DisplayName => "display_name",
            Self::Email => "email",
            Self::Handle => "source_identity",
            Self::Password => "password",
        }
    }
}

/// The keyed hashes of what nobody else of the living may be called.
#[derive(Clone, Copy)]
pub(crate) struct Names {
    /// Of the user name.
    pub(crate) username: [u8; 32],
    /// Of the mail address.
    pub(crate) email: [u8; 32],
}

impl Names {
    const fn reservations(&self) -> [(&'static str, &[u8; 32]); 2] {
        [(USERNAME_CLASS, &self.username), (EMAIL_CLASS, &self.email)]
    }

    /// Reserves those in which it differs from `old`, which are free from then on.
    fn replace(&self, txn: &mut WriteTxn<'_>, person: PersonId, old: Option<&Self>) -> Result<(), Error> {
        let old = old.map(Self::reservations);
        for (place, (class, new)) in self.reservations().into_iter().enumerate() {
            let old = old.and_then(|old| old.get(place).map(|(_, hash)| *hash));
            if old == Some(new) {
                continue;
            }
            if !txn.record_insert(class, new, person.bytes(), None)? {
                return Err(if class == EMAIL_CLASS { Error::EmailTaken } else { Error::UsernameTaken });
            }
            // The old one was read before this transaction: whoever changed it since is not overwritten.
            if let Some(old) = old
                && !txn.record_delete(class, old)?
            {
                return Err(Error::ChangedMeanwhile { person });
            }
        }
        Ok(())
    }

    /// Frees them: the person is erased.
    pub(crate) fn free(&self, txn: &mut WriteTxn<'_>, person: PersonId) -> Result<(), Error> {
        for (class, hash) in self.reservations() {
            if !txn.record_delete(class, hash)? {
                return Err(Error::ChangedMeanwhile { person });
            }
        }
        Ok(())
    }
}

struct Sealed {
    attribute: Attribute,
    ciphertext: Vec<u8>,
}

fn seal(key: &SubjectKey, attribute: Attribute, plain: &str) -> Result<Sealed, Error> {
    Ok(Sealed { attribute, ciphertext: key.seal(attribute.name(), plain.as_bytes())? })
}

/// Everything that a new person needs, sealed and hashed; the transaction only writes.
pub(super) struct Prepared {
    id: PersonId,
    wrapped: Vec<u8>,
    names: Names,
    /// Source identities in the order in which they are tried, with their hashes and sealed forms.
    handles: Vec<([u8; 32], Sealed)>,
    sealed: Vec<Sealed>,
}

impl Prepared {
    pub(super) fn write(&self, txn: &mut WriteTxn<'_>) -> Result<(), Error> {
        let id = self.id.uuid();
        self.names.replace(txn, self.id, None)?;
        txn.subject_key_put(id, &self.wrapped)?;
        for sealed in &self.sealed {
            txn.sealed_put(id, sealed.attribute.name(), &sealed.ciphertext)?;
        }
        for (hash, sealed) in &self.handles {
            if txn.record_insert(HANDLE_CLASS, hash, self.id.bytes(), None)? {
                txn.sealed_put(id, sealed.attribute.name(), &sealed.ciphertext)?;
                facts::add(txn, facts::PERSON_CREATED, id, &serde_json::json!({}), None)?;
                return Ok(());
            }
        }
        Err(Error::HandleTaken)
    }
}

/// Changed attributes, sealed, with commitments to the new values.
pub(super) struct PreparedChange {
    id: PersonId,
    /// The old and the new names.
    names: [Names; 2],
    sealed: Vec<Sealed>,
    committed: Vec<(String, String)>,
}

impl PreparedChange {
    pub(super) fn write(&self, txn: &mut WriteTxn<'_>, reason: Option<&str>) -> Result<(), Error> {
        not_erased(txn, self.id)?;
        let [old, new] = &self.names;
        new.replace(txn, self.id, Some(old))?;
        for sealed in &self.sealed {
            txn.sealed_put(self.id.uuid(), sealed.attribute.name(), &sealed.ciphertext)?;
        }
        let changed = facts::PersonChanged { attributes: self.committed.clone() };
        facts::add(txn, facts::PERSON_CHANGED, self.id.uuid(), &changed, reason)?;
        Ok(())
    }
}

/// The person whom a hash record names.
pub(super) fn person_in(txn: &ReadTxn<'_>, class: &'static str, hash: &[u8; 32]) -> Result<Option<PersonId>, Error> {
    let Some(record) = txn.record_get(class, hash)? else { return Ok(None) };
    let id = uuid::Uuid::from_slice(&record.value).map_err(|_| Error::Damaged { what: "reservation" })?;
    Ok(Some(PersonId::from_uuid(id)))
}

/// Source identities for somebody who did not choose one: the user name or the mail address where they may serve
/// (the one with an `@` first), each also with a suffix that is unique to the person.
fn candidates(id: PersonId, new: &NewPerson) -> Vec<SourceIdentity> {
    let (username, email) = (new.username.as_str(), new.email.as_str());
    let preferred = if username.contains('@') { [username, email] } else { [email, username] };
    let tail: String = id.uuid().simple().to_string().chars().rev().take(12).collect();
    let plain = preferred.iter().filter_map(|text| text.parse().ok());
    let derived = [format!("{username}+{tail}"), format!("p-{tail}"), format!("p-{}", id.uuid().simple())];
    plain.chain(derived.iter().filter_map(|text| text.parse().ok())).collect()
}

impl Directory {
    pub(super) async fn prepare(&self, id: PersonId, new: &NewPerson, chosen: Chosen) -> Result<Prepared, Error> {
        check_password(new.password.as_ref())?;
        let (key, wrapped) = self.0.custody.subject_key_new(id)?;
        let mut sealed = vec![
            seal(&key, Attribute::Username, new.username.as_str())?,
            seal(&key, Attribute::DisplayName, new.display_name.as_str())?,
            seal(&key, Attribute::Email, new.email.as_str())?,
        ];
        if let Some(password) = &new.password {
            let hash = self.0.passwords.hash(password, chosen).await?;
            let ciphertext = key.seal(Attribute::Password.name(), hash.expose())?;
            sealed.push(Sealed { attribute: Attribute::Password, ciphertext });
        }
        let wanted = match &new.handle {
            Some(handle) => vec![handle.clone()],
            None => candidates(id, new),
        };
        let mut handles = Vec::with_capacity(wanted.len());
        for handle in wanted {
            handles.push((self.handle_hash(&handle)?, seal(&key, Attribute::Handle, handle.as_str())?));
        }
        let names = self.names(&new.username, &new.email)?;
        Ok(Prepared { id, wrapped, names, handles, sealed })
    }

    pub(super) async fn prepare_change(&self, id: PersonId, change: &PersonChange) -> Result<PreparedChange, Error> {
        let key = self.subject_key(id).await?;
        let old = self.personal_of(id).await?.ok_or_else(|| facts::no_person(id))?;
        let texts = [
            (Attribute::Username, change.username.as_ref().map(Username::as_str)),
            (Attribute::DisplayName, change.display_name.as_ref().map(crate::DisplayName::as_str)),
            (Attribute::Email, change.email.as_ref().map(Email::as_str)),
        ];
        let (mut sealed, mut committed) = (Vec::new(), Vec::new());
        for (attribute, text) in texts.into_iter().filter_map(|(attribute, text)| Some((attribute, text?))) {
            sealed.push(seal(&key, attribute, text)?);
            let commitment = key.commit(attribute.name(), text.as_bytes());
            committed.push((attribute.name().to_owned(), crypto::Sha256Digest(commitment).to_string()));
        }
        let (username, email) = (change.username.as_ref(), change.email.as_ref());
        let new = self.names(username.unwrap_or(&old.username), email.unwrap_or(&old.email))?;
        let names = [self.names(&old.username, &old.email)?, new];
        Ok(PreparedChange { id, names, sealed, committed })
    }

    /// The key of a person who has one.
    pub(crate) async fn subject_key(&self, id: PersonId) -> Result<Arc<SubjectKey>, Error> {
        let key = self.0.custody.subject_key(id).await?;
        key.ok_or_else(|| facts::no_person(id))
    }

    pub(crate) fn username_hash(&self, username: &Username) -> Result<[u8; 32], Error> {
        Ok(self.0.custody.index_hash("username", username.folded().as_bytes())?)
    }

    /// Mail addresses are compared without regard to case: no mail system in use tells `Ann@x` from `ann@x`.
    pub(super) fn names(&self, username: &Username, email: &Email) -> Result<Names, Error> {
        let email = self.0.custody.index_hash("email", email.as_str().to_lowercase().as_bytes())?;
        Ok(Names { username: self.username_hash(username)?, email })
    }

    /// Source identities are compared without regard to case too: `Ann@x` and `ann@x` would be one person to a reader.
    fn handle_hash(&self, handle: &SourceIdentity) -> Result<[u8; 32], Error> {
        Ok(self.0.custody.index_hash("source-identity", handle.as_str().to_lowercase().as_bytes())?)
    }

    pub(crate) fn personal_in(&self, txn: &ReadTxn<'_>, id: PersonId) -> Result<Option<Personal>, Error> {
        let Some(key) = self.0.custody.subject_key_in(txn, id)? else { return Ok(None) };
        let open = |attribute| open(txn, &key, id, attribute);
        Ok(Some(Personal {
            username: open(Attribute::Username)?.parse()?,
            display_name: open(Attribute::DisplayName)?.parse()?,
            email: open(Attribute::Email)?.parse()?,
            handle: open(Attribute::Handle)?.parse()?,
        }))
    }

    /// The source identity alone; `None` for an erased person.
    pub(crate) fn handle_in(&self, txn: &ReadTxn<'_>, id: PersonId) -> Result<Option<SourceIdentity>, Error> {
        let Some(key) = self.0.custody.subject_key_in(txn, id)? else { return Ok(None) };
        Ok(Some(open(txn, &key, id, Attribute::Handle)?.parse()?))
    }
}

fn open(txn: &ReadTxn<'_>, key: &SubjectKey, id: PersonId, attribute: Attribute) -> Result<String, Error> {
    let damaged = || Error::Damaged { what: "sealed attribute" };
    let sealed = txn.sealed_get(id.uuid(), attribute.name())?.ok_or_else(damaged)?;
    let plain = key.open(attribute.name(), &sealed)?;
    String::from_utf8(plain.expose().clone()).map_err(|_| damaged())
}
