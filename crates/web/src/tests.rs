//! What every answer of this edge carries.

use super::*;
use axum::routing::{get, post};
use bytes::Bytes;
use futures::{StreamExt as _, poll, stream};
use std::task::Poll;

#[tokio::test]
async fn answers_over_tls_alone_bind_browsers_to_it() {
    let trusted = TrustedProxies::new(vec!["10.0.0.0/8".parse().unwrap()]);
    let router = strict(Router::new().route("/", get(|| async { "here" })), trusted);
    for (peer, tls, forwarded, bound) in [
        ("192.0.2.7:1", true, "", true),
        ("192.0.2.7:1", false, "", false),
        ("192.0.2.7:1", false, "https", false),
        ("10.0.0.1:1", false, "https", true),
        ("10.0.0.1:1", false, "http", false),
    ] {
        for path in ["/", "/nothing-here"] {
            let request = Request::get(path).header("x-forwarded-proto", forwarded);
            let request = request.extension(Peer { address: peer.parse().unwrap(), tls }).body(Body::empty()).unwrap();
            let answer = router.clone().oneshot(request).await.unwrap();
            let header = answer.headers().get(header::STRICT_TRANSPORT_SECURITY);
            assert_eq!(header, bound.then_some(&STRICT), "{peer} tls={tls} forwarded={forwarded} {path}");
        }
    }
}

// A body of 256 KiB is read before anybody is known, on each of thousands of connections.
#[tokio::test]
async fn bodies_before_authentication_share_one_budget() {
    let router = Router::new().route("/", post(|body: Bytes| async move { body.len().to_string() }));
    let web = Web { router, bodies: Arc::default() };
    let ask = |body: Body| Box::pin(web.answer(Request::post("/").body(body).unwrap()));
    let large = || Bytes::from(vec![0; 256 << 10]);
    let mut held = Vec::new();
    for _ in 0..200 {
        let unended = stream::iter([Ok::<_, std::io::Error>(large())]).chain(stream::pending());
        let mut answer = ask(Body::from_stream(unended));
        match poll!(&mut answer) {
            Poll::Pending => held.push(answer),
            Poll::Ready(refused) => assert_eq!(refused.status(), 503),
        }
    }
    assert_eq!(held.len(), 128, "strangers hold 32 MiB");
    assert_eq!(ask(Body::from(large())).await.status(), 503);
    assert_eq!(ask(Body::from("username=ann")).await.status(), 200, "who signs in is not shut out");
    drop(held);
    assert_eq!(ask(Body::from(large())).await.status(), 200);
}
