//! Signatures: Ed25519 (RFC 8032), ECDSA on P-256 and P-384 and RSA (2048 bits and more) in the forms of JOSE
//! (RFC 7518, RFC 8037), with raw public numbers for a JWK.

use aws_lc_rs::{
    encoding::AsDer,
    rand::SystemRandom,
    rsa::KeySize,
    signature::{
        self, EcdsaKeyPair, Ed25519KeyPair, KeyPair, ParsedPublicKey, RsaKeyPair, RsaParameters,
        RsaPublicKeyComponents, UnparsedPublicKey,
    },
};
use base::Secret;
use std::{fmt, sync::Arc};

use crate::Error;

/// Bytes of an Ed25519 signature.
pub const ED25519_SIGNATURE_BYTES: usize = 64;

/// First byte of an uncompressed elliptic-curve point (SEC 1, section 2.3.3).
const UNCOMPRESSED_POINT: u8 = 4;

/// Kind and size of a key pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeyAlgorithm {
    /// Ed25519.
    Ed25519,
    /// ECDSA on P-256.
    P256,
    /// ECDSA on P-384.
    P384,
    /// RSA with 2048 bits.
    Rsa2048,
    /// RSA with 3072 bits.
    Rsa3072,
    /// RSA with 4096 bits.
    Rsa4096,
}

impl KeyAlgorithm {
    /// The name used in messages.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ed25519 => "Ed25519",
            Self::P256 => "ECDSA P-256",
            Self::P384 => "ECDSA P-384",
            Self::Rsa2048 => "RSA-2048",
            Self::Rsa3072 => "RSA-3072",
            Self::Rsa4096 => "RSA-4096",
        }
    }
}

/// A signature scheme, named as in the JOSE `alg` header. There is no `none` and no shared-key scheme, by design.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SignatureScheme {
    /// Ed25519 (RFC 8037).
    EdDsa,
    /// ECDSA P-256 with SHA-256, `r || s`.
    Es256,
    /// ECDSA P-384 with SHA-384, `r || s`.
    Es384,
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
    /// RSASSA-PKCS1-v1_5 with SHA-384.
    Rs384,
    /// RSASSA-PKCS1-v1_5 with SHA-512.
    Rs512,
    /// RSASSA-PSS with SHA-256.
    Ps256,
}

impl SignatureScheme {
    /// The JOSE name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::EdDsa => "EdDSA",
            Self::Es256 => "ES256",
            Self::Es384 => "ES384",
            Self::Rs256 => "RS256",
            Self::Rs384 => "RS384",
            Self::Rs512 => "RS512",
            Self::Ps256 => "PS256",
        }
    }

    /// The scheme of a JOSE `alg` value; `None` for everything that Galen does not accept, `none` included.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::EdDsa, Self::Es256, Self::Es384, Self::Rs256, Self::Rs384, Self::Rs512, Self::Ps256]
            .into_iter()
            .find(|scheme| scheme.name() == name)
    }
}

enum Pair {
    Ed25519(Box<Ed25519KeyPair>),
    P256(Box<EcdsaKeyPair>),
    P384(Box<EcdsaKeyPair>),
    Rsa(Box<RsaKeyPair>),
}

/// A private key in the memory of this process. Only custody holds such values; everyone else asks custody to sign.
pub struct PrivateKey(Pair);

impl PrivateKey {
    pub(crate) fn generate(algorithm: KeyAlgorithm) -> Result<Self, Error> {
        let failed = |_| Error::Library { operation: "generate a key pair" };
        let rsa = |size| RsaKeyPair::generate(size).map(|pair| Pair::Rsa(Box::new(pair))).map_err(failed);
        Ok(Self(match algorithm {
            KeyAlgorithm::Ed25519 => Pair::Ed25519(Box::new(Ed25519KeyPair::generate().map_err(failed)?)),
            KeyAlgorithm::P256 => Pair::P256(Box::new(
                EcdsaKeyPair::generate(&signature::ECDSA_P256_SHA256_FIXED_SIGNING).map_err(failed)?,
            )),
            KeyAlgorithm::P384 => Pair::P384(Box::new(
                EcdsaKeyPair::generate(&signature::ECDSA_P384_SHA384_FIXED_SIGNING).map_err(failed)?,
            )),
            KeyAlgorithm::Rsa2048 => rsa(KeySize::Rsa2048)?,
            KeyAlgorithm::Rsa3072 => rsa(KeySize::Rsa3072)?,
            KeyAlgorithm::Rsa4096 => rsa(KeySize::Rsa4096)?,
        }))
    }

