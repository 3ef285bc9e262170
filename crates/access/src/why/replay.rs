//! A recorded decision evaluated again: the world as it was and was known, the recorded context, documents by digest.

use base::{DecisionId, Timestamp};
use policy::{Context, DocumentKind};
use std::sync::Arc;

use super::past::Part;
use super::{Additional, Decided};
use crate::action::sts::{AssumableRole, AssumeRole, Via, WebIdentity};
use crate::action::{self, Class, Need};
use crate::documents::{Given, compile};
use crate::gate::{self, Ask, EVALUATOR, Scene, Verdict};
use crate::permit::{DocumentRef, Slot};
use crate::recorder::{Acting, Personal, SEALED_ELSEWHERE};
use crate::resource::{Bucket, Member, Object};
use crate::session::{AuthPosition, SessionKind};
use crate::{Access, AccessKeyId, DenyReason, Edge, Error, OpContext, RequestKeys, ResourceRef, Session};

/// What a replay says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replay {
    /// The decision.
    pub decision: DecisionId,
    /// The evaluator that decided.
    pub evaluator_then: String,
    /// The evaluator that replayed.
    pub evaluator_now: String,
    /// Whether effect and reason are the recorded ones, from the recorded documents.
    pub agrees: bool,
    /// What the replay says: `None` for an allow.
    pub deny: Option<DenyReason>,
    /// Why it could not be evaluated again, or what does not match.
    pub fault: Option<ReplayFault>,
}

/// What keeps a replay from agreeing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReplayFault {
    /// The subject was erased: the context is gone, and the record says so.
    Erased,
    /// The record holds no context: Galen's own act, or a refusal before any evaluation.
    NoContext,
    /// The sealed context does not match its digest.
    ContextAltered,
    /// A document is not in the store, or its bytes do not match its digest.
    DocumentAltered {
        /// Which.
        document: DocumentRef,
    },
    /// The world as it was has other documents than the record.
    OtherDocuments,
    /// Effect or reason differ.
    OtherAnswer,
}

impl Access {
    /// Evaluates a recorded decision again.
    ///
    /// # Errors
    /// [`Error::NoDecision`], [`Error::BadRecord`]; those of the store, of custody (as [`Error::Ledger`]) and of the ledger.
    pub async fn replay(&self, decision: DecisionId) -> Result<Replay, Error> {
        let decided = self.decision(decision).await?;
        let mut replay = Replay {
            decision,
            evaluator_then: decided.evaluator.clone(),
            evaluator_now: EVALUATOR.to_owned(),
            agrees: false,
            deny: None,
            fault: None,
        };
        let read = match self.personal(&decided).await? {
            Ok(personal) if personal.context.is_none() => Err(ReplayFault::NoContext),
            read => read,
        };
        let personal = match read {
            Ok(personal) => personal,
            Err(fault) => {
                // Without a context there is nothing that could disagree: Galen's own acts, sessions that were over.
                replay.agrees = fault == ReplayFault::NoContext;
                replay.deny.clone_from(&decided.deny);
                replay.fault = Some(fault);
                return Ok(replay);
            }
        };
        if let Some(document) = self.altered(&decided.documents).await? {
            replay.fault = Some(ReplayFault::DocumentAltered { document });
        }
        let verdict = self.again(&decided, &personal).await?;
        replay.deny.clone_from(&verdict.deny);
        if replay.fault.is_none() && verdict.documents != decided.documents {
            replay.fault = Some(ReplayFault::OtherDocuments);
        }
        if replay.fault.is_none() && verdict.deny != decided.deny {
            replay.fault = Some(ReplayFault::OtherAnswer);
        }
        replay.agrees = replay.fault.is_none();
        Ok(replay)
    }

