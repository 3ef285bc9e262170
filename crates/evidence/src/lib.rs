//! Evidence: "why" told whole. The gate's typed chain of a decision is joined with names, facts and proofs into a
//! sentence a person understands and a document a program reads.
//!
//! It must not decide and must not record. Names come through a port, since they live sealed and can be erased.
//! INVARIANT: every line of a story names the fact or entry behind it, and an erased name is told as erased.

pub mod ask;
mod miss;
mod names;
mod prove;
pub mod refusal;
mod sentence;
mod story;

pub use miss::Missed;
pub use names::{Granted, KnownTo, Name, Named, Names};
pub use sentence::{allowed, refused};
pub use story::{Behind, End, Link, NowAnswer, Proof, Recorded, ReplayAnswer, Story, Verdict, tell};

use base::ErrorKind;

/// A failure to tell a story.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The facts behind it cannot be read.
    #[error("the facts behind the decision cannot be read")]
    Store(#[from] store::Error),
    /// The decision, or what it stands on, cannot be read.
    #[error(transparent)]
    Access(#[from] access::Error),
}

impl Error {
    /// What it means.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Store(source) => source.kind(),
            Self::Access(source) => source.kind(),
        }
    }
}
