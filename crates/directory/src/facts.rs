//! The facts that the directory owns, and the names of its views and record classes.
//!
//! INVARIANT: bodies hold ids, group names and client registrations; nothing personal and nothing secret.

use base::{Actor, GroupId, PersonId, ServiceId, SessionId, Timestamp};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;
use store::{Fact, NewFact, WriteTxn};
use uuid::Uuid;

use crate::Error;

/// A person exists from now on.
pub(crate) const PERSON_CREATED: &str = "person.created";
/// Attributes of a person changed; the body names them and commits to their new values.
pub(crate) const PERSON_CHANGED: &str = "person.changed";
/// A person may not sign in any more.
pub(crate) const PERSON_DEACTIVATED: &str = "person.deactivated";
/// A deactivated person may sign in again.
pub(crate) const PERSON_REACTIVATED: &str = "person.reactivated";
/// A person's attributes were destroyed; the body names both approvals.
pub(crate) const PERSON_ERASED: &str = "person.erased";
/// A change was asked for that needs a second approval.
pub(crate) const APPROVAL_REQUESTED: &str = "approval.requested";
/// The second approval was given; the change is made in the same transaction.
pub(crate) const APPROVAL_GIVEN: &str = "approval.given";
/// The change was refused, or taken back.
pub(crate) const APPROVAL_REFUSED: &str = "approval.refused";
/// One administrator alone made a change that needs two, because the installation is set to one.
pub(crate) const APPROVAL_WAIVED: &str = "approval.waived";
/// A group exists from now on.
pub(crate) const GROUP_CREATED: &str = "group.created";
/// A group has another name.
pub(crate) const GROUP_RENAMED: &str = "group.renamed";
/// A group is over.
pub(crate) const GROUP_ENDED: &str = "group.ended";
/// An OIDC client was registered or changed; the body is its whole registration without the secret.
pub(crate) const OIDC_CLIENT_PUT: &str = "oidc_client.put";
/// A confidential client has another secret, which stands nowhere but with the client; its hash is sealed.
pub(crate) const OIDC_CLIENT_SECRET_RENEWED: &str = "oidc_client.secret_renewed";
/// A service has another secret, which stands nowhere but with the service; its hash is sealed.
pub(crate) const SERVICE_SECRET_RENEWED: &str = "service.secret_renewed";
/// An OIDC client is over.
pub(crate) const OIDC_CLIENT_ENDED: &str = "oidc_client.ended";
/// The provider signs with new keys; the body names those that they supersede.
pub(crate) const SIGNING_KEYS_ROTATED: &str = "signing_keys.rotated";

/// One row a person.
pub(crate) const VIEW_PERSON: &str = "person";
/// One row a group; lookup [`BY_NAME`].
pub(crate) const VIEW_GROUP: &str = "group";
/// One row an OIDC client; lookup [`BY_NAME`] (its client id).
pub(crate) const VIEW_OIDC_CLIENT: &str = "oidc_client";
/// Lookup by a name, folded to one case.
pub(crate) const BY_NAME: &str = "name";

/// Body of [`PERSON_CHANGED`].
#[derive(Serialize, Deserialize)]
pub(crate) struct PersonChanged {
    /// Names of the attributes with a commitment (hexadecimal) to each new value, salted by the person's key.
    pub(crate) attributes: Vec<(String, String)>,
}

/// Body of [`GROUP_CREATED`] and [`GROUP_RENAMED`].
#[derive(Serialize, Deserialize)]
pub(crate) struct GroupNamed {
    pub(crate) name: String,
}

/// Body of [`PERSON_ERASED`].
#[derive(Serialize, Deserialize)]
pub(crate) struct PersonErased {
    /// First approval.
    pub(crate) requested: ApprovalBody,
    /// Second approval, by another person in another session.
    pub(crate) approved: ApprovalBody,
}

/// What is asked for, without what is secret of it.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Asked {
    pub(crate) change: String,
    pub(crate) person: Option<PersonId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) service: Option<ServiceId>,
    pub(crate) group: Option<GroupId>,
}

/// Body of [`APPROVAL_REQUESTED`] and [`APPROVAL_WAIVED`].
#[derive(Serialize, Deserialize)]
pub(crate) struct Requested {
    #[serde(flatten)]
    pub(crate) asked: Asked,
    pub(crate) requested: ApprovalBody,
}

/// Body of [`APPROVAL_GIVEN`].
#[derive(Serialize, Deserialize)]
pub(crate) struct Approved {
    #[serde(flatten)]
    pub(crate) asked: Asked,
    pub(crate) requested: ApprovalBody,
    pub(crate) approved: ApprovalBody,
}

/// Body of [`APPROVAL_REFUSED`].
#[derive(Serialize, Deserialize)]
pub(crate) struct Refused {
    #[serde(flatten)]
    pub(crate) asked: Asked,
    pub(crate) requested: ApprovalBody,
    pub(crate) refused: ApprovalBody,
}

/// One approval, as facts name it.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct ApprovalBody {
    pub(crate) by: PersonId,
    pub(crate) session: SessionId,
    pub(crate) at: Timestamp,
}

/// Adds a fact that holds from now on.
pub(crate) fn add(
    txn: &mut WriteTxn<'_>,
    kind: &'static str,
    subject: Uuid,
    body: &impl Serialize,
    reason: Option<&str>,
) -> Result<Fact, Error> {
    let body = serde_json::to_value(body).map_err(|_| Error::Damaged { what: "fact body" })?;
    let reason = reason.map(str::to_owned);
    let valid_from = txn.now();
    Ok(txn.fact_add(NewFact { kind, subject, body, reason, valid_from, valid_to: None })?)
}

/// Reads a body, or any stored JSON, back.
pub(crate) fn read<T: DeserializeOwned>(body: &Value, what: &'static str) -> Result<T, Error> {
    T::deserialize(body).map_err(|_| Error::Damaged { what })
}

/// Reads the JSON of a record.
pub(crate) fn record<T: DeserializeOwned>(bytes: &[u8], what: &'static str) -> Result<T, Error> {
    serde_json::from_slice(bytes).map_err(|_| Error::Damaged { what })
}

/// Writes the JSON of a record.
pub(crate) fn bytes(value: &impl Serialize) -> Result<Vec<u8>, Error> {
    serde_json::to_vec(value).map_err(|_| Error::Damaged { what: "record" })
}

/// The id in a view's aggregate or body.
pub(crate) fn id<T: std::str::FromStr>(text: &str, what: &'static str) -> Result<T, Error> {
    text.parse().map_err(|_| Error::Damaged { what })
}

/// Who acts, as a person with a session.
pub(crate) fn person_of(actor: Actor) -> Result<PersonId, Error> {
    actor.person().ok_or(Error::ApproverNotAPerson)
}

/// A group id as the not-found error shows it.
pub(crate) fn no_group(group: GroupId) -> Error {
    Error::NotFound { what: "group", name: group.to_string() }
}

/// A person id as the not-found error shows it.
pub(crate) fn no_person(person: PersonId) -> Error {
    Error::NotFound { what: "person", name: person.to_string() }
}
