//! Who asks: the forms of a principal, and how each entry of a `Principal` element matches it.

use std::sync::Arc;

/// What kind of principal an ARN or name is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum PrincipalKind {
    /// Nobody is signed in.
    Anonymous,
    /// The account itself (`arn:aws:iam::ACCOUNT:root`).
    Root,
    /// A user, with the name after its path.
    User {
        /// Name.
        name: String,
    },
    /// A role that acts without a session name (as policies and simulators write it).
    Role {
        /// Name after the path.
        name: String,
    },
    /// A role session.
    Session {
        /// Name of the role, without its path.
        role: String,
    },
    /// A session of `GetFederationToken`.
    FederatedUser {
        /// Name of the federated user.
        name: String,
    },
    /// A SAML or OIDC provider, while a trust policy is evaluated.
    Provider,
    /// A service, an OIDC host or a canonical user: a name that is no ARN.
    Named,
    /// Any other ARN.
    Other,
}

/// The principal of a request.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Principal {
    text: String,
    kind: PrincipalKind,
    account: Option<String>,
    partition: String,
    role_arn: Option<Arc<str>>,
    unique_id: Option<Arc<str>>,
}

impl Principal {
    /// Reads an ARN, a service name, a provider's host, or `*` / `anonymous` for nobody.
    pub fn parse(text: &str) -> Self {
        let mut parts = text.splitn(6, ':');
        let mut next = || parts.next().unwrap_or_default();
        let (arn, partition, service, _region, account, resource) = (next(), next(), next(), next(), next(), next());
        let is_arn = arn == "arn" && !resource.is_empty();
        let kind = match text {
            "*" | "anonymous" => PrincipalKind::Anonymous,
            _ if !is_arn => PrincipalKind::Named,
            _ => kind_of(service, resource),
        };
        Self {
            text: text.to_owned(),
            kind,
            account: (is_arn && !account.is_empty()).then(|| account.to_owned()),
            partition: if is_arn { partition.to_owned() } else { String::new() },
            role_arn: None,
            unique_id: None,
        }
    }

    /// Says which role a session belongs to, with the role's path (a session's ARN drops it).
    #[must_use]
    pub fn with_role_arn(mut self, arn: impl Into<Arc<str>>) -> Self {
        self.role_arn = Some(arn.into());
        self
    }

    /// Says the unique id (`AROA..`, `AIDA..`) of the role or user, so that an entry bound to a deleted namesake does not match.
    #[must_use]
    pub fn with_unique_id(mut self, id: impl Into<Arc<str>>) -> Self {
        self.unique_id = Some(id.into());
        self
    }

    /// The ARN or name as it was given.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// What it is.
    pub fn kind(&self) -> &PrincipalKind {
        &self.kind
    }

    /// Its account, where it has one.
    pub fn account(&self) -> Option<&str> {
        self.account.as_deref()
    }

    /// Whether there is an identity side at all: providers, services and anonymous callers have none.
    pub fn has_identity_side(&self) -> bool {
        !matches!(self.kind, PrincipalKind::Anonymous | PrincipalKind::Provider | PrincipalKind::Named)
    }

    /// Whether `arn` (a role's) is the role of this session.
    fn is_session_of(&self, arn: &str) -> bool {
        let PrincipalKind::Session { role } = &self.kind else { return false };
        if let Some(own) = &self.role_arn {
            return **own == *arn;
        }
        let other = Self::parse(arn);
        matches!(&other.kind, PrincipalKind::Role { name } if name.eq_ignore_ascii_case(role))
            && other.account == self.account
            && other.partition == self.partition
    }

    /// Whether `arn` (a user's) is the user who made this federated session.
    fn is_federation_of(&self, arn: &str) -> bool {
        let PrincipalKind::FederatedUser { name } = &self.kind else { return false };
        let other = Self::parse(arn);
        matches!(&other.kind, PrincipalKind::User { name: user } if user == name)
            && other.account == self.account
            && other.partition == self.partition
    }
}

fn kind_of(service: &str, resource: &str) -> PrincipalKind {
    let (first, rest) = resource.split_once('/').unwrap_or((resource, ""));
    let last = || rest.rsplit('/').next().unwrap_or_default().to_owned();
    match (service, first) {
        ("iam", "root") if rest.is_empty() => PrincipalKind::Root,
        ("iam", "user") if !rest.is_empty() => PrincipalKind::User { name: last() },
        ("iam", "role") if !rest.is_empty() => PrincipalKind::Role { name: last() },
        ("iam", "saml-provider" | "oidc-provider") if !rest.is_empty() => PrincipalKind::Provider,
        ("sts", "assumed-role") => match rest.split_once('/') {
            Some((role, session)) if !role.is_empty() && !session.is_empty() => {
                PrincipalKind::Session { role: role.to_owned() }
            }
            _ => PrincipalKind::Other,
        },
        ("sts", "federated-user") if !rest.is_empty() => PrincipalKind::FederatedUser { name: rest.to_owned() },
        _ => PrincipalKind::Other,
    }
}

