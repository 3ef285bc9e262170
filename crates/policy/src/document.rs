//! A policy document as it was written, read strictly: every element known, every value of its type, every limit kept.
//!
//! It keeps the canonical JSON (RFC 8785) for digests and the parsed statements for lint, explain and [`crate::Compiled`].
//! It knows nothing of requests.

mod read;

use std::{fmt, sync::Arc};

use crate::{
    error::Error,
    json::{self, Node},
    operator::Operator,
};

/// Where a document is attached, which decides what it may contain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DocumentKind {
    /// Attached to a role or user.
    Identity,
    /// Attached to a resource (bucket, dataset, key, queue).
    Resource,
    /// A role's trust policy.
    Trust,
    /// A permissions boundary.
    Boundary,
    /// Passed when a session is made.
    Session,
    /// A guardrail of an organisation, domain or account.
    ServiceControl,
}

impl DocumentKind {
    /// Whether statements name principals.
    pub fn has_principals(self) -> bool {
        matches!(self, Self::Resource | Self::Trust)
    }

    /// The kind that a text most likely is, for tools that are given a file: statements with principals and without resources are a trust
    /// policy, with resources a resource policy, all others an identity policy.
    ///
    /// # Errors
    /// [`Error`] where the text is not JSON.
    pub fn guess(text: &str) -> Result<Self, Error> {
        let node = json::parse(text, Document::BYTES_MAX)?;
        let statements = match member(&node, "Statement") {
            Some(Node::List(items)) => items.as_slice(),
            Some(one) => std::slice::from_ref(one),
            None => &[],
        };
        let any = |names: &[&str]| statements.iter().any(|s| names.iter().any(|name| member(s, name).is_some()));
        Ok(match (any(&["Principal", "NotPrincipal"]), any(&["Resource", "NotResource"])) {
            (true, true) => Self::Resource,
            (true, false) => Self::Trust,
            (false, _) => Self::Identity,
        })
    }

    /// The kind with its article, for messages.
    pub fn described(self) -> &'static str {
        match self {
            Self::Identity => "an identity policy",
            Self::Resource => "a resource policy",
            Self::Trust => "a trust policy",
            Self::Boundary => "a permissions boundary",
            Self::Session => "a session policy",
            Self::ServiceControl => "a service control policy",
        }
    }
}

fn member<'a>(node: &'a Node, name: &str) -> Option<&'a Node> {
    match node {
        Node::Object(members) => members.iter().find(|(key, _)| key == name).map(|(_, value)| value),
        _ => None,
    }
}

/// The language version, which decides whether `${..}` is a variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Version {
    /// `2008-10-17`, also where no version is written: variables are literal text.
    V2008,
    /// `2012-10-17`.
    V2012,
}

/// Whether a statement allows or denies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StatementEffect {
    /// `Allow`
    Allow,
    /// `Deny`
    Deny,
}

/// A list with its complement: `Action` or `NotAction`, `Resource` or `NotResource`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selector {
    /// Whether it is the `Not..` form.
    pub negated: bool,
    /// The values as written.
    pub values: Vec<String>,
}

/// One entry of a `Principal` element.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum PrincipalEntry {
    /// `*` or `{"AWS":"*"}`.
    Anyone,
    /// An account: twelve digits, also from its root ARN.
    Account(String),
    /// The ARN of a user, role, session or federated user, or a unique id.
    Aws(String),
    /// `{"Federated":..}`: a provider's ARN or host, or `*`.
    Federated(String),
    /// `{"Service":..}`
    Service(String),
    /// `{"CanonicalUser":..}`
    CanonicalUser(String),
}

/// `Principal` or `NotPrincipal`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrincipalElement {
    /// Whether it is `NotPrincipal`.
    pub negated: bool,
    /// The entries, by kind in canonical order.
    pub entries: Vec<PrincipalEntry>,
}

/// One key of one operator in a `Condition` block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    /// The operator.
    pub operator: Operator,
    /// The key as written.
    pub key: String,
    /// The values as text (booleans and numbers in their JSON spelling).
    pub values: Vec<String>,
}

/// One statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// Its own name.
    pub sid: Option<Arc<str>>,
    /// Allow or Deny.
    pub effect: StatementEffect,
    /// Whom it concerns; only in resource and trust policies.
    pub principal: Option<PrincipalElement>,
    /// Actions, or all but these.
    pub action: Selector,
    /// Resources, or all but these; none in a trust policy.
    pub resource: Option<Selector>,
    /// All must hold; in canonical order, so that they do not depend on how the text was laid out.
    pub conditions: Vec<Condition>,
}

/// A parsed document.
#[derive(Clone, PartialEq, Eq)]
pub struct Document {
    kind: DocumentKind,
    version: Version,
    id: Option<String>,
    statements: Vec<Statement>,
    canonical: String,
    characters: usize,
}

impl Document {
    /// Longest text that is read, in bytes: three times the largest AWS limit (20,480 for a bucket policy), with room for white space.
    pub const BYTES_MAX: usize = 65_536;
    /// Most statements of one document; AWS's size limits allow fewer.
    pub const STATEMENTS_MAX: usize = 512;
    /// Most values of one list.
    pub const VALUES_MAX: usize = 2_048;

    /// Reads a document from bytes.
    ///
    /// # Errors
    /// As [`Document::parse`], and [`Error::NotUtf8`].
    pub fn parse_bytes(bytes: &[u8], kind: DocumentKind) -> Result<Self, Error> {
        let text = std::str::from_utf8(bytes).map_err(|e| Error::NotUtf8 { offset: e.valid_up_to() })?;
        Self::parse(text, kind)
    }

    /// Reads a document.
    ///
    /// # Errors
    /// [`Error`] with the place, for anything that is not a document of this kind within the limits.
    pub fn parse(text: &str, kind: DocumentKind) -> Result<Self, Error> {
        Self::from_node(&json::parse(text, Self::BYTES_MAX)?, kind)
    }

    /// Reads a document that was already read as JSON (the caller has lost duplicate keys, if there were any).
    ///
    /// # Errors
    /// As [`Document::parse`].
    pub fn from_value(value: &serde_json::Value, kind: DocumentKind) -> Result<Self, Error> {
        Self::parse(&value.to_string(), kind)
    }

    pub(crate) fn from_node(node: &Node, kind: DocumentKind) -> Result<Self, Error> {
        let read = read::document(node, kind)?;
        // Canonical JSON fails only for non-finite numbers and non-text keys, which the reader cannot produce.
        let canonical = base::canonical::to_string(&node.to_value()).unwrap_or_default();
        let characters = canonical.chars().filter(|c| !c.is_whitespace()).count();
        Ok(Self { kind, version: read.version, id: read.id, statements: read.statements, canonical, characters })
    }

    /// Where the document is attached.
    pub fn kind(&self) -> DocumentKind {
        self.kind
    }

    /// The language version.
    pub fn version(&self) -> Version {
        self.version
    }

    /// The document's `Id`, where it has one.
    pub fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// The statements in document order.
    pub fn statements(&self) -> &[Statement] {
        &self.statements
    }

    /// The canonical JSON (RFC 8785) of the document: what a digest is made of. It parses to the same document.
    pub fn canonical(&self) -> &str {
        &self.canonical
    }

    /// Characters that AWS counts against its limits: all but white space, of the canonical form.
    pub fn characters(&self) -> usize {
        self.characters
    }
}

impl fmt::Debug for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Document").field("kind", &self.kind).field("canonical", &self.canonical).finish()
    }
}
