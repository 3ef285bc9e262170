//! The facts that decisions need, and what each one says: memberships, grants, entitlements, roles, dataset locations,
//! guardrails, clients and services. One small aggregate each, folded into interval tables.
//!
//! It owns their shapes and their invariants. It must not know how a decision is made. INVARIANT: a grant goes to a
//! group, has an expiry and an approver; nothing here names a person by anything but an id.

mod fold;
mod keep;
mod types;
mod write;

pub(crate) use fold::edge;
pub use fold::{Lived, folds, lookup};
pub use keep::*;
pub use types::*;
pub use write::*;

/// The names of the views, for reads of "as it was at T, as known at K".
pub mod view {
    /// One row a membership, by edge; lookups [`BY_ID`], [`BY_MEMBER`], [`BY_GROUP`].
    pub const MEMBERSHIP: &str = "membership";
    /// One row a grant; lookups [`BY_DATASET`], [`BY_GROUP`].
    pub const GRANT: &str = "grant";
    /// One row an entitlement; lookups [`BY_ROLE`], [`BY_GROUP`], [`BY_CLIENT`].
    pub const ENTITLEMENT: &str = "entitlement";
    /// One row a role; lookup [`BY_NAME`].
    pub const ROLE: &str = "role";
    /// One row a dataset's location; lookups [`BY_BUCKET`], [`BY_GROUP`] (owner and stewards).
    pub const LOCATION: &str = "location";
    /// One row an account's guardrail.
    pub const GUARDRAIL: &str = "guardrail";
    /// One row an OIDC client; lookup [`BY_NAME`] (its audience).
    pub const CLIENT: &str = "client";
    /// One row a service; lookup [`BY_NAME`].
    pub const SERVICE: &str = "service";

    /// Lookup by the row's own id.
    pub const BY_ID: &str = "id";
    /// Lookup by member id.
    pub const BY_MEMBER: &str = "member";
    /// Lookup by group id.
    pub const BY_GROUP: &str = "group";
    /// Lookup by dataset id.
    pub const BY_DATASET: &str = "dataset";
    /// Lookup by role id.
    pub const BY_ROLE: &str = "role";
    /// Lookup by client id.
    pub const BY_CLIENT: &str = "client";
    /// Lookup by bucket name.
    pub const BY_BUCKET: &str = "bucket";
    /// Lookup by a name that is unique while it lives.
    pub const BY_NAME: &str = "name";
}

/// The kinds of facts.
pub mod kind {
    /// A member is put into a group.
    pub const MEMBERSHIP_ADDED: &str = "membership.added";
    /// A member leaves a group; names the adds that were seen.
    pub const MEMBERSHIP_REMOVED: &str = "membership.removed";
    /// A dataset is granted to a group.
    pub const GRANT_CREATED: &str = "grant.created";
    /// A grant ends before its expiry.
    pub const GRANT_ENDED: &str = "grant.ended";
    /// A group is entitled to a role.
    pub const ENTITLEMENT_CREATED: &str = "entitlement.created";
    /// An entitlement ends.
    pub const ENTITLEMENT_ENDED: &str = "entitlement.ended";
    /// A role is made.
    pub const ROLE_CREATED: &str = "role.created";
    /// A role is changed; the body is its whole new state.
    pub const ROLE_CHANGED: &str = "role.changed";
    /// A role ends.
    pub const ROLE_ENDED: &str = "role.ended";
    /// A dataset's location is set; the body is its whole state.
    pub const LOCATION_PUT: &str = "location.put";
    /// A dataset's location ends.
    pub const LOCATION_ENDED: &str = "location.ended";
    /// An account's guardrail is set; the body is its whole state (no levels: lifted).
    pub const GUARDRAIL_PUT: &str = "guardrail.put";
    /// An OIDC client becomes a trust anchor, or changes.
    pub const CLIENT_PUT: &str = "client.put";
    /// An OIDC client ends: nothing trusts it.
    pub const CLIENT_ENDED: &str = "client.ended";
    /// A service is registered, or changes.
    pub const SERVICE_PUT: &str = "service.put";
    /// A service ends.
    pub const SERVICE_ENDED: &str = "service.ended";
}

#[cfg(test)]
mod tests;
