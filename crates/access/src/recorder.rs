//! The recorder: each decision becomes an entry of the ledger, before data flows where its class asks for that.
//!
//! It owns entries, windows, counters, the relay of committed changes and the sweeping of what a crash left open. It
//! must not decide. INVARIANT: if the intent of a strict access cannot be made durable, the access does not happen.

mod change;
mod entry;
mod log;
mod outcome;
mod sweep;
mod underway;

use base::{DecisionId, Effects, Ids, ObjectVersionId, Region, Timestamp};
use crypto::Sha256Digest;
use custody::Custody;
use ledger::{Admission, DenialCounter, ReadWindows, Sender, UserIdentity};
use std::collections::{BTreeMap, HashSet};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use store::Store;
use store::journal::Way;

pub use change::{ChangeRecorder, Changed};
pub(crate) use change::{Made, unwritable, write};
pub(crate) use entry::{Acting, Personal, SEALED_ELSEWHERE, code, identity};
pub(crate) use log::Log;
pub(crate) use outcome::Opened;
pub(crate) use underway::Owed;

use crate::action::{Class, sts};
use crate::gate::Verdict;
use crate::permit::{AuditClass, Outcomes, Ticket};
use crate::why::Leads;
use crate::{DenyReason, Error, OpContext, ResourceRef};

/// One decision to record.
pub(crate) struct Record<'a> {
    pub(crate) decision: DecisionId,
    pub(crate) op: &'a OpContext,
    pub(crate) action: &'static str,
    pub(crate) class: Class,
    pub(crate) arn: &'a str,
    pub(crate) resource: &'a ResourceRef,
    pub(crate) trust: Option<&'a sts::AssumeRole>,
    pub(crate) verdict: &'a Verdict,
    pub(crate) window: &'a Window,
}

/// How a range read stands to the window of its object version (house.md section 4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Window {
    /// An access of its own.
    None,
    /// Its intent covers later ranges until then.
    Opens { version: ObjectVersionId, until: Timestamp },
    /// An earlier intent covers it.
    Covered { intent: DecisionId },
}

/// What is left to do for a record.
pub(crate) enum Recorded {
    /// Nothing.
    Whole,
    /// The entry is written later: with the change that it records, or with the outcome of a read under an earlier intent.
    Later(Arc<ledger::Entry>),
    /// Its intent is in the ledger and waits for the outcome.
    Opened(Opened),
}

/// The ledger did not take it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NotRecorded;

struct Inner {
    log: Log,
    store: Store,
    custody: Custody,
    effects: Effects,
    region: Region,
    windows: Mutex<ReadWindows>,
    failures: Mutex<DenialCounter>,
    /// Salt of the commitments to source addresses in counts; new at each start.
    salt: [u8; 32],
    open: Mutex<Open>,
    left: Mutex<underway::Left>,
    /// Digests of documents that are known to be stored.
    stored: Mutex<HashSet<Sha256Digest>>,
    leads: Leads,
}

/// Accesses whose outcome is not written yet and sessions whose row is not in the store yet, with the least place in the log
/// where their entry can be.
#[derive(Default)]
struct Open {
    intents: BTreeMap<DecisionId, u64>,
    /// The place in the log from which committed changes may not be relayed yet.
    relayed: u64,
    /// What was last stored.
    stored: Option<u64>,
}

