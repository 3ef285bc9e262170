//! Datasets: what they are called and described as, and the location that the gate decides by, made and changed together.

use access::{
    AuditClass, Installation, OpContext, Outcome, Permit,
    action::api,
    facts::{self, Classification, DatasetKind, DatasetLocation, Occupied, Place},
};
use base::{DatasetId, DomainId, GroupId, Ids, Timestamp};
use custody::Purpose;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::sync::Arc;
use store::{ReadTxn, WriteTxn};

use super::{
    Governance,
    domain::{self, fact, name_is_free},
    fold::{BY_NAME, DATASET, DATASET_CHANGED, DATASET_CREATED, DATASET_ENDED},
    name, text,
};
use crate::{Error, dataset_policy, objects::BucketName};

/// The business side of a dataset.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dataset {
    /// The dataset.
    pub id: DatasetId,
    /// Its name, unique while it lives.
    pub name: String,
    /// The domain that it belongs to.
    pub domain: DomainId,
    /// What it is.
    pub description: String,
    /// Who makes the data, in words.
    #[serde(default)]
    pub producer: String,
    /// When it was registered.
    pub created: Timestamp,
}

/// What a new dataset is made from.
#[derive(Clone, Debug)]
pub struct NewDataset {
    /// Its name.
    pub name: String,
    /// What it is.
    pub description: String,
    /// Who makes the data.
    pub producer: String,
    /// Where its objects are: a bucket, and a prefix that is empty or ends in `/`.
    pub place: Place,
    /// The group that owns it.
    pub owner: GroupId,
    /// The groups that may look after it.
    pub stewards: Vec<GroupId>,
    /// How sensitive it is.
    pub classification: Classification,
    /// Whether it is GxP data.
    pub gxp: bool,
    /// Whether it holds personal data.
    pub personal: bool,
    /// How its accesses are recorded.
    pub audit: AuditClass,
}

/// What changes; `None` stays.
#[derive(Clone, Debug, Default)]
pub struct ChangeDataset {
    /// A new name.
    pub name: Option<String>,
    /// A new description.
    pub description: Option<String>,
    /// A new classification.
    pub classification: Option<Classification>,
    /// Another owner.
    pub owner: Option<GroupId>,
    /// Other stewards.
    pub stewards: Option<Vec<GroupId>>,
    /// How its accesses are recorded.
    pub audit: Option<AuditClass>,
    /// Why; needed where the data is under GxP.
    pub reason: Option<String>,
}

impl Governance {
    /// Registers a dataset in the permit's domain, with a key of its own.
    ///
    /// # Errors
    /// A malformed name, text or place; [`Error::NameTaken`]; a place that meets another dataset's or already holds objects;
    /// custody's and the store's errors.
    pub async fn create_dataset(&self, permit: Permit<api::CreateDataset>, new: NewDataset) -> Result<Dataset, Error> {
        let dataset = Dataset {
            id: DatasetId::from_uuid(self.0.effects.uuid()),
            name: name(&new.name)?,
            domain: permit.resource().domain,
            description: text("description", &new.description)?,
            producer: text("producer", &new.producer)?,
            created: permit.at(),
        };
        let place = place(new.place)?;
        let mut location = DatasetLocation {
            dataset: dataset.id,
            account: self.0.account,
            places: vec![place],
            owner: new.owner,
            stewards: new.stewards,
            policy: None,
            classification: new.classification,
            gxp: new.gxp,
            personal: new.personal,
            kind: DatasetKind::Dataset,
            audit: new.audit,
            key: String::new(),
        };
        // Checked before as well: a registration that is refused must not leave a key in custody.
        let (new, place) = (dataset.clone(), location.clone());
        self.0.store.read(move |txn| may_register(txn, &new, &place)).await?;
        location.key = self.0.custody.ensure(Purpose::DatasetWrap, &dataset.id.to_string())?.to_string();
        self.0
            .access
            .change(permit, move |txn| {
                may_register(txn, &dataset, &location)?;
                put(txn, DATASET_CREATED, &dataset, None)?;
                facts::put_location(txn, &location, occupied, None)?;
                Ok(dataset.clone())
            })
            .await
    }

    /// The dataset with this id, and its location.
    ///
    /// # Errors
    /// [`Error::NoSuchDataset`]; the store's errors.
    pub async fn dataset(&self, id: DatasetId) -> Result<(Dataset, Arc<DatasetLocation>), Error> {
        let location = self.0.access.location(id).ok_or(Error::NoSuchDataset { dataset: id })?;
        let dataset = self.0.store.read(move |txn| find(txn, id)).await?;
        Ok((dataset, location))
    }

    /// The dataset with this name.
    ///
    /// # Errors
    /// The store's errors.
    pub async fn dataset_by_name(&self, name: &str) -> Result<Option<Dataset>, Error> {
        let name = name.trim().to_owned();
        self.0.store.read(move |txn| Ok(txn.view_lookup(DATASET, BY_NAME, &name)?.iter().find_map(dataset_of))).await
    }