    /// An Ed25519 key from its seed (RFC 8032, section 5.1.5).
    ///
    /// # Errors
    /// [`Error::BadKey`] when the library rejects the seed.
    pub fn ed25519_from_seed(seed: &Secret<[u8; 32]>) -> Result<Self, Error> {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed.expose())
            .map_err(|_| Error::BadKey { algorithm: KeyAlgorithm::Ed25519.name() })?;
        Ok(Self(Pair::Ed25519(Box::new(pair))))
    }

    /// Reads a PKCS#8 document (RFC 5958). For RSA any size of 2048 to 8192 bits is taken, whichever is named.
    ///
    /// # Errors
    /// [`Error::BadKey`] when the bytes are not a key of this algorithm.
    pub fn from_pkcs8(algorithm: KeyAlgorithm, document: &Secret<Vec<u8>>) -> Result<Self, Error> {
        let bad = |_| Error::BadKey { algorithm: algorithm.name() };
        let der = document.expose().as_slice();
        Ok(Self(match algorithm {
            KeyAlgorithm::Ed25519 => {
                Pair::Ed25519(Box::new(Ed25519KeyPair::from_pkcs8_maybe_unchecked(der).map_err(bad)?))
            }
            KeyAlgorithm::P256 => Pair::P256(Box::new(
                EcdsaKeyPair::from_pkcs8(&signature::ECDSA_P256_SHA256_FIXED_SIGNING, der).map_err(bad)?,
            )),
            KeyAlgorithm::P384 => Pair::P384(Box::new(
                EcdsaKeyPair::from_pkcs8(&signature::ECDSA_P384_SHA384_FIXED_SIGNING, der).map_err(bad)?,
            )),
            KeyAlgorithm::Rsa2048 | KeyAlgorithm::Rsa3072 | KeyAlgorithm::Rsa4096 => {
                Pair::Rsa(Box::new(RsaKeyPair::from_pkcs8(der).map_err(bad)?))
            }
        }))
    }

    /// The key as a PKCS#8 document, to be sealed before it is stored.
    ///
    /// # Errors
    /// [`Error::Library`] when the library cannot encode it.
    pub fn to_pkcs8(&self) -> Result<Secret<Vec<u8>>, Error> {
        let failed = |_| Error::Library { operation: "encode a private key" };
        Ok(Secret::new(match &self.0 {
            Pair::Ed25519(pair) => pair.to_pkcs8v1().map_err(failed)?.as_ref().to_vec(),
            Pair::P256(pair) | Pair::P384(pair) => pair.to_pkcs8v1().map_err(failed)?.as_ref().to_vec(),
            Pair::Rsa(pair) => pair.as_der().map_err(failed)?.as_ref().to_vec(),
        }))
    }

    /// Kind and size of this key; an RSA key of another size is reported as the next smaller one listed.
    pub fn algorithm(&self) -> KeyAlgorithm {
        match &self.0 {
            Pair::Ed25519(_) => KeyAlgorithm::Ed25519,
            Pair::P256(_) => KeyAlgorithm::P256,
            Pair::P384(_) => KeyAlgorithm::P384,
            Pair::Rsa(pair) => match pair.public_modulus_len() {
                0..384 => KeyAlgorithm::Rsa2048,
                384..512 => KeyAlgorithm::Rsa3072,
                _ => KeyAlgorithm::Rsa4096,
            },
        }
    }

    /// The scheme this key signs with unless told otherwise.
    pub const fn default_scheme(&self) -> SignatureScheme {
        match &self.0 {
            Pair::Ed25519(_) => SignatureScheme::EdDsa,
            Pair::P256(_) => SignatureScheme::Es256,
            Pair::P384(_) => SignatureScheme::Es384,
            Pair::Rsa(_) => SignatureScheme::Rs256,
        }
    }

    /// Signs `message` (which is hashed here) in the JOSE form of `scheme`.
    ///
    /// # Errors
    /// [`Error::WrongScheme`] when the key is of another kind.
    pub fn sign(&self, scheme: SignatureScheme, message: &[u8]) -> Result<Vec<u8>, Error> {
        let failed = |_| Error::Library { operation: "sign" };
        match (&self.0, scheme) {
            (Pair::Ed25519(pair), SignatureScheme::EdDsa) => {
                Ok(pair.try_sign(message).map_err(failed)?.as_ref().to_vec())
            }
            (Pair::P256(pair), SignatureScheme::Es256) | (Pair::P384(pair), SignatureScheme::Es384) => {
                Ok(pair.sign(&SystemRandom::new(), message).map_err(failed)?.as_ref().to_vec())
            }
            (Pair::Rsa(pair), _) => {
                let encoding: &'static dyn signature::RsaEncoding = match scheme {
                    SignatureScheme::Rs256 => &signature::RSA_PKCS1_SHA256,
                    SignatureScheme::Rs384 => &signature::RSA_PKCS1_SHA384,
                    SignatureScheme::Rs512 => &signature::RSA_PKCS1_SHA512,
                    SignatureScheme::Ps256 => &signature::RSA_PSS_SHA256,
                    SignatureScheme::EdDsa | SignatureScheme::Es256 | SignatureScheme::Es384 => {
                        return Err(Error::WrongScheme { key: "RSA", scheme: scheme.name() });
                    }
                };
                let mut out = vec![0; pair.public_modulus_len()];
                pair.sign(encoding, &SystemRandom::new(), message, &mut out).map_err(failed)?;
                Ok(out)
            }
            _ => Err(Error::WrongScheme { key: self.algorithm().name(), scheme: scheme.name() }),
        }
    }

    /// The public half.
    ///
    /// # Errors
    /// [`Error::Library`] when the library gives a key of unexpected shape.
    pub fn public_key(&self) -> Result<PublicKey, Error> {
        let odd = Error::Library { operation: "export a public key" };
        match &self.0 {
            Pair::Ed25519(pair) => PublicKey::ed25519(pair.public_key().as_ref()).map_err(|_| odd),
            Pair::P256(pair) => PublicKey::p256_from_point(pair.public_key().as_ref()).map_err(|_| odd),
            Pair::P384(pair) => PublicKey::p384_from_point(pair.public_key().as_ref()).map_err(|_| odd),
            Pair::Rsa(pair) => {
                let (n, e) = rsa_numbers(pair.public_key().as_ref()).ok_or(odd)?;
                Ok(PublicKey::Rsa { n, e })
            }
        }
    }
}

