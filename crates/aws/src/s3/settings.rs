//! Settings of a bucket: most are fixed by what Galen is (versions always, encryption always, public never), so they are
//! told when asked and refused when a caller wants less. CORS rules and the dataset policy are the owner's.

use access::s3;
use s3s::dto;
use s3s::{S3ErrorCode, S3Request, S3Response, S3Result};

use super::convert;
use super::edge::{Edge, ok};
use super::error::{failed, refuse};
use crate::cors;

/// Longest dataset policy (S3: 20 KiB).
const POLICY_BYTES_MAX: usize = 20_480;

pub(super) async fn location(
    edge: &Edge,
    req: S3Request<dto::GetBucketLocationInput>,
) -> S3Result<S3Response<dto::GetBucketLocationOutput>> {
    ok(edge.view(&req, s3::GetBucketLocation, &req.input.bucket).await?);
    // `us-east-1` is spelled as the empty constraint.
    let place = edge.region.as_str();
    let location_constraint = (place != "us-east-1").then(|| dto::BucketLocationConstraint::from(place.to_owned()));
    Ok(S3Response::new(dto::GetBucketLocationOutput { location_constraint }))
}

pub(super) async fn versioning(
    edge: &Edge,
    req: S3Request<dto::GetBucketVersioningInput>,
) -> S3Result<S3Response<dto::GetBucketVersioningOutput>> {
    ok(edge.view(&req, s3::GetBucketVersioning, &req.input.bucket).await?);
    let status = Some(dto::BucketVersioningStatus::from_static(dto::BucketVersioningStatus::ENABLED));
    Ok(S3Response::new(dto::GetBucketVersioningOutput { status, ..dto::GetBucketVersioningOutput::default() }))
}

pub(super) async fn put_versioning(
    edge: &Edge,
    req: S3Request<dto::PutBucketVersioningInput>,
) -> S3Result<S3Response<dto::PutBucketVersioningOutput>> {
    let permit = edge.view(&req, s3::PutBucketVersioning, &req.input.bucket).await?;
    let wish = &req.input.versioning_configuration;
    let enabled = wish.status.as_ref().is_some_and(|status| status.as_str() == dto::BucketVersioningStatus::ENABLED);
    if wish.mfa_delete.as_ref().is_some_and(|mfa| mfa.as_str() == dto::MFADelete::ENABLED) {
        permit.finish(access::Outcome { status: 501, bytes: 0 });
        return Err(refuse(
            S3ErrorCode::NotImplemented,
            "MFA delete is not supported; versions are deleted by retention alone",
        ));
    }
    if !enabled {
        permit.finish(access::Outcome { status: 409, bytes: 0 });
        let message = "versions are always kept: versioning cannot be suspended";
        return Err(refuse(S3ErrorCode::InvalidBucketState, message));
    }
    ok(permit);
    Ok(S3Response::new(dto::PutBucketVersioningOutput::default()))
}

pub(super) async fn encryption(
    edge: &Edge,
    req: S3Request<dto::GetBucketEncryptionInput>,
) -> S3Result<S3Response<dto::GetBucketEncryptionOutput>> {
    ok(edge.view(&req, s3::GetEncryptionConfiguration, &req.input.bucket).await?);
    let default = dto::ServerSideEncryptionByDefault { kms_master_key_id: None, sse_algorithm: convert::encryption() };
    let rule = dto::ServerSideEncryptionRule {
        apply_server_side_encryption_by_default: Some(default),
        blocked_encryption_types: None,
        bucket_key_enabled: Some(false),
    };
    let configuration = dto::ServerSideEncryptionConfiguration { rules: vec![rule] };
    Ok(S3Response::new(dto::GetBucketEncryptionOutput { server_side_encryption_configuration: Some(configuration) }))
}

pub(super) async fn put_encryption(
    edge: &Edge,
    req: S3Request<dto::PutBucketEncryptionInput>,
) -> S3Result<S3Response<dto::PutBucketEncryptionOutput>> {
    let permit = edge.view(&req, s3::PutEncryptionConfiguration, &req.input.bucket).await?;
    let same = |rule: &dto::ServerSideEncryptionRule| {
        let wish = rule.apply_server_side_encryption_by_default.as_ref();
        wish.is_some_and(|wish| wish.sse_algorithm == convert::encryption() && wish.kms_master_key_id.is_none())
            && rule.bucket_key_enabled != Some(true)
            && rule.blocked_encryption_types.is_none()
    };
    if !matches!(req.input.server_side_encryption_configuration.rules.as_slice(), [rule] if same(rule)) {
        permit.finish(access::Outcome { status: 501, bytes: 0 });
        let message = "every object is always encrypted under its dataset's own key: only `aws:kms`, without a key id and \
                       without a bucket key, can be set";
        return Err(refuse(S3ErrorCode::NotImplemented, message));
    }
    ok(permit);
    Ok(S3Response::new(dto::PutBucketEncryptionOutput::default()))
}

