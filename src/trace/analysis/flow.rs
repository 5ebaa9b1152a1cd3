//! One conversation: what is remembered of it, and the rules that judge its next segment.

use core::net::SocketAddr;

use smoltcp::time::Instant;

use super::history::History;
use super::{Analysis, Mark, Marks, is_after};
use crate::trace::Segment;

/// Sooner than this after the last duplicate acknowledgment a repetition is a fast one, in microseconds.
const FAST: i64 = 20_000;
/// Sooner than this after the newest octets a hole is filled by what was overtaken, in microseconds; where the
/// handshake's round trip is known, that is taken in its place.
const OVERTAKEN: i64 = 3_000;
/// RFC 7323 §2.3: a larger shift is taken for this one.
const MAX_SHIFT: u8 = 14;

/// What is known of a direction's window scale (RFC 7323 §2.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scale {
    /// Its SYN was not seen.
    Unknown,
    /// One of the SYNs did not offer it.
    Unused,
    /// The window field is shifted left by this.
    Shift(u8),
}

/// A round of duplicate acknowledgments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Duplicates {
    /// So many, and the next one is one more.
    Counted(u32),
    /// The peer acknowledged more than was seen: that is said once, until the next duplicate.
    Stalled,
}

/// What one end has sent.
#[derive(Debug)]
struct Direction {
    /// The sequence number that is shown as 0: the SYN's.
    base: Option<u32>,
    scale: Scale,
    /// The last segment's window field.
    window: Option<u16>,
    /// A SYN is the last that was heard of it.
    is_opening: bool,
    /// The last segment's acknowledgment, and when that was.
    acknowledgment: Option<u32>,
    acknowledged_at: i64,
    /// The sequence number after the highest that was seen, when it was seen first.
    next: Option<u32>,
    next_at: i64,
    /// The sequence number after the highest that was seen without a hole before it.
    contiguous: Option<u32>,
    duplicates: Duplicates,
    /// What the last segment was.
    last: Marks,
    history: History,
}

impl Direction {
    const fn new() -> Direction {
        Direction {
            base: None,
            scale: Scale::Unknown,
            window: None,
            is_opening: false,
            acknowledgment: None,
            acknowledged_at: 0,
            next: None,
            next_at: 0,
            contiguous: None,
            duplicates: Duplicates::Counted(0),
            last: Marks::NONE,
            history: History::new(),
        }
    }

    fn scaled(&self, window: u16) -> u32 {
        match self.scale {
            Scale::Shift(shift) => u32::from(window) << shift,
            Scale::Unknown | Scale::Unused => u32::from(window),
        }
    }

    /// The sequence number after the last that this end lets the other send.
    fn window_edge(&self) -> Option<u32> {
        if self.scale == Scale::Unknown {
            return None;
        }
        // A SYN's own window is not scaled (RFC 7323 §2.2).
        let window = if self.is_opening {
            u32::from(self.window?)
        } else {
            self.scaled(self.window?)
        };
        Some(self.acknowledgment?.wrapping_add(window))
    }

    /// Takes a SYN, and says whether it is another conversation's: an answer to a request that was not seen.
    fn open(&mut self, segment: &Segment) -> bool {
        let known = self.base.filter(|_| segment.flags.syn);
        if known.is_some() && segment.acknowledgment.is_none() {
            // The request comes again: a reset in between may have moved the edge.
            self.next = self.contiguous;
            return false;
        }
        if segment.flags.syn {
            self.base = Some(segment.sequence);
        }
        known.is_some_and(|base| base != segment.sequence)
    }
}

/// A conversation between two ends, the lower address first.
#[derive(Debug)]
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

/// The window scale is used where both SYNs offer it (RFC 7323 §2.2).
fn negotiate(segment: &Segment, forward: &mut Direction, reverse: &mut Direction) {
    if let Some(shift) = segment.window_scale {
        forward.scale = Scale::Shift(shift.min(MAX_SHIFT));
    }
    if forward.scale == Scale::Unknown {
        forward.scale = Scale::Unused;
        reverse.scale = Scale::Unused;
    } else if segment.acknowledgment.is_some() && reverse.scale == Scale::Unused {
        forward.scale = Scale::Unused;
    }
}

/// The rules, in the order in which Wireshark asks them. `forward` is what the segment's sender has sent before,
/// `reverse` what it has heard.
struct Judge<'s> {
    segment: &'s Segment,
    /// The segment's time in microseconds.
    now: i64,
    /// How long a hole may be open, in microseconds, until what fills it is taken for sent again.
    patience: i64,
}

