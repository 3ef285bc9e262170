//! Services: machines that sign in with a secret of their own, each with a person who answers for it.
//!
//! A registration is one of `access`'s facts, because the gate decides by it. The secret is shown once; its hash is sealed under the
//! service's key. It must not know what a service may do. INVARIANT: an id is never used again, so that a namesake of an ended
//! service has nothing of it.

use access::{
    EpochKey, Permit, api,
    facts::{Service as Registered, end_service, put_service, service, view},
};
use base::{Ids, PersonId, Secret, ServiceId, SourceIdentity};
use crypto::sha256;
use serde_json::json;
use store::{ReadTxn, ViewedRow, WriteTxn};

use crate::{
    Directory, Error, Made, PersonStatus, Proposed, ServiceName,
    approval::{self, Route},
    clients::SECRET,
    facts, membership, people,
};

/// What the secret of a service begins with, so that a leaked one is recognised.
const PREFIX: &str = "gss_";
/// Services that are told to need another owner at once: more than anybody reads.
pub const OWNERLESS_MAX: usize = 100;

/// A registered service that lives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// Its id, for ever: its client id, the subject of its tokens and the source identity of its sessions.
    pub id: ServiceId,
    /// Its name.
    pub name: String,
    /// The person who answers for it.
    pub owner: PersonId,
    /// Whether that person may still sign in.
    pub owner_active: bool,
}

/// What changes of a service; `None` stays.
#[derive(Clone, Debug, Default)]
pub struct ServiceChange {
    /// Its name.
    pub name: Option<ServiceName>,
    /// The person who answers for it.
    pub owner: Option<PersonId>,
}

/// The source identity of a service's sessions: its id.
pub(crate) fn handle(service: ServiceId) -> Result<SourceIdentity, Error> {
    Ok(service.to_string().parse()?)
}

fn not_found(name: impl ToString) -> Error {
    Error::NotFound { what: "service", name: name.to_string() }
}

/// A service that lives.
pub(crate) fn live_in(txn: &ReadTxn<'_>, id: ServiceId) -> Result<Registered, Error> {
    service(txn, id)?.ok_or_else(|| not_found(id))
}

/// Whether a service may act and under which source identity; one that does not live is not there.
pub(crate) fn standing_in(
    txn: &ReadTxn<'_>,
    id: ServiceId,
) -> Result<Option<(PersonStatus, Option<SourceIdentity>)>, Error> {
    service(txn, id)?.map(|_| Ok((PersonStatus::Active, Some(handle(id)?)))).transpose()
}

fn shown(txn: &ReadTxn<'_>, it: Registered) -> Result<Service, Error> {
    let owner_active = match people::active(txn, it.owner) {
        Ok(()) => true,
        Err(Error::NotActive { .. }) => false,
        Err(error) => return Err(error),
    };
    Ok(Service { id: it.id, name: it.name, owner: it.owner, owner_active })
}

fn of_row(txn: &ReadTxn<'_>, row: &ViewedRow) -> Result<Service, Error> {
    shown(txn, facts::read(&row.body, "service")?)
}

/// Keeps the sealed hash of another secret, and cuts what came of the old one.
pub(crate) fn put_secret(
    txn: &mut WriteTxn<'_>,
    id: ServiceId,
    sealed: &[u8],
    reason: Option<&str>,
) -> Result<(), Error> {
    live_in(txn, id)?;
    txn.sealed_put(id.uuid(), SECRET, sealed)?;
    facts::add(txn, facts::SERVICE_SECRET_RENEWED, id.uuid(), &json!({}), reason)?;
    access::epoch::raise(txn, EpochKey::Service { service: id }, reason.map(str::to_owned))?;
    Ok(())
}

/// The live services whose owner may not sign in any more, in the order of their making; at most [`OWNERLESS_MAX`].
///
/// # Errors
/// [`Error::Store`].
pub fn ownerless_services(txn: &ReadTxn<'_>) -> Result<Vec<Service>, Error> {
    let now = txn.now();
    let ownerless = |row: &ViewedRow| {
        let it = row.valid.contains(now).then(|| of_row(txn, row))?;
        Some(it).filter(|it| it.as_ref().map_or(true, |it| !it.owner_active))
    };
    txn.view_page(view::SERVICE, None, None, OWNERLESS_MAX, ownerless)?.into_iter().collect()
}

impl Directory {
    /// Registers a service with the person who answers for it; its secret is given here and never again.
    ///
    /// # Errors
    /// [`Error::NotActive`] for an owner who may not sign in; [`Error::Access`] for a name that another service has.
    pub async fn create_service(
        &self,
        permit: Permit<api::CreateService>,
        name: ServiceName,
        owner: PersonId,
    ) -> Result<(ServiceId, Secret<String>), Error> {
        let id = ServiceId::from_uuid(self.0.effects.uuid());
        let (key, wrapped) = self.0.custody.subject_key_new(id)?;
        let secret = self.new_secret(PREFIX);
        let sealed = key.seal(SECRET, &sha256(secret.expose().as_bytes()).0)?;
        let it = Registered { id, account: self.0.account, name: name.into(), owner, client: None };
        self.change(permit, move |txn| {
            people::active(txn, owner)?;
            txn.subject_key_put(id.uuid(), &wrapped)?;
            txn.sealed_put(id.uuid(), SECRET, &sealed)?;
            put_service(txn, &it, None)?;
            Ok(())
        })
        .await?;
        Ok((id, secret))
    }

