//! A caller gets its share, no more, and again later; many callers fill no memory.

use super::*;
use base::{Entropy, Timestamp};
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
fn a_caller_gets_its_burst_and_then_its_rate() {
    let hand = Arc::new(Hand::default());
    let effects = Effects { clock: hand.clone(), entropy: Arc::new(Zeros) };
    let table = Table::new(effects, NonZeroU32::new(2).unwrap(), NonZeroU32::new(20).unwrap());
    assert!((0..20).all(|_| table.take(&"here").is_ok()));
    let wait = table.take(&"here").unwrap_err();
    assert!(wait > Duration::ZERO && wait <= Duration::from_millis(500), "{wait:?}");
    assert!(table.take(&"there").is_ok());
    hand.0.store(500, Ordering::SeqCst);
    assert!(table.take(&"here").is_ok());
    assert!(table.take(&"here").is_err());
}

#[test]
fn many_callers_fill_no_memory() {
    let effects = Effects { clock: Arc::new(Hand::default()), entropy: Arc::new(Zeros) };
    let table = Table::new(effects, NonZeroU32::MIN, NonZeroU32::MIN);
    for caller in 0..100_000 {
        assert!(table.take(&caller).is_ok(), "a new caller is not refused for the many: {caller}");
        assert!(table.counters.load().len() <= CALLERS_MAX);
    }
    assert!(table.take(&99_999).is_err(), "and is counted");
}
