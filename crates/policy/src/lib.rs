//! The IAM policy language: parse, compile, evaluate with reasons, lint, explain.
//!
//! Everything here is a pure function of bytes: no I/O, no clock, no async. It knows nothing of grants, sessions or
//! stores; the caller brings the documents and the request's context. One invariant: a decision that allows always
//! names the statements that allowed it, and a decision that denies says what denied or what was missing.

mod arn;
mod assume;
mod compiled;
mod condition;
mod context;
mod decision;
mod document;
mod error;
mod evaluate;
pub mod explain;
mod json;
pub mod lint;
mod operator;
mod pattern;
mod principal;
mod request;
pub mod simulate;

pub use assume::{AssumeDecision, AssumeInputs, evaluate_assume};
pub use compiled::Compiled;
pub use context::Context;
pub use decision::{Decision, Determining, Effect, EvaluationError, Missing, Note, PolicyRef};
pub use document::{
    Condition, Document, DocumentKind, PrincipalElement, PrincipalEntry, Selector, Statement, StatementEffect, Version,
};
pub use error::Error;
pub use evaluate::{Inputs, Outcome, SideResult, evaluate, narrow};
pub use operator::{Cardinality, Operator, OperatorBase};
pub use principal::{Principal, PrincipalKind};
pub use request::Request;

#[cfg(test)]
mod tests;
