//! Buckets as S3 clients see them: workspaces that tools make and end, cross-origin rules, and the dataset policy at a
//! bucket's root.
//!
//! A bucket is no thing of its own: it is where datasets lie. What is changed here is a dataset, in one transaction with its
//! record, and every operation consumes a permit. It must not know HTTP.

use access::facts::{
    self, Approver, Classification, DatasetKind, DatasetLocation, Grant, Level, Occupied, Place, Scope,
};
use access::{Access, Action, AuditClass, Carry, Changed, OpContext, Outcome, Permit, Session, s3};
use base::{DatasetId, Effects, GrantId, GroupId, Ids, Timestamp};
use custody::{Custody, Purpose};
use serde_json::Value;
use std::time::Duration;
use store::{ReadTxn, Store, WriteTxn};

use crate::objects::{BucketName, occupied, rows_in};
use crate::{Error, dataset_policy};

/// How long a workspace is granted to the groups of the session that made it (authorisation.md section 2).
const WORKSPACE_GRANT: Duration = Duration::from_secs(90 * 24 * 3600);
/// The cross-origin rules of a dataset, by its id.
const CORS: &str = "dataset_cors";
/// Most bytes of the cross-origin rules of one dataset.
const CORS_BYTES_MAX: usize = 64 * 1024;
/// Most groups that one workspace is granted to; a session that carries more is a general tool role, whose first groups do.
const GROUPS_MAX: usize = 16;

/// Buckets; cheap to clone.
#[derive(Clone)]
pub struct Buckets {
    store: Store,
    access: Access,
    custody: Custody,
    effects: Effects,
}

impl Buckets {
    /// Buckets over these parts.
    pub fn new(store: Store, access: Access, custody: Custody, effects: Effects) -> Self {
        Self { store, access, custody, effects }
    }

    /// When the oldest dataset of a bucket was registered (an id tells its own time); `None` for a bucket that is nowhere.
    pub fn created(&self, bucket: &str) -> Option<Timestamp> {
        let times = self.access.locations_in(bucket).into_iter().filter_map(|location| {
            let (seconds, nanos) = location.dataset.uuid().get_timestamp()?.to_unix();
            Timestamp::new(i64::try_from(seconds).ok()?, i32::try_from(nanos).ok()?).ok()
        });
        times.min()
    }

    /// Makes a bucket: a dataset of kind `workspace` of the caller's account, granted to the groups that the session
    /// carries. The account's policy is the approver that `why` names.
    ///
    /// # Errors
    /// A malformed name; [`Error::BucketExists`]; [`Error::NoGroups`] for a session that carries no group; those of the store
    /// and of custody.
    pub async fn create(&self, op: &OpContext, permit: Permit<s3::CreateBucket>) -> Result<DatasetId, Error> {
        let bucket: BucketName = permit.resource().name.parse()?;
        let session = op.session.as_deref().ok_or(Error::NoGroups)?;
        let groups = self.carried(session);
        let owner = *groups.first().ok_or(Error::NoGroups)?;
        let dataset = DatasetId::from_uuid(self.effects.uuid());
        let account = session.account;
        let mine = groups.clone();
        let exists = move |known: &DatasetLocation| Error::BucketExists {
            own: known.kind == DatasetKind::Workspace && mine.contains(&known.owner),
        };
        if let Some(known) = self.access.locations_in(bucket.as_str()).first() {
            permit.finish(Outcome { status: 409, bytes: 0 });
            return Err(exists(known));
        }
        let key = self.custody.ensure(Purpose::DatasetWrap, &dataset.to_string())?;
        let location = DatasetLocation {
            dataset,
            account,
            places: vec![Place { bucket: bucket.to_string(), prefix: String::new() }],
            owner,
            stewards: Vec::new(),
            policy: None,
            classification: Classification::Internal,
            gxp: false,
            personal: false,
            kind: DatasetKind::Workspace,
            audit: AuditClass::Batched,
            key: key.to_string(),
        };
        let ids: Vec<(GrantId, GroupId)> =
            groups.into_iter().map(|group| (GrantId::from_uuid(self.effects.uuid()), group)).collect();
        let made = self.access.change(permit, move |txn| {
            if let Some(known) = facts::locations_in(txn, bucket.as_str())?.first() {
                return Err(exists(known));
            }
            facts::put_location(txn, &location, taken, None)?;
            let start = txn.now();
            let expiry =
                start.checked_add(WORKSPACE_GRANT).map_err(|_| Error::BadGrant { rule: "its end is out of range" })?;
            for (id, group) in &ids {
                let grant = Grant {
                    id: *id,
                    group: *group,
                    dataset,
                    level: Level::Write,
                    scope: Scope::default(),
                    purpose: "a workspace for the group that made it".to_owned(),
                    start,
                    expiry,
                    approver: Approver::AccountPolicy(account),
                    request: "direct".to_owned(),
                };
                facts::add_grant(txn, &grant, None)?;
            }
            Ok::<(), Error>(())
        });
        made.await.map(|()| dataset)
    }

    /// The groups that a workspace is granted to: those of the session, as its role carries them. Groups that entitle to a management
    /// role say what somebody may do in Galen, and one of them holds everybody: a workspace would be open to all.
    fn carried(&self, session: &Session) -> Vec<GroupId> {
        let mut groups = match (session.carry, session.person) {
            (Carry::All, Some(person)) => self.access.groups_of(person),
            _ => Vec::new(),
        };
        // The groups that entitled the session come first: one of them owns the workspace.
        let managing = self.access.managing_groups();
        groups.retain(|group| !session.via.contains(group) && !managing.contains(group));
        session.via.iter().copied().chain(groups).take(GROUPS_MAX).collect()
    }

