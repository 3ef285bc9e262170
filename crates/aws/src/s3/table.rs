//! Every operation of the S3 codec and what this edge does with it. The access check refuses what is not `Done` here, so an
//! operation that a newer codec brings is refused until someone writes its row.

/// What is done with an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// Offered; authorised by these actions.
    Done {
        /// The actions, in words.
        actions: &'static str,
        /// Query parameters that it reads; any other is an error.
        query: &'static [&'static str],
        /// The test function in `tests/s3.rs` that shows it.
        test: &'static str,
    },
    /// Understood and never done, for this reason.
    Refused(&'static str),
    /// Not offered.
    Absent,
}

/// One operation of the codec.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) state: State,
}

const fn done(name: &'static str, actions: &'static str, query: &'static [&'static str], test: &'static str) -> Row {
    Row { name, state: State::Done { actions, query, test } }
}
const fn refused(name: &'static str, why: &'static str) -> Row {
    Row { name, state: State::Refused(why) }
}
const fn absent(name: &'static str) -> Row {
    Row { name, state: State::Absent }
}

/// The row of an operation; an operation without a row is not offered.
pub(crate) fn find(name: &str) -> Option<&'static Row> {
    TABLE.binary_search_by(|row| row.name.cmp(name)).ok().and_then(|at| TABLE.get(at))
}

