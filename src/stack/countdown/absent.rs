//! Without feature `glass`: nobody asks how long a connection's timer still runs.

use core::time::Duration;

use smoltcp::time::Instant;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Countdown;

impl Countdown {
    pub(super) const STOPPED: Countdown = Countdown;

    pub(super) fn arm(&mut self, _: Instant, _: Option<Instant>) {}

    pub(super) fn expire(&mut self, _: Instant) {}

    pub(super) fn answered(&mut self) {}

    pub(super) fn left(&self, _: Instant) -> Option<Duration> {
        None
    }

    pub(super) fn interval(&self) -> Option<Duration> {
        None
    }

    pub(super) fn expired(&self) -> u8 {
        0
    }
}
