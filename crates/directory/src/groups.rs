//! Groups: known by their immutable id; the name is a label that is unique among live groups.

use access::{Permit, api};
use base::{GroupId, Ids, Timestamp};
use serde::{Deserialize, Serialize};
use store::{ReadTxn, ViewedRow};

use crate::{Directory, Error, GroupName, facts};

/// Whether a group lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GroupStatus {
    /// It can have members.
    Active,
    /// It is over; its id is never used again.
    Ended,
}

/// A group as the directory shows it.
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    /// The id, for ever.
    pub id: GroupId,
    /// Its name now.
    pub name: GroupName,
    /// Whether it lives.
    pub status: GroupStatus,
    /// When it was made.
    pub created: Timestamp,
    /// Order of its claim to the name: of two groups with one name (made in two regions at once) the smaller wins.
    claim: (i64, String, String),
}

#[derive(Deserialize)]
struct Row {
    status: GroupStatus,
    name: GroupName,
    created: Timestamp,
    claim: (i64, String, String),
}

fn group_of(row: &ViewedRow) -> Result<Group, Error> {
    let Row { status, name, created, claim } = facts::read(&row.body, "group")?;
    Ok(Group { id: facts::id(&row.aggregate, "group")?, name, status, created, claim })
}

/// The live group with this name, the winner if there are two.
pub(crate) fn named_in(txn: &ReadTxn<'_>, name: &GroupName) -> Result<Option<Group>, Error> {
    let rows = txn.view_lookup(facts::VIEW_GROUP, facts::BY_NAME, &name.folded())?;
    let groups: Vec<Group> = rows.iter().map(group_of).collect::<Result<_, _>>()?;
    Ok(groups.into_iter().min_by(|a, b| a.claim.cmp(&b.claim)))
}

/// A group, whether it lives or not.
pub(crate) fn group_in(txn: &ReadTxn<'_>, id: GroupId) -> Result<Option<Group>, Error> {
    txn.view_current(facts::VIEW_GROUP, &id.to_string())?.first().map(group_of).transpose()
}

/// A group that lives.
pub(crate) fn live_in(txn: &ReadTxn<'_>, id: GroupId) -> Result<Group, Error> {
    let group = group_in(txn, id)?.ok_or_else(|| facts::no_group(id))?;
    match group.status {
        GroupStatus::Active => Ok(group),
        GroupStatus::Ended => Err(Error::GroupEnded { name: group.name.to_string() }),
    }
}

impl Directory {
    /// Makes a group.
    ///
    /// # Errors
    /// [`Error::GroupNameTaken`].
    pub async fn create_group(
        &self,
        permit: Permit<api::CreateGroup>,
        name: GroupName,
        reason: Option<String>,
    ) -> Result<GroupId, Error> {
        let id = GroupId::from_uuid(self.0.effects.uuid());
        self.change(permit, move |txn| {
            if named_in(txn, &name)?.is_some() {
                return Err(Error::GroupNameTaken { name: name.to_string() });
            }
            let body = facts::GroupNamed { name: name.as_str().to_owned() };
            facts::add(txn, facts::GROUP_CREATED, id.uuid(), &body, reason.as_deref())?;
            Ok(id)
        })
        .await
    }

    /// Gives a group another name.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::GroupEnded`], [`Error::GroupNameTaken`].
    pub async fn rename_group(
        &self,
        permit: Permit<api::ChangeGroup>,
        name: GroupName,
        reason: Option<String>,
    ) -> Result<(), Error> {
        let id = *permit.resource();
        self.change(permit, move |txn| {
            live_in(txn, id)?;
            if named_in(txn, &name)?.is_some_and(|other| other.id != id) {
                return Err(Error::GroupNameTaken { name: name.to_string() });
            }
            let body = facts::GroupNamed { name: name.as_str().to_owned() };
            facts::add(txn, facts::GROUP_RENAMED, id.uuid(), &body, reason.as_deref()).map(drop)
        })
        .await
    }

    /// Ends a group: every membership in it ends in the same change.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::GroupEnded`]; [`Error::OwnsData`] while datasets would be left without an owner; [`Error::Access`]
    /// for a group of a management role.
    pub async fn end_group(&self, permit: Permit<api::EndGroup>, reason: Option<String>) -> Result<(), Error> {
        let id = *permit.resource();
        let owns = self.0.access.owns(id);
        self.change(permit, move |txn| {
            let group = live_in(txn, id)?;
            if owns {
                return Err(Error::OwnsData { name: group.name.to_string() });
            }
            access::facts::keep_group(txn, id)?;
            crate::membership::end_all(txn, access::facts::view::BY_GROUP, &id.to_string(), reason.as_deref())?;
            facts::add(txn, facts::GROUP_ENDED, id.uuid(), &serde_json::json!({}), reason.as_deref()).map(drop)
        })
        .await
    }

    /// Lists groups after an id, at most `limit`, in the order of their making, ended ones included.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn list_groups(
        &self,
        permit: Permit<api::ListGroups>,
        after: Option<GroupId>,
        limit: usize,
    ) -> Result<Vec<Group>, Error> {
        let after = after.map(|id| id.to_string());
        let read = self.0.store.read(move |txn| {
            let now = txn.now();
            let live = |row: &ViewedRow| row.valid.contains(now).then(|| group_of(row));
            txn.view_page(facts::VIEW_GROUP, None, after.as_deref(), limit, live)?.into_iter().collect()
        });
        let listed: Result<Vec<Group>, Error> = read.await;
        permit.finish(crate::outcome(listed.is_ok()));
        listed
    }

    /// A group by id, for joining names to ids.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn group(&self, id: GroupId) -> Result<Option<Group>, Error> {
        self.0.store.read(move |txn| group_in(txn, id)).await
    }

    /// Finds a group by id or by name, for edges that resolve names before they ask the gate.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn resolve_group(&self, name: &str) -> Result<GroupId, Error> {
        if let Ok(id) = name.parse::<GroupId>() {
            return Ok(id);
        }
        let not_found = || Error::NotFound { what: "group", name: name.chars().take(128).collect() };
        let wanted: GroupName = name.parse().map_err(|_| not_found())?;
        let found = self.0.store.read(move |txn| named_in(txn, &wanted)).await?;
        found.map(|group| group.id).ok_or_else(not_found)
    }
}
