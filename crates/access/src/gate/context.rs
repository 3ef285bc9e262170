//! Condition keys, derived by the server from what it has proven; a caller cannot set one by name.

use policy::Context;

use super::{Ask, Ownership, Scene, Side, Subject, manage};
use crate::facts::DatasetKind;
use crate::index::{LocationState, World};
use crate::{OpContext, ResourceRef};

/// Authentication methods that count as a second factor (RFC 8176).
const SECOND_FACTORS: &[&str] = &["mfa", "otp", "hwk", "swk", "pop", "sc", "fpt", "face"];

/// The keys of one context. A key that no document reads changes no answer, so its value is not even made.
pub(super) struct Keys<'a> {
    context: Context,
    /// Whether a document reads a key, in lower case.
    reads: &'a dyn Fn(&str) -> bool,
}

impl<'a> Keys<'a> {
    pub(super) fn read_by(reads: &'a dyn Fn(&str) -> bool) -> Self {
        Self { context: Context::new(), reads }
    }

    /// `key` is in lower case.
    pub(super) fn put<V: Into<String>>(&mut self, key: &str, value: impl FnOnce() -> V) {
        if (self.reads)(key) {
            self.context.insert(key, value());
        }
    }

    pub(super) fn put_all<V: Into<String>>(&mut self, key: &str, values: impl IntoIterator<Item = V>) {
        if (self.reads)(key) {
            self.context.insert_all(key, values);
        }
    }

    /// `PREFIX/NAME` for each tag; names are compared without case.
    pub(super) fn put_tags<'t>(&mut self, prefix: &str, tags: impl IntoIterator<Item = (&'t String, &'t String)>) {
        for (name, value) in tags {
            self.put(&format!("{prefix}/{}", name.to_lowercase()), || value.as_str());
        }
    }

    pub(super) fn into_context(self) -> Context {
        self.context
    }
}

/// The context of one request, as far as the documents of `side` read it.
pub(super) fn build(
    world: &World,
    scene: &Scene<'_>,
    ask: &Ask<'_>,
    subject: &Subject<'_>,
    state: Option<&LocationState>,
    ownership: Ownership,
    side: &Side<'_>,
) -> Context {
    if let Some(recorded) = scene.recorded {
        return recorded.clone();
    }
    if !side.documents().any(policy::Compiled::reads_any) {
        return Context::new();
    }
    let reads = |key: &str| side.documents().any(|document| document.reads(key));
    let mut keys = Keys::read_by(&reads);
    of_request(&mut keys, scene);
    of_s3(&mut keys, scene.op, ask.resource);
    of_principal(&mut keys, scene, ask, subject, ownership);
    let groups = subject.groups.iter().filter_map(|n| world.group(n));
    keys.put_all("galen:groups", groups.map(|group| group.to_string()));
    if let Some(state) = state {
        of_dataset(&mut keys, state);
    }
    keys.into_context()
}

const fn flag(value: bool) -> &'static str {
    if value { "true" } else { "false" }
}

/// What every request has.
pub(super) fn of_request(keys: &mut Keys<'_>, scene: &Scene<'_>) {
    let op = scene.op;
    let seconds = scene.now.as_second();
    keys.put("aws:currenttime", || base::Timestamp::from_second(seconds).unwrap_or(scene.now).to_string());
    keys.put("aws:epochtime", || seconds.to_string());
    keys.put("aws:securetransport", || flag(op.secure_transport));
    if let Some(ip) = op.source_ip {
        keys.put("aws:sourceip", || ip.to_canonical().to_string());
    }
    if let Some(agent) = &op.user_agent {
        keys.put("aws:useragent", || agent.as_str());
    }
    keys.put("aws:requestedregion", || op.region.as_ref().unwrap_or(scene.region).as_str());
}

