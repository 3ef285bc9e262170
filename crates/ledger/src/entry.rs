//! One entry: CloudTrail's shape and names where CloudTrail has them, plus the decision and why it was made.
//!
//! Personal attributes (names, mail, session names, tags, source addresses) are not fields of this type: they go,
//! encrypted under a key per subject, into [`Sealed`]. What stays in clear are ids and salted commitments.

use base::{
    AccountId, Actor, Arn, ChangeId, DecisionId, FactId, GrantId, GroupId, MembershipId, PersonId, Region, RequestId,
    RoleId, ServiceId, SessionId, SignInId, Timestamp,
};
use crypto::Sha256Digest;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::Error;

/// Longest entry: large enough for 100 reasons and ids, small enough that 256 of them fit into memory many times.
pub const ENTRY_BYTES_MAX: usize = 16 * 1024;

/// Room for most entries, so that writing one does not move it again and again.
const ENTRY_BYTES_USUAL: usize = 4 * 1024;

/// Version of the entry's shape; readers accept fields that they do not know.
pub const EVENT_VERSION: &str = "1.0";

/// What stands before the id of an entry of this version.
const BEFORE_ID: &[u8] = br#"{"eventVersion":"1.0","eventID":""#;

/// What part of an act an entry records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// An access is about to happen; durable before its first byte leaves.
    Intent,
    /// An access ended, or was found open by the sweeper.
    Outcome,
    /// A change of governance, committed with its facts.
    Change,
    /// An authenticated caller was refused.
    Denial,
    /// Failures of one reason in one minute that no decision was asked about: of one source, or of one known session.
    Denials,
    /// Anything else worth keeping: start-up, sign-in, the checkpoint of the log before this one.
    Note,
}

/// Which interface was called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum EventType {
    /// A call of the AWS-compatible edge.
    AwsApiCall,
    /// A call of the management API, the portal or the CLI.
    GalenApiCall,
    /// A sign-in or sign-out.
    GalenSignIn,
    /// Galen itself.
    GalenServiceEvent,
}

/// Kind of principal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum IdentityKind {
    /// A person in a role session.
    Person,
    /// A registered machine.
    Service,
    /// Galen itself.
    System,
    /// Nobody that Galen knows.
    Anonymous,
}

/// Who acted, by ids.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UserIdentity {
    /// Kind of principal.
    #[serde(rename = "type")]
    pub kind: IdentityKind,
    /// The person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person: Option<PersonId>,
    /// The machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<ServiceId>,
    /// The role session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionId>,
    /// The role of the session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<RoleId>,
    /// Salted commitment to the source identity; opened only while the subject's key lives.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commitment: Option<Sha256Digest>,
}

impl UserIdentity {
    /// A principal without session, role and commitment.
    pub const fn new(actor: Actor) -> Self {
        let (kind, person, service) = match actor {
            Actor::Person(id) => (IdentityKind::Person, Some(id), None),
            Actor::Service(id) => (IdentityKind::Service, None, Some(id)),
            Actor::System => (IdentityKind::System, None, None),
        };
        Self { kind, person, service, session: None, role: None, commitment: None }
    }

    /// Nobody that Galen knows.
    pub const fn anonymous() -> Self {
        Self { kind: IdentityKind::Anonymous, person: None, service: None, session: None, role: None, commitment: None }
    }
}

/// What was acted on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resource {
    /// Its ARN.
    #[serde(rename = "ARN")]
    pub arn: Arn,
    /// The account it belongs to.
    #[serde(rename = "accountId", default, skip_serializing_if = "Option::is_none")]
    pub account: Option<AccountId>,
    /// CloudTrail's type name, such as `AWS::S3::Object`.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Version of the object that was read or written.
    #[serde(rename = "versionId", default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
}

/// Yes or no.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// The gate said yes.
    Allow,
    /// The gate said no.
    Deny,
}

/// A document that took part in a decision, by the digest of its canonical text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Document {
    /// What it is, such as `role_policy` or `guardrail`.
    pub kind: String,
    /// Digest of the text.
    pub digest: Sha256Digest,
    /// The statement that decided, when one did, from 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub statement: Option<u32>,
}

