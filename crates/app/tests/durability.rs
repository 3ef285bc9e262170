//! What lasts: kills of a real server under load, and a move of an installation to the other engine.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a whole program of tests and their helpers"
)]

#[path = "durability/api.rs"]
mod api;
#[path = "durability/audit.rs"]
mod audit;
#[path = "durability/checks.rs"]
mod checks;
#[path = "durability/kills.rs"]
mod kills;
#[path = "durability/load.rs"]
mod load;
#[path = "durability/moving.rs"]
mod moving;
#[path = "durability/recorded.rs"]
mod recorded;
#[path = "durability/rig.rs"]
mod rig;
#[path = "system/s3.rs"]
mod s3;
#[path = "system/support.rs"]
#[expect(dead_code, reason = "the demonstration is for the other tests of the program")]
mod support;

/// What the environment tells a test.
#[expect(clippy::disallowed_methods, reason = "tests are told by the environment where the server is")]
fn told(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
