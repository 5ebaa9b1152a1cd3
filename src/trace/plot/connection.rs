//! A connection, as far as it is to be plotted: what each end sent, and what the other said to it.

use core::net::SocketAddr;

use smoltcp::time::Instant;

use super::Sender;
use super::stroke::{Kind, Steps, Stroke, Strokes};
use crate::trace::vantage::{Sighting, Vantage};
use crate::trace::{Analysis, Direction, Mark, Segment, Station};

/// What one end sent, where it was sent if that end is a station.
#[derive(Debug, Default)]
pub(super) struct Way {
    /// Where the sequence numbers that come next lie: one of them, as it is on the wire and as it is plotted.
    reference: Option<(u32, i64)>,
    pub(super) strokes: Strokes,
    /// What the other end has acknowledged: SND.UNA (RFC 9293 §3.3.1).
    pub(super) acknowledged: Steps,
    /// How far the other end lets this one send: SND.UNA + SND.WND.
    pub(super) window: Steps,
    /// Octets of payload, each counted once, as far as they lie behind the furthest.
    pub(super) octets: u64,
    furthest: Option<i64>,
    /// Its first sequence number.
    initial: Option<u32>,
    /// Its SYN was seen, and so the scale of its window.
    is_opened: bool,
    /// Its host says that what it sends next, it sends again.
    sends_again: bool,
}

impl Way {
    /// Where a sequence number lies, the nearest such place to the others (RFC 9293 §3.4: they wrap around). `relative` is
    /// where it lies if it is the first.
    fn place(&mut self, sequence: u32, relative: u32) -> i64 {
        let first = (sequence, i64::from(relative as i32));
        let (known, place) = *self.reference.get_or_insert(first);
        let distance = sequence.wrapping_sub(known) as i32;
        place.saturating_add(i64::from(distance))
    }

    fn send(&mut self, time: u64, segment: &Segment, analysis: &Analysis) {
        self.is_opened |= segment.flags.syn;
        let len = i64::from(segment.sequence_len());
        let low = self.place(segment.sequence, analysis.sequence);
        if len == 0 {
            return;
        }
        let high = low.saturating_add(len);
        let furthest = *self.furthest.get_or_insert(low);
        if furthest < high {
            self.furthest = Some(high);
            self.reference = Some((segment.sequence.wrapping_add(len as u32), high));
            let new = (high - furthest).min(i64::from(segment.len));
            self.octets = self.octets.saturating_add(new.unsigned_abs());
        }
        // A retransmission that closely follows other data is taken for a late segment by its frames alone.
        let is_again = core::mem::take(&mut self.sends_again) || analysis.marks.is_retransmission();
        let kind = match is_again {
            true => Kind::Retransmission,
            false => Kind::Data,
        };
        self.strokes.push(Stroke {
            kind,
            time,
            low,
            high,
        });
    }

    /// The other end's acknowledgment and window.
    fn hear(&mut self, time: u64, segment: &Segment, analysis: &Analysis, is_scaled: bool) {
        let Some(acknowledgment) = segment.acknowledgment.filter(|_| !segment.flags.rst) else {
            return;
        };
        let place = self.place(acknowledgment, analysis.acknowledgment.unwrap_or(0));
        if analysis.marks.contains(Mark::DuplicateAck) {
            self.mark(Kind::DuplicateAck, time, place);
        }
        if self.acknowledged.last().is_some_and(|last| place < last) {
            return;
        }
        self.acknowledged.change(time, place);
        if is_scaled {
            let edge = place.saturating_add(i64::from(analysis.window));
            self.window.change(time, edge);
        }
    }

    fn mark(&mut self, kind: Kind, time: u64, place: i64) {
        self.strokes.push(Stroke {
            kind,
            time,
            low: place,
            high: place,
        });
    }
}

/// A TCP connection.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) number: u32,
    vantage: Vantage,
    began: Instant,
    /// Which end opened it, as far as is known.
    initiator: usize,
    ways: [Way; 2],
}

impl Connection {
    pub(super) fn new(number: u32, segment: &Segment) -> Connection {
        Connection {
            number,
            vantage: Vantage::of(segment),
            began: segment.time,
            initiator: 0,
            ways: Default::default(),
        }
    }

    /// Whether a segment goes between the same ends.
    pub(super) fn is_of(&self, segment: &Segment) -> bool {
        self.vantage.is_of(segment)
    }

