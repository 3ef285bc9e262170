//! `OpContext`: who asks, through which session and edge, and when. It goes first in every operation.
//!
//! Owns the request-derived condition keys that an edge hands over. It must not know how a wire request looks:
//! the edge parses, this only carries. Nothing in it that a caller can choose names a principal.

use base::{Actor, Effects, Ids, Region, RequestId, Timestamp};
use std::{net::IpAddr, sync::Arc};

use crate::{Session, Trace};

/// The door that a request came in by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Edge {
    /// The S3 protocol.
    S3,
    /// The security token service.
    Sts,
    /// The management API and the portal.
    Api,
    /// A command on the machine itself (`galen init`, offline commands).
    Cli,
    /// Galen itself: sweeping, expiry, start-up.
    Internal,
}

impl Edge {
    /// The name in entries and messages.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::S3 => "s3",
            Self::Sts => "sts",
            Self::Api => "api",
            Self::Cli => "cli",
            Self::Internal => "internal",
        }
    }
}

/// Request facts that become condition keys. The edge fills them from the parsed request; a caller cannot set a key by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RequestKeys {
    /// `s3:prefix` of a list request; `None` when the parameter is absent.
    pub prefix: Option<String>,
    /// `s3:delimiter`.
    pub delimiter: Option<String>,
    /// `s3:max-keys`.
    pub max_keys: Option<u32>,
    /// `s3:VersionId`.
    pub version_id: Option<String>,
    /// `s3:RequestObjectTag/KEY` and `s3:RequestObjectTagKeys`.
    pub request_tags: Vec<(String, String)>,
    /// `s3:x-amz-*`: lower-case header names with their values.
    pub amz: Vec<(String, String)>,
    /// Whether the request reads a range: its intent then covers later ranges of the same version for a minute.
    pub ranged: bool,
    /// `s3:authType`, `s3:signatureAge` (milliseconds) of a presigned or header-signed request.
    pub signature: Option<SignatureKeys>,
}

/// How an S3 request was signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignatureKeys {
    /// True for a presigned URL (`REST-QUERY-STRING`), false for the header (`REST-HEADER`).
    pub presigned: bool,
    /// Milliseconds since the signature was made.
    pub age_ms: u64,
}

/// The context of one request. Cheap to clone.
#[derive(Clone)]
pub struct OpContext {
    /// Sent back to the caller and written into each entry.
    pub request: RequestId,
    /// Who acts; for an unauthenticated caller [`Actor::System`] never stands here: see [`OpContext::anonymous`].
    pub actor: Option<Actor>,
    /// The role session, when there is one.
    pub session: Option<Arc<Session>>,
    /// When the request arrived.
    pub at: Timestamp,
    /// The caller's address after the trusted-proxy rule.
    pub source_ip: Option<IpAddr>,
    /// The door.
    pub edge: Edge,
    /// Whether the transport is TLS (or a loopback listener that is declared secure).
    pub secure_transport: bool,
    /// The caller's own name for its program, cut to [`OpContext::USER_AGENT_MAX`] characters.
    pub user_agent: Option<String>,
    /// The region that the request is signed for (`aws:RequestedRegion`).
    pub region: Option<Region>,
    /// Request-derived condition keys.
    pub keys: RequestKeys,
    /// What the record holds of the request so far; the edge's own.
    pub trace: Trace,
}

impl OpContext {
    /// Characters of `User-Agent` that are kept: enough for every SDK's own string, not enough to fill a log.
    pub const USER_AGENT_MAX: usize = 512;

    /// A request from a caller about whom nothing is proven yet.
    pub fn anonymous(effects: &Effects, edge: Edge) -> Self {
        Self {
            request: RequestId::from_uuid(effects.uuid()),
            actor: None,
            session: None,
            at: effects.now(),
            source_ip: None,
            edge,
            secure_transport: false,
            user_agent: None,
            region: None,
            keys: RequestKeys::default(),
            trace: Trace::default(),
        }
    }

    /// Galen's own act, at `effects.now()`.
    pub fn system(effects: &Effects) -> Self {
        Self { actor: Some(Actor::System), secure_transport: true, ..Self::anonymous(effects, Edge::Internal) }
    }

    /// The same request, now known to come through `session`; the actor becomes the session's.
    #[must_use]
    pub fn with_session(mut self, session: Arc<Session>) -> Self {
        self.actor = Some(session.actor());
        self.session = Some(session);
        self
    }

    /// The same request, with a proven actor that has no session yet (an identity token that was verified).
    #[must_use]
    pub fn with_actor(mut self, actor: Actor) -> Self {
        self.actor = Some(actor);
        self
    }

    /// The same request, with the caller's address and whether the transport is secure.
    #[must_use]
    pub fn with_transport(mut self, source_ip: Option<IpAddr>, secure: bool) -> Self {
        self.source_ip = source_ip;
        self.secure_transport = secure;
        self
    }

    /// The same request, with the caller's own name for its program.
    #[must_use]
    pub fn with_user_agent(mut self, agent: &str) -> Self {
        self.user_agent = Some(agent.chars().filter(|c| !c.is_control()).take(Self::USER_AGENT_MAX).collect());
        self
    }

    /// The same request, with the trace that its edge follows.
    #[must_use]
    pub fn with_trace(mut self, trace: Trace) -> Self {
        self.trace = trace;
        self
    }

    /// The same request, with the condition keys of the request itself.
    #[must_use]
    pub fn with_keys(mut self, keys: RequestKeys) -> Self {
        self.keys = keys;
        self
    }

    /// Who acts, for facts: the proven actor, else Galen itself (an unproven caller never reaches a write, because no permit is given to it).
    pub fn by(&self) -> Actor {
        self.actor.unwrap_or(Actor::System)
    }
}
