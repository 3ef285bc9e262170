//! The world from the store's views, at start: no fact is folded again.

use hashbrown::HashMap;
use serde::Deserialize;
use store::{Error, ReadTxn, ViewRowRef};
use uuid::Uuid;

use super::apply::tag;
use super::{Documents, EdgeRow, GrantRow, World};
use crate::facts::{Client, DatasetLocation, Entitlement, Grant, Guardrail, Membership, Role, Service, view};

impl World {
    /// Everything that holds now and later, as the store knows it now.
    ///
    /// # Errors
    /// Those of the store; `Corrupt` for a row that does not parse.
    pub(crate) fn load(txn: &ReadTxn<'_>, documents: &dyn Documents) -> Result<Self, Error> {
        let mut world = Self::default();
        rows(txn, view::SERVICE, |service: Service| world.service_put(service))?;
        rows(txn, view::CLIENT, |client: Client| world.client_put(client))?;
        // Documents are read by other transactions: a streaming read cannot start another statement.
        for role in all::<Role>(txn, view::ROLE)? {
            world.role_put(role, documents);
        }
        for guardrail in all::<Guardrail>(txn, view::GUARDRAIL)? {
            world.guardrail_put(guardrail, documents);
        }
        world.locations_put(all::<DatasetLocation>(txn, view::LOCATION)?, documents);
        rows(txn, view::ENTITLEMENT, |it: Entitlement| world.entitle(&it))?;
        let (members, edges) = load_members(txn, &mut world)?;
        let (grants, count) = load_grants(txn, &mut world)?;
        world.load_lists(members.into_iter(), edges, grants.into_iter(), count, txn.now().as_microsecond());
        world.newest = txn.newest_seq()?;
        Ok(world)
    }
}

type Lists<T> = (HashMap<Uuid, Vec<T>>, usize);

fn load_members(txn: &ReadTxn<'_>, world: &mut World) -> Result<Lists<EdgeRow>, Error> {
    let (mut members, mut edges) = (HashMap::<Uuid, Vec<EdgeRow>>::new(), 0);
    rows(txn, view::MEMBERSHIP, |it: Membership| {
        edges += 1;
        let row = EdgeRow { group: world.group_give(it.group), tag: tag(it.id) };
        members.entry(it.member.uuid()).or_default().push(row);
    })?;
    Ok((members, edges))
}

/// Whether a row of the view is of a grant that was not ended: the row of an ended one is cut before the grant's own
/// expiry. The store keeps microseconds.
pub(crate) fn ran_whole(valid: &store::Interval, grant: &Grant) -> bool {
    valid.to.map(base::Timestamp::as_microsecond) == Some(grant.expiry.as_microsecond())
}

/// How long a grant that has run out is still held, so that the refusal can say that it has.
const EXPIRED_HELD_SECS: i64 = 30 * 86_400;

fn load_grants(txn: &ReadTxn<'_>, world: &mut World) -> Result<Lists<GrantRow>, Error> {
    let (mut grants, mut count) = (HashMap::<Uuid, Vec<GrantRow>>::new(), 0);
    let now = txn.now();
    txn.view_load_all(view::GRANT, |row| {
        let held = |to: base::Timestamp| now.as_second() < to.as_second().saturating_add(EXPIRED_HELD_SECS);
        if row.known.to.is_some() || !row.valid.to.is_some_and(held) {
            return Ok(());
        }
        let grant: Grant = serde_json::from_str(row.body).map_err(|_| Error::Corrupt { what: "view row" })?;
        if ran_whole(&row.valid, &grant) {
            count += 1;
            let made = world.grant_row(&grant);
            grants.entry(grant.dataset.uuid()).or_default().push(made);
        }
        Ok(())
    })?;
    Ok((grants, count))
}

/// Rows that are still known and not over.
fn rows<T: for<'a> Deserialize<'a>>(txn: &ReadTxn<'_>, view: &str, mut each: impl FnMut(T)) -> Result<(), Error> {
    let now = txn.now();
    txn.view_load_all(view, |row: ViewRowRef<'_>| {
        if row.known.to.is_none() && row.valid.to.is_none_or(|to| now < to) {
            each(serde_json::from_str(row.body).map_err(|_| Error::Corrupt { what: "view row" })?);
        }
        Ok(())
    })
}

fn all<T: for<'a> Deserialize<'a>>(txn: &ReadTxn<'_>, view: &str) -> Result<Vec<T>, Error> {
    let mut out = Vec::new();
    rows(txn, view, |it| out.push(it))?;
    Ok(out)
}