    /// The datasets that the caller may know of after `after`, in the order of their making, at most `limit`.
    ///
    /// # Errors
    /// The store's errors.
    pub async fn datasets(
        &self,
        op: &OpContext,
        permit: Permit<api::ListDatasets>,
        after: Option<DatasetId>,
        limit: usize,
    ) -> Result<Vec<(Dataset, Arc<DatasetLocation>)>, Error> {
        let Installation = *permit.resource();
        let catalogue = self.0.access.catalogue(op);
        let rows = self.0.store.read(move |txn| {
            let now = txn.now();
            let after = after.map(|id| id.to_string());
            let known = |row: &store::ViewedRow| row.aggregate.parse().is_ok_and(|id| catalogue.shows(id));
            let live =
                |row: &store::ViewedRow| (row.valid.contains(now) && known(row)).then(|| dataset_of(row)).flatten();
            Ok::<Vec<Dataset>, Error>(txn.view_page(DATASET, None, after.as_deref(), limit, live)?)
        });
        let rows = rows.await?;
        permit.finish(Outcome::DONE);
        let located = |dataset: Dataset| Some((dataset.clone(), self.0.access.location(dataset.id)?));
        Ok(rows.into_iter().filter_map(located).collect())
    }

    /// Changes a dataset.
    ///
    /// # Errors
    /// As [`Governance::create_dataset`]; [`Error::NoSuchDataset`]; [`Error::ReasonMissing`] for GxP data without a reason.
    pub async fn change_dataset(
        &self,
        permit: Permit<api::ChangeDataset>,
        change: ChangeDataset,
    ) -> Result<Dataset, Error> {
        let id = *permit.resource();
        let new_name = change.name.as_deref().map(name).transpose()?;
        let new_description = change.description.as_deref().map(|it| text("description", it)).transpose()?;
        let reason =
            change.reason.as_deref().map(|it| text("reason", it.trim())).transpose()?.filter(|it| !it.is_empty());
        self.0
            .access
            .change(permit, move |txn| {
                let old = find(txn, id)?;
                let was = facts::location(txn, id)?.ok_or(Error::NoSuchDataset { dataset: id })?;
                if was.gxp && reason.is_none() {
                    return Err(Error::ReasonMissing);
                }
                let dataset = Dataset {
                    name: new_name.clone().unwrap_or_else(|| old.name.clone()),
                    description: new_description.clone().unwrap_or_else(|| old.description.clone()),
                    ..old.clone()
                };
                if dataset != old {
                    name_is_free(txn, DATASET, &dataset.name, id.uuid())?;
                    put(txn, DATASET_CHANGED, &dataset, reason.clone())?;
                }
                let location = DatasetLocation {
                    classification: change.classification.unwrap_or(was.classification),
                    audit: change.audit.unwrap_or(was.audit),
                    owner: change.owner.unwrap_or(was.owner),
                    stewards: change.stewards.clone().unwrap_or_else(|| was.stewards.clone()),
                    ..was.clone()
                };
                if location != was {
                    audit_fits(&location)?;
                    facts::put_location(txn, &location, occupied, reason.as_deref())?;
                }
                Ok(dataset)
            })
            .await
    }

    /// Gives the permit's dataset a new version of its key. What is written from now on is sealed under it; what is there is
    /// opened with the version that its record names.
    ///
    /// # Errors
    /// [`Error::NoSuchDataset`]; custody's and the store's errors.
    pub async fn rotate_dataset_key(&self, permit: Permit<api::RotateDatasetKey>, reason: String) -> Result<(), Error> {
        let id = *permit.resource();
        let newest = self.0.custody.ensure(Purpose::DatasetWrap, &id.to_string())?;
        let key = self.0.custody.token().rotate(newest.id)?.to_string();
        self.0
            .access
            .change(permit, move |txn| {
                let was = facts::location(txn, id)?.ok_or(Error::NoSuchDataset { dataset: id })?;
                let location = DatasetLocation { key: key.clone(), ..was };
                facts::put_location(txn, &location, occupied, Some(&reason))?;
                Ok(())
            })
            .await
    }

    /// The policy of a dataset, as it was written.
    ///
    /// # Errors
    /// [`Error::NoSuchDataset`]; the store's errors.
    pub async fn dataset_policy(&self, permit: Permit<api::ShowDatasetPolicy>) -> Result<Option<String>, Error> {
        let id = *permit.resource();
        let read = self.0.store.read(move |txn| {
            let location = facts::location(txn, id)?.ok_or(Error::NoSuchDataset { dataset: id })?;
            location.policy.map(|digest| dataset_policy::document(txn, &digest)).transpose()
        });
        let policy = read.await?;
        permit.finish(Outcome::DONE);
        Ok(policy)
    }

    /// Sets the policy of a dataset, or removes it. It can only narrow: access is given by grants.
    ///
    /// # Errors
    /// [`Error::BadPolicy`]; [`Error::NoSuchDataset`]; [`Error::ReasonMissing`] for GxP data without a reason; the store's errors.
    pub async fn put_dataset_policy(
        &self,
        permit: Permit<api::PutDatasetPolicy>,
        policy: Option<String>,
        reason: Option<&str>,
    ) -> Result<(), Error> {
        let id = *permit.resource();
        let reason = reason.map(|it| text("reason", it.trim())).transpose()?.filter(|it| !it.is_empty());
        dataset_policy::put(&self.0.access, permit, id, policy, reason).await
    }

