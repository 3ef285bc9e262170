//! What an entry says: ids and digests in clear, personal context sealed under the subject's key.

use base::{AccountId, Actor, Arn, SourceIdentity, Timestamp};
use crypto::Sha256Digest;
use custody::Subject;
use ledger::{Data, Document, Effect, Entry, EventType, IdentityKind, Phase, Resource, Sealed, UserIdentity, Why};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::borrow::Cow;
use std::collections::BTreeMap;

use super::{NotRecorded, Record, Recorder};
use crate::action::sts::Via;
use crate::gate::EVALUATOR;
use crate::permit::Reason;
use crate::why::{Additional, Assumed};
use crate::{DenyReason, Edge, OpContext, ResourceRef, Session};

/// Largest sealed text that stays in the entry; a larger one is a document and the entry names its digest
/// (`ledger::ENTRY_BYTES_MAX` is 16 KiB).
const SEALED_INLINE_MAX: usize = 8 * 1024;
/// Room for most personal parts, so that writing one does not move it again and again.
const PERSONAL_BYTES_USUAL: usize = 2 * 1024;
/// What stands before the digest of a sealed text that is a document.
pub(crate) const SEALED_ELSEWHERE: &str = "document:";

/// The stable code of a reason, for entries, counts and metrics.
pub(crate) fn code(reason: &DenyReason) -> &'static str {
    match reason {
        DenyReason::NotSignedIn => "not_signed_in",
        DenyReason::SessionExpired { .. } => "session_expired",
        DenyReason::SessionCut { .. } => "session_cut",
        DenyReason::RoleEnded { .. } => "role_ended",
        DenyReason::NoRole => "no_role",
        DenyReason::NotEntitled { .. } => "not_entitled",
        DenyReason::Denied(_) => "denied",
        DenyReason::RoleSilent { .. } => "role_silent",
        DenyReason::BoundarySilent { .. } => "boundary_silent",
        DenyReason::SessionPolicySilent => "session_policy_silent",
        DenyReason::GuardrailSilent { .. } => "guardrail_silent",
        DenyReason::TrustSilent { .. } => "trust_silent",
        DenyReason::NoDataset => "no_dataset",
        DenyReason::NoGrant { .. } => "no_grant",
        DenyReason::OutOfScope { .. } => "out_of_scope",
        DenyReason::LevelTooLow { .. } => "level_too_low",
        DenyReason::GrantNotBegun { .. } => "grant_not_begun",
        DenyReason::GrantExpired { .. } => "grant_expired",
        DenyReason::Undischargeable { .. } => "undischargeable",
        DenyReason::NothingVisible => "nothing_visible",
        DenyReason::NotOwner { .. } => "not_owner",
        DenyReason::NotDomainOwner { .. } => "not_domain_owner",
        DenyReason::Retention => "retention",
        DenyReason::PublicAccess => "public_access",
        DenyReason::OtherAccount => "other_account",
        DenyReason::SelfApproval => "self_approval",
        DenyReason::SelfMembership => "self_membership",
        DenyReason::NotManagement { .. } => "not_management",
        DenyReason::AuditorWrites => "auditor_writes",
        DenyReason::AuthTooOld { .. } => "auth_too_old",
        DenyReason::UnknownAction => "unknown_action",
        DenyReason::Stale => "stale",
        DenyReason::TooManyStreams => "too_many_streams",
        DenyReason::NotRecorded => "not_recorded",
        DenyReason::Evaluation { .. } => "evaluation",
    }
}

/// The stable code of a ground.
const fn ground(reason: &Reason) -> &'static str {
    match reason {
        Reason::Session { .. } => "session",
        Reason::Statement(_) => "statement",
        Reason::Membership { .. } => "membership",
        Reason::Grant { .. } => "grant",
        Reason::Owner { .. } => "owner",
        Reason::Entitlement { .. } => "entitlement",
        Reason::System => "system",
        Reason::Free => "free",
    }
}

