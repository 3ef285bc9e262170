//! A small HTTP client that signs as AWS's documentation says, and can sign wrongly on purpose.

use base::{Secret, Timestamp};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Request};
use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::TokioIo;
use std::net::SocketAddr;

pub(crate) const REGION: &str = "eu-north-1";

/// Credentials of one session.
#[derive(Clone)]
pub(crate) struct Keys {
    pub(crate) id: String,
    pub(crate) secret: String,
    pub(crate) token: String,
}

/// An answer, read whole.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Reply {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
    /// The text inside the first `<name>`.
    pub(crate) fn element(&self, name: &str) -> Option<String> {
        let text = self.text();
        let (_, rest) = text.split_once(&format!("<{name}>"))?;
        Some(rest.split_once(&format!("</{name}>"))?.0.to_owned())
    }
    /// Every text inside `<name>`.
    pub(crate) fn elements(&self, name: &str) -> Vec<String> {
        let text = self.text();
        let (open, close) = (format!("<{name}>"), format!("</{name}>"));
        text.split(&open).skip(1).filter_map(|rest| Some(rest.split_once(&close)?.0.to_owned())).collect()
    }
    pub(crate) fn code(&self) -> String {
        self.element("Code").unwrap_or_default()
    }
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
    /// Status and code, for tables.
    #[track_caller]
    pub(crate) fn expect(&self, status: u16, code: &str) {
        assert!(
            self.status == status && self.code() == code,
            "wanted {status} {code}, got {} {}",
            self.status,
            self.text()
        );
    }
    #[track_caller]
    pub(crate) fn ok(self) -> Self {
        assert!((200..300).contains(&self.status), "{} {}", self.status, self.text());
        self
    }
}

/// A request to be: names decoded, encoded when it is sent.
#[derive(Clone, Default)]
pub(crate) struct Call {
    pub(crate) method: &'static str,
    pub(crate) path: String,
    pub(crate) query: Vec<(String, String)>,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Bytes,
    /// `x-amz-content-sha256`, when it is not the digest of the body.
    pub(crate) payload: Option<&'static str>,
    /// Headers that are added after signing.
    pub(crate) unsigned: Vec<(String, String)>,
}

pub(crate) fn call(method: &'static str, path: &str) -> Call {
    Call { method, path: path.to_owned(), ..Call::default() }
}

impl Call {
    pub(crate) fn query(mut self, name: &str, value: &str) -> Self {
        self.query.push((name.to_owned(), value.to_owned()));
        self
    }
    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }
    pub(crate) fn unsigned(mut self, name: &str, value: &str) -> Self {
        self.unsigned.push((name.to_owned(), value.to_owned()));
        self
    }
    pub(crate) fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }
    pub(crate) fn payload(mut self, payload: &'static str) -> Self {
        self.payload = Some(payload);
        self
    }

    fn target(&self, extra: &[(String, String)]) -> String {
        let mut pairs: Vec<String> = self
            .query
            .iter()
            .chain(extra)
            .map(|(name, value)| format!("{}={}", encode(name, ""), encode(value, "")))
            .collect();
        pairs.sort();
        let path = encode(&self.path, "/");
        if pairs.is_empty() { path } else { format!("{path}?{}", pairs.join("&")) }
    }
}

pub(crate) fn encode(text: &str, keep: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) || keep.as_bytes().contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

fn amz_date(now: Timestamp) -> String {
    now.strftime("%Y%m%dT%H%M%SZ").to_string()
}

fn day(date: &str) -> &str {
    date.split('T').next().unwrap_or_default()
}

fn signature(keys: &Keys, service: &str, date: &str, canonical: &str) -> String {
    let day = day(date);
    let key = protocols::sigv4::signing_key(&Secret::new(keys.secret.clone()), day, REGION, service);
    let scope = format!("{day}/{REGION}/{service}/aws4_request");
    hex::encode(protocols::sigv4::signature(&key, date, &scope, canonical))
}

/// Signs in the header. `now` may be any time.
pub(crate) fn signed(call: &Call, keys: &Keys, service: &str, host: &str, now: Timestamp) -> Request<Full<Bytes>> {
    signed_for(call, keys, (service, service), host, now).0
}

