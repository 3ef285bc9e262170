//! What is refused, and what the refusal says; what is sound passes.

use super::*;

fn told(operation: &str, xml: &str) -> String {
    match check(operation, xml.as_bytes()) {
        Ok(()) => String::new(),
        Err(error) => format!("{} {}", error.code().as_str(), error.message().unwrap_or_default()),
    }
}

#[test]
fn sound_documents_pass() {
    for (operation, xml) in [
        (
            "PutObjectTagging",
            "<?xml version=\"1.0\"?>\n<Tagging xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><TagSet>\n <Tag><Key>a</Key><Value/></Tag>\n</TagSet></Tagging>\n",
        ),
        ("PutObjectTagging", "<Tagging><TagSet/></Tagging>"),
        ("CreateBucket", ""),
        (
            "CreateBucket",
            "<CreateBucketConfiguration><LocationConstraint>x</LocationConstraint></CreateBucketConfiguration>",
        ),
        (
            "DeleteObjects",
            "<Delete><!-- two --><Object><Key>a&amp;b</Key></Object><Object><Key>c</Key><VersionId>v</VersionId></Object><Quiet>true</Quiet></Delete>",
        ),
        ("PutBucketPolicy", "{}"),
    ] {
        assert_eq!(told(operation, xml), "", "{operation} {xml}");
    }
}

#[test]
fn what_would_be_ignored_or_misread_is_named_with_its_place() {
    for (operation, xml, code, words) in [
        ("PutObjectTagging", "", "MissingRequestBodyError", "`Tagging`"),
        ("PutObjectTagging", "<Tags/>", "MalformedXML", "expected one document `Tagging`"),
        (
            "PutObjectTagging",
            "<Tagging><TagSet>\n<Tag><Key>a</Key></Tag></TagSet></Tagging>",
            "MalformedXML",
            "line 2: `Tag` needs the element `Value`",
        ),
        ("PutObjectTagging", "<Tagging><TagSet>", "MalformedXML", "ends before"),
        ("PutObjectTagging", "<Tagging></Wrong>", "MalformedXML", "not well-formed"),
        ("PutObjectTagging", "<Tagging><TagSet/></Tagging><Tagging/>", "MalformedXML", "expected one document"),
        ("PutObjectTagging", "<!DOCTYPE x><Tagging><TagSet/></Tagging>", "MalformedXML", "document type"),
        ("PutObjectTagging", "<Tagging>text<TagSet/></Tagging>", "MalformedXML", "text between"),
        ("PutObjectTagging", "just text", "MalformedXML", "ends before"),
        (
            "CreateBucket",
            "<CreateBucketConfiguration><Encrypt>no</Encrypt></CreateBucketConfiguration>",
            "MalformedXML",
            "`Encrypt` is not read in `CreateBucketConfiguration`, which takes LocationConstraint",
        ),
        ("DeleteObjects", "<Delete><Object><Key>a<b/></Key></Object></Delete>", "MalformedXML", "`Key` holds text"),
        ("CompleteMultipartUpload", "<CompleteMultipartUpload/>", "MalformedXML", "needs the element `Part`"),
    ] {
        let told = told(operation, xml);
        assert!(told.starts_with(code) && told.contains(words), "{operation} {xml}: {told}");
    }
}
