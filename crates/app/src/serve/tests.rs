//! Connections: one that is cut ends at once, one that asks nothing does not stay, and one request has one host.

use super::*;
use bytes::Bytes;
use http_body::Frame;
use std::convert::Infallible;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::mpsc;

/// Answers without end, and hands out the way to end the connection.
#[derive(Clone)]
struct Endless(mpsc::UnboundedSender<Hangup>);

struct Forever(Bytes);

impl http_body::Body for Forever {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(Some(Ok(Frame::data(self.0.clone()))))
    }
}

impl Answer for Endless {
    type Body = Forever;

    fn answer(
        &self,
        request: http::Request<hyper::body::Incoming>,
    ) -> impl Future<Output = http::Response<Self::Body>> + Send + 'static {
        self.0.send(request.extensions().get::<Hangup>().cloned().unwrap()).unwrap();
        std::future::ready(http::Response::new(Forever(Bytes::from(vec![7; 64 << 10]))))
    }
}

#[tokio::test]
async fn a_cut_takes_back_what_a_slow_reader_has_not_received() {
    let listener = Listener::bind("127.0.0.1:0".parse().unwrap(), None).await.unwrap();
    let (address, stop) = (listener.address().unwrap(), CancellationToken::new());
    let (sender, mut hangups) = mpsc::unbounded_channel();
    let mut tasks = tokio::task::JoinSet::new();
    tasks.spawn(listener.serve(Endless(sender), 10, stop, Duration::from_secs(1)));
    let mut reader = TcpStream::connect(address).await.unwrap();
    reader.write_all(b"GET / HTTP/1.1\r\nhost: here\r\n\r\n").await.unwrap();
    // The answer flows until both sockets are full; nobody reads it.
    let hangup = hangups.recv().await.unwrap();
    reader.readable().await.unwrap();
    hangup.now();
    let ended = reader.read_to_end(&mut Vec::new()).await.unwrap_err();
    assert_eq!(ended.kind(), io::ErrorKind::ConnectionReset, "an end in order would come after all that was buffered");
}

/// Says yes after a time.
#[derive(Clone)]
struct Late(Duration);

struct Nothing;

impl http_body::Body for Nothing {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(None)
    }
}

impl Answer for Late {
    type Body = Nothing;

    fn answer(
        &self,
        _: http::Request<hyper::body::Incoming>,
    ) -> impl Future<Output = http::Response<Self::Body>> + Send + 'static {
        let late = self.0;
        async move {
            let _waited = tokio::time::timeout(late, std::future::pending::<()>()).await;
            http::Response::new(Nothing)
        }
    }
}

/// How often these listeners look for connections that ask nothing.
const LOOK: Duration = Duration::from_millis(500);

/// What comes back for these bytes until the other side ends the connection, or `until` holds.
async fn sent(answer: impl Answer, bytes: &[u8], until: impl Fn(&[u8]) -> bool) -> Vec<u8> {
    let mut listener = Listener::bind("127.0.0.1:0".parse().unwrap(), None).await.unwrap();
    listener.idle_look = LOOK;
    let (address, stop) = (listener.address().unwrap(), CancellationToken::new());
    let mut tasks = tokio::task::JoinSet::new();
    tasks.spawn(listener.serve(answer, 10, stop, Duration::from_secs(1)));
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let (mut seen, mut buffer) = (Vec::new(), [0; 4096]);
    while !until(&seen) {
        match stream.read(&mut buffer).await.unwrap() {
            0 => break,
            read => seen.extend_from_slice(&buffer[..read]),
        }
    }
    seen
}

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

/// A HEADERS frame of HTTP/2 on stream 1 that ends the request, its fields spelled out.
fn headers(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in fields {
        block.push(0);
        for text in [name, value] {
            block.push(u8::try_from(text.len()).unwrap());
            block.extend_from_slice(text.as_bytes());
        }
    }
    let head = [0, 0, u8::try_from(block.len()).unwrap(), 1, 5, 0, 0, 0, 1];
    [PREFACE, &head, &block].concat()
}

#[tokio::test]
async fn a_connection_that_asks_nothing_is_not_kept() {
    let half = [PREFACE, b"\0\0\0\x01\x01\0\0\0\x01"].concat();
    for silent in [&b""[..], b"PRI * HT", PREFACE, &half] {
        // It ends: a connection that is kept would hold one of the places for ever.
        sent(Late(Duration::ZERO), silent, |_| false).await;
    }
    // A request that takes long is no silence.
    let asked = sent(Late(4 * LOOK), b"GET / HTTP/1.1\r\nhost: here\r\n\r\n", |seen| !seen.is_empty()).await;
    assert!(asked.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&asked));
}

/// Says a word.
#[derive(Clone)]
struct Word;

impl Answer for Word {
    type Body = http_body_util::Full<Bytes>;

    fn answer(
        &self,
        _: http::Request<hyper::body::Incoming>,
    ) -> impl Future<Output = http::Response<Self::Body>> + Send + 'static {
        std::future::ready(http::Response::new(Bytes::from_static(b"word").into()))
    }
}

#[tokio::test]
async fn finding_answers_that_nobody_takes_kept_a_connection_for_ever() {
    let request = headers(&[(":method", "GET"), (":scheme", "http"), (":path", "/"), (":authority", "here")]);
    // SETTINGS_INITIAL_WINDOW_SIZE of 0: the client takes no byte of any answer.
    let window = b"\0\0\x06\x04\0\0\0\0\0\0\x04\0\0\0\0";
    let (preface, request) = request.split_at(PREFACE.len());
    let seen = sent(Word, &[preface, window, request].concat(), |_| false).await;
    assert_eq!(status_of(&seen), Some(0x88), "it was answered");
    assert!(!seen.ends_with(b"word"));
}

#[tokio::test]
async fn a_request_names_one_host() {
    for (request, status) in [
        ("GET / HTTP/1.1\r\nhost: here\r\n\r\n", "200"),
        ("GET http://here/ HTTP/1.1\r\nhost: HERE\r\n\r\n", "200"),
        ("GET / HTTP/1.1\r\nhost: here\r\nhost: here\r\n\r\n", "400"),
        ("GET http://there/ HTTP/1.1\r\nhost: here\r\n\r\n", "400"),
    ] {
        let answer = sent(Late(Duration::ZERO), request.as_bytes(), |seen| !seen.is_empty()).await;
        let answer = String::from_utf8_lossy(&answer);
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{request}: {answer}");
    }
    let asked = [(":method", "GET"), (":scheme", "http"), (":path", "/"), (":authority", "here")];
    // The first field of an answer is its status, by its place in the table: 8 is 200, 12 is 400.
    for (host, status) in [("here", 0x88), ("there", 0x8c)] {
        let fields = [&asked[..], &[("host", host)]].concat();
        let is_headers = |seen: &[u8]| status_of(seen).is_some();
        let answer = sent(Late(Duration::ZERO), &headers(&fields), is_headers).await;
        assert_eq!(status_of(&answer), Some(status), "{host}");
    }
}

/// The first byte of the first HEADERS frame.
fn status_of(mut seen: &[u8]) -> Option<u8> {
    while seen.len() > 9 {
        let length = usize::from(seen[1]) << 8 | usize::from(seen[2]);
        if seen[3] == 1 {
            return seen.get(9).copied();
        }
        seen = seen.get(9 + length..)?;
    }
    None
}
