//! The world as it was at T, as known at K, restricted to what one question reads.

use base::{ClientId, DatasetId, GrantId, GroupId, RoleId, ServiceId, Timestamp};
use serde::de::DeserializeOwned;
use store::{Error, ReadTxn, ViewedRow};
use uuid::Uuid;

use crate::DenyReason;
use crate::documents::FromTxn;
use crate::facts::{Client, DatasetLocation, Entitlement, Grant, Guardrail, Membership, Role, Service, view};
use crate::index::{World, ran_whole};
use crate::permit::Reason;

/// Which part of the past a question reads.
#[derive(Clone, Default)]
pub(super) struct Part {
    /// Valid at.
    pub(super) at: Timestamp,
    /// Known at.
    pub(super) known: Timestamp,
    /// Who.
    pub(super) member: Option<Uuid>,
    /// The service, for its own fact.
    pub(super) service: Option<ServiceId>,
    /// Roles that are named; those that the member is entitled to are read too.
    pub(super) roles: Vec<RoleId>,
    /// The bucket whose datasets are read.
    pub(super) bucket: Option<String>,
    /// Datasets that are named.
    pub(super) datasets: Vec<DatasetId>,
    /// Grants that are named, also when they are over.
    pub(super) grants: Vec<GrantId>,
    /// The client of the session.
    pub(super) client: Option<ClientId>,
}

fn parse<T: DeserializeOwned>(rows: Vec<ViewedRow>) -> Result<Vec<T>, Error> {
    let one = |row: ViewedRow| serde_json::from_value(row.body).map_err(|_| Error::Corrupt { what: "view row" });
    rows.into_iter().map(one).collect()
}

impl Part {
    /// Adds the grants and datasets that recorded reasons name.
    pub(super) fn named(&mut self, reasons: &[Reason], deny: Option<&DenyReason>) {
        for reason in reasons {
            if let Reason::Grant { grant, dataset, .. } = reason {
                self.grants.push(*grant);
                self.datasets.push(*dataset);
            }
        }
        match deny {
            Some(
                DenyReason::OutOfScope { grant }
                | DenyReason::LevelTooLow { grant }
                | DenyReason::GrantNotBegun { grant, .. }
                | DenyReason::GrantExpired { grant, .. }
                | DenyReason::Undischargeable { grant },
            ) => self.grants.push(*grant),
            Some(DenyReason::NoGrant { dataset } | DenyReason::NotOwner { dataset }) => self.datasets.push(*dataset),
            _ => {}
        }
    }

    /// The world of that part.
    pub(super) fn world(&self, txn: &ReadTxn<'_>) -> Result<World, Error> {
        let mut world = World::default();
        let documents = FromTxn(txn);
        let lookup = |view, name, value: &str| txn.view_lookup_as_of(view, name, value, self.at, self.known);
        let state = |view, aggregate: &str| txn.view_as_of(view, aggregate, self.at, self.known);

        let mut memberships: Vec<Membership> = Vec::new();
        if let Some(member) = self.member {
            memberships = parse(lookup(view::MEMBERSHIP, view::BY_MEMBER, &member.hyphenated().to_string())?)?;
        }
        memberships.iter().for_each(|add| world.member_add(add));
        let groups: Vec<GroupId> = memberships.iter().map(|add| add.group).collect();

        let mut roles = self.roles.clone();
        for group in &groups {
            let entitled: Vec<Entitlement> = parse(lookup(view::ENTITLEMENT, view::BY_GROUP, &group.to_string())?)?;
            roles.extend(entitled.iter().map(|it| it.role));
        }
        roles.sort_unstable();
        roles.dedup();
        let mut clients: Vec<ClientId> = self.client.into_iter().collect();
        for role in &roles {
            let entitled: Vec<Entitlement> = parse(lookup(view::ENTITLEMENT, view::BY_ROLE, &role.to_string())?)?;
            clients.extend(entitled.iter().filter_map(|it| it.client));
            entitled.iter().for_each(|it| world.entitle(it));
            for role in parse::<Role>(state(view::ROLE, &role.to_string())?)? {
                let account = role.account;
                world.role_put(role, &documents);
                for guardrail in parse::<Guardrail>(state(view::GUARDRAIL, &guardrail_key(account))?)? {
                    world.guardrail_put(guardrail, &documents);
                }
            }
        }
        // An entitlement without a client means every client that lived then.
        let all: Vec<ViewedRow> = txn.view_scan(view::CLIENT, None, store::PAGE_ROWS_MAX)?;
        clients.extend(parse::<Client>(all)?.iter().map(|client| client.id));
        clients.sort_unstable();
        clients.dedup();
        for client in clients {
            for client in parse::<Client>(state(view::CLIENT, &client.to_string())?)? {
                world.client_put(client);
            }
        }
        if let Some(service) = self.service {
            for service in parse::<Service>(state(view::SERVICE, &service.to_string())?)? {
                world.service_put(service);
            }
        }
        self.datasets(txn, &mut world)?;
        Ok(world)
    }

    fn datasets(&self, txn: &ReadTxn<'_>, world: &mut World) -> Result<(), Error> {
        let documents = FromTxn(txn);
        let mut locations: Vec<DatasetLocation> = Vec::new();
        if let Some(bucket) = &self.bucket {
            let rows = txn.view_lookup_as_of(view::LOCATION, view::BY_BUCKET, bucket, self.at, self.known)?;
            locations = parse(rows)?;
        }
        for dataset in &self.datasets {
            locations.extend(parse::<DatasetLocation>(txn.view_as_of(
                view::LOCATION,
                &dataset.to_string(),
                self.at,
                self.known,
            )?)?);
        }
        let mut grants = self.grants.clone();
        for location in locations {
            let dataset = location.dataset.to_string();
            world.location_put(location, &documents);
            let live = txn.view_lookup_as_of(view::GRANT, view::BY_DATASET, &dataset, self.at, self.known)?;
            grants.extend(parse::<Grant>(live)?.iter().map(|grant| grant.id));
        }
        grants.sort_unstable();
        grants.dedup();
        for grant in grants {
            for row in txn.view_history(view::GRANT, &grant.to_string())? {
                let whole = row.known.contains(self.known);
                let valid = row.valid;
                for grant in parse::<Grant>(vec![row])? {
                    // A row that is cut before the grant's own expiry is of a grant that was ended: from then on the index
                    // has none.
                    if whole && (ran_whole(&valid, &grant) || valid.to.is_some_and(|cut| self.at < cut)) {
                        world.grant_add(&grant);
                    }
                }
            }
        }
        Ok(())
    }
}

/// The aggregate of an account's guardrails, as `facts::put_guardrail` files it.
fn guardrail_key(account: base::AccountId) -> String {
    let number: u64 = account.to_string().parse().unwrap_or_default();
    Uuid::from_u128(u128::from(number)).to_string()
}
