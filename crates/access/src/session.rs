//! The role session: who acts, in which role, from which sign-in, narrowed how, and until when.
//!
//! It owns the types only. It must not know tokens, epochs, the store or a wire format. Invariant: a `Session`
//! always has a source identity, and its authentication position is the oldest of everything it was made from.

use base::{AccountId, Arn, BadName, ClientId, GroupId, PersonId, RoleId, ServiceId, SessionId, SignInId};
use base::{SourceIdentity, Timestamp};
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr, sync::Arc};

mod names;
pub use names::{AccessKeyId, SessionName};

#[cfg(any(test, feature = "test-permits", feature = "bench"))]
mod testing;

#[cfg(test)]
pub(crate) mod tests;

/// Which of the person's live groups a session may use for grants (authorisation.md section 2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Carry {
    /// Only the groups that entitle the session's role.
    #[default]
    Entitling,
    /// Every live group of the person: for a general tool role.
    All,
}

/// What kind of session it is; all of them are role sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SessionKind {
    /// A tool's credentials on the data edges.
    Tool,
    /// A portal or CLI session in a management role.
    Management,
    /// A machine's own role session.
    Service,
}

/// When and how the person proved who they are: the oldest of what the session was made from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuthPosition {
    /// The moment of the authentication, rounded down to a second (OpenID Connect Core, `auth_time`).
    pub auth_time: Timestamp,
    /// The issuer's sequence number at that moment ([`crate::Epochs::position`]); `None` for a token of an outside
    /// issuer, which is compared by `auth_time` alone.
    pub seq: Option<u64>,
    /// Authentication methods (RFC 8176), such as `pwd`.
    pub amr: Vec<String>,
    /// Authentication context class, when the issuer names one.
    pub acr: Option<String>,
}

impl AuthPosition {
    /// The older of two positions, aspect by aspect: the earlier time and the smaller number. Methods and class stay
    /// those of the position with the earlier time.
    #[must_use]
    pub fn oldest(&self, other: &Self) -> Self {
        let base = if other.auth_time < self.auth_time { other } else { self };
        let seq = match (self.seq, other.seq) {
            (Some(a), Some(b)) => Some(a.min(b)),
            _ => None,
        };
        Self { auth_time: base.auth_time, seq, amr: base.amr.clone(), acr: base.acr.clone() }
    }
}

/// One session tag. The key keeps its case and is compared without it; the value is compared exactly and is a literal:
/// a `*` in it never acts as a wildcard.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tag {
    /// 1 to 128 characters.
    pub key: String,
    /// 0 to 256 characters.
    pub value: String,
}

impl Tag {
    /// Whether this tag has that key, ignoring case.
    pub fn has_key(&self, key: &str) -> bool {
        self.key.to_lowercase() == key.to_lowercase()
    }
}

impl fmt::Debug for Tag {
    /// Tags may be personal data; only the key is shown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tag({}=..)", self.key)
    }
}

/// An ancestor of a chained session: cutting it cuts what was made from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ancestor {
    /// The session that assumed the next role.
    pub session: SessionId,
    /// The role it was in.
    pub role: RoleId,
}

/// The outside of a web identity that started the session (or its first ancestor): stays usable in conditions.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Federated {
    /// The issuer, `iss`.
    pub provider: String,
    /// The audience that the trust accepted, `aud`.
    pub audience: String,
    /// The subject, `sub`.
    pub subject: String,
}

impl fmt::Debug for Federated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Federated({}, {}, ..)", self.provider, self.audience)
    }
}

/// A policy that narrows one session: given inline by the caller or named by ARN.
#[derive(Clone, PartialEq, Eq)]
pub struct SessionPolicy {
    /// Where it came from, as `why` names it: `inline` or the managed policy's ARN.
    pub origin: String,
    /// The document as it was given.
    pub text: Arc<str>,
}

impl SessionPolicy {
    /// Bytes of the document without the white space outside its strings, as the packed size counts them.
    pub fn packed_len(&self) -> usize {
        let compact = serde_json::from_str::<serde_json::Value>(&self.text).and_then(|v| serde_json::to_string(&v));
        compact.map_or(self.text.len(), |text| text.len())
    }
}

