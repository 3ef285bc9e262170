//! Facts: immutable decisions, their time, their order and their place in the feed.
//!
//! It must not know what a kind means. INVARIANT: facts of one origin have sequence numbers without gaps, and
//! (recorded, origin, id) is a total order on which every node agrees.

use base::{Actor, ChangeId, FactId, Region, Timestamp};
use crypto::Sha256Digest;
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};
use uuid::Uuid;

use crate::Error;

/// Hybrid logical time: microseconds since 1970 that follow the wall clock but never go back and never stand
/// still, so that the counter of a classic HLC is inside the last digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Hlc(i64);

impl Hlc {
    /// From stored microseconds.
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }
    /// Microseconds since 1970.
    pub const fn micros(self) -> i64 {
        self.0
    }
    /// As a wall-clock time.
    pub fn timestamp(self) -> Timestamp {
        timestamp(self.0)
    }
}

/// The time of stored microseconds; outside of what a `Timestamp` can hold it is the nearest end.
pub(crate) fn timestamp(micros: i64) -> Timestamp {
    Timestamp::from_microsecond(micros).unwrap_or(if micros < 0 { Timestamp::MIN } else { Timestamp::MAX })
}

/// The stored form of an open end.
pub(crate) const OPEN: i64 = i64::MAX;

/// A half-open span of time, `[from, to)`; without `to` it never ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Interval {
    /// The first moment inside.
    pub from: Timestamp,
    /// The first moment outside.
    pub to: Option<Timestamp>,
}

impl Interval {
    /// From a moment on, without end.
    pub const fn from(from: Timestamp) -> Self {
        Self { from, to: None }
    }
    /// `[from, to)`; with `to` at or before `from` it is empty.
    pub const fn new(from: Timestamp, to: Option<Timestamp>) -> Self {
        Self { from, to }
    }
    /// Whether `at` is inside.
    pub fn contains(&self, at: Timestamp) -> bool {
        self.from <= at && self.to.is_none_or(|to| at < to)
    }
    /// Whether nothing is inside.
    pub fn is_empty(&self) -> bool {
        self.to.is_some_and(|to| to <= self.from)
    }
    pub(crate) fn stored(&self) -> (i64, i64) {
        (self.from.as_microsecond(), self.to.map_or(OPEN, Timestamp::as_microsecond))
    }
    pub(crate) fn from_stored(from: i64, to: i64) -> Self {
        Self { from: timestamp(from), to: (to != OPEN).then(|| timestamp(to)) }
    }
}

/// A fact that is to be added by the running change.
#[derive(Clone, Debug)]
pub struct NewFact {
    /// What happened, such as `grant.created`; at most [`Self::KIND_BYTES_MAX`] bytes.
    pub kind: &'static str,
    /// The aggregate that it is about.
    pub subject: Uuid,
    /// The decision itself; no secret and no personal attribute. Stored as RFC 8785 canonical JSON.
    pub body: serde_json::Value,
    /// Why, in the words of the actor.
    pub reason: Option<String>,
    /// From when it holds.
    pub valid_from: Timestamp,
    /// Until when it holds.
    pub valid_to: Option<Timestamp>,
}

impl NewFact {
    /// Longest canonical body: a fact is a decision, not a container; large things are documents cited by digest.
    pub const BODY_BYTES_MAX: usize = 256 * 1024;
    /// Longest kind: kinds are short names that are indexed and shown.
    pub const KIND_BYTES_MAX: usize = 64;
    /// Longest reason: a few sentences.
    pub const REASON_BYTES_MAX: usize = 4 * 1024;
}

/// One immutable fact.
#[derive(Clone, Debug, PartialEq)]
pub struct Fact {
    /// Its id (UUIDv7).
    pub id: FactId,
    /// The region that recorded it.
    pub origin: Region,
    /// Its number in that region, from 1, without gaps.
    pub seq: u64,
    /// What happened.
    pub kind: String,
    /// The aggregate that it is about.
    pub subject: Uuid,
    /// The decision itself.
    pub body: serde_json::Value,
    /// SHA-256 of the body's RFC 8785 form.
    pub digest: Sha256Digest,
    /// Who decided.
    pub actor: Actor,
    /// Why, in the words of the actor.
    pub reason: Option<String>,
    /// From when it holds.
    pub valid_from: Timestamp,
    /// Until when it holds.
    pub valid_to: Option<Timestamp>,
    /// When it was recorded.
    pub recorded: Hlc,
    /// The change that it belongs to.
    pub change: ChangeId,
}

impl Fact {
    /// The key of the one order in which facts are folded everywhere.
    pub fn order(&self) -> (Hlc, &str, FactId) {
        (self.recorded, self.origin.as_str(), self.id)
    }
    /// The span in which it holds.
    pub const fn valid(&self) -> Interval {
        Interval { from: self.valid_from, to: self.valid_to }
    }
}

/// The winner of a unique claim: the first in fold order, the same on every node. All others are visible losers.
pub fn winner<'a>(claims: impl IntoIterator<Item = &'a Fact>) -> Option<&'a Fact> {
    claims.into_iter().min_by(|a, b| a.order().cmp(&b.order()))
}

/// A place in this store's feed; positions of one store are ordered as readers see changes appear.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Position {
    /// The transaction id (0 on SQLite).
    pub(crate) xid: i64,
    /// The row in the outbox.
    pub(crate) pos: i64,
}

impl Position {
    /// Before everything.
    pub const START: Self = Self { xid: 0, pos: 0 };
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.xid, self.pos)
    }
}

impl FromStr for Position {
    type Err = base::BadName;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let number = |part: &str| part.parse::<i64>().ok().filter(|n| *n >= 0 && n.to_string() == part);
        text.split_once('.')
            .and_then(|(xid, pos)| Some(Self { xid: number(xid)?, pos: number(pos)? }))
            .ok_or_else(|| base::BadName::new("a feed position", text, "two whole numbers such as 0.17"))
    }
}

impl TryFrom<String> for Position {
    type Error = base::BadName;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Position> for String {
    fn from(position: Position) -> Self {
        position.to_string()
    }
}

/// An actor's stored form, as `Actor` displays it.
pub(crate) fn parse_actor(text: &str) -> Result<Actor, Error> {
    let corrupt = Error::Corrupt { what: "actor" };
    if text == "system" {
        return Ok(Actor::System);
    }
    if let Some(id) = text.strip_prefix("person/") {
        return id.parse().map(Actor::Person).map_err(|_| corrupt);
    }
    if let Some(id) = text.strip_prefix("service/") {
        return id.parse().map(Actor::Service).map_err(|_| corrupt);
    }
    Err(corrupt)
}
