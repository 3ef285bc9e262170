//! The corpora and their mutations, replayed.

use super::*;

#[path = "../../../../fuzz/replay.rs"]
mod replay;

#[test]
fn session_tokens() {
    replay::replay("session-token", session_token);
}

#[test]
fn sessions() {
    assert!(replay::corpus("session").iter().all(|bytes| body::read(bytes).is_ok()), "a seed is a session");
    replay::replay("session", session);
}

#[test]
fn receipts() {
    replay::replay("receipt", receipt);
}
