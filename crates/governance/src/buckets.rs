//! Buckets as S3 clients see them: workspaces that tools make and end, cross-origin rules, and the dataset policy at a
//! bucket's root.
//!
//! A bucket is no thing of its own: it is the place of datasets. What is changed here is a dataset, in one transaction with
//! its record, and every operation consumes a permit. It must not know HTTP.

use access::{Access, OpContext, Permit, s3};
use base::{DatasetId, Timestamp};
use serde_json::Value;
use crate::Error;

/// Buckets; cheap to clone.
#[derive(Clone)]
pub struct Buckets { pub access: Access }

impl Buckets {
    pub fn created(&self, bucket: &str) -> Option<Timestamp> { let _ = bucket; None }
    pub async fn create(&self, _op: &OpContext, _permit: Permit<s3::CreateBucket>) -> Result<DatasetId, Error> { Err(Error::NoSuchBucket) }
    pub async fn delete(&self, _permit: Permit<s3::DeleteBucket>) -> Result<(), Error> { Err(Error::NoSuchBucket) }
    pub async fn policy(&self, _permit: Permit<s3::GetBucketPolicy>) -> Result<Option<String>, Error> { Err(Error::NoSuchBucket) }
    pub async fn put_policy(&self, _permit: Permit<s3::PutBucketPolicy>, _text: Option<String>) -> Result<(), Error> { Err(Error::NoSuchBucket) }
    pub async fn delete_policy(&self, _permit: Permit<s3::DeleteBucketPolicy>) -> Result<(), Error> { Err(Error::NoSuchBucket) }
    pub async fn cors(&self, _bucket: &str) -> Result<Option<Value>, Error> { Ok(None) }
    pub async fn put_cors(&self, _permit: Permit<s3::PutBucketCORS>, _rules: Option<Value>) -> Result<(), Error> { Err(Error::NoSuchBucket) }
}
