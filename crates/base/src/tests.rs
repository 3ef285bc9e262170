//! Names parse or say why not; ids sort by time.

use crate::*;
use std::{sync::Arc, time::Duration};

struct Still(i64);
impl Clock for Still {
    fn now(&self) -> Timestamp {
        Timestamp::from_millisecond(self.0).unwrap()
    }
    fn monotonic(&self) -> Duration {
        Duration::ZERO
    }
}
struct Ones;
impl Entropy for Ones {
    fn fill(&self, out: &mut [u8]) {
        out.fill(0xff);
    }
}

#[test]
fn ids_sort_by_time_and_are_version_7() {
    let at = |ms| Effects { clock: Arc::new(Still(ms)), entropy: Arc::new(Ones) }.uuid();
    assert!(at(1_700_000_000_000) < at(1_700_000_000_001));
    assert_eq!(at(0).get_version_num(), 7);
}

#[test]
fn an_id_has_one_spelling() {
    let id: PersonId = "0192f0c1-7a5e-7cc0-8000-0123456789ab".parse().unwrap();
    assert_eq!(id.to_string().parse::<PersonId>().unwrap(), id);
    assert!("0192f0c17a5e7cc080000123456789ab".parse::<PersonId>().is_err());
}

#[test]
fn accounts_keep_leading_zeros() {
    assert_eq!("000000000042".parse::<AccountId>().unwrap().to_string(), "000000000042");
    for bad in ["42", "0000000000042", "00000000004x", ""] {
        assert!(bad.parse::<AccountId>().is_err(), "{bad}");
    }
}

#[test]
fn an_arn_keeps_colons_in_its_resource() {
    let arn: Arn = "arn:aws:s3:::bucket/a:b".parse().unwrap();
    assert_eq!((arn.service(), arn.account(), arn.resource()), ("s3", "", "bucket/a:b"));
    for bad in ["arn:aws:s3", "arn::s3:::b", "x:aws:s3:::b", "arn:aws:s3:::", "arn:aws:s3:::a\nb"] {
        assert!(bad.parse::<Arn>().is_err(), "{bad}");
    }
}

#[test]
fn a_source_identity_is_printable_only_on_purpose() {
    let who: SourceIdentity = "ann@example.com".parse().unwrap();
    assert_eq!(format!("{who:?}"), "SourceIdentity(..)");
    for bad in ["a", "aws:x", "a b", "ann*", &"x".repeat(65)] {
        assert!(bad.parse::<SourceIdentity>().is_err(), "{bad}");
    }
}

#[test]
fn canonical_json_sorts_keys() {
    let value = serde_json::json!({"b": 1, "a": [1.0, "é"]});
    assert_eq!(canonical::to_string(&value).unwrap(), r#"{"a":[1,"é"],"b":1}"#);
}

#[test]
fn a_bad_name_is_repeated_or_kept_out_of_the_message() {
    let shown = crate::BadName::new("a group name", "a*", "1 to 128 characters").to_string();
    assert_eq!(shown, "`a*` is not a group name: expected 1 to 128 characters");
    let hidden = crate::BadName::hidden("a user name", "2 to 128 characters").to_string();
    assert_eq!(hidden, "this is not a user name: expected 2 to 128 characters");
}

#[test]
fn names_that_would_mislead() {
    for name in ["a*", "a?", "../a", "a//b", "a\0", "a\nb", "\u{202e}nimda", "ad\u{200b}min", "\u{feff}a", "a\u{2066}b"]
    {
        assert!(crate::misleads(name), "{name:?}");
    }
    for name in ["oncology readers", "Åse Ø.", "می\u{200c}خواهم", "a/b", "日本"] {
        assert!(!crate::misleads(name), "{name:?}");
    }
}

#[test]
fn names_that_look_like_others() {
    for name in [
        "\u{430}nna",
        "oncology-\u{43e}wners",
        "\u{39f}livia",
        "ann\u{ff41}",
        "\u{1d41a}nna",
        "Jose\u{301}",
        "\u{fb01}nn",
    ] {
        assert!(crate::misleads(name), "{name:?}");
    }
    for name in [
        "Jos\u{e9}",
        "\u{410}\u{43d}\u{43d}\u{430}",
        "NF-\u{3ba}B",
        "TGF-\u{3b2}1 \u{3bc}g",
        "\u{391}\u{3bd}\u{3bd}\u{3b1}",
        "Łukasz",
        "東京-sdtm",
    ] {
        assert!(!crate::misleads(name), "{name:?}");
    }
}

#[test]
fn one_thing_is_told_in_the_singular() {
    let told =
        [(0_u64, "finding"), (1, "finding"), (2, "finding"), (1, "entry"), (3, "entry"), (1, "day"), (30, "day")];
    let told = told.map(|(number, thing)| crate::count(number, thing).to_string());
    assert_eq!(told, ["0 findings", "1 finding", "2 findings", "1 entry", "3 entries", "1 day", "30 days"]);
}
