//! Public keys by id (JWK Set, RFC 7517): what a provider publishes and a verifier selects from.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use crypto::{PublicKey, SignatureScheme, VerifyingKey, sha256};
use serde_json::{Map, Value, json};

use super::{Error, error::shown, strict};

/// Keys in one set; providers publish two to five, and every token lookup walks them.
pub const KEYS_MAX: usize = 32;
/// RSA moduli shorter than 2,048 bits are refused (NIST SP 800-131A).
const RSA_MODULUS_BYTES_MIN: usize = 256;
/// RSA moduli longer than 8,192 bits cost too much to verify.
const RSA_MODULUS_BYTES_MAX: usize = 1024;

/// One public key that verifies tokens.
#[derive(Clone, Debug)]
pub struct Jwk {
    key_id: String,
    key: PublicKey,
    /// The key set up for the scheme that it is published with: it lives and dies with the key.
    ready: Option<VerifyingKey>,
}

impl PartialEq for Jwk {
    fn eq(&self, other: &Self) -> bool {
        (&self.key_id, &self.key) == (&other.key_id, &other.key)
    }
}

impl Eq for Jwk {}

impl Jwk {
    /// A key under its thumbprint (RFC 7638), so that the same key always has the same id.
    pub fn new(key: PublicKey) -> Self {
        let b64 = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
        // The members in the order that RFC 7638, section 3.2 prescribes.
        let canonical = match &key {
            PublicKey::Ed25519 { x } => format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{}"}}"#, b64(x)),
            PublicKey::P256 { x, y } => {
                format!(r#"{{"crv":"P-256","kty":"EC","x":"{}","y":"{}"}}"#, b64(x), b64(y))
            }
            PublicKey::P384 { x, y } => {
                format!(r#"{{"crv":"P-384","kty":"EC","x":"{}","y":"{}"}}"#, b64(x), b64(y))
            }
            PublicKey::Rsa { n, e } => format!(r#"{{"e":"{}","kty":"RSA","n":"{}"}}"#, b64(e), b64(n)),
        };
        let ready = VerifyingKey::new(&key, SignatureScheme::Rs256);
        Self { key_id: b64(&sha256(canonical.as_bytes()).0), key, ready }
    }

    /// The key id.
    pub fn key_id(&self) -> &str {
        &self.key_id
    }

    /// Refuses a scheme that is not the key's: the header never chooses how a key is used.
    fn allows(&self, scheme: SignatureScheme) -> Result<(), Error> {
        use SignatureScheme::{Es256, Es384, Rs256, Rs384, Rs512};
        let fits = match self.key {
            PublicKey::Rsa { .. } => matches!(scheme, Rs256 | Rs384 | Rs512),
            PublicKey::P256 { .. } => scheme == Es256,
            PublicKey::P384 { .. } => scheme == Es384,
            PublicKey::Ed25519 { .. } => false,
        };
        if fits { Ok(()) } else { Err(Error::AlgorithmOfOtherKey { scheme: scheme.name(), key: self.key.name() }) }
    }

    /// Checks a signature in the JOSE form of `scheme`.
    pub(super) fn verify(&self, scheme: SignatureScheme, signed: &[u8], signature: &[u8]) -> Result<(), Error> {
        self.allows(scheme)?;
        let checked = match &self.ready {
            Some(ready) if ready.scheme() == scheme => ready.verify(signed, signature),
            _ => self.key.verify(scheme, signed, signature),
        };
        checked.map_err(|_| Error::BadSignature)
    }

    /// The JWK as it is published.
    pub fn to_json(&self) -> Value {
        let b64 = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
        let mut out = match &self.key {
            PublicKey::Ed25519 { x } => json!({"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "x": b64(x)}),
            PublicKey::P256 { x, y } => json!({"kty": "EC", "crv": "P-256", "alg": "ES256", "x": b64(x), "y": b64(y)}),
            PublicKey::P384 { x, y } => json!({"kty": "EC", "crv": "P-384", "alg": "ES384", "x": b64(x), "y": b64(y)}),
            PublicKey::Rsa { n, e } => json!({"kty": "RSA", "alg": "RS256", "n": b64(n), "e": b64(e)}),
        };
        if let Some(map) = out.as_object_mut() {
            map.insert("use".to_owned(), json!("sig"));
            map.insert("kid".to_owned(), json!(self.key_id));
        }
        out
    }

    /// Reads one JWK; `None` for a key that is not for signatures or of a kind that is not used here.
    fn read(index: usize, map: &Map<String, Value>) -> Result<Option<Self>, Error> {
        let bad = |reason| Error::BadKey { index, reason };
        if map.get("use").is_some_and(|usage| usage != "sig") {
            return Ok(None);
        }
        let number = |name: &str| {
            let text = map.get(name).and_then(Value::as_str).ok_or(bad("a number is missing"))?;
            BASE64_URL_SAFE_NO_PAD.decode(text).map_err(|_| bad("a number is not base64url"))
        };
        let point = |coordinate_bytes: usize| {
            let point = [&[4][..], &number("x")?, &number("y")?].concat();
            if point.len() == 1 + 2 * coordinate_bytes {
                Ok(point)
            } else {
                Err(bad("a coordinate has the wrong length"))
            }
        };
        let kind = (map.get("kty").and_then(Value::as_str), map.get("crv").and_then(Value::as_str));
        let key = match kind {
            (Some("RSA"), _) => {
                let (n, e) = (number("n")?, number("e")?);
                if n.first() == Some(&0) || !(RSA_MODULUS_BYTES_MIN..=RSA_MODULUS_BYTES_MAX).contains(&n.len()) {
                    return Err(bad("an RSA modulus must have 2,048 to 8,192 bits and no leading zero"));
                }
                if e.is_empty() || e.len() > 4 || e.last().is_none_or(|low| low % 2 == 0) {
                    return Err(bad("an RSA exponent must be odd and at most 32 bits long"));
                }
                PublicKey::Rsa { n, e }
            }
            (Some("EC"), Some("P-256")) => {
                PublicKey::p256_from_point(&point(32)?).map_err(|_| bad("not a P-256 point"))?
            }
            (Some("EC"), Some("P-384")) => {
                PublicKey::p384_from_point(&point(48)?).map_err(|_| bad("not a P-384 point"))?
            }
            (None, _) => return Err(bad("`kty` is missing")),
            _ => return Ok(None),
        };
        let mut jwk = Self::new(key);
        if let Some(kid) = map.get("kid") {
            jwk.key_id = kid.as_str().ok_or(bad("`kid` is not a string"))?.to_owned();
        }
        Ok(Some(jwk))
    }
}

/// The keys of one issuer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeySet(Vec<Jwk>);

impl KeySet {
    /// A set of keys, newest first.
    pub const fn new(keys: Vec<Jwk>) -> Self {
        Self(keys)
    }

    /// Reads a published set; keys of kinds that are not used here are left out.
    ///
    /// # Errors
    /// [`Error::NotJson`], [`Error::TooManyKeys`], [`Error::BadKey`].
    pub fn parse(bytes: &[u8]) -> Result<Self, Error> {
        let part = "key set";
        let set = strict::object(part, bytes)?;
        let list = set.get("keys").and_then(Value::as_array);
        let list = list.ok_or(Error::NotJson { part, reason: "`keys` is not a list" })?;
        if list.len() > KEYS_MAX {
            return Err(Error::TooManyKeys { keys: list.len(), max: KEYS_MAX });
        }
        let mut keys: Vec<Jwk> = Vec::new();
        for (index, key) in list.iter().enumerate() {
            let map = key.as_object().ok_or(Error::BadKey { index, reason: "it is not an object" })?;
            if let Some(key) = Jwk::read(index, map)? {
                if keys.iter().any(|other| other.key_id == key.key_id) {
                    return Err(Error::BadKey { index, reason: "its `kid` is that of another key" });
                }
                keys.push(key);
            }
        }
        Ok(Self(keys))
    }

    /// The set as it is published.
    pub fn to_json(&self) -> Value {
        json!({"keys": self.0.iter().map(Jwk::to_json).collect::<Vec<_>>()})
    }

    /// The keys.
    pub fn keys(&self) -> &[Jwk] {
        &self.0
    }

    pub(super) fn select(&self, key_id: Option<&str>) -> Result<&Jwk, Error> {
        match (key_id, self.0.as_slice()) {
            (Some(id), keys) => {
                keys.iter().find(|key| key.key_id == id).ok_or_else(|| Error::UnknownKey { key_id: shown(id) })
            }
            (None, [only]) => Ok(only),
            (None, keys) => Err(Error::NoKeyId { keys: keys.len() }),
        }
    }
}
