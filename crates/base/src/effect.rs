//! The ports through which time and randomness enter. Only `app` (and tests) implement them.

use jiff::Timestamp;
use std::{sync::Arc, time::Duration};
use uuid::{Builder, Uuid};

/// Tells the time.
pub trait Clock: Send + Sync + 'static {
    /// The wall clock, UTC.
    fn now(&self) -> Timestamp;
    /// Time since some fixed moment of this process; never goes back.
    fn monotonic(&self) -> Duration;
}

/// Fills buffers with bytes nobody can predict.
pub trait Entropy: Send + Sync + 'static {
    /// Fills `out`; an implementation that cannot must abort the process rather than return weak bytes.
    fn fill(&self, out: &mut [u8]);
    /// The same for bytes that become public, such as those of an id. They are as hard to predict, but an implementation may
    /// keep some of them ready in memory, so never a key, a nonce or a token.
    fn fill_public(&self, out: &mut [u8]) {
        self.fill(out);
    }
}

/// Clock and entropy together, cheap to clone; each component receives one.
#[derive(Clone)]
pub struct Effects {
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
}

/// Makes typed ids from a clock and entropy.
pub trait Ids {
    /// A fresh UUIDv7 (RFC 9562, section 5.7) of the current millisecond.
    fn uuid(&self) -> Uuid;
}

impl Effects {
    /// The wall clock, UTC.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }
    /// Time since some fixed moment of this process.
    pub fn monotonic(&self) -> Duration {
        self.clock.monotonic()
    }
    /// `N` unpredictable bytes.
    pub fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut out = [0; N];
        self.entropy.fill(&mut out);
        out
    }
}

impl Ids for Effects {
    fn uuid(&self) -> Uuid {
        let millis = u64::try_from(self.now().as_millisecond()).unwrap_or(0);
        let mut random = [0; 10];
        self.entropy.fill_public(&mut random);
        Builder::from_unix_timestamp_millis(millis, &random).into_uuid()
    }
}
