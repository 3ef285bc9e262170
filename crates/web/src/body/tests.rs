//! Whole bodies pass, bodies that stop do not wait for ever.

use super::*;
use access::bodies::Bodies;
use axum::body::to_bytes;

fn in_time(body: Body) -> Body {
    bounded(body, Arc::new(Bodies::default().share()))
}

#[tokio::test]
async fn a_body_passes_unchanged() {
    assert!(http_body::Body::is_end_stream(&in_time(Body::empty())));
    assert_eq!(to_bytes(in_time(Body::from("abc")), 10).await.unwrap(), "abc");
    let parts = stream::iter(["ab", "", "c"].map(|part| Ok::<_, std::io::Error>(Bytes::from(part))));
    assert_eq!(to_bytes(in_time(Body::from_stream(parts)), 10).await.unwrap(), "abc");
}

#[tokio::test]
async fn a_body_that_stops_fails_in_time() {
    let one = stream::iter([Ok::<_, std::io::Error>(Bytes::from("a="))]);
    let stuck = Body::from_stream(one.chain(stream::pending()));
    let error = to_bytes(ending(stuck, Duration::ZERO, Arc::new(Bodies::default().share())), 10).await.unwrap_err();
    assert!(format!("{error:?}").contains("TooSlow"), "{error}");
}
