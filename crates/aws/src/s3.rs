//! The S3 protocol: the codec (s3s) with its hooks set, and one function per operation.
//!
//! The codec reads and writes wire bytes and checks signatures; `auth` makes the caller; each operation asks the gate and
//! takes its resource from the permit. INVARIANT: the codec is never built without both hooks, and `auth` refuses every
//! operation that the table does not offer.

mod auth;
mod bucket;
mod convert;
mod copy;
mod edge;
mod error;
mod headers;
mod list;
mod multipart;
mod object;
mod settings;
mod table;
mod tagging;
mod unset;

use access::Access;
use base::{AccountId, Effects, Region};
use governance::Buckets;
use governance::objects::Objects;
use s3s::config::{S3Config, StaticConfigProvider};
use s3s::dto;
use s3s::host::{S3Host, VirtualHost};
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s::{S3, S3Request, S3Response, S3Result};
use std::sync::Arc;

use crate::cors;
use crate::limit::Limits;
use crate::metrics::Metrics;
use crate::router::bucket_in_host;
use edge::Edge;

pub(crate) use auth::without_unreadable_range;
pub(crate) use error::{argument, name_argument, other_body, refuse, with_region};

/// Largest XML body that is read, in bytes: 1,000 keys of 1,024 bytes with their tags stay under it.
pub(crate) const XML_BYTES_MAX: usize = 4 << 20;
/// Largest chunk of an `aws-chunked` body: SDKs send 64 KiB to 1 MiB, and a chunk is held until its signature is checked.
const CHUNK_BYTES_MAX: usize = 16 << 20;

/// What the S3 edge stands on.
pub(crate) struct Parts {
    pub(crate) access: Access,
    pub(crate) objects: Objects,
    pub(crate) buckets: Buckets,
    pub(crate) names: Arc<dyn evidence::Names>,
    pub(crate) effects: Effects,
    pub(crate) region: Region,
    pub(crate) account: AccountId,
    pub(crate) domains: Vec<String>,
    pub(crate) limits: Arc<Limits>,
    pub(crate) metrics: Metrics,
}

/// The S3 edge: the codec with everything behind it.
#[derive(Clone)]
pub(crate) struct Service {
    pub(crate) codec: S3Service,
    edge: Arc<Edge>,
}

impl Service {
    /// # Errors
    /// A region that the codec does not take.
    pub(crate) fn new(parts: Parts) -> Result<Self, s3s::region::InvalidRegion> {
        let mut config = S3Config::default();
        config.xml_max_body_size = XML_BYTES_MAX;
        config.aws_chunked_stream_max_chunk_size = CHUNK_BYTES_MAX;
        config.expected_region = Some(s3s::region::Region::new(parts.region.as_str().into())?);
        // A request that was signed for another service must not be taken for one to S3.
        config.sig_v4_allowed_services = vec!["s3".to_owned()];
        config.enable_sig_v2 = false;
        config.allow_post_signature = false;
        let edge = Arc::new(Edge {
            access: parts.access.clone(),
            objects: parts.objects,
            buckets: parts.buckets,
            names: parts.names,
            region: parts.region.clone(),
            account: parts.account,
            metrics: parts.metrics.clone(),
        });
        let mut builder = S3ServiceBuilder::new(Operations(Arc::clone(&edge)));
        builder.set_config(Arc::new(StaticConfigProvider::new(Arc::new(config))));
        builder.set_auth(auth::Secrets(parts.access.clone()));
        builder.set_access(auth::Gatekeeper {
            access: parts.access,
            effects: parts.effects,
            region: parts.region,
            limits: parts.limits,
            metrics: parts.metrics,
        });
        builder.set_host(Hosts(parts.domains));
        Ok(Self { codec: builder.build(), edge })
    }

    /// The cross-origin rules of a bucket; none when it has none or they cannot be read.
    pub(crate) async fn cors_rules(&self, bucket: &str) -> Vec<cors::Rule> {
        self.edge.cors_rules(bucket).await.unwrap_or_default()
    }
}

/// Buckets in host names, under the configured domains only; every other host is path style.
struct Hosts(Vec<String>);

impl S3Host for Hosts {
    fn parse_host_header<'a>(&'a self, host: &'a str) -> S3Result<VirtualHost<'a>> {
        let here = VirtualHost::new(host);
        Ok(match bucket_in_host(host, &self.0) {
            Some(bucket) => here.with_bucket(bucket.to_ascii_lowercase()),
            None => here,
        })
    }
}

struct Operations(Arc<Edge>);

