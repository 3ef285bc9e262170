//! The port to whoever verifies identity tokens, and what a verified one says. Only verified claims have a type here.

use async_trait::async_trait;
use base::{Actor, ClientId, PersonId, ServiceId, SignInId, SourceIdentity, Timestamp};
use serde_json::{Map, Value};

use crate::{AuthPosition, EpochKey, Member};

/// Verifies identity tokens: signature by the issuer's published keys, issuer, audience, validity. Implemented by the
/// directory for its own provider, and later for outside ones.
///
/// Contract: `alg: none`, symmetric algorithms, unknown critical headers and non-integer times are refused; no claim is
/// read before the signature is verified, and the claims are read from the verified bytes.
#[async_trait]
pub trait IdentityTokens: Send + Sync + 'static {
    /// Verifies a token at `now`.
    ///
    /// # Errors
    /// [`TokenFault`].
    async fn verify(&self, token: &str, now: Timestamp) -> Result<VerifiedToken, TokenFault>;
}

/// A verified identity token, resolved to whom it is about.
#[derive(Clone)]
pub struct VerifiedToken {
    /// `iss`.
    pub issuer: String,
    /// `sub`.
    pub subject: String,
    /// The one audience that a registered client has.
    pub audience: String,
    /// The registered client with that audience; `None`: nobody here trusts it.
    pub client: Option<ClientId>,
    /// The person; `None` for a machine, or when the subject is not known or not active.
    pub person: Option<PersonId>,
    /// The machine.
    pub service: Option<ServiceId>,
    /// The stable handle of the person or machine: the only source identity that its sessions can have.
    pub handle: SourceIdentity,
    /// When it was issued.
    pub issued: Timestamp,
    /// When it ends.
    pub expires: Timestamp,
    /// The authentication position that it carries.
    pub auth: AuthPosition,
    /// The sign-in it goes back to.
    pub sign_in: Option<SignInId>,
    /// Every verified claim.
    pub claims: Map<String, Value>,
}

impl VerifiedToken {
    /// Who it is about.
    pub fn actor(&self) -> Actor {
        match (self.person, self.service) {
            (Some(person), _) => Actor::Person(person),
            (None, Some(service)) => Actor::Service(service),
            (None, None) => Actor::System,
        }
    }

    /// Who it is about, as a member of groups; `None` when the subject is not known.
    pub fn member(&self) -> Option<Member> {
        self.person.map(Member::Person).or(self.service.map(Member::Service))
    }

    /// The issuer without its scheme, as ARNs and condition keys spell it.
    pub fn provider(&self) -> &str {
        self.issuer.split_once("://").map_or(self.issuer.as_str(), |(_, rest)| rest)
    }

    /// The epoch that its subject is held to; `None` when the subject is not known.
    pub(super) fn epoch_key(&self) -> Option<EpochKey> {
        self.member().map(|member| match member {
            Member::Person(person) => EpochKey::Person { person },
            Member::Service(service) => EpochKey::Service { service },
        })
    }
}

/// Why an identity token is not accepted. Display is safe for the caller and never repeats the token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenFault {
    /// Its time is over.
    #[error("Token expired: current date/time {now} must be before the expiration date/time {at}")]
    Expired {
        /// When it ended.
        at: Timestamp,
        /// The time here.
        now: Timestamp,
    },
    /// Its time has not begun.
    #[error("the token is not valid yet")]
    NotYetValid,
    /// Not a token, or a claim of another type than the standard's.
    #[error("the token could not be read: {what}")]
    Malformed {
        /// Which part.
        what: &'static str,
    },
    /// Nobody here trusts its issuer.
    #[error("No OpenIDConnect provider found in your account for the token's issuer")]
    UnknownIssuer,
    /// The signature does not verify.
    #[error("the token's signature is not valid")]
    Signature,
    /// Nobody here trusts its audience.
    #[error("Incorrect token audience")]
    Audience,
    /// The issuer's keys cannot be had now.
    #[error("the issuer's keys cannot be had now: retry")]
    IssuerUnreachable,
    /// The subject is known and may not sign in, or a claim is refused.
    #[error("the token was refused: {why}")]
    Rejected {
        /// Why.
        why: &'static str,
    },
}

impl TokenFault {
    /// The word under which failures of nobody in particular are counted.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Expired { .. } => "token_expired",
            Self::NotYetValid => "token_not_yet_valid",
            Self::Malformed { .. } => "token_malformed",
            Self::UnknownIssuer => "token_unknown_issuer",
            Self::Signature => "token_signature",
            Self::Audience => "token_audience",
            Self::IssuerUnreachable => "token_issuer_unreachable",
            Self::Rejected { .. } => "token_rejected",
        }
    }
}
