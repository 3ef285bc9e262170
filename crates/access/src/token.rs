//! The session token: a session sealed so that every node opens it without a lookup.
//!
//! It owns the bytes: envelope, key versions, associated data, the split into a token and a record when a session is
//! too large for one. It must not know the store, epochs or the clock. INVARIANT: bytes that do not open under a seal
//! key never become a `Session`, and reading them takes bounded time and memory.
//!
//! Envelope: `kind (1) | key version (4, big-endian) | nonce (12) | AES-256-GCM ciphertext and tag`, base64url without
//! padding. The first five bytes and a label are the associated data.

use base::{Secret, Timestamp};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use crypto::{AEAD_NONCE_BYTES, AEAD_TAG_BYTES, AeadKey, Crypto, HmacKey, Sha256Digest};
use serde::{Deserialize, Serialize};
use zeroize::Zeroize as _;

use crate::{AccessKeyId, Session};

pub(crate) mod body;

#[cfg(test)]
mod tests;

/// Longest token, in characters: what headers, presigned URLs and other people's configuration files carry (as in AWS).
pub const TOKEN_LEN_MAX: usize = 4096;

/// Longest sealed body that is kept as a record: 50 tags, 10 policies and a session policy fit with room to spare.
pub const RECORD_LEN_MAX: usize = 65_536;

/// Length of a derived secret, as in AWS.
const SECRET_LEN: usize = 40;

const HEADER_LEN: usize = 5;
const LABEL: &[u8] = b"galen session token 1";

/// What an envelope holds. The discriminant is on the wire and never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Kind {
    /// The whole session, in the token.
    Whole = 1,
    /// A digest that points to a record, in the token.
    Pointer = 2,
    /// The whole session, in a record.
    Record = 3,
}

/// Why bytes are not a session. Says little, since the bytes come from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadToken {
    /// Not the form of a session token at all.
    #[error("the session token is malformed")]
    Malformed,
    /// Sealed under a key that is not held here.
    #[error("the session token is sealed under a key that is not held here")]
    UnknownKey {
        /// The version of the key.
        version: u32,
    },
    /// It does not open: altered, or not ours.
    #[error("the session token does not open")]
    DoesNotOpen,
}

/// The keys that seal sessions and derive their secrets, newest first; wiped when dropped.
pub struct SealKeys {
    seal: Vec<(u32, AeadKey)>,
    edge: Vec<(u32, HmacKey)>,
}

impl SealKeys {
    /// Takes versions of the seal key and of the edge key, newest first in each.
    ///
    /// # Errors
    /// [`crypto::Error`] when a key cannot be set up.
    pub fn new(
        seal: impl IntoIterator<Item = (u32, Secret<[u8; 32]>)>,
        edge: impl IntoIterator<Item = (u32, Secret<[u8; 32]>)>,
    ) -> Result<Self, crypto::Error> {
        let seal = seal.into_iter().map(|(version, key)| Ok((version, AeadKey::new(&key)?)));
        Ok(Self {
            seal: seal.collect::<Result<_, crypto::Error>>()?,
            edge: edge.into_iter().map(|(version, key)| (version, HmacKey::new(key.expose()))).collect(),
        })
    }

    /// A fresh access key id under the newest edge key; `None` when there is no edge key.
    pub fn access_key(&self, crypto: &Crypto) -> Option<AccessKeyId> {
        let (version, _) = self.edge.first()?;
        Some(AccessKeyId::from_entropy(*version, crypto.bytes()))
    }

    /// The secret of an access key: base64(HMAC-SHA256(edge key, id)), cut to 40 characters. `None` when the edge key
    /// that made it is not held any more.
    pub fn secret_of(&self, id: &AccessKeyId) -> Option<Secret<String>> {
        let (_, key) = self.edge.iter().find(|(version, _)| id.is_under(*version))?;
        let mut code = STANDARD.encode(key.sign(id.as_str().as_bytes()));
        let secret = code.get(..SECRET_LEN).map(|secret| Secret::new(secret.to_owned()));
        code.zeroize();
        secret
    }

    fn seal(&self, crypto: &Crypto, kind: Kind, mut plain: Vec<u8>) -> Result<Vec<u8>, crypto::Error> {
        let missing = crypto::Error::Library { operation: "find the newest session seal key" };
        let (version, key) = self.seal.first().ok_or(missing)?;
        let mut out = Vec::with_capacity(HEADER_LEN + AEAD_NONCE_BYTES + plain.len() + AEAD_TAG_BYTES);
        out.push(kind as u8);
        out.extend_from_slice(&version.to_be_bytes());
        let nonce = crypto.nonce();
        key.seal_in_place(nonce, &associated(&out), &mut plain)?;
        out.extend_from_slice(&nonce);
        out.extend_from_slice(&plain);
        Ok(out)
    }

