//! People, groups, services and sign-in: who exists, what they are called, how they prove who they are, and the tokens that say so.
//!
//! It must not know HTTP, and it does not decide who may do what: protected operations take the gate's permit, and
//! memberships are written as `access`'s own facts. INVARIANT: no personal attribute and no secret is in a fact; a
//! source identity is given once and never again.

mod approval;
mod clients;
mod erasure;
mod error;
mod facts;
mod fold;
mod groups;
mod lockout;
mod membership;
mod names;
mod password;
mod people;
mod ports;
pub mod provider;
mod services;
mod signin;

use access::{Access, Action, Outcome, Permit};
use base::{AccountId, Effects};
use crypto::Crypto;
use custody::Custody;
use std::sync::Arc;
use store::{Store, WriteTxn};

pub use approval::{APPROVAL_WAITS, Decision, History, Made, Proposed, State as ApprovalState, Waiting};
pub use clients::{AWS_CLIENT, Client, ClientChange, ClientKind, GroupClaim, NewClient};
pub use error::Error;
pub use fold::folds;
pub use groups::{Group, GroupStatus};
pub use lockout::{FAILURES_EVERYWHERE_MAX, FAILURES_MAX, FAILURES_WINDOW, LOCKED_FOR};
pub use membership::MembershipRow;
pub use names::{DisplayName, Email, GroupName, ServiceName, Username};
pub use password::{PASSWORD_CHARS_MAX, PASSWORD_CHARS_MIN};
pub use people::{NewPerson, Person, PersonChange, PersonStatus, Personal, may_sign_in};
pub use ports::Entitlements;
pub use provider::Provider;
pub use services::{OWNERLESS_MAX, Service, ServiceChange, ownerless_services};
pub use signin::{ACR_PASSWORD, SIGN_IN_IDLE, SIGN_IN_LASTS, SignIn};

/// What the directory is built from.
pub struct Deps {
    /// State.
    pub store: Store,
    /// The gate: changes are recorded with its permits.
    pub access: Access,
    /// Keys: people's attributes are sealed, their names found by keyed hashes.
    pub custody: Custody,
    /// Time and randomness.
    pub effects: Effects,
    /// The cryptographic provider.
    pub crypto: Crypto,
    /// The account in every ARN.
    pub account: AccountId,
    /// The issuer of the built-in provider: an `https` origin, or `http` on loopback; no trailing slash.
    pub issuer: String,
    /// Whether a change that gives somebody access which no owner chose for them waits for a second person. Without it one
    /// administrator suffices, and a fact says so each time.
    pub second_approval: bool,
}

/// The directory of one installation. Cheap to clone.
#[derive(Clone)]
pub struct Directory(Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) store: Store,
    pub(crate) access: Access,
    pub(crate) custody: Custody,
    pub(crate) effects: Effects,
    pub(crate) crypto: Crypto,
    pub(crate) account: AccountId,
    pub(crate) issuer: String,
    pub(crate) second_approval: bool,
    pub(crate) passwords: password::Passwords,
}

impl Directory {
    /// Builds the directory; nothing is read or written yet.
    pub fn new(deps: Deps) -> Self {
        let Deps { store, access, custody, effects, crypto, account, issuer, second_approval } = deps;
        let passwords = password::Passwords::new(crypto.clone());
        Self(Arc::new(Inner { store, access, custody, effects, crypto, account, issuer, second_approval, passwords }))
    }

    /// Runs one permitted change; its entry in the ledger is of the same transaction.
    pub(crate) async fn change<A: Action, T: Send + 'static>(
        &self,
        permit: Permit<A>,
        closure: impl FnMut(&mut WriteTxn<'_>) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        self.0.access.change(permit, closure).await
    }
}

/// The outcome of a permit as the record shows it: done, or refused by a rule of the directory.
pub(crate) const fn outcome(done: bool) -> Outcome {
    Outcome { status: if done { 200 } else { 400 }, bytes: 0 }
}

#[cfg(test)]
mod tests;
