//! A connection that is cut ends at once, whatever its peer reads.

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
