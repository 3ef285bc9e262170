//! The token service's actions. `AssumeRole` is a value: it carries what the evaluation of a role's trust reads.

use base::{ClientId, RoleId, SourceIdentity};

use super::{Action, Class, Need, Spec};
use crate::{Installation, ResourceRef};

/// From what a role is assumed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Via {
    /// From the caller's own role session (chaining): `sts:AssumeRole`.
    Session,
    /// From a verified identity token: `sts:AssumeRoleWithWebIdentity`.
    WebIdentity(WebIdentity),
}

/// The verified claims of an identity token that a trust policy may read. Only `assume` makes one, after verification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebIdentity {
    /// The client that the token was issued to.
    pub client: ClientId,
    /// The issuer without its scheme, as in `oidc-provider/HOST`.
    pub provider: String,
    /// The `aud` claim.
    pub audience: String,
    /// The `sub` claim.
    pub subject: String,
    /// The `amr` claim.
    pub amr: Vec<String>,
    /// Whether the roles claim named this role (`sts:RoleAuthorizedByIdp`); `None` when the token has no such claim.
    pub authorized_by_idp: Option<bool>,
}

/// `sts:AssumeRole` and `sts:AssumeRoleWithWebIdentity`, with their `sts:TagSession` and `sts:SetSourceIdentity`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AssumeRole {
    /// From what.
    pub via: Via,
    /// `RoleSessionName`.
    pub session_name: String,
    /// The source identity that the new session will carry. A session without one cannot be asked for.
    pub source_identity: SourceIdentity,
    /// Whether the source identity is set by this call (`sts:SetSourceIdentity` is then needed).
    pub sets_source_identity: bool,
    /// The session tags that are passed or inherited (`sts:TagSession` is then needed).
    pub tags: Vec<(String, String)>,
    /// Which of them are transitive.
    pub transitive: Vec<String>,
    /// `ExternalId`.
    pub external_id: Option<String>,
    /// `DurationSeconds`.
    pub duration_secs: Option<u32>,
}

impl Action for AssumeRole {
    const NAME: &'static str = "sts:AssumeRole";
    const CLASS: Class = Class::Change;
    const NEED: Need = Need::Trust;
    type Resource = AssumableRole;

    fn name(&self) -> &'static str {
        match self.via {
            Via::Session => "sts:AssumeRole",
            Via::WebIdentity(_) => "sts:AssumeRoleWithWebIdentity",
        }
    }
    fn trust(&self) -> Option<&AssumeRole> {
        Some(self)
    }
}

/// A role as the target of `AssumeRole`: its ARN is IAM's own, not `arn:aws:galen:...`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub struct AssumableRole(pub RoleId);

impl From<AssumableRole> for ResourceRef {
    fn from(role: AssumableRole) -> Self {
        Self::AssumableRole(role)
    }
}

impl From<RoleId> for AssumableRole {
    fn from(role: RoleId) -> Self {
        Self(role)
    }
}

/// Who am I: needs no permission and cannot be denied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct GetCallerIdentity;

impl Action for GetCallerIdentity {
    const NAME: &'static str = "sts:GetCallerIdentity";
    const CLASS: Class = Class::View;
    const NEED: Need = Need::Nothing;
    type Resource = Installation;
}

/// Every action of this module.
pub(crate) const ALL: &[Spec] = &[
    Spec { name: "sts:AssumeRole", class: Class::Change, need: Need::Trust },
    Spec { name: "sts:AssumeRoleWithWebIdentity", class: Class::Change, need: Need::Trust },
    Spec { name: "sts:GetCallerIdentity", class: Class::View, need: Need::Nothing },
];