pub(super) async fn public_block(
    edge: &Edge,
    req: S3Request<dto::GetPublicAccessBlockInput>,
) -> S3Result<S3Response<dto::GetPublicAccessBlockOutput>> {
    ok(edge.view(&req, s3::GetBucketPublicAccessBlock, &req.input.bucket).await?);
    let all = dto::PublicAccessBlockConfiguration {
        block_public_acls: Some(true),
        block_public_policy: Some(true),
        ignore_public_acls: Some(true),
        restrict_public_buckets: Some(true),
    };
    Ok(S3Response::new(dto::GetPublicAccessBlockOutput { public_access_block_configuration: Some(all) }))
}

pub(super) async fn put_public_block(
    edge: &Edge,
    req: S3Request<dto::PutPublicAccessBlockInput>,
) -> S3Result<S3Response<dto::PutPublicAccessBlockOutput>> {
    let permit = edge.view(&req, s3::PutBucketPublicAccessBlock, &req.input.bucket).await?;
    let wish = &req.input.public_access_block_configuration;
    let all = [wish.block_public_acls, wish.block_public_policy, wish.ignore_public_acls, wish.restrict_public_buckets];
    if !all.iter().all(|setting| *setting == Some(true)) {
        let message = "public access is always blocked: all four settings must be true";
        return Err(edge.never(&req, permit, access::DenyReason::PublicAccess, message));
    }
    ok(permit);
    Ok(S3Response::new(dto::PutPublicAccessBlockOutput::default()))
}

pub(super) async fn ownership(
    edge: &Edge,
    req: S3Request<dto::GetBucketOwnershipControlsInput>,
) -> S3Result<S3Response<dto::GetBucketOwnershipControlsOutput>> {
    ok(edge.view(&req, s3::GetBucketOwnershipControls, &req.input.bucket).await?);
    let rule = dto::OwnershipControlsRule {
        object_ownership: dto::ObjectOwnership::from_static(dto::ObjectOwnership::BUCKET_OWNER_ENFORCED),
    };
    let controls = dto::OwnershipControls { rules: vec![rule] };
    Ok(S3Response::new(dto::GetBucketOwnershipControlsOutput { ownership_controls: Some(controls) }))
}

pub(super) async fn put_ownership(
    edge: &Edge,
    req: S3Request<dto::PutBucketOwnershipControlsInput>,
) -> S3Result<S3Response<dto::PutBucketOwnershipControlsOutput>> {
    let permit = edge.view(&req, s3::PutBucketOwnershipControls, &req.input.bucket).await?;
    let rules = req.input.ownership_controls.rules.as_slice();
    let enforced = |rule: &dto::OwnershipControlsRule| {
        rule.object_ownership.as_str() == dto::ObjectOwnership::BUCKET_OWNER_ENFORCED
    };
    if !matches!(rules, [rule] if enforced(rule)) {
        permit.finish(access::Outcome { status: 501, bytes: 0 });
        let message = "access is given by grants and ACLs are not used: only `BucketOwnerEnforced` can be set";
        return Err(refuse(S3ErrorCode::NotImplemented, message));
    }
    ok(permit);
    Ok(S3Response::new(dto::PutBucketOwnershipControlsOutput::default()))
}

/// The one ACL that everything has: the account, full control.
fn grants(edge: &Edge) -> Vec<dto::Grant> {
    let owner = super::list::owner(edge);
    let grantee = dto::Grantee {
        display_name: owner.display_name,
        email_address: None,
        id: owner.id,
        type_: dto::Type::from_static(dto::Type::CANONICAL_USER),
        uri: None,
    };
    let permission = dto::Permission::from_static(dto::Permission::FULL_CONTROL);
    vec![dto::Grant { grantee: Some(grantee), permission: Some(permission) }]
}

pub(super) async fn acl(
    edge: &Edge,
    req: S3Request<dto::GetBucketAclInput>,
) -> S3Result<S3Response<dto::GetBucketAclOutput>> {
    ok(edge.view(&req, s3::GetBucketAcl, &req.input.bucket).await?);
    Ok(S3Response::new(dto::GetBucketAclOutput { grants: Some(grants(edge)), owner: Some(super::list::owner(edge)) }))
}

