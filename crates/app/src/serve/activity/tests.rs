//! What keeps a connection.

use super::*;
use http_body_util::Full;

#[test]
fn an_answer_keeps_its_connection_only_if_it_is_large() {
    let activity = Arc::new(Activity::default());
    let (mut begun, open) = (0, activity.begin());
    assert!(!activity.is_idle(&mut begun) && !activity.is_idle(&mut begun), "it is not answered");
    let body = |len: u64| Full::new(bytes::Bytes::from(vec![7; usize::try_from(len).unwrap()]));
    let small = Answered::new(Some(body(AT_ONCE_BYTES_MAX)), open);
    assert!(activity.is_idle(&mut begun));
    let large = Answered::new(Some(body(AT_ONCE_BYTES_MAX + 1)), activity.begin());
    assert!(!activity.is_idle(&mut begun) && !activity.is_idle(&mut begun));
    drop(large);
    assert!(activity.is_idle(&mut begun));
    drop(small);
    assert!(activity.is_idle(&mut begun));
}
