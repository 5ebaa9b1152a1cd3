//! What is wrong with a link: the conditions of each direction, and the plan of a link's faults.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use super::{luck::Loss, selector::Selector};
use crate::{
    Error, Result,
    trace::{Instant, Sink},
};

/// The conditions in one direction of a link. The default is a perfect one.
///
/// ```
/// use glasstack::device::wire::Conditions;
/// use std::time::Duration;
///
/// let dsl = Conditions::default()
///     .latency(Duration::from_millis(20))
///     .jitter(Duration::from_millis(2))
///     .loss(0.01)
///     .burst(3.0)
///     .rate(10_000_000, 50);
/// assert!(dsl.check().is_ok());
/// assert!(Conditions::default().loss(1.5).check().is_err());
/// ```
#[derive(Debug, Clone, PartialEq, Default)]
#[must_use]
pub struct Conditions {
    pub(super) latency: Duration,
    pub(super) jitter: Duration,
    pub(super) loss: f64,
    pub(super) burst: Option<f64>,
    pub(super) lose: Vec<Selector>,
    pub(super) every: Option<u64>,
    pub(super) duplicate: f64,
    pub(super) reorder: f64,
    pub(super) reorder_delay: Duration,
    pub(super) corrupt: f64,
    pub(super) rate: Option<(u64, usize)>,
    pub(super) down: Vec<(Instant, Instant)>,
}

/// The longest that a link may hold a frame back for one reason: beyond it, clocks could overflow.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

impl Conditions {
    /// How long a frame is under way, at most a day. In microseconds, as all times of a link.
    pub fn latency(mut self, latency: Duration) -> Conditions {
        self.latency = latency;
        self
    }

    /// How much longer it may take, at most a day: uniformly distributed for each frame. The order of frames stays, as in
    /// a router's queue; [`reorder`](Conditions::reorder) changes it.
    pub fn jitter(mut self, jitter: Duration) -> Conditions {
        self.jitter = jitter;
        self
    }

    /// The share of frames that is lost, from 0 to 1.
    pub fn loss(mut self, share: f64) -> Conditions {
        self.loss = share;
        self
    }

    /// That share is lost in bursts of so many frames on average, 1 or more (the model of Gilbert and Elliott). With
    /// bursts of mean length b, no more than b of b + 1 frames can be lost.
    pub fn burst(mut self, mean_frames: f64) -> Conditions {
        self.burst = Some(mean_frames);
        self
    }

    /// Loses the frames chosen, of those that go this way; may be said several times. [`Faults::lose`] counts both ways.
    pub fn lose(mut self, selector: Selector) -> Conditions {
        self.lose.push(selector);
        self
    }

    /// Loses the `n`th frame, the 2`n`th, and so on; `n` is not 0.
    pub fn every(mut self, n: u64) -> Conditions {
        self.every = Some(n);
        self
    }

    /// The share of frames that arrives twice, from 0 to 1.
    pub fn duplicate(mut self, share: f64) -> Conditions {
        self.duplicate = share;
        self
    }

    /// The share of frames, from 0 to 1, that takes longer by `delay` (at most a day), so that those behind overtake.
    pub fn reorder(mut self, share: f64, delay: Duration) -> Conditions {
        self.reorder = share;
        self.reorder_delay = delay;
        self
    }

    /// The share of frames, from 0 to 1, that arrives with one bit flipped. It lies where a checksum covers it: anywhere
    /// in an IPv4 packet, from the addresses on in an IPv6 packet. ARP, which has none, is left alone.
    pub fn corrupt(mut self, share: f64) -> Conditions {
        self.corrupt = share;
        self
    }

    /// The bits that leave in a second, and how many frames may wait for that or be under way to it; neither is 0. A frame
    /// that finds the queue full is dropped. The link header counts as the rest of the frame does.
    pub fn rate(mut self, bits_per_second: u64, queue_frames: usize) -> Conditions {
        self.rate = Some((bits_per_second, queue_frames));
        self
    }

    /// Down from `from` until before `until`, on the clock that the devices are told: what is sent then is lost. Frames
    /// under way arrive. May be said several times.
    pub fn down(mut self, from: Instant, until: Instant) -> Conditions {
        self.down.push((from, until));
        self
    }

    /// Whether these conditions can be.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`]: a value is out of the range that its method names.
    pub fn check(&self) -> Result<()> {
        let is_share = |share: f64| (0.0..=1.0).contains(&share);
        let shares = [self.loss, self.duplicate, self.reorder, self.corrupt];
        let is_possible = |burst: f64| {
            burst >= 1.0
                && burst.is_finite()
                && self.loss < 1.0
                && Loss::entry(self.loss, burst) <= 1.0
        };
        let delays = [self.latency, self.jitter, self.reorder_delay];
        let holds = shares.into_iter().all(is_share)
            && self.burst.is_none_or(is_possible)
            && delays.into_iter().all(|delay| delay <= LONGEST)
            && self.every != Some(0)
            && self.rate.is_none_or(|(rate, queue)| rate > 0 && queue > 0)
            && self.down.iter().all(|(from, until)| from < until);
        holds.then_some(()).ok_or(Error::InvalidArgument)
    }
}

