//! One conversation.

use core::net::SocketAddr;

use super::direction::{Direction, negotiate};
use super::judge::Judge;
use super::{Analysis, Mark, Marks};
use crate::trace::Segment;

/// Sooner than this after the newest octets a hole is filled by what was overtaken, in microseconds; where the
/// handshake's round trip is known, that is taken in its place.
const OVERTAKEN: i64 = 3_000;

/// A conversation between two ends, the lower address first.
#[derive(Debug, Clone)]
pub(super) struct Flow {
    ends: [SocketAddr; 2],
    pub(super) stream: u32,
    /// When it was heard last, in segments.
    pub(super) heard: u64,
    /// Which of the ends has opened it, as far as is known.
    initiator: usize,
    directions: [Direction; 2],
    /// When the last SYN was seen, and how long it took from there to the end of the handshake.
    syn_at: Option<i64>,
    round_trip: Option<i64>,
}

/// The two ends of a segment, the lower address first, and which one is its sender.
fn ends(segment: &Segment) -> ([SocketAddr; 2], usize) {
    if segment.source > segment.destination {
        ([segment.destination, segment.source], 1)
    } else {
        ([segment.source, segment.destination], 0)
    }
}

impl Flow {
    pub(super) fn new(segment: &Segment, stream: u32) -> Flow {
        let (ends, sender) = ends(segment);
        let is_answer = segment.flags.syn && segment.acknowledgment.is_some();
        Flow {
            ends,
            stream,
            heard: 0,
            initiator: if is_answer { 1 - sender } else { sender },
            directions: [Direction::new(), Direction::new()],
            syn_at: None,
            round_trip: None,
        }
    }

    /// Whether the segment is part of it.
    pub(super) fn is_of(&self, segment: &Segment) -> bool {
        self.ends == ends(segment).0
    }

    /// Whether the segment opens another conversation between the same two ends.
    pub(super) fn is_followed_by(&self, segment: &Segment) -> bool {
        let forward = &self.directions[ends(segment).1];
        let is_request = segment.flags.syn && segment.acknowledgment.is_none();
        is_request && forward.base.is_some_and(|base| base != segment.sequence)
    }

    /// Judges its next segment. `follows` says that it is the first one after another conversation of the same ends.
    pub(super) fn segment(&mut self, segment: &Segment, follows: bool) -> Analysis {
        let (_, sender) = ends(segment);
        let [low, high] = &mut self.directions;
        let (forward, reverse) = if sender == 0 {
            (low, high)
        } else {
            (high, low)
        };

        let mut marks = Marks::NONE;
        if forward.open(segment) || follows {
            marks.insert(Mark::ReusedPorts);
        }
        if let Some(acknowledgment) = segment.acknowledgment {
            reverse.base.get_or_insert(acknowledgment.wrapping_sub(1));
        }
        // The count begins at 1 where the SYN was not seen.
        let unseen = segment.sequence.wrapping_sub(1);
        let base = *forward.base.get_or_insert(unseen);

        let judge = Judge {
            segment,
            now: segment.time.total_micros(),
            patience: self.round_trip.unwrap_or(OVERTAKEN),
        };
        let duplicate_ack = judge.acknowledgment(forward, reverse, &mut marks);
        judge.unseen(forward, reverse, &mut marks);
        judge.repetition(forward, reverse, &mut marks);
        let repeats = judge.repeats(forward, marks);
        judge.remember(forward, reverse, marks);

        let window = if segment.flags.syn {
            u32::from(segment.window)
        } else {
            forward.scaled(segment.window)
        };
        let acknowledgment = segment
            .acknowledgment
            .map(|acknowledgment| acknowledgment.wrapping_sub(reverse.base.unwrap_or(0)));
        if segment.flags.syn {
            negotiate(segment, forward, reverse);
        }
        self.measure(segment, sender);
        Analysis {
            stream: self.stream,
            from_initiator: sender == self.initiator,
            sequence: segment.sequence.wrapping_sub(base),
            acknowledgment,
            window,
            marks,
            duplicate_ack,
            repeats,
        }
    }

    /// Who opened it, and how long that took.
    fn measure(&mut self, segment: &Segment, sender: usize) {
        let now = segment.time.total_micros();
        match (segment.flags.syn, segment.acknowledgment) {
            (true, None) => {
                if self.syn_at.is_none() {
                    self.initiator = sender;
                }
                self.syn_at = Some(now);
            }
            (false, Some(_)) if self.round_trip.is_none() => {
                // A handshake that takes no time says nothing of the path.
                let took = self.syn_at.map(|at| now.wrapping_sub(at));
                self.round_trip = took.filter(|took| *took != 0);
            }
            _ => {}
        }
    }
}
