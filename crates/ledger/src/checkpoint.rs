//! Checkpoints (c2sp.org/tlog-checkpoint) as signed notes (c2sp.org/signed-note) with Ed25519.

use base64::prelude::{BASE64_STANDARD, Engine as _};
use crypto::{PublicKey, Sha256Digest, SignatureScheme};
use serde::{Deserialize, Serialize};
use signed_note::{Note, Signature, Verifier, VerifierList};
use std::{fmt, str::FromStr};
use tlog_tiles::{Checkpoint, Hash};

use crate::{Error, LogFiles, SignerError, files::read, layout};

/// Algorithm byte of Ed25519 in a signed note's key.
const NOTE_ED25519: u8 = 1;

/// Longest origin, so that a checkpoint stays small.
const ORIGIN_BYTES_MAX: usize = 200;

/// The name of one log, such as `galen.example/eu-west-1/node-1`; also the name of its key.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Origin(String);

impl Origin {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Origin {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self, Error> {
        let sound = signed_note::is_key_name_valid(text)
            && text.len() <= ORIGIN_BYTES_MAX
            && !text.chars().any(char::is_control);
        if sound {
            Ok(Self(text.to_owned()))
        } else {
            Err(Error::BadOrigin { origin: text.chars().take(ORIGIN_BYTES_MAX).collect() })
        }
    }
}

impl TryFrom<String> for Origin {
    type Error = Error;
    fn try_from(text: String) -> Result<Self, Error> {
        text.parse()
    }
}

impl From<Origin> for String {
    fn from(origin: Origin) -> Self {
        origin.0
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Origin({})", self.0)
    }
}

/// Signs the text of a checkpoint; custody stands behind it.
pub trait CheckpointSigner: Send + Sync {
    /// The Ed25519 public key that verifies what [`CheckpointSigner::sign`] gives.
    fn public_key(&self) -> [u8; 32];

    /// An Ed25519 signature of `text`.
    ///
    /// # Errors
    /// Whatever keeps the key from signing; the checkpoint is then tried again later.
    fn sign(&self, text: &[u8]) -> Result<Vec<u8>, SignerError>;
}

/// A [`CheckpointSigner`] made of a public key and a closure.
pub struct SignWith<F> {
    public_key: [u8; 32],
    sign: F,
}

impl<F> SignWith<F>
where
    F: Fn(&[u8]) -> Result<Vec<u8>, SignerError> + Send + Sync,
{
    /// `sign` must sign under the private half of `public_key`.
    pub const fn new(public_key: [u8; 32], sign: F) -> Self {
        Self { public_key, sign }
    }
}

impl<F> CheckpointSigner for SignWith<F>
where
    F: Fn(&[u8]) -> Result<Vec<u8>, SignerError> + Send + Sync,
{
    fn public_key(&self) -> [u8; 32] {
        self.public_key
    }
    fn sign(&self, text: &[u8]) -> Result<Vec<u8>, SignerError> {
        (self.sign)(text)
    }
}

/// The public key of a log, with its name; its text form is the verifier key of c2sp.org/signed-note.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogKey {
    origin: Origin,
    public_key: [u8; 32],
}

impl LogKey {
    /// The key under which `origin` signs.
    pub const fn new(origin: Origin, public_key: [u8; 32]) -> Self {
        Self { origin, public_key }
    }

    /// The key that a log's own key file names; `None` when there is no such file. It says which log the folder claims
    /// to be: whoever can write the folder can replace it, so a verifier that must be sure brings its own key.
    ///
    /// # Errors
    /// [`Error::FileUnreadable`] or [`Error::BadLogKey`].
    pub fn claimed(files: &dyn LogFiles) -> Result<Option<Self>, Error> {
        let Some(bytes) = read(files, layout::LOG_KEY)? else { return Ok(None) };
        let text = std::str::from_utf8(&bytes).ok().and_then(|text| text.strip_suffix('\n')).ok_or(Error::BadLogKey)?;
        text.parse().map(Some)
    }

    /// The log that it belongs to.
    pub const fn origin(&self) -> &Origin {
        &self.origin
    }

    /// The raw Ed25519 key.
    pub const fn public_key(&self) -> &[u8; 32] {
        &self.public_key
    }

    fn encoded(&self) -> Vec<u8> {
        let mut out = vec![NOTE_ED25519];
        out.extend_from_slice(&self.public_key);
        out
    }

    /// The 32-bit key id of the note format.
    pub fn id(&self) -> u32 {
        signed_note::key_id(self.origin.as_str(), &self.encoded())
    }
}

