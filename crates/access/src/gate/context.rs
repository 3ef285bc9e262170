//! Condition keys, derived by the server from what it has proven; a caller cannot set one by name.

use policy::Context;

use super::{Ask, Ownership, Scene, Subject, manage};
use crate::facts::DatasetKind;
use crate::index::{LocationState, World};
use crate::{OpContext, ResourceRef};

/// Authentication methods that count as a second factor (RFC 8176).
const SECOND_FACTORS: &[&str] = &["mfa", "otp", "hwk", "swk", "pop", "sc", "fpt", "face"];

/// The context of one request.
pub(super) fn build(
    world: &World,
    scene: &Scene<'_>,
    ask: &Ask<'_>,
    subject: Option<&Subject<'_>>,
    state: Option<&LocationState>,
    ownership: Ownership,
) -> Context {
    if let Some(recorded) = scene.recorded {
        return recorded.clone();
    }
    let mut context = Context::new();
    of_request(&mut context, scene);
    of_s3(&mut context, scene.op, ask.resource);
    if let Some(subject) = subject {
        of_principal(&mut context, scene, subject);
        let (requester, own) = manage::requester_or_self(ask.resource);
        set_flag(&mut context, "galen:Owner", ownership.owner.is_some());
        set_flag(&mut context, "galen:Steward", ownership.steward.is_some());
        set_flag(&mut context, "galen:Requester", requester == Some(subject.member));
        set_flag(&mut context, "galen:Self", own == Some(subject.member));
        let given = scene.session_policies.iter().any(|given| given.loaded.reads_groups);
        let dataset = state.and_then(|state| state.policy.as_ref()).is_some_and(|policy| policy.reads_groups);
        let guardrail = subject.guardrail.is_some_and(|guardrail| guardrail.reads_groups);
        if subject.role.reads_groups || given || dataset || guardrail {
            let groups = subject.groups.iter().filter_map(|n| world.group(n));
            context.insert_all("galen:Groups", groups.map(|group| group.to_string()));
        }
    }
    if let Some(state) = state {
        of_dataset(&mut context, state);
    }
    context
}

fn flag(value: bool) -> &'static str {
    if value { "true" } else { "false" }
}

fn set_flag(context: &mut Context, key: &str, value: bool) {
    context.insert(key, flag(value));
}

/// What every request has.
pub(super) fn of_request(context: &mut Context, scene: &Scene<'_>) {
    let op = scene.op;
    let seconds = scene.now.as_second();
    let whole = base::Timestamp::from_second(seconds).unwrap_or(scene.now);
    context.insert("aws:CurrentTime", whole.to_string());
    context.insert("aws:EpochTime", seconds.to_string());
    set_flag(context, "aws:SecureTransport", op.secure_transport);
    if let Some(ip) = op.source_ip {
        context.insert("aws:SourceIp", ip.to_canonical().to_string());
    }
    if let Some(agent) = &op.user_agent {
        context.insert("aws:UserAgent", agent.as_str());
    }
    let region = op.region.as_ref().unwrap_or(scene.region);
    context.insert("aws:RequestedRegion", region.as_str());
}

/// What the session proves.
pub(super) fn of_principal(context: &mut Context, scene: &Scene<'_>, subject: &Subject<'_>) {
    let session = subject.session;
    context.insert("aws:PrincipalArn", session.role_arn.as_str());
    context.insert("aws:PrincipalAccount", session.account.to_string());
    context.insert("aws:PrincipalType", "AssumedRole");
    context.insert("aws:userid", format!("{}:{}", subject.role.role.unique_id, session.name));
    context.insert("aws:SourceIdentity", session.source_identity.as_str());
    context.insert("sts:SourceIdentity", session.source_identity.as_str());
    context.insert("aws:TokenIssueTime", session.issued.to_string());
    context.insert("galen:AuthAge", manage::auth_age_secs(scene, subject).to_string());
    if session.auth.amr.iter().any(|method| SECOND_FACTORS.contains(&method.as_str())) {
        context.insert("aws:MultiFactorAuthPresent", "true");
        context.insert("aws:MultiFactorAuthAge", manage::auth_age_secs(scene, subject).to_string());
    } else {
        context.insert("aws:MultiFactorAuthPresent", "false");
    }
    // Session tags over role tags; the context compares keys without case.
    for (key, value) in &subject.role.role.tags {
        context.insert(&format!("aws:PrincipalTag/{key}"), value.as_str());
    }
    for tag in &session.tags {
        context.insert(&format!("aws:PrincipalTag/{}", tag.key), tag.value.as_str());
    }
    if let Some(federated) = &session.federated {
        context.insert("aws:FederatedProvider", federated.provider.as_str());
    }
}

fn of_s3(context: &mut Context, op: &OpContext, resource: &ResourceRef) {
    if resource.place().is_none() {
        return;
    }
    let keys = &op.keys;
    if let Some(prefix) = &keys.prefix {
        context.insert("s3:prefix", prefix.as_str());
    }
    if let Some(delimiter) = &keys.delimiter {
        context.insert("s3:delimiter", delimiter.as_str());
    }
    if let Some(max) = keys.max_keys {
        context.insert("s3:max-keys", max.to_string());
    }
    if let Some(signature) = keys.signature {
        context.insert("s3:authType", if signature.presigned { "REST-QUERY-STRING" } else { "REST-HEADER" });
        context.insert("s3:signatureAge", signature.age_ms.to_string());
    }
    for (name, value) in &keys.amz {
        context.insert(&format!("s3:{name}"), value.as_str());
    }
    if !keys.request_tags.is_empty() {
        for (key, value) in &keys.request_tags {
            context.insert(&format!("s3:RequestObjectTag/{key}"), value.as_str());
        }
        context.insert_all("s3:RequestObjectTagKeys", keys.request_tags.iter().map(|(key, _)| key.as_str()));
    }
    if let ResourceRef::Object(object) = resource {
        if let Some(version) = object.version.as_ref().or(keys.version_id.as_ref()) {
            context.insert("s3:VersionId", version.as_str());
        }
        for (key, value) in &object.tags {
            context.insert(&format!("s3:ExistingObjectTag/{key}"), value.as_str());
        }
    }
}

fn of_dataset(context: &mut Context, state: &LocationState) {
    let location = &state.location;
    let account = location.account.to_string();
    context.insert("s3:ResourceAccount", account.as_str());
    context.insert("aws:ResourceAccount", account);
    context.insert("galen:Dataset", location.dataset.to_string());
    context.insert("galen:Classification", location.classification.as_str());
    set_flag(context, "galen:GxP", location.gxp);
    set_flag(context, "galen:PersonalData", location.personal);
    let kind = match location.kind {
        DatasetKind::Dataset => "dataset",
        DatasetKind::Workspace => "workspace",
        DatasetKind::Home => "home",
    };
    context.insert("galen:Kind", kind);
}
