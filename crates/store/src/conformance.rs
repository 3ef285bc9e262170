//! The conformance suite: what every engine must do, as a function that a test runs against it.
//!
//! It must not know the engine under test. INVARIANT: each case uses a store of its own name.

mod cases;
mod concurrent;
mod engine;
mod lives;
mod world;

pub use cases::run;
pub use engine::{backend, cut_off};
pub use lives::{a_whole_store_moves, export_and_import_agree};
pub use world::{Bed, GrantFold, ManualClock, NameFold, effects, journal};
