//! The trace of one request: whether the record already holds something of it, who is known to have sent it, and why it was
//! refused where a status does not say so.
//!
//! An edge makes one when a request arrives, gives it to the request's context, and asks at the end: what was refused without an
//! entry of its own is counted ([`crate::Access::count_refusal`]). It must not know a wire format. INVARIANT: nobody is named here
//! whose token did not open.

use ledger::UserIdentity;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use crate::Session;

/// Shared by every clone of the context of one request.
#[derive(Clone, Default)]
pub struct Trace(Arc<Inner>);

#[derive(Default)]
struct Inner {
    recorded: AtomicBool,
    sender: OnceLock<Sender>,
    why: OnceLock<Refusal>,
}

/// Whoever's token came with the request.
struct Sender {
    /// By ids; `None` where the token only said that it is over.
    who: Option<UserIdentity>,
    live: bool,
}

impl Trace {
    /// Takes note of the live session that sent the request.
    pub(crate) fn believe(&self, session: &Session) {
        self.sent(Some(identity(session)), true);
    }

    /// Takes note that the request came with a session that is over; of whose, where that is known.
    pub(crate) fn over(&self, session: Option<&Session>) {
        self.sent(session.map(identity), false);
    }

    fn sent(&self, who: Option<UserIdentity>, live: bool) {
        // Whoever was known first stays: a request has one sender.
        self.0.sender.get_or_init(|| Sender { who, live });
    }

    /// Takes note that the answer refuses nothing, whatever its status says: the caller is told to ask again.
    pub fn settle(&self) {
        self.record();
    }

    /// Takes note that the record holds something of the request; says whether it did before.
    pub(crate) fn record(&self) -> bool {
        self.0.recorded.swap(true, Ordering::Relaxed)
    }

    /// Whether the record holds something of the request: a decision, a refusal or a count.
    pub fn is_recorded(&self) -> bool {
        self.0.recorded.load(Ordering::Relaxed)
    }

    /// Whether a token has opened, be its session live or over.
    pub fn has_sender(&self) -> bool {
        self.0.sender.get().is_some()
    }

    /// Says why the request is refused, where the status of the answer does not. The first word stays.
    pub fn because(&self, why: Refusal) {
        self.0.why.get_or_init(|| why);
    }

    /// Why the request was refused, from what was said and else from the status; `None` for an answer that is no refusal.
    pub(crate) fn refusal(&self, status: u16) -> Option<Refusal> {
        let why = self.0.why.get().copied().or_else(|| Refusal::of(status))?;
        Some(match (self.0.sender.get(), why) {
            (Some(Sender { live: false, .. }), _) => Refusal::SessionEnded,
            (Some(Sender { live: true, .. }), Refusal::Unauthenticated) => Refusal::Refused,
            _ => why,
        })
    }

    /// Who sent the request, by ids.
    pub(crate) fn who(&self) -> Option<&UserIdentity> {
        self.0.sender.get()?.who.as_ref()
    }
}

fn identity(session: &Session) -> UserIdentity {
    UserIdentity { session: Some(session.id), role: Some(session.role), ..UserIdentity::new(session.actor()) }
}

/// The door that refused, as the first word of a reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    /// S3.
    S3,
    /// The token service.
    Sts,
    /// Preflights of browsers.
    Cors,
    /// Other services of AWS, none of which is offered.
    Aws,
    /// The management API.
    Api,
    /// Sign-in, OpenID Connect, and what is nowhere.
    Web,
}

/// Why a request was refused before the gate was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Nobody is proven.
    Unauthenticated,
    /// The session is cut or its time is over.
    SessionEnded,
    /// A rule of the door's own.
    Refused,
    /// It cannot be read, or breaks a bound.
    Malformed,
    /// What it names is not there.
    Absent,
    /// Galen does not do it.
    NotOffered,
    /// Its headers, its target or its body are too large.
    Oversized,
    /// Too many requests.
    TooMany,
}

impl Refusal {
    /// What an answer with this status refuses; `None` for one that does not refuse.
    const fn of(status: u16) -> Option<Self> {
        Some(match status {
            401 | 403 => Self::Unauthenticated,
            404 | 410 => Self::Absent,
            405 | 501 => Self::NotOffered,
            413 | 414 | 431 => Self::Oversized,
            429 => Self::TooMany,
            400..=499 => Self::Malformed,
            _ => return None,
        })
    }

    /// The stable code of a reason in a count.
    pub(crate) const fn code(self, door: Door) -> &'static str {
        macro_rules! at {
            ($door:literal) => {
                match self {
                    Self::Unauthenticated => concat!($door, ":unauthenticated"),
                    Self::SessionEnded => concat!($door, ":session-ended"),
                    Self::Refused => concat!($door, ":refused"),
                    Self::Malformed => concat!($door, ":malformed"),
                    Self::Absent => concat!($door, ":absent"),
                    Self::NotOffered => concat!($door, ":not-offered"),
                    Self::Oversized => concat!($door, ":oversized"),
                    Self::TooMany => concat!($door, ":too-many"),
                }
            };
        }
        match door {
            Door::S3 => at!("s3"),
            Door::Sts => at!("sts"),
            Door::Cors => at!("cors"),
            Door::Aws => at!("aws"),
            Door::Api => at!("api"),
            Door::Web => at!("web"),
        }
    }
}
