//! The nearest miss of a refusal: the grant of the dataset to a group of whoever asked that would have carried, had it or the
//! membership not ended, or been over, or begun.
//!
//! It must not decide: it reads facts as they stood at the moment of the refusal, and says which of them stood in the way.

use access::facts::{Grant, Membership, kind, view};
use access::{DenyReason, Member};
use base::{DatasetId, GrantId, GroupId, MembershipId, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use store::{ReadTxn, ViewedRow};

/// Why a membership or a grant did not carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Missed {
    /// Somebody had ended it.
    Ended,
    /// Its time was over.
    Expired,
    /// Its time had not come.
    NotBegun,
    /// It covers other places.
    OutOfScope,
    /// It allows less.
    LevelTooLow,
    /// It is for rows or columns of tables.
    NeedsTables,
}

/// What came nearest: a grant, and the membership through which it would have reached whoever asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Near {
    pub(crate) group: GroupId,
    pub(crate) membership: MembershipId,
    /// Why the membership did not carry; `None` where it held.
    pub(crate) left: Option<Missed>,
    pub(crate) grant: GrantId,
    /// Why the grant did not carry; `None` where it held.
    pub(crate) over: Option<Missed>,
}

/// Groups of one member, past ones too, that are looked at.
const GROUPS_MAX: usize = 256;
/// Grants of one dataset that are read at once.
const PAGE: usize = 512;
/// Pages of grants that are read, some ten milliseconds; of a dataset with more no miss is told.
const PAGES_MAX: usize = 8;

/// The grant that a refusal itself speaks of, and why it did not carry.
pub(crate) const fn spoken_of(reason: &DenyReason) -> Option<(GrantId, Missed)> {
    Some(match reason {
        DenyReason::OutOfScope { grant } => (*grant, Missed::OutOfScope),
        DenyReason::LevelTooLow { grant } => (*grant, Missed::LevelTooLow),
        DenyReason::GrantNotBegun { grant, .. } => (*grant, Missed::NotBegun),
        DenyReason::GrantExpired { grant, .. } => (*grant, Missed::Expired),
        DenyReason::Undischargeable { grant } => (*grant, Missed::NeedsTables),
        _ => return None,
    })
}

/// The dataset whose grants are worth a look, of a refusal that says only that nothing carries; `at` is the one in which the
/// resource lies.
pub(crate) fn about(reason: &DenyReason, at: Option<DatasetId>) -> Option<DatasetId> {
    match reason {
        DenyReason::NoGrant { dataset } => Some(*dataset),
        DenyReason::NoRole
        | DenyReason::NotEntitled { .. }
        | DenyReason::SessionCut { .. }
        | DenyReason::NothingVisible => at,
        _ => None,
    }
}

/// How a membership or a grant stood: why it did not carry, and since when.
type Stood = Option<(Missed, Timestamp)>;

/// What came nearest at that moment; `None` where nothing ever carried, and where something did.
pub(crate) fn nearest(
    txn: &ReadTxn<'_>,
    member: Member,
    dataset: DatasetId,
    at: Timestamp,
) -> Result<Option<Near>, store::Error> {
    let edges = edges(txn, member)?;
    let mut memberships: HashMap<GroupId, Option<(MembershipId, Stood)>> = HashMap::new();
    let mut best: Option<(Near, (bool, Timestamp))> = None;
    for grant in grants(txn, dataset, &edges)? {
        let Some(over) = grant_stood(txn, &grant, at)? else { continue };
        let found = match memberships.get(&grant.group) {
            Some(found) => *found,
            None => {
                let found = membership_stood(txn, edges.get(&grant.group), at)?;
                memberships.insert(grant.group, found);
                found
            }
        };
        let Some((membership, left)) = found else { continue };
        let Some(since) = [left, over].into_iter().flatten().map(|(_, since)| since).max() else { return Ok(None) };
        let (left, over) = (left.map(|(missed, _)| missed), over.map(|(missed, _)| missed));
        // One thing in the way is nearer than two; then what changed last is.
        let rank = (left.is_none() || over.is_none(), since);
        if best.as_ref().is_none_or(|(_, other)| *other < rank) {
            best = Some((Near { group: grant.group, membership, left, grant: grant.id, over }, rank));
        }
    }
    Ok(best.map(|(near, _)| near))
}

/// The groups that the member is or was in, each with its aggregate.
fn edges(txn: &ReadTxn<'_>, member: Member) -> Result<HashMap<GroupId, String>, store::Error> {
    let value = member.uuid().hyphenated().to_string();
    let edge = |row: &ViewedRow| Some((Membership::deserialize(&row.body).ok()?.group, row.aggregate.clone()));
    let of = Some((view::BY_MEMBER, value.as_str()));
    Ok(txn.view_page_ever(view::MEMBERSHIP, of, None, GROUPS_MAX, edge)?.into_iter().collect())
}

/// The grants of the dataset to one of the groups that were ever made.
fn grants(txn: &ReadTxn<'_>, dataset: DatasetId, edges: &HashMap<GroupId, String>) -> Result<Vec<Grant>, store::Error> {
    let (value, mut found, mut after) = (dataset.to_string(), Vec::new(), None::<String>);
    if edges.is_empty() {
        return Ok(found);
    }
    for _ in 0..PAGES_MAX {
        let of = Some((view::BY_DATASET, value.as_str()));
        let each = |row: &ViewedRow| {
            let grant = Grant::deserialize(&row.body).ok().filter(|grant| edges.contains_key(&grant.group));
            Some((row.aggregate.clone(), grant))
        };
        let page = txn.view_page_ever(view::GRANT, of, after.as_deref(), PAGE, each)?;
        let whole = page.len() < PAGE;
        after = page.last().map(|(aggregate, _)| aggregate.clone());
        found.extend(page.into_iter().filter_map(|(_, grant)| grant));
        if whole {
            return Ok(found);
        }
    }
    Ok(Vec::new())
}

/// How the newest membership of an edge stood; `None` where there was none yet.
fn membership_stood(
    txn: &ReadTxn<'_>,
    edge: Option<&String>,
    at: Timestamp,
) -> Result<Option<(MembershipId, Stood)>, store::Error> {
    let Some(edge) = edge else { return Ok(None) };
    let rows = txn.view_history(view::MEMBERSHIP, edge)?;
    let known = rows.into_iter().filter(|row| row.known.to.is_none() && row.valid.from <= at);
    // One that holds comes last.
    let newest = known.max_by_key(|row| row.valid.to.filter(|to| *to <= at).unwrap_or(Timestamp::MAX));
    Ok(newest.and_then(|row| {
        let id = Membership::deserialize(&row.body).ok()?.id;
        Some((id, row.valid.to.filter(|to| *to <= at).map(|to| (Missed::Ended, to))))
    }))
}

/// How a grant stood; `None` where nobody had made it yet.
fn grant_stood(txn: &ReadTxn<'_>, grant: &Grant, at: Timestamp) -> Result<Option<Stood>, store::Error> {
    let facts = txn.facts_of(grant.id.uuid())?;
    if !facts.iter().any(|fact| fact.kind == kind::GRANT_CREATED && fact.recorded.timestamp() <= at) {
        return Ok(None);
    }
    let ended = facts.iter().find(|fact| fact.kind == kind::GRANT_ENDED && fact.valid_from <= at);
    Ok(Some(match ended {
        Some(fact) => Some((Missed::Ended, fact.valid_from)),
        None if grant.expiry <= at => Some((Missed::Expired, grant.expiry)),
        None if at < grant.start => Some((Missed::NotBegun, at)),
        None => None,
    }))
}