/// The service's name in entries, and the operation's.
pub(crate) fn names(action: &str) -> (&'static str, &str) {
    let (service, name) = action.split_once(':').unwrap_or(("galen", action));
    let source = match service {
        "s3" => "s3.amazonaws.com",
        "sts" => "sts.amazonaws.com",
        _ => "galen.access",
    };
    (source, name)
}

/// Who acts, by ids.
pub(crate) fn identity(op: &OpContext) -> UserIdentity {
    let mut who = match op.actor {
        Some(Actor::System) => UserIdentity { kind: IdentityKind::System, ..UserIdentity::anonymous() },
        Some(actor) => UserIdentity::new(actor),
        None => UserIdentity::anonymous(),
    };
    who.session = op.session.as_ref().map(|session| session.id);
    who.role = op.session.as_ref().map(|session| session.role);
    who
}

pub(crate) const fn event_type(edge: Edge) -> EventType {
    match edge {
        Edge::S3 | Edge::Sts => EventType::AwsApiCall,
        Edge::Api | Edge::Cli => EventType::GalenApiCall,
        Edge::Internal => EventType::GalenServiceEvent,
    }
}

/// The personal part of a record, sealed: what its decision read of the request. The salt keeps its digest from giving
/// anything away.
#[derive(Serialize, Deserialize)]
pub(crate) struct Personal<'a> {
    salt: String,
    /// The values of the condition keys that the documents read; `None` where nothing was evaluated.
    pub(crate) context: Option<BTreeMap<Cow<'a, str>, Cow<'a, [String]>>>,
    pub(crate) session: Option<Acting>,
    /// The prefix that a listing asked for.
    pub(crate) prefix: Option<String>,
    source_ip: Option<std::net::IpAddr>,
    user_agent: Option<String>,
    /// Whose act it was, where no session says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    source_identity: Option<SourceIdentity>,
}

/// The session of a record, beside the ids that stand in clear.
#[derive(Serialize, Deserialize)]
pub(crate) struct Acting {
    pub(crate) arn: Arn,
    pub(crate) role_arn: Arn,
    pub(crate) role_unique_id: String,
    pub(crate) account: AccountId,
    pub(crate) name: String,
    pub(crate) source_identity: SourceIdentity,
    pub(crate) auth_time: Timestamp,
}

impl Acting {
    fn of(session: &Session) -> Self {
        Self {
            arn: session.arn.clone(),
            role_arn: session.role_arn.clone(),
            role_unique_id: session.role_unique_id.clone(),
            account: session.account,
            name: session.name.to_string(),
            source_identity: session.source_identity.clone(),
            auth_time: session.auth.auth_time,
        }
    }
}

impl<'a> Personal<'a> {
    fn of(context: Option<&'a policy::Context>, op: &OpContext, salt: &[u8; 16]) -> Self {
        let values = |context: &'a policy::Context| {
            context.iter().map(|(key, values)| (Cow::Borrowed(key), Cow::Borrowed(values))).collect::<BTreeMap<_, _>>()
        };
        Self {
            salt: hex(salt),
            context: context.map(values),
            session: op.session.as_deref().map(Acting::of),
            prefix: op.keys.prefix.clone(),
            source_ip: op.source_ip,
            user_agent: op.user_agent.clone(),
            source_identity: None,
        }
    }

    /// The bytes of what is personal in an act at a door.
    pub(crate) fn at_the_door(op: &OpContext, source_identity: Option<SourceIdentity>, salt: &[u8; 16]) -> Vec<u8> {
        Self { source_identity, ..Self::of(None, op, salt) }.sealed().0
    }

    /// Its bytes, and the digest by which the entry names them: nobody writes them a second time, so they need no one form.
    fn sealed(&self) -> (Vec<u8>, Option<Sha256Digest>) {
        let mut bytes = Vec::with_capacity(PERSONAL_BYTES_USUAL);
        if serde_json::to_writer(&mut bytes, self).is_err() {
            bytes.clear();
        }
        let digest = (!bytes.is_empty()).then(|| crypto::sha256(&bytes));
        (bytes, digest)
    }
}

