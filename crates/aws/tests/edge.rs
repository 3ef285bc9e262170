//! The AWS edge as clients meet it: one binary, so that the whole system is linked once.

#[cfg(test)]
mod frames;
#[cfg(test)]
mod record;
#[cfg(test)]
mod s3;
#[cfg(test)]
mod security;
#[cfg(test)]
mod sts;
#[cfg(test)]
mod wire;
#[cfg(test)]
mod world;
