//! Domains and datasets as people know them: names, descriptions, owners. What decisions need of a dataset (places, owner,
//! stewards, classification) is a fact of `access`, written here in the same change.
//!
//! It must not know who may: every operation consumes a permit.

mod dataset;
mod domain;
mod fold;
mod grant;

pub use dataset::{ChangeDataset, Dataset, NewDataset};
pub use domain::{ChangeDomain, Domain, NewDomain};
pub use fold::folds;
pub use grant::{GRANT_DAYS_MAX, GrantEnd, GrantState, GrantStory, GrantView, GrantsOf, NewGrant};

use access::Access;
use base::{AccountId, Effects};
use custody::Custody;
use std::sync::Arc;
use store::Store;

/// Most characters of a name of a domain or dataset: what fits a table column.
pub(crate) const NAME_CHARS_MAX: usize = 100;
/// Most characters of a description or purpose: a paragraph, not a document.
pub(crate) const TEXT_CHARS_MAX: usize = 2_000;

/// Domains, datasets and grants of one installation. Cheap to clone.
#[derive(Clone)]
pub struct Governance(Arc<Parts>);

struct Parts {
    store: Store,
    access: Access,
    custody: Custody,
    effects: Effects,
    account: AccountId,
}

impl Governance {
    /// Governance over these parts; new datasets belong to `account`.
    pub fn new(store: Store, access: Access, custody: Custody, effects: Effects, account: AccountId) -> Self {
        Self(Arc::new(Parts { store, access, custody, effects, account }))
    }
}

/// A name: not empty, not misleading, not too long, the same however it is typed at the ends.
fn name(text: &str) -> Result<String, crate::Error> {
    let name = text.trim();
    if name.is_empty() || name.chars().count() > NAME_CHARS_MAX {
        return Err(crate::Error::BadText { field: "name", most: NAME_CHARS_MAX });
    }
    if base::misleads(name) {
        return Err(crate::Error::MisleadingName { name: name.to_owned() });
    }
    Ok(name.to_owned())
}

/// Free text with a bound.
fn text(field: &'static str, text: &str) -> Result<String, crate::Error> {
    let sound = text.chars().count() <= TEXT_CHARS_MAX && !text.chars().any(|c| c.is_control() && c != '\n');
    if sound { Ok(text.to_owned()) } else { Err(crate::Error::BadText { field, most: TEXT_CHARS_MAX }) }
}
