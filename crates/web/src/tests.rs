//! What every answer of this edge carries.

use super::*;
use axum::routing::get;

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
