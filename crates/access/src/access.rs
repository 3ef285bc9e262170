//! `Access`: the value that every edge and pillar asks.
//!
//! It owns the way through the gate: decide, record, and only then give the permit. It must not decide itself: `gate`
//! computes, `recorder` records. INVARIANT: no permit leaves before its decision is as durable as its class asks.

mod continuity;
mod door;
mod look;
mod start;

use base::{AccountId, DecisionId, Effects, ErrorKind, Ids, Region, Timestamp};
use crypto::Crypto;
use custody::Custody;
use std::{
    sync::{Arc, Mutex, PoisonError, Weak},
    time::Duration,
};
use store::Store;

use crate::action::{Class, Need};
use crate::documents::{Given, Library};
use crate::gate::{self, Ask, Scene, Verdict};
use crate::index::{Index, World};
use crate::lease::RECHECK_EVERY;
use crate::permit::{EvaluationFault, Reason, Ticket};
use crate::recorder::{ChangeRecorder, Changed, Log, NotRecorded, Recorded, Recorder, Window};
use crate::{
    Action, Denied, DenyReason, Door, Ended, Lease, LeaseScope, OpContext, Outcome, Permit, ResourceRef, Sessions,
    Trace, version,
};

pub use door::AtTheDoor;
pub use look::{Catalogue, Located};
pub use start::{Deps, Maintenance, folds};

/// Oldest state that a decision is made from, where other nodes change it too (house.md section 3): a decision that finds
/// older state looks first, and is refused when it cannot.
pub const FRESH_WITHIN: Duration = Duration::from_secs(1);
/// Oldest state under which a stream that is open goes on: the same, and the time of a few looks that a busy database
/// answers late. A cut that is known ends a stream at once.
pub const STREAM_FRESH_WITHIN: Duration = Duration::from_secs(3);

/// The gate and what it stands on; cheap to clone.
#[derive(Clone)]
pub struct Access(Arc<Inner>);

struct Inner {
    store: Store,
    custody: Custody,
    crypto: Crypto,
    effects: Effects,
    region: Region,
    account: AccountId,
    index: Arc<Index>,
    library: Arc<Library>,
    recorder: Recorder,
    sessions: Sessions,
}

impl Access {
    /// Decides whether `op` may do `action` to `resource`, records the decision and gives the proof.
    ///
    /// A read or write of a `strict` dataset returns only when its intent is durable.
    ///
    /// # Errors
    /// [`Denied`], recorded; also when the decision cannot be recorded.
    pub async fn authorize<A: Action>(
        &self,
        op: &OpContext,
        action: A,
        resource: A::Resource,
    ) -> Result<Permit<A>, Denied> {
        let decided = self.decide(op, &action, &resource).await;
        let recorded = self.0.recorder.record(vec![decided.record(op, &action)]).await;
        let recorded = recorded.and_then(|mut all| all.pop().ok_or(NotRecorded));
        self.given(op, action, resource, decided, recorded)
    }

    /// As [`Access::authorize`] for many resources: one batch of the ledger, an answer per item, in order.
    pub async fn authorize_many<A: Action + Clone>(
        &self,
        op: &OpContext,
        action: A,
        resources: Vec<A::Resource>,
    ) -> Vec<Result<Permit<A>, Denied>> {
        let mut all = Vec::with_capacity(resources.len());
        for resource in resources {
            let decided = self.decide(op, &action, &resource).await;
            all.push((resource, decided));
        }
        let records = all.iter().map(|(_, decided)| decided.record(op, &action)).collect();
        let recorded: Vec<_> = match self.0.recorder.record(records).await {
            Ok(recorded) => recorded.into_iter().map(Ok).collect(),
            Err(failed) => all.iter().map(|_| Err(failed)).collect(),
        };
        let pairs = all.into_iter().zip(recorded);
        pairs
            .map(|((resource, decided), recorded)| self.given(op, action.clone(), resource, decided, recorded))
            .collect()
    }

    /// Whether [`Access::authorize`] would say yes now: for what is shown beside what was asked for. It is not a permit and leaves
    /// no record; whoever shows something for it asks the gate then.
    pub async fn would_allow<A: Action>(&self, op: &OpContext, action: A, resource: A::Resource) -> bool {
        self.verdict(op, &action, &resource.into()).await.allowed()
    }

    /// Records a refusal that an edge made before there was anything to authorise (an unknown role, a malformed name).
    /// Does not wait.
    pub fn record_refusal(&self, op: &OpContext, action: &'static str, resource: &ResourceRef, reason: DenyReason) {
        self.0.recorder.refusal(op, action, (resource, &self.0.arn(resource)), reason);
    }