    fn open(&self, mut bytes: Vec<u8>) -> Result<(Kind, Secret<Vec<u8>>), BadToken> {
        let (header, rest) = bytes.split_at_mut_checked(HEADER_LEN).ok_or(BadToken::Malformed)?;
        let (nonce, sealed) = rest.split_at_mut_checked(AEAD_NONCE_BYTES).ok_or(BadToken::Malformed)?;
        let (kind, version) = match *header {
            [kind, a, b, c, d] => (kind, u32::from_be_bytes([a, b, c, d])),
            _ => return Err(BadToken::Malformed),
        };
        let kind = match kind {
            1 => Kind::Whole,
            2 => Kind::Pointer,
            3 => Kind::Record,
            _ => return Err(BadToken::Malformed),
        };
        let key = self.seal.iter().find(|(held, _)| *held == version);
        let (_, key) = key.ok_or(BadToken::UnknownKey { version })?;
        let nonce = <[u8; AEAD_NONCE_BYTES]>::try_from(&*nonce).map_err(|_| BadToken::Malformed)?;
        let plain = key.open_in_place(nonce, &associated(header), sealed).map_err(|_| BadToken::DoesNotOpen)?;
        Ok((kind, Secret::new(plain.to_vec())))
    }
}

fn associated(header: &[u8]) -> Vec<u8> {
    [LABEL, header].concat()
}

/// A sealed session: the token, and what must be kept as a record when it did not fit.
pub struct Sealed {
    /// What the caller gets; at most [`TOKEN_LEN_MAX`] characters.
    pub token: Secret<String>,
    /// The body for the record, when the token only points to it.
    pub record: Option<Vec<u8>>,
}

/// What an opened token says.
pub enum Opened {
    /// The session.
    Session(Box<Session>),
    /// The session is in a record of the issuing region.
    Pointer(Pointer),
}

/// The small token of a large session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pointer {
    /// The session, which names the record.
    pub session: base::SessionId,
    /// SHA-256 of the record's bytes.
    pub digest: Sha256Digest,
    /// The access key that the token is bound to.
    pub key: AccessKeyId,
    /// When the session ends.
    pub expires: Timestamp,
}

/// Seals a session.
///
/// # Errors
/// [`crypto::Error`] when there is no key or the library refuses.
pub fn seal(keys: &SealKeys, crypto: &Crypto, session: &Session) -> Result<Sealed, crypto::Error> {
    let plain = body::write(session);
    let whole = URL_SAFE_NO_PAD.encode(keys.seal(crypto, Kind::Whole, plain.clone())?);
    if whole.len() <= TOKEN_LEN_MAX {
        return Ok(Sealed { token: Secret::new(whole), record: None });
    }
    let record = keys.seal(crypto, Kind::Record, plain)?;
    let pointer = Pointer {
        session: session.id,
        digest: crypto::sha256(&record),
        key: session.access_key_id.clone(),
        expires: session.expires,
    };
    let bytes = serde_json::to_vec(&pointer).unwrap_or_default();
    let token = URL_SAFE_NO_PAD.encode(keys.seal(crypto, Kind::Pointer, bytes)?);
    Ok(Sealed { token: Secret::new(token), record: Some(record) })
}

/// Opens a token.
///
/// # Errors
/// [`BadToken`]; never more is said of what is wrong than where it stopped.
pub fn open(keys: &SealKeys, token: &str) -> Result<Opened, BadToken> {
    if token.len() > TOKEN_LEN_MAX {
        return Err(BadToken::Malformed);
    }
    let bytes = URL_SAFE_NO_PAD.decode(token).map_err(|_| BadToken::Malformed)?;
    match keys.open(bytes)? {
        (Kind::Whole, plain) => body::read(plain.expose()).map(Box::new).map(Opened::Session),
        (Kind::Pointer, plain) => {
            serde_json::from_slice(plain.expose()).map(Opened::Pointer).map_err(|_| BadToken::Malformed)
        }
        (Kind::Record, _) => Err(BadToken::Malformed),
    }
}

/// Opens the record that a pointer names.
///
/// # Errors
/// [`BadToken`] when the record is not the one that was issued with this pointer.
pub fn open_record(keys: &SealKeys, pointer: &Pointer, record: &[u8]) -> Result<Session, BadToken> {
    if record.len() > RECORD_LEN_MAX || crypto::sha256(record) != pointer.digest {
        return Err(BadToken::DoesNotOpen);
    }
    let (kind, plain) = keys.open(record.to_vec())?;
    let session = body::read(plain.expose())?;
    if kind == Kind::Record && session.id == pointer.session && session.access_key_id == pointer.key {
        Ok(session)
    } else {
        Err(BadToken::DoesNotOpen)
    }
}

/// Room for the policies and tags of one session, in packed bytes; 100 % of it is what `PackedPolicySize` counts to.
/// AWS does not publish its own; this takes the largest session policy with 25 full tags.
pub const PACKED_BYTES_MAX: usize = 8192;

/// How much of the room policies and tags take, in percent, rounded up; more than 100 is refused.
pub fn packed_percent(session: &Session) -> u32 {
    let policies = session.policies.iter().map(|policy| policy.packed_len() + policy.origin.len());
    let tags = session.tags.iter().map(|tag| tag.key.len() + tag.value.len() + 2);
    let transitive = session.transitive.len();
    let used = policies.chain(tags).sum::<usize>() + transitive;
    u32::try_from((used * 100).div_ceil(PACKED_BYTES_MAX)).unwrap_or(u32::MAX)
}