    /// Ends a dataset: nothing resolves to it any more and every grant on it is without effect. Its objects are kept for retention.
    ///
    /// # Errors
    /// [`Error::NoSuchDataset`]; [`Error::ReasonMissing`] for GxP data without a reason; the store's errors.
    pub async fn end_dataset(&self, permit: Permit<api::EndDataset>, reason: String) -> Result<(), Error> {
        let id = *permit.resource();
        let reason = text("reason", reason.trim())?;
        self.0
            .access
            .change(permit, move |txn| {
                find(txn, id)?;
                if reason.is_empty() && facts::location(txn, id)?.is_some_and(|was| was.gxp) {
                    return Err(Error::ReasonMissing);
                }
                txn.fact_add(fact(DATASET_ENDED, id.uuid(), json!({"id": id}), Some(reason.clone()), txn.now()))?;
                facts::end_location(txn, id, Some(&reason))?;
                Ok(())
            })
            .await
    }
}

/// Refuses a registration whose domain, name or place is not free for it.
fn may_register(txn: &ReadTxn<'_>, dataset: &Dataset, location: &DatasetLocation) -> Result<(), Error> {
    domain::find(txn, dataset.domain)?;
    name_is_free(txn, DATASET, &dataset.name, dataset.id.uuid())?;
    meets_only_own(txn, dataset.domain, location)?;
    audit_fits(location)?;
    Ok(facts::check_location(txn, location, occupied)?)
}

/// GxP data is recorded before it flows: a crash must not lose who read it.
fn audit_fits(location: &DatasetLocation) -> Result<(), Error> {
    if location.gxp && location.audit == AuditClass::Batched { Err(Error::BatchedGxp) } else { Ok(()) }
}

/// Whether objects or uploads lie under a place now.
fn occupied(txn: &ReadTxn<'_>, place: &Place) -> Result<Occupied, access::Error> {
    Ok(crate::objects::occupied(txn, place)?)
}

/// Refuses a new location inside or around another dataset's place, unless it stays under that dataset's owner and stewards:
/// what is written there later would otherwise go to somebody whom the other owner never chose. For the same reason a bucket
/// stays with the domains that are in it: whoever writes beside a dataset must not write into a stranger's.
fn meets_only_own(txn: &ReadTxn<'_>, domain: DomainId, new: &DatasetLocation) -> Result<(), Error> {
    for place in &new.places {
        let meets = |other: &Place| {
            other.bucket == place.bucket
                && (other.prefix.starts_with(&place.prefix) || place.prefix.starts_with(&other.prefix))
        };
        let others = facts::locations_in(txn, &place.bucket)?;
        let mut ours = others.is_empty();
        for other in others {
            let known = |group: &GroupId| *group == other.owner || other.stewards.contains(group);
            let own = new.owner == other.owner && new.stewards.iter().all(known);
            ours |= own || find(txn, other.dataset).is_ok_and(|it| it.domain == domain);
            if !own && other.places.iter().any(meets) {
                let Place { bucket, prefix } = place.clone();
                return Err(access::Error::PlaceTaken { bucket, prefix, dataset: other.dataset }.into());
            }
        }
        if !ours {
            return Err(Error::ForeignBucket { bucket: place.bucket.clone() });
        }
    }
    Ok(())
}

/// Characters of a refused prefix that a message repeats.
const SHOWN_CHARS_MAX: usize = 80;

/// A place whose bucket is a legal name and whose prefix is empty or ends in `/`.
fn place(place: Place) -> Result<Place, Error> {
    let bucket: BucketName = place.bucket.parse()?;
    let prefix = place.prefix;
    let sound = prefix.is_empty()
        || (prefix.ends_with('/')
            && !prefix.starts_with('/')
            && !prefix.contains("//")
            && !prefix.split('/').any(|part| part == ".." || part == ".")
            && !prefix.chars().any(char::is_control));
    if sound {
        Ok(Place { bucket: bucket.to_string(), prefix })
    } else {
        Err(Error::BadPrefix { prefix: prefix.chars().take(SHOWN_CHARS_MAX).collect() })
    }
}

fn dataset_of(row: &store::ViewedRow) -> Option<Dataset> {
    serde_json::from_value(row.body.clone()).ok()
}

fn find(txn: &ReadTxn<'_>, id: DatasetId) -> Result<Dataset, Error> {
    let rows = txn.view_current(DATASET, &id.to_string())?;
    rows.iter().find_map(dataset_of).ok_or(Error::NoSuchDataset { dataset: id })
}

fn put(txn: &mut WriteTxn<'_>, kind: &'static str, dataset: &Dataset, reason: Option<String>) -> Result<(), Error> {
    let now = txn.now();
    txn.fact_add(fact(kind, dataset.id.uuid(), json!(dataset), reason, now))?;
    Ok(())
}
