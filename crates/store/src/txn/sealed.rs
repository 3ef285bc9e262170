//! Sealed rows (personal attributes and secrets, encrypted by custody), subject keys, and documents by digest.
//!
//! It must not know any key: all bytes here are opaque. INVARIANT: after `subject_key_destroy` neither the wrapped key
//! nor a sealed row of the subject is in the store, nor can one be put there again.

use base::Timestamp;
use crypto::Sha256Digest;
use uuid::Uuid;

use super::{ReadTxn, WriteTxn, facts::bounded};
use crate::{Error, fact::timestamp, session::Arg};

/// Largest sealed row: attributes and secrets are small.
pub const SEALED_BYTES_MAX: usize = 64 * 1024;
/// Largest document: policies and request contexts.
pub const DOCUMENT_BYTES_MAX: usize = 1024 * 1024;

/// What the store knows of a subject's key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SubjectKey {
    /// The wrapped key.
    Wrapped(Vec<u8>),
    /// It was destroyed at this time: the subject is erased.
    Destroyed(Timestamp),
}

impl ReadTxn<'_> {
    /// The ciphertext of one sealed row.
    pub fn sealed_get(&self, subject: Uuid, name: &str) -> Result<Option<Vec<u8>>, Error> {
        let sql = "SELECT ciphertext FROM sealed WHERE subject = $1 AND name = $2";
        self.one(sql, &[Arg::Blob(subject.as_bytes()), Arg::Text(name)], |row| Ok(row.blob(0)?.to_vec()))
    }

    /// All sealed rows of a subject, by name.
    pub fn sealed_list(&self, subject: Uuid) -> Result<Vec<(String, Vec<u8>)>, Error> {
        let sql = "SELECT name, ciphertext FROM sealed WHERE subject = $1 ORDER BY name";
        self.all(sql, &[Arg::Blob(subject.as_bytes())], |row| Ok((row.text(0)?.to_owned(), row.blob(1)?.to_vec())))
    }

    /// The key of a subject, or when it was destroyed; `None` if there never was one.
    pub fn subject_key_get(&self, subject: Uuid) -> Result<Option<SubjectKey>, Error> {
        let sql = "SELECT wrapped, destroyed FROM subject_keys WHERE subject = $1";
        self.one(sql, &[Arg::Blob(subject.as_bytes())], |row| match (row.blob_opt(0)?, row.int_opt(1)?) {
            (Some(wrapped), None) => Ok(SubjectKey::Wrapped(wrapped.to_vec())),
            (None, Some(at)) => Ok(SubjectKey::Destroyed(timestamp(at))),
            _ => Err(Error::Corrupt { what: "subject key" }),
        })
    }

    /// The document with this digest, checked against it.
    pub fn document_get(&self, digest: Sha256Digest) -> Result<Option<Vec<u8>>, Error> {
        let sql = "SELECT bytes FROM documents WHERE digest = $1";
        let bytes = self.one(sql, &[Arg::Blob(digest.bytes())], |row| Ok(row.blob(0)?.to_vec()))?;
        match bytes {
            Some(bytes) if crypto::sha256(&bytes) != digest => Err(Error::DocumentDigest { digest }),
            other => Ok(other),
        }
    }
}

impl WriteTxn<'_> {
    /// Writes or replaces one sealed row.
    pub fn sealed_put(&mut self, subject: Uuid, name: &str, ciphertext: &[u8]) -> Result<(), Error> {
        bounded("sealed row", ciphertext.len(), SEALED_BYTES_MAX)?;
        let sql = "INSERT INTO sealed (subject, name, ciphertext) VALUES ($1, $2, $3) \
                   ON CONFLICT (subject, name) DO UPDATE SET ciphertext = excluded.ciphertext";
        self.execute(sql, &[Arg::Blob(subject.as_bytes()), Arg::Text(name), Arg::Blob(ciphertext)]).map(drop)
    }

    /// Deletes one sealed row; `false` if there was none.
    pub fn sealed_delete(&mut self, subject: Uuid, name: &str) -> Result<bool, Error> {
        let sql = "DELETE FROM sealed WHERE subject = $1 AND name = $2";
        Ok(self.execute(sql, &[Arg::Blob(subject.as_bytes()), Arg::Text(name)])? == 1)
    }

    /// Stores the wrapped key of a subject, or replaces it (rotation of the key around it). `false` if the subject is
    /// erased: a destroyed key does not come back.
    pub fn subject_key_put(&mut self, subject: Uuid, wrapped: &[u8]) -> Result<bool, Error> {
        bounded("wrapped key", wrapped.len(), SEALED_BYTES_MAX)?;
        let sql = "INSERT INTO subject_keys (subject, wrapped) VALUES ($1, $2) \
                   ON CONFLICT (subject) DO UPDATE SET wrapped = excluded.wrapped WHERE subject_keys.destroyed IS NULL";
        Ok(self.execute(sql, &[Arg::Blob(subject.as_bytes()), Arg::Blob(wrapped)])? == 1)
    }

    /// Erases a subject: its key and its sealed rows are removed and what was encrypted under the key is unreadable
    /// everywhere. `false` if it was erased before.
    pub fn subject_key_destroy(&mut self, subject: Uuid) -> Result<bool, Error> {
        self.with(|session| session.erase())?;
        self.erased = true;
        let subject = Arg::Blob(subject.as_bytes());
        self.execute("DELETE FROM sealed WHERE subject = $1", &[subject])?;
        let sql = "INSERT INTO subject_keys (subject, wrapped, destroyed) VALUES ($1, NULL, $2) ON CONFLICT (subject) \
                   DO UPDATE SET wrapped = NULL, destroyed = excluded.destroyed WHERE subject_keys.destroyed IS NULL";
        Ok(self.execute(sql, &[subject, Arg::Int(self.hlc.micros())])? == 1)
    }

    /// Keeps a document under its digest; the same document again changes nothing.
    ///
    /// # Errors
    /// [`Error::DocumentDigest`] if the bytes have another digest.
    pub fn document_put(&mut self, digest: Sha256Digest, bytes: &[u8]) -> Result<(), Error> {
        bounded("document", bytes.len(), DOCUMENT_BYTES_MAX)?;
        if crypto::sha256(bytes) != digest {
            return Err(Error::DocumentDigest { digest });
        }
        let sql = "INSERT INTO documents (digest, bytes) VALUES ($1, $2) ON CONFLICT (digest) DO NOTHING";
        self.execute(sql, &[Arg::Blob(digest.bytes()), Arg::Blob(bytes)]).map(drop)
    }
}