impl fmt::Debug for SessionPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SessionPolicy({}, {} bytes)", self.origin, self.text.len())
    }
}

/// Temporary credentials' other half: everything a decision needs to know of who acts. Immutable once issued.
#[derive(Clone, Debug)]
pub struct Session {
    /// This session.
    pub id: SessionId,
    /// What kind it is.
    pub kind: SessionKind,
    /// The person behind it; `None` only for a machine.
    pub person: Option<PersonId>,
    /// The machine behind it.
    pub service: Option<ServiceId>,
    /// The enterprise identity; never changes, also through chaining.
    pub source_identity: SourceIdentity,
    /// The account of the role.
    pub account: AccountId,
    /// The role.
    pub role: RoleId,
    /// `arn:aws:iam::ACCOUNT:role/PATH/NAME`.
    pub role_arn: Arn,
    /// `AROA...`, new with each creation of a role, so that a deleted and recreated role is another principal.
    pub role_unique_id: String,
    /// `arn:aws:sts::ACCOUNT:assumed-role/NAME/SESSION`.
    pub arn: Arn,
    /// The session's name.
    pub name: SessionName,
    /// The access key that the token is bound to.
    pub access_key_id: AccessKeyId,
    /// Session tags, inherited ones included.
    pub tags: Vec<Tag>,
    /// Keys of `tags` that the next role inherits.
    pub transitive: Vec<String>,
    /// Which live groups count.
    pub carry: Carry,
    /// The groups that entitled the role when the session was made: (person, group) epochs are checked against them.
    pub via: Vec<GroupId>,
    /// Policies that narrow it; all must allow.
    pub policies: Vec<SessionPolicy>,
    /// When it was issued.
    pub issued: Timestamp,
    /// When it ends by itself.
    pub expires: Timestamp,
    /// The authentication position it inherits.
    pub auth: AuthPosition,
    /// The sign-in it goes back to, when that was at the built-in provider.
    pub sign_in: Option<SignInId>,
    /// Whether a role session made it (role chaining).
    pub chained: bool,
    /// The sessions it was made from, oldest first; at most [`Session::LINEAGE_MAX`].
    pub lineage: Vec<Ancestor>,
    /// The OIDC client through whose token the chain began.
    pub client: Option<ClientId>,
    /// The web identity the chain began with.
    pub federated: Option<Federated>,
}

impl Session {
    /// Longest chain of roles: bounds the token and the check at each request.
    pub const LINEAGE_MAX: usize = 8;

    /// The actor that facts and entries name.
    pub fn actor(&self) -> base::Actor {
        match (self.person, self.service) {
            (Some(person), _) => base::Actor::Person(person),
            (None, Some(service)) => base::Actor::Service(service),
            (None, None) => base::Actor::System,
        }
    }

    /// `AROA…:NAME`, the `AssumedRoleId` and `UserId` of AWS.
    pub fn assumed_role_id(&self) -> String {
        format!("{}:{}", self.role_unique_id, self.name)
    }

    /// The value of the tag with this key, ignoring the key's case.
    pub fn tag(&self, key: &str) -> Option<&str> {
        self.tags.iter().find(|tag| tag.has_key(key)).map(|tag| tag.value.as_str())
    }
}

/// `AROA` and 17 characters derived from the role's id: stable, and different for a role that was deleted and made anew.
pub fn role_unique_id(role: RoleId) -> String {
    format!("AROA{}", names::base32(role.bytes(), 17))
}

/// The ARN of a role session: the role's path is dropped (AWS IAM identifiers).
///
/// # Errors
/// [`BadName`] when the parts do not make an ARN.
pub fn session_arn(account: AccountId, role_arn: &Arn, name: &SessionName) -> Result<Arn, BadName> {
    let role_name = role_arn.resource().rsplit('/').next().unwrap_or_default();
    Arn::from_str(&format!("arn:aws:sts::{account}:assumed-role/{role_name}/{name}"))
}
