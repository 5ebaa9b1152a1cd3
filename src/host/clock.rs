//! The clock of the hosts of this process.

use smoltcp::time::Instant;
use std::sync::LazyLock;

/// When it began: with the first host, or the first question.
static START: LazyLock<std::time::Instant> = LazyLock::new(std::time::Instant::now);

/// The present time of every [`Host`](super::Host) of this process. They have one clock, so that a frame can be under way
/// between two of them for a while, and so that who watches several hears when things happened in one order.
pub fn now() -> Instant {
    since_start(START.elapsed())
}

fn since_start(elapsed: std::time::Duration) -> Instant {
    Instant::from_micros(i64::try_from(elapsed.as_micros()).unwrap_or(i64::MAX))
}

/// The time of the operating system's clock on this one; what was before its beginning is its beginning.
#[cfg(feature = "tokio")]
pub(crate) fn from_system(time: std::time::Instant) -> Instant {
    since_start(time.saturating_duration_since(*START))
}

/// And the other way round; `None` is beyond what that clock can hold.
#[cfg(feature = "tokio")]
pub(crate) fn to_system(time: Instant) -> Option<std::time::Instant> {
    let micros = u64::try_from(time.total_micros()).unwrap_or(0);
    START.checked_add(std::time::Duration::from_micros(micros))
}
