//! Objects over a real store, a real key token and real files, with permits that a test makes.

#![expect(clippy::unwrap_used, clippy::string_slice, clippy::panic, reason = "helpers of tests may fail loudly")]

mod at_rest;
mod conditions;
mod copy;
mod crash;
mod faults;
mod listing;
mod multipart;
mod parsers;
mod put_get;
mod versions;
mod world;
