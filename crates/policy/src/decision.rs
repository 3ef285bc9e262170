//! What an evaluation answers: the effect, the statements that determined it, and what was missing.

use serde::{Deserialize, Serialize};
use std::{fmt, sync::Arc};

/// The answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// Allowed.
    Allow,
    /// A statement with effect Deny applies.
    ExplicitDeny,
    /// Nothing denies, and something that had to allow did not.
    ImplicitDeny,
}

impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Allow => "allow",
            Self::ExplicitDeny => "explicit_deny",
            Self::ImplicitDeny => "implicit_deny",
        })
    }
}

/// Which of the given documents; written `identity[0]`, `resource`, `boundary`, `session[1]`, `scp[0][2]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum PolicyRef {
    /// An identity (role) policy, by position.
    Identity(usize),
    /// The resource policy, trust policy or dataset policy.
    Resource,
    /// The permissions boundary.
    Boundary,
    /// A session policy, by position.
    Session(usize),
    /// A service control policy (guardrail), by level and position in the level.
    ServiceControl(usize, usize),
}

impl fmt::Display for PolicyRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Identity(i) => write!(f, "identity[{i}]"),
            Self::Resource => f.write_str("resource"),
            Self::Boundary => f.write_str("boundary"),
            Self::Session(i) => write!(f, "session[{i}]"),
            Self::ServiceControl(level, i) => write!(f, "scp[{level}][{i}]"),
        }
    }
}

/// A statement that determined the answer.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Determining {
    /// The document.
    pub policy: PolicyRef,
    /// Position of the statement in the document, from 0.
    pub statement: usize,
    /// The statement's own name, where it has one.
    pub sid: Option<Arc<str>>,
}

/// Which side did not allow. Several may be missing at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Missing {
    /// Same account: neither an identity policy nor the resource policy allows.
    IdentityOrResource,
    /// No identity policy allows (cross-account, or the resource policy only delegates to the account).
    Identity,
    /// The resource policy does not allow (cross-account, a service or a federated principal).
    Resource,
    /// The role's trust policy does not allow; nothing else can replace it.
    Trust,
    /// The key's policy does not allow; nothing else can replace it.
    KeyPolicy,
    /// The permissions boundary does not allow.
    Boundary,
    /// None of the session policies allows.
    Session,
    /// No service control policy at this level allows.
    ServiceControl(usize),
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::IdentityOrResource => f.write_str("neither an identity policy nor the resource policy allows it"),
            Self::Identity => f.write_str("no identity policy allows it"),
            Self::Resource => f.write_str("the resource policy does not allow it"),
            Self::Trust => f.write_str("the role's trust policy does not allow it"),
            Self::KeyPolicy => f.write_str("the key policy does not allow it"),
            Self::Boundary => f.write_str("the permissions boundary does not allow it"),
            Self::Session => f.write_str("no session policy allows it"),
            Self::ServiceControl(level) => write!(f, "no guardrail of level {level} allows it"),
        }
    }
}

/// Something in the request that could not be evaluated. A decision with an error is a deny.
#[derive(Clone, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum EvaluationError {
    /// The action is not `service:Name`.
    #[error("the action `{0}` is not of the form `service:Name`")]
    BadAction(String),
    /// The resource is neither an ARN nor `*`.
    #[error("the resource `{0}` is neither an ARN nor `*`")]
    BadResource(String),
    /// The principal is empty.
    #[error("the request names no principal")]
    NoPrincipal,
}

/// A remark that changed no answer and that a reader of the decision should see.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Note {
    /// `sts:GetCallerIdentity` needs no permission and cannot be denied.
    AlwaysAllowed,
    /// The root user of an account needs no identity policy.
    RootUser,
    /// A key with no or several values met an operator without set qualifier, which then does not match.
    NotSingle {
        /// The statement.
        at: Determining,
        /// The condition key, in lower case.
        key: Box<str>,
    },
    /// A value in the request is not of the operator's type (a number, date, address, ARN, ..), so the condition does not match.
    IllTyped {
        /// The statement.
        at: Determining,
        /// The condition key, in lower case.
        key: Box<str>,
    },
}

/// The answer with its reasons.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// The answer.
    pub effect: Effect,
    /// Every statement that determined it, in document order: the Denies of an explicit deny, the Allows of an allow, none of an implicit deny.
    pub determined_by: Vec<Determining>,
    /// For an implicit deny: which sides did not allow.
    pub missing: Vec<Missing>,
    /// What could not be evaluated; not empty only in a deny.
    pub errors: Vec<EvaluationError>,
    /// Remarks.
    pub notes: Vec<Note>,
}

impl Decision {
    /// Whether the request is allowed.
    pub fn is_allowed(&self) -> bool {
        self.effect == Effect::Allow
    }
}
