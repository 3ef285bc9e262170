//! TLS to the server, verified against one given authority, and the rule that facts never cross a network in clear.
//!
//! It must not know statements. INVARIANT: a host that is not this machine is reached with a verified certificate, or
//! the operator has written `sslmode=disable`.

use postgres::{
    Client, NoTls,
    config::{Host, SslMode},
    tls::{ChannelBinding, MakeTlsConnect, TlsConnect, TlsStream},
};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, InvalidDnsNameError, ServerName, pem::PemObject},
};
use std::{
    io,
    net::IpAddr,
    path::Path,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::TlsConnector;

use super::session::failed;
use crate::Error;

/// The parameter of a URL that names the file with the authority's certificates, as in libpq.
const ROOT: &str = "sslrootcert=";

/// Where the server is and how it is reached.
#[derive(Clone)]
pub(super) struct Target {
    pub(super) config: postgres::Config,
    tls: Option<Tls>,
}

impl Target {
    /// Reads a URL; with `sslrootcert=FILE` TLS is required and the server's certificate verified against that file.
    pub(super) fn parse(url: &str) -> Result<Self, Error> {
        let (url, root) = without_root(url);
        let expected = "postgresql://user:password@host/database";
        let mut config: postgres::Config = url.parse().map_err(|_| Error::BadOption { option: "url", expected })?;
        let tls = root.as_deref().map(|file| Tls::trusting(Path::new(file))).transpose()?;
        if tls.is_some() {
            config.ssl_mode(SslMode::Require);
        } else if config.get_ssl_mode() != SslMode::Disable && !config.get_hosts().iter().all(local) {
            let expected = "`sslrootcert=FILE` with the authority of the server's certificate, a Unix socket, a loopback address, \
                            or `sslmode=disable` for a network that is encrypted by other means";
            return Err(Error::BadOption { option: "url", expected });
        }
        Ok(Self { config, tls })
    }

    pub(super) fn connect(&self, config: &postgres::Config) -> Result<Client, Error> {
        let connected = match &self.tls {
            Some(tls) => config.connect(tls.clone()),
            None => config.connect(NoTls),
        };
        connected.map_err(|error| failed("connecting to PostgreSQL", error))
    }
}

fn local(host: &Host) -> bool {
    match host {
        Host::Tcp(name) => name == "localhost" || name.parse().is_ok_and(|ip: IpAddr| ip.is_loopback()),
        Host::Unix(_) => true,
    }
}

/// The URL without `sslrootcert`, which the client library does not know, and its value.
fn without_root(url: &str) -> (String, Option<String>) {
    let Some((server, query)) = url.split_once('?') else { return (url.to_owned(), None) };
    let root = query.split('&').find_map(|part| part.strip_prefix(ROOT)).map(str::to_owned);
    let rest: Vec<&str> = query.split('&').filter(|part| !part.starts_with(ROOT)).collect();
    (if rest.is_empty() { server.to_owned() } else { format!("{server}?{}", rest.join("&")) }, root)
}

/// Makes TLS connections that trust one authority.
#[derive(Clone)]
struct Tls(TlsConnector);

impl Tls {
    fn trusting(file: &Path) -> Result<Self, Error> {
        let bad = || Error::BadOption { option: "url", expected: "an `sslrootcert` file with certificates in PEM" };
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_file_iter(file).map_err(|_| bad())? {
            roots.add(certificate.map_err(|_| bad())?).map_err(|_| bad())?;
        }
        if roots.is_empty() {
            return Err(bad());
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let versions = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let config = versions.map_err(|_| bad())?.with_root_certificates(roots).with_no_client_auth();
        Ok(Self(TlsConnector::from(Arc::new(config))))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> MakeTlsConnect<S> for Tls {
    type Stream = Secured<S>;
    type TlsConnect = Named;
    type Error = InvalidDnsNameError;

    fn make_tls_connect(&mut self, domain: &str) -> Result<Named, InvalidDnsNameError> {
        Ok(Named { connector: self.0.clone(), name: ServerName::try_from(domain.to_owned())? })
    }
}

/// One handshake with a named server.
struct Named {
    connector: TlsConnector,
    name: ServerName<'static>,
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> TlsConnect<S> for Named {
    type Stream = Secured<S>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Secured<S>>> + Send>>;

    fn connect(self, stream: S) -> Self::Future {
        Box::pin(async move { self.connector.connect(self.name, stream).await.map(Secured) })
    }
}

/// A stream inside TLS.
struct Secured<S>(tokio_rustls::client::TlsStream<S>);

impl<S: AsyncRead + AsyncWrite + Unpin> TlsStream for Secured<S> {
    fn channel_binding(&self) -> ChannelBinding {
        ChannelBinding::none()
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Secured<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buffer)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Secured<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}