pub(super) async fn object_acl(
    edge: &Edge,
    req: S3Request<dto::GetObjectAclInput>,
) -> S3Result<S3Response<dto::GetObjectAclOutput>> {
    let target = edge.target(&req, &req.input.bucket, &req.input.key, req.input.version_id.as_deref())?;
    let (object, seen) = edge.object(&target).await?;
    let permit = edge.permit(&target.op, s3::GetObjectAcl, object).await?;
    edge.there(&target, &seen, permit).await?;
    Ok(S3Response::new(dto::GetObjectAclOutput {
        grants: Some(grants(edge)),
        owner: Some(super::list::owner(edge)),
        request_charged: None,
    }))
}

/// An ACL that a caller sets must be the one that everything has. A canned one is looked at with the headers.
///
/// # Errors
/// `MissingSecurityHeader` when none is given; `AccessControlListNotSupported` for another one.
fn same_acl(edge: &Edge, canned: bool, wish: Option<&dto::AccessControlPolicy>) -> S3Result<()> {
    let Some(wish) = wish else {
        let message = "no ACL is given: send `x-amz-acl: private` or a document `AccessControlPolicy`";
        return if canned { Ok(()) } else { Err(refuse(S3ErrorCode::MissingSecurityHeader, message)) };
    };
    let account = edge.account.to_string();
    let owner = wish.owner.as_ref().and_then(|owner| owner.id.as_ref()).is_none_or(|id| *id == account);
    let full = |grant: &dto::Grant| {
        let to = grant.grantee.as_ref().and_then(|grantee| grantee.id.as_ref());
        let what = grant.permission.as_ref().map(dto::Permission::as_str);
        to == Some(&account) && what == Some(dto::Permission::FULL_CONTROL)
    };
    if owner && matches!(wish.grants.as_deref(), Some([one]) if full(one)) {
        return Ok(());
    }
    let message = format!(
        "access is given by grants of this installation and ACLs are not used (as with BucketOwnerEnforced): the one ACL that can \
         be set is full control for the account {account}"
    );
    Err(refuse(S3ErrorCode::AccessControlListNotSupported, message))
}

pub(super) async fn put_acl(
    edge: &Edge,
    req: S3Request<dto::PutBucketAclInput>,
) -> S3Result<S3Response<dto::PutBucketAclOutput>> {
    let input = &req.input;
    same_acl(edge, input.acl.is_some(), input.access_control_policy.as_ref())?;
    ok(edge.view(&req, s3::PutBucketAcl, &input.bucket).await?);
    Ok(S3Response::new(dto::PutBucketAclOutput::default()))
}

pub(super) async fn put_object_acl(
    edge: &Edge,
    req: S3Request<dto::PutObjectAclInput>,
) -> S3Result<S3Response<dto::PutObjectAclOutput>> {
    let input = &req.input;
    same_acl(edge, input.acl.is_some(), input.access_control_policy.as_ref())?;
    let target = edge.target(&req, &input.bucket, &input.key, None)?;
    let (object, seen) = edge.object(&target).await?;
    let permit = edge.permit(&target.op, s3::PutObjectAcl, object).await?;
    edge.there(&target, &seen, permit).await?;
    Ok(S3Response::new(dto::PutObjectAclOutput::default()))
}

pub(super) async fn policy(
    edge: &Edge,
    req: S3Request<dto::GetBucketPolicyInput>,
) -> S3Result<S3Response<dto::GetBucketPolicyOutput>> {
    let permit = edge.view(&req, s3::GetBucketPolicy, &req.input.bucket).await?;
    let policy = edge.buckets.policy(permit).await.map_err(|error| failed(&error))?;
    match policy {
        Some(policy) => Ok(S3Response::new(dto::GetBucketPolicyOutput { policy: Some(policy) })),
        None => Err(refuse(S3ErrorCode::NoSuchBucketPolicy, "the dataset at the bucket's root has no policy")),
    }
}

pub(super) async fn policy_status(
    edge: &Edge,
    req: S3Request<dto::GetBucketPolicyStatusInput>,
) -> S3Result<S3Response<dto::GetBucketPolicyStatusOutput>> {
    ok(edge.view(&req, s3::GetBucketPolicyStatus, &req.input.bucket).await?);
    let status = dto::PolicyStatus { is_public: Some(false) };
    Ok(S3Response::new(dto::GetBucketPolicyStatusOutput { policy_status: Some(status) }))
}

