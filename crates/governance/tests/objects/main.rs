//! Objects over a real store, a real key token and real files, with permits that a test makes.

mod at_rest;
mod conditions;
mod copy;
mod crash;
mod faults;
mod listing;
mod multipart;
mod put_get;
mod versions;
mod world;