    /// Gives a service another name or another owner.
    ///
    /// # Errors
    /// As [`Directory::create_service`], and [`Error::NotFound`].
    pub async fn change_service(&self, permit: Permit<api::ChangeService>, change: ServiceChange) -> Result<(), Error> {
        let id = *permit.resource();
        self.change(permit, move |txn| {
            let mut it = live_in(txn, id)?;
            if let Some(name) = &change.name {
                it.name = name.to_string();
            }
            if let Some(owner) = change.owner {
                people::active(txn, owner)?;
                it.owner = owner;
            }
            put_service(txn, &it, None)?;
            Ok(())
        })
        .await
    }

    /// Gives a service another secret, or asks for it where the permit obliges to a second approval: the secret is given at once and
    /// works from the approval on. From then on the old one stops, and what came of it is cut.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn renew_service_secret(
        &self,
        permit: Permit<api::RenewServiceSecret>,
        reason: Option<String>,
    ) -> Result<(Secret<String>, Made<()>), Error> {
        let id = *permit.resource();
        let key = self.0.custody.subject_key(id).await?.ok_or_else(|| not_found(id))?;
        let secret = self.new_secret(PREFIX);
        let sealed = key.seal(SECRET, &sha256(secret.expose().as_bytes()).0)?;
        let route = self.route(&permit, permit.obligations().approval, None)?;
        let made = self.change(permit, move |txn| {
            let reason = reason.as_deref();
            let proposed = Proposed::RenewServiceSecret { service: id, sealed: sealed.clone() };
            match &route {
                Route::Second(first) => {
                    return approval::request(txn, first, proposed, reason).map(Box::new).map(Made::Waits);
                }
                Route::Waived(by) => approval::waive(txn, *by, &proposed, reason)?,
                Route::Alone => {}
            }
            put_secret(txn, id, &sealed, reason).map(Made::Now)
        });
        Ok((secret, made.await?))
    }

    /// Ends a service: its secret is destroyed, its sessions are cut, and it is in no group any more. Its key stays, as the ledger's
    /// entries of it are read with it.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn end_service(&self, permit: Permit<api::EndService>, reason: Option<String>) -> Result<(), Error> {
        let id = *permit.resource();
        self.change(permit, move |txn| {
            live_in(txn, id)?;
            membership::end_all(txn, view::BY_MEMBER, &id.uuid().hyphenated().to_string(), reason.as_deref())?;
            end_service(txn, id, reason.as_deref())?;
            txn.sealed_delete(id.uuid(), SECRET)?;
            access::epoch::raise(txn, EpochKey::Service { service: id }, reason.clone())?;
            Ok(())
        })
        .await
    }

    /// Lists live services after an id, at most `limit`.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn list_services(
        &self,
        permit: Permit<api::ListServices>,
        after: Option<ServiceId>,
        limit: usize,
    ) -> Result<Vec<Service>, Error> {
        let after = after.map(|id| id.to_string());
        let read = self.0.store.read(move |txn| {
            let now = txn.now();
            let live = |row: &ViewedRow| row.valid.contains(now).then(|| of_row(txn, row));
            txn.view_page(view::SERVICE, None, after.as_deref(), limit, live)?.into_iter().collect()
        });
        let listed: Result<Vec<Service>, Error> = read.await;
        permit.finish(crate::outcome(listed.is_ok()));
        listed
    }

    /// Finds a live service by its id or its name.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn resolve_service(&self, name: &str) -> Result<Service, Error> {
        let text: String = name.chars().take(128).collect();
        let read = self.0.store.read(move |txn| {
            let found = match text.parse::<ServiceId>() {
                Ok(id) => service(txn, id)?,
                Err(_) => {
                    let rows = txn.view_lookup(view::SERVICE, view::BY_NAME, &text)?;
                    rows.first().map(|row| facts::read(&row.body, "service")).transpose()?
                }
            };
            shown(txn, found.ok_or_else(|| not_found(text))?)
        });
        read.await
    }

    /// The name of a service, also of one that has ended.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn service_name(&self, id: ServiceId) -> Result<Option<String>, Error> {
        let read = self.0.store.read(move |txn| {
            let rows = txn.view_history(view::SERVICE, &id.to_string())?;
            let newest = rows.iter().max_by_key(|row| (row.valid.from, row.known.from));
            newest.map(|row| facts::read::<Registered>(&row.body, "service")).transpose()
        });
        Ok(read.await?.map(|it| it.name))
    }
}