#[async_trait::async_trait]
#[rustfmt::skip]
impl S3 for Operations {
    async fn abort_multipart_upload(&self, req: S3Request<dto::AbortMultipartUploadInput>) -> S3Result<S3Response<dto::AbortMultipartUploadOutput>> {
        multipart::abort(&self.0, req).await
    }
    async fn complete_multipart_upload(&self, req: S3Request<dto::CompleteMultipartUploadInput>) -> S3Result<S3Response<dto::CompleteMultipartUploadOutput>> {
        multipart::complete(&self.0, req).await
    }
    async fn copy_object(&self, req: S3Request<dto::CopyObjectInput>) -> S3Result<S3Response<dto::CopyObjectOutput>> {
        copy::object(&self.0, req).await
    }
    async fn create_bucket(&self, req: S3Request<dto::CreateBucketInput>) -> S3Result<S3Response<dto::CreateBucketOutput>> {
        bucket::create(&self.0, req).await
    }
    async fn create_multipart_upload(&self, req: S3Request<dto::CreateMultipartUploadInput>) -> S3Result<S3Response<dto::CreateMultipartUploadOutput>> {
        multipart::begin(&self.0, req).await
    }
    async fn delete_bucket(&self, req: S3Request<dto::DeleteBucketInput>) -> S3Result<S3Response<dto::DeleteBucketOutput>> {
        bucket::delete(&self.0, req).await
    }
    async fn delete_bucket_cors(&self, req: S3Request<dto::DeleteBucketCorsInput>) -> S3Result<S3Response<dto::DeleteBucketCorsOutput>> {
        settings::delete_cors(&self.0, req).await
    }
    async fn delete_bucket_encryption(&self, req: S3Request<dto::DeleteBucketEncryptionInput>) -> S3Result<S3Response<dto::DeleteBucketEncryptionOutput>> {
        unset::delete_encryption(&self.0, req).await
    }
    async fn delete_bucket_lifecycle(&self, req: S3Request<dto::DeleteBucketLifecycleInput>) -> S3Result<S3Response<dto::DeleteBucketLifecycleOutput>> {
        unset::delete_lifecycle(&self.0, req).await
    }
    async fn delete_bucket_policy(&self, req: S3Request<dto::DeleteBucketPolicyInput>) -> S3Result<S3Response<dto::DeleteBucketPolicyOutput>> {
        settings::delete_policy(&self.0, req).await
    }
    async fn delete_bucket_replication(&self, req: S3Request<dto::DeleteBucketReplicationInput>) -> S3Result<S3Response<dto::DeleteBucketReplicationOutput>> {
        unset::delete_replication(&self.0, req).await
    }
    async fn delete_bucket_tagging(&self, req: S3Request<dto::DeleteBucketTaggingInput>) -> S3Result<S3Response<dto::DeleteBucketTaggingOutput>> {
        unset::delete_tagging(&self.0, req).await
    }
    async fn delete_bucket_website(&self, req: S3Request<dto::DeleteBucketWebsiteInput>) -> S3Result<S3Response<dto::DeleteBucketWebsiteOutput>> {
        unset::delete_website(&self.0, req).await
    }
    async fn delete_object(&self, req: S3Request<dto::DeleteObjectInput>) -> S3Result<S3Response<dto::DeleteObjectOutput>> {
        object::delete(&self.0, req).await
    }
    async fn delete_object_tagging(&self, req: S3Request<dto::DeleteObjectTaggingInput>) -> S3Result<S3Response<dto::DeleteObjectTaggingOutput>> {
        tagging::delete(&self.0, req).await
    }
    async fn delete_objects(&self, req: S3Request<dto::DeleteObjectsInput>) -> S3Result<S3Response<dto::DeleteObjectsOutput>> {
        object::delete_many(&self.0, req).await
    }
    async fn get_bucket_accelerate_configuration(&self, req: S3Request<dto::GetBucketAccelerateConfigurationInput>) -> S3Result<S3Response<dto::GetBucketAccelerateConfigurationOutput>> {
        unset::acceleration(&self.0, req).await
    }
    async fn get_bucket_acl(&self, req: S3Request<dto::GetBucketAclInput>) -> S3Result<S3Response<dto::GetBucketAclOutput>> {
        settings::acl(&self.0, req).await
    }
    async fn get_bucket_cors(&self, req: S3Request<dto::GetBucketCorsInput>) -> S3Result<S3Response<dto::GetBucketCorsOutput>> {
        settings::get_cors(&self.0, req).await
    }
    async fn get_bucket_encryption(&self, req: S3Request<dto::GetBucketEncryptionInput>) -> S3Result<S3Response<dto::GetBucketEncryptionOutput>> {
        settings::encryption(&self.0, req).await
    }
    async fn get_bucket_lifecycle_configuration(&self, req: S3Request<dto::GetBucketLifecycleConfigurationInput>) -> S3Result<S3Response<dto::GetBucketLifecycleConfigurationOutput>> {
        unset::lifecycle(&self.0, req).await
    }
    async fn get_bucket_location(&self, req: S3Request<dto::GetBucketLocationInput>) -> S3Result<S3Response<dto::GetBucketLocationOutput>> {
        settings::location(&self.0, req).await
    }
    async fn get_bucket_logging(&self, req: S3Request<dto::GetBucketLoggingInput>) -> S3Result<S3Response<dto::GetBucketLoggingOutput>> {
        unset::logging(&self.0, req).await
    }
    async fn get_bucket_notification_configuration(&self, req: S3Request<dto::GetBucketNotificationConfigurationInput>) -> S3Result<S3Response<dto::GetBucketNotificationConfigurationOutput>> {
        unset::notification(&self.0, req).await
    }
    async fn get_bucket_ownership_controls(&self, req: S3Request<dto::GetBucketOwnershipControlsInput>) -> S3Result<S3Response<dto::GetBucketOwnershipControlsOutput>> {
        settings::ownership(&self.0, req).await
    }
    async fn get_bucket_policy(&self, req: S3Request<dto::GetBucketPolicyInput>) -> S3Result<S3Response<dto::GetBucketPolicyOutput>> {
        settings::policy(&self.0, req).await
    }
    async fn get_bucket_policy_status(&self, req: S3Request<dto::GetBucketPolicyStatusInput>) -> S3Result<S3Response<dto::GetBucketPolicyStatusOutput>> {
        settings::policy_status(&self.0, req).await
    }
    async fn get_bucket_replication(&self, req: S3Request<dto::GetBucketReplicationInput>) -> S3Result<S3Response<dto::GetBucketReplicationOutput>> {
        unset::replication(&self.0, req).await
    }
    async fn get_bucket_request_payment(&self, req: S3Request<dto::GetBucketRequestPaymentInput>) -> S3Result<S3Response<dto::GetBucketRequestPaymentOutput>> {
        unset::request_payment(&self.0, req).await
    }
    async fn get_bucket_tagging(&self, req: S3Request<dto::GetBucketTaggingInput>) -> S3Result<S3Response<dto::GetBucketTaggingOutput>> {
        unset::tagging(&self.0, req).await
    }
    async fn get_bucket_versioning(&self, req: S3Request<dto::GetBucketVersioningInput>) -> S3Result<S3Response<dto::GetBucketVersioningOutput>> {
        settings::versioning(&self.0, req).await
    }
    async fn get_bucket_website(&self, req: S3Request<dto::GetBucketWebsiteInput>) -> S3Result<S3Response<dto::GetBucketWebsiteOutput>> {
        unset::website(&self.0, req).await
    }
    async fn get_object(&self, req: S3Request<dto::GetObjectInput>) -> S3Result<S3Response<dto::GetObjectOutput>> {
        object::get(&self.0, req).await
    }
    async fn get_object_acl(&self, req: S3Request<dto::GetObjectAclInput>) -> S3Result<S3Response<dto::GetObjectAclOutput>> {
        settings::object_acl(&self.0, req).await
    }
    async fn get_object_attributes(&self, req: S3Request<dto::GetObjectAttributesInput>) -> S3Result<S3Response<dto::GetObjectAttributesOutput>> {
        tagging::attributes(&self.0, req).await
    }
    async fn get_object_legal_hold(&self, req: S3Request<dto::GetObjectLegalHoldInput>) -> S3Result<S3Response<dto::GetObjectLegalHoldOutput>> {
        unset::legal_hold(&self.0, req).await
    }
    async fn get_object_lock_configuration(&self, req: S3Request<dto::GetObjectLockConfigurationInput>) -> S3Result<S3Response<dto::GetObjectLockConfigurationOutput>> {
        unset::object_lock(&self.0, req).await
    }
    async fn get_object_retention(&self, req: S3Request<dto::GetObjectRetentionInput>) -> S3Result<S3Response<dto::GetObjectRetentionOutput>> {
        unset::retention(&self.0, req).await
    }
    async fn get_object_tagging(&self, req: S3Request<dto::GetObjectTaggingInput>) -> S3Result<S3Response<dto::GetObjectTaggingOutput>> {
        tagging::get(&self.0, req).await
    }
    async fn get_public_access_block(&self, req: S3Request<dto::GetPublicAccessBlockInput>) -> S3Result<S3Response<dto::GetPublicAccessBlockOutput>> {
        settings::public_block(&self.0, req).await
    }
    async fn head_bucket(&self, req: S3Request<dto::HeadBucketInput>) -> S3Result<S3Response<dto::HeadBucketOutput>> {
        bucket::head(&self.0, req).await
    }
    async fn head_object(&self, req: S3Request<dto::HeadObjectInput>) -> S3Result<S3Response<dto::HeadObjectOutput>> {
        object::head(&self.0, req).await
    }
    async fn list_buckets(&self, req: S3Request<dto::ListBucketsInput>) -> S3Result<S3Response<dto::ListBucketsOutput>> {
        bucket::list(&self.0, req).await
    }
    async fn list_multipart_uploads(&self, req: S3Request<dto::ListMultipartUploadsInput>) -> S3Result<S3Response<dto::ListMultipartUploadsOutput>> {
        multipart::uploads(&self.0, req).await
    }
    async fn list_object_versions(&self, req: S3Request<dto::ListObjectVersionsInput>) -> S3Result<S3Response<dto::ListObjectVersionsOutput>> {
        list::versions(&self.0, req).await
    }
    async fn list_objects(&self, req: S3Request<dto::ListObjectsInput>) -> S3Result<S3Response<dto::ListObjectsOutput>> {
        list::v1(&self.0, req).await
    }
    async fn list_objects_v2(&self, req: S3Request<dto::ListObjectsV2Input>) -> S3Result<S3Response<dto::ListObjectsV2Output>> {
        list::v2(&self.0, req).await
    }
    async fn list_parts(&self, req: S3Request<dto::ListPartsInput>) -> S3Result<S3Response<dto::ListPartsOutput>> {
        multipart::parts(&self.0, req).await
    }
    async fn put_bucket_acl(&self, req: S3Request<dto::PutBucketAclInput>) -> S3Result<S3Response<dto::PutBucketAclOutput>> {
        settings::put_acl(&self.0, req).await
    }
    async fn put_bucket_cors(&self, req: S3Request<dto::PutBucketCorsInput>) -> S3Result<S3Response<dto::PutBucketCorsOutput>> {
        settings::put_cors(&self.0, req).await
    }
    async fn put_bucket_encryption(&self, req: S3Request<dto::PutBucketEncryptionInput>) -> S3Result<S3Response<dto::PutBucketEncryptionOutput>> {
        settings::put_encryption(&self.0, req).await
    }
    async fn put_bucket_ownership_controls(&self, req: S3Request<dto::PutBucketOwnershipControlsInput>) -> S3Result<S3Response<dto::PutBucketOwnershipControlsOutput>> {
        settings::put_ownership(&self.0, req).await
    }
    async fn put_bucket_policy(&self, req: S3Request<dto::PutBucketPolicyInput>) -> S3Result<S3Response<dto::PutBucketPolicyOutput>> {
        settings::put_policy(&self.0, req).await
    }
    async fn put_bucket_versioning(&self, req: S3Request<dto::PutBucketVersioningInput>) -> S3Result<S3Response<dto::PutBucketVersioningOutput>> {
        settings::put_versioning(&self.0, req).await
    }
    async fn put_object(&self, req: S3Request<dto::PutObjectInput>) -> S3Result<S3Response<dto::PutObjectOutput>> {
        object::put(&self.0, req).await
    }
    async fn put_object_acl(&self, req: S3Request<dto::PutObjectAclInput>) -> S3Result<S3Response<dto::PutObjectAclOutput>> {
        settings::put_object_acl(&self.0, req).await
    }
    async fn put_object_tagging(&self, req: S3Request<dto::PutObjectTaggingInput>) -> S3Result<S3Response<dto::PutObjectTaggingOutput>> {
        tagging::put(&self.0, req).await
    }
    async fn put_public_access_block(&self, req: S3Request<dto::PutPublicAccessBlockInput>) -> S3Result<S3Response<dto::PutPublicAccessBlockOutput>> {
        settings::put_public_block(&self.0, req).await
    }
    async fn upload_part(&self, req: S3Request<dto::UploadPartInput>) -> S3Result<S3Response<dto::UploadPartOutput>> {
        multipart::part(&self.0, req).await
    }
    async fn upload_part_copy(&self, req: S3Request<dto::UploadPartCopyInput>) -> S3Result<S3Response<dto::UploadPartCopyOutput>> {
        copy::part(&self.0, req).await
    }
}