impl Judge<'_> {
    /// SYN, FIN or RST.
    fn is_control(&self) -> bool {
        self.segment.flags.syn || self.segment.flags.fin || self.segment.flags.rst
    }

    /// The sequence number after the segment's last.
    fn end(&self) -> u32 {
        let control = self.segment.flags.syn || self.segment.flags.fin;
        let len = self.segment.len.wrapping_add(u32::from(control));
        self.segment.sequence.wrapping_add(len)
    }

    /// What a segment says by its acknowledgment and window, and by where it stands. Gives the number of a duplicate.
    fn acknowledgment(
        &self,
        forward: &mut Direction,
        reverse: &Direction,
        marks: &mut Marks,
    ) -> u32 {
        let segment = self.segment;
        let is_next = forward.next == Some(segment.sequence);
        if segment.len == 1 && is_next && reverse.window == Some(0) {
            marks.insert(Mark::ZeroWindowProbe);
            return 0;
        }
        if forward
            .next
            .is_some_and(|next| is_after(segment.sequence, next))
            && !segment.flags.rst
        {
            marks.insert(Mark::LostSegment);
        }
        if self.is_control() {
            return 0;
        }
        if segment.window == 0 {
            marks.insert(Mark::ZeroWindow);
        }
        if segment.len <= 1 && forward.next == Some(segment.sequence.wrapping_add(1)) {
            marks.insert(Mark::KeepAlive);
        }
        let end = segment.sequence.wrapping_add(segment.len);
        if segment.len > 0 && reverse.window_edge() == Some(end) {
            marks.insert(Mark::WindowFull);
        }
        if segment.len > 0 || !is_next || segment.acknowledgment != forward.acknowledgment {
            return 0;
        }
        let is_same_window = forward.window == Some(segment.window);
        match segment.window {
            0 if is_same_window && reverse.last.contains(Mark::ZeroWindowProbe) => {
                marks.insert(Mark::ZeroWindowProbeAck);
                0
            }
            0 => 0,
            _ if !is_same_window => {
                marks.insert(Mark::WindowUpdate);
                0
            }
            _ if reverse.last.contains(Mark::KeepAlive) => {
                marks.insert(Mark::KeepAliveAck);
                0
            }
            _ => {
                marks.insert(Mark::DuplicateAck);
                let number = match forward.duplicates {
                    Duplicates::Counted(number) => number.saturating_add(1),
                    Duplicates::Stalled => 1,
                };
                forward.duplicates = Duplicates::Counted(number);
                number
            }
        }
    }

    /// Whether it acknowledges what was not seen.
    fn unseen(&self, forward: &mut Direction, reverse: &mut Direction, marks: &mut Marks) {
        if self.segment.acknowledgment != forward.acknowledgment {
            forward.duplicates = Duplicates::Counted(0);
        }
        let (Some(acknowledgment), Some(contiguous), Some(next)) = (
            self.segment.acknowledgment,
            reverse.contiguous,
            reverse.next,
        ) else {
            return;
        };
        if !is_after(acknowledgment, contiguous) {
            return;
        }
        if is_after(next, contiguous) {
            reverse.contiguous = Some(next);
            marks.insert(Mark::AckedLostSegment);
        } else {
            // What is missing was the last: it is said once, not with each acknowledgment.
            if reverse.duplicates == Duplicates::Counted(0) {
                marks.insert(Mark::AckedLostSegment);
            }
            reverse.duplicates = Duplicates::Stalled;
        }
    }

    /// Whether it is sent again, or was overtaken.
    fn repetition(&self, forward: &Direction, reverse: &Direction, marks: &mut Marks) {
        let segment = self.segment;
        let takes_room = segment.len > 0 || segment.flags.syn || segment.flags.fin;
        if !takes_room || marks.contains(Mark::KeepAlive) {
            return;
        }
        let end = segment.sequence.wrapping_add(segment.len);
        let is_acknowledged = |at| segment.len > 0 && !is_after(end, at);
        if reverse.acknowledgment.is_some_and(is_acknowledged) {
            marks.insert(Mark::SpuriousRetransmission);
            return;
        }
        let Some(next) = forward.next else {
            return;
        };
        // What begins with the octet of a probe adds to it.
        let follows_probe = segment.len > 1 && next == segment.sequence.wrapping_add(1);
        if !is_after(next, segment.sequence) || follows_probe {
            return;
        }
        // Two are enough, for a third may not have been seen; where that is certain, none is needed.
        let is_asked_for = reverse.acknowledgment == Some(segment.sequence)
            && matches!(
                reverse.duplicates,
                Duplicates::Counted(2..) | Duplicates::Stalled
            );
        let fills_hole = self.end() != next;
        marks.insert(
            if is_asked_for && self.is_within(FAST, reverse.acknowledged_at) {
                Mark::FastRetransmission
            } else if fills_hole && self.is_within(self.patience, forward.next_at) {
                Mark::OutOfOrder
            } else {
                Mark::Retransmission
            },
        );
    }

    fn is_within(&self, time: i64, since: i64) -> bool {
        (0..time).contains(&self.now.wrapping_sub(since))
    }

    /// When its first octet was seen first. A probe's octet is not counted: it is sent for the answer alone.
    fn repeats(&self, forward: &Direction, marks: Marks) -> Option<Instant> {
        let is_probe = marks.contains(Mark::KeepAlive) || marks.contains(Mark::ZeroWindowProbe);
        let is_data = self.end() != self.segment.sequence && !is_probe;
        is_data.then(|| forward.history.first_seen(self.segment.sequence))?
    }

    /// Keeps what the next segments are compared with.
    fn remember(&self, forward: &mut Direction, reverse: &Direction, marks: Marks) {
        let segment = self.segment;
        let end = self.end();
        let is_probe = marks.contains(Mark::ZeroWindowProbe);
        let is_keep_alive = marks.contains(Mark::KeepAlive);
        if end != segment.sequence && !is_probe && !is_keep_alive {
            let begin = segment.sequence;
            let acknowledged = reverse.acknowledgment;
            forward
                .history
                .insert(begin, end, segment.time, acknowledged);
        }
        // A probe's octet is not counted as sent: it comes again with what follows it. And who answers a SYN with a reset
        // has no numbers of its own: it takes 0 (RFC 9293 §3.10.7.1).
        let is_refusal = segment.flags.rst && end == 0;
        if !is_probe && !is_refusal {
            if forward.next.is_none_or(|next| is_after(end, next)) {
                forward.next = Some(end);
                forward.next_at = self.now;
            }
            if forward.contiguous.is_none_or(|at| at == segment.sequence) {
                forward.contiguous = forward.next;
            }
        }
        forward.window = Some(segment.window);
        if segment.flags.syn || segment.acknowledgment.is_some() {
            forward.is_opening = segment.flags.syn;
        }
        forward.acknowledgment = segment.acknowledgment;
        forward.acknowledged_at = self.now;
        forward.last = marks;
    }
}
