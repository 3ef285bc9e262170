//! Who is in which group: written as `access`'s own facts, because the gate decides by them.

use access::{
    Member, MembershipEdge, Permit, api,
    facts::{Membership, add_membership, end_membership, view},
};
use base::{GroupId, Ids, MembershipId, Timestamp};
use store::{ReadTxn, ViewedRow, WriteTxn};

use crate::{
    Directory, Error, Made, Proposed,
    approval::{self, Route},
    facts, groups, people, services,
};

/// One membership.
#[derive(Clone, Debug, PartialEq)]
pub struct MembershipRow {
    /// The add.
    pub id: MembershipId,
    /// Who.
    pub member: Member,
    /// In which group.
    pub group: GroupId,
    /// Since when.
    pub since: Timestamp,
}

fn row_of(row: &ViewedRow) -> Result<MembershipRow, Error> {
    let Membership { id, member, group } = facts::read(&row.body, "membership")?;
    Ok(MembershipRow { id, member, group, since: row.valid.from })
}

fn found_in(txn: &ReadTxn<'_>, name: &str, value: &str) -> Result<Vec<MembershipRow>, Error> {
    txn.view_lookup(view::MEMBERSHIP, name, value)?.iter().map(row_of).collect()
}

/// Ends every live membership of a member or in a group.
pub(crate) fn end_all(
    txn: &mut WriteTxn<'_>,
    name: &'static str,
    value: &str,
    reason: Option<&str>,
) -> Result<(), Error> {
    let mut rows = found_in(txn, name, value)?;
    rows.sort_by_key(|row| (row.member, row.group));
    for edge in rows.chunk_by(|a, b| (a.member, a.group) == (b.member, b.group)) {
        if let Some(row) = edge.first() {
            end_membership(txn, row.member, row.group, people::may_sign_in, reason)?;
        }
    }
    Ok(())
}

/// Refuses an edge whose group or service has ended, or whose person may not sign in.
fn may_join(txn: &ReadTxn<'_>, member: Member, group: GroupId) -> Result<(), Error> {
    groups::live_in(txn, group)?;
    match member {
        Member::Person(person) => people::active(txn, person),
        Member::Service(service) => services::live_in(txn, service).map(drop),
    }
}

/// Makes a membership.
pub(crate) fn add(
    txn: &mut WriteTxn<'_>,
    id: MembershipId,
    member: Member,
    group: GroupId,
    reason: Option<&str>,
) -> Result<(), Error> {
    may_join(txn, member, group)?;
    add_membership(txn, id, member, group, reason)?;
    Ok(())
}

impl Directory {
    /// Puts a person or a service into a group, or asks for it where the permit obliges to a second approval.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::NotActive`], [`Error::GroupEnded`]; [`Error::Access`] when they are in it already.
    pub async fn add_member(
        &self,
        permit: Permit<api::AddMember>,
        reason: Option<String>,
    ) -> Result<Made<MembershipId>, Error> {
        let MembershipEdge { member, group } = *permit.resource();
        let id = MembershipId::from_uuid(self.0.effects.uuid());
        let username = match member {
            Member::Person(person) => self.username_of(person).await?,
            Member::Service(_) => None,
        };
        let route = self.route(&permit, permit.obligations().approval, username)?;
        self.change(permit, move |txn| {
            let (reason, proposed) = (reason.as_deref(), Proposed::AddMember { member, group });
            match &route {
                Route::Second(first) => {
                    may_join(txn, member, group)?;
                    return approval::request(txn, first, proposed, reason).map(Box::new).map(Made::Waits);
                }
                Route::Waived(by) => approval::waive(txn, *by, &proposed, reason)?,
                Route::Alone => {}
            }
            add(txn, id, member, group, reason).map(|()| Made::Now(id))
        })
        .await
    }

    /// Takes a member out of a group: every live add of the edge ends.
    ///
    /// # Errors
    /// [`Error::Access`] when they are not in it.
    pub async fn remove_member(&self, permit: Permit<api::RemoveMember>, reason: Option<String>) -> Result<(), Error> {
        let edge = *permit.resource();
        self.change(permit, move |txn| {
            end_membership(txn, edge.member, edge.group, people::may_sign_in, reason.as_deref())?;
            Ok(())
        })
        .await
    }

    /// The live members of a group.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn members_of(&self, group: GroupId) -> Result<Vec<MembershipRow>, Error> {
        self.0.store.read(move |txn| found_in(txn, view::BY_GROUP, &group.to_string())).await
    }

    /// The live memberships of a member.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn memberships_of(&self, member: Member) -> Result<Vec<MembershipRow>, Error> {
        let value = member.uuid().hyphenated().to_string();
        self.0.store.read(move |txn| found_in(txn, view::BY_MEMBER, &value)).await
    }

    /// The live membership with this id.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn membership(&self, id: MembershipId) -> Result<Option<MembershipRow>, Error> {
        let found = self.0.store.read(move |txn| found_in(txn, view::BY_ID, &id.to_string())).await?;
        Ok(found.into_iter().find(|row| row.id == id))
    }

    /// Live memberships after a page token, in the order of their members; of one member, in one group, where these are named.
    /// There are at most `limit`, and the others of the last one's edge.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn list_memberships(
        &self,
        permit: Permit<api::ListGroups>,
        (member, group): (Option<Member>, Option<GroupId>),
        after: Option<String>,
        limit: usize,
    ) -> Result<Vec<MembershipRow>, Error> {
        let read = self.0.store.read(move |txn| {
            let now = txn.now();
            let by_member = member.map(|member| (view::BY_MEMBER, member.uuid().hyphenated().to_string()));
            let lookup = by_member.or_else(|| group.map(|group| (view::BY_GROUP, group.to_string())));
            let of = lookup.as_ref().map(|(name, value)| (*name, value.as_str()));
            let live = |row: &ViewedRow| {
                let row = row.valid.contains(now).then(|| row_of(row))?;
                Some(row).filter(|row| group.is_none_or(|group| row.as_ref().map_or(true, |row| row.group == group)))
            };
            txn.view_page(view::MEMBERSHIP, of, after.as_deref(), limit, live)?.into_iter().collect()
        });
        let listed: Result<Vec<MembershipRow>, Error> = read.await;
        permit.finish(crate::outcome(listed.is_ok()));
        listed
    }
}
