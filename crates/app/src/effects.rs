//! The real clock and the real entropy: the one place where time and randomness of the machine enter Galen.

use base::{Clock, Effects, Timestamp};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

/// The machine's clocks.
struct MachineClock {
    started: Instant,
}

impl Clock for MachineClock {
    #[expect(clippy::disallowed_methods, reason = "this is the implementation of the port")]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
    fn monotonic(&self) -> Duration {
        self.started.elapsed()
    }
}

/// Clock and entropy of this machine.
#[expect(clippy::disallowed_methods, reason = "this is the implementation of the port")]
pub(crate) fn machine() -> Effects {
    Effects { clock: Arc::new(MachineClock { started: Instant::now() }), entropy: Arc::new(crypto::SystemEntropy) }
}
