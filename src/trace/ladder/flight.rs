//! Frames on their way: told by their sender, their fate not known yet.

use smoltcp::time::Instant;

use super::row::{Cell, Side};
use super::told::{Conversation, Told};

/// A frame's identity: the FNV-1a hashes of its two halves, and its length.
///
/// A flipped bit leaves one half as it was, so a frame that the link corrupted is still known for what it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Digest {
    halves: [u32; 2],
    len: usize,
}

/// How alike two frames are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Likeness {
    Same,
    OneHalf,
    None,
}

impl Digest {
    pub(super) fn of(bytes: &[u8]) -> Digest {
        let hash = |bytes: &[u8]| {
            bytes.iter().fold(0x811c_9dc5_u32, |hash, octet| {
                (hash ^ u32::from(*octet)).wrapping_mul(0x0100_0193)
            })
        };
        let (first, second) = bytes.split_at(bytes.len() / 2);
        Digest {
            halves: [hash(first), hash(second)],
            len: bytes.len(),
        }
    }

    fn likeness(&self, other: &Digest) -> Likeness {
        let [first, second] = [0, 1].map(|half| self.halves[half] == other.halves[half]);
        match (self.len == other.len, first, second) {
            (true, true, true) => Likeness::Same,
            (true, true, false) | (true, false, true) => Likeness::OneHalf,
            _ => Likeness::None,
        }
    }
}

/// A frame that its sender told of.
#[derive(Debug, Clone)]
pub(super) struct Flying {
    pub(super) from: Side,
    pub(super) sent: Instant,
    pub(super) digest: Digest,
    pub(super) told: Told,
    pub(super) conversation: Option<Conversation>,
    /// Sent again.
    pub(super) repeats: bool,
    /// What the sending changed or armed, to stand beside it.
    pub(super) beside: Cell,
    /// The link lost it, for this reason; its row waits for those of the frames that were sent before it.
    pub(super) lost: Option<&'static str>,
    pub(super) serial: u32,
    has_arrived: bool,
}

impl Flying {
    pub(super) fn new(
        from: Side,
        sent: Instant,
        bytes: &[u8],
        told: Told,
        conversation: Option<Conversation>,
        repeats: bool,
        beside: Cell,
    ) -> Flying {
        Flying {
            from,
            sent,
            digest: Digest::of(bytes),
            told,
            conversation,
            repeats,
            beside,
            lost: None,
            serial: 0,
            has_arrived: false,
        }
    }
}

/// Which lost frames are to be drawn.
#[derive(Debug, Clone, Copy)]
pub(super) enum Before {
    /// Those that were sent before all that are under way.
    UnderWay,
    /// Those that were sent before the frame of this serial number.
    Frame(u32),
    /// All.
    Anything,
}

/// How a frame was found.
#[derive(Debug, Clone)]
pub(super) enum Arrival {
    /// As it was sent.
    First(Flying),
    /// A frame of its conversation that was sent after it came first.
    Overtaken(Flying),
    /// A bit differs.
    Corrupted(Flying),
    /// Another copy of it came before.
    Duplicate(Flying),
}

/// The frames under way, `N` at most: where there are more, the oldest is given up and drawn with its fate unknown.
#[derive(Debug)]
pub(super) struct Flight<const N: usize> {
    frames: heapless::Deque<Flying, N>,
    next: u32,
    /// Something was given up: what is not found may be that.
    is_complete: bool,
}

impl<const N: usize> Flight<N> {
    pub(super) const fn new() -> Self {
        Flight {
            frames: heapless::Deque::new(),
            next: 0,
            is_complete: true,
        }
    }

    /// A frame was sent; the answer is one that had to give way.
    pub(super) fn send(&mut self, mut frame: Flying) -> Option<Flying> {
        let mut evicted = None;
        if self.frames.is_full() {
            evicted = self.frames.pop_front().filter(|frame| !frame.has_arrived);
            self.is_complete &= evicted.is_none();
        }
        frame.serial = self.next;
        self.next = self.next.wrapping_add(1);
        // There is room; but with `N` of 0 the frame itself gives way.
        self.frames.push_back(frame).err().or(evicted)
    }

