//! The timer of a connection, as far as it shows from outside: smoltcp says when it wants to be called next, not for what.
//! One thing it never holds back for longer than a moment is an acknowledgment, so a later deadline is the connection's
//! timer; and the timer that comes again and again without an answer is backing off (RFC 6298 §5.5).

use core::time::Duration;

use smoltcp::time::Instant;

use super::connection::ACK_DELAY;
use super::moment::{Moment, left};

/// A connection's timer, seen from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Countdown {
    at: Moment,
    armed: Instant,
    expired: u8,
}

impl Countdown {
    /// No timer runs.
    pub(super) const STOPPED: Countdown = Countdown {
        at: Moment::NONE,
        armed: Instant::ZERO,
        expired: 0,
    };

    /// The socket was polled and names its next deadline.
    #[inline]
    pub(super) fn arm(&mut self, now: Instant, next: Option<Instant>) {
        match next {
            None => self.at = Moment::NONE,
            Some(next) if next > now + ACK_DELAY && self.at != next.into() => {
                self.at = next.into();
                self.armed = now;
            }
            _ => {}
        }
    }

    /// A deadline has come: the timer's, or an earlier one.
    pub(super) fn expire(&mut self, now: Instant) {
        if self.at.get().is_some_and(|at| at <= now) {
            self.at = Moment::NONE;
            self.expired = self.expired.saturating_add(1);
        }
    }

    /// The peer has answered what the timer is for, or the timer is for something else now.
    pub(super) fn answered(&mut self) {
        self.expired = 0;
    }

    /// When it expires.
    #[cfg(feature = "path-mtu")]
    pub(super) fn at(&self) -> Option<Instant> {
        self.at.get()
    }

    /// What is left of it.
    pub(super) fn left(&self, now: Instant) -> Option<Duration> {
        Some(left(self.at.get()?, now))
    }

    /// What it was set to.
    pub(super) fn interval(&self) -> Option<Duration> {
        Some((self.at.get()? - self.armed).into())
    }

    /// How often it expired without an answer.
    pub(super) fn expired(&self) -> u8 {
        self.expired
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> Instant {
        Instant::from_millis(millis)
    }

    #[test]
    fn a_delayed_acknowledgment_is_not_taken_for_the_timer() {
        let mut countdown = Countdown::STOPPED;
        countdown.arm(at(0), Some(at(10)));
        assert_eq!(countdown.left(at(0)), None);
        countdown.arm(at(0), Some(at(1_000)));
        countdown.arm(at(500), Some(at(510)));
        countdown.expire(at(510));
        assert_eq!(countdown.left(at(600)), Some(Duration::from_millis(400)));
        assert_eq!(countdown.expired(), 0);
        countdown.arm(at(510), None);
        assert_eq!(
            countdown,
            Countdown {
                armed: at(0),
                ..Countdown::STOPPED
            }
        );
    }

    #[test]
    fn it_counts_how_often_it_expires_until_it_is_answered() {
        let mut countdown = Countdown::STOPPED;
        let mut now = 0;
        for seconds in [1, 2, 4] {
            countdown.arm(at(now), Some(at(now + 1_000 * seconds)));
            assert_eq!(
                countdown.interval(),
                Some(Duration::from_secs(seconds as u64))
            );
            now += 1_000 * seconds;
            countdown.expire(at(now));
        }
        assert_eq!(countdown.expired(), 3);
        countdown.answered();
        assert_eq!(countdown.expired(), 0);
    }
}
