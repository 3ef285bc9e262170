//! The corpora and their mutations, replayed.

use super::{chunked, codec, document, head, request};
use crate::document::shape;
use s3s::dto;

#[path = "../../../../fuzz/replay.rs"]
mod replay;

#[test]
fn heads_of_requests() {
    assert!(replay::corpus("aws-request").iter().all(|bytes| head(bytes).is_some()), "a seed is a request");
    replay::replay("aws-request", request);
}

#[test]
fn documents() {
    let seeds = replay::corpus("aws-document");
    assert!(seeds.iter().all(|bytes| shape::operations().any(|it| shape::check(it, bytes).is_ok())));
    assert!(seeds.iter().any(|bytes| codec::<dto::Delete>(bytes)));
    replay::replay("aws-document", document);
}

#[test]
fn frames_of_bodies() {
    replay::replay("aws-chunked", chunked);
}
