//! A time that may be missing: of those there are many in memory that is counted in octets.

use core::time::Duration;

use smoltcp::time::Instant;

/// What is left until a moment; nothing once it has passed.
pub(super) fn left(at: Instant, now: Instant) -> Duration {
    if at > now {
        (at - now).into()
    } else {
        Duration::ZERO
    }
}

/// A time, or none, in the room of a time: an `Option` of it takes twice as much. What would be the last microsecond of all
/// stands for none, and is zero here: memory that nothing was written to holds none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Moment(i64);

impl Moment {
    pub(super) const NONE: Moment = Moment(0);

    pub(super) fn get(self) -> Option<Instant> {
        (self != Moment::NONE).then(|| Instant::from_micros(self.0 ^ i64::MAX))
    }
}

impl From<Instant> for Moment {
    fn from(at: Instant) -> Moment {
        Moment(at.total_micros() ^ i64::MAX)
    }
}

impl From<Option<Instant>> for Moment {
    fn from(at: Option<Instant>) -> Moment {
        at.map_or(Moment::NONE, Moment::from)
    }
}

#[cfg(test)]
mod tests {
    use super::super::LAST_MOMENT;
    use super::*;

    #[test]
    fn every_time_that_the_clock_shows_is_one() {
        for at in [None, Some(Instant::ZERO), Some(LAST_MOMENT)] {
            assert_eq!(Moment::from(at).get(), at);
        }
        assert_eq!(size_of::<Moment>(), size_of::<Instant>());
    }
}
