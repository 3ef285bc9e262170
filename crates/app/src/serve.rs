//! Listening: sockets, TLS, connection limits and the graceful stop. It knows bytes and connections, not what is served.

mod activity;
mod steady;
mod tls;

use anyhow::{Context as _, Result};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
};
use std::{
    io,
    net::SocketAddr,
    path::Path,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::Semaphore,
};
use tokio_rustls::TlsAcceptor;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// Longest wait for the headers of a request; a client that trickles them is cut.
const HEADER_TIMEOUT: Duration = Duration::from_secs(15);
/// Longest TLS handshake.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// Largest header block, in bytes. Session tokens (4 KiB) and policies in query strings fit; floods do not.
const HEADER_BYTES_MAX: usize = 64 * 1024;
/// Most headers of a request that are read: more than the edges take (128), so that the answer to too many is theirs, in the form
/// of their protocol. Beyond it the answer has no body.
const HEADERS_MAX: usize = 512;
/// How often a connection is looked at: one on which nothing was asked since the last look is ended. The protocols have no such
/// bound before the first byte, and HTTP/2 none at all; 30 to 60 s are more than the pools of clients wait between requests.
const IDLE_LOOK: Duration = Duration::from_secs(30);
/// Requests that a connection of HTTP/2 has open at once; RFC 9113 asks for at least 100.
const STREAMS_MAX: u32 = 100;
/// Bytes of an answer that wait for a slow reader, for each stream of HTTP/2: with all streams 6.4 MiB a connection.
const SEND_BYTES_MAX: usize = 64 * 1024;
/// Streams that a client of HTTP/2 opened and took back before they were looked at ("rapid reset"); then the connection ends.
const RESETS_MAX: usize = 20;
/// Streams of HTTP/2 that ended by a fault of the client; then the connection ends.
const FAULTS_MAX: usize = 1024;
/// Pause after the operating system refused to accept, so that running out of file descriptors does not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

use activity::{Activity, Answered};
pub(crate) use tls::Certificate;

/// The peer's socket address, put into the extensions of each request.
pub(crate) use protocols::peer::{Hangup, Peer};

/// What answers requests: a hyper service that can be cloned for each connection.
pub(crate) trait Answer: Clone + Send + Sync + 'static {
    /// The body of its responses.
    type Body: http_body::Body<Data = bytes::Bytes, Error: Into<Box<dyn std::error::Error + Send + Sync>>>
        + Send
        + Unpin
        + 'static;
    /// Answers one request; never fails, failures are responses.
    fn answer(
        &self,
        request: http::Request<hyper::body::Incoming>,
    ) -> impl Future<Output = http::Response<Self::Body>> + Send + 'static;
}

/// A socket that listens, with its TLS if it has any.
pub(crate) struct Listener {
    socket: TcpListener,
    tls: Option<(TlsAcceptor, Arc<Certificate>)>,
    idle_look: Duration,
}

impl Listener {
    /// Binds the address.
    ///
    /// # Errors
    /// When the address is taken, or the certificate or key cannot be used.
    pub(crate) async fn bind(address: SocketAddr, tls: Option<(&Path, &Path)>) -> Result<Self> {
        let socket = TcpListener::bind(address).await.with_context(|| {
            format!("could not listen on {address}; is another Galen running? stop it, or choose another port")
        })?;
        let certificate = tls.map(|(cert, key)| Certificate::read(cert, key)).transpose()?;
        let with_acceptor = |certificate: Arc<Certificate>| anyhow::Ok((certificate.acceptor()?, certificate));
        Ok(Self { socket, tls: certificate.map(with_acceptor).transpose()?, idle_look: IDLE_LOOK })
    }

    /// The certificate that it shows, if it speaks TLS.
    pub(crate) fn certificate(&self) -> Option<Arc<Certificate>> {
        self.tls.as_ref().map(|(_, certificate)| Arc::clone(certificate))
    }

    /// The address it really has (a port of 0 has become one).
    ///
    /// # Errors
    /// When the operating system does not say.
    pub(crate) fn address(&self) -> Result<SocketAddr> {
        Ok(self.socket.local_addr()?)
    }

    /// Serves until `stop`; then lets open requests finish for at most `grace`.
    pub(crate) async fn serve(
        self,
        answer: impl Answer,
        connections_max: usize,
        stop: CancellationToken,
        grace: Duration,
    ) {
        let places = Arc::new(Semaphore::new(connections_max));
        let connections = TaskTracker::new();
        loop {
            let accepted = tokio::select! {
                () = stop.cancelled() => break,
                accepted = self.accept(&places) => accepted,
            };
            let Some((stream, peer, place)) = accepted else { continue };
            let tls = self.tls.as_ref().map(|(acceptor, _)| acceptor.clone());
            let (answer, stop, idle_look) = (answer.clone(), stop.clone(), self.idle_look);
            connections.spawn(steady::steady(async move {
                connection((stream, peer), tls, answer, idle_look, stop).await;
                drop(place);
            }));
        }
        connections.close();
        if tokio::time::timeout(grace, connections.wait()).await.is_err() {
            tracing::warn!(
                open = connections.len(),
                "connections were still open after the time for stopping and are cut"
            );
        }
    }