    /// Ends a workspace that holds no version, marker or upload.
    ///
    /// # Errors
    /// [`Error::NoSuchBucket`], [`Error::NotAWorkspace`], [`Error::BucketNotEmpty`]; those of the store.
    pub async fn delete(&self, permit: Permit<s3::DeleteBucket>) -> Result<(), Error> {
        let bucket = permit.resource().name.clone();
        self.access
            .change(permit, move |txn| {
                let locations = facts::locations_in(txn, &bucket)?;
                if locations.is_empty() {
                    return Err(Error::NoSuchBucket);
                }
                if locations.iter().any(|location| location.kind != DatasetKind::Workspace) {
                    return Err(Error::NotAWorkspace);
                }
                if rows_in(txn, &bucket)? {
                    return Err(Error::BucketNotEmpty);
                }
                for location in &locations {
                    for grant in facts::grants_of(txn, location.dataset)? {
                        facts::end_grant(txn, grant.id, None)?;
                    }
                    facts::end_location(txn, location.dataset, None)?;
                    txn.record_delete(CORS, location.dataset.bytes())?;
                }
                Ok(())
            })
            .await
    }

    /// The policy of the dataset at the bucket's root, as it was written.
    ///
    /// # Errors
    /// [`Error::NoSuchBucket`]; those of the store.
    pub async fn policy(&self, permit: Permit<s3::GetBucketPolicy>) -> Result<Option<String>, Error> {
        let location = self.root(&permit)?;
        let text = match location.policy {
            None => None,
            Some(digest) => Some(self.store.read(move |txn| dataset_policy::document(txn, &digest)).await?),
        };
        permit.finish(Outcome { status: if text.is_some() { 200 } else { 404 }, bytes: 0 });
        Ok(text)
    }

    /// Sets the policy of the dataset at the bucket's root. It can only narrow: access is given by grants.
    ///
    /// # Errors
    /// [`Error::BadPolicy`] for text that is no policy, or that allows anything; [`Error::NoSuchBucket`]; [`Error::ReasonMissing`]
    /// for GxP data, because S3 has no field for a reason; those of the store.
    pub async fn put_policy(&self, permit: Permit<s3::PutBucketPolicy>, text: String) -> Result<(), Error> {
        let dataset = self.root(&permit)?.dataset;
        dataset_policy::put(&self.access, permit, dataset, Some(text), None).await
    }

    /// Removes the policy of the dataset at the bucket's root; none is success.
    ///
    /// # Errors
    /// [`Error::NoSuchBucket`]; [`Error::ReasonMissing`] as for [`Self::put_policy`]; those of the store.
    pub async fn delete_policy(&self, permit: Permit<s3::DeleteBucketPolicy>) -> Result<(), Error> {
        let dataset = self.root(&permit)?.dataset;
        dataset_policy::put(&self.access, permit, dataset, None, None).await
    }

    /// The cross-origin rules of the dataset at the bucket's root. Without a permit, since a browser's preflight has no
    /// caller; they say which pages may read answers, and nothing of the data.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn cors(&self, bucket: &str) -> Result<Option<Value>, Error> {
        let Some(located) = self.access.locate(bucket, "") else { return Ok(None) };
        let dataset = located.location.dataset;
        let record = self.store.read(move |txn| txn.record_get(CORS, dataset.bytes())).await?;
        Ok(record.and_then(|record| serde_json::from_slice(&record.value).ok()))
    }

    /// Sets the cross-origin rules of the dataset at the bucket's root; `None` removes them.
    ///
    /// # Errors
    /// [`Error::BadText`] for rules that are too large; [`Error::NoSuchBucket`]; those of the store.
    pub async fn put_cors(&self, permit: Permit<s3::PutBucketCORS>, rules: Option<Value>) -> Result<(), Error> {
        let dataset = self.root(&permit)?.dataset;
        let bytes = rules.as_ref().map(|rules| rules.to_string().into_bytes());
        if bytes.as_ref().is_some_and(|bytes| bytes.len() > CORS_BYTES_MAX) {
            permit.finish(Outcome { status: 400, bytes: 0 });
            return Err(Error::BadText { field: "cors", most: CORS_BYTES_MAX });
        }
        let change = move |txn: &mut WriteTxn<'_>| {
            let old = txn.record_get(CORS, dataset.bytes())?.and_then(|row| serde_json::from_slice(&row.value).ok());
            match &bytes {
                Some(bytes) => drop(txn.record_put(CORS, dataset.bytes(), bytes, None)?),
                None => drop(txn.record_delete(CORS, dataset.bytes())?),
            }
            let (subject, new) = (dataset.uuid(), rules.clone());
            Ok::<_, Error>(((), vec![Changed { kind: "dataset_cors", subject, old, new }]))
        };
        self.access.change_beside_facts(permit, change).await
    }

    /// The dataset at the root of the permit's bucket.
    fn root<A: Action<Resource = access::Bucket>>(&self, permit: &Permit<A>) -> Result<DatasetLocation, Error> {
        let located = self.access.locate(&permit.resource().name, "").ok_or(Error::NoSuchBucket)?;
        Ok(DatasetLocation::clone(&located.location))
    }
}

fn taken(txn: &ReadTxn<'_>, place: &Place) -> Result<Occupied, access::Error> {
    Ok(occupied(txn, place)?)
}