/// Why a decision came out as it did: the ids that a reader joins.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Why {
    /// The role session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionId>,
    /// The sign-in that the session goes back to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sign_in: Option<SignInId>,
    /// Groups through which the person was entitled.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<GroupId>,
    /// The memberships in them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub memberships: Vec<MembershipId>,
    /// The grants that allowed, or were tried.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub grants: Vec<GrantId>,
    /// Who approved them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub approvers: Vec<PersonId>,
    /// Documents that took part.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub documents: Vec<Document>,
    /// Version of the evaluator.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub evaluator: String,
    /// Digest of the request context, whose text is sealed or stored by digest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context: Option<Sha256Digest>,
    /// Position of the state that was looked at, as `REGION:SEQUENCE`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<String>,
}

/// What the gate said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// Yes or no.
    pub effect: Effect,
    /// The deciding reasons, as stable codes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<String>,
    /// The chain behind them.
    #[serde(default)]
    pub why: Why,
}

/// How an access ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Everything that was asked for went out or was stored.
    Ok,
    /// The caller went away, or the stream was cut.
    Cut,
    /// It failed on our side.
    Failed,
    /// Not known: the process ended in between. Written by the sweeper.
    Unknown,
}

/// How an access ended, and how much left or came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Outcome {
    /// How it ended.
    pub status: Status,
    /// Status code on the wire, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<u16>,
    /// Bytes of data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// First byte of the range that was read, for range readers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offset: Option<u64>,
    /// What a list showed and passed over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shown: Option<Shown>,
}

/// What a list showed of what there was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shown {
    /// Items in the answer.
    pub listed: u64,
    /// Places that the list passed over because the caller may not see what is in them. Each holds at least one item; how many is
    /// not counted, as nobody reads what is not shown.
    pub hidden: u64,
}

/// An intent that covers every range of one object version until a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// Reads that start before this are covered.
    pub until: Timestamp,
}

/// A change of governance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// The change.
    pub id: ChangeId,
    /// Its facts.
    pub facts: Vec<FactId>,
    /// Digest over the facts' digests in order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Sha256Digest>,
    /// Why, in the words or the code that the actor gave.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Failures of one reason in one minute, of one source or of the session that the entry names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DenialCount {
    /// The reason, as a stable code.
    pub reason: String,
    /// Salted commitment to the source address; `None` for somebody known, and for the sum of what is beyond the cap.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Sha256Digest>,
    /// Start of the minute.
    pub minute: Timestamp,
    /// How many.
    pub count: u64,
}

/// Personal data of one subject, encrypted under that subject's key; unreadable after an erasure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sealed {
    /// Whose key opens it.
    pub subject: String,
    /// The ciphertext, base64.
    pub blob: String,
}

/// How long an entry may stay in memory before it is durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AuditClass {
    /// Durable before data flows.
    Strict,
    /// At most 100 ms may be lost in a crash.
    Batched,
}

/// More that an entry says, as JSON in the form in which it was written: it is made once, and read only by whoever knows what
/// it holds.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Data(Box<RawValue>);

impl Data {
    /// Writes a value.
    ///
    /// # Errors
    /// [`Error::EntryUnwritable`].
    pub fn new(value: &impl Serialize) -> Result<Self, Error> {
        serde_json::value::to_raw_value(value).map(Self).map_err(|source| Error::EntryUnwritable { source })
    }

    /// Reads it.
    ///
    /// # Errors
    /// [`Error::EntryUnreadable`].
    pub fn read<'a, T: Deserialize<'a>>(&'a self) -> Result<T, Error> {
        serde_json::from_str(self.0.get()).map_err(|source| Error::EntryUnreadable { source })
    }
}

impl PartialEq for Data {
    fn eq(&self, other: &Self) -> bool {
        self.0.get() == other.0.get()
    }
}

/// One entry of the ledger.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// [`EVENT_VERSION`] of the writer.
    pub event_version: String,
    /// The id of this decision or entry.
    #[serde(rename = "eventID")]
    pub event_id: DecisionId,
    /// When, UTC.
    pub event_time: Timestamp,
    /// Which interface.
    pub event_type: EventType,
    /// The service, such as `s3.amazonaws.com` or `galen.access`.
    pub event_source: String,
    /// The operation, such as `GetObject`.
    pub event_name: String,
    /// What part of the act this is.
    pub phase: Phase,
    /// Who.
    pub user_identity: UserIdentity,
    /// The region, where it matters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aws_region: Option<Region>,
    /// On what.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resources: Vec<Resource>,
    /// The request of the edge.
    #[serde(rename = "requestID", default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<RequestId>,
    /// What the gate said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decision: Option<Decision>,
    /// How it ended (phase outcome).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
    /// The intent that this outcome closes, or the window intent that covers it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<DecisionId>,
    /// Set on an intent that covers many reads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<Window>,
    /// The change (phase change).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change: Option<Change>,
    /// The count (phase denials).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub denials: Option<DenialCount>,
    /// Class of the dataset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audit_class: Option<AuditClass>,
    /// Personal data, one blob per subject.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sealed: Vec<Sealed>,
    /// Parameters of the request that are not personal, as CloudTrail names them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_parameters: Option<serde_json::Value>,
    /// Anything else that is not personal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub additional_event_data: Option<Data>,
}