/// A public key as the numbers that a JWK carries (RFC 7518, section 6), big-endian.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum PublicKey {
    /// `kty` OKP, `crv` Ed25519.
    Ed25519 {
        /// The 32-byte key of RFC 8032.
        x: [u8; 32],
    },
    /// `kty` EC, `crv` P-256.
    P256 {
        /// First coordinate.
        x: [u8; 32],
        /// Second coordinate.
        y: [u8; 32],
    },
    /// `kty` EC, `crv` P-384.
    P384 {
        /// First coordinate.
        x: [u8; 48],
        /// Second coordinate.
        y: [u8; 48],
    },
    /// `kty` RSA.
    Rsa {
        /// Modulus without leading zeros.
        n: Vec<u8>,
        /// Exponent without leading zeros.
        e: Vec<u8>,
    },
}

impl PublicKey {
    /// An Ed25519 key from its 32 raw bytes.
    ///
    /// # Errors
    /// [`Error::BadKey`] for another length.
    pub fn ed25519(raw: &[u8]) -> Result<Self, Error> {
        let x = raw.try_into().map_err(|_| Error::BadKey { algorithm: KeyAlgorithm::Ed25519.name() })?;
        Ok(Self::Ed25519 { x })
    }

    /// A P-256 key from its uncompressed point (65 bytes).
    ///
    /// # Errors
    /// [`Error::BadKey`] for another form. Whether the point is on the curve is found when it is used.
    pub fn p256_from_point(point: &[u8]) -> Result<Self, Error> {
        let (x, y) = coordinates(point).ok_or(Error::BadKey { algorithm: KeyAlgorithm::P256.name() })?;
        Ok(Self::P256 { x, y })
    }

    /// A P-384 key from its uncompressed point (97 bytes).
    ///
    /// # Errors
    /// As [`PublicKey::p256_from_point`].
    pub fn p384_from_point(point: &[u8]) -> Result<Self, Error> {
        let (x, y) = coordinates(point).ok_or(Error::BadKey { algorithm: KeyAlgorithm::P384.name() })?;
        Ok(Self::P384 { x, y })
    }

    /// The name used in messages.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Ed25519 { .. } => "Ed25519",
            Self::P256 { .. } => "ECDSA P-256",
            Self::P384 { .. } => "ECDSA P-384",
            Self::Rsa { .. } => "RSA",
        }
    }

    /// Checks a signature of `message` in the JOSE form of `scheme`. RSA moduli of 2048 to 8192 bits are accepted.
    ///
    /// # Errors
    /// [`Error::WrongScheme`] when the key is of another kind than the scheme, else [`Error::DoesNotVerify`].
    pub fn verify(&self, scheme: SignatureScheme, message: &[u8], signature: &[u8]) -> Result<(), Error> {
        let verified = match (self, scheme) {
            (Self::Ed25519 { x }, SignatureScheme::EdDsa) => {
                UnparsedPublicKey::new(&signature::ED25519, x).verify(message, signature)
            }
            (Self::P256 { x, y }, SignatureScheme::Es256) => {
                UnparsedPublicKey::new(&signature::ECDSA_P256_SHA256_FIXED, point(x, y)).verify(message, signature)
            }
            (Self::P384 { x, y }, SignatureScheme::Es384) => {
                UnparsedPublicKey::new(&signature::ECDSA_P384_SHA384_FIXED, point(x, y)).verify(message, signature)
            }
            (Self::Rsa { n, e }, _) => {
                let wrong = Error::WrongScheme { key: self.name(), scheme: scheme.name() };
                let parameters = rsa_verification(scheme).ok_or(wrong)?;
                RsaPublicKeyComponents { n, e }.verify(parameters, message, signature)
            }
            _ => return Err(Error::WrongScheme { key: self.name(), scheme: scheme.name() }),
        };
        verified.map_err(|_| Error::DoesNotVerify)
    }
}

