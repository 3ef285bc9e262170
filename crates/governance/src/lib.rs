//! Governed data: domains, datasets, grants, and the objects inside datasets.
//!
//! It owns what a dataset is and where its bytes lie. It must not know who may: it hands the gate the neutral facts
//! that a decision needs and consumes the permits that come back. No HTTP, no file system, no other pillar.

mod buckets;
mod business;
#[cfg(feature = "conformance")]
pub mod conformance;
mod dataset_policy;
mod error;
#[cfg(any(test, feature = "fuzz"))]
pub mod fuzz;
pub mod objects;
pub mod ports;

pub use buckets::Buckets;
pub use business::{
    ChangeDataset, ChangeDomain, Dataset, Domain, GRANT_DAYS_MAX, Governance, GrantEnd, GrantState, GrantStory,
    GrantView, GrantsOf, NewDataset, NewDomain, NewGrant, folds,
};
pub use error::Error;
pub use objects::{ETag, Objects, Tags, VersionId};
