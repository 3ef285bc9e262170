//! What an action is done to: one typed value per kind of thing, and the ARN that policies match.
//!
//! It knows the spelling of names and nothing of who may. `ResourceRef` is the closed sum that the gate reads; an
//! operation takes its own typed resource back out of the permit.

use base::{
    AccountId, ApprovalId, ClientId, DatasetId, DecisionId, DomainId, GrantId, GroupId, PersonId, ReceiptId, Region,
    RoleId, ServiceId, SessionId,
};

/// A bucket by name.
#[derive(Clone, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub struct Bucket {
    /// The bucket's name.
    pub name: String,
}

impl Bucket {
    /// The bucket `name`.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into() }
    }
}

/// One object (or the place where one would be), with what is known of it before the decision.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Object {
    /// The bucket's name.
    pub bucket: String,
    /// The key, decoded.
    pub key: String,
    /// The version asked for; `None` is the current one.
    pub version: Option<String>,
    /// The tags that the object has now (`s3:ExistingObjectTag/KEY`), read by `governance::locate`; empty where there is none.
    pub tags: Vec<(String, String)>,
}

impl Object {
    /// The current version of `bucket/key`, without tags.
    pub fn new(bucket: impl Into<String>, key: impl Into<String>) -> Self {
        Self { bucket: bucket.into(), key: key.into(), version: None, tags: Vec::new() }
    }
    /// The same object at `version`.
    #[must_use]
    pub fn at_version(mut self, version: Option<String>) -> Self {
        self.version = version;
        self
    }
    /// The same object with its present tags.
    #[must_use]
    pub fn with_tags(mut self, tags: Vec<(String, String)>) -> Self {
        self.tags = tags;
        self
    }
}

/// The installation itself: lists and creations that no smaller thing owns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub struct Installation;

/// A domain with its owner and steward groups, as `governance` knows them.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct DomainTarget {
    /// The domain.
    pub domain: DomainId,
    /// The group that owns it.
    pub owner: GroupId,
    /// The groups that look after it.
    pub stewards: Vec<GroupId>,
}

/// A grant of a dataset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub struct GrantTarget {
    /// The grant.
    pub grant: GrantId,
    /// The dataset that it opens.
    pub dataset: DatasetId,
}

/// Who is, or would be, in a group: a person or a registered service. Never a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Member {
    /// A person of the directory.
    Person(PersonId),
    /// A registered machine.
    Service(ServiceId),
}

impl Member {
    /// The id without its kind, for indexes: UUIDv7 ids never meet between kinds.
    pub const fn uuid(self) -> uuid::Uuid {
        match self {
            Self::Person(id) => id.uuid(),
            Self::Service(id) => id.uuid(),
        }
    }
}

impl From<PersonId> for Member {
    fn from(id: PersonId) -> Self {
        Self::Person(id)
    }
}

impl From<ServiceId> for Member {
    fn from(id: ServiceId) -> Self {
        Self::Service(id)
    }
}

impl From<Member> for custody::Subject {
    fn from(member: Member) -> Self {
        match member {
            Member::Person(id) => id.into(),
            Member::Service(id) => id.into(),
        }
    }
}

/// One edge between a member and a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub struct MembershipEdge {
    /// Who.
    pub member: Member,
    /// In which group.
    pub group: GroupId,
}

/// A session and the person it belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub struct SessionTarget {
    /// The session.
    pub session: SessionId,
    /// Its person; `None` for a machine's.
    pub person: Option<PersonId>,
}

/// A recorded decision and who asked then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub struct DecisionTarget {
    /// The decision.
    pub decision: DecisionId,
    /// Whose question it was; `None` for Galen's own and for one that is not recorded here.
    pub member: Option<Member>,
}

/// A change that waits for its second approval.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub struct Proposal {
    /// By which it is approved.
    pub approval: ApprovalId,
    /// Who asked for it (`galen:Requester` compares the actor with this).
    pub requested_by: PersonId,
    /// Whom it concerns (`galen:Self`), who may not approve it either.
    pub about: Option<PersonId>,
    /// The group that would get a member: who owns or looks after all that it reaches is its owner (`galen:Owner`).
    pub group: Option<GroupId>,
}

