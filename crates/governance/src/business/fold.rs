//! How the facts of domains and datasets become views. It knows shapes, not rules.

use access::facts::{Lived, lookup};
use std::sync::Arc;
use store::Fold;

use super::{Dataset, Domain};

/// One row a domain; lookup [`BY_NAME`].
pub(super) const DOMAIN: &str = "domain";
/// One row a dataset's business side; lookups [`BY_NAME`], [`BY_DOMAIN`].
pub(super) const DATASET: &str = "dataset";
/// Lookup by a name that is unique while it lives.
pub(super) const BY_NAME: &str = "name";
/// Lookup by domain id.
pub(super) const BY_DOMAIN: &str = "domain";

pub(super) const DOMAIN_CREATED: &str = "domain.created";
pub(super) const DOMAIN_CHANGED: &str = "domain.changed";
pub(super) const DOMAIN_ENDED: &str = "domain.ended";
pub(super) const DATASET_CREATED: &str = "dataset.created";
pub(super) const DATASET_CHANGED: &str = "dataset.changed";
pub(super) const DATASET_ENDED: &str = "dataset.ended";

/// The folds of this room, for `store::Options`.
pub fn folds() -> Vec<Arc<dyn Fold>> {
    vec![
        Arc::new(Lived {
            view: DOMAIN,
            kinds: &[DOMAIN_CREATED, DOMAIN_CHANGED, DOMAIN_ENDED],
            expected: "a domain",
            lookups: |body| {
                let domain: Domain = serde_json::from_value(body.clone()).ok()?;
                Some(vec![lookup(BY_NAME, domain.name)])
            },
        }),
        Arc::new(Lived {
            view: DATASET,
            kinds: &[DATASET_CREATED, DATASET_CHANGED, DATASET_ENDED],
            expected: "a dataset",
            lookups: |body| {
                let dataset: Dataset = serde_json::from_value(body.clone()).ok()?;
                Some(vec![lookup(BY_NAME, &dataset.name), lookup(BY_DOMAIN, dataset.domain)])
            },
        }),
    ]
}