/// A public key that is set up for one scheme, for whoever checks many signatures with it. It checks as [`PublicKey::verify`]
/// does.
#[derive(Clone)]
pub struct VerifyingKey {
    scheme: SignatureScheme,
    parsed: Arc<ParsedPublicKey>,
}

impl VerifyingKey {
    /// Sets up an RSA key for a scheme, which is the work that a check would begin with each time; `None` for
    /// what has no such work, and for numbers that are no key.
    pub fn new(public: &PublicKey, scheme: SignatureScheme) -> Option<Self> {
        let (PublicKey::Rsa { n, e }, Some(parameters)) = (public, rsa_verification(scheme)) else { return None };
        let parsed = RsaPublicKeyComponents { n, e }.to_parsed_public_key(parameters).ok()?;
        Some(Self { scheme, parsed: Arc::new(parsed) })
    }

    /// The scheme that it is set up for.
    pub const fn scheme(&self) -> SignatureScheme {
        self.scheme
    }

    /// Checks a signature of `message` in the JOSE form of its scheme.
    ///
    /// # Errors
    /// [`Error::DoesNotVerify`].
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), Error> {
        self.parsed.verify_sig(message, signature).map_err(|_| Error::DoesNotVerify)
    }
}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("VerifyingKey").field(&self.scheme).finish()
    }
}

/// How the library checks an RSA signature of a scheme; `None` for the scheme of another kind of key.
const fn rsa_verification(scheme: SignatureScheme) -> Option<&'static RsaParameters> {
    match scheme {
        SignatureScheme::Rs256 => Some(&signature::RSA_PKCS1_2048_8192_SHA256),
        SignatureScheme::Rs384 => Some(&signature::RSA_PKCS1_2048_8192_SHA384),
        SignatureScheme::Rs512 => Some(&signature::RSA_PKCS1_2048_8192_SHA512),
        SignatureScheme::Ps256 => Some(&signature::RSA_PSS_2048_8192_SHA256),
        SignatureScheme::EdDsa | SignatureScheme::Es256 | SignatureScheme::Es384 => None,
    }
}

fn coordinates<const N: usize>(point: &[u8]) -> Option<([u8; N], [u8; N])> {
    let (&UNCOMPRESSED_POINT, rest) = point.split_first()? else { return None };
    let (x, y) = rest.split_at_checked(N)?;
    Some((x.try_into().ok()?, y.try_into().ok()?))
}

fn point(x: &[u8], y: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(1 + x.len() + y.len());
    out.push(UNCOMPRESSED_POINT);
    out.extend_from_slice(x);
    out.extend_from_slice(y);
    out
}

/// DER tags of `RSAPublicKey` (RFC 8017, appendix A.1.1).
const DER_SEQUENCE: u8 = 0x30;
const DER_INTEGER: u8 = 0x02;

/// Modulus and exponent of an `RSAPublicKey ::= SEQUENCE { n INTEGER, e INTEGER }` that the library wrote.
fn rsa_numbers(document: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let (sequence, []) = der_element(DER_SEQUENCE, document)? else { return None };
    let (n, rest) = der_element(DER_INTEGER, sequence)?;
    let (e, []) = der_element(DER_INTEGER, rest)? else { return None };
    let unsigned = |number: &[u8]| number.iter().skip_while(|byte| **byte == 0).copied().collect();
    Some((unsigned(n), unsigned(e)))
}

/// The content of the first element, which must have this tag, and what follows it.
fn der_element(tag: u8, document: &[u8]) -> Option<(&[u8], &[u8])> {
    let (first, rest) = document.split_first()?;
    let (&len, rest) = rest.split_first()?;
    if *first != tag {
        return None;
    }
    let (len, rest) = match len {
        0..=0x7f => (usize::from(len), rest),
        0x81 | 0x82 => {
            let (digits, rest) = rest.split_at_checked(usize::from(len - 0x80))?;
            (digits.iter().fold(0, |sum, digit| sum << 8 | usize::from(*digit)), rest)
        }
        _ => return None,
    };
    rest.split_at_checked(len)
}
