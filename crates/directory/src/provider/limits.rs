//! How long the provider's things last, each with its reason.

use std::time::Duration;

/// An ID token: long enough for a role session of the usual hour to begin at its end.
pub const ID_TOKEN_LASTS: Duration = Duration::from_secs(3600);
/// An access token for user-info: used right after it was given.
pub const ACCESS_TOKEN_LASTS: Duration = Duration::from_secs(600);
/// An authorization code: one redirect and one request (RFC 6749 advises at most ten minutes).
pub const CODE_LASTS: Duration = Duration::from_secs(60);
/// How long a used or expired code is remembered, so that its replay is recognised.
pub const CODE_REMEMBERED: Duration = Duration::from_secs(3600);
/// A family of refresh tokens, from the sign-in on: one working day, as the sign-in itself.
pub const REFRESH_LASTS: Duration = Duration::from_secs(12 * 3600);
/// A device code: time to find a browser and sign in.
pub const DEVICE_CODE_LASTS: Duration = Duration::from_secs(600);
/// Least time between two questions about a device code (RFC 8628, 3.2: five seconds unless said otherwise).
pub const DEVICE_INTERVAL: Duration = Duration::from_secs(5);
/// Wrong user codes that one sign-in may enter while a device code lasts: 20^8 codes cannot be guessed in ten tries.
pub const USER_CODE_TRIES_MAX: u32 = 10;
/// How long the key set stays in memory before the token is asked again, so that other nodes' rotations are seen.
pub const KEY_SET_TTL: Duration = Duration::from_secs(60);

/// Least time to the refusal of a service: many times what it takes to look one up and to open its secret, so that the time says
/// nothing of which services there are. A store or key token that needs longer for these two would need more here.
pub const SERVICE_REFUSED_AFTER: Duration = Duration::from_millis(20);

/// A moment after another; the end of time instead of an overflow.
pub(crate) fn after(now: base::Timestamp, lasts: Duration) -> base::Timestamp {
    now.checked_add(lasts).unwrap_or(base::Timestamp::MAX)
}

/// Whole seconds, for claims and answers.
pub(crate) fn seconds(lasts: Duration) -> i64 {
    i64::try_from(lasts.as_secs()).unwrap_or(i64::MAX)
}
