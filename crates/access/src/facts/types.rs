//! The bodies of the facts, as types. Serialised as they stand; a field is added with a default and never renamed.

use base::{
    AccountId, ClientId, DatasetId, EntitlementId, GrantId, GroupId, MembershipId, PersonId, RoleId, ServiceId,
    Timestamp,
};
use crypto::Sha256Digest;
use serde::{Deserialize, Serialize};

use crate::permit::AuditClass;
use crate::resource::Member;
use crate::session::Carry;

/// One add of a member to a group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Membership {
    /// This add: a remove names it.
    pub id: MembershipId,
    /// Who.
    pub member: Member,
    /// Into which group.
    pub group: GroupId,
}

/// The removal of a member from a group: names the adds that it saw, so that a later or unseen add survives.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MembershipRemoved {
    /// Who.
    pub member: Member,
    /// From which group.
    pub group: GroupId,
    /// The adds that are taken back.
    pub removes: Vec<MembershipId>,
}

/// What a grant lets its group do; each level includes the ones before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// See it in the catalogue.
    Discover,
    /// Get, versions, list, SELECT.
    Read,
    /// Read, put, multipart, delete to a marker, INSERT.
    Write,
}

impl Level {
    /// The word in API, CLI and messages.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Discover => "discover",
            Self::Read => "read",
            Self::Write => "write",
        }
    }
}

impl std::str::FromStr for Level {
    type Err = base::BadName;
    fn from_str(text: &str) -> Result<Self, base::BadName> {
        match text {
            "discover" => Ok(Self::Discover),
            "read" => Ok(Self::Read),
            "write" => Ok(Self::Write),
            _ => Err(base::BadName::new("a level", text, "discover, read or write")),
        }
    }
}

/// How much of a dataset a grant opens. Empty everywhere: all of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Scope {
    /// Prefixes inside the dataset, each ending in `/`, counted from the place's own prefix. Empty: every key.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub prefixes: Vec<String>,
    /// A row filter, which only a table edge can apply.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub row_filter: Option<String>,
    /// The columns that may be seen, which only a table edge can apply. Empty: all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub columns: Vec<String>,
}

impl Scope {
    /// Whether it carries an obligation that a file edge cannot discharge.
    pub fn needs_tables(&self) -> bool {
        self.row_filter.is_some() || !self.columns.is_empty()
    }
}

/// Who approved a grant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Approver {
    /// An owner or steward of the dataset.
    Person(PersonId),
    /// The account's policy: only for a workspace or a home area, whose maker it serves.
    AccountPolicy(AccountId),
}

/// A grant of a dataset to a group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// This grant.
    pub id: GrantId,
    /// To whom: always a group.
    pub group: GroupId,
    /// Of what.
    pub dataset: DatasetId,
    /// How much may be done.
    pub level: Level,
    /// To how much of it.
    #[serde(default)]
    pub scope: Scope,
    /// For what purpose.
    pub purpose: String,
    /// From when.
    pub start: Timestamp,
    /// Until when: nothing is permanent.
    pub expiry: Timestamp,
    /// Who approved it.
    pub approver: Approver,
    /// The request that it answers; `direct` until requests exist.
    pub request: String,
}

/// A group may assume a role, through one client or through any.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entitlement {
    /// This entitlement.
    pub id: EntitlementId,
    /// Who may.
    pub group: GroupId,
    /// Which role.
    pub role: RoleId,
    /// Through which OIDC client; `None`: through any registered one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<ClientId>,
}

/// A policy document by name and digest; the store keeps the bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamedDocument {
    /// A managed policy's name, or the inline policy's own.
    pub name: String,
    /// SHA-256 of its text.
    pub digest: Sha256Digest,
}

/// A duty that its sessions cannot shed: the built-in separation of duties reads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Duty {
    /// Runs the installation; is not thereby an owner of data.
    Administrator,
    /// Owns or looks after data.
    DataOwner,
    /// Reads records; never writes.
    Auditor,
}