/// How a `Principal` entry matched, which decides which implicit denies still bind (IAM user guide, "Policy evaluation for requests
/// within a single account").
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Binding {
    /// The account is named: it delegates to the account's own identity policies.
    Account,
    /// The role (or the user behind a federated session) is named: boundary and session policies still limit.
    Limited,
    /// The session or user itself, everybody, a provider or a service: implicit denies of the identity side do not limit.
    Direct,
}

/// A compiled entry of `Principal` or `NotPrincipal`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Entry {
    /// `*` or `{"AWS":"*"}`.
    Anyone,
    /// `{"Federated":"*"}`.
    AnyProvider,
    /// Twelve digits or the account's root ARN.
    Account(Box<str>),
    /// An ARN, with the unique id that it was bound to when the document was saved.
    Arn(Box<str>, Option<Arc<str>>),
    /// A unique id (`AROA..`).
    UniqueId(Box<str>),
    /// A service, canonical user, or federated provider: equal or not.
    Name(Box<str>),
}

impl Entry {
    /// How this entry matches `who`, if it does.
    pub(crate) fn binding(&self, who: &Principal) -> Option<Binding> {
        match self {
            Self::Anyone => Some(Binding::Direct),
            Self::AnyProvider => {
                matches!(who.kind, PrincipalKind::Provider | PrincipalKind::Named).then_some(Binding::Direct)
            }
            Self::Name(name) => (**name == *who.text).then_some(Binding::Direct),
            // Also a provider of the account: as an Allow this counts for nothing (there is no identity side to delegate to), as a
            // Deny it is the safe reading.
            Self::Account(account) => (who.account() == Some(account)).then_some(Binding::Account),
            Self::UniqueId(id) => (who.unique_id.as_deref() == Some(id)).then(|| match who.kind {
                PrincipalKind::Session { .. } | PrincipalKind::FederatedUser { .. } => Binding::Limited,
                _ => own(who),
            }),
            Self::Arn(arn, bound) => {
                let same_being = bound.as_deref().is_none_or(|id| who.unique_id.as_deref() == Some(id));
                let how = if **arn == *who.text {
                    own(who)
                } else if who.is_session_of(arn) || who.is_federation_of(arn) {
                    Binding::Limited
                } else {
                    return None;
                };
                same_being.then_some(how)
            }
        }
    }
}

/// The binding of an entry that names the caller itself.
fn own(who: &Principal) -> Binding {
    match who.kind {
        PrincipalKind::Role { .. } => Binding::Limited,
        _ => Binding::Direct,
    }
}

/// How a list of entries matches; the freest binding wins.
pub(crate) fn matches(entries: &[Entry], who: &Principal) -> Option<Binding> {
    entries.iter().filter_map(|entry| entry.binding(who)).max()
}

/// Whether a `NotPrincipal` list exempts `who` from a Deny. AWS asks that the account is listed too, and for a session also its role:
/// whatever of these is left out is denied ("NotPrincipal with Deny", IAM user guide).
pub(crate) fn exempt_from_deny(entries: &[Entry], who: &Principal) -> bool {
    if entries.contains(&Entry::Anyone) {
        return true;
    }
    let bindings: Vec<Binding> = entries.iter().filter_map(|entry| entry.binding(who)).collect();
    let has = |wanted: Binding| bindings.contains(&wanted);
    if !who.has_identity_side() {
        return has(Binding::Direct);
    }
    match who.kind {
        PrincipalKind::Root | PrincipalKind::Other => has(Binding::Account) || has(Binding::Direct),
        PrincipalKind::Session { .. } => has(Binding::Account) && has(Binding::Limited) && has(Binding::Direct),
        PrincipalKind::FederatedUser { .. } => has(Binding::Account) && has(Binding::Direct),
        _ => has(Binding::Account) && (has(Binding::Limited) || has(Binding::Direct)),
    }
}

/// The binding of an Allow with `NotPrincipal` for a caller that it does not list.
pub(crate) fn binding_of_everyone_else(who: &Principal) -> Binding {
    own(who)
}
