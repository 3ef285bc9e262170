//! Signing keys of the provider: the newest signs, older ones stay published until their last token has expired.

use base::Timestamp;
use crypto::SignatureScheme;
use custody::{KeyRef, Purpose};
use protocols::jwt::{Jwk, KeySet};
use serde::{Deserialize, Serialize};
use std::{
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use super::{ID_TOKEN_LASTS, KEY_SET_TTL, Provider, limits::after};
use crate::{Error, facts};
use access::{Permit, api};

/// The label of the provider's keys.
const LABEL: &str = "provider";
/// Records: key reference -> when it was superseded.
const CLASS: &str = "oidc_signing_key";
/// An old key stays published this much longer than its last token lasts, for clocks that differ.
const MARGIN: Duration = Duration::from_secs(300);

#[derive(Serialize, Deserialize)]
struct Superseded {
    at: Timestamp,
}

/// One key that signs now.
#[derive(Clone)]
pub(super) struct Signer {
    pub(super) key: KeyRef,
    pub(super) scheme: SignatureScheme,
    pub(super) key_id: String,
}

/// What is published, and what signs.
pub(super) struct Current {
    pub(super) set: KeySet,
    pub(super) rs256: Signer,
    pub(super) es256: Signer,
}

#[derive(Default)]
pub(super) struct Keys(RwLock<Option<(Duration, Arc<Current>)>>);

impl Provider {
    /// The published keys.
    ///
    /// # Errors
    /// [`Error::Custody`], [`Error::Store`].
    pub async fn jwks(&self) -> Result<KeySet, Error> {
        Ok(self.keys().await?.set.clone())
    }

    /// Makes new signing keys; the old ones verify until their last token has expired.
    ///
    /// # Errors
    /// [`Error::Custody`], [`Error::Store`].
    pub async fn rotate_keys(&self, permit: Permit<api::RotateSigningKeys>, reason: String) -> Result<(), Error> {
        let inner = &self.0.directory.0;
        let mut superseded = Vec::new();
        for purpose in [Purpose::OidcSign, Purpose::OidcSignEs] {
            let old = inner.custody.ensure(purpose, LABEL)?;
            inner.custody.token().rotate(old.id)?;
            superseded.push(old.to_string());
        }
        // An installation has one provider: its keys have no id of their own.
        let subject = uuid::Uuid::nil();
        let changed = self.0.directory.change(permit, move |txn| {
            let value = facts::bytes(&Superseded { at: txn.now() })?;
            for key in &superseded {
                txn.record_insert(CLASS, key.as_bytes(), &value, None)?;
            }
            let body = serde_json::json!({ "superseded": superseded });
            facts::add(txn, facts::SIGNING_KEYS_ROTATED, subject, &body, Some(&reason)).map(drop)
        });
        changed.await?;
        *self.0.keys.0.write().unwrap_or_else(PoisonError::into_inner) = None;
        Ok(())
    }

    pub(super) async fn keys(&self) -> Result<Arc<Current>, Error> {
        let now = self.0.directory.0.effects.monotonic();
        let fresh = |came: Duration| now.saturating_sub(came) < KEY_SET_TTL;
        let found = self.0.keys.0.read().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((_, current)) = found.filter(|(came, _)| fresh(*came)) {
            return Ok(current);
        }
        let (rs256, mut published) = self.load(Purpose::OidcSign, SignatureScheme::Rs256).await?;
        let (es256, more) = self.load(Purpose::OidcSignEs, SignatureScheme::Es256).await?;
        published.extend(more);
        let current = Arc::new(Current { set: KeySet::new(published), rs256, es256 });
        *self.0.keys.0.write().unwrap_or_else(PoisonError::into_inner) = Some((now, Arc::clone(&current)));
        Ok(current)
    }

    /// The signer of a purpose, and the keys that are still published, newest first.
    async fn load(&self, purpose: Purpose, scheme: SignatureScheme) -> Result<(Signer, Vec<Jwk>), Error> {
        let inner = &self.0.directory.0;
        let newest = inner.custody.ensure(purpose, LABEL)?;
        let now = inner.effects.now();
        let mut published = Vec::new();
        let mut signer = None;
        for key in inner.custody.token().versions(newest.id)?.into_iter().rev() {
            let class_key = key.to_string();
            let read =
                inner.store.read(move |txn| -> Result<_, Error> { Ok(txn.record_get(CLASS, class_key.as_bytes())?) });
            if let Some(record) = read.await? {
                let Superseded { at } = facts::record(&record.value, "signing key")?;
                if after(at, ID_TOKEN_LASTS + MARGIN) <= now {
                    continue;
                }
            }
            let jwk = Jwk::new(inner.custody.public_key(&key)?);
            if key == newest {
                signer = Some(Signer { key, scheme, key_id: jwk.key_id().to_owned() });
            }
            published.push(jwk);
        }
        Ok((signer.ok_or(Error::Damaged { what: "signing key" })?, published))
    }
}
