//! The corpus and its mutations, replayed.

#[path = "../../../../fuzz/replay.rs"]
mod replay;

#[test]
fn names() {
    replay::replay("names", super::names);
}
