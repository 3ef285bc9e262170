//! Whom tokens are about, kept for as long as no fact is committed: a tool sends the same token many times.
//!
//! It must not know tokens. INVARIANT: what is kept was read after the newest change that this process knows of.

use access::Member;
use base::{ClientId, SourceIdentity};
use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};
use store::{CommitHook, Fact, Position};

use super::Provider;
use crate::{Error, PersonStatus, clients::by_client_id, services};

/// Most subjects that are kept, some hundred bytes each; beyond it all are read again.
const KEPT_MAX: usize = 4096;

/// Who a token is about, and the client that it names.
#[derive(Clone)]
pub(super) struct Subject {
    /// Of the person or service, if there is one: their status and source identity.
    pub(super) standing: Option<(PersonStatus, Option<SourceIdentity>)>,
    /// The client whose audience it is, ended or not.
    pub(super) client: Option<ClientId>,
}

/// Subjects by who they are and audience.
#[derive(Default)]
pub(super) struct Subjects(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    /// Changes that were seen: what was read before one is not kept after it.
    changes: u64,
    subjects: HashMap<(Member, String), Subject>,
}

impl Subjects {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl CommitHook for Subjects {
    fn committed(&self, _: &[Fact], _: Position) {
        let mut kept = self.kept();
        kept.changes = kept.changes.wrapping_add(1);
        kept.subjects.clear();
    }
}

impl Provider {
    /// Whom a token of this person or service for this audience is about.
    ///
    /// # Errors
    /// [`Error::Store`], [`Error::Custody`].
    pub(super) async fn known(&self, member: Member, audience: &str) -> Result<Subject, Error> {
        let key = (member, audience.to_owned());
        let changes = {
            let kept = self.0.known.kept();
            if let Some(subject) = kept.subjects.get(&key) {
                return Ok(subject.clone());
            }
            kept.changes
        };
        let (directory, named) = (self.0.directory.clone(), key.1.clone());
        let read = self.0.directory.0.store.read(move |txn| -> Result<_, Error> {
            let client = by_client_id(txn, &named)?.map(|client| client.id);
            let standing = match member {
                Member::Person(person) => directory.standing_in(txn, person)?,
                Member::Service(service) => services::standing_in(txn, service)?,
            };
            Ok(Subject { standing, client })
        });
        let subject = read.await?;
        let mut kept = self.0.known.kept();
        if kept.changes == changes {
            if kept.subjects.len() >= KEPT_MAX {
                kept.subjects.clear();
            }
            kept.subjects.insert(key, subject.clone());
        }
        Ok(subject)
    }
}
