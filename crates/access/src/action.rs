//! The catalogue of actions: one marker type each, with what it acts on, how it is recorded and what data level it needs.
//!
//! A permit is a `Permit<A>` for one of these types, so an operation cannot be handed proof of something else. The
//! catalogue is compared with the golden matrix: an action without a row there fails a test.

use crate::ResourceRef;

pub mod api;
pub mod s3;
pub mod sts;

/// How a decision for an action is recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// Data leaves: the intent is durable before the first byte (or within 100 ms on a `batched` dataset).
    Read,
    /// Data comes in or changes: as `Read`.
    Write,
    /// A management change: the entry is a pending row of the same transaction ([`crate::Permit::record`]).
    Change,
    /// A management read or a listing: one entry, not waited for.
    View,
}

/// What a live grant must say before a data action is allowed (authorisation.md section 2, step 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Need {
    /// No dataset is concerned: ordinary IAM evaluation with the built-in denies.
    Iam,
    /// Any grant that covers the place, owners and stewards included: the bucket's own attributes.
    Discover,
    /// A grant of level `read` or more that covers the key.
    Read,
    /// A grant of level `write` that covers the key.
    Write,
    /// At least one readable area that overlaps the listed prefix.
    List,
    /// The caller is in the owner group, or a steward group, of the dataset at the bucket's root.
    Owner,
    /// As `Owner`, and whatever the dataset's own policy says: it cannot close the door on who may change it.
    Policy,
    /// Permanent deletion: retention's alone; in a workspace, which a tool made for itself, as `Write`.
    Retention,
    /// The compiled trust of a role.
    Trust,
    /// Always allowed to whoever is proven (`sts:GetCallerIdentity`).
    Nothing,
}

/// The static facts of one action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spec {
    /// The IAM name, such as `s3:GetObject`.
    pub name: &'static str,
    /// How it is recorded.
    pub class: Class,
    /// What grant it needs.
    pub need: Need,
}

/// One action. Implemented by the marker types of this module's children and by nothing else.
pub trait Action: Send + Sync + 'static {
    /// The IAM name.
    const NAME: &'static str;
    /// How it is recorded.
    const CLASS: Class;
    /// What grant it needs.
    const NEED: Need;
    /// What it acts on.
    type Resource: Clone + Into<ResourceRef> + Send + Sync + 'static;

    /// The name to evaluate and record; differs from `NAME` only where one type stands for several calls of one family.
    fn name(&self) -> &'static str {
        Self::NAME
    }
    /// The trust request that this action carries, if it is one.
    fn trust(&self) -> Option<&sts::AssumeRole> {
        None
    }
}

/// Every action of the catalogue, in the order of the reference page.
pub fn all() -> impl Iterator<Item = &'static Spec> {
    s3::ALL.iter().chain(sts::ALL).chain(api::ALL)
}

/// The action called `name` (ASCII case is ignored, as IAM does).
pub fn find(name: &str) -> Option<&'static Spec> {
    all().find(|spec| spec.name.eq_ignore_ascii_case(name))
}

macro_rules! actions {
    ($service:literal; $($(#[$doc:meta])* $name:ident($resource:ty) $class:ident $need:ident;)*) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
            pub struct $name;

            impl $crate::Action for $name {
                const NAME: &'static str = concat!($service, ":", stringify!($name));
                const CLASS: $crate::action::Class = $crate::action::Class::$class;
                const NEED: $crate::action::Need = $crate::action::Need::$need;
                type Resource = $resource;
            }
        )*
        /// Every marker of this module.
        pub(crate) const ALL: &[$crate::action::Spec] = &[$($crate::action::Spec {
            name: concat!($service, ":", stringify!($name)),
            class: $crate::action::Class::$class,
            need: $crate::action::Need::$need,
        }),*];
    };
}
pub(crate) use actions;

#[cfg(test)]
mod tests;