    /// The frame under way that `from` sent last, at `time`.
    pub(super) fn youngest(
        &mut self,
        from: Side,
        time: Instant,
        of: Option<Conversation>,
    ) -> Option<&mut Flying> {
        let is_it = |frame: &&mut Flying| {
            let is_of = frame.conversation == of && frame.from == from;
            is_of && frame.sent == time && !frame.has_arrived
        };
        self.frames.iter_mut().rev().find(is_it)
    }

    /// These octets came out of the link, from `from`.
    pub(super) fn arrive(&mut self, from: Side, bytes: &[u8]) -> Option<Arrival> {
        let digest = Digest::of(bytes);
        let find = |has_arrived, likeness| {
            self.frames.iter().position(|frame| {
                let is_sought = frame.has_arrived == has_arrived && frame.lost.is_none();
                is_sought && frame.from == from && frame.digest.likeness(&digest) == likeness
            })
        };
        if let Some(at) = find(false, Likeness::Same) {
            let frame = self.settle(at)?;
            let is_overtaken = self.frames.iter().any(|other| {
                let has_come = other.has_arrived && other.lost.is_none();
                let is_of = other.from == from && other.conversation == frame.conversation;
                has_come && is_of && is_after(other.serial, frame.serial)
            });
            return Some(match is_overtaken {
                true => Arrival::Overtaken(frame),
                false => Arrival::First(frame),
            });
        }
        if let Some(at) = find(true, Likeness::Same) {
            return Some(Arrival::Duplicate(self.settle(at)?));
        }
        let at = find(false, Likeness::OneHalf).filter(|_| self.is_complete)?;
        let frame = self.settle(at)?;
        Some(Arrival::Corrupted(Flying { digest, ..frame }))
    }

    /// The link gave these octets up; whether it had been told of them.
    pub(super) fn lose(&mut self, bytes: &[u8], reason: &'static str) -> Option<Side> {
        let digest = Digest::of(bytes);
        let is_it = |frame: &&mut Flying| {
            let is_under_way = !frame.has_arrived && frame.lost.is_none();
            is_under_way && frame.digest.likeness(&digest) == Likeness::Same
        };
        // The link loses what it was just given; of equals the youngest.
        let frame = self.frames.iter_mut().rev().find(is_it)?;
        frame.lost = Some(reason);
        Some(frame.from)
    }

    /// The oldest lost frame of `from`, if it is one of those.
    pub(super) fn take_lost(&mut self, from: Side, before: Before) -> Option<Flying> {
        let is_of = |frame: &Flying| frame.from == from && !frame.has_arrived;
        let at = self.frames.iter().position(|frame| match before {
            // The first that is under way at all.
            Before::UnderWay => is_of(frame),
            Before::Frame(_) | Before::Anything => is_of(frame) && frame.lost.is_some(),
        })?;
        let frame = self.frames.iter().nth(at)?;
        let is_due = match before {
            Before::Frame(serial) => is_after(serial, frame.serial),
            Before::UnderWay => frame.lost.is_some(),
            Before::Anything => true,
        };
        if is_due { self.settle(at) } else { None }
    }

    /// The oldest whose fate nobody told.
    pub(super) fn take_oldest(&mut self) -> Option<Flying> {
        loop {
            let frame = self.frames.pop_front()?;
            if !frame.has_arrived {
                return Some(frame);
            }
        }
    }

    pub(super) fn is_complete(&self) -> bool {
        self.is_complete
    }

    fn settle(&mut self, at: usize) -> Option<Flying> {
        let frame = self.frames.iter_mut().nth(at)?;
        frame.has_arrived = true;
        Some(frame.clone())
    }
}

/// Whether a serial number comes after another; they wrap (RFC 1982).
fn is_after(serial: u32, other: u32) -> bool {
    (serial.wrapping_sub(other) as i32) > 0
}
