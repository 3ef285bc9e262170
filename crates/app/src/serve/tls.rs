//! TLS of a listener: a certificate and its key, read at the start and again when somebody asks. It must not know what is served.

use anyhow::{Context as _, Result};
use crypto::{Sha256Digest, sha256};
use rustls::{
    crypto::{CryptoProvider, aws_lc_rs},
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};
use std::{
    fmt,
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
};
use tokio_rustls::TlsAcceptor;

/// The certificate that new connections are shown. A connection that is open keeps the one that it began with.
pub(crate) struct Certificate {
    cert: PathBuf,
    key: PathBuf,
    current: RwLock<Arc<CertifiedKey>>,
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Certificate({})", self.cert.display())
    }
}

/// A certificate that was read and is not shown yet.
pub(crate) struct Replacement(CertifiedKey);

impl Replacement {
    /// SHA-256 of the certificate itself, without its chain: its fingerprint, as browsers show it.
    pub(crate) fn fingerprint(&self) -> Option<Sha256Digest> {
        self.0.end_entity_cert().ok().map(|certificate| sha256(certificate))
    }
}

impl Certificate {
    /// Reads both files.
    ///
    /// # Errors
    /// When one cannot be read, or the key is not the certificate's.
    pub(crate) fn read(cert: &Path, key: &Path) -> Result<Arc<Self>> {
        let current = RwLock::new(Arc::new(certified(cert, key)?));
        Ok(Arc::new(Self { cert: cert.to_owned(), key: key.to_owned(), current }))
    }

    /// Reads both files again, which changes nothing yet.
    ///
    /// # Errors
    /// As [`Certificate::read`].
    pub(crate) fn read_again(&self) -> Result<Replacement> {
        certified(&self.cert, &self.key).map(Replacement)
    }

    /// Shows this one to new connections from now on.
    pub(crate) fn replace(&self, new: Replacement) {
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(new.0);
    }

    /// The file of the certificate.
    pub(crate) fn file(&self) -> &Path {
        &self.cert
    }

    /// Shows it to those who connect.
    ///
    /// # Errors
    /// When the library has no common version of TLS.
    pub(super) fn acceptor(self: &Arc<Self>) -> Result<TlsAcceptor> {
        let mut config = rustls::ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(self) as Arc<dyn ResolvesServerCert>);
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(TlsAcceptor::from(Arc::new(config)))
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner)))
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

fn certified(cert: &Path, key: &Path) -> Result<CertifiedKey> {
    let chain = CertificateDer::pem_file_iter(cert)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .with_context(|| format!("could not read certificates from {}", cert.display()))?;
    let key_der =
        PrivateKeyDer::from_pem_file(key).with_context(|| format!("could not read a key from {}", key.display()))?;
    CertifiedKey::from_der(chain, key_der, &provider())
        .with_context(|| format!("the key in {} does not fit the certificate in {}", key.display(), cert.display()))
}

#[cfg(test)]
mod tests;