    /// Counts a failure of somebody unknown (a malformed identity token) by reason and source, per minute.
    pub fn unauthenticated(&self, op: &OpContext, reason: &'static str) {
        self.0.recorder.failure(op, reason);
    }

    /// Counts a request that `door` answered with this status, if that refuses it and the record holds nothing of it yet: by
    /// reason and minute, and by the session where a token has opened, else by source. The last thing that an edge does.
    pub fn count_refusal(&self, trace: &Trace, door: Door, status: u16, source: Option<std::net::IpAddr>) {
        if let Some(why) = trace.refusal(status)
            && !trace.record()
        {
            self.0.recorder.count(why.code(door), source, trace.who());
        }
    }

    /// Makes the change that `permit` allows: runs `closure` in one transaction as the permit's actor, with the ledger
    /// entry of the decision and of the facts that the closure added. Returns after the commit, when every later
    /// decision sees it; closes the permit.
    ///
    /// # Errors
    /// What the closure returns, or why the change could not be committed; nothing of it is kept then.
    pub async fn change<A, T, E>(
        &self,
        permit: Permit<A>,
        mut closure: impl FnMut(&mut store::WriteTxn<'_>) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        A: Action,
        T: Send + 'static,
        E: From<store::Error> + From<crate::Error> + Send + 'static,
        ErrorKind: for<'a> From<&'a E>,
    {
        self.change_beside_facts(permit, move |txn| Ok((closure(txn)?, Vec::new()))).await
    }

    /// As [`Access::change`], for a change of what is no fact: the closure says what it changed, for the entry.
    ///
    /// # Errors
    /// As [`Access::change`].
    pub async fn change_beside_facts<A, T, E>(
        &self,
        permit: Permit<A>,
        mut closure: impl FnMut(&mut store::WriteTxn<'_>) -> Result<(T, Vec<Changed>), E> + Send + 'static,
    ) -> Result<T, E>
    where
        A: Action,
        T: Send + 'static,
        E: From<store::Error> + From<crate::Error> + Send + 'static,
        ErrorKind: for<'a> From<&'a E>,
    {
        let recorder = permit.recorder().cloned();
        let expected = permit.expected.clone();
        let done = self.0.store.write(permit.actor(), move |txn| {
            if let Some((resource, versions)) = &expected {
                version::check(txn, resource, versions)?;
            }
            let (value, changed) = closure(txn)?;
            if let Some(recorder) = &recorder {
                recorder.record(txn, &changed)?;
            }
            Ok::<T, E>(value)
        });
        let done = done.await;
        let failed = |error: &E| Outcome { status: ErrorKind::from(error).http_status(), bytes: 0 };
        permit.finish(done.as_ref().err().map_or(Outcome::DONE, failed));
        done.map(|committed| committed.value)
    }

    /// Whether what this node knows is within the freshness bound; it looks first for what other nodes committed.
    pub async fn fresh(&self) -> bool {
        self.0.store.fresh_within(FRESH_WITHIN).await
    }

    async fn verdict<A: Action>(&self, op: &OpContext, action: &A, resource: &ResourceRef) -> Verdict {
        let ask = Ask { action: action.name(), class: A::CLASS, need: A::NEED, resource, trust: action.trust() };
        let mut verdict = if self.fresh().await {
            self.0.evaluate(op, &ask, op.at)
        } else {
            Verdict { deny: Some(DenyReason::Stale), ..Verdict::default() }
        };
        if matches!(verdict.deny, Some(DenyReason::Evaluation { what: EvaluationFault::DocumentMissing }))
            && self.heal().await
        {
            verdict = self.0.evaluate(op, &ask, op.at);
        }
        verdict
    }

    async fn decide<A: Action>(&self, op: &OpContext, action: &A, resource: &A::Resource) -> Decided {
        let resource: ResourceRef = resource.clone().into();
        // Before the decision: a world that comes in between is seen as another one.
        let world = Arc::downgrade(&self.0.index.world());
        let verdict = self.verdict(op, action, &resource).await;
        let arn = self.0.arn(&resource);
        let decision = DecisionId::from_uuid(self.0.effects.uuid());
        let mut decided =
            Decided { decision, verdict, arn, resource: resource.clone(), lease: None, window: Window::None };
        if decided.verdict.allowed() && matches!(A::CLASS, Class::Read | Class::Write) && action.trust().is_none() {
            let stood = Stood { world, until: op.at + RECHECK_EVERY };
            self.lease(op, A::CLASS, A::NEED, action.name(), resource, stood, &mut decided);
        }
        decided.window = self.0.recorder.window(op, A::CLASS, &decided.arn, decided.verdict.allowed());
        decided
    }

    /// Registers the stream, then asks again whether the decision stands: no cut can fall between the two.
    #[expect(clippy::too_many_arguments, reason = "the second half of `decide`")]
    fn lease(
        &self,
        op: &OpContext,
        class: Class,
        need: Need,
        action: &'static str,
        resource: ResourceRef,
        stood: Stood,
        decided: &mut Decided,
    ) {
        let Some(session) = op.session.as_deref() else { return };
        let mut scope = LeaseScope::of(session);
        scope.dataset = decided.verdict.location.as_ref().map(|location| location.dataset);
        for reason in &decided.verdict.reasons {
            match reason {
                Reason::Grant { grant, group, .. } => {
                    scope.grants.push(*grant);
                    scope.groups.push(*group);
                }
                Reason::Owner { group, .. } => scope.groups.push(*group),
                _ => {}
            }
        }
        let (inner, again, stood) = (Arc::downgrade(&self.0), op.clone(), Mutex::new(stood));
        let recheck = Arc::new(move |now: Timestamp| {
            let Some(inner) = inner.upgrade() else { return Err(Ended::Withdrawn) };
            let ask = Ask { action, class, need, resource: &resource, trust: None };
            inner.still(&again, &ask, now, &stood)
        });
        match self.0.sessions.leases().open(&scope, recheck) {
            Ok(lease) => match lease.check(self.0.effects.now()) {
                Ok(()) => decided.lease = Some(lease),
                Err(why) => decided.verdict.deny = Some(ended(why, session)),
            },
            Err(_) => decided.verdict.deny = Some(DenyReason::TooManyStreams),
        }
    }

    fn given<A: Action>(
        &self,
        op: &OpContext,
        action: A,
        resource: A::Resource,
        decided: Decided,
        recorded: Result<Recorded, NotRecorded>,
    ) -> Result<Permit<A>, Denied> {
        let Decided { decision, verdict, lease, window, .. } = decided;
        let (recorded, deny) = match recorded {
            Ok(recorded) => (recorded, verdict.deny),
            Err(NotRecorded) => (Recorded::Whole, Some(verdict.deny.unwrap_or(DenyReason::NotRecorded))),
        };
        if let Some(reason) = deny {
            return Err(Denied { decision, sentence: gate::sentence(&reason), reason });
        }
        let mut ticket = Ticket::of(op, decision, action.name(), A::CLASS);
        let mut recorder = None;
        match (recorded, window) {
            (Recorded::Whole, _) => {}
            (Recorded::Opened(opened), _) => opened.permitted(),
            (Recorded::Later(entry), Window::Covered { .. }) => ticket.covered = Some(entry),
            (Recorded::Later(entry), Window::None | Window::Opens { .. }) => {
                let change = ChangeRecorder { entry, used: Arc::default(), recorder: self.0.recorder.clone() };
                ticket.change = Some(Arc::clone(&change.used));
                recorder = Some(change);
            }
        }
        Ok(Permit {
            action,
            resource,
            ticket,
            reasons: verdict.reasons.into(),
            newest: verdict.newest,
            obligations: verdict.obligations,
            location: verdict.location,
            lease,
            visible: verdict.visible,
            recorder,
            expected: None,
            outcomes: Some(self.0.recorder.outcomes()),
        })
    }

    /// The verdict alone: nothing is recorded and no permit is given.
    #[cfg(test)]
    pub(crate) fn judge(&self, op: &OpContext, ask: &Ask<'_>) -> Verdict {
        self.0.evaluate(op, ask, op.at)
    }

    /// A decision that is recorded and gives no permit; a change is recorded as a question is.
    #[cfg(test)]
    pub(crate) async fn recorded(&self, op: &OpContext, ask: &Ask<'_>) -> DecisionId {
        let verdict = self.judge(op, ask);
        let decision = DecisionId::from_uuid(self.0.effects.uuid());
        let record = crate::recorder::Record {
            decision,
            op,
            action: crate::action::find(ask.action).unwrap().name,
            class: if ask.class == Class::Change { Class::View } else { ask.class },
            arn: &self.0.arn(ask.resource),
            resource: ask.resource,
            trust: ask.trust,
            verdict: &verdict,
            window: &Window::None,
        };
        self.0.recorder.record(vec![record]).await.unwrap();
        decision
    }

    /// The world of this moment, to be kept.
    pub(crate) fn world(&self) -> Arc<World> {
        Arc::clone(&self.0.index.world())
    }

    /// The ledger as the recorder uses it.
    pub(crate) fn log(&self) -> &Log {
        self.0.recorder.log()
    }

    pub(crate) fn leads(&self) -> &crate::why::Leads {
        self.0.recorder.leads()
    }

    /// The ARN of a resource here.
    pub(crate) fn arn(&self, resource: &ResourceRef) -> String {
        self.0.arn(resource)
    }

    /// Brings documents that a commit cited and that were not in memory; whether any came.
    pub(crate) async fn heal(&self) -> bool {
        if !self.0.library.wants() {
            return false;
        }
        match self.0.library.fetch(&self.0.store).await {
            Ok(0) => false,
            Ok(_) => {
                self.0.index.heal(&*self.0.library);
                drop(self.0.sessions.leases().sweep(self.0.effects.now()));
                true
            }
            Err(error) => {
                tracing::warn!(%error, "policy documents cannot be read now");
                false
            }
        }
    }
}

fn ended(why: Ended, session: &crate::Session) -> DenyReason {
    match why {
        Ended::Expired => DenyReason::SessionExpired { at: session.expires },
        Ended::Cut => DenyReason::SessionCut { epoch: format!("session/{}", session.id) },
        Ended::Withdrawn | Ended::Stale => DenyReason::Stale,
    }
}

/// The world over which an allow was computed, and until when the passing of time alone cannot be taken to have changed it.
/// The weak reference keeps the place in memory from being another world's.
struct Stood {
    world: Weak<World>,
    until: Timestamp,
}

/// A decision that is made and not recorded yet.
struct Decided {
    decision: DecisionId,
    verdict: Verdict,
    arn: String,
    resource: ResourceRef,
    lease: Option<Lease>,
    window: Window,
}

impl Decided {
    fn record<'a, A: Action>(&'a self, op: &'a OpContext, action: &'a A) -> crate::recorder::Record<'a> {
        crate::recorder::Record {
            decision: self.decision,
            op,
            action: action.name(),
            class: A::CLASS,
            arn: &self.arn,
            resource: &self.resource,
            trust: action.trust(),
            verdict: &self.verdict,
            window: &self.window,
        }
    }
}

impl Inner {
    fn arn(&self, resource: &ResourceRef) -> String {
        if let ResourceRef::AssumableRole(role) = resource
            && let Some(state) = self.index.world().role(role.0)
        {
            return state.role.arn();
        }
        resource.arn(&self.region, self.account)
    }

