//! The AWS-compatible edge on one endpoint: a router, the security token service, and S3.
//!
//! It turns bytes into typed requests, asks the gate, calls the pillars and turns answers into bytes. It decides nothing:
//! who may is the gate's, and every protected operation takes its resource from the permit. It does not know sockets: `app`
//! gives it requests with the [`protocols::peer::Peer`] in their extensions.

mod arrival;
mod authorization;
mod cors;
mod direct;
mod document;
mod frames;
#[cfg(any(test, feature = "fuzz"))]
pub mod fuzz;
mod gather;
mod limit;
mod metrics;
mod options;
mod rest;
mod router;
mod s3;
mod service;
mod sts;
mod whole;
mod words;

pub use options::{Options, Rates};
pub use service::{AnswerBody, Aws, Deps, Error};
