//! The S3 actions, by the names of the service authorisation reference.

use super::actions;
use crate::{AnyBucket, Bucket, Object};

actions! { "s3";
    /// Read an object's current version (also HEAD).
    GetObject(Object) Read Read;
    /// Read one version of an object.
    GetObjectVersion(Object) Read Read;
    /// Read checksums, parts and size.
    GetObjectAttributes(Object) View Read;
    /// Read checksums, parts and size of one version.
    GetObjectVersionAttributes(Object) View Read;
    /// Read an object's tags.
    GetObjectTagging(Object) View Read;
    /// Read a version's tags.
    GetObjectVersionTagging(Object) View Read;
    /// Read an object's ACL (always the fixed private one).
    GetObjectAcl(Object) View Read;
    /// Set an object's ACL to what it is; anything else is refused.
    PutObjectAcl(Object) View Write;
    /// Always unset: the retention of object lock.
    GetObjectRetention(Object) View Read;
    /// Always unset: the legal hold of object lock.
    GetObjectLegalHold(Object) View Read;
    /// Write an object, begin and complete a multipart upload, upload a part.
    PutObject(Object) Write Write;
    /// Set an object's tags.
    PutObjectTagging(Object) Write Write;
    /// Set a version's tags.
    PutObjectVersionTagging(Object) Write Write;
    /// Remove an object's tags.
    DeleteObjectTagging(Object) Write Write;
    /// Remove a version's tags.
    DeleteObjectVersionTagging(Object) Write Write;
    /// Put a delete marker on an object.
    DeleteObject(Object) Write Write;
    /// Destroy a version: retention's alone, but in a workspace.
    DeleteObjectVersion(Object) Write Retention;
    /// Give up a multipart upload.
    AbortMultipartUpload(Object) Write Write;
    /// List the parts of an upload.
    ListMultipartUploadParts(Object) View Write;
    /// List keys (also HEAD of a bucket).
    ListBucket(Bucket) View List;
    /// List versions.
    ListBucketVersions(Bucket) View List;
    /// List uploads in progress.
    ListBucketMultipartUploads(Bucket) View List;
    /// List the buckets in which something is visible.
    ListAllMyBuckets(AnyBucket) View Iam;
    /// Make a bucket: a dataset of kind `workspace` in the caller's account.
    CreateBucket(Bucket) Change Iam;
    /// End an empty workspace.
    DeleteBucket(Bucket) Change Owner;
    /// The bucket's region.
    GetBucketLocation(Bucket) View Discover;
    /// Always `Enabled`.
    GetBucketVersioning(Bucket) View Discover;
    /// Ask for what is always so; anything less is refused.
    PutBucketVersioning(Bucket) View Owner;
    /// Always the fixed private one.
    GetBucketAcl(Bucket) View Discover;
    /// Ask for what is always so; anything else is refused.
    PutBucketAcl(Bucket) View Owner;
    /// Always `BucketOwnerEnforced`.
    GetBucketOwnershipControls(Bucket) View Discover;
    /// The default encryption: always on.
    GetEncryptionConfiguration(Bucket) View Discover;
    /// Always blocking.
    GetBucketPublicAccessBlock(Bucket) View Discover;
    /// Ask for what is always so; anything less is refused.
    PutBucketPublicAccessBlock(Bucket) View Owner;
    /// Ask for what is always so; anything less is refused.
    PutBucketOwnershipControls(Bucket) View Owner;
    /// Ask for what is always so; anything else is refused.
    PutEncryptionConfiguration(Bucket) View Owner;
    /// Always unset: transfer acceleration.
    GetAccelerateConfiguration(Bucket) View Discover;
    /// Always unset: object lock.
    GetBucketObjectLockConfiguration(Bucket) View Discover;
    /// Always unset: access logs (the ledger is the record).
    GetBucketLogging(Bucket) View Discover;
    /// Always unset: notifications.
    GetBucketNotification(Bucket) View Discover;
    /// Always `BucketOwner`.
    GetBucketRequestPayment(Bucket) View Discover;
    /// Always unset: a website.
    GetBucketWebsite(Bucket) View Discover;
    /// Always unset: lifecycle rules (retention is the dataset's).
    GetLifecycleConfiguration(Bucket) View Discover;
    /// Always unset: replication.
    GetReplicationConfiguration(Bucket) View Discover;
    /// The bucket's CORS rules.
    GetBucketCORS(Bucket) View Discover;
    /// Set the CORS rules.
    PutBucketCORS(Bucket) Change Owner;
    /// The bucket's tags: none yet.
    GetBucketTagging(Bucket) View Discover;
    /// Remove the bucket's tags: none are there.
    PutBucketTagging(Bucket) View Owner;
    /// Remove the lifecycle rules: none are there.
    PutLifecycleConfiguration(Bucket) View Owner;
    /// Remove the replication: none is there.
    PutReplicationConfiguration(Bucket) View Owner;
    /// Remove the website: none is there.
    DeleteBucketWebsite(Bucket) View Owner;
    /// The dataset policy.
    GetBucketPolicy(Bucket) View Policy;
    /// Whether the policy is public: never.
    GetBucketPolicyStatus(Bucket) View Owner;
    /// Set the dataset policy.
    PutBucketPolicy(Bucket) Change Policy;
    /// Remove the dataset policy.
    DeleteBucketPolicy(Bucket) Change Policy;
}
