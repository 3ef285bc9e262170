//! The codec's words are replaced, those of this edge are not.

use super::*;

#[test]
fn stock_messages_say_what_to_do_and_others_stay() {
    let told = |message: &str| better(&format!("<Error><Code>X</Code><Message>{message}</Message>"));
    for (stock, words) in [
        ("Request has expired", "make a new one"),
        ("missing header: content-length", "the header `content-length` is missing: send it"),
        ("invalid header: range: &quot;bytes=9-1&quot;", "its value is &quot;bytes=9-1&quot;: ask for one range"),
        ("invalid query: max-keys: x", "the parameter `max-keys` cannot be read, its value is x"),
    ] {
        assert!(told(stock).contains(words), "{}", told(stock));
        assert!(told(stock).starts_with("<Error><Code>X</Code><Message>") && told(stock).ends_with("</Message>"));
    }
    let read =
        better("<Error><Code>InvalidArgument</Code><Message>invalid header: range: &quot;bytes=9-1&quot;</Message>");
    assert!(
        read.ends_with("</Message><ArgumentName>range</ArgumentName><ArgumentValue>bytes=9-1</ArgumentValue>"),
        "{read}"
    );
    let own = "<Error><Code>X</Code><Message>the bucket has no tags</Message>";
    assert_eq!(better(own), own);
    assert_eq!(better("<Error><Code>X</Code>"), "<Error><Code>X</Code>");
}

/// A newer codec may say it in other words: then the line here is dead and must follow.
#[test]
fn the_defaults_of_the_codec_are_still_these() {
    for code in [s3s::S3ErrorCode::InvalidBucketName, s3s::S3ErrorCode::KeyTooLongError, s3s::S3ErrorCode::MalformedXML]
    {
        let stock = s3s::S3Error::new(code.clone());
        let known = WHOLE.iter().any(|(known, _)| stock.message().is_some_and(|message| message.starts_with(known)));
        assert!(known, "{}: {:?}", code.as_str(), stock.message());
    }
}
