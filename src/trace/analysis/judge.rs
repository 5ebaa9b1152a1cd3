//! The rules by which a segment is judged.

use smoltcp::time::Instant;

use super::direction::{Direction, Duplicates};
use super::{Mark, Marks, is_after};
use crate::trace::Segment;

/// Sooner than this after the last duplicate acknowledgment a repetition is a fast one, in microseconds.
const FAST: i64 = 20_000;

/// The rules, in the order in which Wireshark asks them. `forward` is what the segment's sender has sent before,
/// `reverse` what it has heard.
pub(super) struct Judge<'s> {
    pub(super) segment: &'s Segment,
    /// The segment's time in microseconds.
    pub(super) now: i64,
    /// How long a hole may be open, in microseconds, until what fills it is taken for sent again.
    pub(super) patience: i64,
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
    pub(super) fn acknowledgment(
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
        let leaves_hole = |next| is_after(segment.sequence, next);
        if forward.next.is_some_and(leaves_hole) && !segment.flags.rst {
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
    pub(super) fn unseen(
        &self,
        forward: &mut Direction,
        reverse: &mut Direction,
        marks: &mut Marks,
    ) {
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
    pub(super) fn repetition(&self, forward: &Direction, reverse: &Direction, marks: &mut Marks) {
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
    pub(super) fn repeats(&self, forward: &Direction, marks: Marks) -> Option<Instant> {
        let is_probe = marks.contains(Mark::KeepAlive) || marks.contains(Mark::ZeroWindowProbe);
        let is_data = self.end() != self.segment.sequence && !is_probe;
        is_data.then(|| forward.history.first_seen(self.segment.sequence))?
    }

    /// Keeps what the next segments are compared with.
    pub(super) fn remember(&self, forward: &mut Direction, reverse: &Direction, marks: Marks) {
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