/// Every operation of the codec (s3s 0.17.0), by name.
#[rustfmt::skip]
pub(crate) const TABLE: &[Row] = &[
    done("AbortMultipartUpload", "AbortMultipartUpload", &["uploadId"], "multipart"),
    done("CompleteMultipartUpload", "PutObject", &["uploadId"], "multipart"),
    done("CopyObject", "GetObject or GetObjectVersion, and PutObject", &[], "copy"),
    done("CreateBucket", "CreateBucket", &[], "buckets"),
    absent("CreateBucketMetadataConfiguration"),
    absent("CreateBucketMetadataTableConfiguration"),
    done("CreateMultipartUpload", "PutObject, and PutObjectTagging with tags", &["uploads"], "multipart"),
    absent("CreateSession"),
    done("DeleteBucket", "DeleteBucket", &[], "buckets"),
    absent("DeleteBucketAnalyticsConfiguration"),
    done("DeleteBucketCors", "PutBucketCORS", &["cors"], "cors"),
    done("DeleteBucketEncryption", "PutEncryptionConfiguration", &["encryption"], "nothing_to_delete"),
    absent("DeleteBucketIntelligentTieringConfiguration"),
    absent("DeleteBucketInventoryConfiguration"),
    done("DeleteBucketLifecycle", "PutLifecycleConfiguration", &["lifecycle"], "nothing_to_delete"),
    absent("DeleteBucketMetadataConfiguration"),
    absent("DeleteBucketMetadataTableConfiguration"),
    absent("DeleteBucketMetricsConfiguration"),
    refused("DeleteBucketOwnershipControls", "the bucket's owner always owns its objects, and ACLs are not used"),
    done("DeleteBucketPolicy", "DeleteBucketPolicy", &["policy"], "dataset_policy"),
    done("DeleteBucketReplication", "PutReplicationConfiguration", &["replication"], "nothing_to_delete"),
    done("DeleteBucketTagging", "PutBucketTagging", &["tagging"], "nothing_to_delete"),
    done("DeleteBucketWebsite", "DeleteBucketWebsite", &["website"], "nothing_to_delete"),
    done("DeleteObject", "DeleteObject or DeleteObjectVersion", &["versionId"], "delete"),
    absent("DeleteObjectAnnotation"),
    done("DeleteObjectTagging", "DeleteObjectTagging or DeleteObjectVersionTagging", &["tagging", "versionId"], "tagging"),
    done("DeleteObjects", "DeleteObject or DeleteObjectVersion, each", &["delete"], "delete"),
    refused("DeletePublicAccessBlock", "public access is always blocked"),
    absent("GetBucketAbac"),
    done("GetBucketAccelerateConfiguration", "GetAccelerateConfiguration", &["accelerate"], "what_a_bucket_does_not_have"),
    done("GetBucketAcl", "GetBucketAcl", &["acl"], "settings"),
    absent("GetBucketAnalyticsConfiguration"),
    done("GetBucketCors", "GetBucketCORS", &["cors"], "cors"),
    done("GetBucketEncryption", "GetEncryptionConfiguration", &["encryption"], "settings"),
    absent("GetBucketIntelligentTieringConfiguration"),
    absent("GetBucketInventoryConfiguration"),
    done("GetBucketLifecycleConfiguration", "GetLifecycleConfiguration", &["lifecycle"], "what_a_bucket_does_not_have"),
    done("GetBucketLocation", "GetBucketLocation", &["location"], "settings"),
    done("GetBucketLogging", "GetBucketLogging", &["logging"], "what_a_bucket_does_not_have"),
    absent("GetBucketMetadataConfiguration"),
    absent("GetBucketMetadataTableConfiguration"),
    absent("GetBucketMetricsConfiguration"),
    done("GetBucketNotificationConfiguration", "GetBucketNotification", &["notification"], "what_a_bucket_does_not_have"),
    done("GetBucketOwnershipControls", "GetBucketOwnershipControls", &["ownershipControls"], "settings"),
    done("GetBucketPolicy", "GetBucketPolicy", &["policy"], "dataset_policy"),
    done("GetBucketPolicyStatus", "GetBucketPolicyStatus", &["policyStatus"], "settings"),
    done("GetBucketReplication", "GetReplicationConfiguration", &["replication"], "what_a_bucket_does_not_have"),
    done("GetBucketRequestPayment", "GetBucketRequestPayment", &["requestPayment"], "what_a_bucket_does_not_have"),
    done("GetBucketTagging", "GetBucketTagging", &["tagging"], "what_a_bucket_does_not_have"),
    done("GetBucketVersioning", "GetBucketVersioning", &["versioning"], "settings"),
    done("GetBucketWebsite", "GetBucketWebsite", &["website"], "what_a_bucket_does_not_have"),
    done("GetObject", "GetObject or GetObjectVersion", &["partNumber", "versionId", "response-cache-control", "response-content-disposition", "response-content-encoding", "response-content-language", "response-content-type", "response-expires"], "get"),
    done("GetObjectAcl", "GetObjectAcl", &["acl", "versionId"], "settings"),
    absent("GetObjectAnnotation"),
    done("GetObjectAttributes", "GetObjectAttributes or GetObjectVersionAttributes", &["attributes", "versionId"], "attributes"),
    done("GetObjectLegalHold", "GetObjectLegalHold", &["legal-hold", "versionId"], "what_a_bucket_does_not_have"),
    done("GetObjectLockConfiguration", "GetBucketObjectLockConfiguration", &["object-lock"], "what_a_bucket_does_not_have"),
    done("GetObjectRetention", "GetObjectRetention", &["retention", "versionId"], "what_a_bucket_does_not_have"),
    done("GetObjectTagging", "GetObjectTagging or GetObjectVersionTagging", &["tagging", "versionId"], "tagging"),
    absent("GetObjectTorrent"),
    done("GetPublicAccessBlock", "GetBucketPublicAccessBlock", &["publicAccessBlock"], "settings"),
    done("HeadBucket", "ListBucket", &[], "buckets"),
    done("HeadObject", "GetObject or GetObjectVersion", &["partNumber", "versionId", "response-cache-control", "response-content-disposition", "response-content-encoding", "response-content-language", "response-content-type", "response-expires"], "get"),
    absent("ListBucketAnalyticsConfigurations"),
    absent("ListBucketIntelligentTieringConfigurations"),
    absent("ListBucketInventoryConfigurations"),
    absent("ListBucketMetricsConfigurations"),
    done("ListBuckets", "ListAllMyBuckets", &["max-buckets", "continuation-token", "prefix", "bucket-region"], "buckets"),
    absent("ListDirectoryBuckets"),
    done("ListMultipartUploads", "ListBucketMultipartUploads", &["uploads", "prefix", "delimiter", "max-uploads", "key-marker", "upload-id-marker", "encoding-type"], "multipart"),
    absent("ListObjectAnnotations"),
    done("ListObjectVersions", "ListBucketVersions", &["versions", "prefix", "delimiter", "max-keys", "key-marker", "version-id-marker", "encoding-type"], "versions"),
    done("ListObjects", "ListBucket", &["prefix", "delimiter", "max-keys", "marker", "encoding-type"], "list"),
    done("ListObjectsV2", "ListBucket", &["list-type", "prefix", "delimiter", "max-keys", "continuation-token", "start-after", "fetch-owner", "encoding-type"], "list"),
    done("ListParts", "ListMultipartUploadParts", &["uploadId", "max-parts", "part-number-marker"], "multipart"),
    refused("PostObject", "browser form uploads are not offered; use a presigned PUT"),
    absent("PutBucketAbac"),
    absent("PutBucketAccelerateConfiguration"),
    done("PutBucketAcl", "PutBucketAcl", &["acl"], "settings"),
    absent("PutBucketAnalyticsConfiguration"),
    done("PutBucketCors", "PutBucketCORS", &["cors"], "cors"),
    done("PutBucketEncryption", "PutEncryptionConfiguration", &["encryption"], "settings"),
    absent("PutBucketIntelligentTieringConfiguration"),
    absent("PutBucketInventoryConfiguration"),
    absent("PutBucketLifecycleConfiguration"),
    absent("PutBucketLogging"),
    absent("PutBucketMetricsConfiguration"),
    absent("PutBucketNotificationConfiguration"),
    done("PutBucketOwnershipControls", "PutBucketOwnershipControls", &["ownershipControls"], "settings"),
    done("PutBucketPolicy", "PutBucketPolicy", &["policy"], "dataset_policy"),
    absent("PutBucketReplication"),
    absent("PutBucketRequestPayment"),
    absent("PutBucketTagging"),
    done("PutBucketVersioning", "PutBucketVersioning", &["versioning"], "settings"),
    absent("PutBucketWebsite"),
    done("PutObject", "PutObject, and PutObjectTagging with tags", &[], "put"),
    done("PutObjectAcl", "PutObjectAcl", &["acl"], "settings"),
    absent("PutObjectAnnotation"),
    absent("PutObjectLegalHold"),
    absent("PutObjectLockConfiguration"),
    absent("PutObjectRetention"),
    done("PutObjectTagging", "PutObjectTagging or PutObjectVersionTagging", &["tagging", "versionId"], "tagging"),
    done("PutPublicAccessBlock", "PutBucketPublicAccessBlock", &["publicAccessBlock"], "settings"),
    absent("RenameObject"),
    absent("RestoreObject"),
    absent("SelectObjectContent"),
    absent("UpdateBucketMetadataAnnotationTableConfiguration"),
    absent("UpdateBucketMetadataInventoryTableConfiguration"),
    absent("UpdateBucketMetadataJournalTableConfiguration"),
    absent("UpdateObjectEncryption"),
    done("UploadPart", "PutObject", &["partNumber", "uploadId"], "multipart"),
    done("UploadPartCopy", "GetObject or GetObjectVersion, and PutObject", &["partNumber", "uploadId"], "copy"),
    absent("WriteGetObjectResponse"),
];

/// The reference page, generated: `docs/src/reference/s3-operations.md` must be this text.
#[cfg(test)]
pub(crate) fn page() -> String {
    let mut out = String::from(
        "# S3 operations\n\nGenerated from the operation table of `crates/aws`; a test compares them. Every operation of the \
         codec is here: *done*, *refused* (understood and never done) or *not implemented* (`NotImplemented`, 501).\n\n\
         | operation | state | authorised as / why | test |\n|---|---|---|---|\n",
    );
    for row in TABLE {
        let (state, why, test) = match row.state {
            State::Done { actions, test, .. } => ("done", actions, test),
            State::Refused(why) => ("refused", why, "refused_operations_say_why"),
            State::Absent => ("not implemented", "", "everything_else_is_not_implemented"),
        };
        out.push_str(&format!("| {} | {state} | {why} | `{test}` |\n", row.name));
    }
    out
}

#[cfg(test)]
mod tests;
