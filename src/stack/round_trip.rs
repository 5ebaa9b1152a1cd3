//! Round trips, measured on the numbers that go by: one at a time, about once a window, and none on what was sent twice
//! (Karn's algorithm, RFC 6298 §3). smoltcp measures too, and keeps it to itself.

#[cfg(feature = "options")]
use core::time::Duration;

use smoltcp::time::Instant;

use super::frame::before;
use super::option::Setting;

/// The estimates of RFC 6298 §2, in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Estimate {
    smoothed: u64,
    variation: u64,
}

/// A connection's round-trip time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RoundTrip {
    /// The acknowledgment that ends the measurement, and when it began.
    measured: Setting<(u32, Instant)>,
    estimate: Setting<Estimate>,
}

impl RoundTrip {
    pub(super) const UNKNOWN: RoundTrip = RoundTrip {
        measured: Setting::NONE,
        estimate: Setting::NONE,
    };

    /// New sequence numbers were sent, up to before this one.
    #[inline]
    pub(super) fn sent(&mut self, next: u32, now: Instant) {
        if self.measured.is_none() {
            self.measured.set(Some((next, now)));
        }
    }

    /// Some were sent again: whose acknowledgment comes now cannot be told.
    pub(super) fn sent_again(&mut self) {
        self.measured.set(None);
    }

    /// The peer has acknowledged what is before this number.
    #[inline]
    pub(super) fn acknowledged(&mut self, ack: u32, now: Instant) {
        if let Some((end, since)) = *self.measured
            && !before(ack, end)
        {
            self.measured.set(None);
            self.sample((now - since).total_micros());
        }
    }

    /// RFC 6298 §2.2 and §2.3.
    fn sample(&mut self, measured: u64) {
        let estimate = match *self.estimate {
            None => Estimate {
                smoothed: measured,
                variation: measured / 2,
            },
            Some(Estimate {
                smoothed,
                variation,
            }) => Estimate {
                smoothed: (smoothed * 7 + measured) / 8,
                variation: (variation * 3 + smoothed.abs_diff(measured)) / 4,
            },
        };
        self.estimate.set(Some(estimate));
    }

    #[cfg(feature = "options")]
    pub(super) fn smoothed(&self) -> Option<Duration> {
        self.estimate
            .map(|estimate| Duration::from_micros(estimate.smoothed))
    }

    #[cfg(feature = "options")]
    pub(super) fn variation(&self) -> Option<Duration> {
        self.estimate
            .map(|estimate| Duration::from_micros(estimate.variation))
    }
}

#[cfg(all(test, feature = "options"))]
mod tests {
    use super::*;

    fn at(millis: i64) -> Instant {
        Instant::from_millis(millis)
    }

    fn millis(millis: u64) -> Option<Duration> {
        Some(Duration::from_millis(millis))
    }

    #[test]
    fn the_first_is_taken_as_it_is_and_later_ones_by_an_eighth() {
        let mut trip = RoundTrip::UNKNOWN;
        assert_eq!(trip.smoothed(), None);
        trip.sent(u32::MAX, at(0));
        trip.acknowledged(u32::MAX, at(80));
        assert_eq!(
            (trip.smoothed(), trip.variation()),
            (millis(80), millis(40))
        );
        // The number that ends it may be beyond the end of the numbers.
        trip.sent(5, at(100));
        trip.acknowledged(u32::MAX, at(110));
        trip.acknowledged(7, at(260));
        assert_eq!(
            (trip.smoothed(), trip.variation()),
            (millis(90), millis(50))
        );
    }

    #[test]
    fn one_is_measured_at_a_time_and_none_that_was_sent_twice() {
        let mut trip = RoundTrip::UNKNOWN;
        trip.sent(10, at(0));
        trip.sent(20, at(5));
        trip.acknowledged(20, at(10));
        assert_eq!(trip.smoothed(), millis(10));
        trip.sent(30, at(20));
        trip.sent_again();
        trip.acknowledged(30, at(2_000));
        assert_eq!(trip.smoothed(), millis(10));
    }
}
