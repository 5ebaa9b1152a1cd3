//! The clock of the hosts of this process.

use smoltcp::time::Instant;
use std::sync::LazyLock;

/// When it began: with the first host, or the first question.
static START: LazyLock<std::time::Instant> = LazyLock::new(std::time::Instant::now);

/// The present time of every [`Host`](super::Host) of this process. They have one clock, so that a frame can be under way
/// between two of them for a while, and so that who watches several hears when things happened in one order.
pub fn now() -> Instant {
    let elapsed = START.elapsed().as_micros();
    Instant::from_micros(i64::try_from(elapsed).unwrap_or(i64::MAX))
}