/// The plan of a link's faults, for both of its directions, from one seed.
///
/// What goes out is what the first end of a [`Wire`](super::Wire) transmits, or the user of a [`Faulty`](super::Faulty)
/// device.
pub struct Faults {
    pub(super) seed: u64,
    pub(super) outgoing: Conditions,
    pub(super) incoming: Conditions,
    pub(super) lose: Vec<Selector>,
    pub(super) sink: Option<Box<dyn Sink + Send>>,
    pub(super) switch: Switch,
}

impl Faults {
    /// Perfect conditions. The same seed gives the same faults, as long as the frames are the same; each direction has its
    /// own luck, and so has each kind of fault in it.
    #[must_use]
    pub fn new(seed: u64) -> Faults {
        Faults {
            seed,
            outgoing: Conditions::default(),
            incoming: Conditions::default(),
            lose: Vec::new(),
            sink: None,
            switch: Switch::default(),
        }
    }

    /// The same plan with another seed.
    pub(crate) fn seeded(mut self, seed: u64) -> Faults {
        self.seed = seed;
        self
    }

    /// The conditions of both directions, each for itself: `every(10)` is the tenth frame one way and the tenth the other
    /// way.
    #[must_use]
    pub fn both(self, conditions: Conditions) -> Faults {
        self.outgoing(conditions.clone()).incoming(conditions)
    }

    /// The conditions on the way out.
    #[must_use]
    pub fn outgoing(mut self, conditions: Conditions) -> Faults {
        self.outgoing = conditions;
        self
    }

    /// The conditions on the way in.
    #[must_use]
    pub fn incoming(mut self, conditions: Conditions) -> Faults {
        self.incoming = conditions;
        self
    }

    /// Loses the frames chosen, counted over both directions; may be said several times.
    #[must_use]
    pub fn lose(mut self, selector: Selector) -> Faults {
        self.lose.push(selector);
        self
    }

    /// Tells of each frame that is dropped, at [`Station::LINK`](crate::trace::Station::LINK). It is called with the
    /// link's lock held: it must not use the link.
    #[must_use]
    pub fn sink(mut self, sink: impl Sink + Send + 'static) -> Faults {
        self.sink = Some(Box::new(sink));
        self
    }

    /// Takes the link down and up while it is in use.
    #[must_use]
    pub fn switch(&self) -> Switch {
        self.switch.clone()
    }

    /// Whether both directions' conditions can be.
    ///
    /// # Errors
    /// Those of [`Conditions::check`].
    pub fn check(&self) -> Result<()> {
        self.outgoing.check().and_then(|()| self.incoming.check())
    }
}

impl fmt::Debug for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Faults")
            .field("seed", &self.seed)
            .field("outgoing", &self.outgoing)
            .field("incoming", &self.incoming)
            .field("lose", &self.lose)
            .finish_non_exhaustive()
    }
}

/// Takes a link down and up, both directions at once, from any thread. What is sent while it is down is lost; frames under
/// way arrive.
#[derive(Debug, Clone, Default)]
pub struct Switch(Arc<AtomicBool>);

impl Switch {
    /// Takes the link down.
    pub fn down(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Brings the link up, as far as its [conditions](Conditions::down) let it.
    pub fn up(&self) {
        self.0.store(false, Ordering::Relaxed);
    }

    /// Whether it was taken down.
    #[must_use]
    pub fn is_down(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_is_an_invalid_argument() {
        let perfect = Conditions::default;
        let at = Instant::from_millis;
        let day = Duration::from_secs(24 * 60 * 60);
        let too_long = day + Duration::from_nanos(1);
        for conditions in [
            perfect().loss(-0.1),
            perfect().loss(1.1),
            perfect().loss(f64::NAN),
            perfect().duplicate(f64::INFINITY),
            perfect().reorder(2.0, day),
            perfect().reorder(0.5, too_long),
            perfect().corrupt(-1.0),
            perfect().burst(0.9),
            perfect().burst(f64::NAN),
            perfect().burst(f64::INFINITY),
            perfect().loss(1.0).burst(3.0),
            perfect().loss(0.8).burst(3.0),
            perfect().latency(too_long),
            perfect().jitter(too_long),
            perfect().every(0),
            perfect().rate(0, 10),
            perfect().rate(1000, 0),
            perfect().down(at(5), at(5)),
        ] {
            assert_eq!(
                conditions.check(),
                Err(Error::InvalidArgument),
                "{conditions:?}"
            );
            let faults = Faults::new(0).incoming(conditions);
            assert_eq!(faults.check(), Err(Error::InvalidArgument));
        }
        for conditions in [
            perfect(),
            perfect().loss(1.0),
            perfect().loss(0.75).burst(3.0),
            perfect().latency(day).jitter(day).reorder(1.0, day),
            perfect().every(1).rate(1, 1).down(at(5), at(6)),
        ] {
            assert_eq!(conditions.check(), Ok(()), "{conditions:?}");
        }
    }
}
