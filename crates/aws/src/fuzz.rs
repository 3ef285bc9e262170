//! The readers of untrusted bytes of this edge, for the fuzz targets and the replay of their corpora: each takes any bytes, and
//! panics when a rule is broken.

use http::{HeaderMap, HeaderName, HeaderValue, Request, header, request};
use s3s::dto;
use s3s::xml::{Deserialize, Deserializer};

use crate::cors::Ask;
use crate::document::{self, shape};
use crate::frames::Frames;
use crate::router::{self, Route};
use crate::{authorization, direct, s3, words};

#[cfg(test)]
mod tests;

/// A head as it is written: `METHOD TARGET`, then headers, a line each.
fn head(bytes: &[u8]) -> Option<request::Parts> {
    let mut lines = std::str::from_utf8(bytes).ok()?.split('\n');
    let (method, target) = lines.next()?.split_once(' ')?;
    let mut request = Request::builder().method(method).uri(target).body(()).ok()?;
    for (name, value) in lines.filter_map(|line| line.split_once(':')) {
        if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), HeaderValue::from_str(value)) {
            request.headers_mut().append(name, value);
        }
    }
    Some(request.into_parts().0)
}

/// Reads the head of a request.
pub fn request(bytes: &[u8]) {
    let Some(mut parts) = head(bytes) else { return };
    let domains = ["s3.example".to_owned()];
    let route = router::route(&parts, &domains);
    if router::host(&parts).is_some_and(|host| router::bucket_in_host(host, &domains).is_some()) {
        assert!(matches!(route, Route::S3 | Route::Preflight), "a host that names a bucket is for S3: {route:?}");
    }
    if let Ok(region) = "eu-north-1".parse() {
        let _refused = authorization::unreadable(&parts, &region);
    }
    let _carried = document::carried(&parts, false);
    let _asked = Ask::preflight(&parts.headers);
    let _digest = direct::declared(&parts.headers);
    s3::without_unreadable_range(&mut parts);
    let told = parts.headers.get(header::RANGE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let escaped = told.replace('&', "&amp;").replace('<', "&lt;");
    let xml = format!("<Error><Code>InvalidArgument</Code><Message>invalid header: range: {escaped}</Message></Error>");
    assert!(words::better(&xml).ends_with("</Error>"));
}

/// Reads the frames of a body in pieces of the size that the first byte says: the same as when they come as one.
pub fn chunked(bytes: &[u8]) {
    let Some((piece, body)) = bytes.split_first() else { return };
    let headers = HeaderMap::from_iter([(
        HeaderName::from_static("x-amz-trailer"),
        HeaderValue::from_static("x-amz-checksum-crc32"),
    )]);
    let read = |piece: usize| {
        let mut frames = Frames::new(&headers, None);
        body.chunks(piece).try_for_each(|piece| frames.pass(piece).map_err(|error| error.to_string()))?;
        frames.end().map_err(|error| error.to_string())
    };
    assert_eq!(read(usize::from(*piece).max(1)), read(usize::MAX));
}

fn codec<T: for<'xml> Deserialize<'xml>>(bytes: &[u8]) -> bool {
    let mut reader = Deserializer::new(bytes);
    T::deserialize(&mut reader).is_ok() && reader.expect_eof().is_ok()
}

/// Reads a document as each operation that takes one does.
pub fn document(bytes: &[u8]) {
    for operation in shape::operations() {
        let _refused = shape::check(operation, bytes);
    }
    codec::<dto::Delete>(bytes);
    codec::<dto::Tagging>(bytes);
    codec::<dto::CORSConfiguration>(bytes);
    codec::<dto::CompletedMultipartUpload>(bytes);
    codec::<dto::AccessControlPolicy>(bytes);
    codec::<dto::CreateBucketConfiguration>(bytes);
}