    /// The sealed part of a record.
    async fn personal(&self, decided: &Decided) -> Result<Result<Personal<'static>, ReplayFault>, Error> {
        let bad = || Error::BadRecord { decision: decided.decision };
        let Some(sealed) = decided.entry.sealed.first() else { return Ok(Err(ReplayFault::NoContext)) };
        let subject = match decided.actor {
            Some(base::Actor::Person(person)) => custody::Subject::from(person),
            Some(base::Actor::Service(service)) => custody::Subject::from(service),
            _ => return Ok(Err(ReplayFault::NoContext)),
        };
        let blob = match sealed.blob.strip_prefix(SEALED_ELSEWHERE) {
            None => sealed.blob.clone(),
            Some(digest) => {
                let digest = digest.parse().map_err(|_| bad())?;
                let bytes = self.store().read(move |txn| txn.document_get(digest)).await.map_err(Error::Store)?;
                String::from_utf8(bytes.ok_or_else(bad)?).map_err(|_| bad())?
            }
        };
        let opened = self.custody().open_blob(subject, &blob).await;
        let opened = opened.map_err(|source| Error::Ledger { source: Box::new(source) })?;
        let Some(opened) = opened else { return Ok(Err(ReplayFault::Erased)) };
        let recorded = decided.entry.decision.as_ref().and_then(|decision| decision.why.context);
        if recorded != Some(crypto::sha256(opened.expose())) {
            return Ok(Err(ReplayFault::ContextAltered));
        }
        Ok(Ok(serde_json::from_slice(opened.expose()).map_err(|_| bad())?))
    }

    /// The first document whose bytes are not what the record cites. A compiled trust and session policies were stored
    /// by the decision itself.
    async fn altered(&self, documents: &[DocumentRef]) -> Result<Option<DocumentRef>, Error> {
        let wanted = documents.to_vec();
        let altered = self.store().read(move |txn| {
            Ok::<_, store::Error>(wanted.into_iter().find(|document| {
                // The store refuses bytes that do not match their digest; that is what is looked for.
                !matches!(txn.document_get(document.digest), Ok(Some(_)))
            }))
        });
        Ok(altered.await?)
    }

    async fn again(&self, decided: &Decided, personal: &Personal<'_>) -> Result<Verdict, Error> {
        let data = decided.additional()?;
        let resource = resource(decided, &data);
        let op = op(self, decided, personal, &data);
        let known = Timestamp::from_microsecond(data.known).unwrap_or(decided.at);
        let mut part = Part {
            at: decided.at.max(known),
            known,
            member: op.session.as_ref().map(|session| session.actor()).or(op.actor).and_then(member),
            service: op.session.as_ref().and_then(|session| session.service),
            roles: decided.role.into_iter().chain(data.assume.as_ref().map(|assume| assume.role)).collect(),
            bucket: resource.place().map(|(bucket, _)| bucket.to_owned()),
            datasets: decided.dataset.into_iter().chain(gate::dataset_of(&resource)).collect(),
            client: data.client,
            ..Part::default()
        };
        part.named(&decided.reasons, decided.deny.as_ref());
        let policies: Vec<_> =
            decided.documents.iter().filter(|document| matches!(document.slot, Slot::Session(_))).cloned().collect();
        let read = self.store().read(move |txn| {
            let mut given = Vec::new();
            for document in &policies {
                // A missing one is reported by `altered`; the evaluation then simply lacks it.
                let Ok(Some(bytes)) = txn.document_get(document.digest) else { continue };
                let Ok(compiled) = compile(&bytes, &document.digest, DocumentKind::Session) else { continue };
                let canonical: Arc<str> = String::from_utf8_lossy(&bytes).into();
                given.push(Given { digest: document.digest, canonical, compiled });
            }
            Ok::<_, store::Error>((part.world(txn)?, given))
        });
        let (world, given) = read.await?;
        let mut context = Context::new();
        for (key, values) in personal.context.iter().flatten() {
            context.insert_all(key, values.iter().map(String::as_str));
        }
        let assume = data.assume.as_ref().and_then(|assume| assumption(assume, &data));
        let spec = action::find(&data.action);
        let ask = Ask {
            action: &data.action,
            class: spec.map_or(Class::View, |spec| spec.class),
            need: spec.map_or(Need::Iam, |spec| spec.need),
            resource: &resource,
            trust: assume.as_ref(),
        };
        let scene = Scene {
            op: &op,
            now: decided.at,
            region: self.region(),
            account: self.account(),
            cut: None,
            session_policies: &given,
            recorded: Some(&context),
        };
        Ok(gate::decide(&world, &scene, &ask))
    }
}