/// As [`signed`], with the scope of one service and the arithmetic of another, and the signature itself.
pub(crate) fn signed_for(
    call: &Call,
    keys: &Keys,
    service: (&str, &str),
    host: &str,
    now: Timestamp,
) -> (Request<Full<Bytes>>, String) {
    let date = amz_date(now);
    let payload = call.payload.map_or_else(|| hex::encode(crypto::sha256(&call.body).0), str::to_owned);
    let mut headers: Vec<(String, String)> = vec![("host".into(), host.into()), ("x-amz-date".into(), date.clone())];
    if service.0 == "s3" {
        headers.push(("x-amz-content-sha256".into(), payload.clone()));
    }
    if !keys.token.is_empty() {
        headers.push(("x-amz-security-token".into(), keys.token.clone()));
    }
    headers.extend(call.headers.iter().map(|(name, value)| (name.to_ascii_lowercase(), value.clone())));
    headers.sort();
    let names: Vec<&str> = headers.iter().map(|(name, _)| name.as_str()).collect();
    let list: String = headers.iter().map(|(name, value)| format!("{name}:{}\n", value.trim())).collect();
    let target = call.target(&[]);
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    let canonical = format!("{}\n{path}\n{query}\n{list}\n{}\n{payload}", call.method, names.join(";"));
    let signature = signature(keys, service.1, &date, &canonical);
    let authorization = format!(
        "AWS4-HMAC-SHA256 Credential={}/{}/{REGION}/{}/aws4_request, SignedHeaders={}, Signature={signature}",
        keys.id,
        day(&date),
        service.0,
        names.join(";")
    );
    let mut request = Request::builder().method(call.method).uri(&target).header("authorization", authorization);
    for (name, value) in headers.iter().chain(&call.unsigned) {
        request = request.header(name, value);
    }
    (request.body(Full::new(call.body.clone())).unwrap(), signature)
}

/// The path and query of a presigned request.
pub(crate) fn presigned(call: &Call, keys: &Keys, host: &str, now: Timestamp, seconds: u32) -> String {
    presigned_for(call, keys, host, now, (seconds, "s3"))
}

/// As [`presigned`], for any service: only S3 leaves the body out of the signature.
pub(crate) fn presigned_for(
    call: &Call,
    keys: &Keys,
    host: &str,
    now: Timestamp,
    (seconds, service): (u32, &str),
) -> String {
    let date = amz_date(now);
    let mut names = vec!["host".to_owned()];
    names.extend(call.headers.iter().map(|(name, _)| name.to_ascii_lowercase()));
    names.sort();
    let mut extra: Vec<(String, String)> = vec![
        ("X-Amz-Algorithm".into(), "AWS4-HMAC-SHA256".into()),
        ("X-Amz-Credential".into(), format!("{}/{}/{REGION}/{service}/aws4_request", keys.id, day(&date))),
        ("X-Amz-Date".into(), date.clone()),
        ("X-Amz-Expires".into(), seconds.to_string()),
        ("X-Amz-SignedHeaders".into(), names.join(";")),
    ];
    if !keys.token.is_empty() {
        extra.push(("X-Amz-Security-Token".into(), keys.token.clone()));
    }
    let target = call.target(&extra);
    let (path, query) = target.split_once('?').unwrap();
    let mut list = String::new();
    for name in &names {
        let own = call.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str());
        list.push_str(&format!("{name}:{}\n", own.unwrap_or(host)));
    }
    let payload =
        if service == "s3" { "UNSIGNED-PAYLOAD".to_owned() } else { hex::encode(crypto::sha256(&call.body).0) };
    let canonical = format!("{}\n{path}\n{query}\n{list}\n{}\n{payload}", call.method, names.join(";"));
    format!("{target}&X-Amz-Signature={}", signature(keys, service, &date, &canonical))
}

/// One connection that is used again.
pub(crate) struct Line {
    address: SocketAddr,
    sender: hyper::client::conn::http1::SendRequest<Full<Bytes>>,
    _tasks: tokio::task::JoinSet<hyper::Result<()>>,
}

impl Line {
    pub(crate) async fn open(address: SocketAddr) -> Self {
        let stream = tokio::net::TcpStream::connect(address).await.unwrap();
        let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
        let mut tasks = tokio::task::JoinSet::new();
        tasks.spawn(connection);
        Self { address, sender, _tasks: tasks }
    }

    pub(crate) async fn send(&mut self, mut request: Request<Full<Bytes>>) -> Reply {
        if !request.headers().contains_key("host") {
            request.headers_mut().insert("host", HeaderValue::from_str(&self.address.to_string()).unwrap());
        }
        self.sender.ready().await.unwrap();
        let (parts, body) = self.sender.send_request(request).await.unwrap().into_parts();
        let body = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
        Reply { status: parts.status.as_u16(), headers: parts.headers, body }
    }
}

/// Sends one request on a connection of its own.
pub(crate) async fn send(address: SocketAddr, request: Request<Full<Bytes>>) -> Reply {
    Line::open(address).await.send(request).await
}

/// Sends all of a request but the last byte of its body, and waits until the server has given up on the rest.
pub(crate) async fn cut_short(address: SocketAddr, request: Request<Full<Bytes>>) {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let (parts, body) = request.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let mut head = format!("{} {} HTTP/1.1\r\ncontent-length: {}\r\n", parts.method, parts.uri, body.len());
    for (name, value) in &parts.headers {
        head.push_str(&format!("{name}: {}\r\n", value.to_str().unwrap()));
    }
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(b"\r\n").await.unwrap();
    stream.write_all(&body[..body.len() - 1]).await.unwrap();
    stream.shutdown().await.unwrap();
    let mut answer = Vec::new();
    // The server may answer or reset; both come after it has seen the end.
    let _ = stream.read_to_end(&mut answer).await;
}

