//! A rate limit: frames leave one after the other, each taking its time, and few may wait.

use std::collections::VecDeque;

use smoltcp::time::Instant;

const NANOSECONDS: i128 = 1_000_000_000;

/// The sending side of a link that carries so many bits a second.
#[derive(Debug, Clone)]
pub(super) struct Pace {
    bits_per_second: u64,
    /// Frames that may wait or be under transmission.
    limit: usize,
    /// When the last bit of each of them leaves, in nanoseconds, the earliest first.
    leaving: VecDeque<i128>,
    /// What a nanosecond could not express of the last one, in nanoseconds times bits per second: without it a long
    /// transfer would run too fast.
    remainder: i128,
}

impl Pace {
    pub(super) fn new(bits_per_second: u64, limit: usize) -> Pace {
        Pace {
            bits_per_second,
            limit,
            leaving: VecDeque::new(),
            remainder: 0,
        }
    }

    /// When a frame of `len` octets has left, in nanoseconds, if there is room for it.
    pub(super) fn admit(&mut self, now: Instant, len: usize) -> Option<i128> {
        let now = nanoseconds(now);
        while self.leaving.front().is_some_and(|leaves| *leaves <= now) {
            self.leaving.pop_front();
        }
        if self.leaving.len() >= self.limit {
            return None;
        }
        let rate = i128::from(self.bits_per_second);
        let (begins, remainder) = match self.leaving.back() {
            Some(leaves) => (*leaves, self.remainder),
            None => (now, 0),
        };
        let time = len as i128 * 8 * NANOSECONDS + remainder;
        let leaves = begins + time / rate;
        self.remainder = time % rate;
        self.leaving.push_back(leaves);
        Some(leaves)
    }
}

/// A time in nanoseconds.
pub(super) fn nanoseconds(at: Instant) -> i128 {
    i128::from(at.total_micros()) * 1000
}

/// The first microsecond at or after it, as smoltcp counts them.
pub(super) fn instant(nanoseconds: i128) -> Instant {
    let micros = nanoseconds.div_euclid(1000) + i128::from(nanoseconds.rem_euclid(1000) != 0);
    let clamped = micros.clamp(i128::from(i64::MIN), i128::from(i64::MAX));
    Instant::from_micros(clamped as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_frames_take_exactly_their_bits() {
        // 3 Mbit/s: a frame of 100 octets takes 266.6… µs.
        let mut pace = Pace::new(3_000_000, 1);
        let mut now = Instant::ZERO;
        let mut last = 0;
        for _ in 0..3000 {
            last = pace.admit(now, 100).unwrap_or_default();
            // The next comes the moment that one has left, a fraction of a microsecond late.
            now = instant(last);
        }
        assert!((800_000_000..803_000_000).contains(&last), "{last}");

        let mut pace = Pace::new(3_000_000, 3000);
        let left = (0..3000).map(|_| pace.admit(Instant::ZERO, 100)).last();
        assert_eq!(left, Some(Some(800_000_000)), "in one go, to the bit");
    }

    #[test]
    fn a_frame_too_many_is_refused_until_one_has_left() {
        let mut pace = Pace::new(8_000_000, 2);
        let at = |micros| Instant::from_micros(micros);
        assert_eq!(pace.admit(at(0), 100), Some(100_000));
        assert_eq!(pace.admit(at(0), 100), Some(200_000));
        assert_eq!(pace.admit(at(99), 100), None);
        assert_eq!(pace.admit(at(100), 100), Some(300_000));
    }

    #[test]
    fn a_part_of_a_microsecond_is_one() {
        assert_eq!(instant(1).total_micros(), 1);
        assert_eq!(instant(1000).total_micros(), 1);
        assert_eq!(instant(-1).total_micros(), 0);
        assert_eq!(instant(i128::MAX).total_micros(), i64::MAX);
    }
}
