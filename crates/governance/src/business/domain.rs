//! Domains: business areas that own datasets.

use access::{Installation, Outcome, Permit, action::api};
use base::{DomainId, GroupId, Ids};
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::{NewFact, ReadTxn, WriteTxn};

use super::{
    Governance,
    fold::{BY_DOMAIN, BY_NAME, DATASET, DOMAIN, DOMAIN_CHANGED, DOMAIN_CREATED, DOMAIN_ENDED},
    name,
};
use crate::Error;

/// A business data domain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Domain {
    /// The domain.
    pub id: DomainId,
    /// Its name, unique while it lives.
    pub name: String,
    /// The group that owns it.
    pub owner: GroupId,
    /// The groups that look after it.
    #[serde(default)]
    pub stewards: Vec<GroupId>,
}

/// What a new domain is made from.
#[derive(Clone, Debug)]
pub struct NewDomain {
    /// Its name.
    pub name: String,
    /// The group that owns it.
    pub owner: GroupId,
    /// The groups that look after it.
    pub stewards: Vec<GroupId>,
}

/// What changes; `None` stays.
#[derive(Clone, Debug, Default)]
pub struct ChangeDomain {
    /// A new name.
    pub name: Option<String>,
    /// Another owner.
    pub owner: Option<GroupId>,
    /// Other stewards.
    pub stewards: Option<Vec<GroupId>>,
}

impl Governance {
    /// Makes a domain.
    ///
    /// # Errors
    /// [`Error::BadText`]; [`Error::NameTaken`]; the store's errors.
    pub async fn create_domain(&self, permit: Permit<api::CreateDomain>, new: NewDomain) -> Result<Domain, Error> {
        let domain = Domain {
            id: DomainId::from_uuid(self.0.effects.uuid()),
            name: name(&new.name)?,
            owner: new.owner,
            stewards: new.stewards,
        };
        let made = domain.clone();
        self.0
            .access
            .change(permit, move |txn| {
                name_is_free(txn, DOMAIN, &domain.name, domain.id.uuid())?;
                put(txn, DOMAIN_CREATED, &domain, None)
            })
            .await?;
        Ok(made)
    }

    /// The domain with this id.
    ///
    /// # Errors
    /// [`Error::NoSuchDomain`]; the store's errors.
    pub async fn domain(&self, id: DomainId) -> Result<Domain, Error> {
        self.0.store.read(move |txn| find(txn, id)).await
    }

    /// The domain with this name.
    ///
    /// # Errors
    /// The store's errors.
    pub async fn domain_by_name(&self, name: &str) -> Result<Option<Domain>, Error> {
        let name = name.trim().to_owned();
        self.0.store.read(move |txn| Ok(txn.view_lookup(DOMAIN, BY_NAME, &name)?.iter().find_map(domain_of))).await
    }

    /// Domains after `after`, in the order of their making, at most `limit`.
    ///
    /// # Errors
    /// The store's errors.
    pub async fn domains(
        &self,
        permit: Permit<api::ListDomains>,
        after: Option<DomainId>,
        limit: usize,
    ) -> Result<Vec<Domain>, Error> {
        let Installation = *permit.resource();
        let rows = self.0.store.read(move |txn| {
            let after = after.map(|id| id.to_string());
            let now = txn.now();
            let live = |row: &store::ViewedRow| row.valid.contains(now).then(|| domain_of(row)).flatten();
            Ok::<_, Error>(txn.view_page(DOMAIN, None, after.as_deref(), limit, live)?)
        });
        let rows = rows.await?;
        permit.finish(Outcome::DONE);
        Ok(rows)
    }

    /// Changes a domain.
    ///
    /// # Errors
    /// [`Error::NoSuchDomain`]; [`Error::BadText`]; [`Error::NameTaken`]; the store's errors.
    pub async fn change_domain(
        &self,
        permit: Permit<api::ChangeDomain>,
        change: ChangeDomain,
    ) -> Result<Domain, Error> {
        let id = permit.resource().domain;
        let new_name = change.name.as_deref().map(name).transpose()?;
        self.0
            .access
            .change(permit, move |txn| {
                let old = find(txn, id)?;
                let domain = Domain {
                    id,
                    name: new_name.clone().unwrap_or(old.name),
                    owner: change.owner.unwrap_or(old.owner),
                    stewards: change.stewards.clone().unwrap_or(old.stewards),
                };
                name_is_free(txn, DOMAIN, &domain.name, id.uuid())?;
                put(txn, DOMAIN_CHANGED, &domain, None)?;
                Ok(domain)
            })
            .await
    }

    /// Ends a domain that has no datasets.
    ///
    /// # Errors
    /// [`Error::NoSuchDomain`]; [`Error::DomainNotEmpty`]; the store's errors.
    pub async fn end_domain(&self, permit: Permit<api::EndDomain>, reason: String) -> Result<(), Error> {
        let id = permit.resource().domain;
        self.0
            .access
            .change(permit, move |txn| {
                find(txn, id)?;
                if !txn.view_lookup(DATASET, BY_DOMAIN, &id.to_string())?.is_empty() {
                    return Err(Error::DomainNotEmpty { domain: id });
                }
                let ended = json!({"id": id});
                txn.fact_add(fact(DOMAIN_ENDED, id.uuid(), ended, Some(reason.clone()), txn.now()))?;
                Ok(())
            })
            .await
    }
}

fn domain_of(row: &store::ViewedRow) -> Option<Domain> {
    serde_json::from_value(row.body.clone()).ok()
}

/// The live domain with this id.
pub(super) fn find(txn: &ReadTxn<'_>, id: DomainId) -> Result<Domain, Error> {
    let rows = txn.view_current(DOMAIN, &id.to_string())?;
    rows.iter().find_map(domain_of).ok_or(Error::NoSuchDomain { domain: id })
}

fn put(txn: &mut WriteTxn<'_>, kind: &'static str, domain: &Domain, reason: Option<String>) -> Result<(), Error> {
    let now = txn.now();
    txn.fact_add(fact(kind, domain.id.uuid(), json!(domain), reason, now))?;
    Ok(())
}

/// A fact that holds from now on.
pub(super) fn fact(
    kind: &'static str,
    subject: uuid::Uuid,
    body: serde_json::Value,
    reason: Option<String>,
    now: base::Timestamp,
) -> NewFact {
    NewFact { kind, subject, body, reason, valid_from: now, valid_to: None }
}

/// Refuses a name that another living thing of the view has.
pub(super) fn name_is_free(txn: &ReadTxn<'_>, view: &'static str, name: &str, own: uuid::Uuid) -> Result<(), Error> {
    let own = own.hyphenated().to_string();
    let taken = txn.view_lookup(view, BY_NAME, name)?.iter().any(|row| row.aggregate != own);
    if taken { Err(Error::NameTaken { name: name.to_owned() }) } else { Ok(()) }
}