/// Records decisions; cheap to clone.
#[derive(Clone)]
pub(crate) struct Recorder(Arc<Inner>);

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Recorder {
    /// Closes what a crash left open, then records.
    pub(crate) async fn start(
        log: Log,
        store: Store,
        custody: Custody,
        effects: Effects,
        region: Region,
    ) -> Result<Self, Error> {
        let salt = effects.bytes();
        let (windows, failures) = (Mutex::default(), Mutex::default());
        let inner = Inner {
            log,
            store,
            custody,
            effects,
            region,
            windows,
            failures,
            salt,
            open: Mutex::default(),
            left: Mutex::default(),
            stored: Mutex::default(),
            leads: Leads::default(),
        };
        let recorder = Self(Arc::new(inner));
        recorder.sweep().await?;
        Ok(recorder)
    }

    /// Makes the records as durable as their class asks, in one batch of the log.
    pub(crate) async fn record(&self, records: Vec<Record<'_>>) -> Result<Vec<Recorded>, NotRecorded> {
        if let [record] = records.as_slice() {
            return Ok(vec![self.one(record, Way::Alone).await?]);
        }
        let all = futures::future::join_all(records.iter().map(|record| self.one(record, Way::Shared))).await;
        all.into_iter().collect()
    }

    async fn one(&self, record: &Record<'_>, way: Way) -> Result<Recorded, NotRecorded> {
        record.op.trace.record();
        if let Some(reason) = &record.verdict.deny {
            if record.op.actor.is_none() {
                self.failure(record.op, code(reason));
                return Ok(Recorded::Whole);
            }
            let entry = self.entry(record, ledger::Phase::Denial).await?;
            return self.batched(&entry).await;
        }
        match (record.class, record.window) {
            (Class::View, _) => {
                let entry = self.entry(record, ledger::Phase::Note).await?;
                self.batched(&entry).await
            }
            (Class::Change, _) => Ok(Recorded::Later(Arc::new(self.entry(record, ledger::Phase::Change).await?))),
            // Written once, with its outcome: until then the intent of its window proves it.
            (Class::Read | Class::Write, Window::Covered { intent }) => {
                let mut entry = self.entry(record, ledger::Phase::Note).await?;
                entry.of = Some(*intent);
                Ok(Recorded::Later(Arc::new(entry)))
            }
            (Class::Read | Class::Write, window) => self.intent(record, *window, way).await.map(Recorded::Opened),
        }
    }

    async fn intent(&self, record: &Record<'_>, window: Window, way: Way) -> Result<Opened, NotRecorded> {
        let mut entry = self.entry(record, ledger::Phase::Intent).await?;
        let now = self.0.effects.now();
        if let Window::Opens { until, .. } = window {
            entry.window = Some(ledger::Window { until });
        }
        let bytes = encode(&entry)?;
        drop(entry);
        let (ticket, outcomes) = (Ticket::of(record.op, record.decision, record.action, record.class), self.outcomes());
        let opened = move |owed| Opened::new(owed, ticket, outcomes);
        let done = match record.verdict.obligations.audit {
            AuditClass::Strict => self.underway(record.decision, bytes, way, opened).await,
            AuditClass::Batched => {
                let owed = self.owing(record.decision);
                self.0.log.append_batched(bytes).await.map(|()| opened(owed))
            }
        };
        let opened = done.map_err(|error| {
            tracing::error!(%error, "an intent cannot be recorded: the access is refused");
            NotRecorded
        })?;
        if let (Window::Opens { version, until }, Some(session)) = (window, record.op.session.as_deref()) {
            lock(&self.0.windows).opened(session.id, version, record.decision, until, now);
        }
        Ok(opened)
    }

    async fn batched(&self, entry: &ledger::Entry) -> Result<Recorded, NotRecorded> {
        self.0.log.append_batched(encode(entry)?).await.map(|()| Recorded::Whole).map_err(|error| {
            tracing::error!(%error, "a decision cannot be recorded: it is refused");
            NotRecorded
        })
    }

    /// Writes an entry that nothing depends on; a failure is in the log of the process.
    fn unwaited(&self, entry: &ledger::Entry) {
        if let Ok(bytes) = encode(entry) {
            self.0.log.append_soon(bytes);
        }
    }

    /// How this access stands to the read windows.
    pub(crate) fn window(&self, op: &OpContext, class: Class, arn: &str, allowed: bool) -> Window {
        let Some(session) = op.session.as_deref().filter(|_| allowed && class == Class::Read && op.keys.ranged) else {
            return Window::None;
        };
        // One name for one version of one object; without a version it stands for the current one.
        let version = op.keys.version_id.as_deref().unwrap_or_default();
        let digest = crypto::sha256(format!("{arn}\n{version}").as_bytes());
        let mut id = [0; 16];
        id.copy_from_slice(digest.bytes().first_chunk::<16>().unwrap_or(&[0; 16]));
        let version = ObjectVersionId::from_uuid(uuid::Uuid::from_bytes(id));
        match lock(&self.0.windows).admit(session.id, version, op.at) {
            Admission::Covered { intent } => Window::Covered { intent },
            Admission::NeedsIntent { until } => Window::Opens { version, until },
        }
    }

    /// A refusal that an edge made itself; recorded without waiting.
    pub(crate) fn refusal(
        &self,
        op: &OpContext,
        action: &'static str,
        resource: (&ResourceRef, &str),
        reason: DenyReason,
    ) {
        if op.actor.is_none() {
            self.failure(op, code(&reason));
            return;
        }
        op.trace.record();
        let verdict = Verdict { deny: Some(reason), ..Verdict::default() };
        let decision = DecisionId::from_uuid(self.0.effects.uuid());
        let (resource, arn) = resource;
        let record = Record {
            decision,
            op,
            action,
            class: Class::View,
            arn,
            resource,
            trust: None,
            verdict: &verdict,
            window: &Window::None,
        };
        // The refusal stands whether it is recorded or not.
        if let Ok(entry) = self.plain(&record, ledger::Phase::Denial) {
            self.unwaited(&entry);
        }
    }

    /// Counts a failure of somebody unknown.
    pub(crate) fn failure(&self, op: &OpContext, reason: &'static str) {
        op.trace.record();
        self.count(reason, op.source_ip, None);
    }

    /// Counts a failure, by reason and session or source, per minute.
    pub(crate) fn count(&self, reason: &'static str, source: Option<IpAddr>, who: Option<&UserIdentity>) {
        let source = source.map_or_else(String::new, |ip| ip.to_canonical().to_string());
        let commitment = crypto::sha256(&[&self.0.salt[..], source.as_bytes()].concat());
        let id = || DecisionId::from_uuid(self.0.effects.uuid());
        let sender = who.map_or(Sender::Stranger(commitment), Sender::Known);
        let finished = lock(&self.0.failures).count(reason, sender, self.0.effects.now(), id);
        for entry in finished {
            self.unwaited(&entry);
        }
    }

    /// Writes outcomes for permits.
    pub(crate) fn outcomes(&self) -> Arc<dyn Outcomes> {
        Arc::clone(&self.0) as Arc<dyn Outcomes>
    }

    /// What leads to entries that were just written.
    pub(crate) fn leads(&self) -> &Leads {
        &self.0.leads
    }

    /// The log itself, for reading.
    pub(crate) fn log(&self) -> &Log {
        &self.0.log
    }
}

fn encode(entry: &ledger::Entry) -> Result<Vec<u8>, NotRecorded> {
    entry.encode().map_err(|error| {
        tracing::error!(%error, "an entry cannot be written");
        NotRecorded
    })
}
