//! What every token must do. Run on the software token here; a PKCS#11 token runs the same suite later.
//!
//! A rule that does not hold comes back as a value, so that the suite runs in a test and in `galen doctor` alike.

use base::KeyId;

use crate::{Error, KeyRef, Purpose, Token, Use};

/// A rule that the token breaks.
#[derive(Debug, thiserror::Error)]
#[error("the token breaks the rule: {rule}")]
pub struct Broken {
    /// The rule in words.
    pub rule: &'static str,
    /// The failure that showed it, if it was one.
    #[source]
    pub source: Option<Error>,
}

fn must<T>(rule: &'static str, result: Result<T, Error>) -> Result<T, Broken> {
    result.map_err(|source| Broken { rule, source: Some(source) })
}

fn holds(rule: &'static str, yes: bool) -> Result<(), Broken> {
    if yes { Ok(()) } else { Err(Broken { rule, source: None }) }
}

/// Runs every rule. `token` keeps a few keys labelled `conformance` afterwards.
///
/// # Errors
/// [`Broken`] names the first rule that does not hold.
pub fn suite(token: &dyn Token) -> Result<(), Broken> {
    for purpose in Purpose::ALL {
        let label = format!("conformance/{}", purpose.name());
        let key = must("a key of every purpose can be made", token.generate(purpose, &label))?;
        let found = must("a key can be found", token.find(purpose, &label))?;
        holds("a key is found by its purpose and label", found == Some(key))?;
        purpose_is_kept(token, purpose, &key)?;
        match purpose.usage() {
            Use::Sign(_) => signs(token, &key)?,
            Use::Mac => authenticates(token, &key)?,
            Use::Wrap => wraps(token, &key)?,
        }
        destroys(token, purpose, &label, &key)?;
    }
    unknown_keys_are_refused(token)
}

fn purpose_is_kept(token: &dyn Token, purpose: Purpose, key: &KeyRef) -> Result<(), Broken> {
    let rule = "a key refuses every operation of another purpose";
    let refused = |result: Result<(), Error>| holds(rule, matches!(result, Err(Error::WrongPurpose { .. })));
    if !matches!(purpose.usage(), Use::Sign(_)) {
        refused(token.sign(key, b"x").map(drop))?;
        refused(token.public_key(key).map(drop))?;
    }
    if purpose.usage() != Use::Mac {
        refused(token.mac(key, b"x").map(drop))?;
    }
    if purpose.usage() != Use::Wrap {
        refused(token.wrap(key, b"x", b"").map(drop))?;
        refused(token.unwrap(key, b"x", b"").map(drop))?;
    }
    Ok(())
}

fn scheme(key: &crypto::PublicKey) -> crypto::SignatureScheme {
    match key {
        crypto::PublicKey::Ed25519 { .. } => crypto::SignatureScheme::EdDsa,
        crypto::PublicKey::P256 { .. } => crypto::SignatureScheme::Es256,
        crypto::PublicKey::P384 { .. } => crypto::SignatureScheme::Es384,
        crypto::PublicKey::Rsa { .. } => crypto::SignatureScheme::Rs256,
    }
}

fn signs(token: &dyn Token, first: &KeyRef) -> Result<(), Broken> {
    let public = must("a signing key gives its public key", token.public_key(first))?;
    let signature = must("a signing key signs", token.sign(first, b"message"))?;
    holds("a signature verifies", public.verify(scheme(&public), b"message", &signature).is_ok())?;
    holds("a signature is of its message", public.verify(scheme(&public), b"massage", &signature).is_err())?;
    let second = must("a key rotates", token.rotate(first.id))?;
    holds("rotation counts up", second.version == first.version + 1)?;
    let again = must("an older version still signs", token.sign(first, b"message"))?;
    holds("an older version still verifies", public.verify(scheme(&public), b"message", &again).is_ok())?;
    let newer = must("a newer version signs", token.sign(&second, b"message"))?;
    holds("versions have different keys", public.verify(scheme(&public), b"message", &newer).is_err())
}