impl Entry {
    /// An entry with everything optional left out.
    pub fn new(phase: Phase, id: DecisionId, time: Timestamp, source: &str, name: &str, who: UserIdentity) -> Self {
        Self {
            event_version: EVENT_VERSION.to_owned(),
            event_id: id,
            event_time: time,
            event_type: EventType::GalenServiceEvent,
            event_source: source.to_owned(),
            event_name: name.to_owned(),
            phase,
            user_identity: who,
            aws_region: None,
            resources: Vec::new(),
            request_id: None,
            decision: None,
            outcome: None,
            of: None,
            window: None,
            change: None,
            denials: None,
            audit_class: None,
            sealed: Vec::new(),
            request_parameters: None,
            additional_event_data: None,
        }
    }

    /// The outcome that closes `intent` (or, for a window intent, reports one read of it).
    pub fn outcome_of(intent: &Self, id: DecisionId, time: Timestamp, outcome: Outcome) -> Self {
        let mut entry =
            Self::new(Phase::Outcome, id, time, &intent.event_source, &intent.event_name, intent.user_identity.clone());
        entry.event_type = intent.event_type;
        entry.request_id = intent.request_id;
        entry.of = Some(intent.event_id);
        entry.outcome = Some(outcome);
        entry
    }

    /// The bytes that are appended: JSON with the fields in the order of this type.
    ///
    /// # Errors
    /// [`Error::EntryTooLarge`] beyond [`ENTRY_BYTES_MAX`].
    pub fn encode(&self) -> Result<Vec<u8>, Error> {
        bounded(self.written()?)
    }

    /// As [`Entry::encode`], with one more member in the additional data, which does not have it yet; an entry without such
    /// data stays without.
    ///
    /// # Errors
    /// As [`Entry::encode`]; [`Error::EntryUnwritable`] also when the data is no object.
    pub fn encode_with(&self, name: &str, value: &impl Serialize) -> Result<Vec<u8>, Error> {
        let unwritable = |source| Error::EntryUnwritable { source };
        let mut bytes = self.written()?;
        if self.additional_event_data.is_none() {
            return bounded(bytes);
        }
        // The data is the last field of an entry: one brace ends the one, the next the other.
        if !bytes.ends_with(b"}}") {
            return Err(unwritable(serde::ser::Error::custom("only an object has members")));
        }
        bytes.truncate(bytes.len() - 2);
        if !bytes.ends_with(b"{") {
            bytes.push(b',');
        }
        serde_json::to_writer(&mut bytes, name).map_err(unwritable)?;
        bytes.push(b':');
        serde_json::to_writer(&mut bytes, value).map_err(unwritable)?;
        bytes.extend_from_slice(b"}}");
        bounded(bytes)
    }

    fn written(&self) -> Result<Vec<u8>, Error> {
        let mut bytes = Vec::with_capacity(ENTRY_BYTES_USUAL);
        serde_json::to_writer(&mut bytes, self).map_err(|source| Error::EntryUnwritable { source })?;
        Ok(bytes)
    }

    /// The id of a written entry, without reading it: it stands at one place in every entry of this version. `None` for another.
    pub fn id_of(bytes: &[u8]) -> Option<DecisionId> {
        let id = bytes.strip_prefix(BEFORE_ID)?.first_chunk::<36>()?;
        std::str::from_utf8(id).ok()?.parse().ok()
    }

    /// Reads an entry; fields of newer versions are ignored.
    ///
    /// # Errors
    /// [`Error::EntryTooLarge`] or [`Error::EntryUnreadable`].
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        if bytes.len() > ENTRY_BYTES_MAX {
            return Err(Error::EntryTooLarge { bytes: bytes.len(), most: ENTRY_BYTES_MAX });
        }
        serde_json::from_slice(bytes).map_err(|source| Error::EntryUnreadable { source })
    }
}

fn bounded(bytes: Vec<u8>) -> Result<Vec<u8>, Error> {
    if bytes.len() > ENTRY_BYTES_MAX {
        return Err(Error::EntryTooLarge { bytes: bytes.len(), most: ENTRY_BYTES_MAX });
    }
    Ok(bytes)
}
