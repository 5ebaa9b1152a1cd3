//! What becomes of a frame on a faulty link: a verdict, without a clock, a queue or a device.

use std::time::Duration;

use smoltcp::wire::{EthernetFrame, EthernetProtocol};

use super::{
    conditions::{Conditions, Faults, Switch},
    luck::{Loss, Luck, Purpose},
    pace::{Pace, instant, nanoseconds},
    selector::Selector,
    stream::{Place, Streams},
};
use crate::{
    Result,
    trace::{Direction, DropReason, Instant, Medium, Segment},
};

/// What becomes of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It arrives.
    Deliver(Delivery),
    /// It does not.
    Drop(DropReason),
}

/// How a frame arrives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Delivery {
    /// When.
    pub at: Instant,
    /// Twice: once more right behind.
    pub twice: bool,
    /// With this bit of it [flipped](flip).
    pub flipped: Option<usize>,
}

/// Flips a bit of a frame, counted from the least significant of its first octet.
pub fn flip(frame: &mut [u8], bit: usize) {
    if let Some(octet) = frame.get_mut(bit / 8) {
        *octet ^= 1 << (bit % 8);
    }
}

/// Judges the frames of a link: from the plan of its [`Faults`], their times and their order alone.
///
/// ```
/// use glasstack::device::wire::{Conditions, Faults, Judge, Verdict};
/// use glasstack::trace::{Direction, Instant, Medium};
/// use std::time::Duration;
///
/// # fn main() -> glasstack::Result<()> {
/// let slow = Conditions::default().latency(Duration::from_millis(20));
/// let mut judge = Judge::new(Medium::Ip, &Faults::new(1).outgoing(slow))?;
/// let Verdict::Deliver(delivery) = judge.judge(Direction::Out, Instant::from_secs(1), b"frame") else { panic!() };
/// assert_eq!(delivery.at, Instant::from_millis(1020));
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Judge {
    medium: Medium,
    outgoing: Lane,
    incoming: Lane,
    rules: Vec<Rule>,
    /// Where no rule asks for them, frames are not looked into.
    streams: Option<Streams>,
    switch: Switch,
}

/// Frames to be lost, and how many of their kind there were.
#[derive(Debug)]
struct Rule {
    selector: Selector,
    /// `None`: whichever way they go.
    direction: Option<Direction>,
    seen: u64,
}

/// One direction.
#[derive(Debug)]
struct Lane {
    conditions: Conditions,
    frames: u64,
    loss: Loss,
    duplicate: Luck,
    reorder: Luck,
    corrupt: Luck,
    bit: Luck,
    jitter: Luck,
    pace: Option<Pace>,
    /// When the last frame arrives that keeps its place, in nanoseconds.
    last: i128,
}

impl Judge {
    /// # Errors
    /// Those of [`Faults::check`].
    pub fn new(medium: Medium, faults: &Faults) -> Result<Judge> {
        faults.check()?;
        let rule = |direction| {
            move |selector: &Selector| Rule {
                selector: selector.clone(),
                direction,
                seen: 0,
            }
        };
        let (outgoing, incoming) = (&faults.outgoing, &faults.incoming);
        let rules: Vec<Rule> = (faults.lose.iter().map(rule(None)))
            .chain(outgoing.lose.iter().map(rule(Some(Direction::Out))))
            .chain(incoming.lose.iter().map(rule(Some(Direction::In))))
            .collect();
        let looks = rules.iter().any(|rule| rule.selector.needs_segment());
        Ok(Judge {
            medium,
            outgoing: Lane::new(faults.seed, Direction::Out, outgoing.clone()),
            incoming: Lane::new(faults.seed, Direction::In, incoming.clone()),
            rules,
            streams: looks.then(Streams::default),
            switch: faults.switch(),
        })
    }

    /// What becomes of a frame that is sent now. `now` does not go back.
    pub fn judge(&mut self, direction: Direction, now: Instant, frame: &[u8]) -> Verdict {
        // All that counts, counts every frame, and all luck is drawn for every frame: so no fault changes what another one
        // does.
        let segment = self.streams.as_mut().and_then(|streams| {
            let segment = Segment::parse(now, self.medium, frame)?;
            Some((segment, streams.place(&segment)))
        });
        let mut is_chosen = false;
        for rule in &mut self.rules {
            is_chosen |= rule.chooses(direction, segment.as_ref());
        }
        let lane = match direction {
            Direction::Out => &mut self.outgoing,
            Direction::In => &mut self.incoming,
        };
        let fate = lane.draw(self.medium, frame);
        if self.switch.is_down() || lane.is_down(now) {
            Verdict::Drop(DropReason::LinkDown)
        } else if is_chosen || fate.is_lost {
            Verdict::Drop(DropReason::InjectedLoss)
        } else {
            lane.carry(now, frame.len(), &fate)
        }
    }
}