    /// Whether it is between these ends.
    pub(super) fn is_between(&self, one: SocketAddr, other: SocketAddr) -> bool {
        self.vantage.ends() == (one, other) || self.vantage.ends() == (other, one)
    }

    /// A SYN that is not this connection's begins the next one between the same ends.
    pub(super) fn is_followed_by(&self, segment: &Segment) -> bool {
        let is_request = segment.flags.syn && segment.acknowledgment.is_none();
        let initial = self.ways[self.sender(segment.source)].initial;
        is_request && initial.is_some_and(|initial| initial != segment.sequence)
    }

    /// Notes that there was a segment.
    pub(super) fn note(&mut self, segment: &Segment) {
        let sender = self.sender(segment.source);
        self.ways[sender].initial.get_or_insert(segment.sequence);
    }

    /// Where a segment is seen; `None` where it was told already.
    pub(super) fn hear(
        &mut self,
        station: Station,
        direction: Direction,
        segment: &Segment,
    ) -> Option<Sighting> {
        self.vantage.hear(station, direction, segment)
    }

    pub(super) fn follow(&mut self, sighting: &Sighting, segment: &Segment, analysis: &Analysis) {
        let (sender, other) = (sighting.sender, 1 - sighting.sender);
        self.initiator = if analysis.from_initiator {
            sender
        } else {
            other
        };
        let time = self.time(segment.time);
        if sighting.is_first_hand {
            self.ways[sender].send(time, segment, analysis);
        }
        // Where it has reached the end whose data it acknowledges.
        if sighting.is_at_receiver {
            let is_scaled = self.ways[sender].is_opened || segment.flags.syn;
            self.ways[other].hear(time, segment, analysis, is_scaled);
        }
    }

    /// The link lost a segment.
    pub(super) fn lose(&mut self, segment: &Segment) {
        let sender = self.sender(segment.source);
        let time = self.time(segment.time);
        let len = segment.sequence_len();
        // Of an end that nobody heard of, nobody knows where its numbers lie.
        if len > 0 {
            let way = &mut self.ways[sender];
            if way.reference.is_some() {
                let low = way.place(segment.sequence, 0);
                way.strokes.push(Stroke {
                    kind: Kind::Lost,
                    time,
                    low,
                    high: low.saturating_add(i64::from(len)),
                });
            }
        } else if let Some(acknowledgment) = segment.acknowledgment {
            let way = &mut self.ways[1 - sender];
            if way.reference.is_some() {
                let place = way.place(acknowledgment, 0);
                way.mark(Kind::LostAck, time, place);
            }
        }
    }

    /// The retransmission timer of an end fired.
    pub(super) fn time_out(&mut self, end: SocketAddr, time: Instant) {
        let time = self.time(time);
        let sender = self.sender(end);
        let way = &mut self.ways[sender];
        let place = way.acknowledged.last();
        let place = place.or(way.reference.map(|(_, place)| place));
        way.mark(Kind::Timeout, time, place.unwrap_or(0));
    }

    /// An end is about to send again.
    pub(super) fn send_again(&mut self, end: SocketAddr) {
        let sender = self.sender(end);
        self.ways[sender].sends_again = true;
    }

    fn sender(&self, source: SocketAddr) -> usize {
        usize::from(source != self.vantage.ends().0)
    }

    /// None where a capture's clock goes back.
    fn time(&self, time: Instant) -> u64 {
        let (now, began) = (time.total_micros(), self.began.total_micros());
        u64::try_from(now.saturating_sub(began)).unwrap_or(0)
    }

    /// The octets of the end that sent more.
    pub(super) fn octets(&self) -> u64 {
        self.ways.iter().map(|way| way.octets).max().unwrap_or(0)
    }

    /// An end, the other, and what the one sent: the end that is asked for, or whichever sent more.
    pub(super) fn way(&self, sender: Option<Sender>) -> (SocketAddr, SocketAddr, &Way) {
        let (initiator, responder) = (self.initiator, 1 - self.initiator);
        let sender = match sender {
            Some(Sender::Initiator) => initiator,
            Some(Sender::Responder) => responder,
            None if self.ways[responder].octets > self.ways[initiator].octets => responder,
            None => initiator,
        };
        let (first, second) = self.vantage.ends();
        let way = &self.ways[sender];
        if sender == 0 {
            (first, second, way)
        } else {
            (second, first, way)
        }
    }
}
