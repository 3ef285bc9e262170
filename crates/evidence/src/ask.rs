//! Asking: a recorded decision by its id, or what somebody may do with something now or at some time, told as a story.
//!
//! It gathers what `access` knows and hands it to [`crate::tell`]. It must not decide: every verdict is the gate's.

use access::why::{Decided, Explanation, ReplayFault, Who};
use access::{Access, Bucket, Member, Object, ResourceRef};
use base::{Actor, Arn, BadName, DatasetId, DecisionId, Timestamp};

use crate::{Behind, Error, Names, NowAnswer, Recorded, ReplayAnswer, Story, Verdict, prove, refusal, tell};

#[cfg(test)]
mod tests;

/// What somebody is asked about.
#[derive(Clone, Debug)]
pub struct Question {
    /// Who.
    pub member: Member,
    /// To do what, such as `s3:GetObject`.
    pub action: String,
    /// With what.
    pub resource: ResourceRef,
    /// At which time; `None` is now.
    pub at: Option<Timestamp>,
}

/// A bucket or an object by its ARN, which are what data questions are about.
///
/// # Errors
/// [`BadName`] for any other resource.
pub fn resource(arn: &str) -> Result<ResourceRef, BadName> {
    let bad = || BadName::new("a resource to ask about", arn, "arn:aws:s3:::BUCKET or arn:aws:s3:::BUCKET/KEY");
    let parsed: Arn = arn.parse()?;
    if parsed.service() != "s3" || parsed.resource().contains(['*', '?']) {
        return Err(bad());
    }
    match parsed.resource().split_once('/') {
        Some((bucket, key)) if !bucket.is_empty() && !key.is_empty() => Ok(Object::new(bucket, key).into()),
        None => Ok(Bucket::new(parsed.resource()).into()),
        Some(_) => Err(bad()),
    }
}

/// The story of a recorded decision, replayed, with the same question asked now.
///
/// # Errors
/// [`Error::Access`] when no such decision is recorded here, or the record cannot be read.
pub async fn of_decision(access: &Access, names: &dyn Names, decision: DecisionId) -> Result<Story, Error> {
    let decided = access.decision(decision).await?;
    let replay = access.replay(decision).await?;
    let same = if replay.agrees { "agrees with it" } else { "does NOT agree with it" };
    let fault = match &replay.fault {
        None => "",
        Some(ReplayFault::Erased) => ": the person was erased, and the context with them",
        Some(ReplayFault::NoContext) => ": it was taken without a context to evaluate again",
        Some(ReplayFault::ContextAltered) => ": the recorded context was altered",
        Some(ReplayFault::DocumentAltered { .. }) => ": a policy document was altered",
        Some(ReplayFault::OtherDocuments) => ": other documents are in force for that time",
        Some(ReplayFault::OtherAnswer) => ": the answer is another",
    };
    let replay = ReplayAnswer {
        agrees: replay.agrees,
        evaluator_then: replay.evaluator_then,
        evaluator_now: replay.evaluator_now,
        sentence: format!("Evaluated again, the gate {same}{fault}."),
    };
    let now = match decided.member().zip(resource(&decided.resource).ok()) {
        Some((member, resource)) => {
            let who = Who { member, role: decided.role };
            Some(now_answer(names, &access.explain(who, &decided.action, &resource)).await)
        }
        None => None,
    };
    let session = match decided.session {
        Some(session) => access.sessions().find(session).await?,
        None => None,
    };
    let behind = Behind { session, dataset: decided.dataset.or_else(|| dataset_of(access, &decided.resource)) };
    let recorded = Recorded {
        decision: Some(decided.decision),
        at: decided.at,
        actor: decided.actor.unwrap_or(Actor::System),
        action: decided.action.clone(),
        resource: decided.resource.clone(),
        session: decided.session,
        proof: Some(prove::proof(access, decided.index)),
        ended: decided.ended,
        verdict: verdict_of(decided),
        now,
        replay: Some(replay),
    };
    prove::links(access, tell(access.store(), names, recorded, behind).await?).await
}

/// The story of a question: the newest recorded decision, where it said what holds at the question's time, with its own reasons; else
/// what holds. When that is not about now, what holds now is told too.
///
/// # Errors
/// [`Error::Access`] when facts or records cannot be read.
pub async fn of_question(access: &Access, names: &dyn Names, question: Question) -> Result<Story, Error> {
    let Question { member, action, resource, at } = question;
    let who = Who { member, role: None };
    let explained = match at {
        None => access.explain(who, &action, &resource),
        Some(at) => access.explain_at(who, &action, &resource, at).await?,
    };
    let latest = access.latest(member, &action, &explained.resource, explained.at).await?;
    let latest = latest.filter(|decided| decided.allowed() == explained.allowed());
    let now = match (at, &latest) {
        (Some(_), _) => Some(now_answer(names, &access.explain(who, &action, &resource)).await),
        (None, Some(_)) => Some(now_answer(names, &explained).await),
        (None, None) => None,
    };
    let session = match latest.as_ref().and_then(|decided| decided.session) {
        Some(session) => access.sessions().find(session).await?,
        None => None,
    };
    let behind = Behind { session, dataset: dataset_of(access, &explained.resource) };
    let recorded = Recorded {
        decision: latest.as_ref().map(|decided| decided.decision),
        at: latest.as_ref().map_or(explained.at, |decided| decided.at),
        actor: match member {
            Member::Person(person) => Actor::Person(person),
            Member::Service(service) => Actor::Service(service),
        },
        action,
        resource: explained.resource.clone(),
        session: latest.as_ref().and_then(|decided| decided.session),
        proof: latest.as_ref().map(|decided| prove::proof(access, decided.index)),
        ended: latest.as_ref().and_then(|decided| decided.ended),
        verdict: match (latest, explained.deny) {
            (Some(decided), _) => verdict_of(decided),
            (None, None) => Verdict::Allowed { reasons: explained.reasons },
            (None, Some(reason)) => Verdict::Refused { reason, told: explained.sentence.unwrap_or_default() },
        },
        now,
        replay: None,
    };
    prove::links(access, tell(access.store(), names, recorded, behind).await?).await
}

/// The dataset in which a resource lies now.
fn dataset_of(access: &Access, arn: &str) -> Option<DatasetId> {
    let located = match resource(arn).ok()? {
        ResourceRef::Object(object) => access.locate(&object.bucket, &object.key),
        ResourceRef::Bucket(bucket) => access.locate(&bucket.name, ""),
        _ => None,
    };
    located.map(|located| located.location.dataset)
}

fn verdict_of(decided: Decided) -> Verdict {
    let told = decided.told().unwrap_or_default();
    match decided.deny {
        None => Verdict::Allowed { reasons: decided.reasons },
        Some(reason) => Verdict::Refused { reason, told },
    }
}

async fn now_answer(names: &dyn Names, explained: &Explanation) -> NowAnswer {
    let named = match &explained.deny {
        Some(reason) => refusal::told(names, reason).await,
        None => None,
    };
    let sentence = match named.as_ref().or(explained.sentence.as_ref()) {
        None => "Now it would be allowed.".to_owned(),
        Some(why) => format!("Now it would be refused: {}.", why.trim_end_matches('.')),
    };
    NowAnswer { allowed: explained.allowed(), sentence }
}
