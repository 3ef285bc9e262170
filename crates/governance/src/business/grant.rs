//! Grants: a dataset opened to a group, for a purpose and a time, by its owner or a steward.

use access::{
    Installation, Outcome, Permit,
    action::api,
    facts::{self, Approver, Grant, Level, Scope, kind, view},
};
use base::{Actor, DatasetId, GrantId, GroupId, Ids, Timestamp};
use std::time::Duration;
use store::{ReadTxn, ViewedRow};

use super::{Governance, text};
use crate::Error;

/// Longest grant, in days: what is needed for longer is granted again, so that somebody looks at it.
pub const GRANT_DAYS_MAX: u32 = 366;
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// What a new grant is made from; the dataset is the permit's, the approver is who acts.
#[derive(Clone, Debug)]
pub struct NewGrant {
    /// To which group.
    pub group: GroupId,
    /// How much may be done.
    pub level: Level,
    /// To how much of it.
    pub scope: Scope,
    /// For what purpose; not empty.
    pub purpose: String,
    /// From when, which is not in the past; from now when none is named.
    pub start: Option<Timestamp>,
    /// For how many days from then: 1 to [`GRANT_DAYS_MAX`], which are counted from now.
    pub days: u32,
    /// Why, for the record.
    pub reason: Option<String>,
}

/// Where a grant is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GrantState {
    /// It has not begun.
    Upcoming,
    /// It opens something.
    Live,
    /// It was ended, or is over.
    Ended,
}

impl GrantState {
    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Upcoming => "upcoming",
            Self::Live => "live",
            Self::Ended => "ended",
        }
    }
}

/// A grant and its state at the time of the read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GrantView {
    /// The grant.
    pub grant: Grant,
    /// Its state.
    pub state: GrantState,
    /// What its facts say beside it; only of a grant that is shown alone.
    pub story: Option<GrantStory>,
}

/// What the facts of a grant say beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GrantStory {
    /// Why it was made.
    pub reason: Option<String>,
    /// How it was ended before its expiry, if it was.
    pub ended: Option<GrantEnd>,
}

/// The end of a grant before its expiry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GrantEnd {
    /// When.
    pub at: Timestamp,
    /// By whom.
    pub by: Actor,
    /// Why.
    pub reason: Option<String>,
}

/// Which grants a list is of; what is not named does not matter.
#[derive(Clone, Copy, Debug, Default)]
pub struct GrantsOf {
    /// Of this dataset.
    pub dataset: Option<DatasetId>,
    /// To this group.
    pub group: Option<GroupId>,
    /// In this state.
    pub state: Option<GrantState>,
}

impl GrantsOf {
    fn names(&self, view: &GrantView) -> bool {
        self.dataset.is_none_or(|dataset| view.grant.dataset == dataset)
            && self.group.is_none_or(|group| view.grant.group == group)
            && self.state.is_none_or(|state| view.state == state)
    }
}

impl Governance {
    /// Grants the permit's dataset.
    ///
    /// # Errors
    /// [`Error::BadText`] without a purpose; [`Error::BadGrant`]; a malformed scope; the store's errors.
    pub async fn create_grant(&self, permit: Permit<api::CreateGrant>, new: NewGrant) -> Result<Grant, Error> {
        let purpose = text("purpose", new.purpose.trim())?;
        if purpose.is_empty() {
            return Err(Error::BadText { field: "purpose", most: super::TEXT_CHARS_MAX });
        }
        if !(1..=GRANT_DAYS_MAX).contains(&new.days) {
            return Err(Error::BadGrant { rule: "it lasts 1 to 366 days" });
        }
        let Actor::Person(approver) = permit.actor() else {
            return Err(Error::BadGrant { rule: "its approver is a person" });
        };
        let start = new.start.unwrap_or_else(|| permit.at());
        if start < permit.at() {
            return Err(Error::BadGrant { rule: "it does not begin in the past" });
        }
        let grant = Grant {
            id: GrantId::from_uuid(self.0.effects.uuid()),
            group: new.group,
            dataset: *permit.resource(),
            level: new.level,
            scope: new.scope,
            purpose,
            start,
            expiry: start.checked_add(DAY * new.days).unwrap_or(Timestamp::MAX),
            approver: Approver::Person(approver),
            request: "direct".to_owned(),
        };
        self.0
            .access
            .change(permit, move |txn| {
                facts::add_grant(txn, &grant, new.reason.as_deref())?;
                Ok(grant.clone())
            })
            .await
    }

    /// The grant with this id.
    ///
    /// # Errors
    /// [`Error::NoSuchGrant`]; the store's errors.
    pub async fn grant(&self, id: GrantId) -> Result<GrantView, Error> {
        let read = self.0.store.read(move |txn| {
            let now = txn.now();
            let rows = txn.view_history(view::GRANT, &id.to_string())?;
            // One that ended before it began is in no row that is known now.
            let found =
                ViewedRow::newest(&rows).and_then(|row| view_of(row, now)).ok_or(Error::NoSuchGrant { grant: id })?;
            Ok(GrantView { story: Some(story(txn, id)?), ..found })
        });
        read.await
    }

    /// Grants after `after`, in the order of their making, at most `limit`.
    ///
    /// # Errors
    /// The store's errors.
    pub async fn grants(
        &self,
        permit: Permit<api::ListGrants>,
        of: GrantsOf,
        after: Option<GrantId>,
        limit: usize,
    ) -> Result<Vec<GrantView>, Error> {
        let Installation = *permit.resource();
        let read = self.0.store.read(move |txn| {
            let now = txn.now();
            let after = after.map(|id| id.to_string());
            let by_dataset = of.dataset.map(|dataset| (view::BY_DATASET, dataset.to_string()));
            let lookup = by_dataset.or_else(|| of.group.map(|group| (view::BY_GROUP, group.to_string())));
            let lookup = lookup.as_ref().map(|(name, value)| (*name, value.as_str()));
            let named = |row: &ViewedRow| view_of(row, now).filter(|view| of.names(view));
            Ok::<_, Error>(txn.view_page_ever(view::GRANT, lookup, after.as_deref(), limit, named)?)
        });
        let rows = read.await?;
        permit.finish(Outcome::DONE);
        Ok(rows)
    }
}

/// What the facts of a grant say beside it.
fn story(txn: &ReadTxn<'_>, id: GrantId) -> Result<GrantStory, Error> {
    let facts = txn.facts_of(id.uuid())?;
    let of_kind = |kind| facts.iter().find(|fact| fact.kind == kind);
    let ended = of_kind(kind::GRANT_ENDED);
    Ok(GrantStory {
        reason: of_kind(kind::GRANT_CREATED).and_then(|fact| fact.reason.clone()),
        ended: ended.map(|fact| GrantEnd {
            at: fact.recorded.timestamp(),
            by: fact.actor,
            reason: fact.reason.clone(),
        }),
    })
}

fn view_of(row: &ViewedRow, now: Timestamp) -> Option<GrantView> {
    let grant: Grant = serde_json::from_value(row.body.clone()).ok()?;
    let over = row.known.to.is_some() || row.valid.to.is_some_and(|to| to <= now) || grant.expiry <= now;
    let begun = row.valid.from <= now && grant.start <= now;
    let state = match (over, begun) {
        (true, _) => GrantState::Ended,
        (false, true) => GrantState::Live,
        (false, false) => GrantState::Upcoming,
    };
    Some(GrantView { grant, state, story: None })
}