    /// One evaluation over one world, now; nothing is recorded.
    fn evaluate(&self, op: &OpContext, ask: &Ask<'_>, now: Timestamp) -> Verdict {
        let policies = op.session.as_deref().map_or(&[][..], |session| &session.policies);
        let given: Result<Vec<Given>, EvaluationFault> =
            policies.iter().map(|policy| self.library.given(&policy.text, policy::DocumentKind::Session)).collect();
        let given = match given {
            Ok(given) => given,
            Err(what) => {
                return Verdict { deny: Some(DenyReason::Evaluation { what }), ..Verdict::default() };
            }
        };
        let world = self.index.world();
        let cut = op.session.as_deref().and_then(|session| self.sessions.epochs().cuts(session));
        let scene = Scene {
            op,
            now,
            region: &self.region,
            account: self.account,
            cut,
            session_policies: &given,
            recorded: None,
        };
        let mut verdict = gate::decide(&world, &scene, ask);
        verdict.texts.extend(given.iter().map(|given| (given.digest, Arc::clone(&given.canonical))));
        verdict.known = world.known();
        verdict.newest = Some(world.newest());
        verdict
    }

    /// The same decision again, for an open stream: from the epochs alone while nothing has changed since it last stood.
    fn still(&self, op: &OpContext, ask: &Ask<'_>, now: Timestamp, stood: &Mutex<Stood>) -> Result<(), Ended> {
        if self.store.age() > STREAM_FRESH_WITHIN {
            return Err(Ended::Stale);
        }
        if op.session.as_deref().is_some_and(|session| self.sessions.epochs().cuts(session).is_some()) {
            return Err(Ended::Cut);
        }
        let world = Arc::downgrade(&self.index.world());
        let mut stood = stood.lock().unwrap_or_else(PoisonError::into_inner);
        if stood.world.ptr_eq(&world) && now < stood.until {
            return Ok(());
        }
        match self.evaluate(op, ask, now).deny {
            None => {
                *stood = Stood { world, until: now + RECHECK_EVERY };
                Ok(())
            }
            Some(DenyReason::SessionExpired { .. }) => Err(Ended::Expired),
            Some(DenyReason::SessionCut { .. }) => Err(Ended::Cut),
            // A document that a commit has just cited is on its way: `heal` sweeps again as soon as it is here.
            Some(DenyReason::Evaluation { what: EvaluationFault::DocumentMissing }) if self.library.wants() => Ok(()),
            Some(_) => Err(Ended::Withdrawn),
        }
    }
}