/// Any resource that a decision can name.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "each variant is the type of the same name")]
pub enum ResourceRef {
    Bucket(Bucket),
    Object(Object),
    /// Every bucket of the account (`s3:ListAllMyBuckets`).
    AnyBucket,
    Installation,
    Account(AccountId),
    AssumableRole(crate::action::sts::AssumableRole),
    Client(ClientId),
    Dataset(DatasetId),
    Decision(DecisionTarget),
    Domain(DomainTarget),
    Edge(MembershipEdge),
    Grant(GrantTarget),
    Group(GroupId),
    Person(PersonId),
    Proposal(Proposal),
    Receipt(ReceiptId),
    Role(RoleId),
    Service(ServiceId),
    Session(SessionTarget),
}

/// Every bucket of the account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub struct AnyBucket;

macro_rules! into_ref {
    ($($from:ty => $variant:ident),* $(,)?) => {$(
        impl From<$from> for ResourceRef {
            fn from(value: $from) -> Self {
                Self::$variant(value)
            }
        }
    )*};
}

into_ref! {
    Bucket => Bucket, Object => Object, AccountId => Account, ClientId => Client, DatasetId => Dataset,
    DecisionTarget => Decision, DomainTarget => Domain, MembershipEdge => Edge, GrantTarget => Grant, Proposal => Proposal,
    GroupId => Group, PersonId => Person, ReceiptId => Receipt, RoleId => Role, ServiceId => Service,
    SessionTarget => Session,
}

impl From<Member> for ResourceRef {
    fn from(member: Member) -> Self {
        match member {
            Member::Person(id) => Self::Person(id),
            Member::Service(id) => Self::Service(id),
        }
    }
}

impl From<Installation> for ResourceRef {
    fn from(_: Installation) -> Self {
        Self::Installation
    }
}

impl From<AnyBucket> for ResourceRef {
    fn from(_: AnyBucket) -> Self {
        Self::AnyBucket
    }
}

impl ResourceRef {
    /// The ARN that policies match: S3's own for buckets and objects, `arn:aws:galen:REGION:ACCOUNT:TYPE/ID` for the rest.
    /// An assumable role needs its name, which only the gate knows: here it is spelled by id.
    pub fn arn(&self, region: &Region, account: AccountId) -> String {
        let galen = |kind: &str, id: &dyn std::fmt::Display| format!("arn:aws:galen:{region}:{account}:{kind}/{id}");
        match self {
            Self::Bucket(bucket) => format!("arn:aws:s3:::{}", bucket.name),
            Self::Object(object) => format!("arn:aws:s3:::{}/{}", object.bucket, object.key),
            Self::AnyBucket => "arn:aws:s3:::*".to_owned(),
            Self::Installation => galen("installation", &"self"),
            Self::Account(id) => galen("account", id),
            Self::AssumableRole(role) => format!("arn:aws:iam::{account}:role/{}", role.0),
            Self::Client(id) => galen("client", id),
            Self::Dataset(id) => galen("dataset", id),
            Self::Decision(target) => galen("decision", &target.decision),
            Self::Domain(target) => galen("domain", &target.domain),
            Self::Edge(edge) => format!("{}/member/{}", galen("group", &edge.group), edge.member.uuid().hyphenated()),
            Self::Grant(target) => galen("grant", &target.grant),
            Self::Group(id) => galen("group", id),
            Self::Person(id) => galen("person", id),
            Self::Proposal(proposal) => galen("approval", &proposal.approval),
            Self::Receipt(id) => galen("receipt", id),
            Self::Role(id) => galen("role", id),
            Self::Service(id) => galen("service", id),
            Self::Session(target) => galen("session", &target.session),
        }
    }

    /// Bucket and key of an S3 resource; the key of a bucket is empty.
    pub(crate) fn place(&self) -> Option<(&str, &str)> {
        match self {
            Self::Bucket(bucket) => Some((&bucket.name, "")),
            Self::Object(object) => Some((&object.bucket, &object.key)),
            _ => None,
        }
    }
}