const fn member(actor: base::Actor) -> Option<uuid::Uuid> {
    match actor {
        base::Actor::Person(person) => Some(Member::Person(person).uuid()),
        base::Actor::Service(service) => Some(Member::Service(service).uuid()),
        base::Actor::System => None,
    }
}

/// The resource of a record: S3 by its ARN; of the rest the gate reads no more than the dataset, which is recorded.
fn resource(decided: &Decided, data: &Additional<'_>) -> ResourceRef {
    if let Some(assume) = &data.assume {
        return AssumableRole(assume.role).into();
    }
    if let Some(place) = decided.resource.strip_prefix("arn:aws:s3:::") {
        return match place.split_once('/') {
            _ if place == "*" => ResourceRef::AnyBucket,
            Some((bucket, key)) => Object::new(bucket, key).into(),
            None => Bucket::new(place).into(),
        };
    }
    data.resource.as_deref().cloned().unwrap_or(ResourceRef::Installation)
}

fn assumption(assume: &super::Assumed, data: &Additional<'_>) -> Option<AssumeRole> {
    let nobody = "replayed";
    let via = match (&assume.provider, data.client) {
        (Some(provider), Some(client)) => Via::WebIdentity(WebIdentity {
            client,
            provider: provider.clone(),
            audience: String::new(),
            subject: String::new(),
            amr: Vec::new(),
            authorized_by_idp: None,
        }),
        _ => Via::Session,
    };
    // Names and values come from the recorded context; only which calls are needed is read from here.
    let tags = if assume.tags { vec![(String::new(), String::new())] } else { Vec::new() };
    Some(AssumeRole {
        via,
        session_name: nobody.to_owned(),
        source_identity: nobody.parse().ok()?,
        sets_source_identity: assume.sets_source_identity,
        tags,
        transitive: Vec::new(),
        external_id: None,
        duration_secs: None,
    })
}

/// The request as it came. What the gate derives from it is not derived again: the recorded context stands.
fn op(access: &Access, decided: &Decided, personal: &Personal<'_>, data: &Additional<'_>) -> OpContext {
    let mut op = OpContext::anonymous(access.effects(), Edge::Internal);
    op.actor = decided.actor;
    op.at = decided.at;
    op.keys = RequestKeys { prefix: personal.prefix.clone(), ..RequestKeys::default() };
    op.session = personal.session.as_ref().and_then(|acting| session(decided, acting, data)).map(Arc::new);
    op
}

/// The session as far as the formula reads it; that it lived is not replayed.
fn session(decided: &Decided, acting: &Acting, data: &Additional<'_>) -> Option<Session> {
    let role = decided.role?;
    let (person, service) = match decided.actor? {
        base::Actor::Person(person) => (Some(person), None),
        base::Actor::Service(service) => (None, Some(service)),
        base::Actor::System => return None,
    };
    Some(Session {
        id: decided.session?,
        kind: SessionKind::Tool,
        person,
        service,
        source_identity: acting.source_identity.clone(),
        account: acting.account,
        role,
        role_unique_id: acting.role_unique_id.clone(),
        role_arn: acting.role_arn.clone(),
        arn: acting.arn.clone(),
        name: acting.name.parse().ok()?,
        access_key_id: AccessKeyId::from_entropy(0, [0; AccessKeyId::ENTROPY_BYTES]),
        tags: Vec::new(),
        transitive: Vec::new(),
        carry: crate::Carry::All,
        via: Vec::new(),
        policies: Vec::new(),
        issued: decided.at,
        expires: Timestamp::MAX,
        auth: AuthPosition { auth_time: acting.auth_time, seq: None, amr: Vec::new(), acr: None },
        sign_in: decided.sign_in,
        chained: false,
        lineage: Vec::new(),
        client: data.client,
        federated: None,
    })
}
