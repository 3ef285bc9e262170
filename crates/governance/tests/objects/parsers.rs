//! Whatever text comes in: a value or an error, never a panic, and one spelling for what Galen gives out.

use governance::objects::{Algorithm, BucketName, ByteRange, Checksum, ETag, Match, ObjectKey, Tags, VersionId};
use proptest::prelude::*;

/// Text near to what the parsers take, and far from it.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "[ -~]{0,80}",
        "(bytes=)?[0-9,\\-]{0,24}",
        "[A-Za-z0-9_\\-]{30,34}",
        "[A-Za-z0-9+/=\\-]{0,60}",
        "[a-z0-9./\\-]{0,70}",
        "(\"?[0-9a-f]{32}(-[0-9]{1,5})?\"?,? ?){0,3}",
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn no_text_breaks_a_parser(text in text(), other in text(), size in any::<u64>()) {
        if let Ok(Some(range)) = ByteRange::from_header(&text) {
            match range.resolve(size) {
                Ok(range) => prop_assert!(range.start < range.end && range.end <= size),
                Err(_) => prop_assert!(size == 0 || !matches!(range, ByteRange::Last(n) if n > 0)),
            }
        }
        if let Ok(version) = text.parse::<VersionId>() {
            prop_assert_eq!(version.to_string(), text.as_str());
        }
        if let Ok(key) = text.parse::<ObjectKey>() {
            prop_assert_eq!(key.as_str(), text.as_str());
            prop_assert!(!text.contains('\0') && text.len() <= ObjectKey::LEN_MAX);
            prop_assert!(text.split('/').all(|segment| segment != ".." && segment != "."));
        }
        if let Ok(bucket) = text.parse::<BucketName>() {
            prop_assert!(!bucket.as_str().contains('/') && !bucket.as_str().contains('\0'));
        }
        for algorithm in Algorithm::ALL {
            if let Ok(checksum) = Checksum::parse(algorithm, &text) {
                prop_assert_eq!(checksum.value, text.as_str());
            }
        }
        let _ = (Algorithm::from_name(&text), Match::from_header(&text), ETag::from_header(&text));
        if let Ok(tags) = Tags::new([(text.clone(), other)]) {
            prop_assert_eq!(tags.iter().next().map(|(key, _)| key.to_owned()), Some(text));
        }
    }
}