/// A role that sessions are made from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Role {
    /// The role.
    pub id: RoleId,
    /// Its account.
    pub account: AccountId,
    /// Its name, unique in the account while it lives: 1 to 64 of `[\w+=,.@-]`.
    pub name: String,
    /// `AROA...`, new with each creation, so that a deleted and recreated role is another principal.
    pub unique_id: String,
    /// The longest session, 3,600 to 43,200 seconds.
    pub session_secs_max: u32,
    /// Which of a person's live groups its sessions carry.
    #[serde(default)]
    pub carry: Carry,
    /// Its policies.
    pub policies: Vec<NamedDocument>,
    /// Its boundary.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boundary: Option<NamedDocument>,
    /// Whether it is a management role: portal and CLI sessions, no data.
    #[serde(default)]
    pub management: bool,
    /// The duty that its sessions bear.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duty: Option<Duty>,
    /// Role tags (`aws:PrincipalTag/KEY` where no session tag overrides them).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<(String, String)>,
}

impl Role {
    /// `arn:aws:iam::ACCOUNT:role/NAME`.
    pub fn arn(&self) -> String {
        format!("arn:aws:iam::{}:role/{}", self.account, self.name)
    }
}

/// What kind of place a dataset is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DatasetKind {
    /// Governed data with an owner.
    Dataset,
    /// A bucket that a tool made.
    Workspace,
    /// A person's own area.
    Home,
}

/// How sensitive a dataset is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Classification {
    /// For anyone.
    Public,
    /// For employees.
    Internal,
    /// For those who need it.
    Confidential,
    /// For named groups.
    Restricted,
}

impl Classification {
    /// The word in `galen:Classification`, API and CLI.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Internal => "internal",
            Self::Confidential => "confidential",
            Self::Restricted => "restricted",
        }
    }
}

impl std::str::FromStr for Classification {
    type Err = base::BadName;
    fn from_str(text: &str) -> Result<Self, base::BadName> {
        match text {
            "public" => Ok(Self::Public),
            "internal" => Ok(Self::Internal),
            "confidential" => Ok(Self::Confidential),
            "restricted" => Ok(Self::Restricted),
            _ => Err(base::BadName::new("a classification", text, "public, internal, confidential or restricted")),
        }
    }
}

/// Where a dataset's keys are.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Place {
    /// The bucket.
    pub bucket: String,
    /// The prefix: empty for a whole bucket, else ending in `/`.
    pub prefix: String,
}

/// A dataset as the gate knows it: where it is, whose it is, what its policy is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatasetLocation {
    /// The dataset.
    pub dataset: DatasetId,
    /// The account that it belongs to.
    pub account: AccountId,
    /// Its places, at least one.
    pub places: Vec<Place>,
    /// The group that owns it.
    pub owner: GroupId,
    /// The groups that may look after it for the owner.
    #[serde(default)]
    pub stewards: Vec<GroupId>,
    /// Its own policy: it only narrows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<Sha256Digest>,
    /// How sensitive it is.
    pub classification: Classification,
    /// Whether it is GxP data.
    #[serde(default)]
    pub gxp: bool,
    /// Whether it holds personal data.
    #[serde(default)]
    pub personal: bool,
    /// What kind of place it is.
    pub kind: DatasetKind,
    /// How its accesses are recorded.
    #[serde(default)]
    pub audit: AuditClass,
    /// The custody key that wraps its data keys, as custody spells it.
    pub key: String,
}

/// The guardrails (SCP) of an account: levels from the root down; at every level something must allow.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Guardrail {
    /// The account.
    pub account: AccountId,
    /// Documents per level.
    pub levels: Vec<Vec<NamedDocument>>,
}

/// An OIDC client as a trust anchor: an identity token issued to it can be exchanged for a role session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Client {
    /// The client.
    pub id: ClientId,
    /// Its account.
    pub account: AccountId,
    /// The issuer without its scheme, as in `oidc-provider/HOST`.
    pub provider: String,
    /// The audience of its tokens: unique while it lives.
    pub audience: String,
    /// What people call it.
    pub name: String,
}

/// A registered machine, owned by a named person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Service {
    /// The service.
    pub id: ServiceId,
    /// Its account.
    pub account: AccountId,
    /// Its name, unique while it lives.
    pub name: String,
    /// The person who answers for it.
    pub owner: PersonId,
    /// The OIDC client whose tokens it presents.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<ClientId>,
}

/// The end of a grant before its expiry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GrantEnded {
    /// The grant.
    pub id: GrantId,
    /// Of which dataset.
    pub dataset: DatasetId,
    /// To which group it went.
    pub group: GroupId,
}