/// Sends the head of a request and the body but its last byte, and leaves it there.
pub(crate) async fn unended(address: SocketAddr, head: &str, len: usize) -> tokio::net::TcpStream {
    use tokio::io::AsyncWriteExt as _;
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let head = format!("{head}\r\nhost: {address}\r\ncontent-length: {len}\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(&vec![b' '; len - 1]).await.unwrap();
    stream
}

/// An answer whose body is read piece by piece.
pub(crate) struct Open {
    body: hyper::body::Incoming,
    _tasks: tokio::task::JoinSet<hyper::Result<()>>,
}

impl Open {
    /// The next piece; none at the end, whether it is the announced one or not.
    pub(crate) async fn next(&mut self) -> Option<Bytes> {
        self.body.frame().await?.ok()?.into_data().ok()
    }
}

/// Sends one request and leaves its answer's body unread.
pub(crate) async fn open(address: SocketAddr, request: Request<Full<Bytes>>) -> Open {
    let stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
    let mut tasks = tokio::task::JoinSet::new();
    tasks.spawn(connection);
    let response = sender.send_request(request).await.unwrap();
    assert_eq!(response.status(), 200);
    Open { body: response.into_body(), _tasks: tasks }
}

/// A request without any signature.
pub(crate) fn bare(call: &Call) -> Request<Full<Bytes>> {
    let mut request = Request::builder().method(call.method).uri(call.target(&[]));
    for (name, value) in call.headers.iter().chain(&call.unsigned) {
        request = request.header(name.parse::<HeaderName>().unwrap(), value);
    }
    request.body(Full::new(call.body.clone())).unwrap()
}

/// Frames a body as `aws-chunked` with one CRC32 trailer, unsigned.
pub(crate) fn chunked(body: &[u8], trailer: Option<&str>) -> Vec<u8> {
    let mut out = Vec::new();
    for chunk in body.chunks(8192) {
        out.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
        out.extend_from_slice(chunk);
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"0\r\n");
    if let Some(trailer) = trailer {
        out.extend_from_slice(trailer.as_bytes());
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"\r\n");
    out
}

/// Signs a request whose body comes in signed chunks of these bytes, the last of them empty; what is sent may be bent.
pub(crate) fn in_signed_chunks(
    call: &Call,
    keys: &Keys,
    host: &str,
    now: Timestamp,
    chunks: &[&[u8]],
    bend: impl FnOnce(String) -> String,
) -> Request<Full<Bytes>> {
    let length: usize = chunks.iter().map(|chunk| chunk.len()).sum();
    let call = call
        .clone()
        .payload("STREAMING-AWS4-HMAC-SHA256-PAYLOAD")
        .header("content-encoding", "aws-chunked")
        .header("x-amz-decoded-content-length", &length.to_string());
    let (mut request, mut before) = signed_for(&call, keys, ("s3", "s3"), host, now);
    let date = amz_date(now);
    let key = protocols::sigv4::signing_key(&Secret::new(keys.secret.clone()), day(&date), REGION, "s3");
    let scope = format!("{}/{REGION}/s3/aws4_request", day(&date));
    let (nothing, mut body) = (crypto::sha256(b""), String::new());
    for chunk in chunks {
        let digest = crypto::sha256(chunk);
        let text = format!("AWS4-HMAC-SHA256-PAYLOAD\n{date}\n{scope}\n{before}\n{nothing}\n{digest}");
        before = hex::encode(crypto::hmac_sha256(key.expose(), text.as_bytes()));
        let data = std::str::from_utf8(chunk).unwrap();
        body.push_str(&format!("{:x};chunk-signature={before}\r\n{data}\r\n", chunk.len()));
    }
    *request.body_mut() = Full::new(bend(body).into());
    request
}

pub(crate) fn crc32(body: &[u8]) -> String {
    use base64::Engine as _;
    let sum = crc_fast::checksum(crc_fast::CrcAlgorithm::Crc32IsoHdlc, body);
    base64::engine::general_purpose::STANDARD.encode(u32::try_from(sum).unwrap().to_be_bytes())
}

/// Sends one request over HTTP/2 with prior knowledge; the host travels as `:authority` alone.
pub(crate) async fn send_http2(address: SocketAddr, mut request: Request<Full<Bytes>>) -> (u16, String) {
    let stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let executor = hyper_util::rt::TokioExecutor::new();
    let (mut sender, connection) = hyper::client::conn::http2::handshake(executor, TokioIo::new(stream)).await.unwrap();
    let mut tasks = tokio::task::JoinSet::new();
    tasks.spawn(connection);
    request.headers_mut().remove("host");
    let target = request.uri().path_and_query().unwrap().clone();
    *request.uri_mut() = format!("http://{address}{target}").parse().unwrap();
    *request.version_mut() = http::Version::HTTP_2;
    let response = sender.send_request(request).await.unwrap();
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8_lossy(&body).into_owned())
}