fn authenticates(token: &dyn Token, first: &KeyRef) -> Result<(), Broken> {
    let code = must("a MAC key authenticates", token.mac(first, b"message"))?;
    holds("a MAC is the same each time", must("a MAC key authenticates", token.mac(first, b"message"))? == code)?;
    holds("a MAC is of its message", must("a MAC key authenticates", token.mac(first, b"massage"))? != code)?;
    let second = must("a key rotates", token.rotate(first.id))?;
    holds("versions have different keys", must("a MAC key authenticates", token.mac(&second, b"message"))? != code)
}

fn wraps(token: &dyn Token, first: &KeyRef) -> Result<(), Broken> {
    let wrapped = must("a wrapping key wraps", token.wrap(first, b"secret", b"place"))?;
    let again = must("a wrapping key wraps", token.wrap(first, b"secret", b"place"))?;
    holds("two wraps of one secret differ", wrapped != again)?;
    let opened = must("a wrapping key unwraps", token.unwrap(first, &wrapped, b"place"))?;
    holds("what was wrapped comes back", opened.expose() == b"secret")?;
    let elsewhere = token.unwrap(first, &wrapped, b"elsewhere");
    holds("associated data binds", matches!(elsewhere, Err(Error::DoesNotUnwrap { .. })))?;
    for at in 0..wrapped.len() {
        let mut altered = wrapped.clone();
        if let Some(byte) = altered.get_mut(at) {
            *byte ^= 1;
        }
        let result = token.unwrap(first, &altered, b"place");
        holds("altered bytes are refused", matches!(result, Err(Error::DoesNotUnwrap { .. })))?;
    }
    let second = must("a key rotates", token.rotate(first.id))?;
    must("an older version still unwraps", token.unwrap(first, &wrapped, b"place"))?;
    let crossed = token.unwrap(&second, &wrapped, b"place");
    holds("a version does not open another's wraps", matches!(crossed, Err(Error::DoesNotUnwrap { .. })))
}

fn destroys(token: &dyn Token, purpose: Purpose, label: &str, first: &KeyRef) -> Result<(), Broken> {
    let second = KeyRef { id: first.id, version: first.version + 1 };
    let all = must("versions are listed", token.versions(first.id))?;
    holds("versions are listed oldest first", all == [*first, second])?;
    holds("the newest version is found", must("a key is found", token.find(purpose, label))? == Some(second))?;
    must("a version can be destroyed", token.destroy(first))?;
    let gone = match purpose.usage() {
        Use::Sign(_) => token.sign(first, b"x").map(drop),
        Use::Mac => token.mac(first, b"x").map(drop),
        Use::Wrap => token.wrap(first, b"x", b"").map(drop),
    };
    holds("a destroyed version never works again", matches!(gone, Err(Error::Destroyed { .. })))?;
    holds("a destroyed version is not listed", must("versions are listed", token.versions(first.id))? == [second])?;
    must("the last version can be destroyed", token.destroy(&second))?;
    holds("a destroyed key is not found", must("a key is found", token.find(purpose, label))?.is_none())
}

fn unknown_keys_are_refused(token: &dyn Token) -> Result<(), Broken> {
    let nobody = KeyRef { id: KeyId::from_uuid(uuid::Uuid::nil()), version: 1 };
    let rule = "an unknown key is refused";
    holds(rule, matches!(token.sign(&nobody, b"x"), Err(Error::UnknownKey { .. })))?;
    holds(rule, matches!(token.rotate(nobody.id), Err(Error::UnknownKey { .. })))?;
    holds(rule, matches!(token.destroy(&nobody), Err(Error::UnknownKey { .. })))?;
    holds("a bad label is refused", matches!(token.generate(Purpose::Edge, "../x y"), Err(Error::BadLabel { .. })))
}
