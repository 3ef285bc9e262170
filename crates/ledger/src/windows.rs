//! Read windows: the first range read of an object version by a session waits for an intent; the reads of the next
//! minute are covered by it.

use base::{DecisionId, ObjectVersionId, SessionId, Timestamp};
use std::collections::HashMap;

/// How long one window intent covers reads. A minute bounds both the entries a column reader causes and how much an
/// intent without outcomes can mean after a crash.
pub const READ_WINDOW_SECS: i64 = 60;

/// Most windows that are remembered, about 100 bytes each; beyond it, reads fall back to an intent of their own.
pub const READ_WINDOWS_MAX: usize = 100_000;

/// Whether a read may start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// This durable intent covers the read; append its outcome without waiting.
    Covered {
        /// The window intent.
        intent: DecisionId,
    },
    /// Append an intent with this window, wait until it is durable, then call [`ReadWindows::opened`].
    NeedsIntent {
        /// End of the window that the intent shall state.
        until: Timestamp,
    },
}

/// The windows that are open on this node.
#[derive(Default)]
pub struct ReadWindows {
    open: HashMap<(SessionId, ObjectVersionId), (DecisionId, Timestamp)>,
}

impl ReadWindows {
    /// No window is open.
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks whether a read of `version` in `session` is covered now.
    pub fn admit(&self, session: SessionId, version: ObjectVersionId, now: Timestamp) -> Admission {
        match self.open.get(&(session, version)) {
            Some((intent, until)) if now < *until => Admission::Covered { intent: *intent },
            _ => Admission::NeedsIntent { until: window_end(now) },
        }
    }

    /// Remembers an intent that is durable. At the cap, windows that ran out are dropped first; if none has, the new
    /// one is not remembered and each read pays for its own intent.
    pub fn opened(
        &mut self,
        session: SessionId,
        version: ObjectVersionId,
        intent: DecisionId,
        until: Timestamp,
        now: Timestamp,
    ) {
        if self.open.len() >= READ_WINDOWS_MAX {
            self.expire(now);
        }
        if self.open.len() < READ_WINDOWS_MAX {
            self.open.insert((session, version), (intent, until));
        }
    }

    /// Drops windows that have run out.
    pub fn expire(&mut self, now: Timestamp) {
        self.open.retain(|_, (_, until)| now < *until);
    }

    /// Drops the windows of a session that was cut.
    pub fn cut(&mut self, session: SessionId) {
        self.open.retain(|(of, _), _| *of != session);
    }

    /// Windows that are remembered.
    pub fn len(&self) -> usize {
        self.open.len()
    }

    /// True when none is.
    pub fn is_empty(&self) -> bool {
        self.open.is_empty()
    }
}

fn window_end(now: Timestamp) -> Timestamp {
    let secs = now.as_second().saturating_add(READ_WINDOW_SECS);
    Timestamp::new(secs, now.subsec_nanosecond()).unwrap_or(Timestamp::MAX)
}