impl fmt::Display for LogKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}+{:08x}+{}", self.origin, self.id(), BASE64_STANDARD.encode(self.encoded()))
    }
}

impl FromStr for LogKey {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self, Error> {
        let (origin, rest) = text.split_once('+').ok_or(Error::BadLogKey)?;
        let (_, key) = rest.split_once('+').ok_or(Error::BadLogKey)?;
        let key = BASE64_STANDARD.decode(key).map_err(|_| Error::BadLogKey)?;
        let Some((&NOTE_ED25519, public_key)) = key.split_first() else { return Err(Error::BadLogKey) };
        let public_key = public_key.try_into().map_err(|_| Error::BadLogKey)?;
        let parsed = Self { origin: origin.parse().map_err(|_| Error::BadLogKey)?, public_key };
        // One spelling only: this also checks the id.
        if parsed.to_string() == text { Ok(parsed) } else { Err(Error::BadLogKey) }
    }
}

/// Lets the note library verify with our provider's Ed25519.
struct NoteVerifier {
    name: String,
    id: u32,
    key: PublicKey,
}

impl Verifier for NoteVerifier {
    fn name(&self) -> &str {
        &self.name
    }
    fn key_id(&self) -> u32 {
        self.id
    }
    fn verify(&self, text: &[u8], signature: &[u8]) -> bool {
        self.key.verify(SignatureScheme::EdDsa, text, signature).is_ok()
    }
}

/// Which log, how many entries, and the root over them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TreeHead {
    /// The log.
    pub origin: Origin,
    /// Entries.
    pub size: u64,
    /// Root of the tree over them.
    pub root: Sha256Digest,
}

impl TreeHead {
    /// The signed note of this head.
    ///
    /// # Errors
    /// [`Error::Signing`] when the signer fails, [`Error::Unsigned`] when its signature does not verify.
    pub fn sign(&self, signer: &dyn CheckpointSigner) -> Result<Vec<u8>, Error> {
        let key = LogKey::new(self.origin.clone(), signer.public_key());
        let text = Checkpoint::new(self.origin.as_str(), self.size, Hash(self.root.0), "")
            .map_err(|_| Error::BadCheckpoint)?
            .to_bytes();
        let signature = signer.sign(&text).map_err(|source| Error::Signing { source })?;
        let signature = Signature::new(self.origin.to_string(), key.id(), signature).map_err(|_| Error::BadLogKey)?;
        let note = Note::new(&text, &[signature]).map_err(|_| Error::BadCheckpoint)?.to_bytes();
        VerifiedCheckpoint::verify(&note, std::slice::from_ref(&key)).map(|_| note)
    }
}

/// A checkpoint whose signature by a trusted log key was checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedCheckpoint {
    head: TreeHead,
    signatures: usize,
}

impl VerifiedCheckpoint {
    /// Checks that one of `keys`, of the log named in the text, has signed `note`.
    ///
    /// # Errors
    /// [`Error::BadCheckpoint`] or [`Error::Unsigned`].
    pub fn verify(note: &[u8], keys: &[LogKey]) -> Result<Self, Error> {
        let parsed = Note::from_bytes(note).map_err(|_| Error::BadCheckpoint)?;
        if parsed.to_bytes() != note {
            return Err(Error::BadCheckpoint);
        }
        let text = Checkpoint::from_bytes(parsed.text()).map_err(|_| Error::BadCheckpoint)?;
        if text.to_bytes() != parsed.text() {
            return Err(Error::BadCheckpoint);
        }
        let verifiers: Vec<Box<dyn Verifier>> = keys
            .iter()
            .filter(|key| key.origin.as_str() == text.origin())
            .map(|key| -> Box<dyn Verifier> {
                let public = PublicKey::Ed25519 { x: key.public_key };
                Box::new(NoteVerifier { name: key.origin.to_string(), id: key.id(), key: public })
            })
            .collect();
        let (verified, other) = parsed.verify(&VerifierList::new(verifiers)).map_err(|_| Error::Unsigned)?;
        let head = TreeHead {
            origin: text.origin().parse().map_err(|_| Error::BadCheckpoint)?,
            size: text.size(),
            root: Sha256Digest(text.hash().0),
        };
        Ok(Self { head, signatures: verified.len() + other.len() })
    }

    /// What was signed.
    pub const fn head(&self) -> &TreeHead {
        &self.head
    }

    /// Signatures on the note, those of witnesses included; only the log's own were checked.
    pub const fn signatures(&self) -> usize {
        self.signatures
    }
}
