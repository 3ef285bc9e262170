//! The version of a thing that management changes: the newest facts about it. Whoever read one version may change that one and
//! no later one.
//!
//! It is compared in the transaction of the change, so that of two who read the same version one change is refused.

use base::{BadName, FactId};
use std::fmt;
use std::str::FromStr;
use store::ReadTxn;
use uuid::Uuid;

use crate::{Access, Action, Error, Permit, ResourceRef, facts};

/// Bytes of a version: enough that two versions of one thing never meet.
const BYTES: usize = 12;

/// Which state of a thing was read; shown as hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version(String);

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Version {
    type Err = BadName;
    fn from_str(text: &str) -> Result<Self, BadName> {
        if text.len() == 2 * BYTES && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            Ok(Self(text.to_ascii_lowercase()))
        } else {
            Err(BadName::new("version", text, "24 hexadecimal digits"))
        }
    }
}

impl Version {
    fn of(txn: &ReadTxn<'_>, resource: &ResourceRef) -> Result<Self, Error> {
        let mut state = Vec::new();
        for subject in subjects(txn, resource)? {
            let newest = txn.newest_fact_of(subject)?.unwrap_or(FactId::from_uuid(Uuid::nil()));
            state.extend_from_slice(subject.as_bytes());
            state.extend_from_slice(newest.bytes());
        }
        Ok(Self(crypto::sha256(&state).to_string().chars().take(2 * BYTES).collect()))
    }
}

/// The subjects of the facts that make up a thing's state.
fn subjects(txn: &ReadTxn<'_>, resource: &ResourceRef) -> Result<Vec<Uuid>, Error> {
    Ok(match resource {
        ResourceRef::Client(id) => vec![id.uuid()],
        ResourceRef::Dataset(id) => vec![id.uuid()],
        ResourceRef::Domain(target) => vec![target.domain.uuid()],
        ResourceRef::Proposal(proposal) => vec![proposal.approval.uuid()],
        ResourceRef::Grant(target) => vec![target.grant.uuid()],
        ResourceRef::Group(id) => vec![id.uuid()],
        ResourceRef::Person(id) => vec![id.uuid()],
        ResourceRef::Service(id) => vec![id.uuid()],
        ResourceRef::Session(target) => vec![target.session.uuid()],
        ResourceRef::Edge(edge) => {
            facts::memberships(txn, edge.member, edge.group)?.into_iter().map(|it| it.id.uuid()).collect()
        }
        ResourceRef::Role(id) => {
            let mut entitled: Vec<Uuid> =
                facts::entitlements_of(txn, *id)?.into_iter().map(|it| it.id.uuid()).collect();
            entitled.sort_unstable();
            [id.uuid()].into_iter().chain(entitled).collect()
        }
        // What nobody changes through a permit of its own has one version.
        ResourceRef::Bucket(_)
        | ResourceRef::Object(_)
        | ResourceRef::AnyBucket
        | ResourceRef::Installation
        | ResourceRef::Account(_)
        | ResourceRef::AssumableRole(_)
        | ResourceRef::Decision(_)
        | ResourceRef::Receipt(_) => Vec::new(),
    })
}

/// Refuses a change of a thing that is no longer what was read.
pub(crate) fn check(txn: &ReadTxn<'_>, resource: &ResourceRef, expected: &[Version]) -> Result<(), Error> {
    if expected.contains(&Version::of(txn, resource)?) { Ok(()) } else { Err(Error::Changed) }
}

impl Access {
    /// The version of a thing now. Read it before the thing itself: what is read then is that version or a later one.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn version(&self, resource: impl Into<ResourceRef>) -> Result<Version, Error> {
        let resource = resource.into();
        self.store().read(move |txn| Version::of(txn, &resource)).await
    }
}

impl<A: Action> Permit<A> {
    /// The same permit, for a change while `thing` is in one of these versions alone; [`Access::change`] refuses any other.
    pub fn expecting(mut self, thing: impl Into<ResourceRef>, versions: Vec<Version>) -> Self {
        self.expected = Some((thing.into(), versions));
        self
    }
}
