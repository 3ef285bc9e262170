//! What an operator runs: the doctor, the ledger's verification, and proofs from it.
//!
//! It joins the kernel's own checks into answers for people. It must not know the command line or HTTP, and it never
//! repairs silently: it says what is wrong and what to do.

pub mod doctor;
mod error;
pub mod ledger;

pub use doctor::{Check, Examination, Patient, State, Verdict, examine};
pub use error::Error;
pub use ledger::{Trust, prove, verify};
