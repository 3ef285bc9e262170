//! Keys of people in the keyring: made, found, opened and forgotten.
//!
//! Sealing may use a key from memory; opening always looks whether the wrapped key is still stored, so that an erasure
//! holds on every node at once.

use std::sync::Arc;
use store::ReadTxn;

use super::Custody;
use crate::{
    Error, KeyRef, Purpose, SubjectKey, Token,
    error::crypto as failed,
    subject::{self, Subject},
};

/// The label of the key that wraps people's keys.
const LABEL: &str = "people";

/// The key of a token that wraps people's keys, if there is one yet: what is sealed for a person opens only where it is.
///
/// # Errors
/// As [`Token::find`].
pub fn people_key(token: &dyn Token) -> Result<Option<KeyRef>, Error> {
    token.find(Purpose::SubjectWrap, LABEL)
}

impl Custody {
    /// A fresh key for a subject, and its wrapped form: put that into the store with `subject_key_put` in the transaction
    /// that makes the subject, before anything is sealed for it.
    ///
    /// # Errors
    /// As [`crate::Token::wrap`].
    pub fn subject_key_new(&self, subject: impl Into<Subject>) -> Result<(Arc<SubjectKey>, Vec<u8>), Error> {
        let subject = subject.into();
        let material = self.0.crypto.secret::<32>();
        let by = self.ensure(Purpose::SubjectWrap, LABEL)?;
        let wrapped = self.0.token.wrap(&by, material.expose(), &subject.associated())?;
        let key = SubjectKey::new(subject, &material, self.0.crypto.clone()).map_err(failed)?;
        Ok((Arc::new(key), subject::stored_key(&by, &wrapped)))
    }

    /// The key of a subject, looked up in a transaction; `None` when it was erased or never made.
    ///
    /// # Errors
    /// As [`crate::Token::unwrap`]; [`Error::Store`].
    pub fn subject_key_in(
        &self,
        txn: &ReadTxn<'_>,
        subject: impl Into<Subject>,
    ) -> Result<Option<Arc<SubjectKey>>, Error> {
        let subject = subject.into();
        match txn.subject_key_get(subject.uuid())? {
            Some(store::SubjectKey::Wrapped(stored)) => self.open_stored(subject, &stored).map(Some),
            Some(store::SubjectKey::Destroyed(_)) | None => {
                self.subject_forget(subject);
                Ok(None)
            }
        }
    }

    /// The key of a subject; `None` when it was erased or never made.
    ///
    /// # Errors
    /// As [`Custody::subject_key_in`].
    pub async fn subject_key(&self, subject: impl Into<Subject>) -> Result<Option<Arc<SubjectKey>>, Error> {
        let (custody, subject) = (self.clone(), subject.into());
        self.0.store.read(move |txn| custody.subject_key_in(txn, subject)).await
    }

    /// Seals an opaque value of a subject for a ledger entry: base64url text that means nothing once the subject is
    /// erased. `None` when the subject has no key (erased, or not a person of this directory).
    ///
    /// # Errors
    /// As [`Custody::subject_key`].
    pub async fn seal_blob(&self, subject: impl Into<Subject>, plain: &[u8]) -> Result<Option<String>, Error> {
        let subject = subject.into();
        let key = match self.0.sealing.get(&subject, self.0.effects.monotonic()) {
            Some(key) => Some(key),
            None => self.subject_key(subject).await?,
        };
        key.map(|key| key.seal_blob(plain)).transpose()
    }

    /// Opens what [`Custody::seal_blob`] made; `None` when the subject was erased.
    ///
    /// # Errors
    /// As [`Custody::subject_key`]; [`Error::Crypto`] when the text was altered or belongs to another subject.
    pub async fn open_blob(
        &self,
        subject: impl Into<Subject>,
        blob: &str,
    ) -> Result<Option<base::Secret<Vec<u8>>>, Error> {
        let key = self.subject_key(subject).await?;
        key.map(|key| key.open_blob(blob)).transpose()
    }

    /// Drops the key of a subject from memory; call it after the commit that destroyed the stored one.
    pub fn subject_forget(&self, subject: impl Into<Subject>) {
        self.0.sealing.remove(&subject.into());
    }

    fn open_stored(&self, subject: Subject, stored: &[u8]) -> Result<Arc<SubjectKey>, Error> {
        let now = self.0.effects.monotonic();
        let slot = subject::slot(subject, stored);
        if let Some(key) = self.0.subjects.get(&slot, now) {
            self.0.sealing.put(subject, Arc::clone(&key), now);
            return Ok(key);
        }
        let damaged = || Error::DamagedSubjectKey { subject: subject.uuid() };
        let (by, wrapped) = subject::split_stored_key(stored).ok_or_else(damaged)?;
        let material = self.0.token.unwrap(&by, wrapped, &subject.associated())?;
        let broken = |by: &KeyRef| Error::DoesNotUnwrap { key: by.id, version: by.version };
        let material = material.expose().as_slice().try_into().map_err(|_| broken(&by))?;
        let key = SubjectKey::new(subject, &base::Secret::new(material), self.0.crypto.clone()).map_err(failed)?;
        let key = Arc::new(key);
        self.0.subjects.put(slot, Arc::clone(&key), now);
        self.0.sealing.put(subject, Arc::clone(&key), now);
        Ok(key)
    }
}