    async fn accept(
        &self,
        places: &Arc<Semaphore>,
    ) -> Option<(TcpStream, SocketAddr, tokio::sync::OwnedSemaphorePermit)> {
        let place = Arc::clone(places).acquire_owned().await.ok()?;
        match self.socket.accept().await {
            Ok((stream, peer)) => Some((stream, peer, place)),
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                None
            }
        }
    }
}

async fn connection(
    (stream, peer): (TcpStream, SocketAddr),
    tls: Option<TlsAcceptor>,
    answer: impl Answer,
    idle_look: Duration,
    stop: CancellationToken,
) {
    // Small answers must not wait for the client's delayed acknowledgement.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY could not be set");
    }
    let cut = CancellationToken::new();
    let wire = Wire { stream, cut: cut.clone() };
    match tls {
        None => http(wire, Peer { address: peer, tls: false }, answer, idle_look, (cut, stop)).await,
        Some(tls) => match tokio::time::timeout(HANDSHAKE_TIMEOUT, tls.accept(wire)).await {
            Ok(Ok(stream)) => http(stream, Peer { address: peer, tls: true }, answer, idle_look, (cut, stop)).await,
            Ok(Err(error)) => tracing::debug!(%error, %peer, "the TLS handshake failed"),
            Err(_) => tracing::debug!(%peer, "the TLS handshake took too long"),
        },
    }
}

/// A socket that throws away what its peer has not received yet when it was cut.
struct Wire {
    stream: TcpStream,
    cut: CancellationToken,
}

impl Drop for Wire {
    fn drop(&mut self) {
        if self.cut.is_cancelled()
            && let Err(error) = self.stream.set_zero_linger()
        {
            tracing::debug!(%error, "what was sent before a cut could not be taken back");
        }
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut tokio::io::ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Wire {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }
    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }
    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

async fn http<S>(
    stream: S,
    peer: Peer,
    answer: impl Answer,
    idle_look: Duration,
    (cut, stop): (CancellationToken, CancellationToken),
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_buf_size(HEADER_BYTES_MAX.max(512 * 1024))
        .max_headers(HEADERS_MAX);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_header_list_size(u32::try_from(HEADER_BYTES_MAX).unwrap_or(u32::MAX))
        .max_concurrent_streams(STREAMS_MAX)
        .max_send_buf_size(SEND_BYTES_MAX)
        .max_pending_accept_reset_streams(RESETS_MAX)
        .max_local_error_reset_streams(FAULTS_MAX);
    let hangup = Hangup::new({
        let cut = cut.clone();
        move || cut.cancel()
    });
    let activity = Arc::new(Activity::default());
    let requests = Arc::clone(&activity);
    let service = hyper::service::service_fn(move |mut request: http::Request<_>| {
        let open = requests.begin();
        request.extensions_mut().insert(peer);
        // Streams of HTTP/2 share their connection.
        if request.version() < http::Version::HTTP_2 {
            request.extensions_mut().insert(hangup.clone());
        }
        let answer = answer.clone();
        async move {
            if names_two_hosts(&request) {
                let mut response = http::Response::new(Answered::new(None, open));
                *response.status_mut() = http::StatusCode::BAD_REQUEST;
                return Ok(response);
            }
            let response = answer.answer(request).await;
            Ok::<_, std::convert::Infallible>(response.map(|body| Answered::new(Some(body), open)))
        }
    });
    let connection = builder.serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    let mut looks = tokio::time::interval(idle_look);
    looks.reset();
    let (mut stopping, mut begun, mut idle) = (false, 0, false);
    loop {
        tokio::select! {
            () = cut.cancelled() => return,
            ended = connection.as_mut() => {
                if let Err(error) = ended {
                    tracing::debug!(error = error.as_ref() as &dyn std::error::Error, "a connection ended early");
                }
                return;
            }
            () = stop.cancelled(), if !stopping => {
                stopping = true;
                connection.as_mut().graceful_shutdown();
            }
            _ = looks.tick() => {
                let was_idle = std::mem::replace(&mut idle, activity.is_idle(&mut begun));
                match (was_idle, idle) {
                    (false, true) => connection.as_mut().graceful_shutdown(),
                    // It was told to end and did not.
                    (true, true) => return,
                    (_, false) => {}
                }
            }
        }
    }
}

/// Whether a request names its host twice, and not the same (RFC 9112, section 3.2; RFC 9113, section 8.3.1): what stands in front
/// of Galen might go by the other one.
fn names_two_hosts<B>(request: &http::Request<B>) -> bool {
    let mut hosts = request.headers().get_all(http::header::HOST).iter();
    let Some(host) = hosts.next() else { return false };
    let other = |authority: &http::uri::Authority| !host.as_bytes().eq_ignore_ascii_case(authority.as_str().as_bytes());
    hosts.next().is_some() || request.uri().authority().is_some_and(other)
}

#[cfg(test)]
mod tests;
