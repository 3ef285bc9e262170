//! A small S3 client: one keep-alive connection, SigV4 in the headers (AWS, "Signature Version 4 for API requests").

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use crypto::{hmac_sha256, sha256};
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, client::conn::http1};
use hyper_util::rt::TokioIo;
use std::{sync::Arc, time::SystemTime};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use tokio_rustls::{TlsConnector, rustls::pki_types::ServerName};

/// Credentials and where they are used.
#[derive(Clone)]
pub(crate) struct Signer {
    pub(crate) access_key: String,
    pub(crate) secret: String,
    pub(crate) token: Option<String>,
    pub(crate) region: String,
    /// `host:port`.
    pub(crate) host: String,
}

/// How the body is covered by the signature.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Payload {
    Signed,
    Unsigned,
    /// `aws-chunked` with a CRC64NVME after the last chunk, as the SDKs send over TLS.
    Trailer,
}

/// Bytes of a chunk of an `aws-chunked` body.
const CHUNK: usize = 1 << 20;

/// The body in chunks, with its checksum as the trailer.
pub(crate) fn chunked(body: &[u8]) -> Bytes {
    let mut out = Vec::with_capacity(body.len() + body.len() / CHUNK * 16 + 128);
    for chunk in body.chunks(CHUNK) {
        out.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
        out.extend_from_slice(chunk);
        out.extend_from_slice(b"\r\n");
    }
    let sum = crc_fast::checksum(crc_fast::CrcAlgorithm::Crc64Nvme, body).to_be_bytes();
    let sum = base64::Engine::encode(&base64::prelude::BASE64_STANDARD, sum);
    out.extend_from_slice(format!("0\r\nx-amz-checksum-crc64nvme:{sum}\r\n\r\n").as_bytes());
    out.into()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Signer {
    /// A signed request. `path` and `query` are already encoded; `query` is sorted. A body with a trailer is [`chunked`].
    pub(crate) fn request(
        &self,
        method: &str,
        path: &str,
        query: &str,
        body: Bytes,
        payload: Payload,
    ) -> Result<Request<Full<Bytes>>> {
        let now = base::Timestamp::try_from(SystemTime::now())?.strftime("%Y%m%dT%H%M%SZ").to_string();
        let day = now.get(..8).unwrap_or_default();
        let digest = match payload {
            Payload::Signed => hex(&sha256(&body).0),
            Payload::Unsigned => "UNSIGNED-PAYLOAD".to_owned(),
            Payload::Trailer => "STREAMING-UNSIGNED-PAYLOAD-TRAILER".to_owned(),
        };
        let mut headers =
            vec![("host", self.host.clone()), ("x-amz-content-sha256", digest.clone()), ("x-amz-date", now.clone())];
        if payload == Payload::Trailer {
            headers.push(("x-amz-decoded-content-length", plain_len(&body).to_string()));
        }
        headers.extend(self.token.iter().map(|token| ("x-amz-security-token", token.clone())));
        if payload == Payload::Trailer {
            headers.push(("x-amz-trailer", "x-amz-checksum-crc64nvme".to_owned()));
        }
        let names = headers.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(";");
        let lines: String = headers.iter().map(|(name, value)| format!("{name}:{value}\n")).collect();
        let canonical = format!("{method}\n{path}\n{query}\n{lines}\n{names}\n{digest}");
        let scope = format!("{day}/{}/s3/aws4_request", self.region);
        let text = format!("AWS4-HMAC-SHA256\n{now}\n{scope}\n{}", hex(&sha256(canonical.as_bytes()).0));
        let key = self.key(day);
        let authorization = format!(
            "AWS4-HMAC-SHA256 Credential={}/{scope}, SignedHeaders={names}, Signature={}",
            self.access_key,
            hex(&hmac_sha256(&key, text.as_bytes()))
        );
        let uri = if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") };
        let mut request = Request::builder().method(method).uri(uri).header("authorization", authorization);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        Ok(request.body(Full::new(body))?)
    }

    /// A presigned GET, valid for ten minutes.
    pub(crate) fn presigned(&self, path: &str) -> Result<String> {
        let now = base::Timestamp::try_from(SystemTime::now())?.strftime("%Y%m%dT%H%M%SZ").to_string();
        let day = now.get(..8).unwrap_or_default();
        let scope = format!("{day}/{}/s3/aws4_request", self.region);
        let mut pairs = vec![
            ("X-Amz-Algorithm", "AWS4-HMAC-SHA256".to_owned()),
            ("X-Amz-Credential", format!("{}/{scope}", self.access_key)),
            ("X-Amz-Date", now.clone()),
            ("X-Amz-Expires", "600".to_owned()),
        ];
        pairs.extend(self.token.iter().map(|token| ("X-Amz-Security-Token", token.clone())));
        pairs.push(("X-Amz-SignedHeaders", "host".to_owned()));
        let query = pairs.iter().map(|(key, value)| format!("{key}={}", encoded(value))).collect::<Vec<_>>().join("&");
        let canonical = format!("GET\n{path}\n{query}\nhost:{}\n\nhost\nUNSIGNED-PAYLOAD", self.host);
        let text = format!("AWS4-HMAC-SHA256\n{now}\n{scope}\n{}", hex(&sha256(canonical.as_bytes()).0));
        Ok(format!("{path}?{query}&X-Amz-Signature={}", hex(&hmac_sha256(&self.key(day), text.as_bytes()))))
    }

    fn key(&self, day: &str) -> [u8; 32] {
        let first = hmac_sha256(format!("AWS4{}", self.secret).as_bytes(), day.as_bytes());
        let second = hmac_sha256(&first, self.region.as_bytes());
        hmac_sha256(&hmac_sha256(&second, b"s3"), b"aws4_request")
    }
}

/// Bytes of a [`chunked`] body before it was cut.
fn plain_len(chunked: &[u8]) -> usize {
    let (mut at, mut total) = (0, 0);
    while let Some(rest) = chunked.get(at..) {
        let end = rest.iter().position(|byte| *byte == b'\r').unwrap_or(0);
        let size = std::str::from_utf8(rest.get(..end).unwrap_or_default()).unwrap_or_default();
        let len = usize::from_str_radix(size, 16).unwrap_or(0);
        if len == 0 {
            break;
        }
        total += len;
        at += end + 2 + len + 2;
    }
    total
}

/// RFC 3986 with only unreserved characters kept.
pub(crate) fn encoded(text: &str) -> String {
    let keep = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    text.bytes().map(|byte| if keep(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

/// What came back, read to its end.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// An error with the answer's text unless the request succeeded.
    pub(crate) fn done(self, what: &str) -> Result<Self> {
        ensure!(self.status.is_success(), "{what}: {} {}", self.status, self.text());
        Ok(self)
    }
}

async fn tcp(host: &str) -> Result<TcpStream> {
    let stream = TcpStream::connect(host).await.with_context(|| format!("connect to {host}"))?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// One keep-alive connection.
pub(crate) struct Connection {
    sender: http1::SendRequest<Full<Bytes>>,
}

impl Connection {
    pub(crate) async fn open(host: &str) -> Result<Self> {
        Self::over(tcp(host).await?).await
    }

    /// Over TLS, believing one certificate.
    pub(crate) async fn open_tls(host: &str, tls: &TlsConnector) -> Result<Self> {
        let name = ServerName::try_from("localhost")?;
        Self::over(tls.connect(name, tcp(host).await?).await?).await
    }

    async fn over(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) -> Result<Self> {
        let mut builder = http1::Builder::new();
        builder.max_buf_size(1 << 20);
        let (sender, connection) = builder.handshake(TokioIo::new(stream)).await?;
        tokio::spawn(async move { drop(connection.await) });
        Ok(Self { sender })
    }

    /// Sends and returns as soon as the head of the answer is there.
    pub(crate) async fn begin(&mut self, request: Request<Full<Bytes>>) -> Result<http::Response<Incoming>> {
        self.sender.ready().await?;
        Ok(self.sender.send_request(request).await?)
    }

    pub(crate) async fn send(&mut self, request: Request<Full<Bytes>>) -> Result<Answer> {
        let (head, body) = self.begin(request).await?.into_parts();
        let body = body.collect().await?.to_bytes();
        Ok(Answer { status: head.status, body })
    }

    /// Sends and counts the bytes of the answer without keeping them.
    pub(crate) async fn count(&mut self, request: Request<Full<Bytes>>) -> Result<(StatusCode, u64)> {
        let (head, mut body) = self.begin(request).await?.into_parts();
        let mut bytes = 0;
        while let Some(frame) = body.frame().await {
            bytes += frame?.data_ref().map_or(0, |data| u64::try_from(data.len()).unwrap_or(0));
        }
        Ok((head.status, bytes))
    }
}

/// An unsigned POST of a form to `/`.
pub(crate) fn form(host: &str, fields: &[(&str, &str)]) -> Result<Request<Full<Bytes>>> {
    let body = fields.iter().map(|(key, value)| format!("{key}={}", encoded(value))).collect::<Vec<_>>().join("&");
    let request = Request::builder().method("POST").uri("/").header("host", host);
    let request = request.header("content-type", "application/x-www-form-urlencoded");
    Ok(request.body(Full::new(Bytes::from(body)))?)
}

/// A signer that many tasks share.
pub(crate) type Shared = Arc<Signer>;