/// What the session proves.
pub(super) fn of_principal(
    keys: &mut Keys<'_>,
    scene: &Scene<'_>,
    ask: &Ask<'_>,
    subject: &Subject<'_>,
    ownership: Ownership,
) {
    let session = subject.session;
    keys.put("aws:principalarn", || session.role_arn.as_str());
    keys.put("aws:principalaccount", || session.account.to_string());
    keys.put("aws:principaltype", || "AssumedRole");
    keys.put("aws:userid", || format!("{}:{}", subject.role.role.unique_id, session.name));
    keys.put("aws:sourceidentity", || session.source_identity.as_str());
    keys.put("sts:sourceidentity", || session.source_identity.as_str());
    keys.put("aws:tokenissuetime", || session.issued.to_string());
    let age = || manage::auth_age_secs(scene, subject).to_string();
    keys.put("galen:authage", age);
    let second_factor = session.auth.amr.iter().any(|method| SECOND_FACTORS.contains(&method.as_str()));
    keys.put("aws:multifactorauthpresent", || flag(second_factor));
    if second_factor {
        keys.put("aws:multifactorauthage", age);
    }
    // Session tags over role tags.
    keys.put_tags("aws:principaltag", subject.role.role.tags.iter().map(|(key, value)| (key, value)));
    keys.put_tags("aws:principaltag", session.tags.iter().map(|tag| (&tag.key, &tag.value)));
    if let Some(federated) = &session.federated {
        keys.put("aws:federatedprovider", || federated.provider.as_str());
    }
    let (requester, own) = manage::requester_or_self(ask.resource);
    keys.put("galen:owner", || flag(ownership.owner.is_some()));
    keys.put("galen:steward", || flag(ownership.steward.is_some()));
    keys.put("galen:requester", || flag(requester == Some(subject.member)));
    keys.put("galen:self", || flag(own == Some(subject.member)));
}

fn of_s3(keys: &mut Keys<'_>, op: &OpContext, resource: &ResourceRef) {
    if resource.place().is_none() {
        return;
    }
    let given = &op.keys;
    if let Some(prefix) = &given.prefix {
        keys.put("s3:prefix", || prefix.as_str());
    }
    if let Some(delimiter) = &given.delimiter {
        keys.put("s3:delimiter", || delimiter.as_str());
    }
    if let Some(max) = given.max_keys {
        keys.put("s3:max-keys", || max.to_string());
    }
    if let Some(signature) = given.signature {
        keys.put("s3:authtype", || if signature.presigned { "REST-QUERY-STRING" } else { "REST-HEADER" });
        keys.put("s3:signatureage", || signature.age_ms.to_string());
    }
    for (name, value) in &given.amz {
        keys.put(&format!("s3:{}", name.to_lowercase()), || value.as_str());
    }
    if !given.request_tags.is_empty() {
        keys.put_tags("s3:requestobjecttag", given.request_tags.iter().map(|(key, value)| (key, value)));
        keys.put_all("s3:requestobjecttagkeys", given.request_tags.iter().map(|(key, _)| key.as_str()));
    }
    if let ResourceRef::Object(object) = resource {
        if let Some(version) = object.version.as_ref().or(given.version_id.as_ref()) {
            keys.put("s3:versionid", || version.as_str());
        }
        keys.put_tags("s3:existingobjecttag", object.tags.iter().map(|(key, value)| (key, value)));
    }
}

fn of_dataset(keys: &mut Keys<'_>, state: &LocationState) {
    let location = &state.location;
    keys.put("s3:resourceaccount", || location.account.to_string());
    keys.put("aws:resourceaccount", || location.account.to_string());
    keys.put("galen:dataset", || location.dataset.to_string());
    keys.put("galen:classification", || location.classification.as_str());
    keys.put("galen:gxp", || flag(location.gxp));
    keys.put("galen:personaldata", || flag(location.personal));
    keys.put("galen:kind", || match location.kind {
        DatasetKind::Dataset => "dataset",
        DatasetKind::Workspace => "workspace",
        DatasetKind::Home => "home",
    });
}
