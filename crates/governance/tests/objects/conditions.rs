//! Conditions are decided against what the write replaces, also when writers race.

use super::world::{World, put};
use base::Timestamp;
use governance::{
    Error,
    objects::{ByteRange, Conditions, Get, Match, Put},
};

fn none_match(text: &str) -> Conditions {
    Conditions { if_none_match: Some(Match::from_header(text)), ..Conditions::default() }
}

fn if_match(text: &str) -> Conditions {
    Conditions { if_match: Some(Match::from_header(text)), ..Conditions::default() }
}

#[tokio::test]
async fn of_racing_creators_exactly_one_wins() {
    let world = World::new().await;
    for round in 0..5 {
        let key = format!("lock-{round}");
        let puts = (0..16).map(|n| world.try_put(&key, Put { conditions: none_match("*"), ..put(vec![n; 100]) }));
        let results = futures::future::join_all(puts).await;
        assert_eq!(results.iter().filter(|r| r.is_ok()).count(), 1, "round {round}");
        let lost = results.iter().filter(|r| matches!(r, Err(Error::PreconditionFailed { .. }))).count();
        assert_eq!(lost, 15, "round {round}");
    }
    assert_eq!(world.version_count().await, 5);
    // The bodies of the losers are gone.
    let swept = world.swept().await;
    assert_eq!((swept.seen, swept.removed), (5, 0));
}

#[tokio::test]
async fn writes_follow_their_conditions() {
    let world = World::new().await;
    let first = world.put("k", "1").await;
    let with = |conditions| Put { conditions, ..put("2") };
    assert!(matches!(world.try_put("k", with(none_match("*"))).await, Err(Error::PreconditionFailed { .. })));
    assert!(matches!(world.try_put("k", with(if_match("\"other\""))).await, Err(Error::PreconditionFailed { .. })));
    assert!(matches!(world.try_put("absent", with(if_match("*"))).await, Err(Error::NoSuchKey)));
    let second = world.try_put("k", with(if_match(&format!("\"{}\"", first.etag)))).await.unwrap();
    assert_ne!(first.etag, second.etag);
    let delete = world.permit(access::s3::DeleteObject, "k");
    let stale = world.objects.delete(delete, if_match(first.etag.as_str())).await;
    assert!(matches!(stale, Err(Error::PreconditionFailed { .. })));
    world.objects.delete(world.permit(access::s3::DeleteObject, "k"), if_match(second.etag.as_str())).await.unwrap();
    // After a delete marker the key is free again.
    world.try_put("k", with(none_match("*"))).await.unwrap();
}

#[tokio::test]
async fn reads_follow_their_conditions() {
    let world = World::new().await;
    let written = world.put("k", "1").await;
    let second = Timestamp::from_second(written.modified.as_second()).unwrap();
    let before = second - std::time::Duration::from_secs(10);
    let get = |conditions| world.get_with("k", Get { conditions, ..Get::default() });
    let tag = written.etag.as_str();
    assert!(get(if_match(tag)).await.is_ok());
    assert!(get(if_match("*")).await.is_ok());
    assert!(matches!(get(if_match("x")).await, Err(Error::PreconditionFailed { .. })));
    assert!(matches!(get(none_match(tag)).await, Err(Error::NotModified { .. })));
    assert!(get(none_match("x")).await.is_ok());
    let since = |time| Conditions { if_modified_since: Some(time), ..Conditions::default() };
    assert!(matches!(get(since(second)).await, Err(Error::NotModified { .. })));
    assert!(get(since(before)).await.is_ok());
    let unchanged = |time| Conditions { if_unmodified_since: Some(time), ..Conditions::default() };
    assert!(get(unchanged(second)).await.is_ok());
    assert!(matches!(get(unchanged(before)).await, Err(Error::PreconditionFailed { .. })));
    // RFC 9110, 13.2.2: If-Match wins over If-Unmodified-Since, If-None-Match over If-Modified-Since.
    assert!(get(Conditions { if_match: Some(Match::Any), ..unchanged(before) }).await.is_ok());
    assert!(get(Conditions { if_none_match: Some(Match::from_header("x")), ..since(second) }).await.is_ok());
}

#[test]
fn ranges_parse_as_the_rfc_says() {
    let parse = |text| ByteRange::from_header(text);
    assert_eq!(parse("bytes=0-9").unwrap(), Some(ByteRange::Inclusive(0, 9)));
    assert_eq!(parse("bytes=5-").unwrap(), Some(ByteRange::From(5)));
    assert_eq!(parse("bytes=-5").unwrap(), Some(ByteRange::Last(5)));
    assert!(matches!(parse("bytes=0-1,3-4"), Err(Error::ManyRanges)));
    for ignored in ["lines=1-2", "bytes=9-1", "bytes=-", "bytes=a-b", "bytes=+1-2", "bytes", "bytes=1"] {
        assert_eq!(parse(ignored).unwrap(), None, "{ignored}");
    }
    assert_eq!(ByteRange::Inclusive(0, u64::MAX).resolve(10).unwrap(), 0..10);
    assert!(ByteRange::Last(0).resolve(10).is_err());
    assert!(ByteRange::From(10).resolve(10).is_err());
    assert!(ByteRange::Last(5).resolve(0).is_err());
}
