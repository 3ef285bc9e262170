//! Where the keys of sessions come from: custody's derived keys, set up once per version and wiped when they change.

use custody::{Custody, DerivedKeys};
use std::sync::{Arc, Mutex, PoisonError};

use crate::token::SealKeys;

/// The keys of sessions cannot be had now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the keys that seal sessions cannot be had: is the token there?")]
pub struct KeysUnavailable;

/// A source of session keys. It answers from memory nearly always.
pub trait KeySource: Send + Sync + 'static {
    /// The keys now.
    ///
    /// # Errors
    /// [`KeysUnavailable`]; sessions are then refused.
    fn keys(&self) -> Result<Arc<SealKeys>, KeysUnavailable>;
}

struct Held {
    seal: Arc<DerivedKeys>,
    edge: Arc<DerivedKeys>,
    keys: Arc<SealKeys>,
}

/// The keys of custody.
pub struct CustodyKeys {
    custody: Custody,
    held: Mutex<Option<Held>>,
}

impl CustodyKeys {
    /// Asks custody when its own copy is out of date.
    pub fn new(custody: Custody) -> Self {
        Self { custody, held: Mutex::new(None) }
    }
}

impl KeySource for CustodyKeys {
    fn keys(&self) -> Result<Arc<SealKeys>, KeysUnavailable> {
        let failed = |error: custody::Error| {
            tracing::error!(%error, "the keys that seal sessions cannot be had");
            KeysUnavailable
        };
        let seal = self.custody.session_seal_keys().map_err(failed)?;
        let edge = self.custody.edge_keys().map_err(failed)?;
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(held) = held.as_ref()
            && Arc::ptr_eq(&held.seal, &seal)
            && Arc::ptr_eq(&held.edge, &edge)
        {
            return Ok(Arc::clone(&held.keys));
        }
        let all = |keys: &DerivedKeys| keys.all().map(|key| (key.version, key.key().clone())).collect::<Vec<_>>();
        let keys = Arc::new(SealKeys::new(all(&seal), all(&edge)).map_err(|_| KeysUnavailable)?);
        *held = Some(Held { seal, edge, keys: Arc::clone(&keys) });
        Ok(keys)
    }
}
