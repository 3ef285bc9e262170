//! Assuming a role: from a verified identity token, or from a session, to a new session.
//!
//! It owns verification's port, the claims that AWS reads, inheritance and the limits that need more than the request.
//! It must not know HTTP or XML, and it does not decide: the gate evaluates the role's trust. Invariants: no session
//! without a source identity; a chained session has its parent's; claims and tags are literals.

mod claims;
mod exchange;
mod identity;
mod wishes;

pub use exchange::{
    MANAGEMENT_AUDIENCE, assume_role, assume_role_with_web_identity, get_caller_identity, management_session,
    management_session_for,
};
pub use identity::{IdentityTokens, TokenFault, VerifiedToken};

#[cfg(test)]
pub(crate) mod tests;
