//! A caller gets its share, no more, and again later.

use super::*;
use base::{Clock as _, Entropy, Timestamp};
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

#[derive(Default)]
struct Hand(AtomicU64);
impl base::Clock for Hand {
    fn now(&self) -> Timestamp {
        Timestamp::UNIX_EPOCH
    }
    fn monotonic(&self) -> Duration {
        Duration::from_millis(self.0.load(Ordering::SeqCst))
    }
}
struct Zeros;
impl Entropy for Zeros {
    fn fill(&self, out: &mut [u8]) {
        out.fill(0);
    }
}

#[test]
fn a_source_gets_its_burst_and_then_its_rate() {
    let hand = Arc::new(Hand::default());
    let effects = Effects { clock: hand.clone(), entropy: Arc::new(Zeros) };
    let two = NonZeroU32::new(2).unwrap();
    let limits = Limits::new(effects, Rates { source_per_second: two, principal_per_second: two });
    let here = Some("192.0.2.1".parse().unwrap());
    assert!((0..20).all(|_| limits.source(here).is_ok()));
    let wait = limits.source(here).unwrap_err().retry_after;
    assert!(wait > Duration::ZERO && wait <= Duration::from_millis(500), "{wait:?}");
    assert!(limits.source(Some("192.0.2.2".parse().unwrap())).is_ok());
    assert!(limits.principal(Actor::System).is_ok());
    hand.0.store(500, Ordering::SeqCst);
    assert_eq!(hand.monotonic(), Duration::from_millis(500));
    assert!(limits.source(here).is_ok());
    assert!(limits.source(here).is_err());
}

#[test]
fn addresses_of_one_ipv6_network_share() {
    let same = |a: &str, b: &str| network(a.parse().unwrap()) == network(b.parse().unwrap());
    assert!(same("2001:db8::1", "2001:db8::ffff"));
    assert!(!same("2001:db8::1", "2001:db8:0:1::1"));
}
