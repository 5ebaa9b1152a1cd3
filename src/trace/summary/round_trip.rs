//! Round-trip times from the frames: RFC 6298's estimate, on samples that Karn's rule allows.

use core::time::Duration;

use smoltcp::time::Instant;

use super::account::elapsed;
use crate::stack::frame::before;
use crate::trace::Segment;

/// How long an acknowledgment takes, as measured where the data leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RoundTrip {
    /// SRTT (RFC 6298 §2).
    pub smoothed: Duration,
    /// RTTVAR, which the retransmission time-out grows with (RFC 6298 §2).
    pub variation: Duration,
    /// The shortest sample.
    pub min: Duration,
    /// The longest sample.
    pub max: Duration,
    /// All samples together.
    pub total: Duration,
    /// How many samples there are.
    pub samples: u32,
}

impl RoundTrip {
    fn first(sample: Duration) -> RoundTrip {
        RoundTrip {
            smoothed: sample,
            variation: sample / 2,
            min: sample,
            max: sample,
            total: sample,
            samples: 1,
        }
    }

    /// RFC 6298 §2.3, with its alpha of 1/8 and its beta of 1/4.
    fn add(&mut self, sample: Duration) {
        let error = self.smoothed.abs_diff(sample);
        self.variation = self.variation * 3 / 4 + error / 4;
        self.smoothed = self.smoothed * 7 / 8 + sample / 8;
        self.min = self.min.min(sample);
        self.max = self.max.max(sample);
        self.total = self.total.saturating_add(sample);
        self.samples = self.samples.saturating_add(1);
    }

    /// The mean of all samples.
    pub fn average(&self) -> Duration {
        self.total / self.samples.max(1)
    }
}

/// Times one segment at a time, which RFC 6298 §3 asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Stopwatch {
    /// The sequence number after the furthest that was sent.
    sent: Option<u32>,
    /// The acknowledgment that ends the measurement, and when the measurement began.
    timed: Option<(u32, Instant)>,
    pub(super) round_trip: Option<RoundTrip>,
}

impl Stopwatch {
    /// A segment leaves.
    pub(super) fn start(&mut self, segment: &Segment) {
        let len = segment.sequence_len();
        if len == 0 {
            return;
        }
        let end = segment.sequence.wrapping_add(len);
        let is_new = self.sent.is_none_or(|sent| !before(segment.sequence, sent));
        if self.sent.is_none_or(|sent| before(sent, end)) {
            self.sent = Some(end);
        }
        match self.timed {
            None if is_new => self.timed = Some((end, segment.time)),
            // Karn's rule: nobody knows which of the two an acknowledgment is for.
            Some((until, _)) if !is_new && before(segment.sequence, until) => self.timed = None,
            _ => {}
        }
    }

    /// The other end acknowledges; where a segment of its own does not, it says nothing.
    pub(super) fn stop(&mut self, segment: &Segment) {
        if let Some((until, began)) = self.timed
            && let Some(acknowledgment) = segment.acknowledgment
            && !before(acknowledgment, until)
        {
            self.timed = None;
            let sample = elapsed(began, segment.time);
            match &mut self.round_trip {
                Some(round_trip) => round_trip.add(sample),
                None => self.round_trip = Some(RoundTrip::first(sample)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_estimate_is_the_rfcs() {
        let mut round_trip = RoundTrip::first(Duration::from_millis(80));
        assert_eq!(round_trip.variation, Duration::from_millis(40));
        round_trip.add(Duration::from_millis(160));
        // 7/8 · 80 + 1/8 · 160, and 3/4 · 40 + 1/4 · 80.
        assert_eq!(round_trip.smoothed, Duration::from_millis(90));
        assert_eq!(round_trip.variation, Duration::from_millis(50));
        assert_eq!(round_trip.average(), Duration::from_millis(120));
        assert_eq!(round_trip.min, Duration::from_millis(80));
        assert_eq!(round_trip.max, Duration::from_millis(160));
    }
}
