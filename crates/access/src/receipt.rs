//! Receipts: the signed statement that something was taken away, since when, and on which nodes.
//!
//! It owns the document and its offline check. It must not know how a revocation is carried out. INVARIANT: what
//! `verify` returns is exactly what was signed: Ed25519 over the RFC 8785 form of `statement`.

use base::{Actor, ChangeId, DatasetId, FactId, GrantId, GroupId, NodeId, PersonId, ReceiptId, Region};
use base::{BadName, ServiceId, SessionId, Timestamp, canonical};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use crypto::{ED25519_SIGNATURE_BYTES, PublicKey, SignatureScheme};
use custody::{Custody, KeyRef, Purpose};
use serde::{Deserialize, Serialize};

use crate::{EpochKey, Member};

#[cfg(test)]
mod tests;

/// Largest receipt that is read: a hundred nodes fit many times.
pub const RECEIPT_LEN_MAX: usize = 262_144;

/// The label of the installation's receipt key.
const KEY_LABEL: &str = "installation";

/// What was taken away.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum What {
    /// Everything that a person signed in to before.
    Person {
        /// Who.
        person: PersonId,
    },
    /// Everything that a service signed in to before.
    Service {
        /// Which.
        service: ServiceId,
    },
    /// One session and what was made from it.
    Session {
        /// Which.
        session: SessionId,
        /// Whose.
        person: Option<PersonId>,
    },
    /// A member's place in a group.
    Membership {
        /// Who.
        member: Member,
        /// In which group.
        group: GroupId,
    },
    /// A grant.
    Grant {
        /// Which.
        grant: GrantId,
        /// Of which dataset.
        dataset: DatasetId,
    },
}

/// When one node had closed every stream that stood on what was taken away.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodeAck {
    /// The node.
    pub node: NodeId,
    /// Where it runs.
    pub region: Region,
    /// When it had closed the last stream; `None`: not within the wait, though no stream gets another part.
    pub acknowledged: Option<Timestamp>,
    /// Microseconds from the request to that moment, by a clock that does not go back.
    pub micros: u64,
    /// Streams that were told to stop.
    pub streams: u64,
    /// Streams that had not closed when the wait was over.
    pub still_open: u64,
}

/// What a receipt states.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Statement {
    /// The form of this document.
    pub version: u32,
    /// This receipt.
    pub id: ReceiptId,
    /// What was taken away.
    pub what: What,
    /// By whom.
    pub actor: Actor,
    /// Why, in their words.
    pub reason: Option<String>,
    /// The change that did it.
    pub change: ChangeId,
    /// Its facts.
    pub facts: Vec<FactId>,
    /// The region whose feed the position is of.
    pub region: Region,
    /// Where in that region's facts the change stands: the number of its last fact.
    pub position: u64,
    /// The epoch that was raised, when one was.
    pub epoch: Option<EpochKey>,
    /// When it was asked for.
    pub requested: Timestamp,
    /// When it held on every node that acknowledged.
    pub effective: Timestamp,
    /// Microseconds from the request to the effect, by a clock that does not go back.
    pub micros: u64,
    /// Each node.
    pub nodes: Vec<NodeAck>,
}

/// The form that is written now.
pub const VERSION: u32 = 1;

/// A signed statement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Receipt {
    /// What is stated.
    pub statement: Statement,
    /// The key that signed it.
    pub key: KeyRef,
    /// Base64 of the Ed25519 signature over the RFC 8785 form of `statement`.
    pub signature: String,
}

/// Why a receipt could not be signed.
#[derive(Debug, thiserror::Error)]
pub enum SignError {
    /// The statement has no canonical form.
    #[error("the receipt has no canonical form")]
    NotCanonical(#[source] canonical::NotCanonical),
    /// Custody refused.
    #[error("the receipt cannot be signed now")]
    Custody(#[source] custody::Error),
}

/// Why a receipt does not hold.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// Not a receipt at all.
    #[error(
        "the file is not a receipt (JSON with `statement`, `key` and `signature`, at most {RECEIPT_LEN_MAX} bytes)"
    )]
    Malformed,
    /// A form that this version of Galen does not know.
    #[error("the receipt has form {found}; this version of Galen knows {VERSION}")]
    Version {
        /// Its form.
        found: u64,
    },
    /// The signature is not of this statement and this key.
    #[error("the signature does not match: the receipt was altered, or signed by another key than the one given")]
    Signature,
}

/// The installation's receipt key: its reference and public half.
///
/// # Errors
/// [`custody::Error`].
pub fn key(custody: &Custody) -> Result<(KeyRef, PublicKey), custody::Error> {
    let key = custody.ensure(Purpose::ReceiptSign, KEY_LABEL)?;
    let public = custody.public_key(&key)?;
    Ok((key, public))
}

/// Signs a statement.
///
/// # Errors
/// [`SignError`].
pub fn sign(custody: &Custody, statement: Statement) -> Result<Receipt, SignError> {
    let key = custody.ensure(Purpose::ReceiptSign, KEY_LABEL).map_err(SignError::Custody)?;
    let message = canonical::to_vec(&statement).map_err(SignError::NotCanonical)?;
    let signature = custody.sign(&key, &message).map_err(SignError::Custody)?;
    Ok(Receipt { statement, key, signature: STANDARD.encode(signature) })
}

/// Checks a receipt with nothing but the public key, and gives what it states.
///
/// # Errors
/// [`VerifyError`].
pub fn verify(bytes: &[u8], key: &PublicKey) -> Result<Statement, VerifyError> {
    if bytes.len() > RECEIPT_LEN_MAX {
        return Err(VerifyError::Malformed);
    }
    let document: serde_json::Value = serde_json::from_slice(bytes).map_err(|_| VerifyError::Malformed)?;
    let statement = document.get("statement").ok_or(VerifyError::Malformed)?;
    let version = statement.get("version").and_then(serde_json::Value::as_u64).ok_or(VerifyError::Malformed)?;
    if version != u64::from(VERSION) {
        return Err(VerifyError::Version { found: version });
    }
    let signature = document.get("signature").and_then(serde_json::Value::as_str).ok_or(VerifyError::Malformed)?;
    let signature = STANDARD.decode(signature).map_err(|_| VerifyError::Malformed)?;
    if signature.len() != ED25519_SIGNATURE_BYTES {
        return Err(VerifyError::Signature);
    }
    let message = canonical::to_vec(statement).map_err(|_| VerifyError::Malformed)?;
    key.verify(SignatureScheme::EdDsa, &message, &signature).map_err(|_| VerifyError::Signature)?;
    let receipt = Receipt::deserialize(&document).map_err(|_| VerifyError::Malformed)?;
    Ok(receipt.statement)
}

/// Reads a public key as `galen receipt key` prints it: base64 of the 32 bytes.
///
/// # Errors
/// [`BadName`].
pub fn parse_key(text: &str) -> Result<PublicKey, BadName> {
    let text = text.trim();
    let bad = || BadName::new("a receipt key", text, "base64 of an Ed25519 public key (32 bytes)");
    let raw = STANDARD.decode(text).map_err(|_| bad())?;
    PublicKey::ed25519(&raw).map_err(|_| bad())
}
