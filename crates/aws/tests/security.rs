//! One test for each class of advisory that has hit S3 servers (the list is in `docs/src/explanation/s3-threats.md`): the
//! attack is made, and it must fail.

#[tokio::test]
async fn placeholder() {}