pub(super) async fn put_policy(
    edge: &Edge,
    req: S3Request<dto::PutBucketPolicyInput>,
) -> S3Result<S3Response<dto::PutBucketPolicyOutput>> {
    if req.input.policy.len() > POLICY_BYTES_MAX {
        return Err(refuse(S3ErrorCode::MalformedPolicy, format!("a policy has at most {POLICY_BYTES_MAX} bytes")));
    }
    let permit = edge.view(&req, s3::PutBucketPolicy, &req.input.bucket).await?;
    edge.buckets.put_policy(permit, req.input.policy).await.map_err(|error| failed(&error))?;
    Ok(S3Response::new(dto::PutBucketPolicyOutput::default()))
}

pub(super) async fn delete_policy(
    edge: &Edge,
    req: S3Request<dto::DeleteBucketPolicyInput>,
) -> S3Result<S3Response<dto::DeleteBucketPolicyOutput>> {
    let permit = edge.view(&req, s3::DeleteBucketPolicy, &req.input.bucket).await?;
    edge.buckets.delete_policy(permit).await.map_err(|error| failed(&error))?;
    Ok(S3Response::new(dto::DeleteBucketPolicyOutput::default()))
}

pub(super) async fn get_cors(
    edge: &Edge,
    req: S3Request<dto::GetBucketCorsInput>,
) -> S3Result<S3Response<dto::GetBucketCorsOutput>> {
    let permit = edge.view(&req, s3::GetBucketCORS, &req.input.bucket).await?;
    let rules = edge.cors_rules(&req.input.bucket).await?;
    ok(permit);
    if rules.is_empty() {
        return Err(refuse(S3ErrorCode::NoSuchCORSConfiguration, "the bucket has no CORS rules"));
    }
    let list = |entries: Vec<String>| if entries.is_empty() { None } else { Some(entries) };
    let rules = rules.into_iter().map(|rule| dto::CORSRule {
        allowed_headers: list(rule.headers),
        allowed_methods: rule.methods,
        allowed_origins: rule.origins,
        expose_headers: list(rule.expose),
        id: rule.id,
        max_age_seconds: rule.max_age_seconds,
    });
    Ok(S3Response::new(dto::GetBucketCorsOutput { cors_rules: Some(rules.collect()) }))
}

pub(super) async fn put_cors(
    edge: &Edge,
    req: S3Request<dto::PutBucketCorsInput>,
) -> S3Result<S3Response<dto::PutBucketCorsOutput>> {
    let rules: Vec<cors::Rule> = req
        .input
        .cors_configuration
        .cors_rules
        .iter()
        .map(|rule| cors::Rule {
            id: rule.id.clone(),
            origins: rule.allowed_origins.clone(),
            methods: rule.allowed_methods.clone(),
            headers: rule.allowed_headers.clone().unwrap_or_default(),
            expose: rule.expose_headers.clone().unwrap_or_default(),
            max_age_seconds: rule.max_age_seconds,
        })
        .collect();
    cors::check(&rules).map_err(|what| refuse(S3ErrorCode::InvalidRequest, what))?;
    let permit = edge.view(&req, s3::PutBucketCORS, &req.input.bucket).await?;
    let value = serde_json::to_value(&rules).map_err(s3s::S3Error::internal_error)?;
    edge.buckets.put_cors(permit, Some(value)).await.map_err(|error| failed(&error))?;
    Ok(S3Response::new(dto::PutBucketCorsOutput::default()))
}

pub(super) async fn delete_cors(
    edge: &Edge,
    req: S3Request<dto::DeleteBucketCorsInput>,
) -> S3Result<S3Response<dto::DeleteBucketCorsOutput>> {
    let permit = edge.view(&req, s3::PutBucketCORS, &req.input.bucket).await?;
    edge.buckets.put_cors(permit, None).await.map_err(|error| failed(&error))?;
    Ok(S3Response::new(dto::DeleteBucketCorsOutput::default()))
}

impl Edge {
    /// The cross-origin rules of a bucket; none when it has none.
    ///
    /// # Errors
    /// When they cannot be read.
    pub(super) async fn cors_rules(&self, bucket: &str) -> S3Result<Vec<cors::Rule>> {
        let stored = self.buckets.cors(bucket).await.map_err(|error| failed(&error))?;
        Ok(stored.and_then(|value| serde_json::from_value(value).ok()).unwrap_or_default())
    }
}
