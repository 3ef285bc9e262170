//! The AWS edge as clients meet it: one binary, so that the whole system is linked once.

mod s3;
mod security;
mod sts;
mod wire;
mod world;