fn hex(bytes: &[u8]) -> String {
    let digit = |half: u8| char::from_digit(u32::from(half), 16).unwrap_or('0');
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

fn why(record: &Record<'_>, region: &base::Region, context: Option<Sha256Digest>) -> Why {
    let verdict = record.verdict;
    let session = record.op.session.as_deref();
    let mut why = Why {
        session: session.map(|session| session.id),
        sign_in: session.and_then(|session| session.sign_in),
        evaluator: EVALUATOR.to_owned(),
        context,
        position: Some(format!("{region}@{}", verdict.known)),
        ..Why::default()
    };
    for reason in &verdict.reasons {
        match reason {
            Reason::Membership { group, .. } | Reason::Owner { group, .. } | Reason::Entitlement { group, .. }
                if !why.groups.contains(group) =>
            {
                why.groups.push(*group);
            }
            Reason::Grant { grant, .. } => why.grants.push(*grant),
            _ => {}
        }
    }
    let decided = |digest: &Sha256Digest| {
        let at = verdict.reasons.iter().find_map(|reason| match reason {
            Reason::Statement(at) if at.document.digest == *digest => Some(at.statement),
            _ => None,
        });
        let denied = match &verdict.deny {
            Some(DenyReason::Denied(at)) if at.document.digest == *digest => Some(at.statement),
            _ => None,
        };
        denied.or(at).and_then(|statement| u32::try_from(statement).ok())
    };
    let named = verdict.documents.iter().map(|document| Document {
        kind: document.slot.to_string(),
        digest: document.digest,
        statement: decided(&document.digest),
    });
    why.documents = named.collect();
    why
}

fn additional<'a>(record: &'a Record<'_>) -> Additional<'a> {
    let verdict = record.verdict;
    let via = record.trust.map(|trust| &trust.via);
    let identity = via.and_then(|via| match via {
        Via::WebIdentity(identity) => Some(identity),
        Via::Session => None,
    });
    let claimed = identity.map(|identity| identity.client);
    let assume = match (record.trust, record.resource) {
        (Some(trust), ResourceRef::AssumableRole(role)) => Some(Assumed {
            role: role.0,
            provider: identity.map(|identity| identity.provider.clone()),
            tags: !trust.tags.is_empty(),
            sets_source_identity: trust.sets_source_identity,
        }),
        _ => None,
    };
    Additional {
        action: Cow::Borrowed(record.action),
        reasons: Cow::Borrowed(&verdict.reasons),
        deny: verdict.deny.as_ref().map(Cow::Borrowed),
        documents: Cow::Borrowed(&verdict.documents),
        dataset: verdict.location.as_ref().map(|location| location.dataset),
        known: verdict.known,
        client: record.op.session.as_deref().and_then(|session| session.client).or(claimed),
        assume,
        resource: Some(record.resource).filter(|resource| resource.place().is_none()).map(Cow::Borrowed),
        ranged: record.op.keys.ranged,
        values: None,
    }
}

impl Recorder {
    /// The entry of a record with its personal part sealed, and with every document that it cites stored.
    pub(super) async fn entry(&self, record: &Record<'_>, phase: Phase) -> Result<Entry, NotRecorded> {
        let failed = |error: &dyn std::fmt::Display| {
            tracing::error!(%error, "a decision cannot be recorded: it is refused");
            NotRecorded
        };
        self.keep_documents(record).await.map_err(|error| failed(&error))?;
        let personal = Personal::of(record.verdict.context.as_ref(), record.op, &self.0.effects.bytes());
        let (bytes, digest) = personal.sealed();
        let subject = match record.op.actor {
            Some(Actor::Person(person)) => Some((Subject::from(person), person.to_string())),
            Some(Actor::Service(service)) => Some((Subject::from(service), service.to_string())),
            Some(Actor::System) | None => None,
        };
        let mut entry = self.base(record, phase, digest)?;
        if let Some((subject, name)) = subject
            && let Some(blob) = self.0.custody.seal_blob(subject, &bytes).await.map_err(|error| failed(&error))?
        {
            let blob = if blob.len() > SEALED_INLINE_MAX { self.elsewhere(blob).await? } else { blob };
            entry.sealed.push(Sealed { subject: name, blob });
        }
        Ok(entry)
    }

    /// The entry of a record without a personal part.
    pub(super) fn plain(&self, record: &Record<'_>, phase: Phase) -> Result<Entry, NotRecorded> {
        self.base(record, phase, None)
    }

    fn base(&self, record: &Record<'_>, phase: Phase, context: Option<Sha256Digest>) -> Result<Entry, NotRecorded> {
        let (source, name) = names(record.action);
        let mut entry = Entry::new(phase, record.decision, record.op.at, source, name, identity(record.op));
        entry.event_type = event_type(record.op.edge);
        entry.aws_region = Some(self.0.region.clone());
        entry.request_id = Some(record.op.request);
        match record.arn.parse::<Arn>() {
            Ok(arn) => {
                let account = record.verdict.location.as_ref().map(|location| location.account);
                let version = record.op.keys.version_id.clone();
                entry.resources.push(Resource { arn, account, kind: None, version });
            }
            // A name that is no ARN (too long, control characters) is kept as it is, escaped by JSON.
            Err(_) => entry.request_parameters = Some(json!({ "resource": record.arn })),
        }
        let reasons = match &record.verdict.deny {
            Some(reason) => vec![code(reason).to_owned()],
            None => record.verdict.reasons.iter().map(|reason| ground(reason).to_owned()).collect(),
        };
        entry.decision = Some(ledger::Decision {
            effect: if record.verdict.allowed() { Effect::Allow } else { Effect::Deny },
            reasons,
            why: why(record, &self.0.region, context),
        });
        entry.audit_class = Some(match record.verdict.obligations.audit {
            crate::AuditClass::Strict => ledger::AuditClass::Strict,
            crate::AuditClass::Batched => ledger::AuditClass::Batched,
        });
        let data = Data::new(&additional(record)).map_err(|error| {
            tracing::error!(%error, "a decision cannot be recorded: it is refused");
            NotRecorded
        })?;
        entry.additional_event_data = Some(data);
        self.0.leads.keep(&entry, record.action);
        Ok(entry)
    }

    /// Stores the documents that came with the request, so that a replay finds them by digest.
    async fn keep_documents(&self, record: &Record<'_>) -> Result<(), store::Error> {
        let fresh: Vec<_> = {
            let stored = super::lock(&self.0.stored);
            record.verdict.texts.iter().filter(|(digest, _)| !stored.contains(digest)).cloned().collect()
        };
        if fresh.is_empty() {
            return Ok(());
        }
        let texts = fresh.clone();
        self.0
            .store
            .write(record.op.by(), move |txn| {
                texts.iter().try_for_each(|(digest, text)| txn.document_put(*digest, text.as_bytes()))
            })
            .await?;
        let mut stored = super::lock(&self.0.stored);
        if stored.len() >= STORED_KNOWN_MAX {
            stored.clear();
        }
        stored.extend(fresh.iter().map(|(digest, _)| *digest));
        Ok(())
    }

    async fn elsewhere(&self, blob: String) -> Result<String, NotRecorded> {
        let digest = crypto::sha256(blob.as_bytes());
        let kept = self.0.store.write(Actor::System, move |txn| txn.document_put(digest, blob.as_bytes())).await;
        kept.map(|_| format!("{SEALED_ELSEWHERE}{digest}")).map_err(|error| {
            tracing::error!(%error, "the sealed part of an entry cannot be stored");
            NotRecorded
        })
    }
}

/// Digests that are known to be stored; beyond it they are asked again.
const STORED_KNOWN_MAX: usize = 65_536;
