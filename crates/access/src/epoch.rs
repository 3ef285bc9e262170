//! Epochs: the line in time before which a person's, session's, role's or membership's credentials no longer count.
//!
//! It owns the table that `open` and every lease ask in constant time. It must not know tokens or streams.
//! Invariant: a position never un-cuts; raising an epoch only moves the line forward.

use arc_swap::ArcSwap;
use base::{GroupId, PersonId, RoleId, ServiceId, SessionId, SignInId, Timestamp};
use hashbrown::HashMap;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::{AuthPosition, Session};

mod facts;
pub use facts::{Cut, EPOCH_RAISED, EPOCH_VIEW, folds, raise, raised};

#[cfg(test)]
mod tests;

/// What an epoch is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "of", rename_all = "snake_case")]
pub enum EpochKey {
    /// Everything of a person.
    Person {
        /// Who.
        person: PersonId,
    },
    /// Everything of a machine.
    Service {
        /// Which.
        service: ServiceId,
    },
    /// One session and what was made from it.
    Session {
        /// Which.
        session: SessionId,
    },
    /// Everything that came of one sign-in: it was signed out, or a code or refresh token of it was used twice.
    SignIn {
        /// Which.
        sign_in: SignInId,
    },
    /// Every session in a role: its trust changed.
    Role {
        /// Which.
        role: RoleId,
    },
    /// What a person got through one group.
    Membership {
        /// Who.
        person: PersonId,
        /// Through which group.
        group: GroupId,
    },
}

impl EpochKey {
    /// The name of the aggregate that its facts fold into; one spelling for one key.
    pub fn aggregate(&self) -> String {
        match self {
            Self::Person { person } => format!("person/{person}"),
            Self::Service { service } => format!("service/{service}"),
            Self::Session { session } => format!("session/{session}"),
            Self::SignIn { sign_in } => format!("sign_in/{sign_in}"),
            Self::Role { role } => format!("role/{role}"),
            Self::Membership { person, group } => format!("membership/{person}/{group}"),
        }
    }

    /// The id that facts about it are filed under.
    pub fn subject(&self) -> uuid::Uuid {
        match self {
            Self::Person { person } | Self::Membership { person, .. } => person.uuid(),
            Self::Service { service } => service.uuid(),
            Self::Session { session } => session.uuid(),
            Self::SignIn { sign_in } => sign_in.uuid(),
            Self::Role { role } => role.uuid(),
        }
    }
}

impl fmt::Display for EpochKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.aggregate())
    }
}

/// One line in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Epoch {
    /// The sequence number of the fact that raised it; credentials of a smaller number are cut.
    pub seq: u64,
    /// The moment; credentials of an outside issuer must have authenticated in a later second.
    pub at: Timestamp,
}

impl Epoch {
    /// Whether a credential of this position is on the wrong side of the line. A position that has a number is
    /// compared by it alone (clocks of two machines may differ); one without by its time, rounded down, which must be later.
    pub fn cuts(&self, position: &AuthPosition) -> bool {
        match position.seq {
            Some(seq) => seq < self.seq,
            None => position.auth_time.as_second() <= self.at.as_second(),
        }
    }

    fn latest(self, other: Self) -> Self {
        Self { seq: self.seq.max(other.seq), at: self.at.max(other.at) }
    }
}

/// Which epoch cut a credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CutBy {
    /// The key whose epoch was raised.
    pub key: EpochKey,
    /// The line.
    pub epoch: Epoch,
}

#[derive(Default)]
struct Inner {
    table: ArcSwap<HashMap<EpochKey, Epoch>>,
    writer: Mutex<()>,
    position: AtomicU64,
}

/// The epochs that hold on this node; cheap to clone, read without a lock.
#[derive(Clone, Default)]
pub struct Epochs(Arc<Inner>);

impl Epochs {
    /// The issuer's sequence number now: that of the newest `epoch.raised` fact this node has applied. Every credential
    /// that is made takes it at its sign-in and keeps it (ID token, refresh token, cookie, session). A sign-in that reads
    /// it before a cut is applied is cut; one that reads it after is not: there is no moment between.
    pub fn position(&self) -> u64 {
        self.0.position.load(Ordering::SeqCst)
    }

    /// Moves the sequence number forward; called in commit order, after the epochs of the same change were raised.
    pub fn advance(&self, seq: u64) {
        self.0.position.fetch_max(seq, Ordering::SeqCst);
    }

    /// Moves lines forward, all at once.
    pub fn raise(&self, epochs: impl IntoIterator<Item = (EpochKey, Epoch)>) {
        let _one_writer = self.0.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let mut table = HashMap::clone(&self.0.table.load());
        for (key, epoch) in epochs {
            table.entry(key).and_modify(|old| *old = old.latest(epoch)).or_insert(epoch);
        }
        self.0.table.store(Arc::new(table));
    }

    /// The line for one key.
    pub fn of(&self, key: EpochKey) -> Option<Epoch> {
        self.0.table.load().get(&key).copied()
    }

    /// The epoch of `key` that cuts a credential of this position, if it does: for refresh tokens, cookies and ID tokens.
    pub fn cut_of(&self, key: EpochKey, position: &AuthPosition) -> Option<CutBy> {
        self.first([key], position)
    }

    /// The epoch that cuts a session, if one does. The work is bounded by the session's lineage and groups, not by the table.
    pub fn cuts(&self, session: &Session) -> Option<CutBy> {
        let person = session.person.map(|person| EpochKey::Person { person });
        let service = session.service.map(|service| EpochKey::Service { service });
        let sign_in = session.sign_in.map(|sign_in| EpochKey::SignIn { sign_in });
        let own = [EpochKey::Session { session: session.id }, EpochKey::Role { role: session.role }];
        let lineage = session
            .lineage
            .iter()
            .flat_map(|a| [EpochKey::Session { session: a.session }, EpochKey::Role { role: a.role }]);
        let groups = session
            .person
            .into_iter()
            .flat_map(|person| session.via.iter().map(move |group| EpochKey::Membership { person, group: *group }));
        self.first(
            person.into_iter().chain(service).chain(sign_in).chain(own).chain(lineage).chain(groups),
            &session.auth,
        )
    }

    fn first(&self, keys: impl IntoIterator<Item = EpochKey>, position: &AuthPosition) -> Option<CutBy> {
        let table = self.0.table.load();
        keys.into_iter().find_map(|key| {
            let epoch = *table.get(&key)?;
            // A cut session or sign-in is cut whatever its position says.
            let cut = matches!(key, EpochKey::Session { .. } | EpochKey::SignIn { .. }) || epoch.cuts(position);
            cut.then_some(CutBy { key, epoch })
        })
    }
}