impl Rule {
    fn chooses(&mut self, direction: Direction, segment: Option<&(Segment, Place)>) -> bool {
        let is_of_its_kind =
            self.direction.is_none_or(|own| own == direction) && self.selector.is_about(segment);
        self.seen += u64::from(is_of_its_kind);
        is_of_its_kind && self.selector.chooses(self.seen)
    }
}

/// What luck has for a frame.
struct Fate {
    is_lost: bool,
    is_twice: bool,
    is_late: bool,
    flipped: Option<usize>,
    /// In nanoseconds.
    jitter: u64,
}

impl Lane {
    fn new(seed: u64, direction: Direction, conditions: Conditions) -> Lane {
        let luck = |purpose| Luck::new(seed, direction, purpose);
        Lane {
            frames: 0,
            loss: Loss::new(conditions.loss, conditions.burst, luck(Purpose::Loss)),
            duplicate: luck(Purpose::Duplicate),
            reorder: luck(Purpose::Reorder),
            corrupt: luck(Purpose::Corrupt),
            bit: luck(Purpose::Bit),
            jitter: luck(Purpose::Jitter),
            pace: conditions.rate.map(|(rate, queue)| Pace::new(rate, queue)),
            last: i128::MIN,
            conditions,
        }
    }

    fn is_down(&self, now: Instant) -> bool {
        let down = &mut self.conditions.down.iter();
        down.any(|(from, until)| (*from..*until).contains(&now))
    }

    fn draw(&mut self, medium: Medium, frame: &[u8]) -> Fate {
        self.frames += 1;
        let conditions = &self.conditions;
        let is_nth = conditions
            .every
            .is_some_and(|n| self.frames.is_multiple_of(n));
        let is_corrupt = self.corrupt.happens(conditions.corrupt);
        let bit = self.bit.draw();
        Fate {
            is_lost: self.loss.strikes() | is_nth,
            is_twice: self.duplicate.happens(conditions.duplicate),
            is_late: self.reorder.happens(conditions.reorder),
            flipped: is_corrupt
                .then(|| checked_bit(medium, frame, bit))
                .flatten(),
            jitter: self
                .jitter
                .below(whole(conditions.jitter).saturating_add(1)),
        }
    }

    fn carry(&mut self, now: Instant, len: usize, fate: &Fate) -> Verdict {
        let leaves = match &mut self.pace {
            None => nanoseconds(now),
            Some(pace) => match pace.admit(now, len) {
                Some(leaves) => leaves,
                None => return Verdict::Drop(DropReason::LinkQueueFull),
            },
        };
        let mut arrives =
            leaves + i128::from(whole(self.conditions.latency)) + i128::from(fate.jitter);
        if fate.is_late {
            arrives += i128::from(whole(self.conditions.reorder_delay));
        } else {
            arrives = arrives.max(self.last);
            self.last = arrives;
        }
        Verdict::Deliver(Delivery {
            at: instant(arrives),
            twice: fate.is_twice,
            flipped: fate.flipped,
        })
    }
}

/// In nanoseconds; a day, the longest, is far from the limit.
fn whole(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// One of the bits that a checksum covers, if there are any: IPv4's header checksum and IPv6's pseudo-header (RFC 8200
/// §8.1) cover what their transports' do not.
fn checked_bit(medium: Medium, frame: &[u8], draw: u64) -> Option<usize> {
    let (start, packet) = match medium {
        Medium::Ethernet => {
            let ethernet = EthernetFrame::new_checked(frame).ok()?;
            match ethernet.ethertype() {
                EthernetProtocol::Ipv4 | EthernetProtocol::Ipv6 => {}
                _ => return None,
            }
            let start = EthernetFrame::<&[u8]>::header_len();
            (start, frame.get(start..)?)
        }
        _ => (0, frame),
    };
    let word = |at: usize| {
        Some(usize::from(u16::from_be_bytes([
            *packet.get(at)?,
            *packet.get(at + 1)?,
        ])))
    };
    // Up to the packet's end: what may follow it pads a short frame.
    let (first, end) = match packet.first()? >> 4 {
        4 => (0, word(2)?),
        6 => (8, word(4)? + 40),
        _ => return None,
    };
    let octets = end
        .min(packet.len())
        .checked_sub(first)
        .filter(|octets| *octets > 0)?;
    let bits = 8 * octets as u64;
    // The draw is uniform; the remainder of so few in so many is, too, as near as can be seen.
    Some(8 * (start + first) + (draw % bits) as usize)
}
