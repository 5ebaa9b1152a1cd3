//! When routers are asked to advertise (RFC 4861 §6.3.7).

use smoltcp::time::{Duration, Instant};

/// RFC 4861 §10.
const MAX_RTR_SOLICITATIONS: u8 = 3;
const RTR_SOLICITATION_INTERVAL: Duration = Duration::from_secs(4);

/// After these, whoever still has no router asks ever more seldom (RFC 7559 §2, MRT).
const LONGEST_INTERVAL: Duration = Duration::from_secs(3600);

/// The solicitations of an interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Solicitations {
    sent: u8,
    interval: Duration,
    at: Option<Instant>,
}

impl Solicitations {
    /// None is to be sent.
    pub(super) const IDLE: Solicitations = Solicitations {
        sent: 0,
        interval: RTR_SOLICITATION_INTERVAL,
        at: None,
    };

    /// Begins at once: the detection before it has waited a part of a second (RFC 4861 §6.3.7).
    pub(super) fn at_once(now: Instant) -> Solicitations {
        Solicitations {
            at: Some(now),
            ..Solicitations::IDLE
        }
    }

    pub(super) fn at(&self) -> Option<Instant> {
        self.at
    }

    pub(super) fn is_due(&self, now: Instant) -> bool {
        self.at.is_some_and(|at| at <= now)
    }

    /// One has been sent; `random` spreads those that are far apart (RFC 7559 §2).
    pub(super) fn sent(&mut self, now: Instant, random: u64) {
        self.sent = self.sent.saturating_add(1);
        if self.sent >= MAX_RTR_SOLICITATIONS {
            let doubled = (self.interval * 2).min(LONGEST_INTERVAL).total_micros();
            // A tenth more or less.
            let tenth = doubled / 10;
            self.interval = Duration::from_micros(doubled - tenth + random % (2 * tenth + 1));
        }
        self.at = Some(now + self.interval);
    }

    /// A default router has answered.
    pub(super) fn answered(&mut self) {
        self.at = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_are_four_seconds_apart_and_then_ever_fewer_are_sent() {
        let mut now = Instant::from_secs(100);
        let mut solicitations = Solicitations::at_once(now);
        let mut gaps = std::vec::Vec::new();
        for turn in 0..20u64 {
            assert!(solicitations.is_due(now));
            solicitations.sent(now, turn.wrapping_mul(0x9e37_79b9_7f4a_7c15));
            assert!(!solicitations.is_due(now));
            let next = solicitations.at().unwrap_or(now);
            gaps.push((next - now).total_millis());
            now = next;
        }
        assert_eq!(gaps[..2], [4_000, 4_000]);
        assert!((7_200..=8_800).contains(&gaps[2]), "{gaps:?}");
        assert!(gaps[3] > gaps[2] && gaps[4] > gaps[3], "{gaps:?}");
        assert!(gaps.iter().all(|gap| *gap <= 3_960_000), "{gaps:?}");
        assert!((3_240_000..).contains(&gaps[19]), "{gaps:?}");
        solicitations.answered();
        assert_eq!(solicitations.at(), None);
    }
}
