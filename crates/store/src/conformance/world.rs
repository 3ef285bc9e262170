//! What the cases stand on: a bed that opens stores, a clock that stands under the test's hand, two small folds; and a ledger
//! for the tests of other crates.

use base::{Clock, Effects, Entropy, Secret, Timestamp};
use crypto::{PrivateKey, PublicKey, SignatureScheme};
use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::Duration,
};

use crate::journal::{Journal, Options as JournalOptions, RealDisk};
use crate::{Error, Fact, Fold, FoldError, Interval, Lookup, Options, Store, ViewRow, winner};

/// Opens stores of one engine.
pub trait Bed: Send + Sync {
    /// Opens the store `name`, empty at first; after a drop the same name opens the same store again.
    ///
    /// # Errors
    /// As [`Store::open`].
    fn open(&self, name: &str, effects: Effects, folds: Vec<Arc<dyn Fold>>) -> Result<Store, Error> {
        Store::open(self.options(name, effects, folds))
    }
    /// How the store `name` is opened; the first call for a name makes sure that it is empty.
    fn options(&self, name: &str, effects: Effects, folds: Vec<Arc<dyn Fold>>) -> Options;
}

/// A clock that moves only when it is told to.
pub struct ManualClock(AtomicI64);

impl ManualClock {
    /// Stands at this moment.
    pub fn at(time: Timestamp) -> Arc<Self> {
        Arc::new(Self(AtomicI64::new(time.as_microsecond())))
    }
    /// Moves on.
    pub fn advance(&self, by: Duration) {
        self.0.fetch_add(i64::try_from(by.as_micros()).unwrap_or(i64::MAX), Ordering::AcqRel);
    }
    /// Moves back.
    pub fn back(&self, by: Duration) {
        self.0.fetch_sub(i64::try_from(by.as_micros()).unwrap_or(i64::MAX), Ordering::AcqRel);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_microsecond(self.0.load(Ordering::Acquire)).unwrap_or(Timestamp::UNIX_EPOCH)
    }
    fn monotonic(&self) -> Duration {
        Duration::from_micros(u64::try_from(self.0.load(Ordering::Acquire)).unwrap_or(0))
    }
}

/// Bytes that do not repeat within a process: a counter through SHA-256 over a seed.
struct Counted(u64, AtomicU64);

impl Entropy for Counted {
    fn fill(&self, out: &mut [u8]) {
        for chunk in out.chunks_mut(32) {
            let n = self.1.fetch_add(1, Ordering::AcqRel);
            let block = crypto::sha256(&[self.0.to_be_bytes(), n.to_be_bytes()].concat());
            for (to, from) in chunk.iter_mut().zip(block.bytes()) {
                *to = *from;
            }
        }
    }
}

/// Effects over a clock; `seed` keeps two stores of one test apart.
pub fn effects(clock: Arc<dyn Clock>, seed: u64) -> Effects {
    Effects { clock, entropy: Arc::new(Counted(seed, AtomicU64::new(0))) }
}

/// A small ledger in the folder `ledger` of `dir`, signed with a key that everybody knows.
#[expect(clippy::unwrap_used, clippy::panic, reason = "tests stand on it")]
pub fn journal(dir: &Path) -> Journal {
    let key = PrivateKey::ed25519_from_seed(&Secret::new([7; 32])).unwrap();
    let PublicKey::Ed25519 { x } = key.public_key().unwrap() else { panic!("another kind of key") };
    let signer = ledger::SignWith::new(x, move |text| Ok(key.sign(SignatureScheme::EdDsa, text)?));
    let disk = RealDisk::open(&dir.join("ledger")).unwrap();
    let options = JournalOptions::small("galen.example/test".parse().unwrap());
    Journal::open(Arc::new(disk), Arc::new(signer), options).unwrap()
}

/// A grant: made, changed, ended. Its row is an interval table over valid and known time.
pub struct GrantFold {
    /// The version that it claims.
    pub version: u32,
}

impl Fold for GrantFold {
    fn view(&self) -> &'static str {
        "grant"
    }
    fn version(&self) -> u32 {
        self.version
    }
    fn kinds(&self) -> &'static [&'static str] {
        &["grant.created", "grant.ended", "grant.voided"]
    }
    fn fold(&self, _aggregate: &str, facts: &[Fact]) -> Result<Vec<ViewRow>, FoldError> {
        let mut rows: Vec<ViewRow> = Vec::new();
        for fact in facts {
            let recorded = fact.recorded.timestamp();
            if fact.kind == "grant.created" {
                let group = fact.body.get("group").and_then(|group| group.as_str());
                let group = group.ok_or(FoldError { fact: fact.id, expected: "a `group`" })?;
                rows.push(ViewRow {
                    row: "grant".to_owned(),
                    valid: fact.valid(),
                    known: Interval::from(recorded),
                    body: fact.body.clone(),
                    lookups: vec![Lookup { name: "by_group", value: group.to_owned() }],
                });
            } else if let Some(open) = rows.iter_mut().rfind(|row| row.known.to.is_none()) {
                open.known.to = Some(recorded);
                // One that is void is as if it had never been.
                if fact.kind == "grant.ended" {
                    let mut ended = open.clone();
                    ended.known = Interval::from(recorded);
                    ended.valid.to = Some(fact.valid_from);
                    rows.push(ended);
                }
            }
        }
        Ok(rows)
    }
}

/// A unique name: claims of one name are one aggregate, whatever their subjects.
pub struct NameFold;

impl Fold for NameFold {
    fn view(&self) -> &'static str {
        "name"
    }
    fn version(&self) -> u32 {
        1
    }
    fn kinds(&self) -> &'static [&'static str] {
        &["name.claimed"]
    }
    fn aggregate(&self, fact: &Fact) -> String {
        fact.body.get("name").and_then(|name| name.as_str()).unwrap_or_default().to_owned()
    }
    fn fold(&self, _aggregate: &str, facts: &[Fact]) -> Result<Vec<ViewRow>, FoldError> {
        let first = winner(facts).map(|fact| fact.id);
        let row = |fact: &Fact| ViewRow {
            row: fact.subject.to_string(),
            valid: fact.valid(),
            known: Interval::from(fact.recorded.timestamp()),
            body: serde_json::json!({ "owner": fact.subject.to_string(), "won": Some(fact.id) == first }),
            lookups: vec![Lookup { name: "by_owner", value: fact.subject.to_string() }],
        };
        Ok(facts.iter().map(row).collect())
    }
}
