//! STS answers as XML, element by element as the service model spells them.

use base::{Secret, Timestamp};

use crate::xml;

/// The namespace of every STS document.
pub const NAMESPACE: &str = "https://sts.amazonaws.com/doc/2011-06-15/";

/// A session's credentials. The secrets leave only through [`Response::to_xml`].
pub struct Credentials {
    /// `ASIA...`.
    pub access_key_id: String,
    /// The derived secret.
    pub secret_access_key: Secret<String>,
    /// The sealed session.
    pub session_token: Secret<String>,
    /// When the session ends.
    pub expiration: Timestamp,
}

/// Who the session is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AssumedRoleUser {
    /// `AROA...:SESSION-NAME`.
    pub assumed_role_id: String,
    /// `arn:aws:sts::ACCOUNT:assumed-role/ROLE/SESSION-NAME`; the role's path is dropped.
    pub arn: String,
}

/// The result of `AssumeRole`.
pub struct AssumeRoleOutput {
    /// The credentials.
    pub credentials: Credentials,
    /// Who the session is.
    pub user: AssumedRoleUser,
    /// How much of the room for policies and tags is used, in percent.
    pub packed_percent: Option<u32>,
    /// The source identity of the session.
    pub source_identity: Option<String>,
}

/// The result of `AssumeRoleWithWebIdentity`.
pub struct AssumeRoleWithWebIdentityOutput {
    /// What `AssumeRole` answers too.
    pub session: AssumeRoleOutput,
    /// The token's `sub`.
    pub subject: String,
    /// The token's `iss`.
    pub provider: String,
    /// The token's `aud` (or `azp`).
    pub audience: String,
}

/// The result of `GetCallerIdentity`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallerIdentity {
    /// The session's ARN.
    pub arn: String,
    /// `AROA...:SESSION-NAME`.
    pub user_id: String,
    /// The account.
    pub account: String,
}

/// Any STS answer.
pub enum Response {
    /// To `AssumeRole`.
    AssumeRole(AssumeRoleOutput),
    /// To `AssumeRoleWithWebIdentity`.
    AssumeRoleWithWebIdentity(AssumeRoleWithWebIdentityOutput),
    /// To `GetCallerIdentity`.
    CallerIdentity(CallerIdentity),
}

impl Response {
    /// The document. It holds the session's secrets: send it and drop it.
    pub fn to_xml(&self, request_id: &str) -> String {
        let mut out = String::with_capacity(4096);
        match self {
            Self::AssumeRole(output) => {
                envelope(&mut out, "AssumeRoleResponse", "AssumeRoleResult", request_id, |out| session(out, output));
            }
            Self::AssumeRoleWithWebIdentity(output) => {
                let names = ("AssumeRoleWithWebIdentityResponse", "AssumeRoleWithWebIdentityResult");
                envelope(&mut out, names.0, names.1, request_id, |out| {
                    session(out, &output.session);
                    xml::element(out, "SubjectFromWebIdentityToken", &output.subject);
                    xml::element(out, "Provider", &output.provider);
                    xml::element(out, "Audience", &output.audience);
                });
            }
            Self::CallerIdentity(output) => {
                let names = ("GetCallerIdentityResponse", "GetCallerIdentityResult");
                envelope(&mut out, names.0, names.1, request_id, |out| {
                    xml::element(out, "Arn", &output.arn);
                    xml::element(out, "UserId", &output.user_id);
                    xml::element(out, "Account", &output.account);
                });
            }
        }
        out
    }
}

fn envelope(
    out: &mut String,
    response: &'static str,
    result: &'static str,
    request_id: &str,
    body: impl FnOnce(&mut String),
) {
    xml::root(out, response, NAMESPACE, |out| {
        xml::nested(out, result, body);
        xml::nested(out, "ResponseMetadata", |out| xml::element(out, "RequestId", request_id));
    });
}

fn session(out: &mut String, output: &AssumeRoleOutput) {
    xml::nested(out, "Credentials", |out| {
        let credentials = &output.credentials;
        xml::element(out, "AccessKeyId", &credentials.access_key_id);
        xml::element(out, "SecretAccessKey", credentials.secret_access_key.expose());
        xml::element(out, "SessionToken", credentials.session_token.expose());
        xml::element(out, "Expiration", &seconds(credentials.expiration));
    });
    xml::nested(out, "AssumedRoleUser", |out| {
        xml::element(out, "AssumedRoleId", &output.user.assumed_role_id);
        xml::element(out, "Arn", &output.user.arn);
    });
    if let Some(percent) = output.packed_percent {
        xml::element(out, "PackedPolicySize", &percent.to_string());
    }
    if let Some(identity) = &output.source_identity {
        xml::element(out, "SourceIdentity", identity);
    }
}

/// `2026-11-21T20:00:00Z`: whole seconds, rounded down, so that no client believes in a session longer than it is.
fn seconds(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
