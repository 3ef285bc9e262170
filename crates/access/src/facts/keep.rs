//! What an installation must not lose, because nobody could give it back: its management roles, the groups that lead to them, and its last administrator. It must not know who asks.

use base::{GroupId, RoleId};
use std::collections::BTreeSet;
use store::{ReadTxn, ViewedRow};

use super::write::{many, members, role};
use super::{Duty, Entitlement, Role, view};
use crate::{Error, resource::Member};

/// Roles of administrators that are looked at: `galen init` makes one, and nothing else makes any.
const ADMINISTRATOR_ROLES_MAX: usize = 16;

fn roles(txn: &ReadTxn<'_>, entitlements: Vec<ViewedRow>) -> Result<Vec<Role>, Error> {
    let mut roles = Vec::new();
    for it in many::<Entitlement>(entitlements, "entitlement")? {
        roles.extend(role(txn, it.role)?);
    }
    Ok(roles)
}

fn refuse_management(mut roles: impl Iterator<Item = Role>) -> Result<(), Error> {
    match roles.find(|role| role.management) {
        Some(role) => Err(Error::ManagementRole { role: role.id }),
        None => Ok(()),
    }
}

/// Refuses for a management role.
///
/// # Errors
/// [`Error::ManagementRole`].
pub fn keep_role(txn: &ReadTxn<'_>, id: RoleId) -> Result<(), Error> {
    refuse_management(role(txn, id)?.into_iter())
}

/// Refuses for a group that entitles to a management role.
///
/// # Errors
/// [`Error::ManagementRole`].
pub fn keep_group(txn: &ReadTxn<'_>, group: GroupId) -> Result<(), Error> {
    let entitlements = txn.view_lookup(view::ENTITLEMENT, view::BY_GROUP, &group.to_string())?;
    refuse_management(roles(txn, entitlements)?.into_iter())
}

/// Whether a member can still act: the directory knows who may sign in.
pub type Remains = fn(&ReadTxn<'_>, Member) -> bool;

/// How many administrators remain: members of the groups that lead to a role that bears the duty.
///
/// # Errors
/// Those of the store.
pub fn administrators(txn: &ReadTxn<'_>, remains: Remains) -> Result<usize, Error> {
    let now = txn.now();
    let bears = |row: &ViewedRow| {
        let role: Role = serde_json::from_value(row.body.clone()).ok()?;
        (row.valid.contains(now) && role.duty == Some(Duty::Administrator)).then_some(role.id)
    };
    let mut found = BTreeSet::new();
    for role in txn.view_page(view::ROLE, None, None, ADMINISTRATOR_ROLES_MAX, bears)? {
        let entitlements = txn.view_lookup(view::ENTITLEMENT, view::BY_ROLE, &role.to_string())?;
        for entitlement in many::<Entitlement>(entitlements, "entitlement")? {
            let members = members(txn, entitlement.group)?.into_iter().map(|it| it.member);
            found.extend(members.filter(|member| remains(txn, *member)).map(|member| member.uuid()));
        }
    }
    Ok(found.len())
}

/// Refuses when a member is all that `remains` of the administrators in a group; for other groups there is nothing to keep.
///
/// # Errors
/// [`Error::LastAdministrator`].
pub fn keep_administrator(txn: &ReadTxn<'_>, member: Member, group: GroupId, remains: Remains) -> Result<(), Error> {
    let entitlements = txn.view_lookup(view::ENTITLEMENT, view::BY_GROUP, &group.to_string())?;
    if !roles(txn, entitlements)?.iter().any(|role| role.duty == Some(Duty::Administrator)) {
        return Ok(());
    }
    let others = members(txn, group)?;
    if others.iter().any(|it| it.member != member && remains(txn, it.member)) {
        Ok(())
    } else {
        Err(Error::LastAdministrator)
    }
}
